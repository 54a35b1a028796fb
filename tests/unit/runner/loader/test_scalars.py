"""Plain scalars are read by the core schema of YAML 1.2, and what JSON lacks is refused."""

from __future__ import annotations

import math

import pytest

from pipe_runner.loader import load_text
from pipe_runner.types import Json


def read(scalar: str) -> tuple[Json, list[str]]:
    document, faults = load_text(f"a: {scalar}\n")
    assert isinstance(document.data, dict)
    return document.data["a"], [fault.code for fault in faults]


@pytest.mark.parametrize(
    "word", ["on", "off", "On", "yes", "no", "Yes", "NO", "y", "n", "tRue", "nULL", "None", "none", "nil", "undefined"]
)
def test_words_that_other_readers_take_for_booleans_are_text(word: str) -> None:
    assert read(word) == (word, [])


@pytest.mark.parametrize(
    "text",
    [
        *("2024-01-01", "2024-02-30", "2024-01-01T00:00:00Z", "12:30", "1:2:3", "190:20:30"),
        *("1_000", "0b1010", "0o8", "0xZZ", "-0x1F", "+0o7", "0x", "0o", "1.2.3", "1e", "e1", "1.e", ".", "-x", "+"),
        *("-.nan", "+.nan", ".infinity", ".Nan", "inf", "nan", "-inf", "1,000", "10m", "250ms", "1h30m", "200k"),
        *("=", "1 2", "0.1.0", "v1", "~a", "nullable", "trueish", "१२"),
    ],
)
def test_what_only_looks_like_a_number_or_a_date_is_text(text: str) -> None:
    assert read(text) == (text, [])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("010", 10),
        ("-0", 0),
        ("+12", 12),
        ("-007", -7),
        ("0o17", 15),
        ("0x1F", 31),
        ("0xff", 255),
        ("1.5", 1.5),
        (".5", 0.5),
        ("-.5", -0.5),
        ("1.", 1.0),
        ("1e3", 1000.0),
        ("1E-2", 0.01),
        ("+1.0e+1", 10.0),
        ("685_230.15", "685_230.15"),
        ("9" * 1000, int("9" * 1000)),
        ("1e-999", 0.0),
    ],
)
def test_numbers_are_those_of_the_core_schema(text: str, value: Json) -> None:
    found, codes = read(text)
    assert (found, type(found), codes) == (value, type(value), [])


@pytest.mark.parametrize("text", ["", "~", "null", "Null", "NULL"])
def test_null_has_its_five_spellings(text: str) -> None:
    assert read(text) == (None, [])


@pytest.mark.parametrize(("text", "value"), [("true", True), ("True", True), ("TRUE", True), ("false", False)])
def test_booleans_have_three_spellings(text: str, value: bool) -> None:
    assert read(text) == (value, [])


@pytest.mark.parametrize("text", ['"true"', "'1'", '"null"', "''", '"0x1F"', '".inf"', "|-\n  1", ">-\n  true"])
def test_quoted_and_block_scalars_are_always_text(text: str) -> None:
    value, codes = read(text)
    assert isinstance(value, str)
    assert codes == []


@pytest.mark.parametrize(
    "text",
    [
        *(".inf", "-.inf", "+.Inf", ".INF", ".nan", ".NaN", ".NAN", "1e999", "-1e999", "9" * 400 + ".0"),
        *("1" * 1001, "-" + "1" * 5000, "0x" + "f" * 5000, "0o" + "7" * 5000),
    ],
    ids=lambda text: text[:8],
)
def test_numbers_that_json_lacks_are_explained(text: str) -> None:
    assert read(text) == (None, ["E115"])


def test_no_number_that_is_read_is_infinite() -> None:
    value, codes = read("1.7976931348623157e308")
    assert isinstance(value, float)
    assert math.isfinite(value)
    assert codes == []


@pytest.mark.parametrize("key", ["on", "yes", "no", "2024-01-01", "12:30", "<", "=", "1_000"])
def test_such_words_are_good_keys_too(key: str) -> None:
    document, faults = load_text(f"{key}: 1\n")
    assert (document.data, faults) == ({key: 1}, [])


@pytest.mark.parametrize("key", ["1", "1.5", "null", "~", "true", "False", "0x1F", ".inf", "1e999"])
def test_keys_that_are_no_text_are_refused(key: str) -> None:
    _, faults = load_text(f"{key}: 1\n")
    assert [fault.code for fault in faults] == ["E109"]
