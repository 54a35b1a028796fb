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
  i: {{type: integer, default: 3}}
  f: {{type: number, default: 0.5}}
  p: {{type: string, pattern: "^[a-z][a-z0-9.-]*$", default: web}}
  q: {{type: string, pattern: "^[a-z0-9-]+$", default: web}}
  r: {{type: string, pattern: "[a-z]+", default: web}}
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


@pytest.mark.parametrize(
    "run",
    [
        "ssh host systemctl restart {{ inputs.p }}",
        "ssh host 'cd /srv/{{ inputs.p }} && docker compose pull {{ inputs.p }}'",
        "ssh -p {{ inputs.i }} host \"tail -n {{ inputs.i }} /var/log/{{ inputs.p }}.log | grep -v '{{ inputs.p }}'\"",
        "ssh -J {{ inputs.p }} host uptime",
        "scp -J {{ inputs.p }} a host:b",
        "ssh jump ssh {{ inputs.p }} ls {{ inputs.p }}",
        "sh -c 'ls {{ inputs.p }} | wc -l'",
        "su bob -c 'ls {{ inputs.p }}'",
        "watch ls {{ inputs.p }}",
        "vagrant ssh -c 'ls {{ inputs.p }}'",
        "gcloud compute ssh vm --command='ls {{ inputs.p }}'",
        "az ssh vm -n a -- ls {{ inputs.p }}",
        "sed -n '{{ inputs.i }}p' f",
        "psql -c 'delete from t where age > {{ inputs.f }} limit {{ inputs.i }}'",
        "awk 'NR == {{ inputs.i }} + 1' f",
        "python3 -c 'print({{ inputs.i }})'",
        "make -j {{ inputs.i }}",
        "NODE_OPTIONS=--max-old-space-size={{ inputs.i }} npm test",
        "ssh host docker ps --format {% raw %}'{{.Names}}'{% endraw %} --filter name={{ inputs.p }}",
    ],
)
def test_s3_numbers_and_words_of_a_pattern_are_not_refused_where_they_are_data(compiled: Compile, run: str) -> None:
    assert codes(compiled, f"run: |-\n      {run}") == []


@pytest.mark.parametrize(
    "run",
    [
        "ssh host {{ inputs.p }}",
        "ssh host sudo {{ inputs.p }} now",
        "ssh host ls {{ inputs.q }}",
        "ssh host ls {{ inputs.r }}",
        "ssh host ls {{ inputs.p }} {{ inputs.s }}",
        "ssh host ls {{ inputs.i }} {{ inputs.s }}",
        "ssh host 'eval {{ inputs.p }}'",
        "ssh host 'echo $(( {{ inputs.p }} ))'",
        "ssh host 'x={{ inputs.p }}; $x'",
        "ssh host ls '$ {{ inputs.p }}' | sh -c {{ inputs.p }}",
        "ssh host 'sh {{ inputs.p }}'",
        "ssh host ls {{ inputs.p }} $more",
        "ssh host 'awk {{ inputs.p }} f'",
        "awk '{{ inputs.p }}' f",
        "python3 -c '{{ inputs.p }}'",
        "sh -c {{ inputs.p }}",
        "sh job-{{ inputs.i }}.sh",
        "python{{ inputs.i }} -V",
        "ssh -J {{ inputs.q }} host",
        "make {{ inputs.s }} -j {{ inputs.i }}",
    ],
)
def test_s3_they_are_where_they_choose_what_runs_or_another_value_is_code(compiled: Compile, run: str) -> None:
    assert {"E420", "E421"} & set(codes(compiled, f"run: |-\n      {run}"))


def test_s3_words_of_a_pattern_are_data_in_the_items_of_argv_too(compiled: Compile) -> None:
    assert codes(compiled, "argv: [ssh, host, systemctl, restart, '{{ inputs.p }}']") == []
    assert codes(compiled, "argv: [ssh, host, '{{ inputs.p }}']") == ["E420"]
    assert codes(compiled, "argv: [sh, -c, 'ls {{ inputs.p }} {{ inputs.i }}']") == []


@pytest.mark.parametrize(
    ("env", "run", "expected"),
    [
        ("NODE_OPTIONS: '--max-old-space-size={{ inputs.i }}'", "npm test", []),
        ("JAVA_OPTS: '-Xmx{{ inputs.i }}m -Dx={{ inputs.e }}'", "./gradlew {{ inputs.e }}", []),
        ("PATH: '/opt/{{ inputs.e }}/bin:/bin'", "ls", []),
        ("EDITOR: '{{ inputs.e }}'", "git commit", []),
        ("X: '{{ inputs.i }}'", 'ssh host "tail -n $X f"', []),
        ("PATH: '/opt/{{ inputs.i }}/bin:/bin'", "ls", ["E421"]),
        ("NODE_OPTIONS: '{{ inputs.s }}'", "npm test", ["E420"]),
        ("NODE_OPTIONS: '--a={{ inputs.i }} {{ inputs.s }}'", "npm test", ["E420"]),
        ("NODE_OPTIONS: '--a={{ inputs.i }}', EDITOR: '{{ inputs.s }}'", "npm test", ["E420"]),
        ("X: '{{ inputs.s }}'", 'ssh host "tail -n $X f"', ["E420"]),
        ("X: '{{ inputs.p }}'", 'eval "$X"', ["E420"]),
    ],
)
def test_s3_variables_of_listed_words_and_numbers_are_not_refused(
    compiled: Compile, env: str, run: str, expected: list[str]
) -> None:
    assert codes(compiled, f"run: |-\n      {run}\n    env: {{{env}}}") == expected


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
