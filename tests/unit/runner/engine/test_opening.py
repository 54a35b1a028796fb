"""How a run begins, and what is said where it can't."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

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
