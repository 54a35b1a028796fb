"""Every key, value and character of a text is found again where it was written."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from pipe_runner.diagnostics import Position
from pipe_runner.loader import Document, load_text

TEXT = """\
# a comment
version: 1
nodes:
  net:
    run: echo hi
    needs: [first, "second", {deep: x}]
  "quo ted": &anchored
    with:
      - one
      -   two
  other:
    <<: *anchored
    again: *anchored
    empty:
  ünï: {日本: 語, k: v}
"""


PADDINGS = pytest.mark.parametrize("padding", ["\n#" + "," * 20_000, "\n#" + " " * 20_000], ids=["dense", "sparse"])
"""Behind a text, they make one of which places are noted at once, and one that is read again for them."""


@pytest.fixture(scope="module", params=PADDINGS.args[1], ids=PADDINGS.kwargs["ids"])
def document(request: pytest.FixtureRequest) -> Document:
    document, faults = load_text(TEXT + request.param)
    assert faults == []
    assert (document.noted is None) == (" " in request.param)
    return document


@pytest.mark.parametrize(
    ("path", "key", "value"),
    [
        ((), (2, 1), (2, 1)),
        (("version",), (2, 1), (2, 10)),
        (("nodes",), (3, 1), (4, 3)),
        (("nodes", "net", "run"), (5, 5), (5, 10)),
        (("nodes", "net", "needs"), (6, 5), (6, 12)),
        (("nodes", "net", "needs", 0), (6, 13), (6, 13)),
        (("nodes", "net", "needs", 1), (6, 20), (6, 20)),
        (("nodes", "net", "needs", 2, "deep"), (6, 31), (6, 37)),
        (("nodes", "quo ted"), (7, 3), (7, 14)),
        (("nodes", "quo ted", "with", 1), (10, 11), (10, 11)),
        (("nodes", "other", "empty"), (14, 5), (14, 11)),
        (("nodes", "ünï", "日本"), (15, 9), (15, 13)),
        (("nodes", "ünï", "k"), (15, 16), (15, 19)),
    ],
)
def test_keys_and_values_stand_where_they_were_written(
    document: Document, path: Any, key: tuple[int, int], value: tuple[int, int]
) -> None:
    assert document.position(path, "key") == Position(*key)
    assert document.position(path) == Position(*value)


def test_what_came_by_alias_or_merge_stands_where_it_was_written(document: Document) -> None:
    assert document.position(("nodes", "other", "with", 0)) == Position(9, 9)
    assert document.position(("nodes", "other", "with"), "key") == Position(8, 5)
    assert document.position(("nodes", "other", "again", "with", 0)) == Position(9, 9)
    assert document.position(("nodes", "other", "again")) == Position(13, 12)


def test_what_does_not_exist_stands_at_the_key_of_what_lacks_it(document: Document) -> None:
    assert document.position(("nodes", "net", "with", "x")) == Position(4, 3)
    assert document.position(("nodes", "net", "needs", 7)) == Position(6, 12)
    assert document.position(("nodes", "net", "run", "deeper")) == Position(5, 10)
    assert document.position(("nodes", "nothing"), "key") == Position(3, 1)
    assert document.position(("nothing",)) == Position(2, 1)
    assert document.position((0, 1, 2)) == Position(2, 1)


@PADDINGS
@pytest.mark.parametrize(
    ("text", "path", "place"),
    [
        ("'a''b': 1", ("a'b",), (1, 9)),
        ('"a\\tb": 1', ("a\tb",), (1, 9)),
        ("? |\n  a\n: 1", ("a\n",), (3, 3)),
        ("? a\n  b\n: 1", ("a b",), (3, 3)),
        ("&k a: 1\nb: {*k : 2}", ("b", "a"), (2, 10)),
        ("&k 'a': 1", ("a",), (1, 9)),
        ("&m a: &n {b: 1}\nc: {<<: [*n]}", ("c", "b"), (1, 14)),
        ("a: &a\n  b: &b [x]\nc: *b", ("c", 0), (2, 10)),
        ("a: &a 1\nb: &a [2]\nc: *a", ("c", 0), (2, 8)),
        ("[a, b]: 1\nc: 2", ("c",), (2, 4)),
        ("? {a: [b]}\n: {c: 2}", ("{a: [b]}", "c"), (2, 7)),
        ("a: {{ x }}\nb: [{{ y }}, z]", ("b", 1), (2, 14)),
        ("a: [b: 1, [c, d], e]", ("a", 1, 1), (1, 15)),
        ("a: [b: 1, [c, d], e]", ("a", 2), (1, 19)),
        ("a: 1\na: {b: 2}\nc: 3", ("c",), (3, 4)),
        ("a: @x\nb: 2", ("b",), (2, 4)),
        ("!t a: !t {b: 2}", ("a", "b"), (1, 14)),
        ("a: *no\nb: {*no : 1}", ("b", "*no"), (2, 11)),
    ],
)
def test_values_are_found_whatever_their_keys_are(text: str, path: Any, place: tuple[int, int], padding: str) -> None:
    document, _ = load_text(text + padding)
    assert document.position(path) == Position(*place)


def test_a_key_of_several_lines_and_one_that_is_a_list_have_a_place() -> None:
    document, _ = load_text("? 'a\n  b'\n: 1\n[c]: 2")
    assert document.position(("a b",), "key") == Position(1, 3)
    assert document.position(("[c]",), "key") == Position(4, 1)


def test_a_diagnostic_marks_the_scalar_or_the_key(document: Document) -> None:
    value = document.diagnostic("E201", "no", ("nodes", "net", "needs", 1))
    assert (value.line, value.column, value.length) == (6, 20, 8)
    assert value.source == '    needs: [first, "second", {deep: x}]'
    key = document.diagnostic("E201", "no", ("nodes", "quo ted"), at="key", hint="yes")
    assert (key.line, key.column, key.length, key.hint) == (7, 3, 9, "yes")
    part = document.diagnostic("E201", "no", ("nodes", "net", "run"), offset=5, length=99)
    assert (part.line, part.column, part.length) == (5, 15, 2)


def test_how_a_scalar_was_written_can_be_told(document: Document) -> None:
    assert document.written(("nodes", "net", "needs", 1)) == '"second"'
    assert document.written(("version",)) == "1"
    assert document.written(("nodes",)) is None
    assert document.written(("nothing",)) is None


def test_positions_before_a_syntax_error_are_known() -> None:
    document, faults = load_text("a: 1\nb:\n  c: 2\nd: [\n")
    assert [fault.code for fault in faults] == ["E101"]
    assert document.position(("b", "c")) == Position(3, 6)
    assert document.position(("d",)) == Position(4, 4)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_line_end_counts_once(end: str) -> None:
    document, faults = load_text(f"a: 1{end}{end}b: |{end}  x{end}  yz{end}c: 3")
    assert faults == []
    assert document.position(("c",)) == Position(6, 4)
    assert document.locate(("b",), 3) == Position(5, 4)


def place_of(text: str, offset: int, path: tuple[str | int, ...] = ("a",)) -> tuple[int, int]:
    document, faults = load_text(text)
    assert faults == []
    found = document.locate(path, offset)
    return found.line, found.column


@pytest.mark.parametrize(
    ("text", "wanted", "place"),
    [
        ("a: one two", "two", (1, 8)),
        ("a: one\n   two\n\n   three", "two", (2, 4)),
        ("a: one\n   two\n\n   three", "three", (4, 4)),
        ("a: 'it''s two'", "two", (1, 11)),
        ('a: "\\t\\u00e9\\x41\\U0001F600 two"', "two", (1, 28)),
        ('a: "one \\\n   two"', "two", (2, 4)),
        ('a: "one\n\n  \n   two"', "two", (4, 4)),
        ("a: |\n  one\n  two", "two", (3, 3)),
        ("a: |2-\n    one\n   two", "two", (3, 4)),
        ("a:\n  - |1+\n    one\n    two\n\n", "two", (4, 5)),
        ("a: >\n  one\n  two", "two", (3, 3)),
        ("a: >\n  one\n\n\n  two", "two", (5, 3)),
        ("a: >\n\n  one\n    more\n\n  two", "two", (6, 3)),
        ("a: &x !!str |  # c\n  two", "two", (2, 3)),
        ("a: &x # c\n  'two'", "two", (2, 4)),
    ],
)
def test_a_character_of_a_value_is_found_where_it_was_written(text: str, wanted: str, place: tuple[int, int]) -> None:
    document, _ = load_text(text)
    assert isinstance(document.data, dict)
    value = document.data["a"]
    path: tuple[str | int, ...] = ("a",)
    if isinstance(value, list):
        value, path = value[0], ("a", 0)
    assert isinstance(value, str)
    found = document.locate(path, value.index(wanted))
    assert (found.line, found.column) == place


def test_beyond_a_value_is_its_end() -> None:
    assert place_of("a: 'one'", 3) == (1, 8)
    assert place_of("a: one", 99) == (1, 7)
    assert place_of("a: |\n  one\nb: 1", 99) == (2, 6)
    assert place_of("a: one", -5) == (1, 4)


def test_an_unquoted_expression_is_found_as_it_stands() -> None:
    document, _ = load_text("a: {{ x }}\nb: {{ y[0] }} z\n")
    assert document.locate(("a",), 3) == Position(1, 7)
    assert document.locate(("b",), 11) == Position(2, 15)


WORDS = st.text(st.sampled_from("ab é日'\"\\:#-{}\n\t "), max_size=40)


@settings(max_examples=300, deadline=None)
@example("\n\n a\n\nb \n", ">", True)
@example("a\n\n\n b\nc\n\n", ">", False)
@example(" a", "|", False)
@given(WORDS, st.sampled_from(["", "'", '"', "|", ">"]), st.booleans())
def test_each_character_is_found_in_order(value: str, style: str, nested: bool) -> None:
    data: Any = {"k": [{"a": value}, "z"]} if nested else {"a": value}

    class Dumper(yaml.SafeDumper):
        pass

    Dumper.add_representer(
        str,
        lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style if text == value else None),
    )
    text = yaml.dump(data, Dumper=Dumper, width=20, allow_unicode=True)
    document, faults = load_text(text)
    assume(not faults and document.data == data)
    path: tuple[str | int, ...] = ("k", 0, "a") if nested else ("a",)
    lines = document.text.split("\n")
    last = Position(0, 0)
    for offset, char in enumerate(value):
        place = document.locate(path, offset)
        assert place > last
        last = place
        line = lines[place.line - 1]
        written = line[place.column - 1] if place.column <= len(line) else "\n"
        assert written in {char, "\\"} or (char in " \n" and written == "\n")
