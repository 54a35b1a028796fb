"""D5: a torn tail loses nothing before it. D6: damage before the tail is named, and nothing behind it is believed."""

from __future__ import annotations

import os
import random
import re
from collections.abc import Callable
from pathlib import Path
from zlib import crc32

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipe_runner.errors import LogDamaged, StorageError
from pipe_runner.ports import Event
from pipe_runner.run import fold
from pipe_runner.runlog import RunDir, fold_log, read_log
from pipe_runner.runlog.lines import encode_line
from pipe_runner.types import EventKind

WriteRun = Callable[..., RunDir]
same_directory = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def lines_of(events: list[Event]) -> list[bytes]:
    return [encode_line(event) for event in events]


def damage(path: Path | str, run: str | None = None) -> LogDamaged:
    with pytest.raises(LogDamaged) as found:
        read_log(str(path), run)
    return found.value


def test_a_whole_log_gives_all_events_and_folds_as_they_do(write_run: WriteRun, ten: list[Event]) -> None:
    log = write_run().log_path
    contents = read_log(log, "r1")
    assert contents.events == ten
    assert (contents.torn, contents.next_seq, contents.good_bytes) == (None, 11, Path(log).stat().st_size)
    assert fold_log(log) == fold(ten)


def test_d5_a_log_cut_at_any_byte_loads_to_the_last_whole_line(tmp_path: Path, ten: list[Event]) -> None:
    lines = lines_of(ten)
    whole = b"".join(lines)
    log = tmp_path / "log.jsonl"
    for cut in range(len(whole) + 1):
        log.write_bytes(whole[:cut])
        contents = read_log(str(log), "r1")
        ends = [len(b"".join(lines[:n])) for n in range(len(lines) + 1)]
        # A line whose last byte, the newline, is all that is missing did validate.
        expected = max(n for n, end in enumerate(ends) if end <= cut or (n and end - 1 <= cut))
        assert contents.events == ten[:expected]
        assert contents.next_seq == expected + 1
        assert contents.good_bytes == min(ends[expected], cut)
        assert contents.torn == (None if cut <= ends[expected] else ends[expected])


@pytest.mark.parametrize(
    "tail",
    [
        b"\0",
        b"\0" * 5000,
        b"\n",
        b"\n\n\n",
        b"\r\n",
        b"garbage",
        b"garbage\nmore\n\n\xff\xfe",
        b'{"v":1,"seq":11,"ts":"2026',
        b'{"v":1,"seq":11,"crc":"00000000"}\n',
        b'{"v":1}\n' * 50,
        b'{"v":' * 1000 + b',"crc":"00000000"}\n',
        b',"crc":"00000000"}' * 1000,
        random.Random(5).randbytes(3000),
    ],
    ids=lambda tail: f"{tail[:12]!r}x{len(tail)}",
)
@pytest.mark.parametrize("ended", [True, False], ids=["after a newline", "instead of it"])
def test_d5_a_tail_of_zeros_or_garbage_is_torn(tmp_path: Path, ten: list[Event], tail: bytes, ended: bool) -> None:
    whole = b"".join(lines_of(ten))
    log = tmp_path / "log.jsonl"
    log.write_bytes((whole if ended else whole[:-1]) + tail)
    contents = read_log(str(log), "r1")
    assert contents.events == ten
    if ended or not tail.startswith(b"\n"):
        assert contents.torn == contents.good_bytes == len(whole) - (not ended)


@same_directory
@given(keep=st.integers(0, 10), tail=st.binary(max_size=300))
def test_d5_any_tail_that_holds_no_line_loses_nothing_before_it(
    tmp_path: Path, ten: list[Event], keep: int, tail: bytes
) -> None:
    whole = b"".join(lines_of(ten)[:keep])
    log = tmp_path / "log.jsonl"
    log.write_bytes(whole + tail)
    contents = read_log(str(log), "r1")
    assert contents.events == ten[:keep]
    assert contents.torn == (len(whole) if tail else None)


def test_d5_a_last_line_whose_crc_is_wrong_is_torn(tmp_path: Path, ten: list[Event]) -> None:
    whole = bytearray(b"".join(lines_of(ten)))
    whole[-30] ^= 1
    log = tmp_path / "log.jsonl"
    log.write_bytes(whole)
    assert read_log(str(log)).events == ten[:9]


def test_d6_a_changed_byte_anywhere_before_the_last_line_is_damage_where_its_line_begins(
    tmp_path: Path, ten: list[Event]
) -> None:
    lines = lines_of(ten)
    whole = b"".join(lines)
    starts = [len(b"".join(lines[:n])) for n in range(len(lines))]
    log = tmp_path / "log.jsonl"
    for at in range(starts[-1] - 1):
        changed = bytearray(whole)
        changed[at] ^= 0x01
        log.write_bytes(changed)
        line = max(n for n, start in enumerate(starts) if start <= at)
        found = damage(log, "r1")
        if whole[at : at + 1] == b"\n":  # the line itself is whole; what follows it is no newline
            assert (found.byte, found.line) == (starts[line + 1] - 1, line + 2)
        else:
            assert (found.byte, found.line) == (starts[line], line + 1)
        assert f"log damaged at byte {found.byte} (line {found.line}): " in found.message
        assert found.exit_code == 74


@pytest.mark.parametrize("place", [0, 1, 4, 8])
@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("lost", "lines are missing"),
        ("twice", "a line stands twice"),
        ("swapped", "lines are missing"),
        ("another run's", "belongs to run 'r2'"),
        ("newer", "written by a newer version"),
        ("empty", "an empty line"),
        ("zeros", "zero bytes"),
        ("torn", "crc"),
        ("joined", "crc"),
        ("carriage return", "crc"),
    ],
)
def test_d6_damage_before_the_tail_is_named_with_its_place(
    tmp_path: Path, ten: list[Event], place: int, name: str, why: str
) -> None:
    lines = lines_of(ten)
    other = Event(place + 1, "2026-11-24T00:32:15.000000Z", "r2", "node.started", "a", 1)
    raw = encode_line(ten[place]).replace(b'{"v":1,', b'{"v":2,').rsplit(b',"crc":', 1)[0]
    changed = {
        "lost": [*lines[:place], *lines[place + 1 :]],
        "twice": [*lines[:place], lines[place], *lines[place:]],
        "swapped": [*lines[:place], lines[place + 1], lines[place], *lines[place + 2 :]],
        "another run's": [*lines[:place], encode_line(other), *lines[place:]],
        "newer": [*lines[:place], b'%b,"crc":"%08x"}\n' % (raw, crc32(raw)), *lines[place + 1 :]],
        "empty": [*lines[:place], b"\n", *lines[place:]],
        "zeros": [*lines[:place], b"\0" * 4096, *lines[place:]],
        "torn": [*lines[:place], lines[place][:40], *lines[place:]],
        "joined": [*lines[:place], lines[place][:-20], *lines[place + 1 :]],
        "carriage return": [*lines[:place], lines[place][:-1] + b"\r\n", *lines[place + 1 :]],
    }[name]
    log = tmp_path / "log.jsonl"
    log.write_bytes(b"".join(changed))
    before = len(b"".join(lines[:place]))
    found = damage(log, "r1")
    if name == "twice":
        assert (found.byte, found.line) == (before + len(lines[place]), place + 2)
    elif name == "carriage return":
        assert (found.byte, found.line) == (before + len(lines[place]) - 1, place + 2)
    else:
        assert (found.byte, found.line) == (before, place + 1)
    assert re.search(why, found.why)


def test_d6_a_last_line_with_a_right_crc_that_does_not_belong_there_is_damage(tmp_path: Path, ten: list[Event]) -> None:
    lines = lines_of(ten)
    log = tmp_path / "log.jsonl"
    for last in (
        lines[9],
        lines[0],
        encode_line(Event(12, ten[0].ts, "r1", "x")),
        encode_line(Event(11, ten[0].ts, "r2", "x")),
    ):
        log.write_bytes(b"".join(lines) + last)
        assert damage(log).line == 11


def test_d6_a_log_of_another_run_is_damaged_from_its_first_byte(write_run: WriteRun) -> None:
    assert damage(write_run("r2").log_path, "r1").byte == 0


def test_d6_an_event_that_can_not_be_folded_is_damage_where_it_stands(write_run: WriteRun, ten: list[Event]) -> None:
    strange = Event(11, ten[0].ts, "r1", "run.finished", data={"status": "no such status"})
    rundir = write_run("r1", [*ten, strange])
    with pytest.raises(LogDamaged, match=r"run\.finished does not hold what it must") as found:
        fold_log(rundir.log_path)
    assert (found.value.byte, found.value.line) == (len(b"".join(lines_of(ten))), 11)
    assert len(read_log(rundir.log_path).events) == 11


@pytest.mark.parametrize("kind", ["run.teleported", "node.output", "run.resumed"])
def test_d6_a_log_that_begins_with_anything_but_its_run_s_start_is_damaged(
    write_run: WriteRun, ten: list[Event], kind: str
) -> None:
    later = [event._replace(seq=event.seq + 1) for event in ten]
    rundir = write_run("r1", [ten[1]._replace(seq=1, event=kind), *later])
    with pytest.raises(LogDamaged, match=r"doesn't begin with a run\.started") as found:
        fold_log(rundir.log_path)
    assert (found.value.byte, found.value.line) == (0, 1)


@pytest.mark.parametrize("kind", [kind for kind in EventKind if kind.startswith("node.")])
def test_d6_an_event_of_a_node_that_names_none_is_damage(
    write_run: WriteRun, ten: list[Event], kind: EventKind
) -> None:
    rundir = write_run("r1", [*ten, Event(11, ten[0].ts, "r1", kind, None, 1)])
    with pytest.raises(LogDamaged, match="names no node") as found:
        fold_log(rundir.log_path)
    assert found.value.line == 11


def test_events_that_are_not_known_change_nothing_but_are_counted(write_run: WriteRun, ten: list[Event]) -> None:
    rundir = write_run("r1", [*ten, Event(11, ten[0].ts, "r1", "node.teleported", "a", 1, {"x": 1})])
    run = fold_log(rundir.log_path)
    assert run.seq == 11
    run.seq = 10
    assert run == fold(ten)


def test_an_empty_log_tells_of_nothing(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").touch()
    contents = read_log(str(tmp_path / "log.jsonl"))
    assert (contents.events, contents.good_bytes, contents.torn, contents.next_seq) == ([], 0, None, 1)


def test_what_is_no_regular_file_is_not_read(tmp_path: Path, write_run: WriteRun) -> None:
    (tmp_path / "link").symlink_to(write_run().log_path)
    os.mkfifo(tmp_path / "fifo")
    for name, why in (("link", "ELOOP"), ("fifo", "no regular file"), ("none", "ENOENT"), (".", "no regular file")):
        with pytest.raises(StorageError, match=why):
            read_log(str(tmp_path / name))


def test_reading_changes_nothing(write_run: WriteRun) -> None:
    rundir = write_run()
    with open(rundir.log_path, "ab") as log:
        log.write(b"torn")
    before = (Path(rundir.log_path).read_bytes(), os.stat(rundir.log_path).st_mtime_ns, os.listdir(rundir.path))
    read_log(rundir.log_path)
    fold_log(rundir.log_path)
    assert before == (Path(rundir.log_path).read_bytes(), os.stat(rundir.log_path).st_mtime_ns, os.listdir(rundir.path))


def test_r1_a_tail_of_half_a_gigabyte_is_read_in_bounded_memory(write_run: WriteRun, ten: list[Event]) -> None:
    import tracemalloc

    rundir = write_run()
    os.truncate(rundir.log_path, 2**29)  # sparse: zeros that take no room
    tracemalloc.start()
    contents = read_log(rundir.log_path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert contents.events == ten
    assert peak < 300 * 2**20
