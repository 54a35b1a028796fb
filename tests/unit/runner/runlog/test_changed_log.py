"""A log whose every line was changed is damaged, not torn (D6)."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipe_runner.errors import LogDamaged
from pipe_runner.ports import Event
from pipe_runner.runlog import read_log
from pipe_runner.runlog.lines import encode_line


def written(tmp_path: Path, change: bytes) -> Path:
    lines = [encode_line(Event(seq, "2026-11-24T00:00:00.000000Z", "r", "x")) for seq in (1, 2, 3)]
    log = tmp_path / "log.jsonl"
    log.write_bytes(b"".join(lines).replace(b"\n", change))
    return log


def test_d6_line_ends_of_another_system_are_damage(tmp_path: Path) -> None:
    with pytest.raises(LogDamaged) as caught:
        read_log(str(written(tmp_path, b"\r\n")))
    assert caught.value.line <= 2


def test_d5_one_last_line_whose_crc_is_wrong_is_a_torn_tail(tmp_path: Path) -> None:
    log = written(tmp_path, b"\n")
    whole = log.read_bytes()
    log.write_bytes(whole[:-5] + b'0"}\n' if whole[-5:-4] != b"0" else whole[:-5] + b'1"}\n')
    assert len(read_log(str(log)).events) == 2
