"""What is wrong with nodes, with deployments and their kin, and what events warn of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pipe_agents.findings import Finding, Severity, finding
from pipe_agents.infra.common import Look, ago, mapping, objects, plural, shown, whole
from pipe_agents.infra.pods import Item, condition, containers_of, name_of, since

_PRESSURES: Final = {"MemoryPressure": "memory", "DiskPressure": "disk", "PIDPressure": "process ids"}
_FIELDS: Final[Mapping[str, tuple[str, str]]] = {
    "deployments": ("replicas", "availableReplicas"),
    "statefulsets": ("replicas", "readyReplicas"),
    "daemonsets": ("desiredNumberScheduled", "numberAvailable"),
}
_TOLD: Final = 5
"""Reasons of events that are told in a sentence."""


def restarts_of(pod: Item) -> int:
    return sum(whole(one.get("restartCount")) or 0 for one in containers_of(pod))


def of_nodes(look: Look, nodes: Sequence[Item]) -> list[Finding]:
    found: list[Finding] = []
    for node in nodes:
        name, ready = name_of(node), condition(node, "Ready")
        describe = f"kubectl describe node {name}"
        if ready.get("status") != "True":
            long = since(look, ready.get("lastTransitionTime"))
            why = f": {shown(ready.get('message'), 200)}" if ready.get("message") else ""
            summary = f"node {name} is not ready for {ago(long)}{why}"
            evidence = {
                "ready": shown(ready.get("status"), 20) or None,
                "reason": shown(ready.get("reason"), 100) or None,
                "seconds_not_ready": None if long is None else round(long),
                "nodes": len(nodes),
            }
            found.append(finding("node.not_ready", name, "critical", summary, evidence, describe))
        for kind, word in _PRESSURES.items():
            one = condition(node, kind)
            if one.get("status") == "True":
                summary = f"node {name} runs out of {word}: {shown(one.get('message') or kind, 200)}"
                found.append(finding("node.pressure", name, "high", summary, {"condition": kind}, describe))
        if condition(node, "NetworkUnavailable").get("status") == "True":
            summary = f"the network of node {name} is not set up"
            found.append(finding("node.network", name, "high", summary, {"condition": "NetworkUnavailable"}, describe))
        if mapping(node.get("spec")).get("unschedulable") is True:
            summary = f"node {name} takes no new pods: it is cordoned"
            how = f"kubectl uncordon {name}, when its maintenance is over"
            found.append(finding("node.cordoned", name, "low", summary, {"unschedulable": True}, how))
    return found


def of_workload(look: Look, kind: str, item: Item) -> list[Finding]:
    status, spec = mapping(item.get("status")), mapping(item.get("spec"))
    wanted_field, there_field = _FIELDS[kind]
    source = status if kind == "daemonsets" else spec
    wanted = whole(source.get(wanted_field, 1 if kind != "daemonsets" else 0)) or 0
    there = whole(status.get(there_field)) or 0
    word, name, found = kind[:-1], name_of(item), []
    space, _, short = name.rpartition("/")
    how = f"kubectl{f' -n {space}' if space else ''} describe {word} {short}"
    evidence: dict[str, Any] = {"wanted": wanted, "available": there, "updated": whole(status.get("updatedReplicas"))}
    if kind == "deployments":
        progress = condition(item, "Progressing")
        if progress.get("reason") == "ProgressDeadlineExceeded":
            summary = f"the rollout of deployment {name} doesn't come to its end: {shown(progress.get('message'), 200)}"
            found.append(finding("deployment.stuck", name, "high", summary, evidence, how))
    if wanted and there < wanted:
        long = since(look, condition(item, "Available").get("lastTransitionTime"))
        rolling = there > 0 and _rolls(kind, item)
        age = since(look, mapping(item.get("metadata")).get("creationTimestamp"))
        young = age is not None and age < look.thresholds["pending_seconds"]
        severity: Severity = "medium" if rolling or young else "critical" if there == 0 else "high"
        during = f" for {ago(long)}" if long is not None and not rolling else ""
        summary = f"{word} {name} has {there} of {wanted} replicas available{during}"
        found.append(finding(f"{word}.unavailable", name, severity, summary, evidence, how))
    return found


def _rolls(kind: str, item: Item) -> bool:
    """Whether it is being replaced by a newer one."""
    status = mapping(item.get("status"))
    if kind == "deployments":
        return condition(item, "Available").get("status") == "True"
    if kind == "statefulsets":
        return status.get("currentRevision") != status.get("updateRevision")
    return (whole(status.get("updatedNumberScheduled")) or 0) < (whole(status.get("desiredNumberScheduled")) or 0)


def of_jobs(look: Look, jobs: Sequence[Item]) -> list[Finding]:
    """Jobs that were given up."""
    found: list[Finding] = []
    for job in jobs:
        name, end = name_of(job), condition(job, "Failed")
        long = since(look, end.get("lastTransitionTime"))
        if end.get("status") != "True" or not look.recent(long):
            continue
        pods = whole(mapping(job.get("status")).get("failed")) or 0
        why = shown(end.get("message") or end.get("reason"), 200) or "no reason is given"
        summary = f"job {name} has failed {ago(long)} ago, after {plural(pods, 'pod')}: {why}"
        evidence = {"reason": shown(end.get("reason"), 100) or None, "failed_pods": pods}
        space, _, short = name.rpartition("/")
        how = f"kubectl{f' -n {space}' if space else ''} logs job/{short}"
        found.append(finding("job.failed", name, "medium", summary, evidence, how))
    return found


def of_events(look: Look, events: Sequence[Item]) -> list[Finding]:
    """One finding of all that warns, with the commonest reasons and some of their words."""
    counts: Counter[str] = Counter()
    examples: dict[str, str] = {}
    recent = 0
    for event in events:
        long = since(
            look, mapping(event.get("series")).get("lastObservedTime"), event.get("lastTimestamp"),
            event.get("eventTime"), mapping(event.get("metadata")).get("creationTimestamp"),
        )  # fmt: skip
        if event.get("type") != "Warning" or (long is not None and long > 3600):
            continue
        recent += 1
        reason = shown(event.get("reason"), 60) or "without a reason"
        times = whole(mapping(event.get("series")).get("count")) or whole(event.get("count")) or 1
        counts[reason] += max(times, 1)
        about = mapping(event.get("involvedObject"))
        target = "/".join(part for part in (shown(about.get("kind"), 50), shown(about.get("name"), 253)) if part)
        examples.setdefault(reason, f"{target}: {shown(event.get('message'), 200)}")
    if not counts:
        return []
    common = counts.most_common(_TOLD)
    said = ", ".join(f"{reason} ({times})" for reason, times in common)
    summary = f"{plural(recent, 'event warns', 'events warn')} within the last hour: {said}"
    evidence = {
        "events": recent,
        "by_reason": dict(counts.most_common(50)),
        "examples": {reason: examples[reason] for reason, _ in common},
    }
    how = "kubectl get events -A --field-selector type=Warning"
    spaces = {mapping(event.get("metadata")).get("namespace") for event in objects(list(events))}
    subject = shown(next(iter(spaces)), 253) if len(spaces) == 1 and None not in spaces else "cluster"
    return [finding("events.warning", subject, "low", summary, evidence, how)]
