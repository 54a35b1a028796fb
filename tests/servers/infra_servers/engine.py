"""Docker and Podman as their sockets speak: versions, a list, an inspection of each, images."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from infra_servers.http import Reply, Request

DOCKER: dict[str, Any] = {
    "Platform": {"Name": "Docker Engine - Community"},
    "Components": [{"Name": "Engine", "Version": "28.2.2"}, {"Name": "containerd", "Version": "1.7.27"}],
    "Version": "28.2.2",
    "ApiVersion": "1.50",
    "MinAPIVersion": "1.24",
    "Os": "linux",
}
PODMAN: dict[str, Any] = {
    "Platform": {"Name": "linux/amd64/debian-12"},
    "Components": [{"Name": "Podman Engine", "Version": "4.3.1"}, {"Name": "Conmon", "Version": "2.1.6"}],
    "Version": "4.3.1",
    "ApiVersion": "1.41",
    "MinAPIVersion": "1.24",
    "Os": "linux",
}
LONG = "2026-09-21T13:13:20.123456789Z"
"""An hour before the time of these tests."""
NEVER = "0001-01-01T00:00:00Z"


@dataclass
class Engine:
    """Containers by their names; a POST changes them as the engine would."""

    about: dict[str, Any] = field(default_factory=lambda: DOCKER)
    containers: dict[str, dict[str, Any]] = field(default_factory=dict)
    images: list[dict[str, Any]] = field(default_factory=list)
    replies: dict[str, Reply] = field(default_factory=dict)
    """Instead of what would be answered, by path without its version."""
    acted: list[str] = field(default_factory=list)

    def add(self, name: str, state: str = "running", **more: Any) -> None:
        """A container; keyword arguments replace parts of its `State`, `HostConfig` or the whole."""
        running = state == "running"
        number = len(self.containers) + 1
        host = {"Memory": 2**28, "NanoCpus": 0, "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0}}
        found: dict[str, Any] = {
            "Id": f"{number:064x}",
            "Name": f"/{name}",
            "Image": more.pop("image_id", "sha256:aa"),
            "RestartCount": more.pop("restarts", 0),
            "Config": {"Image": more.pop("image", f"registry.example/{name}:1.2")},
            "HostConfig": host | more.pop("host", {}),
            "Ports": more.pop("ports", []),
            "State": {
                "Status": state,
                "Running": running,
                "Paused": state == "paused",
                "Restarting": state == "restarting",
                "OOMKilled": False,
                "Dead": False,
                "Pid": 4000 + number if running else 0,
                "ExitCode": 0,
                "Error": "",
                "StartedAt": LONG,
                "FinishedAt": NEVER if running else LONG,
            }
            | more,
        }
        self.containers[name] = found

    def __call__(self, request: Request) -> Reply:
        path = re.sub(r"^/v[0-9.]+", "", request.path)
        if path in self.replies:
            return self.replies[path]
        if request.method == "POST":
            return self._act(path)
        if path == "/version":
            return Reply(self.about)
        if path == "/containers/json":
            return Reply([self._row(one) for one in self.containers.values()])
        if path == "/images/json":
            return Reply(self.images)
        match = re.fullmatch(r"/containers/([^/]+)/json", path)
        one = self._named(match[1]) if match else None
        return Reply(one) if one else Reply({"message": f"No such container: {path}"}, 404)

    def _row(self, one: dict[str, Any]) -> dict[str, Any]:
        state = one["State"]["Status"]
        row = {"Id": one["Id"], "Names": [one["Name"]], "Image": one["Config"]["Image"], "ImageID": one["Image"]}
        return row | {"State": state, "Status": state.title(), "Ports": one["Ports"]}

    def _named(self, name: str) -> dict[str, Any] | None:
        return self.containers.get(name) or next((c for c in self.containers.values() if c["Id"] == name), None)

    def _act(self, path: str) -> Reply:
        _, _, name, verb = path.split("/")
        one = self._named(name)
        if one is None:
            return Reply({"message": f"No such container: {name}"}, 404)
        self.acted.append(f"{verb} {name}")
        state = one["State"]
        if verb == "stop":
            state.update(Status="exited", Running=False, Pid=0, ExitCode=143, FinishedAt="2026-09-21T14:13:19Z")
        else:
            state.update(Status="running", Running=True, Pid=state["Pid"] + 1, StartedAt="2026-09-21T14:13:19Z")
        return Reply(status=204, raw=b"")


def copied(value: Any) -> Any:
    return json.loads(json.dumps(value))
