"""What the events of a run are written to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from pipe_runner.ports import Event

Committed = Callable[["float | None", "BaseException | None"], None]
"""Called with the seconds that a commit took, and why it failed, if it did; without both, it is to be made again."""


class Journal(Protocol):
    """The sink that is the truth. Raises StorageError from any call when the log can't be written (D7)."""

    def append(self, event: Event) -> None:
        """Write the event; survives the process when it returns (not yet the power)."""
        ...

    def commit(self) -> None:
        """Make all that was appended durable (fdatasync); with durability `os` it does nothing. May block."""
        ...

    def commit_beside(self, then: Committed) -> bool:
        """Do so without holding up the loop that asks; False: `commit` is to be called. `then` is called in the loop,
        never before this returns."""
        ...

    def put_blob(self, data: bytes) -> str:
        """Keep a large output, durable when it returns; gives its sha256 in hex."""
        ...

    def check(self) -> None:
        """Fail where what was appended is not there any more, since somebody removed it."""
        ...

    def close(self) -> None: ...
