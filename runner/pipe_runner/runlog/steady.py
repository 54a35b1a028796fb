"""The times of a log as they were if nobody had set the clock meanwhile, as far as that can be told."""

from __future__ import annotations

from typing import Generic, TypeVar

Time = TypeVar("Time", int, float)


class Steady(Generic[Time]):
    """Takes the times of events in the order in which they were written. None is before the one that came last; and one
    of which is known when it has to be, since what ended then took so long, is set right where it is away from that by
    more than `slack`, together with all that follow."""

    def __init__(self, slack: Time, shift: Time) -> None:
        """`shift` is zero, of the type of the times."""
        self._slack: Time = slack
        self._shift: Time = shift
        self._last: Time | None = None

    def at(self, told: Time, expected: Time | None = None) -> Time:
        """When it was, for an event that says `told`."""
        found = told + self._shift
        if expected is not None and not -self._slack <= found - expected <= self._slack:
            found = expected
            self._shift = found - told
        if self._last is not None and found < self._last:
            found = self._last
            self._shift = found - told
        self._last = found
        return found
