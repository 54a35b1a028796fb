"""Cases of agents that measure, for tests/contracts/test_agents.py: the fields of its `Case`."""

from __future__ import annotations

import asyncio
from typing import Any

from auto_case import AUTO
from findings_case import FINDINGS
from infra_case import INFRASTRUCTURE
from logs_case import LOGS, make_large
from network_case import NETWORK

from pipe_runner.testing import FakeClock
from pipe_runner.types import ErrorKind

SECRET = "very-secret-value"
"""As in test_agents.py."""


class RealClock(FakeClock):
    """One on which waiting takes its time."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self.advance(seconds)


MEASURING: dict[str, dict[str, Any]] = {
    "system_monitoring": {
        "works": {"window": "50ms", "top": 3, "processes": ["no-such-program"]},
        "fails": ({"baseline": {"agent": "shell"}}, ErrorKind.REFUSED),
        "leaks": {"checks": ["processes"], "window": "10ms", "processes": [SECRET], "fail_on": "high"},
        "slow": {"window": "60s"},
        "wrong": (
            {"checks": []},
            {"checks": ["gpu"]},
            {"window": 1},
            {"window": "2h"},
            {"top": 0},
            {"arguments": "yes"},
            {"fail_on": "info"},
            {"thresholds": {"disk": 90}},
            {"thresholds": {"disk_used_percent": 101}},
            {"paths": [""]},
        ),
        "clock": RealClock,
    },
    "network_diagnostics": NETWORK,
    "auto": AUTO,
    "log_analysis": LOGS,
    **INFRASTRUCTURE,
    "findings": FINDINGS,
}

__all__ = ["MEASURING", "make_large"]
