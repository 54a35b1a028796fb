"""Attempts at sub-pipelines: one that waits for a person is not over, and a resume goes on with it."""

from __future__ import annotations

from typing import Any

from pipe_runner.engine.decisions import Decision, decide
from pipe_runner.reports.story import Story

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
