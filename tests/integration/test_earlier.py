"""What a node gave in an earlier run is there for the agent that asks, and nothing else is."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from pipe_runner.compiler import check_inputs, compile_text
from pipe_runner.engine import RunSettings, open_run
from pipe_runner.ports import Attempt, Context, Earlier, Outcome
from pipe_runner.registry import Registry
from pipe_runner.testing import FakeAgent, FinishedRun, failed, succeeded

ONE = "nodes: {n: {agent: recalls}}\n"


class Recalls(FakeAgent):
    """Asks what it gave earlier, then gives what a test says."""

    def __init__(self, machine: Machine) -> None:
        super().__init__("recalls", lambda options: None)
        self._machine = machine

    async def perform(self, attempt: Attempt, context: Context) -> Outcome:
        assert context.earlier is not None
        if self._machine.asks:
            self._machine.found[attempt.node] = await anyio.to_thread.run_sync(context.earlier)
        gives = self._machine.gives(attempt)
        return failed() if gives is None else succeeded(gives)


class Machine:
    """A project in which one pipeline runs again and again."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.asks = True
        self.found: dict[str, Earlier | None] = {}
        self.gives: Callable[[Attempt], Any] = lambda attempt: None
        self.registry = Registry.installed()
        self.registry.register("recalls", lambda: Recalls(self))

    def run(self, text: str = ONE, gives: Any = "x", *, name: str = "main", **settings: Any) -> FinishedRun:
        self.gives = gives if callable(gives) else lambda attempt: gives
        self.found.clear()
        path = self.root / f"{name}.yml"
        path.write_text(f"version: 1\n{text}", encoding="utf-8")
        compilation = compile_text(path.read_text(), path=str(path), root=self.root, registry=self.registry)
        assert compilation.plan is not None, "\n".join(map(str, compilation.diagnostics))
        chosen = RunSettings(state_dir=self.root / ".pipe", **settings)
        active = open_run(compilation.plan, check_inputs(compilation.plan, {}), chosen, registry=self.registry)
        return FinishedRun(anyio.run(active.perform), [], self.root, self.root / ".pipe")

    def log(self, done: FinishedRun) -> Path:
        return self.root / ".pipe" / "runs" / done.run.id / "log.jsonl"

    def output(self, node: str = "n") -> Any:
        earlier = self.found[node]
        return None if earlier is None else earlier.output


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_the_last_run_in_which_it_succeeded_counts(machine: Machine) -> None:
    machine.run(gives={"cpu": 1})
    assert machine.found == {"n": None}
    second = machine.run(gives={"cpu": 2})
    assert machine.output() == {"cpu": 1}
    machine.run(gives=None)
    assert machine.output() == {"cpu": 2}
    machine.run(gives={"cpu": 4})
    assert machine.found["n"] == Earlier(second.run.id, second.run.nodes["n"].ended_at or "", {"cpu": 2})


def test_a_run_of_another_file_and_one_of_another_state_directory_do_not_count(
    machine: Machine, tmp_path: Path
) -> None:
    machine.run()
    machine.run(name="other")
    assert machine.found == {"n": None}
    machine.root = tmp_path / "elsewhere"
    machine.root.mkdir()
    machine.run()
    assert machine.found == {"n": None}


def test_a_changed_pipeline_is_still_the_same_file(machine: Machine) -> None:
    machine.run(gives=1)
    machine.run("nodes: {first: {run: 'true'}, n: {agent: recalls, needs: [first], with: {new: 1}}}\n", gives=2)
    assert machine.output() == 1
    machine.run("nodes: {m: {agent: recalls}}\n")
    assert machine.found == {"m": None}
    machine.run()
    assert machine.output() == 2


def test_the_earlier_attempts_of_the_same_run_do_not_count(machine: Machine) -> None:
    attempts = iter([None, "good"])
    machine.run(
        "nodes: {n: {agent: recalls, retry: {max_attempts: 2, delay: 0s}}}\n", gives=lambda attempt: next(attempts)
    )
    assert machine.found == {"n": None}


def test_items_and_the_nodes_of_sub_pipelines_have_their_own(machine: Machine) -> None:
    (machine.root / "sub.yml").write_text("version: 1\nnodes: {inner: {agent: recalls}}\n", encoding="utf-8")
    text = """nodes:
  probe: {for_each: {items: [a, b], key: "{{ item }}"}, agent: recalls}
  deploy: {for_each: {items: [eu], key: "{{ item }}"}, pipeline: sub.yml}
"""
    machine.run(text, gives=lambda attempt: attempt.node)
    assert set(machine.found) == {"probe[a]", "probe[b]", "deploy[eu].inner"}
    machine.run(text, gives="again")
    assert {node: machine.output(node) for node in machine.found} == {node: node for node in machine.found}


def test_a_large_output_is_read_whole_and_one_that_was_changed_is_passed_over(machine: Machine) -> None:
    large = "x" * 200_000
    machine.run(gives="small")
    done = machine.run(gives=large)
    machine.run(gives=None)
    assert machine.output() == large
    (blob,) = (machine.log(done).parent / "blobs").iterdir()
    blob.write_text("y" * 200_000, encoding="utf-8")
    machine.run(gives=None)
    assert machine.output() == "small"


def test_one_above_the_bound_is_passed_over(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipe_runner.stores.earlier._LARGEST", 100_000)
    machine.run(gives="small")
    machine.run(gives="x" * 200_000)
    machine.run()
    assert machine.output() == "small"


@pytest.mark.parametrize("seen", [True, False], ids=["the index knows", "the index believes it"])
def test_a_damaged_log_is_passed_over(machine: Machine, seen: bool) -> None:
    machine.run(gives="old")
    log = machine.log(machine.run(gives="new"))
    machine.run(gives=None)  # the index has seen the log
    assert machine.output() == "new"
    was = log.stat()
    log.write_bytes(log.read_bytes().replace(b'"new"', b'"now"'))
    if not seen:
        os.utime(log, ns=(was.st_atime_ns, was.st_mtime_ns))
    machine.run(gives=None)
    assert machine.output() == "old"


@pytest.mark.parametrize("index", ["deleted", "no index at all", "garbage"])
def test_the_index_may_be_gone(machine: Machine, index: str) -> None:
    machine.run(gives="old")
    machine.run(gives=None)
    for path in (machine.root / ".pipe").glob("index.db*"):
        path.unlink()
    if index == "garbage":
        (machine.root / ".pipe" / "index.db").write_bytes(b"no database" * 1000)
    machine.run(gives=None)
    assert machine.output() == "old"


def test_a_run_that_was_removed_while_another_went_on_is_passed_over(machine: Machine) -> None:
    machine.run(gives="old")
    newer = machine.run(gives="new")

    def gives(attempt: Attempt) -> Any:
        if attempt.node == "n":
            for path in sorted(machine.log(newer).parent.rglob("*"), reverse=True):
                path.unlink()
        return 1

    text = "nodes: {n: {agent: recalls}, m: {agent: recalls, needs: [n]}, n2: {agent: recalls, needs: [m]}}\n"
    machine.run(text, gives=gives)
    assert machine.output() == "new"
    machine.run()
    assert machine.output() == 1


def test_only_the_last_runs_are_looked_at(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipe_runner.stores.earlier.LAST", 2)
    machine.run(gives="old")
    machine.run(gives=None)
    machine.run(gives=None)
    assert machine.output() == "old"
    machine.run(gives=None)
    assert machine.output() is None


def test_secrets_are_hidden_as_they_stood_in_the_log(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "a-very-secret-word")
    text = """secrets: {TOKEN: {from: env}}
nodes:
  n: {agent: recalls}
  g: {run: "true", secrets: [TOKEN]}
"""
    machine.run(text, gives={"said": "a-very-secret-word"})
    machine.run(gives="x")
    assert machine.output() == {"said": "***"}


@pytest.mark.parametrize("kept", ["record", "replay"])
def test_a_run_that_is_recorded_goes_as_it_is_told(machine: Machine, tmp_path: Path, kept: str) -> None:
    machine.run(gives="old")
    machine.run(**{kept: str(tmp_path)})
    assert machine.output() is None


def test_nothing_is_read_where_nobody_asks(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.run(gives="old")
    machine.asks = False
    monkeypatch.setattr("pipe_runner.stores.earlier.EarlierRuns.__init__", lambda *a: pytest.fail("it was made"))
    machine.run()
