"""Keeps the pipes of commands that have just been started; part of the warden's program.

Most commands are over before anybody would look at what they print. Their pipes are made, read and closed here, and
what was in them goes to the runner with the exit: 6 µs for both, and 12 where the runner makes them, sends the other
ends and reads. Those of a command that takes longer are handed over when the runner asks.
"""

from __future__ import annotations

import os

from pipe_runner.executors.protocol import OPEN, PRINTED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pipe_runner.executors.protocol import Report

_LITTLE = 4096
"""Bytes that are made room for at first: few commands print more."""
_FULL = 64 * 1024
"""Bytes of a pipe as the system makes it."""


class Pipes:
    """The ends to read from, by the id of their command: stdout and stderr, -1 for one that is at its end."""

    def __init__(self) -> None:
        self._kept: dict[int, list[int]] = {}

    def make(self, number: int) -> list[int]:
        """Make the two of a command; gives the ends for it. Raises OSError."""
        out, to_out = os.pipe()
        try:
            err, to_err = os.pipe()
        except OSError:
            os.close(out)
            os.close(to_out)
            raise
        os.set_blocking(out, False)
        os.set_blocking(err, False)
        self._kept[number] = [out, err]
        return [to_out, to_err]

    def drop(self, number: int) -> None:
        """Close those of a command that didn't start."""
        for fd in self._kept.pop(number, ()):
            os.close(fd)

    def read(self, number: int, reports: list[Report]) -> None:
        """Its command has exited: report what was printed, and whether somebody may still print."""
        kept = self._kept.get(number)
        if kept is None:  # the runner has them
            return
        for stream in (0, 1):
            if self._read(kept[stream], stream, number, reports):
                os.close(kept[stream])
                kept[stream] = -1
        if kept[0] < 0 and kept[1] < 0:
            del self._kept[number]
        else:
            reports.append((OPEN, number, 0, 0))

    def hand_over(self, number: int) -> tuple[int, list[int]]:
        """What is open of a command's: which streams (bits), and the descriptors, which are the caller's to close."""
        kept = self._kept.pop(number, (-1, -1))
        return (kept[0] >= 0) + 2 * (kept[1] >= 0), [fd for fd in kept if fd >= 0]

    def _read(self, fd: int, stream: int, number: int, reports: list[Report]) -> bool:
        """Take what is there, at most a pipe full; True at the end."""
        size, taken = _LITTLE, 0
        while taken < _FULL:
            try:
                data = os.read(fd, size)
            except BlockingIOError:
                return False
            if not data:
                return True
            reports.append((PRINTED, number, stream, data))
            taken += len(data)
            size = _FULL
        return False
