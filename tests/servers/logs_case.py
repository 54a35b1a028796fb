"""The examples of `agent: log_analysis` for the tests that are asked of every agent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipe_runner.types import ErrorKind


def make_large(root: Path) -> None:
    """A file of a terabyte, which takes no room: one line, and then zeros."""
    with open(root / "tools/large.log", "wb") as file:
        file.write(b"2026-03-01 12:00:00 ERROR it failed\n" * 5000)
        file.truncate(2**40)


LOGS: dict[str, Any] = {
    "works": {"paths": ["tools/f.py"], "text": "2026-03-01 12:00:00 ERROR it failed", "timezone": "UTC"},
    "fails": ({"paths": "tools/none.log"}, ErrorKind.NOT_FOUND),
    "leaks": {"paths": "tools/very-secret-value.log"},
    "slow": {"paths": "tools/large.log", "max_bytes": "1TiB"},
    "wrong": (
        {},
        {"paths": 1},
        {"text": 1},
        {"paths": []},
        {"paths": "x", "since": "yesterday"},
        {"paths": "x", "format": "other"},
        {"paths": "x", "checks": ["all"]},
        {"paths": "x", "thresholds": {"none": 1}},
        {"paths": "x", "max_bytes": "much"},
        {"journal": {"units": ["a;b"]}},
        {"paths": "x", "baseline": "first"},
    ),
}
