"""What is read in the quick way is what the parser of all of YAML reads, or it is left to that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipe_runner.loader.events import events_of
from pipe_runner.loader.lines import Faults, Lines, TooManyFaults
from pipe_runner.loader.reader import Reader
from pipe_runner.loader.simple import simple_document

TOP = Path(__file__).parents[4]
FILES = sorted(
    path for folder in ("pipelines", "tests/data", "docs") for path in (TOP / folder).rglob("*.y*ml") if path.is_file()
)


def read_whole(text: str) -> Any:
    """What the parser makes of a text that has no faults; None for one that has."""
    import yaml

    faults = Faults("", Lines(text))
    try:
        found = Reader(text, events_of(text), faults, {}).read()
    except (yaml.YAMLError, TooManyFaults, ValueError):
        return None
    return None if faults.found or not found else found[0]


def agrees(text: str) -> bool:
    """Whether the text is read in the quick way, which gives what the other one gives, in the same order."""
    simple = simple_document(text)
    if simple is not None:
        assert repr(simple) == repr(read_whole(text)), text
    return simple is not None


def test_most_files_are_simple_and_read_alike() -> None:
    simple = sum(agrees(path.read_text(encoding="utf-8", errors="replace")) for path in FILES)
    assert simple > len(FILES) / 2


@pytest.mark.parametrize(
    "text",
    [
        "a: b\n", "a: b", "a:\n", "a: # c\n", "a:\n  b: c\n", "a: b # c\n", "a: b#c\n", "a: 'it''s' # c\n",
        'a: "b: c"\n', "a: b:c\n", "a: http://x/\n", "a:\n- b\n- c\nd: e\n", "a:\n  - b: c\n    d: e\n  - f\n",
        "a:\n- b: c\n  d:\n  - e\n", "a: {b: c, d: [e, 'f', \"g\"]}\n", "a: []\nb: {}\n", "a: [[], {}, [b]]\n",
        "a: |\n  b\n  c\n\n  d\nz: y\n", "a: |-\n  b\n   c\nz: y\n", "a:\n  b: |\n    c\n  d: e\n", "a: ~\n",
        "a: 1\nb: -1\nc: 1.5\nd: 0x1f\ne: .5\nf: 1e3\ng: true\nh: null\ni: No\n", "a: -b\n", "# c\n\na: b\n",
        "a: b  \n", "a:    b\n", "a: é\n", "a: [b c, d]\n", "a: echo {{ x }}\n", "a: {b: 1, c: ~}\n", "a_b-c.d: e\n",
        "{}", "{a: b}\n", "a: [b,]\n", "a: {b: [c, ], d: {e: f,},}\n",
        "# c\n{a: [b]}\n", "a:\n\n\n  b: c\n", "a:\n  b:\nc: d\n", "a:\n  b:\n  - c\n  d: e\n",
    ],
)  # fmt: skip
def test_what_is_simple(text: str) -> None:
    assert agrees(text)


@pytest.mark.parametrize(
    "text",
    [
        "", "\n", "a", "{}\n{}\n", "{}\na: b\n", "[]\n", "- {}\n", "{a: b}\n  c: d\n",
        "- a\n", "a: b\na: c\n", "a: &x b\n", "a: *x\n", "a: !x b\n", "<<: {a: b}\n", "? a\n: b\n",
        "a: b\n  c\n", "a: b\n c: d\n", "a:\n   b: c\n  d: e\n", "a: {b: c\n", "a: {b: c}}\n", "a: [b, c}\n",
        "a: {b}\n", "a: {b: c, b: d}\n", "a: [b: c]\n", "a: [b,,]\n", "a: [,]\n", "a: {,}\n",
        "a: {b: {{ x }}}\n", "a: {{ x }}\n",
        "a: >\n  b\n", "a: |2\n  b\n", "a: |+\n  b\n", "a: |\n b\n   ", "a: |\n b\n # c",
        "a: |\nb: c\n", "a: |\n\n", "a: |\n  b", "a: |\n   b\n  c\n",
        "a:\tb\n", "a: b\r\n", "a: 'b\n", 'a: "\\n"\n', "a: 'b' c\n", "null: a\n", "true: a\n", "1: a\n", "'a': b\n",
        "--- \na: b\n", "a: b\n---\n", "%YAML 1.2\n", "a: @b\n", "a: `b\n", "a: %b\n", "a: b: c\n", "a: .inf\n",
        "a: 1e999\n", "a: - b\n", "a: -\n", "a:\n- - b\n", "a:\n-\n", "a:\n- |\n  b\n", "a: [a:b]\n", "a: {a: b: c}\n",
        "a: {b: c} d\n", "a: {b: c} # d\n", "a: \x07\n", "a: \x85\n", "a:\n- b\n  - c\n", "a:\n  - b\n- c\n",
        "a:\n- b\nc\n", "a: b\n- c\n", "a:\n b: c\n  - d\n", "a" * 300 + ": b\n", "a: " + "[" * 60 + "]" * 60,
        "\ufeffa: b\n", "a: \ud800\n", "a: ''b\n", "a: {a: 'b'c}\n", "a : b\n", "a:\n  - b:\n      - c\n     - d\n",
    ],
)  # fmt: skip
def test_what_is_left_to_the_parser(text: str) -> None:
    assert simple_document(text) is None


def test_very_much_is_left_to_the_parser_which_bounds_it() -> None:
    assert simple_document("a: [" + "a," * 600_000 + "a]\n") is None
    assert simple_document("a: [" + "a,".ljust(100) * 10_000 + "a]\n") is not None
    assert simple_document("#\n" * 10_000 + "a: b\n") is None


def test_what_is_written_alike_is_one_value() -> None:
    found = simple_document("a: {b: [c]}\nd: {b: [c]}\n")
    assert found is not None
    assert found["a"] is found["d"]


pieces = st.sampled_from(
    ["a", "b: ", "a:", "c: ", " ", "  ", "    ", "\n", "\n  ", "\n    ", "\n- ", "\n  - ", "\n", "- ", "'", "''", '"',
     "{", "}", "[", "]", ", ", ",", ": ", ":", "#", " # ", "|\n", "|-\n", "|", ">", "~", "1", "-1", "1.5", "true", "-",
     "<<: ", "&x ", "*x", "!t ", "?", "@", "%", "é", "{b: c}", "[a, 'b']", "'c'", '"d"', "x y", "---", "...", "null",
     "{{ x }}", "\\", "=", "/", "$x", "(", "\t", "\r"]
)  # fmt: skip


@settings(max_examples=1500, deadline=None)
@given(st.lists(pieces, max_size=14).map("".join))
def test_any_text_is_read_alike_or_left_to_the_parser(text: str) -> None:
    agrees(text)
    agrees(f"a: {text}")
    agrees(f"a:\n  {text}\n")


keys = st.sampled_from(["a", "b", "c", "d", "run", "x-y"])
scalars = st.sampled_from(
    ["a", "b c", "1", "true", "''", "'a''b'", '"c"', "~", "-x", "x:y", "a#b", "$x", "[]", "{}", "[a, b]",
     "{a: b, c: [d]}", "{a: {b: 'c, d'}}", "# c", "a # c", "", "|\n        x\n        y",
     "|-\n          x\n\n          y", "[[a], {b: c}]"]
)  # fmt: skip
lines = st.tuples(st.sampled_from([0, 0, 2, 2, 4, 4, 6]), st.sampled_from(["", "", "", "- "]), keys, scalars)


@settings(max_examples=1500, deadline=None)
@given(st.lists(lines, min_size=1, max_size=9))
def test_any_lines_are_read_alike_or_left_to_the_parser(some: list[tuple[int, str, str, str]]) -> None:
    agrees("".join(f"{' ' * indent}{dash}{key}: {value}\n" for indent, dash, key, value in some))
