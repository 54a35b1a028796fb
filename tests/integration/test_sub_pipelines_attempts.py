"""Attempts at sub-pipelines: one that waits for a person is not over, and a resume goes on with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from pipe_runner.engine.decisions import Decision, decide
from pipe_runner.errors import NodeFault
from pipe_runner.reports.story import Story
from pipe_runner.types import ErrorKind

SUB = """nodes:
  a: {agent: approval, with: {message: a}}
  b: {agent: approval, with: {message: b}, needs: a}
  c: {run: 'test -e good', needs: b}
"""


def test_waits_for_a_person_are_no_attempts(project: Any) -> None:
    project.write(sub=SUB, mid="nodes: {e: {pipeline: sub.yml}}\n")
    project.run(
        "nodes:\n  d: {pipeline: mid.yml}\n  i: {for_each: {items: [x], key: '{{ item }}'}, pipeline: sub.yml}\n"
    )
    for node in ("a", "b"):
        for owner in ("d.e", "i[x]"):
            decide(project.root / ".pipe", "r", f"{owner}.{node}", Decision("approve", "me"))
        done = project.run()
    assert done.status == "failed"
    assert [done.run.state(n).attempts for n in ("d", "d.e", "d.e.c", "i[x]", "i[x].c")] == [1] * 5
    numbers = {n: [e.attempt for e in done.events if e.event == "node.started" and e.node == n] for n in ("d", "i[x]")}
    assert numbers == {"d": [1, 1, 1], "i[x]": [1, 1, 1]}
    story = Story("r", whole=True)
    for event in done.events:
        story.apply(event)
    for name in ("d", "d.e", "i[x]"):
        tries = story.nodes[name].tries
        assert [story.word(one, live=False) for one in tries] == ["waiting", "waiting", "failed"]
    (project.root / "good").touch()
    done = project.run()
    assert done.status == "succeeded"
    assert [done.run.state(n).attempts for n in ("d", "d.e", "d.e.c", "i[x]", "i[x].c")] == [2] * 5


def test_waits_of_items_are_no_attempts_of_the_node_that_has_them(project: Any) -> None:
    """Neither of one whose items run a sub-pipeline, nor of one whose items are approvals."""
    project.write(sub=SUB)
    project.run(
        "nodes:\n  d: {for_each: {items: [x]}, pipeline: sub.yml}\n"
        "  g: {for_each: {items: [x, y]}, agent: approval, with: {message: m}}\n"
    )
    for names in (("d[0].a", "g[0]"), ("d[0].b", "g[1]")):
        for name in names:
            decide(project.root / ".pipe", "r", name, Decision("approve", "me"))
        done = project.run()
    assert done.status == "failed"
    assert [done.run.state(n).attempts for n in ("d", "d[0]", "g", "g[0]")] == [1] * 4
    story = Story("r", whole=True)
    for event in done.events:
        story.apply(event)
    for name, told in (("d", ["waiting", "waiting", "failed"]), ("g", ["waiting", "succeeded"])):
        assert [story.word(one, live=False) for one in story.nodes[name].tries] == told
    (project.root / "good").touch()
    done = project.run()
    assert done.status == "succeeded"
    assert [done.run.state(n).attempts for n in ("d", "d[0]", "g")] == [2, 2, 1]


def test_an_approval_that_is_asked_again_has_waited_before(project: Any) -> None:
    """Nothing of it was interrupted: something that it needs has changed meanwhile."""
    main = "nodes:\n  a: {run: echo 1}\n  g: {needs: a, agent: approval, with: {message: m}}\n"
    project.run(main)
    project.run(main.replace("echo 1", "echo 2"))
    decide(project.root / ".pipe", "r", "g", Decision("approve", "me"))
    done = project.run()
    assert done.status == "succeeded"
    story = Story("r", whole=True)
    for event in done.events:
        story.apply(event)
    assert [story.word(one, live=False) for one in story.nodes["g"].tries] == ["waiting", "succeeded"]


@pytest.mark.parametrize("bound", ["timeout", "budget"])
def test_a_time_out_of_a_node_inside_is_its_own_where_the_time_of_the_whole_is_not_up(project: Any, bound: str) -> None:
    def fake(options: Mapping[str, Any]) -> str:
        raise NodeFault(ErrorKind.TIMEOUT, "no answer")

    project.fake = fake
    project.write(
        sub=("budget: {max_time: 40s}\n" if bound == "budget" else "")
        + "nodes:\n  quick: {run: exec sleep 30, max_time: 200ms, continue_on_error: true}\n"
        "  silent: {agent: fake, continue_on_error: true}\n"
        "  other: {run: sleep 0.6; echo}\n  after: {needs: other, run: echo}\n"
    )
    done = project.run("nodes: {s: {pipeline: sub.yml%s}}\n" % (", timeout: 40s" if bound == "timeout" else ""))
    assert done.statuses == {
        "s": "succeeded",
        "s.quick": "failed",
        "s.silent": "failed",
        "s.other": "succeeded",
        "s.after": "succeeded",
    }
    assert (done.node("s.quick").error or {})["kind"] == "timeout"
