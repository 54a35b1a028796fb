"""A line says exactly what the event said, in the form that the contract gives; anything else is told apart."""

from __future__ import annotations

import json
import re
from typing import Any
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipe_runner.ports import Event
from pipe_runner.runlog.lines import MAX_LINE, RESERVED, BadLine, checksum_ok, decode_line, encode_line

texts = st.text(st.characters(codec=None), max_size=20)
"""Any code points, lone surrogates too."""
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=10,
)
events = st.builds(
    Event,
    seq=st.integers(1, 10**9),
    ts=st.just("2026-11-24T00:32:15.123456Z"),
    run=st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,79}", fullmatch=True),
    event=st.sampled_from(["run.started", "node.output", "future.kind"]) | texts,
    node=st.none() | texts,
    attempt=st.none() | st.integers(1, 99),
    data=st.dictionaries(texts.filter(lambda key: key not in RESERVED), json_values, max_size=5),
)


def sealed(text: str) -> bytes:
    """A line with a right crc around any text."""
    raw = text.encode("ascii")
    return raw + b',"crc":"%08x"}' % crc32(raw)


def line_of(**changes: Any) -> bytes:
    fields = {"v": 1, "seq": 1, "ts": "2026-11-24T00:32:15.123456Z", "run": "r", "event": "node.started", **changes}
    return sealed(json.dumps({k: v for k, v in fields.items() if v is not ...}, separators=(",", ":"))[:-1])


@given(events)
def test_an_event_comes_back_equal(event: Event) -> None:
    line = encode_line(event)
    assert line.endswith(b"\n")
    assert decode_line(line[:-1], event.run, event.seq) == event


@given(events)
def test_a_line_is_ascii_json_on_one_line_with_its_fields_first_and_its_crc_last(event: Event) -> None:
    line = encode_line(event)
    assert line.isascii()
    assert line.count(b"\n") == 1
    fields = json.loads(line)
    assert list(fields)[:5] == ["v", "seq", "ts", "run", "event"]
    assert list(fields)[-1] == "crc"
    assert fields["v"] == 1
    before, crc = line.rsplit(b',"crc":', 1)
    assert re.fullmatch(rb'"[0-9a-f]{8}"}\n', crc)
    assert int(fields["crc"], 16) == crc32(before)


@given(events, st.data())
def test_d6_any_changed_byte_is_noticed(event: Event, data: st.DataObject) -> None:
    line = bytearray(encode_line(event)[:-1])
    at = data.draw(st.integers(0, len(line) - 1))
    line[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(BadLine):
        decode_line(bytes(line))


@given(st.binary(max_size=200))
def test_s11_bytes_that_are_no_line_are_a_typed_fault(line: bytes) -> None:
    with pytest.raises(BadLine):
        decode_line(line)


@given(json_values)
def test_s11_any_json_with_a_right_crc_is_an_event_or_a_typed_fault(value: Any) -> None:
    text = json.dumps(value)
    try:
        decode_line(sealed(text[:-1] if text.endswith("}") else text))
    except BadLine as bad:
        assert bad.checksum_ok is text.startswith("{")


def test_nothing_that_is_no_json_is_ever_written() -> None:
    for bad in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="JSON compliant"):
            encode_line(Event(1, "t", "r", "e", data={"x": [bad]}))
    with pytest.raises(TypeError):
        encode_line(Event(1, "t", "r", "e", data={"x": object()}))


def test_data_can_not_pose_as_a_field_of_every_event() -> None:
    for name in sorted(RESERVED):
        with pytest.raises(ValueError, match="names fields of every event"):
            encode_line(Event(1, "t", "r", "e", data={name: 1}))


def test_a_line_longer_than_readers_accept_is_not_written() -> None:
    with pytest.raises(ValueError, match="are the most"):
        encode_line(Event(1, "t", "r", "e", data={"x": "x" * MAX_LINE}))


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"", "an empty line"),
        (b"\0\0\0", "zero bytes where a line should begin"),
        (b"garbage", "does not end with a crc"),
        (line_of()[:-1], "does not end with a crc"),
        (line_of() + b"\r", "does not end with a crc"),
        (b" " + line_of(), "crc does not fit"),
        (line_of(v=2), "format v2, written by a newer version of pipe-runner; this one reads v1"),
        (line_of(v="1"), "format is '1'"),
        (line_of(v=...), "lacks the fields of an event"),
        (line_of(seq=...), "lacks the fields of an event"),
        (line_of(event=...), "lacks the fields of an event"),
        (line_of(seq="1"), "wrong type"),
        (line_of(seq=True), "wrong type"),
        (line_of(ts=1), "wrong type"),
        (line_of(ts="2026-02-31T00:00:00.000000Z"), "`ts` is no time"),
        (line_of(ts="0000-01-01T00:00:00.000000Z"), "`ts` is no time"),
        (line_of(node=1), "`node` is no text"),
        (line_of(attempt="1"), "`attempt` is no whole number"),
        (line_of(attempt=0), "`attempt` is no whole number from 1"),
        (line_of(attempt=-1), "`attempt` is no whole number from 1"),
        (line_of(run="other"), "belongs to run 'other', not to 'r'"),
        (line_of(seq=3), "seq is 3 where 1 is next: lines are missing"),
        (line_of(seq=0), "seq is 0 where 1 is next: a line stands twice"),
        (sealed('{"a":' + "[" * 10**5), "nested too deeply"),
        (sealed('{"a":tru'), "no ASCII JSON"),
        (sealed('{"a":NaN'), "NaN is no number of JSON"),
        (sealed('{"a":-Infinity'), "-Infinity is no number of JSON"),
        (sealed('{"a":1e999'), "1e999 is too large a number"),
    ],
)
def test_d6_a_bad_line_says_why(line: bytes, why: str) -> None:
    with pytest.raises(BadLine, match=re.escape(why)):
        decode_line(line, "r", 1)


def test_fields_and_events_that_are_not_known_are_kept() -> None:
    event = decode_line(line_of(event="node.teleported", future={"x": 1}), "r", 1)
    assert event.event == "node.teleported"
    assert event.data == {"future": {"x": 1}}


def test_a_checksum_in_capitals_is_not_ours() -> None:
    line = line_of(x=3)
    digits = line[-10:-2]
    assert digits != digits.upper()
    assert checksum_ok(line)
    assert not checksum_ok(line[:-10] + digits.upper() + line[-2:])
