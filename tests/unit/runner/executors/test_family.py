"""What a warden does for each of many attempts that end together."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from pipe_runner.executors.family import Attempt, Family

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")

MANY, ORPHANS = 200, 40


class Crowd(Family):
    """Attempts that are to be ended, of which the commands have exited, and orphans that may be anybody's. Counts how
    often is asked whose one is, and which children there are."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = self.listed = 0
        for number in range(MANY):
            self.add(number, 10**8 + number, {"PIPE_RUN_ID": "r", "PIPE_NODE": f"n{number}", "PIPE_ATTEMPT": "1"})
            attempt = self.attempts[number]
            attempt.exited, attempt.kill_at = True, 0.0
            self.unsettled[number] = attempt
        self.commands.clear()
        self.orphans = {2 * 10**8 + number: set(self.attempts) for number in range(ORPHANS)}

    def children(self) -> list[bytes]:
        self.listed += 1
        return [b"%d" % pid for pid in self.orphans]

    def _owners(self, pid: int) -> set[int]:
        self.asked += 1
        return set(self.attempts)


def test_x1_whose_an_orphan_is_is_asked_once_for_all_attempts_that_end_together() -> None:
    crowd = Crowd()
    assert len(crowd.proceed()) == MANY - 1
    assert len(crowd.attempts) == 1, "to the last one all orphans are left"
    assert (crowd.asked, crowd.listed) == (ORPHANS, 1)


def test_x1_children_are_looked_for_once_for_all_attempts_that_are_to_end() -> None:
    from pipe_runner.executors import warden
    from pipe_runner.executors.protocol import END, Frames, frame

    crowd: Any = Crowd()
    for attempt in crowd.attempts.values():
        attempt.kill_at = None
    served = warden.Warden.__new__(warden.Warden)
    served.family, served.frames, served.fds = crowd, Frames(), []
    told = b"".join(frame((END, number, 10.0)) for number in crowd.attempts)
    served.socket = type("Socket", (), {"recvmsg": lambda self, *_: (told, (), 0, None)})()
    assert served.receive()
    assert all(attempt.kill_at is not None for attempt in crowd.attempts.values())
    assert crowd.listed == 1


def test_an_attempt_knows_its_processes_by_their_environment() -> None:
    attempt = Attempt(1, 2, {"PIPE_RUN_ID": "r", "PIPE_NODE": "n", "PIPE_ATTEMPT": "1"})
    whole = {b"PIPE_RUN_ID=r", b"PIPE_NODE=n", b"PIPE_ATTEMPT=1", b"A=b"}
    assert attempt.started(whole)
    assert not attempt.started(whole - {b"PIPE_NODE=n"})
    assert not attempt.started(whole - {b"PIPE_ATTEMPT=1"} | {b"PIPE_ATTEMPT=2"})
