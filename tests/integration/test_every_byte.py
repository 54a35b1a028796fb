"""The log of a run of a hundred nodes, cut at every byte, loads, resumes and appends (D1, D5)."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import anyio
import pytest

from pipe_runner.compiler import compile_text
from pipe_runner.engine import RunSettings, open_resume, open_run
from pipe_runner.plan import Plan
from pipe_runner.registry import Registry
from pipe_runner.runlog import read_log
from pipe_runner.testing import FakeAgent
from pipe_runner.types import Durability, EventKind, RunStatus

NODES = 100


def pipeline() -> str:
    """Ten chains of ten, whose nodes hand on what they were given."""
    lines = ["version: 1", "nodes:"]
    for i in range(NODES):
        given = f'"{{{{ nodes.n{i - 10}.output }}}}"' if i >= 10 else f'"begin {i}"'
        lines.append(f"  n{i}: {{agent: echo, with: {{text: {given}}}}}")
    return "\n".join(lines) + "\n"


class World:
    """One finished run, and copies of it whose log is cut."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.calls: Counter[str] = Counter()
        self.plan = self._compile()
        active = open_run(self.plan, {}, self.settings("whole"), registry=self.registry())
        self.id = active.run.id
        self.finished = anyio.run(active.perform)
        self.log = Path(active.rundir.log_path).read_bytes()
        self.outputs = {name: state.output for name, state in self.finished.nodes.items()}

    def settings(self, name: str) -> RunSettings:
        return RunSettings(self.root / name, run_id="r", durability=Durability.OS)

    def registry(self) -> Registry:
        registry = Registry()
        registry.register("echo", lambda: FakeAgent("echo", self._echo))
        return registry

    def _echo(self, options: Mapping[str, Any]) -> Any:
        self.calls[str(options["text"])] += 1
        return options["text"]

    def _compile(self) -> Plan:
        compilation = compile_text(pipeline(), path=str(self.root / "p.yml"), root=self.root, registry=self.registry())
        assert compilation.plan is not None, compilation.diagnostics
        return compilation.plan

    def resume(self, cut: int) -> None:
        """Cut a copy of the log, resume it, and hold it against what must be."""
        state = self.root / "cut"
        shutil.copytree(self.root / "whole", state)
        try:
            log = state / "runs" / "r" / "log.jsonl"
            log.write_bytes(self.log[:cut])
            before = read_log(str(log))
            kept = {e.node for e in before.events if e.event == EventKind.NODE_SUCCEEDED}
            active = open_resume("r", self.plan, self.settings("cut"), registry=self.registry())
            if active.nothing_to_do:
                active.close()
                assert len(kept) == NODES
                return
            run = anyio.run(active.perform)
            assert run.status is RunStatus.SUCCEEDED
            assert {name: s.output for name, s in run.nodes.items()} == self.outputs
            after = read_log(str(log))
            assert after.torn is None
            assert after.events[: len(before.events)] == before.events
            again = {e.node for e in after.events[len(before.events) :] if e.event == EventKind.NODE_STARTED}
            assert not again & kept, "what had succeeded ran again"
            assert len(kept | again) == NODES
        finally:
            shutil.rmtree(state)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    yield World(tmp_path_factory.mktemp("every-byte"))


def test_d5_a_log_cut_anywhere_loads_resumes_and_appends(world: World) -> None:
    size = len(world.log)
    for cut in sorted({0, 1, 2, size - 1, size, *range(0, size, max(1, size // 60))}):
        world.resume(cut)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_d5_a_log_cut_at_every_byte_loads_resumes_and_appends(world: World) -> None:
    for cut in range(len(world.log) + 1):
        world.resume(cut)
