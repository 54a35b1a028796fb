"""Values that the file lists itself may stand where the file could say them (S3)."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from pipe_runner.compiler import Compilation

Compile = Callable[[str], Compilation]
FILE = """
inputs:
  e: {{type: string, enum: [build, test], default: build}}
  s: {{type: string, default: x}}
  l: {{type: array, items: {{type: string, enum: [sh]}}, default: [sh]}}
  b: {{type: boolean, default: false}}
  o: {{type: string, enum: ["", web], default: ""}}
  n: {{type: string, enum: [web], required: false}}
nodes:
  n: {{run: echo sh, output: json}}
  a:
    {node}
"""


def codes(compiled: Compile, node: str) -> list[str]:
    return [one.code for one in compiled(FILE.format(node=node)).diagnostics]


@pytest.mark.parametrize(
    "node",
    [
        "{matrix: {py: ['3.11', '3.12']}, run: 'python{{ matrix.py }} -m pytest'}",
        "{matrix: {py: [3, 3.5]}, run: 'python{{ matrix.py }} -V'}",
        "{run: '{{ inputs.e }} --fast'}",
        "{run: 'make {{ inputs.e }} && make \"{{ inputs.e }}\"'}",
        "{run: 'ssh host ./run {{ inputs.e }}'}",
        "{argv: ['{{ inputs.e }}', x]}",
        "{argv: [make, '{{ inputs.e }}']}",
        "{for_each: {items: [web, db]}, run: 'kubectl exec pod -- ./{{ item }}.sh'}",
        "{for_each: {items: [{do: up}, {do: down}]}, run: '{{ item.do }} now'}",
        "{for_each: {items: [web, db]}, run: 'psql -c \"vacuum {{ item }}\"'}",
        "{run: 'if {{ inputs.b }}; then ls; fi'}",
        "{run: '{{ inputs.b }} && {{ inputs.s == \"x\" }} && ls'}",
        '{run: \'make {{ inputs.o or "all" }} && make {{ inputs.n or "all" }}\'}',
        "{run: 'ssh host ./{{ \"stop\" if inputs.b else inputs.e }} now'}",
    ],
)
def test_s3_words_of_a_list_of_the_file_are_not_refused(compiled: Compile, node: str) -> None:
    assert codes(compiled, node) == []


@pytest.mark.parametrize(
    ("node", "code"),
    [
        ("{run: '{{ inputs.s }} x'}", "E421"),
        ("{for_each: {items: [a, $(id)]}, run: '{{ item }} x'}", "E421"),
        ("{for_each: {items: [a, -c]}, run: 'ssh host {{ item }}'}", "E420"),
        ("{for_each: {items: ['X=1']}, run: 'make {{ item }}'}", "E420"),
        ("{for_each: {items: [a, '{{ nodes.n.output }}']}, run: '{{ item }} x'}", "E421"),
        ("{for_each: {items: '{{ nodes.n.output }}'}, run: '{{ item }} x'}", "E421"),
        ("{for_each: {items: '{{ inputs.l }}'}, run: '{{ item }} x'}", "E421"),
        ("{matrix: {sh: [echo, eval]}, run: '{{ matrix.sh }} {{ inputs.s }}'}", "E421"),
        ("{matrix: {sh: [echo, xargs]}, argv: ['{{ matrix.sh }}', sh, -c, '{{ inputs.s }}']}", "E420"),
        ("{matrix: {sh: [sh, bash]}, run: '{{ matrix.sh }} -c \"echo {{ inputs.s }}\"'}", "E421"),
        ("{run: 'x={{ inputs.e }}{{ inputs.s }}; $x'}", "E421"),
        ("{run: '{{ inputs.e ~ inputs.s }}'}", "E421"),
        ("{run: '{{ inputs.o }} x'}", "E421"),
        ("{run: '{{ inputs.s or \"all\" }} x'}", "E421"),
        ("{run: '{{ inputs.e or inputs.s }} x'}", "E421"),
        ('{run: \'{{ "up" if nodes.n.output else "down" }} x\'}', "E421"),
        ('{run: \'ssh host {{ "a;b" if inputs.b else "c" }}\'}', "E420"),
    ],
)
def test_s3_they_are_where_a_word_is_no_plain_one_or_makes_code_of_another_value(
    compiled: Compile, node: str, code: str
) -> None:
    assert code in codes(compiled, node)


@pytest.mark.parametrize(
    "node",
    [
        "{run: '{{ matrix.a }}{{ matrix.b }} -c {{ inputs.s }}'}",
        "{run: 'x={{ matrix.a }}; y={{ matrix.b }}; $x$y -c {{ inputs.s }}'}",
        "{argv: ['{{ matrix.a }}{{ matrix.b }}', -c, '{{ inputs.s }}']}",
        "{argv: [env, '{{ matrix.n }}', '{{ matrix.b }}', -c, '{{ inputs.s }}']}",
    ],
)
def test_s3_they_are_where_several_of_them_together_make_code_of_another_value(compiled: Compile, node: str) -> None:
    matrix = "{matrix: {a: [ba, da], b: [sh], n: [env, nice]}, "
    assert {"E420", "E421"} & set(codes(compiled, node.replace("{", matrix, 1)))


@pytest.mark.parametrize(
    "run",
    [
        "'{{ matrix.a }}{{ matrix.b }} -c ls'",
        "'python{{ matrix.a }} -V && make {{ matrix.b }} {{ inputs.e }} && {{ inputs.e }} {{ inputs.s }}'",
    ],
)
def test_s3_several_of_them_in_one_command_are_not_refused(compiled: Compile, run: str) -> None:
    assert codes(compiled, f"{{matrix: {{a: [ba, da], b: [sh, x]}}, run: {run}}}") == []


def test_s3_what_a_node_gave_is_no_list_of_the_file_since_it_is_kept_also_where_it_does_not_fit(
    compiled: Compile,
) -> None:
    schema = "{type: object, required: [w], properties: {w: {enum: [up, down]}}}"
    text = f"""
    nodes:
      m: {{agent: llm, provider: openai, continue_on_error: true, with: {{prompt: x, output_schema: {schema}}}}}
      a: {{run: "{{{{ nodes.m.output.w }}}} x"}}
    """
    assert [one.code for one in compiled(text).diagnostics] == ["E421"]


def test_r2_looking_at_many_lists_is_bounded(compiled: Compile) -> None:
    words = ", ".join(f"w{number}" for number in range(50))
    many = "\n".join(f"      make {{{{ inputs.e }}}} {number}; {'true; ' * 100}" for number in range(60))
    text = f"inputs: {{e: {{type: string, enum: [{words}], default: w1}}}}\nnodes:\n  a:\n    run: |\n{many}\n"
    began = time.process_time()
    assert {one.code for one in compiled(text).diagnostics} <= {"E420"}
    assert time.process_time() - began < 2


def test_where_there_are_too_many_the_hint_says_that_they_were_not_looked_at(compiled: Compile) -> None:
    nodes = "\n".join(f"  n{number}: {{run: 'make {{{{ inputs.e }}}} {number}'}}" for number in range(1100))
    told = compiled(f"inputs: {{e: {{type: string, enum: [a, b], default: a}}}}\nnodes:\n{nodes}\n").diagnostics
    assert len(told) == 100
    assert all("take some into a sub-pipeline" in (one.hint or "") for one in told)
