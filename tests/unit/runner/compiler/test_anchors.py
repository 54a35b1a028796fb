"""Parts of a file that are written once, under a key that begins with `x-`, and used by alias and merge key."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pipe_runner.compiler import Compilation, compile_text
from pipe_runner.plan import Plan
from pipe_runner.registry import Registry

Compile = Callable[[str], Compilation]
Planned = Callable[[str], Plan]

COMMON = """
    x-common:
      settings: &settings {timeout: 5m, retry: 2}
      call: &call {call: 'builtins:len', args: [[1, 2]]}
      node: &node
        run: echo {{ inputs.x }}
    x-env: &env {A: a, B: b}
    inputs: {x: &x {type: string, default: hi}, y: *x}
"""


def test_nodes_options_inputs_and_environments_may_be_aliases_or_merged(planned: Planned) -> None:
    plan = planned(
        COMMON
        + """
    nodes:
      a: *node
      b: {<<: *settings, run: echo b, env: {<<: *env, B: own}}
      c: {agent: python, with: *call}
      d: {agent: python, with: {<<: *call, args: [[1]]}}
      e:
        <<: [*settings, *node]
        env: *env
    """
    )
    ids = plan.by_id()
    assert ids["a"].title == ids["e"].title == "echo {{ inputs.x }}"
    assert ids["b"].env.data == {"A": "a", "B": "own"}
    assert (ids["b"].timeout, ids["e"].timeout, ids["e"].retry.max_attempts) == (300, 300, 2)
    assert ids["c"].options.data == {"call": "builtins:len", "args": [[1, 2]]}
    assert ids["d"].options.data == {"call": "builtins:len", "args": [[1]]}
    assert [i.name for i in plan.inputs] == ["x", "y"]
    assert [ids[id].line for id in "abcde"] == [12, 13, 14, 15, 16], "a node stands where its id does"


def test_a_digest_does_not_know_how_a_node_was_written(planned: Planned) -> None:
    by_alias = planned(COMMON + "    nodes: {a: {<<: *settings, run: echo, env: *env}}\n")
    whole = planned("nodes: {a: {timeout: 5m, retry: 2, run: echo, env: {A: a, B: b}}}\n")
    assert by_alias.nodes[0].digest == whole.nodes[0].digest


def test_a_fault_of_what_an_alias_stands_for_is_told_once_where_it_was_written(compiled: Compile) -> None:
    found = compiled(
        """
    x-node: &node
      run: echo {{ inputs.gone }}
      neds: [b]
    x-options: &options
      urll: http://localhost
    nodes:
      a: *node
      b: *node
      c: {agent: http, with: {<<: *options, url: 'http://localhost'}}
      d: {<<: *node, timeout: 5}
    """
    )
    places = [(fault.code, fault.line, fault.column) for fault in found.diagnostics]
    assert places == [("E308", 4, 16), ("E201", 5, 3), ("E503", 7, 3), ("E207", 12, 27)]


def test_what_is_written_under_x_is_read_only_where_it_is_used(planned: Planned) -> None:
    planned("x-a: {run: 'echo {{ inputs.gone }}', neds: 1}\nnodes: {a: {run: x}}\n")


def test_aliases_that_stand_for_too_much_are_refused(compiled: Compile) -> None:
    big = "x-big: &big [" + "1, " * 1000 + "]\n"
    nodes = "".join(f"  n{number}: {{agent: python, with: {{call: 'a:b', args: *big}}}}\n" for number in range(200))
    found = compiled(f"{big}nodes:\n{nodes}")
    assert [fault.code for fault in found.diagnostics] == ["E113"]
    assert found.diagnostics[0].line > 100


@pytest.mark.parametrize(
    "text",
    [
        "include: [{file: part.yml, x-note: 1}]\nnodes: {a: {run: x}}\n",
        "nodes: {a: {run: x, artifacts: [{name: a, path: b, x-note: 1}, {name: c, path: d}]}}\n",
        "x-part: &part {file: part.yml, x-note: [1]}\ninclude: [*part]\n",
    ],
)
def test_x_keys_may_stand_in_maps_of_a_list(tmp_path: Path, registry: Registry, text: str) -> None:
    (tmp_path / "part.yml").write_text("version: 1\nnodes: {b: {run: x}}\n")
    found = compile_text(f"version: 1\n{text}", path=str(tmp_path / "p.yml"), root=tmp_path, registry=registry)
    assert found.diagnostics == []
    assert found.plan is not None
