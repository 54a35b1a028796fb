"""`follow` yields what appears, when it is whole, and tells damage from a line that is being written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pipe_runner.errors import LogDamaged, StorageError
from pipe_runner.ports import Event
from pipe_runner.runlog import RunDir, follow, repair
from pipe_runner.runlog.lines import encode_line

WriteRun = Callable[..., RunDir]


class Play:
    """Does one thing at each poll, and stops when nothing is left to do; no time passes."""

    def __init__(self, *scenes: Callable[[], object]) -> None:
        self.scenes = list(scenes)

    def sleep(self, seconds: float) -> None:
        self.scenes.pop(0)()

    def done(self) -> bool:
        return not self.scenes


def watch(path: str, play: Play) -> list[Event]:
    return list(follow(path, play.done, sleep=play.sleep))


def appender(path: str, data: bytes) -> Callable[[], object]:
    def append() -> None:
        with open(path, "ab") as log:
            log.write(data)

    return append


def test_what_is_there_and_what_appears_is_yielded_once_and_in_order(tmp_path: Path, ten: list[Event]) -> None:
    path = str(tmp_path / "log.jsonl")
    lines = [encode_line(event) for event in ten]
    whole = b"".join(lines)
    appender(path, lines[0])()
    pieces = [whole[at : at + 97] for at in range(len(lines[0]), len(whole), 97)]
    assert watch(path, Play(*[appender(path, piece) for piece in pieces])) == ten


def test_a_finished_log_is_yielded_whole(write_run: WriteRun, ten: list[Event]) -> None:
    assert list(follow(write_run().log_path, lambda: True)) == ten


def test_a_line_longer_than_a_read_is_yielded(write_run: WriteRun, ten: list[Event]) -> None:
    large = Event(11, ten[0].ts, "r1", "node.output", "a", 1, {"text": "x" * 3_000_000})
    last = Event(12, ten[0].ts, "r1", "node.output", "a", 1, {"text": "x"})
    assert list(follow(write_run("r1", [*ten, large, last]).log_path, lambda: True)) == [*ten, large, last]


def test_a_torn_tail_is_waited_for_until_a_resume_has_set_it_aside(write_run: WriteRun, ten: list[Event]) -> None:
    rundir = write_run("r1", ten[:6])
    rest = b"".join(encode_line(event) for event in ten[6:])
    waiting = [lambda: None] * 50
    scenes = [
        appender(rundir.log_path, b"garbage\n{"),
        *waiting,
        lambda: repair(rundir),
        appender(rundir.log_path, rest),
    ]
    assert watch(rundir.log_path, Play(*scenes)) == ten


def test_a_torn_tail_at_the_end_is_no_damage(write_run: WriteRun, ten: list[Event]) -> None:
    rundir = write_run()
    appender(rundir.log_path, b"\0\0\n\0")()
    assert watch(rundir.log_path, Play(lambda: None)) == ten


@pytest.mark.parametrize("tail", [b"", b"\0" * 300, b"garb"])
def test_a_last_line_that_only_lacks_its_newline_is_yielded_once_the_run_is_over(
    write_run: WriteRun, ten: list[Event], tail: bytes
) -> None:
    rundir = write_run()
    log = Path(rundir.log_path)
    log.write_bytes(log.read_bytes()[:-1] + tail)
    assert watch(rundir.log_path, Play(lambda: None)) == ten


@pytest.mark.parametrize("place", ["removed", "moved", "replaced"])
def test_a_log_that_is_gone_before_the_run_has_ended_is_told_with_what_it_held(
    write_run: WriteRun, ten: list[Event], place: str
) -> None:
    rundir = write_run("r1", ten[:6])
    log = Path(rundir.log_path)

    def gone() -> None:
        appender(rundir.log_path, encode_line(ten[6]))()
        log.rename(log.with_name("elsewhere"))
        if place == "removed":
            log.with_name("elsewhere").unlink()
        elif place == "replaced":
            log.write_bytes(b"")

    seen = []
    with pytest.raises(StorageError, match="was removed or moved before the run had ended"):
        for event in follow(rundir.log_path, lambda: False, sleep=lambda _: gone()):
            seen.append(event)
    assert seen == ten[:7]


def test_a_log_that_is_removed_when_the_run_has_ended_is_no_fault(write_run: WriteRun, ten: list[Event]) -> None:
    rundir = write_run()
    play = Play(lambda: Path(rundir.log_path).unlink(), lambda: None)
    assert watch(rundir.log_path, play) == ten


def test_d6_damage_is_named_at_once_when_the_run_is_over_and_soon_while_it_goes_on(
    write_run: WriteRun, ten: list[Event]
) -> None:
    rundir = write_run()
    log = Path(rundir.log_path)
    log.write_bytes(log.read_bytes().replace(b"node.retrying", b"node.retryinG"))
    for play in (Play(), Play(*[lambda: None] * 1000)):
        seen = []
        with pytest.raises(LogDamaged):
            for event in follow(rundir.log_path, play.done, sleep=play.sleep):
                seen.append(event)
        assert seen == ten[:3]


def test_a_log_that_is_not_there_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="ENOENT"):
        list(follow(str(tmp_path / "log.jsonl"), lambda: True))
