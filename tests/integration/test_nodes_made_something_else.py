"""A node that ran a sub-pipeline, or was repeated, and that the file makes something else: it is what it is now."""

from __future__ import annotations

from typing import Any

import pytest

from pipe_runner.engine.decisions import Decision, decide
from pipe_runner.run import fold
from pipe_runner.runlog import read_log

SUB = """inputs: {k: {type: string, default: p}}
nodes:
  s: {agent: fake, with: {n: 's {{ inputs.k }}'}}
  t: {for_each: {items: [u]}, agent: fake, with: {n: 't {{ inputs.k }}'}}
"""
LIST = "for_each: {items: [p, q], key: '{{ item }}'}"
ONE = "  d: {pipeline: sub.yml}\n"
MANY = f"  d: {{{LIST}, pipeline: sub.yml, with: {{k: '{{{{ item }}}}'}}}}\n"
EACH = f"  d: {{{LIST}, agent: fake, with: {{n: 's {{{{ item }}}}'}}}}\n"
ONCE = "  d: {effect: once, agent: fake, with: {n: pay}}\n"
EACH_ONCE = f"  d: {{{LIST}, effect: once, agent: fake, with: {{n: 'pay {{{{ item }}}}'}}}}\n"
ASKS = "  d: {agent: approval, with: {message: ok?}}\n"
BAD = {"s p", "s q", "t p", "t q"}


def began(project: Any, trying: Any, nodes: str) -> None:
    project.write(sub=SUB)
    trying.bad = set(BAD)
    assert project.run("nodes:\n" + nodes).status == "failed"
    trying.taken()


def resumed(project: Any, nodes: str | None = None) -> Any:
    done = project.run(None if nodes is None else "nodes:\n" + nodes)
    assert fold(done.events) == done.run
    return done


def cut_off(project: Any) -> None:
    """The runner ended before it wrote how the last attempt ended."""
    log = project.root / ".pipe" / "runs" / "r" / "log.jsonl"
    lines = log.read_bytes().splitlines(keepends=True)
    ends = [n for n, line in enumerate(lines) if b'"node.failed"' in line]
    log.write_bytes(b"".join(lines[: ends[-1] if ends[-1] > len(lines) - 4 else None]))


@pytest.mark.parametrize("old", [ONE, MANY, EACH], ids=["one", "many", "each"])
@pytest.mark.parametrize("end", ["failed", "cut off"])
def test_d10_a_node_that_acts_once_now_is_never_run_again_by_itself(
    project: Any, trying: Any, old: str, end: str
) -> None:
    began(project, trying, old)
    trying.bad = {"pay"}
    assert resumed(project, ONCE).status == "failed"
    assert trying.taken() == ["pay"]
    if end == "cut off":
        cut_off(project)
    for _ in range(2):
        done = resumed(project)
        assert (done.status, str(done.run.state("d").status)) == ("waiting", "unknown")
    assert trying.taken() == []
    decide(project.root / ".pipe", "r", "d", Decision("done", "me"))
    assert resumed(project).status == "succeeded"


@pytest.mark.parametrize("old", [ONE, MANY], ids=["one", "many"])
def test_d10_items_that_act_once_now_are_never_run_again_by_themselves(project: Any, trying: Any, old: str) -> None:
    began(project, trying, old)
    trying.bad = {"pay p", "pay q"}
    assert resumed(project, EACH_ONCE).status == "failed"
    assert trying.taken() == ["pay p", "pay q"]
    for _ in range(2):
        assert resumed(project).status == "waiting"
    assert trying.taken() == []
    for key in "pq":
        decide(project.root / ".pipe", "r", f"d[{key}]", Decision("done", "me"))
    assert resumed(project).status == "succeeded"


@pytest.mark.parametrize("old", [ONE, MANY, EACH], ids=["one", "many", "each"])
def test_d8_a_node_that_asks_a_person_now_can_be_approved(project: Any, trying: Any, old: str) -> None:
    began(project, trying, old)
    assert resumed(project, ASKS).status == "waiting"
    decide(project.root / ".pipe", "r", "d", Decision("approve", "me"))
    assert resumed(project).status == "succeeded"


def test_d8_items_that_ask_a_person_now_can_be_approved(project: Any, trying: Any) -> None:
    began(project, trying, MANY)
    assert resumed(project, ASKS.replace("{agent", f"{{{LIST}, agent")).status == "waiting"
    decide(project.root / ".pipe", "r", "d", Decision("approve", "me"))
    assert resumed(project).status == "succeeded"


PLAIN = "  d: {agent: fake, with: {n: fine}}\n"


@pytest.mark.parametrize(
    ("old", "new", "left"),
    [
        (ONE, PLAIN, []),
        (MANY, PLAIN, []),
        (EACH, PLAIN, []),
        (EACH, ONE, ["d.s", "d.t"]),
        (MANY, ONE, ["d.s", "d.t"]),
        (ONE, EACH, []),
        (MANY, EACH, []),
        (MANY, EACH.replace("p, q", "p, r"), []),
        (ONE, MANY, ["d[p].s", "d[p].t", "d[q].s", "d[q].t"]),
    ],
)
@pytest.mark.few(5)
def test_what_it_ran_before_is_gone(project: Any, trying: Any, old: str, new: str, left: list[str]) -> None:
    began(project, trying, old)
    trying.bad = set()
    done = resumed(project, new)
    assert done.status == "succeeded"
    run = done.run
    assert sorted(name for name in run.nodes if name != "d") == left
    owners = {"d"} if "for_each" in new else set()
    assert set(run.items) == owners | {name for name in left if name.endswith("t")}
    assert all(str(item.status) == "succeeded" for items in run.items.values() for item in items.values())
    events = read_log(project.root / ".pipe" / "runs" / "r" / "log.jsonl").events
    assert fold(events) == run


def test_d10_what_may_have_acted_in_it_is_kept_and_not_repeated_when_it_is_put_back(project: Any, trying: Any) -> None:
    sub = "inputs: {k: {type: string}}\nnodes: {s: {effect: once, agent: fake, with: {n: 's {{ inputs.k }}'}}}\n"
    project.write(sub=sub)
    trying.bad = {"s p", "late"}
    late = "  late: {agent: fake, with: {n: late}}\n"
    assert project.run("nodes:\n" + MANY + late).status == "failed"
    assert resumed(project, EACH.replace("'s {{ item", "'x {{ item") + late).status == "failed"
    trying.bad = set()
    trying.taken()
    done = resumed(project, MANY + late)
    assert done.status == "waiting"
    assert "s p" not in trying.taken()
