"""Pipelines that nodes run: their own inputs, nodes and outputs, inside the slots, stops and log of one run."""

from __future__ import annotations

import time
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

    def finished(self, active: ActiveRun, run: Run) -> FinishedRun:
        return FinishedRun(run, list(read_log(active.rundir.log_path).events), self.root, self.root / ".pipe")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def kinds(done: FinishedRun, node: str) -> list[str]:
    return [str(e.event).removeprefix("node.") for e in done.events if e.node == node and e.event != "node.output"]


ECHO = "inputs: {x: {type: string, default: d}}\nnodes: {a: {run: 'echo {{ inputs.x }}'}}\noutputs: {y: '{{ nodes.a.output }}'}\n"


def test_it_takes_inputs_gives_outputs_and_is_a_dependency(project: Project) -> None:
    project.write(sub=ECHO)
    done = project.run(
        "nodes:\n  before: {run: echo v}\n  s: {pipeline: sub.yml, with: {x: '{{ nodes.before.output }}'}}\n"
        "  after: {run: 'echo got {{ nodes.s.output.y }}'}\n"
    )
    assert done.statuses == {"before": "succeeded", "s": "succeeded", "s.a": "succeeded", "after": "succeeded"}
    assert done.output("s") == {"y": "v"}
    assert done.output("after") == "got v"
    assert kinds(done, "s.a") == ["started", "succeeded"]
    started = next(e for e in done.events if e.node == "s" and e.event == "node.started")
    assert started.data["pipeline"] == "sub.yml"


def test_nothing_leaks_in_or_out_but_inputs_and_outputs(project: Project) -> None:
    project.write(
        sub="inputs: {x: {type: string}}\nenv: {OWN: own}\n"
        "nodes: {a: {run: 'echo ${OUTER-none} $OWN {{ inputs.x }} {{ env.OWN }} $PIPE_NODE'}}\n"
        "outputs: {y: '{{ nodes.a.output }}'}\n"
    )
    done = project.run(
        "inputs: {x: {type: string, default: outer}}\nenv: {OUTER: leaks}\n"
        "nodes:\n  a: {run: 'echo ${OWN-none} $OUTER'}\n  s: {pipeline: sub.yml, with: {x: given}}\n"
    )
    assert done.output("a") == "none leaks"
    assert done.output("s") == {"y": "none own given own s.a"}


def test_its_nodes_share_the_slots_of_the_run_and_it_holds_none(project: Project) -> None:
    busy: list[int] = []
    now = 0

    def fake(options: Mapping[str, Any]) -> None:
        nonlocal now
        now += 1
        busy.append(now)
        time.sleep(0.02)
        now -= 1

    project.fake = fake
    nodes = "\n".join(f"  n{i}: {{agent: fake, with: {{i: {i}}}}}" for i in range(4))
    project.write(inmost=f"nodes:\n{nodes}\n", sub=f"nodes:\n  deep: {{pipeline: inmost.yml}}\n{nodes}\n")
    done = project.run(f"concurrency: 1\nnodes:\n  s: {{pipeline: sub.yml}}\n  t: {{pipeline: sub.yml}}\n{nodes}\n")
    assert done.status == "succeeded"
    assert done.statuses["s.deep.n3"] == "succeeded"
    assert len(busy) == 4 * 5
    assert max(busy) == 1


def test_its_own_concurrency_bounds_its_nodes(project: Project) -> None:
    project.write(sub="concurrency: 1\nnodes:\n" + "".join(f"  n{i}: {{run: sleep 0.05}}\n" for i in range(3)))
    done = project.run("nodes: {s: {pipeline: sub.yml}}\n")
    open_, most = 0, 0
    for event in done.events:
        if event.node is not None and event.node.startswith("s."):
            open_ += (event.event == "node.started") - (event.event == "node.succeeded")
            most = max(most, open_)
    assert most == 1


def test_a_failure_inside_fails_it_and_blocks_what_needs_it(project: Project) -> None:
    project.write(
        sub="nodes:\n  a: {run: exit 3}\n  b: {run: echo, needs: a}\n"
        "on_failure: {h: {run: 'echo failed: {{ run.failed | join }} {{ run.status }}'}}\n"
        "finally: {f: {run: 'echo {{ nodes.a.status }}'}}\n"
    )
    done = project.run("nodes:\n  s: {pipeline: sub.yml}\n  after: {run: echo, needs: s}\n  other: {run: echo}\n")
    assert done.status == "failed"
    assert done.statuses == {
        "s": "failed",
        "s.a": "failed",
        "s.b": "blocked",
        "s.h": "succeeded",
        "s.f": "succeeded",
        "after": "blocked",
        "other": "succeeded",
    }
    assert done.output("s.h") == "failed: a failed"
    error = done.node("s").error
    assert error is not None
    assert (error["kind"], error["exit_code"]) == ("exit", 3)
    assert error["message"].startswith("s.a failed: ")
    assert done.run.failed == ["s"]


def test_a_failure_that_is_seen_to_inside_is_none_outside(project: Project) -> None:
    project.write(
        sub="nodes:\n  a: {run: 'false', continue_on_error: true}\n  b: {run: 'echo {{ nodes.a.status }}'}\n"
        "outputs: {b: '{{ nodes.b.output }}'}\n"
    )
    done = project.run("nodes: {s: {pipeline: sub.yml}}\n")
    assert done.status == "succeeded"
    assert done.output("s") == {"b": "failed"}


def test_continue_on_error_on_its_node_leaves_the_run_successful(project: Project) -> None:
    project.write(sub="nodes: {a: {run: 'false'}}\noutputs: {y: '{{ nodes.a.output }}'}\n")
    done = project.run(
        "nodes:\n  s: {pipeline: sub.yml, continue_on_error: true}\n"
        "  t: {run: 'echo {{ nodes.s.status }} {{ nodes.s.error.kind }}'}\n"
    )
    assert done.status == "succeeded"
    assert done.output("t") == "failed exit"


@pytest.mark.parametrize(
    ("more", "status"),
    [("when: 1 > 2", "skipped"), ("needs: bad", "blocked"), ("when: nodes.bad.output, run_on: always", "failed")],
)
def test_what_it_would_run_is_told_of_when_it_does_not_run(project: Project, more: str, status: str) -> None:
    project.write(sub="nodes: {a: {run: echo}, deep: {pipeline: deep.yml}}\n", deep="nodes: {z: {run: echo}}\n")
    done = project.run(f"nodes:\n  bad: {{run: 'false', output: json}}\n  s: {{pipeline: sub.yml, {more}}}\n")
    assert done.statuses["s"] == status
    inside = "blocked" if status == "failed" else status
    assert [done.statuses[name] for name in ("s.a", "s.deep", "s.deep.z")] == [inside] * 3


def test_run_on_and_conditions_are_those_of_every_node(project: Project) -> None:
    project.write(sub=ECHO)
    done = project.run(
        "nodes:\n  bad: {run: 'false'}\n  s: {pipeline: sub.yml, needs: bad, run_on: failure}\n"
        "  t: {pipeline: sub.yml, when: nodes.s.output.y == 'd'}\n"
    )
    assert done.statuses["s.a"] == done.statuses["t.a"] == "succeeded"


def test_a_retry_runs_what_is_not_done(project: Project) -> None:
    tries: list[str] = []

    def fake(options: Mapping[str, Any]) -> str:
        tries.append(options["n"])
        if options["n"] == "b" and tries.count("b") < 3:
            raise RuntimeError("not yet")
        return str(options["n"])

    project.fake = fake
    project.write(
        sub="nodes:\n  a: {agent: fake, with: {n: a}}\n  b: {agent: fake, with: {n: b}, needs: a}\n"
        "  c: {agent: fake, with: {n: c}, needs: b}\nfinally: {f: {agent: fake, with: {n: f}}}\n"
    )
    done = project.run("nodes: {s: {pipeline: sub.yml, retry: {max_attempts: 3, delay: 0s}}}\n")
    assert done.status == "succeeded"
    assert tries == ["a", "b", "f", "b", "f", "b", "c", "f"]
    assert kinds(done, "s") == ["started", "retrying", "started", "retrying", "started", "succeeded"]
    assert [done.node(n).attempts for n in ("s", "s.a", "s.b", "s.c")] == [3, 1, 3, 1]


def test_a_time_out_of_its_node_ends_its_nodes_and_lets_its_finally_run(project: Project) -> None:
    project.write(sub="nodes:\n  a: {run: exec sleep 30}\n  b: {run: echo, needs: a}\nfinally: {f: {run: echo done}}\n")
    began = time.monotonic()
    done = project.run("nodes:\n  s: {pipeline: sub.yml, timeout: 300ms}\n  other: {run: sleep 0.6; echo}\n")
    assert time.monotonic() - began < 10
    assert done.statuses == {
        "s": "failed",
        "s.a": "failed",
        "s.b": "cancelled",
        "s.f": "succeeded",
        "other": "succeeded",
    }
    assert done.node("s").error == {"kind": "timeout", "message": "the sub-pipeline timed out after 0.3 s"}
    assert (done.node("s.a").error or {})["kind"] == "run_timeout"


def test_the_budget_of_its_file_bounds_it(project: Project) -> None:
    project.write(
        deep="nodes: {z: {run: exec sleep 30}}\nfinally: {f: {run: echo}}\n",
        sub="budget: {max_time: 300ms}\nnodes:\n  a: {run: exec sleep 30}\n  d: {pipeline: deep.yml}\n"
        "on_failure: {h: {run: echo}}\n",
    )
    done = project.run("nodes: {s: {pipeline: sub.yml}}\n")
    assert (done.node("s").error or {})["kind"] == "run_timeout"
    assert done.statuses == {
        "s": "failed",
        "s.a": "failed",
        "s.d": "failed",
        "s.d.z": "failed",
        "s.d.f": "succeeded",
        "s.h": "succeeded",
    }


def test_the_time_of_the_run_bounds_it(project: Project) -> None:
    project.write(sub="nodes:\n  a: {run: exec sleep 30}\n  b: {run: echo, needs: a}\nfinally: {f: {run: echo}}\n")
    done = project.run("budget: {max_time: 300ms}\nnodes: {s: {pipeline: sub.yml}}\n")
    assert done.status == "failed"
    assert (done.run.error or {})["kind"] == "run_timeout"
    assert (done.node("s").error or {})["kind"] == "run_timeout"
    assert done.statuses == {"s": "failed", "s.a": "failed", "s.b": "cancelled", "s.f": "succeeded"}


def test_max_time_bounds_all_attempts_at_it(project: Project) -> None:
    project.write(sub="nodes: {a: {run: exec sleep 0.25 && false}, b: {run: sleep 0.2; false}}\n")
    began = time.monotonic()
    done = project.run(
        "nodes: {s: {pipeline: sub.yml, max_time: 600ms, retry: {max_attempts: 50, delay: 10ms, backoff: constant}}}\n"
    )
    assert done.status == "failed"
    assert time.monotonic() - began < 8


def test_fail_fast_is_its_own_inside_and_that_of_the_run_stops_it(project: Project) -> None:
    project.write(
        inside="fail_fast: true\nnodes:\n  a: {run: 'false'}\n  b: {run: sleep 0.3}\n  c: {run: echo, needs: b}\n",
        slow="nodes:\n  a: {run: sleep 0.5}\n  b: {run: echo, needs: a}\nfinally: {f: {run: echo}}\n",
    )
    done = project.run(
        "nodes:\n  s: {pipeline: inside.yml}\n  other: {run: sleep 0.5}\n  more: {run: echo, needs: other}\n"
    )
    assert (done.statuses["s.c"], done.statuses["more"]) == ("cancelled", "succeeded")
    assert done.statuses["s"] == "failed"
    (project.root / ".pipe" / "runs" / "r").rename(project.root / "earlier")
    done = project.run("fail_fast: true\nnodes:\n  s: {pipeline: slow.yml}\n  bad: {run: sleep 0.1; false}\n")
    assert done.statuses == {
        "s": "cancelled",
        "s.a": "succeeded",
        "s.b": "cancelled",
        "s.f": "succeeded",
        "bad": "failed",
    }
    assert done.status == "failed"


@pytest.mark.parametrize("twice", [False, True])
def test_a_stop_ends_what_runs_inside_then_its_finally_then_that_of_the_run(project: Project, twice: bool) -> None:
    project.write(
        sub="nodes:\n  a: {run: exec sleep 30}\n  b: {run: echo, needs: a}\nfinally: {f: {run: echo inner}}\n",
        main="nodes: {s: {pipeline: sub.yml}, after: {run: echo, needs: s}}\nfinally: {f: {run: echo outer}}\n",
    )
    active = project.open()

    async def stopped() -> Run:
        async with anyio.create_task_group() as group:

            async def stop() -> None:
                while str(active.run.state("s.a").status) != "running":
                    await anyio.sleep(0.01)
                active.stop("test")
                if twice:
                    active.stop("test")

            group.start_soon(stop)
            return await active.perform()

    done = project.finished(active, anyio.run(stopped))
    last = "cancelled" if twice else "succeeded"
    assert done.status == "cancelled"
    assert done.statuses == {
        "s": "cancelled",
        "s.a": "cancelled",
        "s.b": "cancelled",
        "s.f": last,
        "after": "cancelled",
        "f": last,
    }


def test_pipelines_run_pipelines(project: Project) -> None:
    project.write(
        deep=ECHO,
        sub="inputs: {x: {type: string}}\nnodes: {d: {pipeline: deep.yml, with: {x: '{{ inputs.x }}!'}}}\n"
        "outputs: {y: '{{ nodes.d.output.y }}'}\n",
    )
    done = project.run("nodes: {s: {pipeline: sub.yml, with: {x: v}}}\noutputs: {y: '{{ nodes.s.output.y }}'}\n")
    assert done.outputs == {"y": "v!"}
    assert list(done.statuses) == ["s", "s.d", "s.d.a"]


def test_one_is_repeated_over_a_list(project: Project) -> None:
    project.write(
        sub="inputs: {x: {type: string}}\nnodes:\n  a: {run: 'echo {{ inputs.x }}'}\n"
        "  each: {for_each: {items: [1, 2]}, run: 'echo {{ item }}{{ nodes.a.output }}'}\n"
        "outputs: {y: '{{ nodes.each.output[1].output }}'}\n"
    )
    done = project.run(
        "nodes:\n  s: {pipeline: sub.yml, for_each: {items: [eu, us], key: '{{ item }}'}, with: {x: '{{ item }}'}}\n"
        "  m: {pipeline: sub.yml, matrix: {os: [a, b]}, with: {x: '{{ matrix.os }}'}}\n"
        "outputs: {all: '{{ nodes.s.output }}', one: '{{ nodes.m.output[1].output.y }}'}\n"
    )
    assert done.status == "succeeded", done.events[-3:]
    assert [(r["key"], r["output"]) for r in done.outputs["all"]] == [("eu", {"y": "2eu"}), ("us", {"y": "2us"})]
    assert done.outputs["one"] == "2b"
    assert done.output("s[eu].a") == "eu"
    assert {key: s.output for key, s in done.run.items["s[us].each"].items()} == {"0": "1us", "1": "2us"}
    assert sorted(done.run.items["s"]) == ["eu", "us"]


def test_an_output_that_can_not_be_made_fails_it(project: Project) -> None:
    project.write(sub="nodes: {a: {run: 'echo 1', output: json}}\noutputs: {y: '{{ nodes.a.output.z }}'}\n")
    done = project.run("nodes: {s: {pipeline: sub.yml}}\n")
    error = done.node("s").error or {}
    assert error["kind"] == "template"
    assert error["message"].startswith("outputs: ")


def test_a_value_that_does_not_fit_an_input_fails_it(project: Project) -> None:
    project.write(sub="inputs: {n: {type: integer}}\nnodes: {a: {run: echo}}\n")
    done = project.run(
        "nodes:\n  j: {run: echo '\"x\"', output: json}\n  s: {pipeline: sub.yml, with: {n: '{{ nodes.j.output }}'}}\n"
    )
    error = done.node("s").error or {}
    assert error["kind"] == "template"
    assert "input `n` must be a whole number, not" in error["message"]
    assert done.statuses["s.a"] == "blocked"


def test_only_chooses_it_or_nodes_inside(project: Project) -> None:
    project.write(
        sub="nodes:\n  a: {run: echo a}\n  b: {run: echo b, needs: a}\n  c: {run: echo c}\nfinally: {f: {run: echo}}\n"
        "outputs: {c: '{{ nodes.c.output }}'}\n"
    )
    main = "nodes:\n  x: {run: echo}\n  s: {pipeline: sub.yml, needs: x}\n  y: {run: echo}\n"
    assert set(project.run(main, only=("s",)).statuses) == {"x", "s", "s.a", "s.b", "s.c", "s.f"}
    (project.root / ".pipe" / "runs" / "r").rename(project.root / "earlier")
    done = project.run(only=("s.b",))
    assert done.statuses == dict.fromkeys(("x", "s", "s.a", "s.b"), "succeeded")
    assert done.output("s") == {"c": None}


def test_an_approval_inside_waits_and_resume_goes_on(project: Project) -> None:
    from pipe_runner.engine.decisions import Decision, decide

    project.write(
        sub="nodes:\n  a: {run: echo a}\n  ok: {agent: approval, with: {message: go?}, needs: a}\n"
        "  b: {run: echo b, needs: ok}\n  free: {run: echo}\nfinally: {f: {run: echo}}\n"
    )
    main = "nodes:\n  s: {pipeline: sub.yml}\n  t: {run: echo, needs: s}\n  other: {run: echo}\n"
    done = project.run(main)
    assert done.status == "waiting"
    assert done.statuses == {
        "s": "waiting",
        "s.a": "succeeded",
        "s.ok": "waiting",
        "s.b": "pending",
        "s.free": "succeeded",
        "s.f": "pending",
        "t": "pending",
        "other": "succeeded",
    }
    done = project.run()
    assert done.status == "waiting"
    assert done.node("s.a").attempts == 1
    decide(project.root / ".pipe", "r", "s.ok", Decision("approve", "me"))
    done = project.run()
    assert done.status == "succeeded"
    assert set(done.statuses.values()) == {"succeeded"}
    assert [done.node(n).attempts for n in ("s.a", "s.ok", "s.b", "s.free")] == [1, 1, 1, 1]


def test_a_refusal_inside_fails_it_for_good(project: Project) -> None:
    from pipe_runner.engine.decisions import Decision, decide

    project.write(sub="nodes:\n  ok: {agent: approval, with: {message: go?}}\n  b: {run: echo b, needs: ok}\n")
    project.run("nodes:\n  s: {pipeline: sub.yml}\n")
    decide(project.root / ".pipe", "r", "s.ok", Decision("reject", "me"))
    for _ in range(2):
        done = project.run()
        assert done.statuses == {"s": "failed", "s.ok": "failed", "s.b": "blocked"}


def test_what_acts_once_inside_is_never_run_again_by_itself(project: Project) -> None:
    from pipe_runner.engine.decisions import Decision, decide

    tries: list[str] = []

    def fake(options: Mapping[str, Any]) -> str:
        tries.append(options["n"])
        raise RuntimeError("no")

    project.fake = fake
    project.write(sub="nodes:\n  pay: {agent: fake, effect: once, with: {n: pay}}\n  b: {run: echo b, needs: pay}\n")
    done = project.run("nodes: {s: {pipeline: sub.yml, retry: {max_attempts: 3, delay: 0s}}}\n")
    assert tries == ["pay"]
    assert done.status == "waiting"
    assert done.statuses["s.pay"] == "unknown"
    assert project.run().status == "waiting"
    assert tries == ["pay"]
    decide(project.root / ".pipe", "r", "s.pay", Decision("done", "me"))
    done = project.run()
    assert tries == ["pay"]
    assert set(done.statuses.values()) == {"succeeded"}


def test_handlers_may_run_one(project: Project) -> None:
    project.write(sub=ECHO)
    done = project.run(
        "nodes: {a: {run: 'false'}}\non_failure: {h: {pipeline: sub.yml, with: {x: '{{ run.failed[0] }}'}}}\n"
        "finally: {f: {pipeline: sub.yml}}\n"
    )
    assert done.output("h") == {"y": "a"}
    assert done.statuses["f.a"] == "succeeded"
    (project.root / ".pipe" / "runs" / "r").rename(project.root / "earlier")
    done = project.run("nodes: {a: {run: echo}}\non_failure: {h: {pipeline: sub.yml}}\n")
    assert done.statuses == {"a": "succeeded", "h": "skipped", "h.a": "skipped"}


def test_a_secret_is_declared_and_granted_inside(project: Project) -> None:
    project.write(sub="secrets: {TOKEN: {from: env}}\nnodes: {a: {run: 'echo $TOKEN', secrets: [TOKEN]}}\n")
    project.write(main="nodes: {s: {pipeline: sub.yml}}\n")
    import os

    os.environ["TOKEN"] = "very-secret-value"
    try:
        done = project.run()
    finally:
        del os.environ["TOKEN"]
    assert done.output("s.a") == "***"


def test_results_of_its_nodes_are_cached_each_on_its_own(project: Project) -> None:
    project.write(sub="inputs: {x: {type: string}}\nnodes: {a: {run: 'echo {{ inputs.x }}', cache: true}}\n")
    main = "nodes: {s: {pipeline: sub.yml, with: {x: '1'}}, t: {pipeline: sub.yml, with: {x: '2'}, needs: s}}\n"
    done = project.run(main)
    assert (done.output("s.a"), done.output("t.a")) == ("1", "2")
    (project.root / ".pipe" / "runs" / "r").rename(project.root / "earlier")
    assert [project.run().statuses[n] for n in ("s.a",)] == ["cached"]


# ---------------------------------------------------------------- going on


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


CHAIN = """inputs: {x: {type: string, default: d}}
nodes:
  a: {agent: fake, with: {n: a}}
  b: {agent: fake, with: {n: b, x: "{{ nodes.a.output }}"}}
  c: {agent: fake, with: {n: c}, needs: b}
  free: {agent: fake, with: {n: free}}
finally: {f: {agent: fake, with: {n: f}}}
outputs: {y: "{{ nodes.c.output }}"}
"""
OUTER = """nodes:
  before: {agent: fake, with: {n: before}}
  s: {pipeline: sub.yml, needs: before}
  after: {agent: fake, with: {n: "after {{ nodes.s.output.y }}"}}
"""


def test_resume_runs_what_is_not_done_inside(project: Project) -> None:
    trying = Trying(project)
    trying.bad = {"b"}
    project.write(sub=CHAIN)
    done = project.run(OUTER)
    assert done.statuses["after"] == "blocked"
    assert trying.taken() == ["a", "b", "before", "f", "free"]
    trying.bad = set()
    active = project.open()
    assert active.reasons == {
        "s": "failed",
        "s.b": "failed",
        "s.c": "blocked",
        "s.f": "the run goes on",
        "after": "blocked",
    }
    done = project.finished(active, anyio.run(active.perform))
    assert done.status == "succeeded"
    assert trying.taken() == ["after c", "b", "c", "f"]
    assert [done.node(n).attempts for n in ("s", "s.a", "s.b", "s.c", "s.f")] == [2, 1, 2, 1, 2]


def test_d11_a_changed_node_inside_runs_again_and_what_depends_on_it_inside_and_outside(project: Project) -> None:
    trying = Trying(project)
    trying.bad = {"late"}
    project.write(sub=CHAIN)
    main = OUTER + "  late: {agent: fake, with: {n: late}}\n"
    project.run(main)
    trying.taken()
    project.write(sub=CHAIN.replace("{n: c}", "{n: c2}"))
    active = project.open()
    assert active.reasons == {
        "s": "runs s.c, which changed",
        "s.c": "changed",
        "s.f": "the run goes on",
        "after": "needs s, which changed",
        "late": "failed",
    }
    anyio.run(active.perform)
    assert trying.taken() == ["after c2", "c2", "f", "late"]


def test_a_changed_output_makes_it_anew_and_runs_nothing_inside(project: Project) -> None:
    trying = Trying(project)
    trying.bad = {"late"}
    project.write(sub=CHAIN)
    main = OUTER + "  late: {agent: fake, with: {n: late}}\n"
    project.run(main)
    trying.taken()
    project.write(sub=CHAIN.replace('y: "{{ nodes.c.output }}', 'y: "new {{ nodes.c.output }}'))
    project.run()
    assert trying.taken() == ["after new c", "late"]


@pytest.mark.parametrize(
    ("old", "new"), [("{pipeline: sub.yml,", "{pipeline: sub.yml, with: {x: v},"), ("{n: before}", "{n: before2}")]
)
def test_other_inputs_or_a_changed_need_make_all_of_it_run_again(project: Project, old: str, new: str) -> None:
    trying = Trying(project)
    trying.bad = {"late"}
    project.write(sub=CHAIN)
    main = OUTER + "  late: {agent: fake, with: {n: late}}\n"
    project.run(main)
    trying.taken()
    project.run(main.replace(old, new))
    assert {"a", "b", "c", "f", "free", "after c"} <= set(trying.taken())


def test_a_comment_in_the_file_that_it_runs_changes_nothing(project: Project) -> None:
    trying = Trying(project)
    trying.bad = {"late"}
    project.write(sub=CHAIN)
    main = OUTER + "  late: {agent: fake, with: {n: late}}\n"
    project.run(main)
    trying.taken()
    project.write(sub="\n# nothing\n\n" + CHAIN)
    project.run()
    assert trying.taken() == ["late"]


def test_inputs_that_turn_out_otherwise_make_what_is_done_of_it_count_no_more(project: Project) -> None:
    trying = Trying(project)
    project.write(
        sub="inputs: {x: {type: string}}\nnodes:\n  a: {agent: fake, with: {n: 'a {{ inputs.x }}'}}\n"
        "  b: {agent: fake, with: {n: b}, needs: a}\n"
    )
    main = (
        "nodes:\n  maybe: {agent: fake, with: {n: maybe}, continue_on_error: true}\n"
        "  s: {pipeline: sub.yml, with: {x: '{{ nodes.maybe.status }}'}}\n"
    )
    trying.bad = {"maybe", "b"}
    project.run(main)
    assert trying.taken() == ["a failed", "b", "maybe"]
    trying.bad = set()
    done = project.run()
    assert trying.taken() == ["a succeeded", "b", "maybe"]
    assert done.node("s.a").attempts == 2


def test_resume_of_repeated_ones_runs_what_is_not_done_of_each(project: Project) -> None:
    trying = Trying(project)
    project.write(
        sub="inputs: {x: {type: string}}\nnodes:\n  a: {agent: fake, with: {n: 'a {{ inputs.x }}'}}\n"
        "  b: {for_each: {items: [1, 2]}, agent: fake, with: {n: 'b {{ inputs.x }}{{ item }}'}, needs: a}\n"
        "outputs: {y: '{{ nodes.b.output | length }}'}\n"
    )
    main = "nodes:\n  s: {pipeline: sub.yml, for_each: {items: [eu, us], key: '{{ item }}'}, with: {x: '{{ item }}'}}\n"
    trying.bad = {"b us2"}
    done = project.run(main)
    assert trying.taken() == ["a eu", "a us", "b eu1", "b eu2", "b us1", "b us2"]
    assert done.statuses == {
        "s": "failed",
        "s[eu].a": "succeeded",
        "s[eu].b": "succeeded",
        "s[us].a": "succeeded",
        "s[us].b": "failed",
    }
    trying.bad = set()
    done = project.run()
    assert trying.taken() == ["b us2"]
    assert done.status == "succeeded"
    assert done.node("s[us].a").attempts == 1
    assert [r["output"] for r in done.output("s")] == [{"y": 2}, {"y": 2}]


def test_a_changed_file_runs_every_instance_of_a_repeated_one_again(project: Project) -> None:
    trying = Trying(project)
    sub = "inputs: {x: {type: string}}\nnodes:\n  a: {agent: fake, with: {n: 'a {{ inputs.x }}'}}\n"
    project.write(sub=sub)
    trying.bad = {"late"}
    main = (
        "nodes:\n  s: {pipeline: sub.yml, for_each: {items: [eu, us], key: '{{ item }}'}, with: {x: '{{ item }}'}}\n"
        "  late: {agent: fake, with: {n: late}}\n"
    )
    project.run(main)
    trying.taken()
    project.run()
    assert trying.taken() == ["late"]
    project.write(sub=sub.replace("'a ", "'A "))
    done = project.run()
    assert trying.taken() == ["A eu", "A us", "late"]
    assert done.node("s[eu].a").attempts == 2


def test_a_run_that_is_done_is_told_so(project: Project) -> None:
    trying = Trying(project)
    project.write(sub=CHAIN)
    project.run(OUTER)
    trying.taken()
    active = project.open()
    assert active.nothing_to_do
    active.close()


@pytest.mark.parametrize("cut", range(4, 18, 2))
def test_d1_d3_a_log_cut_anywhere_is_gone_on_with(project: Project, cut: int) -> None:
    """What is in the log stays done, what isn't is done once more, and nothing is left out."""
    trying = Trying(project)
    project.write(sub=CHAIN)
    whole = project.run(OUTER)
    trying.taken()
    log = project.root / ".pipe" / "runs" / "r" / "log.jsonl"
    lines = log.read_bytes().splitlines(keepends=True)
    if cut >= len(lines):
        pytest.skip("the log is shorter")
    log.write_bytes(b"".join(lines[:cut]))
    kept = {e.node: e.data.get("output") for e in whole.events[:cut] if e.event == "node.succeeded"}
    done = project.run()
    assert done.status == "succeeded"
    assert set(done.statuses.values()) == {"succeeded"}
    again = trying.taken()
    for node in ("a", "b", "c", "free"):
        assert again.count(node) == (0 if f"s.{node}" in kept else 1), node
    assert done.output("s") == {"y": "c"}
