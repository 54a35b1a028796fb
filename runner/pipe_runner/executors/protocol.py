"""The words that the runner and its warden exchange.

Frames go over a stream socket, each a length of 4 bytes (little endian) and a marshalled value.
From the runner: first `(MARKS, env)`, what every command has in its environment; `(SPAWN, id, argv, env, cwd, node,
attempt, fds)` with so many descriptors beside it: stdout and stderr, where the runner reads them itself, and stdin,
where there is one; `(TAKE, id)`: hand over the pipes that the warden reads; `(END, id, grace)`: TERM to all that there
is of an attempt, KILL after `grace` seconds; `(GUARD, grace)` with the pipe beside it that tells of signals: kill the
runner when it takes no notice of them; `(KIN, ticks)`: what the runner itself has started since then (`relatives.py`)
is the run's, too, and the pipe beside it tells when it is about to start something; `(TABLE, folder, go_on)` with a
table and the runner's stderr beside it: end the runner when it can't hold the limits that stand there (`overdue.py`).
To the runner: a list of `(EXITED, id, wait status, when)`, by the monotonic clock, which all processes share;
`(LEFT, id, wait status, when)`: the same, and something is left of the attempt; before them, where the warden reads
the pipes, `(PRINTED, id, stream, data)` and, if one is not at its end, `(OPEN, id, 0, 0)`; `(PIPES, id, streams, 0)`,
which answers TAKE, with the pipes of those streams (bits) beside it; `(FAILED, id, errno, stage)`; `(GONE, id, 0, 0)`:
nothing is left any more; an empty one when it is there.
What is left after a command has exited is ended when the runner says so, or is dead.
"""

from __future__ import annotations

import errno
import marshal

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from typing import Any

SPAWN, END, GUARD, KIN, TABLE, TAKE, MARKS = range(7)
EXITED, FAILED, GONE, LEFT, PRINTED, OPEN, PIPES = range(7)
IN_FOLDER, IN_SEARCH, IN_EXEC, IN_PIPES = range(4)
"""Stages of a start: changing to the working directory, looking for the program, executing it; before them, pipes."""
LATER = (errno.ETOOMANYREFS, errno.ENOBUFS, errno.ENOMEM)
"""What sending may fail with that passes: too many descriptors are on their way already, or there is no memory."""
PAUSE = 0.02
"""Seconds until it is tried again then: the socket itself has room, and says so at once."""
Report = tuple[int, int, int, "float | str | bytes"]


class Frames:
    """What has come over the socket, as whole messages; of one that comes in many pieces each is copied once."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._missing = 0
        """Bytes without which nothing more is whole; of a length that is cut, those of the length."""

    def take(self, data: bytes) -> list[Any]:
        """The messages that this makes whole."""
        if self._pieces:
            self._pieces.append(data)
            self._missing -= len(data)
            if self._missing > 0:
                return []
            data = b"".join(self._pieces)
            self._pieces.clear()
        elif int.from_bytes(data[:4], "little") == len(data) - 4:  # nearly always
            return [marshal.loads(data[4:])]
        messages = []
        at, size = 0, len(data)
        while at < size:
            start = end = at + 4
            if size >= start:
                end += int.from_bytes(data[at:start], "little")
            if size < end:
                self._pieces.append(data[at:])
                self._missing = end - size
                break
            messages.append(marshal.loads(data[start:end]))
            at = end
        return messages


def frame(message: Any) -> bytes:
    """A message as it goes over the socket."""
    body = marshal.dumps(message)
    return len(body).to_bytes(4, "little") + body


def hang_up(line: socket.socket) -> None:
    """End the socket for both sides: what could not be sent is missed, and nobody may wait for its answer."""
    try:
        line.shutdown(2)
    except OSError:  # the other side has done so
        pass
