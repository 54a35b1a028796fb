"""Sub-pipelines in a plan: their instances, what `--only` leaves of them, and the log's names of what they run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipe_runner.compiler import compile_file
from pipe_runner.plan import Plan
from pipe_runner.plandata import plan_from_json, plan_to_json
from pipe_runner.ports import Event
from pipe_runner.registry import Registry
from pipe_runner.reports.flat import drawn_needs, flat, own_needs
from pipe_runner.run import Run
from pipe_runner.subplans import chosen, expanded, instance, members, secrets_of

MAIN = """version: 1
nodes:
  a: {run: echo}
  s: {pipeline: sub.yml, needs: a}
  r: {pipeline: sub.yml, for_each: {items: [1]}, needs: a}
  z: {run: echo, needs: [s, r]}
"""
SUB = """version: 1
secrets: {KEY: {from: env}}
nodes:
  one: {run: echo, secrets: [KEY]}
  two: {pipeline: deep.yml, needs: one}
  three: {run: echo, needs: two}
  free: {run: echo}
on_failure: {h: {run: echo}}
finally: {f: {run: echo}}
"""
DEEP = "version: 1\nnodes: {x: {run: echo}, y: {run: echo, needs: x}}\n"


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    for name, text in (("main", MAIN), ("sub", SUB), ("deep", DEEP)):
        (tmp_path / f"{name}.yml").write_text(text)
    found = compile_file(tmp_path / "main.yml", root=tmp_path, registry=Registry.installed())
    assert found.plan is not None, found.diagnostics
    assert {Path(path).name for path, _, _ in found.files} == {"sub.yml", "deep.yml"}
    return found.plan


INSIDE = ["one", "two", "two.x", "two.y", "three", "free", "h", "f"]


def test_every_file_is_in_the_plan_once_and_the_plan_is_data(plan: Plan) -> None:
    assert sorted(plan.subplans) == ["deep.yml", "sub.yml"]
    assert all(not one.subplans for one in plan.subplans.values())
    assert plan_from_json(json.loads(json.dumps(plan_to_json(plan)))) == plan
    assert [source.name for source in secrets_of(plan)] == ["KEY"]


def test_nodes_inside_stand_behind_the_node_that_runs_them(plan: Plan) -> None:
    assert [n.id for n in expanded(plan.nodes, plan.subplans)] == ["a", "s", *(f"s.{n}" for n in INSIDE), "r", "z"]
    every = [n.id for n in members(plan.nodes, plan.subplans)]
    assert every == ["a", "s", *(f"s.{n}" for n in INSIDE), "r", *(f"r.{n}" for n in INSIDE), "z"]
    assert list(expanded(plan.nodes[:1], {})) == [plan.nodes[0]]


def test_an_instance_has_the_ids_and_the_urgency_of_its_owner(plan: Plan) -> None:
    made = instance(plan.subplans["deep.yml"], "r[x.y]", priority=5)
    assert [(n.id, n.priority) for n in made.nodes] == [("r[x.y].x", 6), ("r[x.y].y", 5)]


@pytest.mark.parametrize(
    ("only", "left"),
    [
        ((), ["one", "two", "three", "free", "h", "f"]),
        (("s",), ["one", "two", "three", "free", "h", "f"]),
        (("s.three",), ["one", "two", "three"]),
        (("s.two.x",), ["one", "two"]),
        (("s.f",), ["f"]),
        (("s", "s.one"), ["one", "two", "three", "free", "h", "f"]),
        (("other.one",), ["one", "two", "three", "free", "h", "f"]),
    ],
)
def test_only_leaves_what_it_names_inside_and_what_that_needs(
    plan: Plan, only: tuple[str, ...], left: list[str]
) -> None:
    made = instance(plan.subplans["sub.yml"], "s")
    assert [node.id.removeprefix("s.") for node in chosen(made, "s", only)] == left


def test_a_flat_plan_orders_what_is_inside_between_the_node_and_its_dependents(plan: Plan) -> None:
    whole = flat(plan)
    at = {node.id: node for node in whole.nodes}
    assert set(at) == {node.id for node in members(plan.nodes, plan.subplans)}
    assert all(whole.nodes[node.index] is node for node in whole.nodes)
    assert all(whole.nodes[need].priority > node.priority for node in whole.nodes for need in node.needs)
    assert own_needs(whole, at["z"]) == ["s", "r"]
    assert own_needs(whole, at["s.three"]) == ["s.two"]
    assert own_needs(whole, at["s.one"]) == ["s"]
    ids = {node.id: {whole.nodes[need].id for need in node.needs} for node in whole.nodes}
    assert ids["s.two.x"] == {"s.two"}
    assert {"s.two", "s.two.y"} <= ids["s.three"]
    assert {"s.f", "s.three", "s.free"} <= ids["z"]
    assert "s.h" not in ids["z"]
    assert {whole.nodes[need].id for need in drawn_needs(whole, at["z"])} == {"s.f", "r.f"}
    assert whole.file_of(at["s.two.x"].part) == "deep.yml"
    assert "r.one" not in {node.id for node in flat(plan, repeated=False).nodes}


def test_a_plan_without_any_is_flat_already(tmp_path: Path) -> None:
    (tmp_path / "p.yml").write_text(DEEP)
    found = compile_file(tmp_path / "p.yml", root=tmp_path, registry=Registry.installed()).plan
    assert found is not None
    assert flat(found) is found


def test_items_inside_of_items_are_found_and_strange_keys_stay_keys() -> None:
    run = Run(id="r")

    def tell(kind: str, node: str, **data: object) -> None:
        run.apply(Event(run.seq + 1, "2026-01-01T00:00:00.000000Z", "r", kind, node, 1, data))

    tell("node.started", "plain[a].b[c]")
    assert list(run.items["plain"]) == ["a].b[c"]
    tell("node.started", "d[eu]", pipeline="x.yml", given="1")
    tell("node.started", "d[eu].each[1]")
    tell("node.succeeded", "d[eu].each[1]", output=1)
    assert run.items["d[eu].each"]["1"].output == 1
    tell("node.started", "d[eu].deep[k].]", pipeline="y.yml", given="1")
    tell("node.started", "d[eu].deep[k].].z")
    assert "d[eu].deep[k].].z" in run.nodes
    assert run.find("d[eu].each[1]") is run.items["d[eu].each"]["1"]
    assert run.find("d[eu].each[2]") is None


def test_failures_inside_are_those_of_the_node_outside() -> None:
    run = Run(id="r")

    def tell(kind: str, node: str, **data: object) -> None:
        run.apply(Event(run.seq + 1, "2026-01-01T00:00:00.000000Z", "r", kind, node, 1, data))

    error = {"kind": "exit", "message": "x"}
    for node, tolerated in (("s.a", False), ("s", False), ("t.a", False), ("t", True), ("u", False)):
        tell("node.failed", node, error=error, tolerated=tolerated)
    assert run.failed == ["s", "u"]
    assert run.failures == ["s.a", "s", "u"]
