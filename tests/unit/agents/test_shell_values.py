"""D7: a value that can't be put into the run's directory is a fault of the storage, not of the node."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipe_agents.shell_values import kept
from pipe_runner.errors import StorageError


def test_d7_a_directory_that_is_gone_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"cannot write .*: No such file"):
        kept(str(tmp_path / "gone" / "value"), "x", [])


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="the system has no /dev/full")
def test_d7_a_full_disk_is_a_storage_error() -> None:
    with pytest.raises(StorageError, match="No space left"):
        kept("/dev/full", "x" * 100_000, [])
