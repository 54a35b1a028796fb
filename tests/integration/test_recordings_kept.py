"""Recordings in runs: what can't be kept is known before anybody is paid, and who goes on has his own calls alone."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import anyio
import pytest

from pipe_runner.compiler import compile_text
from pipe_runner.engine import RunSettings, open_resume, open_run
from pipe_runner.errors import StorageError
from pipe_runner.fakes import SOME_USAGE
from pipe_runner.models import ModelRequest
from pipe_runner.plan import Plan
from pipe_runner.registry import Registry
from pipe_runner.runlog import read_log
from pipe_runner.testing import Answer, FakeProvider

TEXT = """
version: 1
nodes:
  first: {run: ":"}
  a: {needs: [first], agent: llm, provider: fake, with: {prompt: x}}
"""


class Bench:
    def __init__(self, root: Path) -> None:
        self.root, self.folder = root, root / "kept"

    def made(self, model: FakeProvider, text: str = TEXT) -> tuple[Plan, Registry]:
        registry = Registry.installed()
        registry.providers.register("fake", model)
        plan = compile_text(text, path=str(self.root / "p.yml"), root=self.root, registry=registry).plan
        assert plan is not None
        return plan, registry

    def settings(self, **more: Any) -> RunSettings:
        return RunSettings(state_dir=self.root / ".pipe", **{"record": str(self.folder), **more})

    def run(self, model: FakeProvider, text: str = TEXT, **more: Any) -> Any:
        plan, registry = self.made(model, text)
        active = open_run(plan, {}, self.settings(**more), registry=registry)
        try:
            run = anyio.run(active.perform)
        finally:
            self.log = Path(active.rundir.log_path)
            self.events = list(read_log(self.log).events)
        return run.nodes["a"]

    def replayed(self) -> Any:
        return self.run(FakeProvider("nobody asks"), record=None, replay=str(self.folder)).output


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_d7_a_folder_that_can_not_be_made_starts_no_run_and_asks_nobody(bench: Bench) -> None:
    (bench.root / "afile").write_text("")
    model = FakeProvider("paid")
    plan, registry = bench.made(model)
    with pytest.raises(StorageError, match="afile/rec can't be used"):
        open_run(plan, {}, bench.settings(record=str(bench.root / "afile" / "rec")), registry=registry)
    assert model.requests == []
    assert not (bench.root / ".pipe").exists()


def test_v1_an_answer_that_could_not_be_kept_counts_as_what_it_used(bench: Bench) -> None:
    def answer(request: ModelRequest) -> Answer:
        shutil.rmtree(bench.folder)
        bench.folder.write_text("")
        return Answer("paid", cost=0.5)

    with pytest.raises(StorageError, match="can't be written"):
        bench.run(FakeProvider(answer))
    (called,) = [event.data for event in bench.events if event.event == "model.called"]
    assert called["error"]["kind"] == "storage"
    assert called["tokens"]["input"] == SOME_USAGE.input
    assert called["cost"] == 0.5
    assert "ambiguous" not in called


@pytest.mark.parametrize("cut", ["node.started", "model.reserved"])
def test_a_run_that_was_killed_before_its_first_answer_and_goes_on_has_its_own_recording_alone(
    bench: Bench, cut: str
) -> None:
    bench.run(FakeProvider("old"))
    killed = bench.run(FakeProvider(RuntimeError("nothing of it is kept")))
    log = bench.log.read_text().splitlines(keepends=True)
    last = next(number for number, line in enumerate(log) if f'"{cut}"' in line)
    bench.log.write_text("".join(log[: last + 1]))
    plan, registry = bench.made(FakeProvider("new"))
    resumed = open_resume(bench.log.parent.name, plan, bench.settings(), registry=registry)
    assert killed.status == "failed"
    assert anyio.run(resumed.perform).nodes["a"].output == "new"
    assert bench.replayed() == "new"


def test_a_replay_gives_nothing_that_a_tool_gave_with_other_options(bench: Bench) -> None:
    (bench.root / "t.py").write_text("def one():\n    return 1\n\n\ndef two():\n    return 2\n")
    tool = '{agent: python, name: calc, description: d, with: {call: "t.py:one"}}'
    text = TEXT.replace("{prompt: x}", f"{{prompt: x, tools: [{tool}]}}")
    assert bench.run(FakeProvider(Answer(tools=[("calc", {})]), "done"), text).output == "done"
    silent = FakeProvider("nobody asks")
    assert bench.run(silent, text, record=None, replay=str(bench.folder)).output == "done"
    other = bench.run(silent, text.replace(":one", ":two"), record=None, replay=str(bench.folder))
    assert other.error["kind"] == "not_found"
    assert 'differs at with.call: recorded "t.py:one", asked "t.py:two"' in other.error["message"]
