"""Pipelines that nodes run: tried again, out of time, stopped, and waiting for a person."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import anyio
import pytest

from pipe_runner.engine.decisions import Decision, decide
from pipe_runner.run import Run
from pipe_runner.testing import FinishedRun


def kinds(done: FinishedRun, node: str) -> list[str]:
    return [str(e.event).removeprefix("node.") for e in done.events if e.node == node and e.event != "node.output"]


def test_a_retry_runs_what_is_not_done(project: Any) -> None:
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


def test_a_time_out_of_its_node_ends_its_nodes_and_lets_its_finally_run(project: Any) -> None:
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


def test_the_budget_of_its_file_bounds_it(project: Any) -> None:
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


@pytest.mark.parametrize("round", range(3))
def test_the_time_of_one_bounds_what_it_runs_in_turn(project: Any, round: int) -> None:
    project.write(
        deep="nodes: {z: {run: exec sleep 30}}\n",
        sub="nodes: {d: {pipeline: deep.yml}}\n",
    )
    done = project.run("nodes: {s: {pipeline: sub.yml, timeout: 200ms}}\n")
    assert [(done.node(n).error or {})["kind"] for n in ("s", "s.d", "s.d.z")] == [
        "timeout",
        "run_timeout",
        "run_timeout",
    ]


def test_the_time_of_the_run_bounds_it(project: Any) -> None:
    project.write(sub="nodes:\n  a: {run: exec sleep 30}\n  b: {run: echo, needs: a}\nfinally: {f: {run: echo}}\n")
    done = project.run("budget: {max_time: 300ms}\nnodes: {s: {pipeline: sub.yml}}\n")
    assert done.status == "failed"
    assert (done.run.error or {})["kind"] == "run_timeout"
    assert (done.node("s").error or {})["kind"] == "run_timeout"
    assert done.statuses == {"s": "failed", "s.a": "failed", "s.b": "cancelled", "s.f": "succeeded"}


def test_max_time_bounds_all_attempts_at_it(project: Any) -> None:
    project.write(sub="nodes: {a: {run: exec sleep 0.25 && false}, b: {run: sleep 0.2; false}}\n")
    began = time.monotonic()
    done = project.run(
        "nodes: {s: {pipeline: sub.yml, max_time: 600ms, retry: {max_attempts: 50, delay: 10ms, backoff: constant}}}\n"
    )
    assert done.status == "failed"
    assert time.monotonic() - began < 8


def test_fail_fast_is_its_own_inside_and_that_of_the_run_stops_it(project: Any) -> None:
    project.write(
        inside="fail_fast: true\nnodes:\n  a: {run: 'false'}\n  b: {run: sleep 0.3}\n  c: {run: echo, needs: b}\n",
        slow="nodes:\n  a: {run: sleep 0.5}\n  b: {run: echo, needs: a}\nfinally: {f: {run: echo}}\n",
    )
    done = project.run(
        "nodes:\n  s: {pipeline: inside.yml}\n  other: {run: sleep 0.5}\n  more: {run: echo, needs: other}\n"
    )
    assert (done.statuses["s.c"], done.statuses["more"]) == ("cancelled", "succeeded")
    assert done.statuses["s"] == "failed"
    project.afresh()
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
def test_a_stop_ends_what_runs_inside_then_its_finally_then_that_of_the_run(project: Any, twice: bool) -> None:
    project.write(
        sub="nodes:\n  a: {run: exec sleep 30}\n  b: {run: echo, needs: a}\nfinally: {f: {run: echo inner}}\n",
        main="nodes: {s: {pipeline: sub.yml}, after: {run: echo, needs: s}}\nfinally: {f: {run: echo outer}}\n",
    )
    active = project.open()

    async def stopped() -> Run:
        async with anyio.create_task_group() as group:

            async def stop() -> None:
                while str(active.run.state("s.a").status) != "running":  # noqa: ASYNC110
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


@pytest.mark.parametrize("agent", ["run: sleep 0.5; echo done", "agent: python, with: {call: 'slow.py:slow'}"])
def test_a_stop_lets_the_finally_that_runs_inside_to_its_end(project: Any, agent: str) -> None:
    (project.root / "slow.py").write_text("import time\ndef slow():\n    time.sleep(0.5)\n    return 'done'\n")
    project.write(
        sub=f"nodes:\n  a: {{run: echo}}\nfinally: {{f: {{{agent}}}}}\n",
        main="nodes: {s: {pipeline: sub.yml}, other: {run: exec sleep 30}, after: {run: echo, needs: s}}\n",
    )
    active = project.open()

    async def stopped() -> Run:
        async with anyio.create_task_group() as group:

            async def stop() -> None:
                while str(active.run.state("s.f").status) != "running":  # noqa: ASYNC110
                    await anyio.sleep(0.01)
                active.stop("test")

            group.start_soon(stop)
            return await active.perform()

    done = project.finished(active, anyio.run(stopped))
    assert done.output("s.f").endswith("done")
    assert done.statuses == {
        "s": "succeeded",
        "s.a": "succeeded",
        "s.f": "succeeded",
        "other": "cancelled",
        "after": "cancelled",
    }


@pytest.mark.parametrize("twice", [False, True])
def test_what_waits_for_a_slot_is_not_started_any_more(project: Any, twice: bool) -> None:
    (project.root / "slow.py").write_text("import time\ndef slow():\n    time.sleep(4)\n")
    project.write(
        sub="nodes: {b: {run: echo}, each: {for_each: {items: [1, 2]}, run: echo}}\n",
        main="concurrency: 1\nnodes:\n  a: {agent: python, with: {call: 'slow.py:slow'}}\n  s: {pipeline: sub.yml}\n",
    )
    active = project.open()

    async def stopped() -> Run:
        async with anyio.create_task_group() as group:

            async def stop() -> None:
                while str(active.run.state("s").status) != "running":  # noqa: ASYNC110
                    await anyio.sleep(0.01)
                await anyio.sleep(0.1)
                active.stop("test")
                if twice:
                    active.stop("test")

            group.start_soon(stop)
            return await active.perform()

    began = time.monotonic()
    done = project.finished(active, anyio.run(stopped))
    assert time.monotonic() - began < 12
    assert done.statuses == dict.fromkeys(("a", "s", "s.b", "s.each"), "cancelled")
    assert (done.node("a").attempts, done.node("s.b").attempts) == (1, 0)


def test_an_approval_inside_waits_and_resume_goes_on(project: Any) -> None:
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


def test_a_refusal_inside_fails_it_for_good(project: Any) -> None:
    project.write(sub="nodes:\n  ok: {agent: approval, with: {message: go?}}\n  b: {run: echo b, needs: ok}\n")
    project.run("nodes:\n  s: {pipeline: sub.yml}\n")
    decide(project.root / ".pipe", "r", "s.ok", Decision("reject", "me"))
    for _ in range(2):
        done = project.run()
        assert done.statuses == {"s": "failed", "s.ok": "failed", "s.b": "blocked"}


def test_what_acts_once_inside_is_never_run_again_by_itself(project: Any) -> None:
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
