"""D10: what may have acted once is never run again by itself, whatever becomes of its node or of what runs it."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from pipe_runner.engine.decisions import Decision, decide
from pipe_runner.run import fold
from pipe_runner.runlog import read_log

SUB = """inputs: {k: {type: string}, q: {type: string, default: x}}
nodes:
  o: {effect: once, agent: fake, with: {n: 'pay {{ inputs.k }}'}}
  then: {needs: o, agent: fake, with: {n: 'then {{ inputs.k }}'}}
"""
MANY = "  m: {for_each: {items: [p, q], key: '{{ item }}'}, pipeline: sub.yml, with: {k: '{{ item }}'}}\n"
ONE = "  m: {pipeline: sub.yml, with: {k: p}}\n"
PLAIN = "  m: {effect: once, agent: fake, with: {n: pay p}}\n"
EACH = "  m: {for_each: {items: [p, q], key: '{{ item }}'}, effect: once, agent: fake, with: {n: 'pay {{ item }}'}}\n"
BOTH = {"pay p", "pay q"}


@pytest.fixture(params=["failed", "cut off"])
def began(project: Any, trying: Any, request: Any) -> Any:
    """Performs a file whose payments fail, or are cut off by the runner's end; gives what has begun."""

    def perform(nodes: str, sub: str = SUB) -> Counter[str]:
        project.write(sub=sub)
        trying.bad = set(BOTH)
        done = project.run("nodes:\n" + nodes)
        assert done.status == "failed"
        if request.param == "cut off":
            log = project.root / ".pipe" / "runs" / "r" / "log.jsonl"
            lines = log.read_bytes().splitlines(keepends=True)
            ends = [n for n, line in enumerate(lines) if b'"node.failed"' in line]
            log.write_bytes(b"".join(lines[: ends[0]]))
        trying.bad = set()
        trying.taken()
        return starts(project)

    return perform


def starts(project: Any) -> Counter[str]:
    """How often each attempt that acts once has begun, as the log says."""
    events = read_log(project.root / ".pipe" / "runs" / "r" / "log.jsonl").events
    return Counter(str(e.node) for e in events if e.event == "node.started" and e.data.get("effect") == "once")


def resumed(project: Any, nodes: str | None = None) -> Any:
    done = project.run(None if nodes is None else "nodes:\n" + nodes)
    assert fold(done.events) == done.run
    return done


@pytest.mark.parametrize("before", [False, True], ids=["at once", "after a resume"])
@pytest.mark.parametrize("change", ["another node", "its text", "with", "list"])
@pytest.mark.few(6)
def test_d10_of_a_repeated_sub_pipeline(project: Any, trying: Any, began: Any, change: str, before: bool) -> None:
    begun = began(MANY)
    nodes, sub = MANY, SUB
    if before:
        assert resumed(project).status == "waiting"
        trying.taken()
    if change == "another node":
        sub += "  n: {agent: fake, with: {n: 'n {{ inputs.k }}'}}\n"
    elif change == "its text":
        sub = sub.replace("'pay {{", "'pay  {{")
    elif change == "with":
        nodes = nodes.replace("k: '{{ item }}'}}", "k: '{{ item }}', q: y}}")
    else:
        nodes = nodes.replace("[p, q]", "[p, q, r]")
    project.write(sub=sub)
    done = resumed(project, nodes)
    assert done.status == "waiting"
    assert "then p" not in trying.taken()
    for node in begun:
        assert (starts(project)[node], str(done.run.state(node).status)) == (1, "unknown")
        decide(project.root / ".pipe", "r", node, Decision("done", "me"))
    done = resumed(project)
    assert done.status == "succeeded"
    assert {str(done.run.state(f"m[{key}].then").status) for key in "pq"} == {"succeeded"}
    assert all(starts(project)[node] == 1 for node in begun)


@pytest.mark.parametrize("change", ["input", "another node", "its text", "a node before it"])
@pytest.mark.few(4)
def test_d10_of_a_single_sub_pipeline(project: Any, trying: Any, began: Any, change: str) -> None:
    src = "  src: {agent: fake, with: {n: SRC}}\n"
    one = ONE.replace("k: p", "k: \"{{ 'p' if nodes.src.output else 'x' }}\", q: '{{ nodes.src.output }}'")
    began(src + one)
    nodes, sub = src + one, SUB
    if change == "input":
        nodes = nodes.replace("q: '{{", "q: 'a {{")
    elif change == "a node before it":
        nodes = nodes.replace("SRC", "SRC2")
    elif change == "its text":
        sub = sub.replace("'pay {{", "'pay  {{")
    else:
        sub += "  n: {agent: fake, with: {n: 'n {{ inputs.k }}'}}\n"
    project.write(sub=sub)
    for _ in range(2):
        done = resumed(project, nodes)
        assert (done.status, str(done.run.state("m.o").status)) == ("waiting", "unknown")
        assert {"pay p", "pay  p", "then p"}.isdisjoint(trying.taken())
    decide(project.root / ".pipe", "r", "m.o", Decision("again", "me"))
    assert resumed(project).status == "succeeded"
    assert len(trying.taken()) == 2


@pytest.mark.parametrize("nodes", [MANY, ONE, PLAIN, EACH], ids=["many", "one", "plain", "each"])
@pytest.mark.parametrize("before", [False, True], ids=["at once", "after a resume"])
@pytest.mark.few(6)
def test_d10_of_a_node_that_was_taken_out_and_put_back(
    project: Any, trying: Any, began: Any, nodes: str, before: bool
) -> None:
    late = "  late: {agent: fake, with: {n: late}}\n"
    begun = began(nodes + late)
    if before:
        resumed(project)
    trying.bad = {"late2"}
    done = resumed(project, late.replace("n: late}", "n: late2}"))
    assert done.status == "failed"
    assert list(done.statuses) == ["late"]
    trying.bad = set()
    done = resumed(project, nodes + late)
    assert done.status == "waiting"
    assert all(starts(project)[node] == 1 for node in begun)


@pytest.mark.parametrize("many", [True, False], ids=["many", "one"])
def test_d10_of_a_node_inside_that_was_taken_out_and_put_back(
    project: Any, trying: Any, began: Any, many: bool
) -> None:
    begun = began(MANY if many else ONE)
    late = "  late: {agent: fake, with: {n: late}}\n"
    project.write(sub=SUB.replace("needs: o, ", "").replace("  o: {effect", "  b: {effect").replace("pay", "bad"))
    trying.bad = {"late"}
    done = resumed(project, (MANY if many else ONE) + late)
    assert done.status == "failed"
    assert "m.o" not in done.run.nodes
    assert BOTH.isdisjoint(trying.taken())
    trying.bad = set()
    project.write(sub=SUB)
    done = resumed(project)
    assert done.status == "waiting"
    assert all(starts(project)[node] == 1 for node in begun)


def test_d10_of_an_item_of_a_repeated_sub_pipeline_that_was_taken_out_and_put_back(
    project: Any, trying: Any, began: Any
) -> None:
    late = "  late: {agent: fake, with: {n: late}}\n"
    begun = began(MANY + late)
    trying.bad = {"late2"}
    done = resumed(project, (MANY + late).replace("[p, q]", "[r]").replace("n: late}", "n: late2}"))
    assert done.status == "failed"
    trying.taken()
    trying.bad = set()
    done = resumed(project, MANY + late)
    assert done.status == "waiting"
    assert all(starts(project)[node] == 1 for node in begun)


def test_a_handler_whose_items_have_acted_once_does_not_run_again(project: Any, trying: Any) -> None:
    trying.bad = {"x"}
    project.run("nodes: {x: {agent: fake, with: {n: x}}}\non_failure:\n" + EACH)
    assert trying.taken() == ["pay p", "pay q", "x"]
    assert resumed(project).status == "failed"
    assert trying.taken() == ["x"]
