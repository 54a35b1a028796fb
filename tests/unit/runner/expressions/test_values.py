"""What an expression gives: types that are kept, text of values, conditions, and faults that say what is there."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipe_runner.errors import ExpressionFault
from pipe_runner.expressions import (
    Compiled,
    Reference,
    compile_condition,
    compile_value,
    evaluate,
    evaluate_condition,
    value_to_integer,
    value_to_text,
)

SCOPE: dict[str, Any] = {
    "inputs": {"host": "h", "ports": [22, 443], "depth": "full", "flag": True, "none": None, "half": 0.5, "odd key": 1},
    "env": {"LC_ALL": "C.UTF-8"},
    "nodes": {
        "a": {"output": {"severity": "high", "items": 3, "list": [{"k": 5}], "0": "zero"}, "status": "succeeded"},
        "skipped": {"output": None, "status": "skipped", "error": None},
        "text": {"output": "some text", "status": "succeeded"},
    },
    "run": {"id": "r1", "attempt": 1},
    "secrets": {"TOKEN": "\x00pipe-secret:TOKEN\x00"},
}

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**64), 2**64)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=10,
)


def value(text: str, scope: dict[str, Any] = SCOPE) -> Any:
    compiled, faults = compile_value(text)
    assert not faults, faults
    assert Compiled.from_json(json.loads(json.dumps(compiled.to_json()))) == compiled
    return evaluate(compiled, scope)


def fault(text: str, scope: dict[str, Any] = SCOPE) -> ExpressionFault:
    compiled, faults = compile_value(text)
    assert not faults, faults
    with pytest.raises(ExpressionFault) as raised:
        evaluate(compiled, scope)
    return raised.value


@given(json_values)
def test_a_whole_expression_keeps_its_value(data: Any) -> None:
    scope = {"inputs": {"x": data}}
    assert value("{{ inputs.x }}", scope) == data
    assert type(value("{{inputs.x}}", scope)) is type(data)
    assert value("{{ (inputs.x) }}", scope) == data
    assert value("{{ [inputs.x] | first }}", scope) == data


@given(json_values)
def test_text_of_values_is_json_but_for_text_and_null(data: Any) -> None:
    text = value_to_text(data)
    assert value("<{{ inputs.x }}>", {"inputs": {"x": data}}) == f"<{text}>"
    assert value("{{ inputs.x ~ '' }}", {"inputs": {"x": data}}) == text
    if isinstance(data, str):
        assert text == data
    elif data is None:
        assert text == ""
    else:
        assert json.loads(text) == data
        assert text == json.dumps(data, ensure_ascii=False, separators=(",", ":"))


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (None, ""), (True, "true"), (False, "false"), (0, "0"), (-3, "-3"), (1.5, "1.5"), (1e16, "1e+16"), ("", ""),
        ("é\n", "é\n"), ([], "[]"), ({}, "{}"), ([1, None, "a"], '[1,null,"a"]'), ({"a": True}, '{"a":true}'),
        ({"é": "ü"}, '{"é":"ü"}'), ([1.0], "[1.0]"),
    ],
)  # fmt: skip
def test_text_of_a_value_is(data: Any, text: str) -> None:
    assert value_to_text(data) == text


@pytest.mark.parametrize("data", [float("inf"), float("nan"), [float("-inf")]])
def test_what_json_cannot_say_has_no_text(data: Any) -> None:
    with pytest.raises(ExpressionFault):
        value_to_text(data)


@pytest.mark.parametrize(
    ("data", "digits"),
    [
        (5, "5"),
        (-5, "-5"),
        ("7", "7"),
        (" 7\n", "7"),
        ("+7", "7"),
        ("-0", "0"),
        ("010", "10"),
        (3.0, "3"),
        (2**63 - 1, str(2**63 - 1)),
    ],
)
def test_what_looks_like_an_integer_passes_into_arithmetic(data: Any, digits: str) -> None:
    assert value_to_integer(data) == digits


@pytest.mark.parametrize(
    "data",
    [
        "",
        " ",
        "x",
        "1x",
        "0x10",
        "1 2",
        "1;id",
        "a[$(id)]",
        "$(id)",
        "1+1",
        "--1",
        None,
        True,
        [],
        {},
        1.5,
        2**63,
        "９",
        "1\x00",
        "9" * 100,
    ],
)
def test_nothing_else_does(data: Any) -> None:
    with pytest.raises(ExpressionFault, match="shell arithmetic"):
        value_to_integer(data)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"), ("", ""), ("100% of {x}", "100% of {x}"), ("}} %} #}", "}} %} #}"),
        ("{{ inputs.ports }}", [22, 443]), ("{{ inputs.flag }}", True), ("{{ inputs.none }}", None),
        (" {{ inputs.none }}", " "), ("{{ inputs.host }}:{{ inputs.ports[0] }}", "h:22"),
        ("{{ inputs['odd key'] }}", 1), ('{{ inputs["odd key"] }}', 1), ("{{ inputs.ports[-1] }}", 443),
        ("{{ inputs.ports.1 }}", 443), ("{{ nodes.a.output.list[0].k }}", 5), ("{{ nodes.a.output['0'] }}", "zero"),
        ("{{ nodes.a.output.items }}", 3), ("{{ nodes.a.output.list | length }}", 1),
        ("{{ 500 if inputs.depth == 'full' else 50 }}", 500), ("{{ inputs.ports | tojson }}", "[22,443]"),
        ("{{ {'a': '<é>'} | tojson }}", '{"a":"<é>"}'), ("{{ '[1, {\"a\": null}]' | fromjson }}", [1, {"a": None}]),
        ("{{ {'b': 1, 'a': 2} | tojson(sort_keys=true) }}", '{"a":2,"b":1}'), ("{{ 1, 2 }}", [1, 2]), ("{{ () }}", []),
        ("{{ {1: 'a'} }}", {"1": "a"}), ("{{ true }}", True), ("{{ None }}", None), ("{{ 'a' }}", "a"),
        ("{{ -5 }}", -5),
        ("a{% raw %}{{ b }}{% endraw %}c", "a{{ b }}c"), ("{# nothing #}", ""), ("{{ inputs.half }}", 0.5),
        ("{{ '%s' | format(true) }}", "true"), ("{{ [true, none] | join(',') }}", "true,"), ("{{ 'x' ~ 1.0 }}", "x1.0"),
        ("{{ ' a ' | trim }}", "a"), ("{{ 'a b\\nc' | lines }}", ["a b", "c"]), ("{{ 'yes' | bool }}", True),
        ("{{ '/a/b/' | basename }}", "b"), ("{{ '/a/b' | dirname }}", "/a"), ("{{ 'é' | b64encode }}", "w6k="),
        ("{{ 'w6k=' | b64decode }}", "é"), ("{{ [[1], [2, [3]]] | flatten }}", [1, 2, [3]]),
        ("{{ 'a' | sha256 | length }}", 64), ("{{ {'a': 1} | keys }}", ["a"]), ("{{ {'a': 1} | values }}", [1]),
        ("{{ [] is empty }}", True), ("{{ 0 is empty }}", False),
        ("{{ secrets.TOKEN }}", "\x00pipe-secret:TOKEN\x00"), ("Bearer {{ secrets.TOKEN }}",
        "Bearer \x00pipe-secret:TOKEN\x00"),
        ("{% if true %}{{ secrets.TOKEN }}{% endif %}", "\x00pipe-secret:TOKEN\x00"),
    ],
)  # fmt: skip
def test_a_value_is(text: str, expected: Any) -> None:
    found = value(text)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{ nodes.skipped.output | default('none') }}", "none"),
        ("{{ nodes.skipped.output.x.y | default('none') }}", "none"),
        ("{{ nodes.a.output.missing | default([]) }}", []),
        ("{{ nodes.a.output.missing[0].z | d(7) }}", 7),
        ("{{ inputs.none | default('x') }}", "x"),
        ("{{ '' | default('x') }}", ""),
        ("{{ '' | default('x', true) }}", "x"),
        ("{{ 0 | default(5) }}", 0),
        ("{{ nodes.gone is defined }}", False),
        ("{{ inputs.nope is undefined }}", True),
        ("{{ (nodes.skipped.output | default({})).x | default(1) }}", 1),
        ("{{ [] | first | default('empty') }}", "empty"),
        ("{{ nodes.a.output.no | default(nodes.skipped.output.no) | default('z') }}", "z"),
        ("{{ nodes.a.output.items | default(nodes.skipped.output.no) }}", 3),
        ("{{ nodes.skipped.output }}", None),
        ("<{{ nodes.skipped.output }}>", "<>"),
        ("{{ (inputs.a if false) | default(2) }}", 2),
    ],
)
def test_default_and_defined_tolerate_what_is_not_there(text: str, expected: Any) -> None:
    assert value(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{ nodes.a.output.sevrity }}",
        "nodes.a.output.sevrity is not there: nodes.a.output has severity, items, list, 0"),
        ("x {{ nodes.a.output.sevrity }}", "did you mean severity?"),
        ("{{ nodes.a.output.sevrity | upper }}", "did you mean severity?"),
        ("{{ nodes.b.output }}", "nodes.b.output is not there: nodes has a, skipped, text"),
        ("{{ inputs.ports[5] }}", "inputs.ports has 2 items"),
        ("{{ inputs.ports.first }}", "inputs.ports is a list, it has indexes and no key first"),
        ("{{ inputs.host.name }}", 'inputs.host is text (the text "h")'),
        ("{{ nodes.skipped.output.x }}", "nodes.skipped.output is null"),
        ("{{ nodes.text.output.x }}", "nodes.text.output is text"),
        ("{{ inputs.flag.x }}", "inputs.flag is a boolean"),
        ("{{ item }}", "there is no item here: there is env, inputs"),
        ("{{ nodes.a.output[0] }}", "is an object, it has keys and no index 0"),
        ("{{ inputs.host + 1 }}", "`~` makes text of both"),
        ("{{ inputs.host > 1 }}", "`| int` makes a number of text"),
        ("{{ inputs.ports.nope | length }}", "it has indexes and no key nope"),
        ("{{ inputs.host | round }}", "`round` takes a number, not the text"),
        ("{{ 'x' | fromjson }}", "is not JSON"),
        ("{{ '[1, ]' | fromjson }}", "is not JSON: Expecting value: line 1 column 5"),
        ("{{ 'abc'.index('z') }}", "substring not found"),
        ("{{ {'a': 1} | sort(attribute='b') }}", "has no b"),
        ("{{ [1, 'a'] | sort }}", "no common order"),
        ("{{ inputs.flag | bool | length }}", "true has no length"),
        ("{{ 'maybe' | bool }}", "`bool` reads true, yes"),
        ("{{ '%d' | format('a') }}", "`| int` makes one of text"),
        ("{{ (inputs.ports).nope }}", "inputs.ports is a list"),
    ],
)  # fmt: skip
def test_a_fault_says_what_is_there(text: str, message: str) -> None:
    found = fault(text)
    assert message in found.message
    assert found.source == text
    assert "jinja" not in found.message.lower()


def test_references_have_their_place_and_know_whether_they_are_guarded() -> None:
    text = (
        "{{ nodes.a.output.x | default('') }} {{ inputs.b['c d'][0] }} {% if nodes.z is defined %}{{ item }}{% endif %}"
    )
    compiled, faults = compile_value(text)
    assert not faults
    assert compiled.references == (
        Reference(("nodes", "a", "output", "x"), text.index("nodes.a"), True),
        Reference(("inputs", "b", "c d", 0), text.index("inputs"), False),
        Reference(("nodes", "z"), text.index("nodes.z"), True),
        Reference(("item",), text.index("item"), False),
    )


def test_only_what_is_guarded_itself_is_guarded() -> None:
    compiled, _ = compile_value("{{ (inputs.a ~ inputs.b) | default(inputs.c) }}")
    assert [reference.guarded for reference in compiled.references] == [False, False, False]


def test_a_computed_key_refers_to_what_is_known_before_it() -> None:
    compiled, faults = compile_value("{{ nodes.a.output[inputs.key].x }}")
    assert not faults
    assert [reference.path for reference in compiled.references] == [("nodes", "a", "output"), ("inputs", "key")]
    scope = {"nodes": {"a": {"output": {"k": {"x": 1}}}}, "inputs": {"key": "k"}}
    assert evaluate(compiled, scope) == 1


def test_names_of_the_template_are_no_references() -> None:
    compiled, faults = compile_value("{% for x in inputs.ports %}{% set y = x %}{{ y }}{{ loop.index }}{% endfor %}")
    assert not faults
    assert [reference.path for reference in compiled.references] == [("inputs", "ports")]


def test_equal_texts_compile_once() -> None:
    first = compile_value("{{ inputs.host | upper ~ 'equal' }}")
    assert compile_value("{{ inputs.host | upper ~ 'equal' }}") is first


# ---------------------------------------------------------------- conditions


def condition(text: str) -> tuple[bool, dict[str, Any]]:
    compiled, faults = compile_condition(text)
    assert not faults, faults
    assert Compiled.from_json(json.loads(json.dumps(compiled.to_json()))) == compiled
    return evaluate_condition(compiled, SCOPE)


@pytest.mark.parametrize(
    ("text", "expected", "values"),
    [
        ("true", True, {}), ("False", False, {}), ("inputs.flag", True, {"inputs.flag": True}),
        ('nodes.a.output.severity == "high"', True, {"nodes.a.output.severity": "high"}),
        ("not inputs.flag", False, {"inputs.flag": True}), (" inputs.flag ", True, {"inputs.flag": True}),
        ("inputs.ports | length > 5", False, {"inputs.ports": [22, 443]}),
        ("nodes.a.status == 'failed' or inputs.half < 1", True, {"nodes.a.status": "succeeded", "inputs.half": 0.5}),
        ("nodes.gone is defined", False, {"nodes.gone": None}),
        ("22 in inputs.ports", True, {"inputs.ports": [22, 443]}),
        ("nodes.skipped.output is none", True, {"nodes.skipped.output": None}),
        ("'{{' in inputs.host", False, {"inputs.host": "h"}), ("(inputs.flag)", True, {"inputs.flag": True}),
    ],
)  # fmt: skip
def test_a_condition_gives_a_boolean_and_what_it_read(text: str, expected: bool, values: dict[str, Any]) -> None:
    assert condition(text) == (expected, values)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("inputs.host", "gives the text \"h\", neither true nor false; compare it"),
        ("inputs.none", "gives null"), ("inputs.ports", "gives a list of 2"), ("1", "gives the number 1"),
        ("inputs.half", "0.5"),
        ("inputs.ports and inputs.host", "gives the text"), ("nodes.a.output.nope == 1",
        "nodes.a.output.nope is not there"),
        ("nodes.a.output.nope", "is not there"), ("inputs.host > 5", "have no order"), ("nodes.a.output",
        "gives an object"),
    ],
)  # fmt: skip
def test_a_condition_that_gives_no_boolean_is_a_fault(text: str, message: str) -> None:
    with pytest.raises(ExpressionFault) as raised:
        condition(text)
    assert message in raised.value.message


def test_what_a_condition_read_is_shown_cut() -> None:
    compiled, _ = compile_condition("inputs.big | length > 5 and inputs.list | length > 5")
    _, values = evaluate_condition(compiled, {"inputs": {"big": "x" * 10**6, "list": ["y"] * 10**5}})
    assert all(len(str(shown)) < 2000 for shown in values.values())


def test_a_condition_looks_at_no_more_of_a_large_value_than_it_shows() -> None:
    compiled, _ = compile_condition("nodes.a.output | length > 5")
    scope: Any = {"nodes": {"a": {"output": {"rows": [{"a": 1, "b": None}] * 500_000, "more": "é"}}}}
    began = time.process_time()
    for _ in range(1000):
        _, values = evaluate_condition(compiled, scope)
    assert time.process_time() - began < 2
    assert values == {"nodes.a.output": ('{"rows":[' + '{"a":1,"b":null},' * 100)[:999] + "…"}
