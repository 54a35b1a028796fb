"""A folder with pipeline files that run one another, for the tests of sub-pipelines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import anyio
import pytest

from pipe_runner.compiler import check_inputs, compile_text
from pipe_runner.engine import ActiveRun, RunSettings, open_resume, open_run
from pipe_runner.registry import Registry
from pipe_runner.run import Run
from pipe_runner.runlog import read_log
from pipe_runner.testing import FakeAgent, FinishedRun

Agent = Callable[[Mapping[str, Any]], Any]


class Project:
    """A folder with pipeline files, run in this process. The agent `fake` does what a test says."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.registry = Registry.installed()
        self.fake: Agent = lambda options: options
        self.registry.register("fake", lambda: FakeAgent("fake", lambda options: self.fake(options)))

    def write(self, **files: str) -> None:
        for name, text in files.items():
            (self.root / f"{name}.yml").write_text(f"version: 1\n{text}", encoding="utf-8")

    def open(
        self, *, only: tuple[str, ...] = (), inputs: Mapping[str, Any] | None = None, **settings: Any
    ) -> ActiveRun:
        path = self.root / "main.yml"
        compilation = compile_text(path.read_text(), path=str(path), root=self.root, registry=self.registry)
        assert compilation.plan is not None, "\n".join(map(str, compilation.diagnostics))
        plan = compilation.plan
        chosen = RunSettings(state_dir=self.root / ".pipe", only=only, grace=1.0, **settings)
        if (self.root / ".pipe" / "runs" / "r").exists():
            return open_resume("r", plan, chosen, registry=self.registry)
        chosen = RunSettings(state_dir=self.root / ".pipe", only=only, grace=1.0, run_id="r", **settings)
        return open_run(plan, check_inputs(plan, inputs or {}), chosen, registry=self.registry)

    def run(self, main: str | None = None, **given: Any) -> FinishedRun:
        """Run `main.yml`, or go on with the run of it."""
        if main is not None:
            self.write(main=main)
        active = self.open(**given)
        run = anyio.run(active.perform)
        return self.finished(active, run)

    def afresh(self) -> None:
        """Let the next run be a new one."""
        (self.root / ".pipe" / "runs" / "r").rename(self.root / f"earlier{len(list(self.root.glob('earlier*')))}")

    def finished(self, active: ActiveRun, run: Run) -> FinishedRun:
        return FinishedRun(run, list(read_log(active.rundir.log_path).events), self.root, self.root / ".pipe")


class Trying:
    """An agent that remembers what it was asked, and fails where a test says."""

    def __init__(self, project: Project) -> None:
        self.done: list[str] = []
        self.bad: set[str] = set()
        project.fake = self.act

    def act(self, options: Mapping[str, Any]) -> str:
        name = str(options["n"])
        self.done.append(name)
        if name in self.bad:
            raise RuntimeError(f"{name} fails")
        return f"{name} {options.get('x', '')}".strip()

    def taken(self) -> list[str]:
        found, self.done = self.done, []
        return sorted(found)


@pytest.fixture
def trying(project: Project) -> Trying:
    return Trying(project)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)
