"""A project whose runs wait for people: run, decided, and resumed in this process."""

from __future__ import annotations

from pathlib import Path

import anyio

from pipe_runner.compiler import check_inputs, compile_text
from pipe_runner.engine import ActiveRun, RunSettings, open_resume, open_run
from pipe_runner.engine.decisions import Decision, Word, decide
from pipe_runner.plan import Plan
from pipe_runner.registry import Registry
from pipe_runner.run import Run, fold
from pipe_runner.runlog import RunDir, read_log


class Waiting:
    """One pipeline, and one run of it, called `r`; `ada` decides."""

    def __init__(self, root: Path, text: str = "") -> None:
        self.root, self.text = root, text

    def plan(self) -> Plan:
        done = compile_text(self.text, path=str(self.root / "p.yml"), root=self.root, registry=Registry.installed())
        assert done.plan is not None, done.diagnostics
        return done.plan

    def run(self, text: str | None = None) -> Run:
        """Begin the run, of this text if there is one."""
        self.text = self.text if text is None else text
        plan, settings = self.plan(), RunSettings(self.root / ".pipe", run_id="r")
        return self._performed(open_run(plan, check_inputs(plan, {}), settings, registry=Registry.installed()))

    def resume(self, text: str | None = None) -> Run:
        """Go on with it, the file having become this text if there is one."""
        self.text = self.text if text is None else text
        settings = RunSettings(self.root / ".pipe")
        return self._performed(open_resume("r", self.plan(), settings, registry=Registry.installed()))

    def decide(self, word: Word, node: str) -> Run:
        return decide(self.root / ".pipe", "r", node, Decision(word, "ada"))

    def starts(self, node: str) -> int:
        """How often it was started."""
        events = read_log(RunDir.open(self.root / ".pipe", "r").log_path).events
        return sum(1 for event in events if event.event == "node.started" and event.node == node)

    def done(self) -> list[str]:
        """The lines of the file `done`, into which nodes write."""
        return (self.root / "done").read_text().splitlines()

    def _performed(self, active: ActiveRun) -> Run:
        run = anyio.run(active.perform)
        assert fold(read_log(RunDir.open(self.root / ".pipe", "r").log_path).events) == run
        return run
