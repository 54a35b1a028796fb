"""The floor of the row of commands: a loop that starts them, two at a time, and takes their ends.

It keeps no log, reads no output, and nobody ends them when it is killed.

`python -m bench.bare_commands COUNT` prints seconds on the wall and of CPU for each command, commands included.
"""

from __future__ import annotations

import os
import resource
import select
import signal
import sys
import time


def run(count: int, parallel: int) -> None:
    woken, to_wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    signal.set_wakeup_fd(to_wake)
    poll = select.poll()
    poll.register(woken, select.POLLIN)
    under_way = 0
    while count or under_way:
        while count and under_way < parallel:
            os.posix_spawn("/bin/sh", ["sh", "-c", "true"], os.environ, setpgroup=0)
            count, under_way = count - 1, under_way + 1
        poll.poll()
        os.read(woken, 256)
        while under_way and os.waitpid(-1, os.WNOHANG)[0]:
            under_way -= 1


if __name__ == "__main__":
    commands = int(sys.argv[1])
    began = time.perf_counter()
    run(commands, 2)
    wall = time.perf_counter() - began
    used = [resource.getrusage(of) for of in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    print(wall / commands, sum(of.ru_utime + of.ru_stime for of in used) / commands)
