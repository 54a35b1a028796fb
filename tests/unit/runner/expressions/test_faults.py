"""What `check` says of expressions: code, place and a hint that shows the way."""

from __future__ import annotations

import pytest

from pipe_runner.codes import CODES
from pipe_runner.expressions import (
    Fault,
    compile_argv,
    compile_condition,
    compile_python_text,
    compile_shell,
    compile_value,
)


def only(faults: list[Fault]) -> Fault:
    assert len(faults) == 1, faults
    assert faults[0].code in CODES
    return faults[0]


@pytest.mark.parametrize(
    ("text", "code", "place", "says"),
    [
        ("a {{ inputs.x", "E402", "{{", "{% raw %}{{{% endraw %}"),
        ("{% if inputs.x", "E402", "{%", "`{%` without its `%}`"),
        ("a {# b", "E402", "{#", "`{#` without its `#}`"),
        ("{% raw %}a", "E402", "{% raw %}", "{% endraw %}"),
        ("{{ }}", "E401", "}}", "an expression is missing"),
        ("{{ inputs.x y }}", "E401", "y", "`y` is not expected here"),
        ("{{ inputs.x = 1 }}", "E401", "=", "write `==`"),
        ("{{ inputs.x && inputs.y }}", "E401", "&& ", "write `and`"),
        ("{{ inputs.x || inputs.y }}", "E401", "||", "write `or`"),
        ("{{ !inputs.x }}", "E401", "!inputs", "not x"),
        ("{{ inputs.x ? 1 : 2 }}", "E401", "?", "a if condition else b"),
        ("{{ inputs.x ?? 1 }}", "E401", "??", "x | default("),
        ("{{ 'a }}", "E401", "'a", "closing quote"),
        ("{{ (inputs.x }}", "E401", "}}", "`}` stands where `(`"),
        ("{{ inputs.x) }}", "E401", ")", "closes nothing"),
        ("{{ '\\x1' }}", "E401", "\\x1", "no escape sequence"),
        ("{{ $x }}", "E401", "$x", "inputs.x"),
        ("{{ 0x }}", "E401", "x }}", "`x` is not expected here"),
        ("{% if inputs.x %}a", "E401", "", "endif"),
        ("{% foo %}", "E401", "foo", "blocks are for, if, set"),
        ("{% include 'x' %}", "E404", "{% include", "is not available"),
        ("{% macro m() %}{% endmacro %}", "E404", "{% macro", "is not available"),
        ("{% for x in [] recursive %}{% endfor %}", "E404", "for x", "recursive"),
        ("{% set inputs = 1 %}", "E401", "inputs", "has a meaning already"),
        ("{{ inputs.f(1) }}", "E411", ".f(", "no method `.f()`"),
        ("{{ item(1) }}", "E411", "item", "no function `item()`"),
        ("{{ input.x }}", "E410", "input", "an input is inputs.<name>"),
        ("{{ inptus.x }}", "E410", "inptus", "did you mean inputs?"),
        ("{{ needs.a.outputs.x }}", "E410", "needs", "nodes.<id>.output"),
        ("{{ steps.a.x }}", "E410", "steps", "nodes.<id>.output"),
        ("{{ hello }}", "E410", "hello", "text needs quotes: 'hello'"),
        ("{{ loop.index }}", "E410", "loop", "{% for %}"),
        ("{% for x in [1] %}{{ loop.indx }}{% endfor %}", "E410", "loop", "loop.index"),
        ("{{ inputs.x | uper }}", "E411", "uper", "did you mean `| upper`?"),
        ("{{ inputs.x | ternary(1, 2) }}", "E411", "ternary", "a if condition else b"),
        ("{{ random() }}", "E411", "random", "the same values"),
        ("{{ inputs.x | to_json }}", "E411", "to_json", "`| tojson`"),
        ("{{ inputs.x | regex_replace('a', 'b') }}", "E411", "regex_replace", "no bound in time"),
        ("{{ inputs.x | quote }}", "E411", "quote", "needs no quoting"),
        ("{{ inputs.x | trust }}", "E411", "trust", "only in `run:`"),
        ("{{ inputs.x | map('uper') }}", "E411", "'uper'", "upper"),
        ("{{ inputs.x | select('od') }}", "E411", "'od'", "is odd"),
        ("{{ inputs.x is strin }}", "E411", "strin", "did you mean `is string`?"),
        ("{{ nodes.a is failed }}", "E411", "failed", 'nodes.<id>.status == "failed"'),
        ("{{ len(inputs.x) }}", "E411", "len", "`x | length`"),
        ("{{ length(inputs.x) }}", "E411", "length", "it is a filter"),
        ("{{ always() }}", "E411", "always", "run_on: always"),
        ("{{ now() }}", "E411", "now", "run.started_at"),
        ("{{ inputs.x.append(1) }}", "E411", ".append", "values can't be changed"),
        ("{{ 'a'.format(1) }}", "E411", ".format", "format(x)"),
        ("{{ range }}", "E411", "range", "call it"),
        ("{{ null }}", "E410", "null", "write none"),
        ("{{ inputs.x == null }}", "E410", "null", "is none"),
        ("{{ inputs.x | replace('a') }}", "E414", "replace", "it takes `old`, `new` and, if wanted, `count`"),
        ("{{ inputs.x | upper(1) }}", "E414", "upper", "it takes no arguments"),
        ("{{ inputs.x | replace }}", "E414", "replace", "without arguments"),
        ("{{ inputs.x | trim(side='left') }}", "E414", "trim", "`side=`"),
        ("{{ inputs.x | map('replace', 'a') }}", "E414", "'replace'", "1 argument"),
        ("{{ inputs.x | select('divisibleby') }}", "E414", "'divisibleby'", "`by`"),
        ("{{ inputs.x | selectattr('a', 'divisibleby') }}", "E414", "'divisibleby'", "`by`"),
        ("{{ inputs.x is divisibleby }}", "E414", "divisibleby", "`by`"),
        ("{{ inputs.x is odd(1) }}", "E414", "odd", "no arguments"),
        ("{{ inputs.x.upper(1) }}", "E414", ".upper", "no arguments"),
        ("{{ inputs.x.startswith() }}", "E414", ".startswith", "`affix`"),
        ("{{ inputs.x.strip('a', 'b') }}", "E414", ".strip", "2 arguments"),
        ("{% filter upper(1) %}a{% endfilter %}", "E414", "upper", "no arguments"),
        ("{{ range() }}", "E414", "range", "range(5)"),
        ("{{ nodes }}", "E412", "nodes", "nodes.<id>.output"),
        ("{{ nodes[inputs.x].output }}", "E412", "nodes", "must be known before the run"),
        ("{{ nodes.a.outputs.x }}", "E413", "nodes.a", "did you mean `nodes.a.output`?"),
        ("{{ nodes.a.stdout }}", "E413", "nodes.a", "nodes.a.output"),
        ("{{ nodes.a.foo }}", "E413", "nodes.a", "there is output, status"),
        ("{{ run.number }}", "E413", "run.number", "there is id"),
        ("{{ secrets.X | upper }}", "E405", "secrets.X", "alone"),
        ("{{ secrets.X ~ 'a' }}", "E405", "secrets.X", "alone"),
        ("{{ secrets }}", "E405", "secrets", "secrets.<NAME>"),
        ("{{ secrets['a']['b'] }}", "E405", "secrets", "secrets.<NAME>"),
        ("{% if secrets.X %}a{% endif %}", "E405", "secrets.X", "alone"),
        ("{% filter upper %}{{ secrets.X }}{% endfilter %}", "E405", "secrets.X", "alone"),
        ("{% set x %}{{ secrets.X }}{% endset %}", "E405", "secrets.X", "alone"),
        ("{% set x = secrets.X %}", "E405", "secrets.X", "alone"),
        ("${{ inputs.x }}", "E406", "${{", "write {{ inputs.x }}, without the dollar sign"),
        ("a ${{ needs.b.outputs.c }}", "E406", "${{", "{{ nodes.b.output.c }}"),
        ("${{ github.sha }}", "E406", "${{", "{{ run.git_sha }}"),
        ("{{.Names}}", "E407", "{{.", "{% raw %}{{.Names}}{% endraw %}"),
        ("{{ range .Items }}", "E407", "{{ range", "{% raw %}"),
        ("{{ json . }}", "E407", "{{ json", "{% raw %}{{ json . }}{% endraw %}"),
        ("{{- .State.Status }}", "E407", "{{-", "Go template"),
        ("{{end}}", "E407", "{{end", "Go template"),
        ("{{ " + "9" * 500 + " }}", "E403", "999", "400 digits"),
        ("{{ " + "a" * 300 + " }}", "E403", "aaa", "200 letters"),
    ],
)  # fmt: skip
def test_a_value_with_a_fault(text: str, code: str, place: str, says: str) -> None:
    _, faults = compile_value(text)
    fault = only(faults)
    assert fault.code == code
    assert says in f"{fault.message} {fault.hint}"
    assert text.startswith(place, fault.offset), text[fault.offset :]
    assert "jinja" not in f"{fault.message} {fault.hint}".lower()


@pytest.mark.parametrize(
    ("text", "code", "offset", "says"),
    [
        ("{{ inputs.x }}", "E408", 0, "write: inputs.x"),
        ("${{ inputs.x }}", "E408", 0, "write: inputs.x"),
        ("{{ inputs.x }} == 1", "E408", 0, "write: inputs.x == 1"),
        ("nodes.a.output == '{{ x }}' and {{ inputs.y }}", "E408", 32, "without `{{ }}` in it"),
        ("", "E401", 0, "empty"),
        ("  ", "E401", 0, "empty"),
        ("inputs.x = 1", "E401", 9, "write `==`"),
        ("always()", "E411", 0, "run_on: always"),
        ("needs.a.result == 'success'", "E410", 0, "nodes.<id>"),
        ("secrets.X == 'a'", "E405", 0, "alone"),
        ("secrets.X", "E405", 0, "alone"),
        ("inputs.x ==", "E401", 11, "more of it is expected"),
        ("inputs.x and", "E401", 12, "more of it is expected"),
        ("inputs.x, inputs.y", "E401", 8, "`,` is not expected here"),
        ("yes please", "E401", 4, "`please` is not expected here"),
        ("nodes.a.result == 1", "E413", 0, "did you mean `nodes.a.output`?"),
    ],
)
def test_a_condition_with_a_fault(text: str, code: str, offset: int, says: str) -> None:
    _, faults = compile_condition(text)
    fault = faults[0]
    assert (fault.code, fault.offset) == (code, offset)
    assert says in f"{fault.message} {fault.hint}"


def test_all_faults_of_a_text_come_at_once() -> None:
    _, faults = compile_value("{{ a | b }} {{ c is d }} {{ nodes }}")
    assert sorted(fault.code for fault in faults) == ["E410", "E410", "E411", "E411", "E412"]


def test_after_a_syntax_error_the_rest_is_read_too() -> None:
    _, faults = compile_value("{{ ! }} {{ $ }}")
    assert [(fault.code, fault.offset) for fault in faults] == [("E401", 3), ("E401", 11)]


def test_lines_do_not_move_a_place() -> None:
    text = "first\n\n  {{ inputs.x |\n   uper }}\n"
    fault = only(compile_value(text)[1])
    assert text[fault.offset : fault.offset + fault.length] == "uper"


def test_a_python_program_holds_no_expression() -> None:
    text = "import os\nprint({{ inputs.x }}, {% raw %}f'{{{os}}}'{% endraw %})"
    compiled, faults = compile_python_text(text)
    fault = only(faults)
    assert (fault.code, fault.offset, fault.length) == ("E426", 16, 14)
    assert "os.environ['X']" in str(fault.hint)
    assert compiled.program == "import os\nprint({{ inputs.x }}, f'{{{os}}}')"
    assert compile_python_text("print({1: {2: 3}}, '{% if %}')")[1] == []


@pytest.mark.parametrize("compile_it", [compile_shell, compile_python_text, compile_value, compile_condition])
def test_a_text_without_expressions_is_left_as_it_is(compile_it: object) -> None:
    assert callable(compile_it)
    _, faults = compile_it("1 == 1")
    assert faults == []


def test_argv_says_which_item_is_wrong() -> None:
    _, faults = compile_argv(["echo", "{{ inputs.x | uper }}", "{{ y }}"])
    assert [(index, fault.code) for index, fault in faults] == [(1, "E411"), (2, "E410")]


@pytest.mark.parametrize(
    ("words", "code", "item"),
    [
        (["tar", "cf", "x.tar", "{{ inputs.x }}"], "W406", 3),
        (["cp", "a{% raw %}{{{% endraw %}", "{{ inputs.x }}"], None, 0),
    ],
)
def test_arguments_without_a_shell_are_warned_of_in_the_item_that_they_stand_in(
    words: list[str], code: str | None, item: int
) -> None:
    _, faults = compile_argv(words)
    assert [(at, fault.code, words[at][fault.offset :][:2]) for at, fault in faults] == (
        [(item, code, "{{")] if code else []
    )
