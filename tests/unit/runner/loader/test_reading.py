"""What is read is what YAML says, and nothing that stands in a file makes reading it fail."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from pipe_runner.loader import Document, load_text
from pipe_runner.reports.diagnostics import FORMATS, render

FRAGMENTS = st.sampled_from(
    [
        *("a", "b", "key", "- ", ": ", ":", "\n", "\n  ", "\n    ", "\n- ", "  ", " ", "? ", "| ", ">-\n", "|\n  x\n"),
        *(
            "[",
            "]",
            "{",
            "}",
            ",",
            "{{",
            "}}",
            "{{ x }}",
            "${{ x }}",
            "{%",
            "'",
            '"',
            "''",
            "\\",
            "\\n",
            "\\x41",
            "\\ud83d",
        ),
        *(
            "&x ",
            "*x",
            "*",
            "&",
            "!",
            "!t ",
            "!!str ",
            "<<",
            "<<: *x",
            "<<: [*x, *x]",
            "#",
            " # c\n",
            "---\n",
            "...\n",
            "%YAML",
        ),
        *(
            "1",
            "0x1F",
            "null",
            "~",
            "true",
            ".inf",
            "1e999",
            "\t",
            "\r\n",
            "\r",
            "\0",
            "\x07",
            "\u2028",
            "\x85",
            "é",
            "日",
        ),
        *("\ufeff", "@", "`", "%", "a: 1\n", "a: 1\n", "b:\n  c: 2\n", "- x\n", "x: &x {y: 1}\n", "z: *x\n"),
    ]
)
TEXTS = st.lists(FRAGMENTS, max_size=30).map("".join) | st.text(max_size=60)

PLAIN_TEXT = st.text(
    st.characters(
        codec="utf-8", exclude_categories=["Cs", "Cc"], exclude_characters="\u2028\u2029\x85\ufeff\ufffe\uffff"
    )
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | PLAIN_TEXT
    | st.sampled_from(
        ["", " ", "a: b", "# x", "yes", "- x", "1", "null", "x\ny", "\nx\n\n", "  x\n y", "{{ x }}", "a\tb"]
    ),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(PLAIN_TEXT, inner, max_size=4),
    max_leaves=20,
)


class Dumper(yaml.SafeDumper):
    """Quotes whatever the older schema of PyYAML doesn't know to be text in ours."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def quoted(dumper: Dumper, data: str) -> yaml.ScalarNode:
    style = {0: '"', 1: "'", 2: "|", 3: ">"}[len(data) % 4]
    return dumper.represent_scalar("tag:yaml.org,2002:str", data, style=style)


def _with_point(text: str) -> str:
    return text if "." in text else text.replace("e", ".0e")


def number(dumper: Dumper, data: float) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:float", _with_point(repr(data)))


Dumper.add_representer(str, quoted)
Dumper.add_representer(float, number)


def every_path(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    yield path
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, child in children:
        yield from every_path(child, (*path, step))


def hold_to_account(document: Document, faults: list[Any]) -> None:
    """Every position that can be asked for lies in the text, and every fault can be told in every form."""
    lines = document.text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for fault in faults:
        assert 1 <= fault.line <= len(lines)
        assert 1 <= fault.column <= len(lines[fault.line - 1]) + 2
        assert fault.code.startswith("E1")
    for form in FORMATS:
        render(faults, form).encode()
    for path in [*every_path(document.data), ("no", 1, "such"), (0,)]:
        for at in ("key", "value"):
            place = document.position(path, at)
            assert 1 <= place.line <= len(lines)
            assert 1 <= place.column <= len(lines[place.line - 1]) + 2
        for offset in (-1, 0, 1, 5, 10**6):
            place = document.locate(path, offset)
            assert 1 <= place.line <= len(lines)
        assert document.diagnostic("E101", "x", path).source is not None


@settings(max_examples=300, deadline=None)
@example("a: {{ x }} y\nb: {{ x[0] }}\n")
@example("? a: 1\n: {{")
@example("{{{{a: b}}}}: c")
@example("&a : *a")
@example("a: &a [*a, {<<: *a}]\n<<: *a")
@example("a: \\\n  'x\n\n --- ''y'")
@example('a: "\\ud83d\\ude00 \\U00110000"')
@given(TEXTS)
def test_s11_any_text_is_read_or_explained(text: str) -> None:
    document, faults = load_text(text)
    assert document.data is not None or faults
    json.dumps(document.data, allow_nan=False)
    hold_to_account(document, faults)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=80) | TEXTS.map(lambda text: text.encode("utf-8", "replace")))
def test_s11_any_bytes_are_read_or_explained(content: bytes) -> None:
    document, faults = load_text(content)
    assert document.data is not None or faults
    hold_to_account(document, faults)


@settings(max_examples=150, deadline=None)
@example('a: "\\ud83d\\ude00 \\U00110000"')
@given(TEXTS)
def test_s11_without_the_c_parser_too(text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "yaml._yaml", None)
        document, faults = load_text(text)
        assert document.data is not None or faults
        hold_to_account(document, faults)


# a second, plain way to the data: PyYAML's nodes, constructed recursively

_NULL = re.compile(r"(?:null|Null|NULL|~|)\Z")
_BOOL = re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z")
_INT = re.compile(r"[-+]?[0-9]+\Z")
_OTHER_INT = re.compile(r"0o[0-7]+\Z|0x[0-9a-fA-F]+\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")


class Unfit(Exception):
    """The text has something that a pipeline file may not have."""


def construct(text: str) -> Any:
    """The data of `text`; raises `Unfit` or a `yaml.YAMLError`."""
    loader = yaml.SafeLoader(text)
    node = loader.get_single_node()
    if not isinstance(node, yaml.MappingNode):
        raise Unfit
    return _value(node, frozenset())


def _value(node: Any, around: frozenset[int]) -> Any:
    if id(node) in around:
        raise Unfit
    inside = around | {id(node)}
    if isinstance(node, yaml.ScalarNode):
        return node.value if node.style else _plain(node.value)
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, inside) for item in node.value]
    own: dict[str, Any] = {}
    merged: dict[str, Any] = {}
    for key_node, value_node in node.value:
        if isinstance(key_node, yaml.ScalarNode) and key_node.value == "<<" and not key_node.style:
            value = _value(value_node, inside)
            for source in value if isinstance(value, list) else [value]:
                if not isinstance(source, dict):
                    raise Unfit
                merged = {**source, **merged}
            continue
        key = _value(key_node, inside)
        if not isinstance(key, str) or key in own:
            raise Unfit
        own[key] = _value(value_node, inside)
    return {**merged, **own}


def _plain(text: str) -> Any:
    if _NULL.match(text):
        return None
    if _BOOL.match(text):
        return text.lower() == "true"
    if _INT.match(text):
        return int(text)
    if _FLOAT.match(text):
        return float(text)
    return int(text, 0) if _OTHER_INT.match(text) else text


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_data_without_faults_equals_a_reference_construction(text: str) -> None:
    document, faults = load_text(text)
    try:
        expected = construct(text.removeprefix("\ufeff"))
    except (Unfit, yaml.YAMLError, RecursionError, ValueError):
        return  # the reference is stricter about tabs, and has no notion of what only we accept
    if not faults:
        assert document.data == expected


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(PLAIN_TEXT, VALUES, min_size=1, max_size=5), st.sampled_from([None, True, False]))
def test_data_that_was_written_as_yaml_comes_back(data: dict[str, Any], flow: bool | None) -> None:
    text = yaml.dump(data, Dumper=Dumper, default_flow_style=flow, allow_unicode=True, width=40, sort_keys=False)
    assume(not any(char in text for char in "\x85\u2028\u2029"))
    document, faults = load_text(text)
    assert faults == []
    assert document.data == data
    assert json.dumps(document.data) == json.dumps(data)


@settings(max_examples=80, deadline=None)
@given(st.dictionaries(st.text(max_size=8), VALUES, min_size=1, max_size=5))
def test_json_is_read_as_json_reads_it(data: dict[str, Any]) -> None:
    text = json.dumps(data, ensure_ascii=False)
    assume(
        all(
            ord(char) >= 32 and not 0x7F <= ord(char) < 0xA0 and char not in "\u2028\u2029\ufeff\ufffe\uffff"
            for char in text
        )
    )
    document, faults = load_text(text)
    assert (document.data, faults) == (data, [])
