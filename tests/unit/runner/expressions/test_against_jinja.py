"""Where Jinja gives a JSON value, we give the same one: our evaluation beside jinja2's own, on made-up templates."""

from __future__ import annotations

import json
import types
from functools import cache
from typing import Any

import jinja2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2.sandbox import ImmutableSandboxedEnvironment

from pipe_runner.expressions import ExpressionFault, compile_value, evaluate

SCOPE: dict[str, Any] = {
    "inputs": {"n": 5, "s": "Hello World", "l": [3, 1, 2], "d": {"b": 2, "a": 1}, "t": True, "z": None, "e": ""},
    "item": {"name": "x", "tags": ["q", "r"]},
    "matrix": {"os": "linux"},
}
THEIRS = ImmutableSandboxedEnvironment(undefined=jinja2.StrictUndefined)


def either(*sources: str) -> st.SearchStrategy[str]:
    return st.sampled_from(sources)


def filled(form: str, *parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(*parts).map(lambda found: form.format(*found))


TEXT_FILTERS = either(
    "upper", "lower", "capitalize", "title", "trim", "replace('l', 'L')", "center(9)", "truncate(5)", "indent(2)",
    "wordwrap(4)", "urlencode", "striptags", "reverse", "default('q')", "escape | string", "string", "trim('a')",
)  # fmt: skip
LIST_FILTERS = either(
    "sort", "reverse | list", "unique | list", "list", "select('odd') | list", "default([])", "reject | list"
)
WORDS = either("upper()", "strip()", "swapcase()", "replace('l', 'xx')", "zfill(7)", "ljust(4)", "title()", "lower()")


@cache
def text(depth: int) -> st.SearchStrategy[str]:
    leaf = either("'a'", '"b c"', "inputs.s", "item.name", "inputs.e", "item.tags[1]", "inputs.s[0]", "''")
    if not depth:
        return leaf
    return st.one_of(
        leaf,
        filled("({} | {})", text(depth - 1), TEXT_FILTERS),
        filled("{}.{}", text(depth - 1), WORDS),
        filled("({} ~ {})", text(depth - 1), text(depth - 1)),
        filled("({} + {})", text(depth - 1), text(depth - 1)),
        filled("({} * {})", text(depth - 1), either("0", "1", "3")),
        filled("{}[{}:]", text(depth - 1), either("0", "1", "-2")),
        filled("({} | join('-'))", texts(depth - 1)),
        filled("({} if {} else {})", text(depth - 1), boolean(depth - 1), text(depth - 1)),
        filled("({} or {})", text(depth - 1), text(depth - 1)),
        filled("('%s-%03d' | format({}, {}))", text(depth - 1), either("1", "42")),
    )


@cache
def number(depth: int) -> st.SearchStrategy[str]:
    leaf = either("0", "1", "7", "2.5", "inputs.n", "inputs.d.a", "inputs.l[0]", "inputs.l[-1]")
    if not depth:
        return leaf
    return st.one_of(
        leaf,
        filled("({} {} {})", number(depth - 1), either("+", "-", "*", "/", "//", "%"), number(depth - 1)),
        filled("(-{})", number(depth - 1)),
        filled("({} | {})", number(depth - 1), either("abs", "int", "round", "round(1)", "float", "default(3)")),
        filled("({} | length)", text(depth - 1)),
        filled("(({} + [1]) | {})", numbers(depth - 1), either("sum", "max", "min", "first", "last", "length")),
        filled("({} | int)", text(depth - 1)),
        filled("({} | wordcount)", text(depth - 1)),
    )


@cache
def boolean(depth: int) -> st.SearchStrategy[str]:
    leaf = either("true", "false", "inputs.t")
    if not depth:
        return leaf
    order = either("==", "!=", "<", "<=", ">", ">=")
    return st.one_of(
        leaf,
        filled("({} {} {})", number(depth - 1), order, number(depth - 1)),
        filled("({} {} {})", text(depth - 1), order, text(depth - 1)),
        filled("({} {} {})", boolean(depth - 1), either("and", "or", "=="), boolean(depth - 1)),
        filled("(not {})", boolean(depth - 1)),
        filled("({} {} {})", text(depth - 1), either("in", "not in"), text(depth - 1)),
        filled("({} {} {})", number(depth - 1), either("in", "not in"), numbers(depth - 1)),
        filled(
            "({} is {})",
            text(depth - 1),
            either("string", "lower", "upper", "defined", "none", "not number", "mapping"),
        ),
        filled("({} is {})", number(depth - 1), either("number", "integer", "float", "gt 2", "eq 1", "in [1, 7]")),
    )


@cache
def numbers(depth: int) -> st.SearchStrategy[str]:
    leaf = either("inputs.l", "[]", "[1]", "range(3) | list", "[2, 7, 2]")
    if not depth:
        return leaf.map("({})".format)
    return st.one_of(
        leaf.map("({})".format),
        filled("[{}, {}]", number(depth - 1), number(depth - 1)),
        filled("({} + {})", numbers(depth - 1), numbers(depth - 1)),
        filled("({} | {})", numbers(depth - 1), LIST_FILTERS),
        filled("{}[1:]", numbers(depth - 1)),
        filled("({} | map('abs') | list)", numbers(depth - 1)),
    )


@cache
def texts(depth: int) -> st.SearchStrategy[str]:
    leaf = either("item.tags", "[]", "['x']", "'a b'.split()")
    if not depth:
        return leaf.map("({})".format)
    return st.one_of(
        leaf.map("({})".format),
        filled("[{}, {}]", text(depth - 1), text(depth - 1)),
        filled("({} | map('upper') | list)", texts(depth - 1)),
        filled("({} | list)", text(depth - 1)),
        filled("{}.split('l')", text(depth - 1)),
        filled("({} | sort)", texts(depth - 1)),
        filled("({} | batch(2) | map('join') | list)", texts(depth - 1)),
    )


expressions = st.one_of(text(3), number(3), boolean(3), numbers(3), texts(3))


def theirs(source: str) -> Any:
    value = THEIRS.compile_expression(source, undefined_to_none=False)(**SCOPE)
    return as_json(value)


def as_json(value: Any) -> Any:
    if isinstance(value, (list, tuple, types.GeneratorType)):
        return [as_json(member) for member in value]
    if isinstance(value, dict):
        return {str(key): as_json(member) for key, member in value.items()}
    if isinstance(value, str):
        return str(value)
    if value is None or isinstance(value, (bool, int, float)):
        return value
    raise TypeError(f"not JSON: {type(value)}")


@settings(max_examples=200, deadline=None)
@given(expressions)
def test_an_expression_gives_what_jinja_gives(source: str) -> None:
    compiled, faults = compile_value("{{ " + source + " }}")
    assert not faults, faults
    try:
        expected = theirs(source)
    except Exception:  # an empty list has no first one, a division by zero
        with pytest.raises(ExpressionFault):
            evaluate(compiled, SCOPE)
        return
    ours = evaluate(compiled, SCOPE)
    assert ours == expected
    assert json.loads(json.dumps(ours)) == ours


AGREED = [
    "inputs.n + 1", "inputs.n * 2 - 3", "7 // 2", "7 % 3", "7 / 2", "2 ** 10", "inputs.s ~ '!'", "inputs.s + '?'",
    "'a' * 3", "[1] + [2]", "inputs.l | sort", "inputs.l | max", "inputs.l | min", "inputs.l | sum",
    "inputs.l | join(', ')", "inputs.s | upper", "inputs.s | lower", "inputs.s | length", "inputs.l | first",
    "inputs.l | last", "inputs.s | replace('l', 'L', 1)", "inputs.s | truncate(8)", "inputs.s | truncate(8, true, '')",
    "inputs.s | wordcount", "inputs.s | center(20)", "'a\nb' | indent", "'a\nb' | indent(2, true)", "2.7 | round",
    "2.75 | round(1)", "2.1 | round(0, 'ceil')", "-3 | abs", "'12' | int", "'x' | int(7)", "'ff' | int(base=16)",
    "'2.5' | float", "inputs.d | dictsort", "inputs.d | dictsort(by='value', reverse=true)", "inputs.d | items | list",
    "inputs.l | batch(2) | list", "inputs.l | batch(2, 0) | list", "inputs.l | slice(2) | list",
    "[1, 1, 2] | unique | list", "['a', 'A'] | unique | list", "['b', 'A', 'a'] | sort",
    "['b', 'A', 'a'] | sort(case_sensitive=true)", "[{'a': 2}, {'a': 1}] | sort(attribute='a')",
    "[{'a': 2}, {'a': 1}] | map(attribute='a') | list", "[{'a': 2}, {}] | map(attribute='a', default=0) | list",
    "[{'a': 2}, {'a': 1}] | selectattr('a', 'gt', 1) | list", "[{'a': 2}, {'a': 1}] | rejectattr('a', 'eq', 1) | list",
    "[{'a': 1}, {'a': 0}] | selectattr('a') | list", "[1, 2, 3] | select('odd') | list", "[1, 0] | reject | list",
    "[{'a': 2}, {'a': 1}] | sum(attribute='a')", "'%s-%03d' | format('a', 7)", "'%(x)s' | format(x=1)", "'%s' % 'a'",
    "'%s %s' % (1, 2)", "'a,b,,c'.split(',')", "' a  b '.split()", "'a-b-c'.rsplit('-', 1)", "'abc'.startswith('a')",
    "'abc'.endswith(('x', 'c'))", "'ABC'.lower()", "'abc'[1:]", "'abc'[::-1]", "[1, 2, 3][:2]", "inputs.d.get('a')",
    "inputs.d.get('zz', 9)", "inputs.d.keys() | list", "inputs.d.values() | list", "1 if inputs.t else 2",
    "inputs.z is none", "inputs.n is odd", "inputs.n is divisibleby 5", "inputs.nope is defined",
    "inputs.nope is undefined", "inputs.nope | default(3)", "inputs.e | default(3)", "inputs.e | default(3, true)",
    "1 in [1, 2]", "'a' in 'abc'", "'a' in inputs.d", "1 not in [2]", "1 < 2 < 3", "1 < 2 > 5", "not inputs.t",
    "inputs.t and 'x'", "inputs.e or 'y'", "range(3) | list", "range(1, 8, 3) | list", "dict(a=1, b=2)",
    "[1, 2] == [1, 2]", "1 == 1.0", "inputs.n | string", "'<a&\"\\'>' | e | string", "'a b/c?&' | urlencode",
    "{'a b': 1, 'c': '&'} | urlencode", "'<b>x</b>  y' | striptags", "1000000 | filesizeformat",
    "1048576 | filesizeformat(true)", "'aaa bbb ccc' | wordwrap(3)", "'hello world foo' | wordwrap(7)",
    "'don\\'t stop' | title", "'a\\tb\\u00e9\\x41'", "1_000", "0x1f", "1e3", "'a' 'b'", "(1, 2)",
    "[[1, 'a'], [1, 'b']] | groupby(0) | map('last') | list", "['a', 'B'] | map('upper') | join", "3 | string | length",
    "inputs.nope | default(inputs.no) | default(3)", "inputs.n | default(inputs.nope)",
    "inputs.e | d(inputs.no, true) | d(3)",
    "'x' | default('y') | upper", "[3, [1, 2]] | last | first", "true is boolean", "1 is number", "'a' is string",
    "inputs.d is mapping", "inputs.l is sequence", "1.5 is float", "5 is integer", "'a' is lower", "2 is even",
    "3 is ge 3", "3 is in [1, 3]", "'abc' is not string", "inputs.l | length == 3 and inputs.n > 4",
]  # fmt: skip


@pytest.mark.parametrize("source", AGREED)
def test_we_agree_with_jinja_on(source: str) -> None:
    compiled, faults = compile_value("{{ " + source + " }}")
    assert not faults, faults
    assert evaluate(compiled, SCOPE) == theirs(source)


TEXTS = [
    "{% for x in inputs.l %}{{ x }}{% if not loop.last %},{% endif %}{% endfor %}",
    "{% for x in [] %}a{% else %}none{% endfor %}",
    "{% for k, v in inputs.d | dictsort %}{{ k }}={{ v }};{% endfor %}",
    "{% for x in inputs.l if x > 1 %}{{ loop.index }}/{{ loop.length }}:{{ x }} {% endfor %}",
    "{% for x in [1, 2] %}{% for y in [3, 4] %}{{ loop.depth }}{{ x }}{{ y }} {% endfor %}{% endfor %}",
    "{% for x in [1, 1, 2] %}{% if loop.changed(x) %}{{ x }}{% endif %}{{ loop.cycle('a', 'b') }}{% endfor %}",
    "{% for x in [1, 2, 3] %}{{ loop.previtem | default('-') }}<{{ x }}>{{ loop.nextitem | default('-') }}{% endfor %}",
    "{% for x in [1, 2] %}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{% endfor %}".replace(
        "loop.first", "1 if loop.first else 0"
    ),
    "{% if inputs.n > 9 %}a{% elif inputs.n > 4 %}b{% else %}c{% endif %}",
    "{% set x = inputs.n + 1 %}{{ x }}{% set x = x + 1 %}{{ x }}",
    "{% set a, b = [1, 2] %}{{ b }}{{ a }}",
    "{% set x %}a{{ inputs.n }}{% endset %}[{{ x | upper }}]",
    "{% set x | upper %}abc{% endset %}{{ x }}",
    "{% with x = 1, y = 2 %}{{ x + y }}{% endwith %}",
    "{% with %}{% set q = 3 %}{{ q }}{% endwith %}",
    "{% filter upper %}a{{ inputs.s }}{% endfilter %}",
    "{% filter replace('a', 'b') | upper %}aXa{% endfilter %}",
    "{% set x = 1 %}{% for i in [1, 2] %}{% set x = i %}{% endfor %}{{ x }}",
    "{% set x = 1 %}{% if true %}{% set x = 2 %}{% endif %}{{ x }}",
    "{% raw %}{{ x }}{% endraw %}",
    "a {# comment {{ x }} #} b",
    "a  {%- if true -%}  b  {%- endif -%}  c",
    "a {{- inputs.n -}} b",
    "a {#- c -#} b",
    "{%- raw -%} {{ x }} {%- endraw -%} b",
    "{% block q %}x{{ inputs.n }}{% endblock %}",
    "{% autoescape true %}{{ '<' }}{{ '<' | safe }}{{ '<' | e }}{% endautoescape %}{{ '<' }}",
    "line\n{{ inputs.s }}\n",
    "{{ inputs.s }} and {{ inputs.n }}",
]


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_renders_as_jinja_renders_it(text: str) -> None:
    compiled, faults = compile_value(text)
    assert not faults, faults
    environment = ImmutableSandboxedEnvironment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    assert evaluate(compiled, SCOPE) == environment.from_string(text).render(**SCOPE)
