"""What every agent is asked, for `network_diagnostics`: the fields of a case of tests/contracts/test_agents.py."""

from __future__ import annotations

from typing import Any

from pipe_runner.types import ErrorKind

SECRET = "very-secret-value"
NETWORK: dict[str, Any] = {
    "works": {"host": "127.0.0.1", "checks": ["tcp", "latency"], "probes": 2, "probe_interval": "1ms"},
    "fails": ({"host": "127.0.0.1", "ports": [1], "checks": ["tcp"], "fail_on": "high"}, ErrorKind.REFUSED),
    "leaks": {"urls": [f"{{url}}/fails/{SECRET}?t={SECRET}"], "checks": ["http"], "fail_on": "high"},
    "slow": {"host": "127.0.0.1", "checks": ["latency"], "probes": 600, "probe_interval": "100ms"},
    "wrong": (
        {"host": 1},
        {"host": "a b"},
        {"ports": [22]},
        {"host": "x", "ports": [0]},
        {"host": "x", "ports": [70000]},
        {"host": "x", "ports": ["9-1"]},
        {"urls": ["ftp://x/"]},
        {"checks": ["tcp"]},
        {"host": "x", "checks": ["ports"]},
        {"host": "x", "checks": []},
        {"host": "x", "timeout": 2},
        {"host": "x", "timeout": "10m"},
        {"host": "x", "probes": 0},
        {"host": "x", "thresholds": {"latency": 1}},
        {"host": "x", "fail_on": "info"},
    ),
}
