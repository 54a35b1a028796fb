"""A reference is a dependency: which nodes wait for which, and which goes first."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipe_runner.compiler import Compilation, compile_text
from pipe_runner.plan import Plan
from pipe_runner.registry import Registry

Compile = Callable[[str], Compilation]
Planned = Callable[[str], Plan]


def needs(plan: Plan) -> dict[str, set[str]]:
    return {node.id: {plan.nodes[i].id for i in node.needs} for node in plan.nodes}


def reads(plan: Plan) -> dict[str, set[str]]:
    return {node.id: {plan.nodes[i].id for i in node.reads} for node in plan.nodes}


@pytest.mark.parametrize(
    "node",
    [
        'run: "echo {{ nodes.a.output }}"',
        "argv: [echo, '{{ nodes.a.output }}']",
        "{run: echo, env: {X: '{{ nodes.a.output | upper }}'}}",
        "{run: echo, stdin: '{{ nodes.a.output }}'}",
        "{run: echo, cwd: '{{ nodes.a.output }}'}",
        "{run: echo, when: nodes.a.status == 'succeeded'}",
        "{agent: python, with: {call: 'm:f', kwargs: {deep: [{x: '{{ nodes.a.output }}'}]}}}",
    ],
)
def test_a_reference_anywhere_in_a_node_is_a_dependency(planned: Planned, node: str) -> None:
    node = node if node.startswith("{") else "{" + node + "}"
    plan = planned("nodes:\n  a: {run: echo}\n  b: " + node + "\n")
    assert needs(plan) == {"a": set(), "b": {"a"}}
    assert reads(plan) == {"a": set(), "b": {"a"}}


def test_needs_adds_an_edge_that_no_reference_shows(planned: Planned) -> None:
    plan = planned("nodes: {a: {run: echo}, b: {run: echo, needs: [a]}, c: {run: echo, needs: b}}\n")
    assert needs(plan) == {"a": set(), "b": {"a"}, "c": {"b"}}
    assert reads(plan)["b"] == set()


def test_order_in_the_file_has_no_meaning(planned: Planned) -> None:
    plan = planned("nodes:\n  last: {run: 'echo {{ nodes.first.output }}'}\n  first: {run: echo}\n")
    assert needs(plan)["last"] == {"first"}


def test_handlers_read_nodes_without_waiting_for_them(planned: Planned) -> None:
    plan = planned(
        """
        nodes: {a: {run: echo}}
        on_failure: {tell: {run: "echo {{ nodes.a.error.kind }}"}}
        finally:
          y: {run: "echo {{ nodes.a.status }} {{ nodes.tell.status }}"}
          z: {run: "echo {{ nodes.y.output }}"}
        """
    )
    assert needs(plan) == {"a": set(), "tell": set(), "y": set(), "z": {"y"}}
    assert reads(plan) == {"a": set(), "tell": {"a"}, "y": {"a", "tell"}, "z": {"y"}}
    assert [str(node.phase) for node in plan.nodes] == ["nodes", "on_failure", "finally", "finally"]


def test_priority_is_the_length_of_the_longest_chain_to_an_end(planned: Planned) -> None:
    plan = planned(
        """
        nodes:
          a: {run: echo}
          b: {run: echo, needs: [a]}
          c: {run: echo, needs: [b]}
          d: {run: echo, needs: [a]}
          alone: {run: echo}
        """
    )
    assert {node.id: node.priority for node in plan.nodes} == {"a": 3, "b": 2, "c": 1, "d": 1, "alone": 1}


def test_text_that_a_node_gives_is_never_looked_at(planned: Planned) -> None:
    plan = planned(
        "inputs: {x: {default: '{ { nodes.b.output } }'}}\nnodes: {a: {run: 'echo {{ inputs.x }}'}, b: {run: echo}}\n"
    )
    assert needs(plan) == {"a": set(), "b": set()}


def test_raw_text_is_no_reference(planned: Planned) -> None:
    plan = planned("nodes: {a: {run: \"echo '{% raw %}{{ nodes.b.output }}{% endraw %}'\"}, b: {run: echo}}\n")
    assert needs(plan)["a"] == set()


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 12), st.integers(0, 10**6))
def test_a_cycle_is_told_in_the_same_way_wherever_the_nodes_stand(size: int, seed: int) -> None:
    """The ring is the same; only the order of the lines changes: the first node of the file begins."""
    draw = random.Random(seed)
    ids = [f"n{i}" for i in range(size)]
    lines = [f"  {ids[i]}: {{run: echo, needs: [{ids[(i + 1) % size]}]}}" for i in range(size)]
    draw.shuffle(lines)
    text = "version: 1\nnodes:\n" + "\n".join(lines) + "\n"
    compilation = compile_text(text, root=Path("/nowhere"), registry=Registry.installed())
    (fault,) = compilation.diagnostics
    first = lines[0].strip().split(":")[0]
    at = ids.index(first)
    ring = " → ".join(ids[(at + i) % size] for i in range(size + 1))
    assert fault.message == f"these nodes wait for one another: {ring}"
    assert (fault.code, fault.line, fault.column) == ("E304", 3, 3)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 25), st.integers(0, 10**6))
def test_every_graph_without_a_cycle_compiles_to_exactly_its_edges(size: int, seed: int) -> None:
    draw = random.Random(seed)
    edges = {i: sorted(draw.sample(range(i), draw.randint(0, min(i, 4)))) for i in range(size)}
    order = list(range(size))
    draw.shuffle(order)
    lines = []
    for i in order:
        named = [j for j in edges[i] if draw.random() < 0.5]
        read = " ".join(f"{{{{ nodes.n{j}.output }}}}" for j in edges[i] if j not in named)
        lines.append(f"  n{i}: {{run: 'echo {read}', needs: [{', '.join(f'n{j}' for j in named)}]}}")
    text = "version: 1\nnodes:\n" + "\n".join(lines) + "\n"
    plan = compile_text(text, root=Path("/nowhere"), registry=Registry.installed()).plan
    assert plan is not None
    assert needs(plan) == {f"n{i}": {f"n{j}" for j in edges[i]} for i in range(size)}
    for node in plan.nodes:
        assert all(plan.nodes[need].priority > node.priority for need in node.needs)


def test_a_graph_with_cycles_names_cycles_and_nothing_else(compiled: Compile) -> None:
    compilation = compiled(
        "nodes: {a: {run: x, needs: [b]}, b: {run: x, needs: [a, c]}, c: {run: x, needs: [d]}, d: {run: x}}\n"
    )
    assert [d.code for d in compilation.diagnostics] == ["E304"]
    assert "a → b → a" in compilation.diagnostics[0].message
