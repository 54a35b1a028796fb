"""The machine itself: its name, when it started, and whether its clock is disciplined."""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime
from typing import Any, Final

from pipe_agents.findings import Finding, finding
from pipe_agents.system.trees import Tree, short, text

YOUNG: Final = 600.0
"""Seconds after the start in which that is told."""
UNSYNCHRONISED: Final = 0x40


def read(tree: Tree, now_ns: int, clock: tuple[bool, float | None] | None) -> dict[str, Any]:
    uptime = re.match(r"(\d+(?:\.\d+)?)", text(f"{tree.proc}/uptime", 200) or "")
    boot = re.search(r"^btime (\d+)$", text(f"{tree.proc}/stat") or "", re.MULTILINE)
    up = float(uptime[1]) if uptime else None
    return {
        "name": _line(tree, "hostname"),
        "kernel": _line(tree, "osrelease"),
        "boot_id": _line(tree, "random/boot_id"),
        "uptime_s": up,
        "booted_at": stamp(int(boot[1])) if boot else stamp(now_ns / 1e9 - up) if up is not None else None,
        "clock_synchronised": clock[0] if clock else None,
        "clock_error_ms": clock[1] if clock else None,
    }


def _line(tree: Tree, name: str) -> str | None:
    value = text(f"{tree.proc}/sys/kernel/{name}", 1000)
    return short(value.strip(), 255) if value else None


def stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def clock() -> tuple[bool, float | None] | None:
    """Whether something disciplines this kernel's clock, and its largest error in ms; None where that isn't told."""
    if not sys.platform.startswith("linux") or sys.maxsize < 2**32:
        return None
    import ctypes

    class Timex(ctypes.Structure):
        _fields_ = [
            ("modes", ctypes.c_uint),
            ("offset", ctypes.c_long),
            ("freq", ctypes.c_long),
            ("maxerror", ctypes.c_long),
            ("esterror", ctypes.c_long),
            ("status", ctypes.c_int),
            ("rest", ctypes.c_char * 256),
        ]

    try:
        asked = Timex()
        if ctypes.CDLL(None).adjtimex(ctypes.byref(asked)) < 0:
            return None
    except (OSError, AttributeError):
        return None
    known = not asked.status & UNSYNCHRONISED
    return known, round(asked.maxerror / 1000, 3) if known else None


def judged(host: dict[str, Any]) -> list[Finding]:
    found = []
    if host["clock_synchronised"] is False:
        found.append(
            finding(
                "host.clock",
                "machine",
                "info",
                "nothing disciplines the clock, as far as the kernel knows",
                {"clock_synchronised": False},
                "Run chrony, systemd-timesyncd or ntpd, unless the hypervisor sets the clock.",
            )
        )
    up = host["uptime_s"]
    if up is not None and up < YOUNG:
        found.append(
            finding(
                "host.young",
                "machine",
                "info",
                f"the machine started {up / 60:.0f} minutes ago: averages and counters are short",
                {"uptime_s": up},
            )
        )
    return found
