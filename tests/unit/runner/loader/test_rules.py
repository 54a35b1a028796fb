"""The rules of reading that a pipeline's author meets, each by example."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator

import pytest

from pipe_runner.loader import load_text


@pytest.fixture
def python_parser(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """PyYAML as it is where its C part is missing."""
    monkeypatch.setitem(sys.modules, "yaml._yaml", None)
    yield


def test_the_c_and_the_python_parser_agree(python_parser: None) -> None:
    text = "a: &x {k: [1, 0x1F, yes]}\nb: {<<: *x, c: |\n  x\n}\n"
    text = "a: &x {k: [1, 0x1F, yes]}\nb:\n  <<: *x\n  c: |\n    x\n"
    document, faults = load_text(text)
    assert (document.data, faults) == ({"a": {"k": [1, 31, "yes"]}, "b": {"k": [1, 31, "yes"], "c": "x\n"}}, [])
    assert document.position(("b", "c"), "key").line == 4


def test_merges_follow_their_order() -> None:
    text = (
        "a: &a {x: 1, y: 1}\nb: &b {x: 2, z: 2}\nc: {x: 3, <<: [*a, *b]}\nd: {<<: [*b, *a]}\ne: {<<: {<<: *a, q: 1}}\n"
    )
    document, faults = load_text(text)
    assert faults == []
    assert isinstance(document.data, dict)
    assert document.data["c"] == {"x": 3, "y": 1, "z": 2}
    assert document.data["d"] == {"x": 2, "z": 2, "y": 1}
    assert document.data["e"] == {"x": 1, "y": 1, "q": 1}


def test_a_quoted_merge_key_is_a_key_like_any_other() -> None:
    document, faults = load_text("a: {'<<': 1}\n")
    assert (document.data, faults) == ({"a": {"<<": 1}}, [])


def test_an_anchor_may_be_given_again() -> None:
    document, faults = load_text("a: &x 1\nb: *x\nc: &x 2\nd: *x\ne: &x [&x 3, *x]\nf: *x\n")
    assert faults == []
    assert document.data == {"a": 1, "b": 1, "c": 2, "d": 2, "e": [3, 3], "f": 3}


def test_a_duplicate_does_not_replace_the_first() -> None:
    document, faults = load_text("a: 1\nb: 2\na: {b: 1, b: 2}\n")
    assert document.data == {"a": 1, "b": 2}
    assert [(fault.code, fault.line) for fault in faults] == [("E108", 3), ("E108", 3)]
    assert faults[0].message.endswith("the first one stands at line 1")


def test_faults_of_every_kind_are_told_together() -> None:
    text = "a: 1\na: 2\n3: x\nb: !t y\nc: *z\nd: .inf\ne: {{ x }}\nf: {{ x }} y\ng: `z`\nh: [1\n"
    _, faults = load_text(text)
    assert [(fault.line, fault.code) for fault in faults] == [
        *((2, "E108"), (3, "E109"), (4, "E110"), (5, "E111"), (6, "E115"), (7, "E117")),
        *((8, "E117"), (9, "E101"), (10, "E101")),
    ]


def test_unquoted_expressions_are_read_as_the_text_they_were_meant_to_be() -> None:
    text = "a: {{ x }}\nb: [{{ y[0] }}, 2]\nc: {{ 'z' ~ x }} and more # but not this\n"
    document, faults = load_text(text)
    assert [fault.code for fault in faults] == ["E117"] * 3
    assert document.data == {"a": "{{ x }}", "b": ["{{ y[0] }}", 2], "c": "{{ 'z' ~ x }} and more"}


def test_the_garbage_collector_is_left_as_it_was() -> None:
    assert gc.isenabled()
    load_text("a: [")
    assert gc.isenabled()
    gc.disable()
    try:
        load_text("a: 1")
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_a_byte_order_mark_moves_no_position() -> None:
    document, faults = load_text("\ufeffa: 1\n".encode())
    assert (document.data, faults) == ({"a": 1}, [])
    assert document.position(("a",), "key").column == 1


def test_a_fault_is_told_at_each_of_its_places() -> None:
    _, faults = load_text("a: .inf\nb: .inf\nc: [.inf, 1e999, 1e999]\n")
    assert [(fault.line, fault.column) for fault in faults] == [(1, 4), (2, 4), (3, 5), (3, 11), (3, 18)]


def test_an_alias_without_a_value_is_told_once() -> None:
    _, faults = load_text("a: &a {<<: *a}\nb: {<<: *z}\nc: {<<: [*z, {x: 1}]}\n")
    assert [fault.code for fault in faults] == ["E112", "E111", "E111"]
