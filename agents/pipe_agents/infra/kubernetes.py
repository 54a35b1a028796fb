"""The check `kubernetes`: what the API server says of nodes, pods, deployments and events. Only GET requests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import partial
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from pipe_agents.findings import Finding, finding, unavailable
from pipe_agents.infra import kubeconfig
from pipe_agents.infra.api import Api
from pipe_agents.infra.common import (
    Absent,
    Look,
    Looked,
    Unreached,
    bounded,
    mapping,
    objects,
    shown,
    text_or_none,
    together,
    whole,
)
from pipe_agents.infra.kubernetes_findings import of_events, of_jobs, of_nodes, of_workload, restarts_of
from pipe_agents.infra.pods import of_pods, ready

PAGE: Final = 500
MOST_PAGES: Final = 40
"""20,000 things of a kind."""

_KEPT: Final = (
    "status", "type", "reason", "message", "count", "series", "lastTimestamp", "eventTime", "involvedObject",
)  # fmt: skip
_KEPT_ABOUT: Final = ("name", "namespace", "creationTimestamp", "deletionTimestamp", "ownerReferences", "generation")

Item = Mapping[str, Any]


class List(NamedTuple):
    """What there is of a kind."""

    items: list[Item]
    whole: bool
    fault: Unreached | None = None


async def look_at_kubernetes(look: Look) -> Looked:
    path = kubeconfig.place(look)
    if path is None:
        needs = "KUBECONFIG, ~/.kube/config, or `kubeconfig`"
        return Looked([], absent=Absent("there is no kubeconfig here", needs))
    try:
        cluster = await kubeconfig.cluster(look, path)
        async with opened(look, cluster) as api:
            return await _asked(look, cluster, api)
    except Unreached as fault:
        return Looked([unavailable("kubernetes", "cluster", fault.why, fault.needs)])


def opened(look: Look, cluster: kubeconfig.Cluster) -> Api:
    where = shown(urlsplit(cluster.server).netloc.rpartition("@")[2], 255)
    return Api(
        cluster.server,
        where,
        look.timeout,
        tls=cluster.tls,
        headers=cluster.headers,
        server_name=cluster.server_name,
    )


async def _asked(look: Look, cluster: kubeconfig.Cluster, api: Api) -> Looked:
    about = await api.get("/version")
    if about.status != 200 or not isinstance(mapping(about.value).get("gitVersion"), str):
        raise refused(api, about.status, about.said, "GET /version")
    space = look.options["namespace"]
    within = f"/namespaces/{space}" if space else ""
    paths = {
        "nodes": ("/api/v1/nodes", {}),
        "pods": (f"/api/v1{within}/pods", {}),
        "deployments": (f"/apis/apps/v1{within}/deployments", {}),
        "statefulsets": (f"/apis/apps/v1{within}/statefulsets", {}),
        "daemonsets": (f"/apis/apps/v1{within}/daemonsets", {}),
        "jobs": (f"/apis/batch/v1{within}/jobs", {}),
        "events": (f"/api/v1{within}/events", {"fieldSelector": "type=Warning"}),
    }
    found = await together(
        [partial(_all, api, kind, path, params, space) for kind, (path, params) in paths.items()], at_once=3
    )
    lists = dict(zip(paths, found, strict=True))
    findings: list[Finding] = []
    for kind, one in lists.items():
        if one.fault is not None:
            findings.append(
                unavailable(f"kubernetes.{kind}", cluster.context or "cluster", one.fault.why, one.fault.needs)
            )
        elif not one.whole:
            why = f"there are more {kind} than the {len(one.items)} that could be read"
            findings.append(unavailable(f"kubernetes.{kind}", cluster.context or "cluster", why, "a `namespace`"))
    if cluster.insecure:
        summary = f"the kubeconfig has the certificate of {api.where} not checked: anybody could answer in its place"
        findings.append(
            finding("kubernetes.insecure", api.where, "medium", summary, {"insecure_skip_tls_verify": True},
                    "give certificate-authority-data instead of insecure-skip-tls-verify")
        )  # fmt: skip
    nodes, pods, deployments = (_items(lists[kind]) for kind in ("nodes", "pods", "deployments"))
    events = _items(lists["events"])
    things = {kind: [item for item in one.items if _is_thing(item)] for kind, one in lists.items()}
    for kind, one in lists.items():
        strange = len(one.items) - len(things[kind])
        if strange:
            why = f"{strange} of {len(one.items)} {kind} have no name, or parts that can't be"
            needs = "an API server that answers with what is of Kubernetes"
            findings.append(unavailable(f"kubernetes.{kind}", cluster.context or "cluster", why, needs))
    findings += of_nodes(look, things["nodes"])
    findings += of_pods(look, things["pods"])
    for kind in ("deployments", "statefulsets", "daemonsets"):
        for item in things[kind]:
            findings += of_workload(look, kind, item)
    findings += of_jobs(look, things["jobs"])
    findings += of_events(look, things["events"])
    if space and pods == [] and not lists["deployments"].items:
        findings += await _space(api, space)
    phases = Counter(_phase(pod) for pod in pods or [])
    measured = {
        "server": api.where,
        "context": cluster.context,
        "version": text_or_none(about.value["gitVersion"], 100),
        "namespace": space,
        "nodes": None if nodes is None else len(nodes),
        "nodes_ready": None if nodes is None else sum(ready(node) for node in nodes),
        "pods": None if pods is None else len(pods),
        "pods_by_phase": dict(sorted(phases.items())),
        "pods_not_ready": None if pods is None else sum(_phase(p) == "Running" and not ready(p) for p in pods),
        "restarts": None if pods is None else sum(restarts_of(pod) for pod in pods),
        "deployments": None if deployments is None else len(deployments),
        "deployments_available": None if deployments is None else sum(_available(one) for one in deployments),
        "warnings": None if events is None else sum(max(whole(e.get("count")) or 1, 1) for e in events),
        "truncated": [kind for kind, one in lists.items() if not one.whole and one.fault is None],
    }
    return Looked(bounded(findings, "kubernetes", cluster.context or "cluster"), measured)


async def _all(api: Api, kind: str, path: str, params: Mapping[str, str], space: str | None) -> List:
    """All pages of a list; as far as they were read where a page is gone or there are too many."""
    items: list[Item] = []
    following = ""
    for _ in range(MOST_PAGES):
        more = {"continue": following} if following else {}
        try:
            answer = await api.get(path, {"limit": str(PAGE), **params, **more})
        except Unreached as fault:
            return List(items, False, None if items else fault)
        value = mapping(answer.value)
        if answer.status != 200 or not isinstance(value.get("items"), list):
            if items:
                return List(items, False)
            return List([], False, refused(api, answer.status, answer.said, f"list {kind}", space))
        items += [_slim(one) for one in objects(value["items"])]
        following = str(mapping(value.get("metadata")).get("continue") or "")
        if not following:
            return List(items, True)
    return List(items, False)


def _is_thing(item: Item) -> bool:
    """Whether it has a name, and nothing in it that can't be: of anything else nothing is claimed."""
    name = mapping(item.get("metadata")).get("name")
    return (
        isinstance(name, str)
        and bool(name)
        and all(isinstance(item.get(key, {}), Mapping) for key in ("spec", "status"))
    )


def _slim(item: Item) -> Item:
    """What is looked at of a thing: most of it is what it was asked to be, and thousands are kept at a time."""
    kept = {key: item[key] for key in _KEPT if key in item}
    about, spec = mapping(item.get("metadata")), mapping(item.get("spec"))
    kept["metadata"] = {key: about[key] for key in _KEPT_ABOUT if key in about}
    kept["spec"] = {key: spec[key] for key in ("replicas", "unschedulable") if key in spec}
    return kept


def refused(api: Api, status: int, said: str, what: str, space: str | None = None) -> Unreached:
    words = f": {said}" if said else ""
    if status == 401:
        return Unreached(f"{api.where} doesn't know this account{words}", "a fresh login, or another context")
    if status == 403:
        within = f" in namespace {space}" if space else " in all namespaces"
        return Unreached(f"{api.where} refuses to {what}{words}", f"permission (RBAC) to {what}{within}")
    if status == 200:
        return Unreached(f"{api.where} answered `{what}` with what is none of Kubernetes", "the API server's address")
    return Unreached(f"{api.where} answered `{what}` with status {status}{words}", "an API server that answers")


async def _space(api: Api, space: str) -> list[Finding]:
    """That the namespace which is asked for isn't there: an empty list says nothing of it."""
    try:
        answer = await api.get(f"/api/v1/namespaces/{space}")
    except Unreached:
        return []
    if answer.status != 404:
        return []
    summary = f"there is no namespace {space} in {api.where}"
    return [finding("kubernetes.namespace", space, "high", summary, {"status": 404}, "kubectl get namespaces")]


def _items(one: List) -> list[Item] | None:
    return None if one.fault is not None else one.items


def _phase(pod: Item) -> str:
    phase = mapping(pod.get("status")).get("phase")
    return str(phase) if phase in ("Running", "Pending", "Succeeded", "Failed") else "Unknown"


def _available(deployment: Item) -> bool:
    wanted = whole(mapping(deployment.get("spec")).get("replicas", 1)) or 0
    return (whole(mapping(deployment.get("status")).get("availableReplicas")) or 0) >= wanted
