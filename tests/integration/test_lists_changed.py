"""A repeated node whose list has changed: what succeeded stays, what is gone from the list is gone from the run."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from pipe_runner.reports.story import Story
from pipe_runner.run import fold

SUB = """inputs: {k: {type: string}}
nodes:
  a: {agent: fake, with: {n: 'a {{ inputs.k }}'}}
  g: {needs: a, agent: fake, with: {n: 'g {{ inputs.k }}'}}
"""
PLAIN = "  m: {for_each: {items: [p, q], key: '{{ item }}'}, MORE agent: fake, with: {n: 'a {{ item }}'}}\n"
MANY = "  m: {for_each: {items: [p, q], key: '{{ item }}'}, pipeline: sub.yml, with: {k: '{{ item }}'}}\n"
MATRIX = "  m: {matrix: {x: [p, q]}, agent: fake, with: {n: 'a {{ matrix.x }}'}}\n"
LATE = "  late: {agent: fake, with: {n: late}}\n"


def resumed(project: Any, nodes: str) -> Any:
    done = project.run("nodes:\n" + nodes)
    assert fold(done.events) == done.run
    return done


@pytest.mark.parametrize("end", ["failed", "succeeded"])
@pytest.mark.parametrize("nodes", [PLAIN.replace("MORE ", ""), PLAIN.replace("MORE", "effect: once,"), MANY, MATRIX])
@pytest.mark.few(4)
def test_what_succeeded_does_not_run_again_when_the_list_grows(project: Any, trying: Any, nodes: str, end: str) -> None:
    project.write(sub=SUB)
    trying.bad = {"late"} | ({"a q"} if end == "failed" and "once" not in nodes else set())
    project.run("nodes:\n" + nodes + LATE)
    trying.taken()
    trying.bad = set()
    active = project.open()
    active.close()
    project.write(main="nodes:\n" + nodes.replace("p, q]", "p, q, r]").replace("'}, ", "', max_parallel: 2}, ") + LATE)
    active = project.open()
    assert active.reasons["m"] == "its list changed"
    done = project.finished(active, anyio.run(active.perform))
    assert done.status == "succeeded"
    more = ["a q"] if end == "failed" and "once" not in nodes else []
    assert [n for n in trying.taken() if n.startswith("a")] == [*more, "a r"]
    assert len(done.output("m")) == 3


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("with: {n: 'a {{ item }}'", "with: {n: 'a {{ item }}', x: y"),
        ("agent: fake", "env: {X: y}, agent: fake"),
        ("key: '{{ item }}'", "key: 'x{{ item }}'"),
    ],
)
def test_what_else_changed_runs_every_item_again(project: Any, trying: Any, old: str, new: str) -> None:
    nodes = PLAIN.replace("MORE ", "")
    trying.bad = {"late"}
    project.run("nodes:\n" + nodes + LATE)
    trying.taken()
    done = resumed(project, nodes.replace("[p, q]", "[p, q, r]").replace(old, new) + LATE)
    assert len(trying.taken()) == 4
    assert len(done.run.items["m"]) == 3


def test_an_item_at_another_place_is_another_one_where_the_index_is_read(project: Any, trying: Any) -> None:
    nodes = PLAIN.replace("MORE ", "")
    for text, again in (
        (nodes, ["a r"]),
        (nodes.replace("'a {{ item", "'a{{ index }} {{ item"), ["a0 r", "a1 p", "a2 q"]),
    ):
        trying.bad = {"late"}
        project.run("nodes:\n" + text + LATE)
        trying.taken()
        resumed(project, text.replace("[p, q]", "[r, p, q]") + LATE)
        assert [n for n in trying.taken() if n != "late"] == again
        project.afresh()


@pytest.mark.parametrize("nodes", [PLAIN.replace("MORE ", ""), PLAIN.replace("MORE", "effect: once,"), MANY])
@pytest.mark.parametrize("also", ["", "reads", "needs"])
@pytest.mark.few(4)
def test_d10_d11_a_list_from_a_node_that_has_changed(project: Any, trying: Any, nodes: str, also: str) -> None:
    """What acts once is held to its value; all else depends on the node, and runs again with it."""
    project.write(sub=SUB.replace("{needs: a,", "{needs: a, effect: once,"))
    src = "  src: {agent: python, with: {call: 'lists.py:f', args: [2]}}\n"
    (project.root / "lists.py").write_text("def f(n: int):\n    return list('pqr'[:n])\n")
    nodes = nodes.replace("[p, q]", "'{{ nodes.src.output }}'")
    if also == "reads":
        nodes = nodes.replace("'a {{ item }}'", "'a {{ item }}', x: '{{ nodes.src.status }}'")
    elif also == "needs":
        nodes = nodes.replace("m: {", "m: {needs: src, ")
    trying.bad = {"late"}
    project.run("nodes:\n" + src + nodes + LATE)
    trying.taken()
    resumed(project, src.replace("[2]", "[3]") + nodes + LATE)
    kept = "agent: fake" not in nodes or "once" in nodes
    kept = kept and (also == "" or (also == "reads" and "sub.yml" in nodes))
    assert [n for n in trying.taken() if n.startswith("a")] == (["a r"] if kept else ["a p", "a q", "a r"])


@pytest.mark.parametrize("nodes", [PLAIN.replace("MORE ", ""), MANY])
def test_items_that_the_list_has_lost_are_gone(project: Any, trying: Any, nodes: str) -> None:
    project.write(sub=SUB)
    trying.bad = {"a q", "g q"}
    project.run("nodes:\n" + nodes)
    done = resumed(project, nodes.replace("[p, q]", "[p]"))
    assert done.status == "succeeded"
    assert set(map(str, done.statuses.values())) == {"succeeded"}
    assert list(done.run.items["m"]) == ["p"]
    assert [n for n in done.run.nodes if "[q]" in n] == []
    story = Story("r", whole=True)
    for event in done.events:
        story.apply(event)
    assert not any("[q]" in name for name in (*story.nodes, *story.names()))


def test_nodes_that_the_file_of_its_items_has_lost_are_gone(project: Any, trying: Any) -> None:
    project.write(sub=SUB + "  f: {for_each: {items: [1]}, agent: fake, with: {n: f}}\n")
    trying.bad = {"g q"}
    project.run("nodes:\n" + MANY)
    trying.bad = set()
    project.write(sub=SUB.replace("needs: a, ", "").replace("  a:", "  b:"))
    done = resumed(project, MANY)
    assert list(done.statuses) == ["m", "m[p].g", "m[q].g", "m[p].b", "m[q].b"]
    assert list(done.run.items) == ["m"]
