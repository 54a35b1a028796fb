"""A Kubernetes API over TLS, of which clients are known by certificate or token."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from infra_servers.authority import Authority, Signed
from infra_servers.http import Reply, Request

KINDS = ("nodes", "pods", "deployments", "statefulsets", "daemonsets", "jobs", "events")


@dataclass
class Cluster:
    """Things by kind; a list is given in pages of `page`."""

    things: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: {kind: [] for kind in KINDS})
    token: str | None = None
    forbidden: tuple[str, ...] = ()
    replies: dict[str, Reply] = field(default_factory=dict)
    page: int = 500
    namespaces: tuple[str, ...] = ("default",)
    patched: list[tuple[str, dict[str, str], dict[str, Any]]] = field(default_factory=list)

    def __call__(self, request: Request) -> Reply:
        import json

        if self.token and request.headers.get("authorization") != f"Bearer {self.token}":
            return _status(401, "Unauthorized")
        if request.path in self.replies:
            return self.replies[request.path]
        if request.path == "/version":
            return Reply({"major": "1", "minor": "33", "gitVersion": "v1.33.4+k3s1"})
        match = re.fullmatch(r"/apis/apps/v1/namespaces/([^/]+)/deployments/([^/]+)(/scale)?", request.path)
        if match:
            return self._deployment(request, match[1], match[2], json.loads(request.body or b"{}"))
        match = re.fullmatch(r"/api/v1/namespaces/([^/]+)", request.path)
        if match:
            return Reply({}) if match[1] in self.namespaces else _status(404, "not found")
        match = re.fullmatch(r"/(?:api|apis/apps|apis/batch)/v1(?:/namespaces/([^/]+))?/([a-z]+)", request.path)
        if not match or match[2] not in self.things:
            return _status(404, "the server could not find the requested resource")
        return self._list(request, match[2], match[1])

    def _list(self, request: Request, kind: str, space: str | None) -> Reply:
        if kind in self.forbidden:
            return _status(403, f'{kind} is forbidden: User "me" cannot list resource "{kind}"')
        things = [one for one in self.things[kind] if space in (None, one["metadata"].get("namespace"))]
        if request.query.get("fieldSelector") == "type=Warning":
            things = [one for one in things if one["type"] == "Warning"]
        first = int(request.query.get("continue", "0"))
        size = min(self.page, int(request.query["limit"]))
        about = {"continue": str(first + size)} if first + size < len(things) else {}
        return Reply({"kind": "List", "metadata": about, "items": things[first : first + size]})

    def _deployment(self, request: Request, space: str, name: str, body: dict[str, Any]) -> Reply:
        for one in self.things["deployments"]:
            if (one["metadata"]["namespace"], one["metadata"]["name"]) != (space, name):
                continue
            if request.method == "PATCH":
                self.patched.append((request.path, request.query, body))
                if "dryRun" not in request.query:
                    one["metadata"]["generation"] = one["metadata"].get("generation", 1) + 1
                    one["spec"]["replicas"] = body["spec"].get("replicas", one["spec"]["replicas"])
            return Reply(one)
        return _status(404, f'deployments.apps "{name}" not found')


def _status(code: int, message: str) -> Reply:
    return Reply({"kind": "Status", "status": "Failure", "message": message, "code": code}, code)


def kubeconfig(path: Path, server: str, authority: Authority, client: Signed | None = None, **user: Any) -> Path:
    """A file as kubectl writes it. Keyword arguments are added to the user, `cluster` to the cluster."""
    cluster = {"server": server, "certificate-authority-data": base64.b64encode(authority.root.pem).decode()}
    cluster.update(user.pop("cluster", {}))
    context = {"cluster": "c", "user": "me", **user.pop("context", {})}
    if client is not None:
        user["client-certificate-data"] = base64.b64encode(client.pem).decode()
        user["client-key-data"] = base64.b64encode(client.key_pem).decode()
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "lab",
        "clusters": [{"name": "c", "cluster": cluster}],
        "contexts": [{"name": "lab", "context": context}],
        "users": [{"name": "me", "user": user}],
    }
    path.write_text(yaml.safe_dump(config))
    return path


def node(name: str, ready: str = "True", spec: dict[str, Any] | None = None, **conditions: str) -> dict[str, Any]:
    states = {"Ready": ready, "MemoryPressure": "False", "DiskPressure": "False", **conditions}
    listed = [
        {"type": kind, "status": state, "lastTransitionTime": "2026-09-21T12:13:20Z", "message": f"{kind} {state}"}
        for kind, state in states.items()
    ]
    return {"metadata": {"name": name}, "spec": spec or {}, "status": {"conditions": listed}}


def pod(name: str, phase: str = "Running", *containers: dict[str, Any], **more: Any) -> dict[str, Any]:
    ready = "True" if phase == "Running" and all(one.get("ready", True) for one in containers) else "False"
    conditions = more.pop(
        "conditions", [{"type": "Ready", "status": ready, "lastTransitionTime": "2026-09-21T12:13:20Z"}]
    )
    about = {"name": name, "namespace": "default", "creationTimestamp": "2026-09-21T12:13:20Z", **more.pop("about", {})}
    status = {"phase": phase, "conditions": conditions, "containerStatuses": list(containers), **more}
    return {"metadata": about, "spec": {}, "status": status}


def container(name: str = "app", restarts: int = 0, ready: bool = True, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "image": f"r/{name}:1",
        "restartCount": restarts,
        "ready": ready,
        "state": {"running": {}},
        **more,
    }


def ended(reason: str, code: int, at: str = "2026-09-21T14:03:20Z") -> dict[str, Any]:
    return {"terminated": {"reason": reason, "exitCode": code, "finishedAt": at}}


def deployment(name: str, wanted: int, available: int, *conditions: dict[str, Any], **about: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": "default", "generation": 1, **about},
        "spec": {"replicas": wanted},
        "status": {"availableReplicas": available, "readyReplicas": available, "conditions": list(conditions)},
    }


def event(
    reason: str, message: str, kind: str = "Warning", count: int = 1, at: str = "2026-09-21T14:10:00Z"
) -> dict[str, Any]:
    return {
        "metadata": {"name": reason.lower(), "namespace": "default", "creationTimestamp": at},
        "type": kind,
        "reason": reason,
        "message": message,
        "count": count,
        "lastTimestamp": at,
        "involvedObject": {"kind": "Pod", "name": "web-1", "namespace": "default"},
    }
