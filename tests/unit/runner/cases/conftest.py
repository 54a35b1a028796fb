"""One call from two texts, a pipeline and its cases, to how the cases went."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import anyio
import pytest

from pipe_runner.cases.performing import CaseResult, perform
from pipe_runner.cases.reading import Reader
from pipe_runner.cases.words import failures
from pipe_runner.registry import Registry

Performed = Callable[[str, str], list[CaseResult]]


@pytest.fixture
def registry() -> Registry:
    return Registry.installed()


@pytest.fixture
def performed(performed_file: Performed) -> Performed:
    """Runs cases (the text below `cases:`) of a pipeline (the text below its version) in `tmp_path`."""

    def run(pipeline: str, cases: str) -> list[CaseResult]:
        below = "".join(f"  {line}\n" for line in dedent(cases).strip().splitlines())
        return performed_file(pipeline, f"cases:\n{below}")

    return run


@pytest.fixture
def performed_file(tmp_path: Path, registry: Registry) -> Performed:
    """The same with the whole text of the file of tests below its version."""

    def run(pipeline: str, text: str) -> list[CaseResult]:
        (tmp_path / "p.yml").write_text("version: 1\n" + dedent(pipeline))
        tests = tmp_path / "p.test.yml"
        tests.write_text("version: 1\n" + dedent(text).lstrip("\n"))
        reading = Reader(registry).read(str(tests), shown_as="p.test.yml")
        assert [d for d in reading.diagnostics if d.is_error] == []
        suite = reading.suite
        assert suite is not None
        results: list[CaseResult] = []

        def ended(result: CaseResult) -> bool:
            results.append(result)
            return True

        async def all_of_them() -> None:
            await perform([(suite, case) for case in suite.cases], registry, opened=lambda active: None, ended=ended)

        anyio.run(all_of_them)
        return results

    return run


@pytest.fixture
def told() -> Callable[[CaseResult], list[str]]:
    """`line:column what` of each reason why a case failed."""
    return lambda result: [f"{one.line}:{one.column} {one.what}" for one in failures(result)]
