"""Topics, patterns, and what a message may be."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipe_runner.bus.topics import check_pattern, check_topic
from pipe_runner.bus.values import LARGEST, check_message
from pipe_runner.errors import NodeFault
from pipe_runner.types import ErrorKind


@pytest.mark.parametrize("topic", ["a", "a.b", "scan.port-1.x_y", "9.9", "A" * 255])
def test_a_topic(topic: str) -> None:
    assert check_topic(topic) == topic
    assert check_pattern(topic).match(topic)


@pytest.mark.parametrize(
    "topic", ["", ".", "a.", ".a", "a..b", "a b", "a/b", "ä", "a\n", "*", "#", "a.*", "a" * 256, 1, None]
)
def test_what_is_no_topic(topic: Any) -> None:
    with pytest.raises(NodeFault, match="is no topic") as fault:
        check_topic(topic)
    assert fault.value.kind is ErrorKind.REFUSED


@pytest.mark.parametrize(
    ("pattern", "fits", "others"),
    [
        ("#", ["a", "a.b.c"], []),
        ("*", ["a"], ["a.b"]),
        ("a.*", ["a.b"], ["a", "a.b.c", "b.a", "aXb"]),
        ("a.#", ["a", "a.b", "a.b.c"], ["ab", "b.a"]),
        ("*.b", ["a.b"], ["b", "a.b.c", "a.a.b"]),
        ("*.b.#", ["a.b", "a.b.c"], ["b"]),
        ("a-b.c", ["a-b.c"], ["a.b.c"]),
    ],
)
def test_a_pattern(pattern: str, fits: list[str], others: list[str]) -> None:
    assert [topic for topic in fits + others if check_pattern(pattern).match(topic)] == fits


@pytest.mark.parametrize("pattern", ["", "#.a", "a.#.b", "a*", "a.b*", "**", "a..#", ".#", "a\n", "a.*\n", 7])
def test_what_is_no_pattern(pattern: Any) -> None:
    with pytest.raises(NodeFault, match="is no pattern"):
        check_pattern(pattern)


words = st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=4)


@given(words, st.lists(st.sampled_from(["a", "b", "*"]), max_size=4), st.booleans())
def test_patterns_mean_what_words_say(topic: list[str], pattern: list[str], rest: bool) -> None:
    parts = [*pattern, "#"] if rest or not pattern else pattern
    long_enough = len(topic) >= len(pattern) if parts[-1] == "#" else len(topic) == len(pattern)
    expected = long_enough and all(p in ("*", t) for p, t in zip(pattern, topic, strict=False))
    assert bool(check_pattern(".".join(parts)).match(".".join(topic))) is expected


@pytest.mark.parametrize("message", [None, 0, -1.5, True, "x", "", [], {}, [{"a": [None, "ü"]}]])
def test_a_message(message: Any) -> None:
    assert check_message(message) == (message, len(json.dumps(message, separators=(",", ":"))))


@pytest.mark.parametrize(
    "message", [{1: "a"}, float("nan"), [float("inf")], (1,), b"x", {"a": object()}, {"a": {1, 2}}, {None: 1}]
)
def test_what_is_no_message(message: Any) -> None:
    with pytest.raises(NodeFault, match="the message is no JSON"):
        check_message(message)


def test_one_that_is_too_deep_or_too_large_is_refused_in_words() -> None:
    deep: Any = []
    for _ in range(200):
        deep = [deep]
    with pytest.raises(NodeFault, match="more than 100 deep"):
        check_message(deep)
    assert check_message("x" * (LARGEST - 2))[1] == LARGEST
    with pytest.raises(NodeFault, match=re.escape(f"{LARGEST + 1} bytes in the log, and the limit is {LARGEST}")):
        check_message("x" * (LARGEST - 1))
