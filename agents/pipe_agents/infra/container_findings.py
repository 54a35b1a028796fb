"""What is wrong with a container, and with what an engine has altogether."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pipe_agents.findings import Finding, Severity, finding
from pipe_agents.infra.common import Look, ago, listed, of_bytes, plural, some

_ASKED_TO: Final = (0, 130, 143)
"""Exit codes of who ended well, or because it was told to."""
_LOOP_SECONDS: Final = 600
"""A container that was restarted often and runs for less than this is most likely in a loop."""


def of_container(look: Look, one: Mapping[str, Any], wanted: bool, engine: str) -> list[Finding]:
    name, state, restarts = one["name"], one["state"], one["restarts"] or 0
    found: list[Finding] = []
    evidence = {
        key: one[key]
        for key in (
            "state",
            "image",
            "exit_code",
            "restarts",
            "restart_policy",
            "oom_killed",
            "seconds_in_state",
            "error",
        )
        if one[key] is not None
    }
    logs = f"{engine} logs --tail 50 {name}"
    many = restarts >= look.thresholds["restarts"]
    seconds = one["seconds_in_state"]
    if state == "restarting":
        summary = f"{name} ends again and again: {plural(restarts, 'restart')}, last {_how(one)}"
        found.append(finding("container.restart_loop", name, "critical" if wanted else "high", summary, evidence, logs))
    elif state == "running" and many and seconds is not None and seconds < _LOOP_SECONDS:
        summary = f"{name} was restarted {plural(restarts, 'time')}, the last time {ago(seconds)} ago"
        found.append(finding("container.restart_loop", name, "high", summary, evidence, logs))
    elif state == "running" and many:
        summary = f"{name} was restarted {plural(restarts, 'time')}, and runs for {ago(seconds)} now"
        severity: Severity = "medium" if look.recent(seconds) else "low"
        found.append(finding("container.restarts", name, severity, summary, evidence, logs))
    if one["oom_killed"] and (wanted or look.recent(seconds)):
        limit = one["memory_limit_bytes"]
        bound = f" (its limit is {of_bytes(limit)})" if limit else ""
        summary = f"{name} was killed because memory ran out{bound}"
        facts = {**evidence, "memory_limit_bytes": limit}
        found.append(finding("container.oom_killed", name, "high", summary, facts, "raise its limit, or find the leak"))
    if state == "running" and one["health"] == "unhealthy":
        found.append(_unhealthy(one, wanted, engine))
    found += _stopped(look, one, wanted, evidence, engine)
    return found


def _unhealthy(one: Mapping[str, Any], wanted: bool, engine: str) -> Finding:
    said = f": {one['health_output'][:120]}" if one["health_output"] else ""
    streak = one["failing_streak"]
    times = f"{plural(streak, 'check')} of its health in a row failed" if streak else "its check of health fails"
    evidence = {
        "failing_streak": streak,
        "health_output": one["health_output"],
        "seconds_in_state": one["seconds_in_state"],
    }
    severity: Severity = "critical" if wanted else "high"
    how = f"{engine} inspect {one['name']} shows the check's log"
    return finding(
        "container.unhealthy", one["name"], severity, f"{one['name']} is unhealthy: {times}{said}", evidence, how
    )


def _stopped(
    look: Look, one: Mapping[str, Any], wanted: bool, evidence: Mapping[str, Any], engine: str
) -> list[Finding]:
    name, state, seconds = one["name"], one["state"], one["seconds_in_state"]
    logs = f"{engine} logs --tail 50 {name}"
    if state == "dead":
        summary = f"{name} is dead: the engine could not remove it"
        return [finding("container.dead", name, "high", summary, evidence, f"{engine} rm -f {name}")]
    if state == "paused":
        severity: Severity = "high" if wanted else "low"
        summary = f"{name} is paused"
        return [finding("container.paused", name, severity, summary, evidence, f"{engine} unpause {name}")]
    if state not in ("exited", "created", "removing"):
        return []
    bad = state == "exited" and one["exit_code"] not in (*_ASKED_TO, None)
    kept = one["restart_policy"] in ("always", "unless-stopped")
    if wanted:
        how = f", {_how(one)}" if state == "exited" else ""
        long = f" for {ago(seconds)}" if seconds is not None else ""
        summary = f"{name} does not run: it is {state}{long}{how}"
        return [finding("container.not_running", name, "high", summary, evidence, logs)]
    if one["error"] and state == "created":
        summary = f"{name} could not be started: {one['error'][:200]}"
        return [finding("container.not_started", name, "medium", summary, evidence, f"{engine} start {name}")]
    if bad and not one["oom_killed"] and look.recent(seconds):
        severity = "low" if one["exit_code"] == 137 or one["restart_policy"] in ("no", "", None) else "medium"
        summary = f"{name} ended {ago(seconds)} ago, {_how(one)}"
        if kept:
            summary += f", and is not started again although its policy is {one['restart_policy']}"
        return [finding("container.exited", name, severity, summary, evidence, logs)]
    return []


def _how(one: Mapping[str, Any]) -> str:
    code = one["exit_code"]
    if code is None:
        return "with an exit code that is not known"
    if 128 < code < 160:
        try:
            return f"with exit code {code} ({signal.Signals(code - 128).name})"
        except ValueError:
            pass
    return f"with exit code {code}"


def of_engine(look: Look, measured: Mapping[str, Any], containers: Sequence[Mapping[str, Any]]) -> list[Finding]:
    """What holds for many: one finding each."""
    found: list[Finding] = []
    engine = measured["engine"]
    running = [one for one in containers if one["state"] == "running"]
    free = [one["name"] for one in running if one["inspected"] and one["memory_limit_bytes"] is None]
    if free:
        summary = f"{plural(len(free), 'container runs', 'containers run')} without a limit of memory: {listed(free)}"
        evidence = {"containers": len(free), "of_running": len(running), "names": some(free)}
        how = "set a limit, so that one can't take the memory of all others"
        found.append(finding("container.no_memory_limit", engine, "low", summary, evidence, how))
    latest = [one["name"] for one in running if _is_latest(one["image"])]
    if latest:
        summary = f"{plural(len(latest), 'container runs', 'containers run')} an image `latest`: {listed(latest)}"
        evidence = {"containers": len(latest), "names": some(latest)}
        how = "name a version, so that a restart starts what runs now"
        found.append(finding("image.latest", engine, "info", summary, evidence, how))
    most = look.thresholds["image_days"]
    old = sorted(
        (one for one in running if (one["image_age_days"] or 0) > most), key=lambda one: -one["image_age_days"]
    )
    if old:
        summary = (
            f"{plural(len(old), 'container runs', 'containers run')} an image older than {most:g} days: "
            f"{listed([one['name'] for one in old])}"
        )
        evidence = {
            "containers": len(old),
            "oldest_days": old[0]["image_age_days"],
            "names": some(o["name"] for o in old),
        }
        how = "build or pull a newer one: old images have no mends of security"
        found.append(finding("image.old", engine, "low", summary, evidence, how))
    if measured["dangling_bytes"] > look.thresholds["dangling_bytes"]:
        summary = (
            f"{plural(measured['dangling_images'], 'image')} without a name: {of_bytes(measured['dangling_bytes'])}"
        )
        evidence = {key: measured[key] for key in ("dangling_images", "dangling_bytes")}
        found.append(
            finding("image.dangling", engine, "low", summary, evidence, f"{engine} image prune", estimated=True)
        )
    return found


def _is_latest(image: str) -> bool:
    name = image.rpartition("/")[2]
    return "@" not in name and not image.startswith("sha256:") and (":" not in name or name.endswith(":latest"))
