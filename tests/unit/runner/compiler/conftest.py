"""One call from text to compilation, in an empty project."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from pipe_runner.compiler import Compilation, compile_text
from pipe_runner.plan import Plan
from pipe_runner.registry import Registry

Compile = Callable[[str], Compilation]
Planned = Callable[[str], Plan]


@pytest.fixture(scope="session")
def registry() -> Registry:
    found = Registry.installed()
    found.tools.register("count", lambda: 1)
    return found


@pytest.fixture
def compiled(tmp_path: Path, registry: Registry) -> Compile:
    """Compiles `version: 1` and the text."""
    return lambda text: compile_text("version: 1\n" + dedent(text), path="p.yml", root=tmp_path, registry=registry)


@pytest.fixture
def planned(compiled: Compile) -> Planned:
    """The plan of a text that has no faults."""

    def plan(text: str) -> Plan:
        compilation = compiled(text)
        assert compilation.diagnostics == []
        assert compilation.plan is not None
        return compilation.plan

    return plan
