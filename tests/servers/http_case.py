"""The examples of `agent: http` for the tests that are asked of every agent."""

from __future__ import annotations

from typing import Any

from pipe_runner.types import ErrorKind

SECRET = "very-secret-value"
"""As in test_agents.py."""

HTTP: dict[str, Any] = {
    "works": {"url": "{url}/works", "expect": [200]},
    "fails": ({"url": "{url}/fails"}, ErrorKind.HTTP),
    "leaks": {"url": f"{{url}}/fails/{SECRET}?t={SECRET}", "headers": {"Authorization": f"Bearer {SECRET}"}},
    "slow": {"url": "{url}/slow"},
    "wrong": (
        {},
        {"url": 1},
        {"url": "http://x", "json": 1, "body": "x"},
        {"url": "http://x", "method": "CONNECT"},
        {"url": "http://x", "expect": ["20x"]},
        {"url": "http://x", "expect": [99]},
        {"url": "http://x", "max_bytes": 0},
        {"url": "http://x", "headers": {"a": []}},
    ),
}
