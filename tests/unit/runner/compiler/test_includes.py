"""Nodes of included files are those of one pipeline; what a file says holds for its own nodes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipe_runner.compiler import Compilation, compile_file, compile_text
from pipe_runner.compiler.parts import DEEPEST
from pipe_runner.plan import Plan, Value
from pipe_runner.plandata import plan_from_json, plan_to_json
from pipe_runner.registry import Registry

Compiled = Callable[..., Compilation]


@pytest.fixture
def compiled(tmp_path: Path, registry: Registry) -> Compiled:
    """Compiles `main`, a text without its version, with files beside it."""

    def run(main: str, **files: str) -> Compilation:
        (tmp_path / "pipe.yml").touch()
        for name, text in {"main": main, **files}.items():
            (tmp_path / f"{name}.yml").write_text(f"version: 1\n{text}", encoding="utf-8")
        return compile_file(tmp_path / "main.yml", registry=registry, shown_as="main.yml")

    return run


def planned(compilation: Compilation) -> Plan:
    assert compilation.diagnostics == []
    assert compilation.plan is not None
    return compilation.plan


def codes(compilation: Compilation) -> list[str]:
    return [found.code for found in compilation.diagnostics]


def digests(compilation: Compilation) -> dict[str, str]:
    return {node.id: node.digest for node in planned(compilation).nodes}


ONE = "include: [{file: part.yml}]\n"


def test_a_plan_of_several_files_survives_the_way_through_json(compiled: Compiled) -> None:
    plan = planned(
        compiled(
            "include: [{file: a.yml, with: {x: [1, {y: 2}]}}]\nnodes: {m: {run: echo}}\n",
            a="inputs: {x: {type: array}}\nenv: {A: '{{ inputs.x }}'}\ninclude: [{file: b.yml}]\n"
            "nodes: {a: {run: echo}}\n",
            b="env: {B: b}\nfinally: {b: {run: echo}}\n",
        )
    )
    assert [(node.id, plan.file_of(node.part), node.line) for node in plan.nodes] == [
        ("m", "main.yml", 3),
        ("a", "a.yml", 5),
        ("b", "b.yml", 3),
    ]
    assert [(part.inputs, part.within) for part in plan.parts] == [({"x": [1, {"y": 2}]}, 0), ({}, 1)]
    assert plan.parts[1].env == Value({"B": "b"})
    assert plan_from_json(plan_to_json(plan)) == plan


def test_references_and_needs_go_over_files_and_order_them(compiled: Compiled) -> None:
    plan = planned(
        compiled(
            ONE + "nodes: {a: {run: 'echo {{ nodes.b.output }}'}, c: {run: echo}}\n",
            part="nodes: {b: {run: echo, needs: [c]}}\n",
        )
    )
    ids = plan.by_id()
    assert ids["a"].needs == (ids["b"].index,)
    assert ids["b"].needs == (ids["c"].index,)
    assert ids["c"].priority == 3


def test_a_cycle_over_files_is_told_in_the_file_of_its_first_node(compiled: Compiled) -> None:
    found = compiled(ONE + "nodes: {z: {run: echo}, a: {run: x, needs: b}}\n", part="nodes: {b: {run: x, needs: a}}\n")
    (fault,) = found.diagnostics
    assert (fault.code, fault.path, fault.line) == ("E304", "main.yml", 3)


def test_a_variable_that_the_including_file_sets_is_not_told_as_empty(compiled: Compiled) -> None:
    part = "nodes: {p: {run: 'echo $CI_ONE $CI_TWO'}}\n"
    (found,) = compiled("env: {CI_ONE: x}\n" + ONE, part=part).diagnostics
    assert (found.code, "CI_TWO" in found.message) == ("W602", True)


def test_a_file_that_only_includes_needs_no_nodes_of_its_own(compiled: Compiled) -> None:
    assert [n.id for n in planned(compiled(ONE, part="nodes: {b: {run: x}}\n")).nodes] == ["b"]
    found = compiled(ONE, part="finally: {b: {run: x}}\n")
    assert codes(found) == ["E209"]
    assert codes(compiled("name: x\n")) == ["E209"]


def test_defaults_hold_for_included_nodes_key_by_key(compiled: Compiled) -> None:
    plan = planned(
        compiled(
            "defaults: {timeout: 1m, retry: 2, cwd: sub, shell: bash}\n" + ONE + "nodes: {m: {run: echo}}\n",
            part="defaults: {timeout: 2m, cwd: .}\nnodes: {p: {run: echo}, q: {run: echo, timeout: 3m, cwd: a}}\n",
        )
    )
    ids = plan.by_id()
    assert [(ids[i].timeout, ids[i].retry.max_attempts) for i in "mpq"] == [(60, 2), (120, 2), (180, 2)]
    assert [ids[i].options.data["cwd"] for i in "mpq"] == ["sub", ".", "a"]  # type: ignore[index, call-overload]
    assert [ids[i].options.data["shell"] for i in "mpq"] == ["bash"] * 3  # type: ignore[index, call-overload]


def test_an_inherited_variable_that_is_calculated_is_read_as_the_other_file_has_set_it(compiled: Compiled) -> None:
    plan = planned(
        compiled(
            "inputs: {n: {type: integer, default: 1}}\nenv: {N: '{{ inputs.n }}'}\n"
            + ONE
            + "nodes: {m: {run: echo}}\n",
            part="inputs: {n: {type: integer, default: 2}}\nnodes: {p: {run: 'echo $((N + 1))'}}\n",
        )
    )
    assert "env.N" in str(plan.by_id()["p"].options.data)


def test_moving_a_node_to_another_file_changes_nothing_of_it(compiled: Compiled) -> None:
    node = "a: {run: echo $A, timeout: 1m, secrets: [S]}"
    top = "secrets: {S: {from: env}}\nenv: {A: a}\ndefaults: {retry: 2}\n"
    whole = digests(compiled(f"{top}nodes:\n  {node}\n  b: {{run: echo}}\n"))
    split = digests(compiled(top + ONE + "nodes: {b: {run: echo}}\n", part=f"nodes:\n  {node}\n"))
    own = digests(compiled(ONE + "nodes: {c: {run: echo}}\n", part=f"{top}nodes:\n  {node}\n"))
    assert whole == split
    assert own["a"] == whole["a"]


def test_d11_a_value_given_to_a_file_counts_for_the_nodes_that_read_it_alone(compiled: Compiled) -> None:
    part = (
        "inputs: {x: {type: string, default: a}, y: {type: string, default: b}}\n"
        "nodes:\n  x: {run: 'echo {{ inputs.x }}'}\n  y: {when: inputs.y == 'b', run: echo}\n  z: {run: echo}\n"
        "  all: {agent: python, with: {call: 'builtins:len', args: ['{{ inputs }}']}}\n"
    )
    before = digests(compiled("include: [{file: part.yml}]\n", part=part))
    after = digests(compiled("include: [{file: part.yml, with: {x: c}}]\n", part=part))
    assert {id for id in before if before[id] != after[id]} == {"x", "all"}
    other = "nodes: {o: {run: echo}}\n"
    more = digests(compiled("include: [{file: o.yml}, {file: part.yml}]\n", part=part, o=other))
    assert {id: more[id] for id in before} == before, "another file beside it changes nothing"


def test_d11_a_value_that_reaches_nodes_through_env_counts_for_all_of_them(compiled: Compiled) -> None:
    files = {
        "a": "inputs: {x: {type: string}}\nenv: {X: '{{ inputs.x }}'}\ninclude: [{file: b.yml}]\n"
        "nodes: {a: {run: echo}}\n",
        "b": "nodes: {b: {run: echo}}\n",
    }
    one, two = (digests(compiled(f"include: [{{file: a.yml, with: {{x: {x}}}}}]\n", **files)) for x in "pq")
    assert one["a"] != two["a"]
    assert one["b"] != two["b"]


def test_the_digest_of_a_pipeline_is_that_of_all_its_files(compiled: Compiled, tmp_path: Path) -> None:
    one = planned(compiled(ONE, part="nodes: {b: {run: x}}\n"))
    two = planned(compiled(ONE, part="nodes: {b: {run: x}} # changed\n"))
    assert one.digest != two.digest
    assert [node.digest for node in one.nodes] == [node.digest for node in two.nodes]


def test_a_chain_of_files_is_bounded(compiled: Compiled) -> None:
    files = {
        f"p{number}": f"include: [{{file: p{number + 1}.yml}}]\nnodes: {{n{number}: {{run: x}}}}\n"
        for number in range(DEEPEST + 1)
    }
    files[f"p{DEEPEST}"] = f"nodes: {{n{DEEPEST}: {{run: x}}}}\n"
    found = compiled("include: [{file: p0.yml}]\n", **files)
    (fault,) = found.diagnostics
    assert (fault.code, fault.path, len(fault.notes)) == ("E802", f"p{DEEPEST - 1}.yml", DEEPEST)
    assert fault.message == f"more than {DEEPEST} files that include one another"
    assert compiled("include: [{file: p1.yml}]\n", **files).plan is not None


def test_the_number_of_files_is_bounded(compiled: Compiled) -> None:
    files = {f"p{number}": f"nodes: {{n{number}: {{run: x}}}}\n" for number in range(101)}
    entries = "".join(f"  - file: {name}.yml\n" for name in files)
    (fault,) = compiled(f"include:\n{entries}", **files).diagnostics
    assert (fault.code, fault.line) == ("E802", 103)
    assert fault.message == "more than 100 files beside the pipeline's own"


def test_r2_expressions_are_bounded_over_all_files(compiled: Compiled) -> None:
    many = "nodes: {NAME: {argv: [x" + ', "{{1}}"' * 15_000 + "]}}\n"
    found = compiled(
        "include: [{file: a.yml}, {file: b.yml}]\n", a=many.replace("NAME", "a"), b=many.replace("NAME", "b")
    )
    assert codes(found) == ["E403"]
    assert found.diagnostics[0].path == "b.yml"


def test_nothing_is_said_to_be_missing_where_a_file_could_not_be_read(compiled: Compiled) -> None:
    nodes = "nodes: {a: {run: 'echo {{ nodes.gone.output }}', needs: [gone_too]}}\n"
    assert codes(compiled("include: [{file: none.yml}]\n" + nodes)) == ["E602"]
    assert codes(compiled(ONE + nodes, part="nodes: [\n")) == ["E101"]
    assert codes(compiled("include: {file: x}\n" + nodes)) == ["E203"]
    assert codes(compiled(ONE + nodes, part="nodes: {b: {run: x}}\n")) == ["E305", "E301"]


def test_a_text_can_include_files_of_its_folder(tmp_path: Path, registry: Registry) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "part.yml").write_text("version: 1\nnodes: {b: {run: x}}\n")
    found = compile_text(f"version: 1\n{ONE}", path="sub/p.yml", root=tmp_path, registry=registry)
    assert found.plan is not None
    assert found.plan.parts[0].file == "sub/part.yml"


@pytest.mark.parametrize(
    ("value", "fits"), [("[1, 2]", True), ("[]", True), ("[a]", False), ("null", False), ("'[1]'", False)]
)
def test_values_are_held_against_what_the_file_declares_and_never_converted(
    compiled: Compiled, value: str, fits: bool
) -> None:
    part = "inputs: {x: {type: array, items: {type: integer}}}\nnodes: {b: {run: 'echo {{ inputs.x }}'}}\n"
    found = compiled(f"include: [{{file: part.yml, with: {{x: {value}}}}}]\n", part=part)
    assert codes(found) == ([] if fits else ["E806"])


def test_anchors_of_a_file_are_its_own(compiled: Compiled) -> None:
    found = compiled("x-a: &a {run: echo}\n" + ONE + "nodes: {m: *a}\n", part="nodes: {b: *a}\n")
    assert ("E111", "part.yml") in [(d.code, d.path) for d in found.diagnostics]


def test_an_included_file_may_say_what_a_pipeline_says_of_itself(compiled: Compiled) -> None:
    part: Any = "name: net\ndescription: what it is for\nx-mine: 1\nnodes: {b: {run: x}}\n"
    assert planned(compiled(ONE, part=part)).name == "main"
