"""Ends a runner that takes no notice of signals, since code in it keeps Python from going on; part of the warden.

The system writes the number of each signal to a pipe without Python's help (`signal.set_wakeup_fd`), and the runner
writes a zero when its own handler runs. A number after which no zero comes is one that the runner can't act on.
"""

from __future__ import annotations

import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
else:  # as in the rest of the warden
    import _signal as signal

HEARD = b"\0"
LAST_WAIT = 1.9
"""Seconds beyond the grace; after a second signal seconds at all. Nobody waits for more than two."""
FIRST = 1
"""The process of a container to which no other in it can send SIGKILL."""
LEAVE = 64
"""The signal that ends such a runner in its place, and then its exit code."""
_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Guard:
    """The warden's side: `fd` is the pipe's end to read from, `runner` the process to kill."""

    def __init__(self, fd: int, grace: float, runner: int) -> None:
        os.set_blocking(fd, False)
        self.fd = fd
        self._grace = grace
        self._runner = runner
        self._count = 0
        self._since: float | None = None
        """When the first signal came that was not heard."""

    def read(self) -> bool:
        """Take what has come; False at the end of the pipe."""
        try:
            data = os.read(self.fd, 4096)
        except OSError:
            return True
        for number in data:
            if number == HEARD[0]:
                self._since = None
            elif number in _STOPPING:
                self._count += 1
                self._since = self._since or time.monotonic()
        return bool(data)

    def wait(self) -> float | None:
        """Seconds until `act` has something to do."""
        if self._since is None:
            return None
        grace = self._grace if self._count == 1 else 0.0
        return max(0.0, self._since + grace + LAST_WAIT - time.monotonic())

    def act(self) -> None:
        """Kill the runner if its time is up: what it left is then ended, and its run can be resumed."""
        if self.wait() == 0.0 and os.getppid() == self._runner:
            self._since = None
            end(self._runner)


def end(runner: int) -> None:
    """Kill a runner that can't go on."""
    os.kill(runner, LEAVE if runner == FIRST else signal.SIGKILL)
