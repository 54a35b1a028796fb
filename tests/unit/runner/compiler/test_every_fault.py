"""Every fault of a file is told at once: none hides another, and none is told that is none."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pipe_runner.compiler import Compilation

Compile = Callable[[str], Compilation]


def codes(compilation: Compilation) -> list[str]:
    return sorted(found.code for found in compilation.diagnostics)


@pytest.mark.parametrize(
    ("node", "own"),
    [
        ("run: x, unknwn: 1", ["E201"]),
        ("run: x, argv: [a]", ["E206"]),
        ("run: x, argv: [a], unknwn: 1", ["E201", "E206"]),
        ("description: nothing", ["E206"]),
        ("agent: python, with: [1]", ["E203"]),
        ("agent: 7", ["E203"]),
        ("run: [1, 2]", ["E203"]),
        ("argv: []", ["E204"]),
    ],
)
def test_a_node_of_a_wrong_shape_has_its_other_faults_told_too(compiled: Compile, node: str, own: list[str]) -> None:
    more = "needs: [gone], when: 1 +, timeout: 5, env: {A: '{{ nodes.gone.output }}'}"
    found = compiled(f"nodes: {{a: {{{node}, {more}}}}}\n")
    assert codes(found) == sorted([*own, "E207", "E301", "E305", "E401"])
    assert found.plan is None


def test_what_a_node_of_two_kinds_reads_is_looked_at(compiled: Compile) -> None:
    found = compiled(
        "nodes: {a: {run: 'echo {{ nodes.x.output }}', argv: [a, '{{ nodes.y.output }}'], cwd: '{{ 1 + }}'}}\n"
    )
    assert codes(found) == ["E206", "E305", "E305", "E401"]


def test_nothing_is_said_of_the_output_of_a_node_of_which_nobody_knows_what_it_does(compiled: Compile) -> None:
    found = compiled("nodes: {a: {run: [x]}, b: {run: 'echo {{ nodes.a.output.deep }}'}}\n")
    assert codes(found) == ["E203"]


def test_a_cycle_through_a_node_of_a_wrong_shape_is_found(compiled: Compile) -> None:
    assert codes(compiled("nodes: {a: {run: [x], needs: [b]}, b: {run: x, needs: [a]}}\n")) == ["E203", "E304"]


def test_an_expression_that_cannot_be_read_is_not_said_to_give_another_type(compiled: Compile) -> None:
    assert codes(compiled("nodes: {a: {when: 1 +, run: x}}\n")) == ["E401"]
    assert codes(compiled("nodes: {a: {agent: http, with: {url: '{{ 1 + }}'}}}\n")) == ["E401"]


@pytest.mark.parametrize("id", ["a-b", "1a", "'{{ x }}'", "'-'", "é", f"{'x' * 201}"])
def test_a_node_without_an_identifier_has_its_other_faults_told_too(compiled: Compile, id: str) -> None:
    more = "needs: [gone], when: 1 +, timeout: 5, env: {A: '{{ nodes.gone.output }}'}"
    found = compiled(f"nodes: {{{id}: {{run: 'echo {{{{ inputs.gone }}}}', {more}}}}}\n")
    assert codes(found) == sorted(["E205", "E207", "E301", "E305", "E308", "E401"])
    assert found.plan is None


def test_faults_of_a_node_without_an_identifier_are_told_at_their_places(compiled: Compile) -> None:
    found = compiled(
        "nodes:\n  a_b: {run: x}\n  a-b: {run: 'echo {{ nodes.gone.output }}'}\n  b: {run: x, needs: [a-b]}\n"
    )
    assert [(one.code, one.line) for one in found.diagnostics] == [("E205", 4), ("E305", 4)]


def test_a_node_without_an_identifier_may_be_of_a_wrong_shape_too(compiled: Compile) -> None:
    assert codes(compiled("nodes: {a-b: {run: x, argv: [y], needs: [gone]}, b: {run: x}}\n")) == [
        "E205",
        "E206",
        "E301",
    ]
    assert codes(compiled("nodes: {a-b: text, b: {run: x}}\n")) == ["E203", "E205"]
    assert codes(compiled("nodes: {a-b: {agent: http, with: {color: x}}}\n")) == ["E205", "E503", "E504"]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("defaults: {timeout: 5, cwd: ../.., retry: 0}", ["E204", "E207", "E601"]),
        ("concurrency: {max_parallel: 0, group: '{{ nodes.a.output }}'}", ["E204", "E311"]),
        ("concurrency: {group: 5, cancel_in_progress: true}", ["E203"]),
        ("budget: {max_time: 5, max_cost: -1}", ["E204", "E207"]),
    ],
)
def test_a_wrong_key_of_the_file_hides_none_beside_it(compiled: Compile, text: str, wanted: list[str]) -> None:
    assert codes(compiled(f"{text}\nnodes: {{a: {{run: x}}}}\n")) == wanted


@pytest.mark.parametrize(
    ("node", "wanted"),
    [
        ("for_each: {items: '{{ inputs.x }}', key: '{{ inputs.y }}', max_parallel: 0}", ["E204", "E308", "E308"]),
        ("for_each: {items: 5, key: '{{ inputs.y }}'}", ["E203"]),
        ("for_each: {key: '{{ inputs.y }}', max_parallel: 0}", ["E202", "E204"]),
        ("cache: {ttl: 5, key: '{{ inputs.y }}', files: [../x]}", ["E207", "E308", "E601"]),
        ("retry: {max_attempts: 0}, effect: once", ["E204", "E212"]),
        ("artifacts: [{name: a, path: ../x}, {name: a}, 5, {name: b, path: ''}, {name: a, path: y}]",
         ["E202", "E203", "E204", "E303", "E601"]),
    ],
)  # fmt: skip
def test_a_wrong_part_of_a_key_of_a_node_hides_none_beside_it(compiled: Compile, node: str, wanted: list[str]) -> None:
    assert codes(compiled(f"nodes: {{a: {{run: x, {node}}}}}\n")) == wanted


def test_an_item_of_a_for_each_of_a_wrong_shape_is_no_unknown_name(compiled: Compile) -> None:
    assert codes(compiled("nodes: {a: {run: 'echo {{ item.x }} {{ index }}', for_each: {items: 5}}}\n")) == ["E203"]


@pytest.mark.parametrize(
    "node",
    [
        "agent: python, wiht: {call: 'm:f'}",
        "agent: http, with: {ulr: 'http://localhost'}",
        "run: x, for_each: {itmes: [1]}",
        "run: x, artifacts: [{nmae: x, path: y}]",
    ],
)
def test_what_is_missing_since_its_key_is_misspelt_is_told_once(compiled: Compile, node: str) -> None:
    (found,) = compiled(f"nodes: {{a: {{{node}}}}}\n").diagnostics
    assert found.hint is not None and found.hint.startswith("did you mean")


@pytest.mark.parametrize(
    "node",
    [
        "agent: python, x-with: {call: 'm:f'}",
        "agent: http, with: {x-url: 'http://localhost'}",
        "run: x, for_each: {x-items: [1]}",
        "run: x, artifacts: [{x-name: x, path: y}]",
    ],
)
def test_a_key_of_the_users_own_is_no_misspelt_one(compiled: Compile, node: str) -> None:
    assert codes(compiled(f"nodes: {{a: {{{node}}}}}\n")) != []


@pytest.mark.parametrize("secrets", ["{S: {from: envv}}", "{S: {form: env}}", "{S: env}", "[S]", "5"])
def test_a_secret_that_is_declared_wrongly_is_not_said_to_be_missing(compiled: Compile, secrets: str) -> None:
    nodes = "{a: {run: x, secrets: [S]}, b: {agent: http, secrets: [S], with: {url: '{{ secrets.S }}'}}}"
    assert len(codes(compiled(f"secrets: {secrets}\nnodes: {nodes}\n"))) == 1


@pytest.mark.parametrize("section", ["inputs", "env"])
@pytest.mark.parametrize("wrong", ["[A]", "5", "[{name: A}]"])
def test_what_a_section_that_is_no_map_may_declare_is_not_said_to_be_missing(
    compiled: Compile, section: str, wrong: str
) -> None:
    found = compiled(f"{section}: {wrong}\nnodes: {{a: {{run: 'echo {{{{ {section}.A }}}}'}}}}\n")
    assert codes(found) == ["E203"]


@pytest.mark.parametrize("given", ["promt: x", "mesages: []"])
def test_an_option_that_is_misspelt_is_not_also_said_to_be_missing(compiled: Compile, given: str) -> None:
    found = compiled(f"nodes: {{a: {{agent: llm, provider: openai, with: {{model: m, {given}}}}}}}\n")
    assert codes(found) == ["E503"]


@pytest.mark.parametrize("key", ["steps", "jobs", "tasks"])
def test_a_file_with_the_nodes_of_another_system_is_not_also_said_to_have_none(compiled: Compile, key: str) -> None:
    assert codes(compiled(f"{key}: {{a: {{run: x}}}}\n")) == ["E208"]


def test_an_entry_of_needs_that_is_no_text_hides_none_of_the_others(compiled: Compile) -> None:
    found = compiled("nodes: {a: {run: x, needs: [5, nope, a]}, b-c: {run: x, needs: [nope, null]}}\n")
    assert codes(found) == ["E203", "E203", "E205", "E301", "E301", "E302"]


def test_more_warnings_than_are_shown_are_no_error_and_hide_none(compiled: Compile) -> None:
    many = "".join(f"  n{n}: {{run: 'echo {{% if x %}}'}}\n" for n in range(1100))
    found = compiled(f"nodes:\n{many}")
    assert found.plan is not None and {one.code for one in found.diagnostics} == {"W404", "W119"}
    assert len(found.diagnostics) == 1001
    assert "E301" in codes(compiled(f"nodes:\n{many}  last: {{run: x, needs: [gone]}}\n"))


@pytest.mark.parametrize(
    ("key", "hint"), [("1", "write `_1`"), ("1.5", "write `_1_5`"), ("? [a, b]\n  ", "write `a_b`")]
)
def test_a_node_id_that_is_no_text_is_told_once_and_the_hint_can_be_followed(
    compiled: Compile, key: str, hint: str
) -> None:
    (fault,) = compiled(f"nodes:\n  {key}: {{run: x}}\n").diagnostics
    assert (fault.code, fault.hint) == ("E109", hint)


def test_a_kind_of_error_that_is_misspelt_is_answered_with_the_one_that_is_meant(compiled: Compile) -> None:
    (fault,) = compiled("nodes: {a: {run: x, retry: {on: [timout]}}}\n").diagnostics
    assert (fault.code, fault.hint) == ("E204", "did you mean `timeout`?")


@pytest.mark.parametrize(("node", "code"), [("\n    run:echo x", "E203"), ("{run:echo x}", "E201")])
def test_a_colon_without_a_space_is_told_as_that(compiled: Compile, node: str, code: str) -> None:
    (fault,) = compiled(f"nodes:\n  a: {node}\n").diagnostics
    assert (fault.code, fault.hint) == (code, "a space behind the colon makes it a key: `run: echo x`")
