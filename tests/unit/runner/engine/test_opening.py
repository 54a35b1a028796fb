"""How a run begins, and what is said where it can't."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest
from tests.integration.waiting import Waiting

from pipe_runner.engine import opening
from pipe_runner.errors import StorageError
from pipe_runner.testing import run_pipeline


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT])
def test_a_run_that_cannot_begin_says_that_it_can_be_kept_elsewhere(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(path: Any, *_: Any, **__: Any) -> None:
        raise OSError(number, os.strerror(number), path)

    monkeypatch.setattr(os, "makedirs", failing)
    with pytest.raises(StorageError, match="cannot make the directory") as raised:
        run_pipeline("version: 1\nnodes: {a: {run: echo x}}\n", root=tmp_path)
    hint = str(raised.value.hint)
    assert "--state-dir or PIPE_STATE_DIR" in hint
    assert "resume" not in hint


def test_d7_a_run_that_has_no_room_for_files_of_attempts_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = os.makedirs

    def full(path: Any, *more: Any, **named: Any) -> None:
        if str(path).endswith("scratch"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
        make(path, *more, **named)

    monkeypatch.setattr(os, "makedirs", full)
    with pytest.raises(StorageError, match=r"cannot make the directory .*scratch: No space") as raised:
        run_pipeline("version: 1\nnodes: {a: {run: echo x}}\n", root=tmp_path)
    assert "pipe resume" in str(raised.value.hint)


def test_d7_what_keeps_a_run_from_going_on_is_named(tmp_path: Path) -> None:
    project = Waiting(tmp_path, "version: 1\nnodes: {a: {run: exit 1}}\n")
    project.run()
    (tmp_path / ".pipe/runs/r/cancel").mkdir()
    with pytest.raises(StorageError, match=r"cannot go on with .*cancel: Is a directory"):
        project.resume()
    (tmp_path / ".pipe/runs/r/cancel").rmdir()
    assert str(project.resume().status) == "failed"


def test_a_run_that_has_succeeded_gains_no_event_when_it_is_performed_again(tmp_path: Path) -> None:
    project = Waiting(tmp_path, "version: 1\nnodes: {a: {run: echo x}}\n")
    project.run()
    log = tmp_path / ".pipe/runs/r/log.jsonl"
    before = log.read_bytes()
    assert str(project.resume().status) == "succeeded"
    assert log.read_bytes() == before


def test_a_resume_that_can_not_be_opened_holds_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = Waiting(tmp_path, "version: 1\nnodes: {a: {run: exit 1}}\n")
    project.run()
    opened = len(os.listdir("/dev/fd"))
    for place in ("_processes", "items_to_rerun"):  # before and after a warden was started
        with monkeypatch.context() as patch:
            patch.setattr(opening, place, _full)
            with pytest.raises(StorageError, match="No space left") as raised:
                project.resume()
            assert len(os.listdir("/dev/fd")) == opened, raised.value  # its traceback keeps what nobody closed
    assert str(project.resume().status) == "failed"


def _full(*_: Any) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
