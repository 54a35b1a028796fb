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

SPAWN, END, GUARD, KIN, TABLE, TAKE, MARKS = range(7)
EXITED, FAILED, GONE, LEFT, PRINTED, OPEN, PIPES = range(7)
IN_FOLDER, IN_SEARCH, IN_EXEC, IN_PIPES = range(4)
"""Stages of a start: changing to the working directory, looking for the program, executing it; before them, pipes."""
Report = tuple[int, int, int, "float | str | bytes"]
