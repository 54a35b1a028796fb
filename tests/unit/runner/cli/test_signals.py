"""What is kept to hear of signals, of one run after the other in a process."""

from __future__ import annotations

import asyncio
import os
from typing import Any, cast

from pipe_runner.cli.signals import Signals


class Guarded:
    """As much of a run as signals need; `guards` are the descriptors that it gave away."""

    grace = 1.0
    busy = False

    def __init__(self) -> None:
        self.guards: list[int] = []

    @property
    def processes(self) -> Guarded:
        return self

    def guard(self, grace: float) -> int:
        told, tell = os.pipe()
        os.close(told)
        os.set_blocking(tell, False)
        self.guards.append(tell)
        return tell


def is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def test_a_run_s_guard_is_closed_when_the_next_one_has_its_own() -> None:
    signals, run, loop = Signals(), Guarded(), asyncio.new_event_loop()
    signals.attach(loop, cast("Any", run))
    signals.detach()
    signals.attach(loop, cast("Any", run))
    signals.detach()
    first, second = run.guards
    assert (is_open(first), is_open(second)) == (False, True)
    signals.restore()
    assert not is_open(second)
    loop.close()
