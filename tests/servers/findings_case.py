"""What `findings` is held against in tests/contracts/test_agents.py."""

from __future__ import annotations

from typing import Any, Final

from pipe_runner.types import ErrorKind

SECRET: Final = "very-secret-value"
BAD: Final = {"check": "a.b", "subject": "c", "severity": "high"}
FINDINGS: Final[dict[str, Any]] = {
    "works": {"results": {"a": [BAD], "b": None}, "html": "r/x.html"},
    "fails": ({"results": [], "markdown": "tools/f.py/x.md"}, ErrorKind.REFUSED),
    "leaks": {"results": [SECRET], "title": SECRET, "markdown": f"tools/f.py/{SECRET}"},
    "slow": {"results": [[BAD]], "explain": True, "provider": ["fake"]},
    "wrong": (
        {},
        {"results": "x"},
        {"results": [None] * 201},
        {"results": [], "markdown": "../x"},
        {"results": [], "html": "/x"},
        {"results": [], "fail_on": "info"},
        {"results": [], "window_minutes": 0},
        {"results": [], "max_tokens": 1},
    ),
}
