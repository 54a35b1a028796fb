"""The time of an attempt that measures: it ends a little before its `timeout`, so that what was measured is given."""

from __future__ import annotations

from typing import Final

from pipe_agents.findings import Finding, unavailable

WHY: Final = "the node's time was up before it was measured"
NEEDS: Final = "a longer `timeout` of the node"
_MOST: Final = 2.0
_LEAST: Final = 0.25
_PART: Final = 0.1


def kept_back(timeout: float) -> float:
    """Seconds of the attempt that are kept for its end."""
    return min(timeout / 2, max(_LEAST, min(_MOST, _PART * timeout)))


def seconds_to_measure(timeout: float | None) -> float | None:
    """Seconds after which nothing more is measured; None where there is no end."""
    return None if timeout is None else timeout - kept_back(timeout)


def too_late(check: str, subject: str) -> Finding:
    """Something that was not measured in time: nothing is claimed about it."""
    return unavailable(check, subject, WHY, NEEDS)
