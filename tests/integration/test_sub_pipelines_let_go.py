"""Pipelines that nodes run, of which nodes wait for a person when the run is stopped: their `finally` runs."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from pipe_runner.engine.decisions import Decision, decide
from pipe_runner.run import Run
from pipe_runner.testing import FinishedRun

WAITS = """nodes: {mk: {run: echo}, a: {needs: [mk], agent: approval, with: {message: m}}, z: {run: echo, needs: a}}
on_failure: {h: {run: echo}}
finally: {f: {run: "printf %s {{ run.status }}"}}
"""


def stopped_when(project: Any, node: str, kills: int = 1) -> FinishedRun:
    """Go on with the run, and stop it once the node waits for a person."""
    active = project.open()

    async def stopped() -> Run:
        async with anyio.create_task_group() as group:

            async def stop() -> None:
                while str(active.run.state(node).status) != "waiting":  # noqa: ASYNC110
                    await anyio.sleep(0.01)
                await anyio.sleep(0.1)
                for _ in range(kills):
                    active.stop("test")

            group.start_soon(stop)
            return await active.perform()

    return project.finished(active, anyio.run(stopped))


@pytest.mark.parametrize("resumed", [False, True])
def test_a_stop_runs_the_finally_of_what_waits_for_a_person(project: Any, resumed: bool) -> None:
    project.write(sub=WAITS, main="nodes: {d: {pipeline: sub.yml}, l: {run: 'test ! -e slow || exec sleep 30'}}\n")
    if resumed:
        assert project.run().status == "waiting"
        project.write(main="nodes: {d: {pipeline: sub.yml}, l: {run: 'test ! -e slow || exec sleep 31'}}\n")
    (project.root / "slow").touch()
    done = stopped_when(project, "d")
    assert done.status == "cancelled"
    assert done.statuses == {
        "d": "cancelled",
        "d.mk": "succeeded",
        "d.a": "cancelled",
        "d.z": "cancelled",
        "d.h": "skipped",
        "d.f": "succeeded",
        "l": "cancelled",
    }
    assert done.output("d.f") == "cancelled"
    told = [e.data.get("reason") for e in done.events if e.event == "node.cancelled" and e.node in ("d", "d.a")]
    assert told == ["the run was cancelled while it waited for a person"] * 2
    (project.root / "slow").unlink()
    done = project.run()
    assert (done.status, done.statuses["d.a"], done.node("d.mk").attempts) == ("waiting", "waiting", 1)
    decide(project.root / ".pipe", "r", "d.a", Decision("approve", "me"))
    done = project.run()
    assert done.status == "succeeded"
    assert done.output("d.f") == "succeeded"


def test_so_does_a_time_out_of_the_run_and_its_fail_fast(project: Any) -> None:
    project.write(sub=WAITS)
    done = project.run("budget: {max_time: 500ms}\nnodes: {d: {pipeline: sub.yml}, l: {run: exec sleep 30}}\n")
    assert (done.status, done.statuses["d"], done.statuses["l"]) == ("failed", "cancelled", "failed")
    assert (done.statuses["d.a"], done.statuses["d.h"], done.output("d.f")) == ("cancelled", "succeeded", "failed")
    project.afresh()
    done = project.run("fail_fast: true\nnodes: {d: {pipeline: sub.yml}, l: {run: 'sleep 0.5; exit 1'}}\n")
    assert (done.status, done.statuses["d"], done.statuses["d.a"]) == ("failed", "cancelled", "cancelled")
    assert done.output("d.f") == "cancelled"


def test_at_any_depth_and_in_each_instance(project: Any) -> None:
    project.write(
        sub=WAITS,
        mid="nodes: {e: {for_each: {items: [x, y], key: '{{ item }}'}, pipeline: sub.yml}}\n"
        "finally: {g: {run: echo}}\n",
        main="nodes: {d: {pipeline: mid.yml}, l: {run: exec sleep 30}}\n",
    )
    done = stopped_when(project, "d")
    assert done.status == "cancelled"
    assert {n: s for n, s in done.statuses.items() if n.endswith((".f", ".g"))} == {
        "d.g": "succeeded",
        "d.e[x].f": "succeeded",
        "d.e[y].f": "succeeded",
    }
    assert [done.statuses[n] for n in ("d", "d.e", "d.e[x].a", "d.e[y].a")] == ["cancelled"] * 4
    assert [str(done.run.items["d.e"][key].status) for key in "xy"] == ["cancelled"] * 2


def test_a_second_signal_skips_it(project: Any) -> None:
    project.write(sub=WAITS, main="nodes: {d: {pipeline: sub.yml}, l: {run: exec sleep 30}}\n")
    done = stopped_when(project, "d", kills=2)
    assert done.status == "cancelled"
    assert (done.statuses["d.f"], done.statuses["d"]) == ("cancelled", "cancelled")


@pytest.mark.parametrize("phase", ["on_failure", "finally"])
def test_a_handler_that_waits_is_asked_no_more_and_the_others_run(project: Any, phase: str) -> None:
    sub = "nodes: {b: {run: 'false'}}\non_failure: {%s}\nfinally: {%s, f: {run: echo}}\n"
    ask = "ask: {agent: approval, with: {message: m}}"
    text = sub % (ask, "g: {run: echo}") if phase == "on_failure" else sub % ("h: {run: echo}", ask)
    project.write(sub=text, main="nodes: {d: {pipeline: sub.yml}, l: {run: exec sleep 30}}\n")
    done = stopped_when(project, "d")
    assert (done.status, done.statuses["d.ask"], done.node("d.ask").attempts) == ("cancelled", "cancelled", 1)
    assert (done.statuses["d.b"], done.statuses["d.f"], done.statuses["d"]) == ("failed", "succeeded", "cancelled")
    reason = next(e.data["reason"] for e in done.events if e.event == "node.cancelled" and e.node == "d.ask")
    assert reason == "the run was cancelled while it waited for a person"
