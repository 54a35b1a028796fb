"""What tests/contracts/test_agents.py asks of `infrastructure` and `infrastructure_action`."""

from __future__ import annotations

import json
from typing import Any

from pipe_runner.types import ErrorKind

SECRET = "very-secret-value"

INFRASTRUCTURE: dict[str, dict[str, Any]] = {
    "infrastructure": {
        "works": {"checks": ["containers"], "docker_host": "{url}/works", "containers": ["web"]},
        "fails": ({"kubeconfig": "nowhere"}, ErrorKind.NOT_FOUND),
        "leaks": {"files": [f"nowhere/{SECRET}"]},
        "slow": {"docker_host": "{url}/slow"},
        "wrong": (
            {"checks": ["everything"]},
            {"checks": ["aws"], "services": ["sshd"]},
            {"services": ["-x"]},
            {"services": ["a b"]},
            {"containers": ["../x"]},
            {"region": "nowhere"},
            {"hosts": ["https://x"]},
            {"namespace": "a/b"},
            {"domains": ["x"]},
            {"fail_on": "info"},
            {"thresholds": {"restarts": 0}},
            {"timeout": 0},
        ),
    },
    "infrastructure_action": {
        "works": {"action": "restart_container", "container": "web", "docker_host": "{url}/works", "dry_run": True},
        "fails": ({"action": "stop_container", "container": "x", "docker_host": "{url}/x"}, ErrorKind.UNAVAILABLE),
        "leaks": {"action": "stop_container", "container": SECRET, "docker_host": "{url}/works"},
        "slow": {"action": "stop_container", "container": "web", "docker_host": "{url}/slow"},
        "wrong": (
            {},
            {"action": "restart_service"},
            {"action": "restart_service", "service": "--now"},
            {"action": "restart_service", "service": "x", "container": "y"},
            {"action": "restart_container", "container": "x", "grace": 200},
            {"action": "scale_deployment", "deployment": "x"},
            {"action": "restart_deployment", "deployment": "x", "replicas": 1},
            {"action": "reboot_instance", "instance": "i-x"},
        ),
    },
}

_ENGINE: dict[str, Any] = {
    "/works/version": {"ApiVersion": "1.45"},
    "/works/v1.45/images/json": [],
    "/works/v1.45/containers/json": [{"Id": "0123abcd", "Names": ["/web"], "Image": "web:1", "State": "running"}],
    "/works/v1.45/containers/0123abcd/json": {"State": {"Status": "running", "Running": True}, "RestartCount": 0},
    "/works/v1.45/containers/web/json": {"State": {"Status": "running", "Running": True}, "RestartCount": 0},
}


def engine(path: str) -> bytes:
    """What an engine with one container says; for all else the path itself."""
    found = _ENGINE.get(path.partition("?")[0])
    return path.encode() if found is None else json.dumps(found).encode()
