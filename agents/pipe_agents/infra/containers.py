"""The check `containers`: what Docker or Podman says of containers and images. Only GET requests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

from pipe_agents.findings import Finding, finding, unavailable
from pipe_agents.infra import docker
from pipe_agents.infra.common import (
    LONGEST_LIST,
    Absent,
    Look,
    Looked,
    Silent,
    Unreached,
    bounded,
    listed,
    mapping,
    moment,
    objects,
    shown,
    some,
    stamp,
    text_or_none,
    together,
    whole,
)
from pipe_agents.infra.container_findings import of_container, of_engine

MOST_INSPECTED: Final = 300
_STATES: Final = ("created", "running", "paused", "restarting", "removing", "exited", "dead")
_FIRST: Final = {state: rank for rank, state in enumerate(("restarting", "dead", "running", "paused", "exited"))}


async def look_at_containers(look: Look) -> Looked:
    url = docker.place(look)
    if url is None:
        needs = "a running Docker or Podman, or its address in `docker_host`"
        return Looked([], absent=Absent("no socket of Docker or Podman is here", needs))
    try:
        api, where = docker.opened(look, url)
        async with api:
            return await _asked(look, await docker.engine(api, where))
    except Unreached as fault:
        found = [unavailable("containers", "docker", fault.why, fault.needs)]
        return Looked([*found, *_silent(look, fault)])


def _silent(look: Look, fault: Unreached) -> list[Finding]:
    """Nobody can see to containers that must run, where their engine takes a request and gives no answer."""
    wanted: Sequence[str] = look.options["containers"]
    if not wanted or not isinstance(fault, Silent):
        return []
    summary = f"{fault.why}: whether {listed(wanted)} {'runs' if len(wanted) == 1 else 'run'} can't be asked"
    evidence = {"containers": some(wanted), "why": fault.why}
    how = "systemctl status docker, and its journal: an engine that hangs can neither start nor stop anything"
    return [finding("containers.silent", "docker", "high", summary, evidence, how)]


async def _asked(look: Look, engine: docker.Engine) -> Looked:
    findings: list[Finding] = []
    rows = objects(await engine.get("/containers/json", {"all": "true"}))
    wanted: Sequence[str] = look.options["containers"]
    rows.sort(key=lambda row: (_name(row) not in wanted, _FIRST.get(_state(row), 9), _name(row)))
    images, image_fault = await _images(engine)
    if image_fault is not None:
        findings.append(unavailable("images", engine.kind, image_fault.why, image_fault.needs))
    looked = rows[:MOST_INSPECTED]
    details = await together([partial(_inspected, engine, str(row.get("Id", ""))) for row in looked])
    blind = [detail for detail in details if isinstance(detail, Unreached)]
    if len(rows) > len(looked):
        why = f"there are {len(rows)} containers, and only {len(looked)} are inspected"
        findings.append(unavailable("containers.details", engine.kind, why, "fewer containers"))
    if blind:
        why = f"{len(blind)} of {len(looked)} containers could not be inspected: {blind[0].why}"
        findings.append(unavailable("containers.details", engine.kind, why, blind[0].needs))
    containers = []
    for number, row in enumerate(rows):
        detail = details[number] if number < len(details) else None
        one = measured(look, row, detail if isinstance(detail, Mapping) else None, images)
        containers.append(one)
        findings += of_container(look, one, one["name"] in wanted, engine.kind)
    there = {one["name"] for one in containers}
    for name in dict.fromkeys(wanted):
        if name not in there:
            summary = f"there is no container {name} in {engine.kind}"
            evidence = {"containers": len(containers)}
            findings.append(finding("container.missing", name, "high", summary, evidence, f"{engine.kind} ps -a"))
    disk = await _disk(look, engine, findings) if look.options["disk_use"] else None
    dangling = [image for image in images.values() if _dangling(image)]
    states = [one["state"] for one in containers]
    result = {
        "engine": engine.kind,
        "version": engine.version,
        "api": engine.spoken,
        "socket": engine.where,
        "total": len(containers),
        "running": states.count("running"),
        "restarting": states.count("restarting"),
        "paused": states.count("paused"),
        "exited": states.count("exited"),
        "unhealthy": sum(one["health"] == "unhealthy" and one["state"] == "running" for one in containers),
        "containers": containers[:LONGEST_LIST],
        "images": len(images),
        "images_bytes": sum(whole(image.get("Size")) or 0 for image in images.values()),
        "dangling_images": len(dangling),
        "dangling_bytes": sum(whole(image.get("Size")) or 0 for image in dangling),
        "disk": disk,
    }
    findings += of_engine(look, result, containers)
    return Looked(bounded(findings, "containers", engine.kind), result)


async def _inspected(engine: docker.Engine, id: str) -> Mapping[str, Any] | Unreached:
    if not id.isalnum():
        return Unreached("the engine gave a container without an id", "an engine that answers")
    try:
        return mapping(await engine.get(f"/containers/{id}/json"))
    except Unreached as fault:
        return fault


async def _images(engine: docker.Engine) -> tuple[dict[str, Mapping[str, Any]], Unreached | None]:
    try:
        found = objects(await engine.get("/images/json"))
    except Unreached as fault:
        return {}, fault
    return {str(image.get("Id", number)): image for number, image in enumerate(found)}, None


async def _disk(look: Look, engine: docker.Engine, findings: list[Finding]) -> dict[str, int] | None:
    try:
        found = mapping(await engine.get("/system/df", timeout=look.timeout * 3))
    except Unreached as fault:
        findings.append(unavailable("containers.disk", engine.kind, fault.why, fault.needs))
        return None
    volumes = [mapping(one.get("UsageData")).get("Size") for one in objects(found.get("Volumes"))]
    return {
        "images_bytes": whole(found.get("LayersSize")) or 0,
        "containers_bytes": sum(whole(one.get("SizeRw")) or 0 for one in objects(found.get("Containers"))),
        "volumes_bytes": sum(whole(size) or 0 for size in volumes),
        "build_cache_bytes": sum(whole(one.get("Size")) or 0 for one in objects(found.get("BuildCache"))),
    }


def measured(
    look: Look, row: Mapping[str, Any], detail: Mapping[str, Any] | None, images: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """One container as the output has it: of its line in the list, and of all that there is, if it was read."""
    known = mapping(detail)
    state, host = mapping(known.get("State")), mapping(known.get("HostConfig"))
    now = look.now
    current = str(state.get("Status") or _state(row)).lower()
    current = current if current in _STATES else "unknown"
    started, ended = moment(state.get("StartedAt")), moment(state.get("FinishedAt"))
    began = started if current in ("running", "paused", "restarting") else ended
    health = mapping(state.get("Health") or state.get("Healthcheck"))
    log = objects(health.get("Log"))
    memory = whole(host.get("Memory"))
    image = images.get(str(known.get("Image") or row.get("ImageID")), {})
    made = whole(image.get("Created"))
    status = str(health.get("Status") or "").lower()
    return {
        "id": shown(row.get("Id", ""), 12).split("…")[0],
        "name": _name(row),
        "image": shown(mapping(known.get("Config")).get("Image") or row.get("Image"), 300),
        "state": current,
        "health": status if status in ("healthy", "unhealthy", "starting") else None,
        "health_output": text_or_none(log[-1].get("Output")) if log else None,
        "failing_streak": whole(health.get("FailingStreak")),
        "restarts": whole(known.get("RestartCount")),
        "restart_policy": text_or_none(mapping(host.get("RestartPolicy")).get("Name"), 50),
        "exit_code": _code(state.get("ExitCode")) if current in ("exited", "dead", "restarting") else None,
        "oom_killed": state.get("OOMKilled") if isinstance(state.get("OOMKilled"), bool) else None,
        "error": text_or_none(state.get("Error")),
        "started_at": stamp(started),
        "finished_at": stamp(ended),
        "seconds_in_state": None if began is None else round(max(now - began, 0), 3),
        "memory_limit_bytes": memory or None,
        "cpu_limit": _cores(host),
        "image_age_days": None if not made else round(max(now - made, 0) / 86400, 2),
        "ports": _ports(row.get("Ports")),
        "inspected": detail is not None,
    }


def _name(row: Mapping[str, Any]) -> str:
    names = row.get("Names")
    first = names[0] if isinstance(names, list) and names and isinstance(names[0], str) else ""
    return shown(first.removeprefix("/"), 255) or shown(row.get("Id", ""), 12).split("…")[0] or "without a name"


def _state(row: Mapping[str, Any]) -> str:
    return str(row.get("State", "")).lower()


def _code(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**32 else None


def _cores(host: Mapping[str, Any]) -> float | None:
    nano, quota, period = whole(host.get("NanoCpus")), whole(host.get("CpuQuota")), whole(host.get("CpuPeriod"))
    if nano:
        return round(nano / 1e9, 3)
    return round(quota / (period or 100_000), 3) if quota else None


def _dangling(image: Mapping[str, Any]) -> bool:
    tags = image.get("RepoTags")
    return not tags or tags == ["<none>:<none>"]


def _ports(value: Any) -> list[str]:
    found = []
    for port in objects(value)[:100]:
        inside = f"{whole(port.get('PrivatePort')) or 0}/{shown(port.get('Type'), 10)}"
        outside = whole(port.get("PublicPort"))
        found.append(f"{shown(port.get('IP'), 50)}:{outside}->{inside}" if outside else inside)
    return sorted(found)
