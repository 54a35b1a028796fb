"""Durations, sizes and counts: what is read, and what is explained."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipe_schemas.durations import format_duration, parse_count, parse_duration, parse_size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("250ms", 0.25),
        ("90s", 90),
        ("10m", 600),
        ("1h30m", 5400),
        ("1d", 86400),
        ("0.5s", 0.5),
        ("1d2h3m4s5ms", 93784.005),
    ],
)
def test_a_duration_is_read(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        ("0s", "longer than zero"),
        ("0h0m", "longer than zero"),
        ("-5m", "negative"),
        ("10", "no unit; write `10s`"),
        ("10 m", "without spaces"),
        ("10min", "did you mean `10m`"),
        ("5 seconds", "without spaces"),
        ("5Seconds", "did you mean `5s`"),
        ("30m1h", "from large to small"),
        ("1m1m", "each once"),
        ("1w", "write for example"),
        ("{{ x }}", "template"),
        ("9999d", "longer than a year"),
        ("１s", "write for example"),
        ("1e3s", "write for example"),
    ],
)
def test_what_is_no_duration_is_explained(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_duration(text)


def test_zero_may_be_allowed() -> None:
    assert parse_duration("0s", zero=True) == 0


@given(st.integers(min_value=1, max_value=30_000_000_000))
def test_a_written_duration_reads_back(milliseconds: int) -> None:
    seconds = milliseconds / 1000
    assert parse_duration(format_duration(seconds)) == pytest.approx(seconds)


@given(st.text(max_size=60))
def test_any_text_gives_a_duration_or_a_sentence(text: str) -> None:
    try:
        assert parse_duration(text) > 0
    except ValueError as error:
        assert str(error).isprintable()


@pytest.mark.parametrize(
    ("text", "size"), [("16MiB", 2**24), ("500kB", 500_000), ("1GB", 10**9), ("64M", 2**26), ("10", 10), ("3 B", 3)]
)
def test_a_size_is_read(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(("text", "count"), [("1500", 1500), ("200k", 200_000), ("1.5M", 1_500_000)])
def test_a_count_is_read(text: str, count: int) -> None:
    assert parse_count(text) == count


def test_what_is_no_size_or_count_is_explained() -> None:
    with pytest.raises(ValueError, match="is not a size"):
        parse_size("big")
    with pytest.raises(ValueError, match="is not a count"):
        parse_count("-5")
