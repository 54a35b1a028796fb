"""What is wrong with pods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pipe_agents.findings import Finding, Severity, finding
from pipe_agents.infra.common import Look, ago, mapping, moment, objects, plural, shown, whole

Item = Mapping[str, Any]

_IMAGE: Final = ("ImagePullBackOff", "ErrImagePull", "InvalidImageName", "ErrImageNeverPull", "ErrImageInspect")
_CONFIG: Final = ("CreateContainerConfigError", "CreateContainerError", "RunContainerError", "StartError")


def name_of(item: Item) -> str:
    about = mapping(item.get("metadata"))
    space, name = shown(about.get("namespace"), 253), shown(about.get("name"), 253)
    return f"{space}/{name}" if space else name


def condition(item: Item, kind: str) -> Item:
    for one in objects(mapping(item.get("status")).get("conditions")):
        if one.get("type") == kind:
            return one
    return {}


def ready(item: Item) -> bool:
    return condition(item, "Ready").get("status") == "True"


def since(look: Look, *stamps: Any) -> float | None:
    """Seconds since the first of the moments that is known."""
    for one in stamps:
        at = moment(one)
        if at is not None:
            return max(look.now - at, 0.0)
    return None


def containers_of(pod: Item) -> list[Item]:
    status = mapping(pod.get("status"))
    return objects(status.get("initContainerStatuses")) + objects(status.get("containerStatuses"))


def of_pods(look: Look, pods: Sequence[Item]) -> list[Finding]:
    return [one for pod in pods for one in _of_pod(look, pod)]


def _of_pod(look: Look, pod: Item) -> list[Finding]:
    about, status = mapping(pod.get("metadata")), mapping(pod.get("status"))
    name, phase = name_of(pod), status.get("phase")
    deleted = since(look, about.get("deletionTimestamp"))
    if about.get("deletionTimestamp"):
        return _stuck(look, name, deleted) if deleted is not None else []
    found: list[Finding] = []
    containers = containers_of(pod)
    for container in containers:
        for one in _of_container(look, name, container):
            found.append({**one, "id": f"{one['id']}/{one['evidence']['container']}"} if len(containers) > 1 else one)
    age = since(look, status.get("startTime"), about.get("creationTimestamp"))
    told = {one["check"] for one in found}
    describe = f"kubectl describe pod {_words(name)}"
    if phase == "Pending" and not told & {"pod.image", "pod.config", "pod.crash_loop"}:
        age = since(look, about.get("creationTimestamp"))
        if age is None or age >= look.thresholds["pending_seconds"]:
            found.append(_pending(pod, name, age, describe))
    elif phase == "Failed":
        found += _failed(look, pod, name, describe)
    elif phase == "Unknown":
        summary = f"{name}: nobody knows its state; its node does not answer"
        found.append(finding("pod.unknown", name, "high", summary, {"phase": "Unknown"}, describe))
    elif phase == "Running" and not ready(pod) and not told & {"pod.crash_loop", "pod.image", "pod.config"}:
        long = since(look, condition(pod, "Ready").get("lastTransitionTime"))
        if long is not None and long >= look.thresholds["pending_seconds"]:
            waiting = [shown(one.get("name"), 100) for one in containers_of(pod) if one.get("ready") is False]
            summary = f"{name} runs, and is not ready for {ago(long)}"
            evidence = {"seconds_not_ready": round(long), "containers_not_ready": waiting[:20]}
            found.append(finding("pod.not_ready", name, "medium", summary, evidence, describe))
    return found


def _of_container(look: Look, pod: str, container: Item) -> list[Finding]:
    name = shown(container.get("name"), 100)
    state, last = mapping(container.get("state")), mapping(container.get("lastState"))
    waiting = mapping(state.get("waiting"))
    ended = mapping(state.get("terminated")) or mapping(last.get("terminated"))
    restarts = whole(container.get("restartCount")) or 0
    reason, said = waiting.get("reason"), shown(waiting.get("message"), 300)
    code = ended.get("exitCode")
    evidence: dict[str, Any] = {
        "container": name,
        "restarts": restarts,
        "reason": shown(reason or ended.get("reason"), 100) or None,
        "exit_code": code if isinstance(code, int) else None,
        "seconds_since_end": _rounded(since(look, ended.get("finishedAt"))),
    }
    logs = f"kubectl logs {_words(pod)} -c {name} --previous"
    found: list[Finding] = []
    if reason == "CrashLoopBackOff":
        how = f", last with exit code {code}" if isinstance(code, int) else ""
        why = f" ({shown(ended.get('reason'), 60)})" if ended.get("reason") not in (None, "Error") else ""
        summary = f"{pod}: container {name} ends again and again: {plural(restarts, 'restart')}{how}{why}"
        found.append(finding("pod.crash_loop", pod, "high", summary, evidence, logs))
    elif reason in _IMAGE:
        image = shown(container.get("image"), 200)
        summary = f"{pod}: the image {image} of container {name} can't be had: {reason}{f': {said}' if said else ''}"
        how = "does the image exist, and may the cluster pull it?"
        found.append(finding("pod.image", pod, "high", summary, {**evidence, "image": image}, how))
    elif reason in _CONFIG:
        summary = f"{pod}: container {name} can't be started: {reason}{f': {said}' if said else ''}"
        found.append(finding("pod.config", pod, "high", summary, evidence, f"kubectl describe pod {_words(pod)}"))
    long = since(look, ended.get("finishedAt"))
    if ended.get("reason") == "OOMKilled" and look.recent(long):
        summary = f"{pod}: container {name} was killed {ago(long)} ago because memory ran out"
        found.append(finding("pod.oom_killed", pod, "high", summary, evidence, "raise its limit, or find the leak"))
    elif not found and restarts >= look.thresholds["restarts"]:
        last_one = f", the last {ago(long)} ago" if long is not None else ""
        summary = f"{pod}: container {name} was restarted {plural(restarts, 'time')}{last_one}"
        severity: Severity = "medium" if look.recent(long) else "low"
        found.append(finding("pod.restarts", pod, severity, summary, evidence, logs))
    return found


def _pending(pod: Item, name: str, age: float | None, describe: str) -> Finding:
    scheduled = condition(pod, "PodScheduled")
    waiting = [mapping(mapping(one.get("state")).get("waiting")) for one in containers_of(pod)]
    reason, said = scheduled.get("reason"), shown(scheduled.get("message"), 300)
    if scheduled.get("status") == "True":
        first = next((one for one in waiting if one.get("reason")), {})
        reason, said = first.get("reason"), shown(first.get("message"), 300)
    why = f": {said or shown(reason, 100)}" if said or reason else ""
    evidence = {"reason": shown(reason, 100) or None, "message": said or None, "seconds_pending": _rounded(age)}
    return finding("pod.pending", name, "high", f"{name} is pending for {ago(age)}{why}", evidence, describe)


def _failed(look: Look, pod: Item, name: str, describe: str) -> list[Finding]:
    status = mapping(pod.get("status"))
    ends = [
        moment(mapping(mapping(one.get("state")).get("terminated")).get("finishedAt")) for one in containers_of(pod)
    ]
    last = max((one for one in ends if one is not None), default=None)
    long = None if last is None else look.now - last
    if long is None:
        long = since(look, condition(pod, "Ready").get("lastTransitionTime"), status.get("startTime"))
    reason, said = shown(status.get("reason"), 100), shown(status.get("message"), 300)
    codes = [mapping(mapping(one.get("state")).get("terminated")).get("exitCode") for one in containers_of(pod)]
    bad = [code for code in codes if isinstance(code, int) and code]
    why = said or reason or (f"exit code {bad[0]}" if bad else "no reason is given")
    evidence = {"reason": reason or None, "exit_codes": bad[:20], "seconds_since_end": _rounded(long)}
    owners = [one.get("kind") for one in objects(mapping(pod.get("metadata")).get("ownerReferences"))]
    severity: Severity = "medium" if look.recent(long) and "Job" not in owners else "low"  # a job tries again
    what = "was evicted" if reason == "Evicted" else "has failed"
    check = "pod.evicted" if reason == "Evicted" else "pod.failed"
    return [finding(check, name, severity, f"{name} {what}: {why}", evidence, describe)]


def _stuck(look: Look, name: str, seconds: float) -> list[Finding]:
    if seconds < look.thresholds["pending_seconds"]:
        return []
    summary = f"{name} should have been gone {ago(seconds)} ago, and is still there"
    how = "its node may be down, or a finalizer waits"
    return [finding("pod.terminating", name, "medium", summary, {"seconds_over": round(seconds)}, how)]


def _rounded(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds)


def _words(name: str) -> str:
    """`default/web` as kubectl takes it."""
    space, slash, rest = name.partition("/")
    return f"-n {space} {rest}" if slash else name
