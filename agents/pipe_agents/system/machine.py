"""This machine, or a recorded one: two readings, and what they say together."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from typing import Any, Final, NamedTuple

from pipe_agents.findings import Finding, unavailable
from pipe_agents.lateness import too_late
from pipe_agents.system import (
    cgroups,
    container,
    cpu,
    devices,
    disks,
    hosts,
    limits,
    links,
    memory,
    mounts,
    pressure,
    processes,
    sensors,
    snapshots,
)
from pipe_agents.system.telling import line
from pipe_agents.system.trees import Tree, number

PARTS: Final = (
    "cpu",
    "memory",
    "pressure",
    "disks",
    "disks_total",
    "devices",
    "interfaces",
    "network",
    "processes",
    "limits",
    "container",
    "temperatures",
    "change",
)
NO_STALLS: Final = "a kernel with pressure stall information: 4.20 or newer, and on some systems the boot option psi=1"


class Reading(NamedTuple):
    """Counters at one time. Parts that nobody needs are None."""

    cpu: cpu.Reading | None
    memory: memory.Reading | None
    pressure: pressure.Reading
    cgroup: cgroups.Reading | None
    cgroup_pressure: pressure.Reading
    devices: dict[str, devices.Counts] | None
    links: links.Reading | None
    processes: snapshots.Snapshot | None


def read(tree: Tree, checks: Collection[str]) -> Reading:
    """Stalls and the cgroup are always read: what is found elsewhere is judged by them; and processes, to name them."""
    cgroup = cgroups.read(tree)
    return Reading(
        cpu.read(tree),
        memory.read(tree),
        pressure.read(tree),
        cgroup,
        pressure.of_cgroup(cgroup.pressure) if cgroup is not None and cgroup.pressure else {},
        devices.read(tree) if "io" in checks else None,
        links.read(tree) if "network" in checks else None,
        snapshots.read(tree) if {"cpu", "memory", "pressure", "processes", "limits"} & set(checks) else None,
    )


class Wanted(NamedTuple):
    """What is measured, and from where on it is a finding."""

    checks: tuple[str, ...]
    paths: tuple[str, ...]
    processes: tuple[str, ...]
    top: int
    arguments: bool
    limits: Mapping[str, float]


class Looked(NamedTuple):
    parts: dict[str, Any]
    findings: list[Finding]


class Progress:
    """How far a look has come, for whoever can't wait for its end."""

    def __init__(self) -> None:
        self.parts: dict[str, Any] = dict.fromkeys(PARTS)
        self.findings: list[Finding] = []
        self.host: dict[str, Any] | None = None
        self._begun: list[str] = []

    def begin(self, check: str) -> None:
        self._begun.append(check)

    def by_now(self, checks: Collection[str]) -> Looked:
        """What there is, and which checks have not come to their end."""
        done = self._begun[:-1]
        late = [too_late(check, "machine") for check in checks if check not in done]
        return Looked(dict(self.parts), [*self.findings, *late])


def look(
    tree: Tree,
    before: Reading,
    after: Reading,
    seconds: float,
    wanted: Wanted,
    host: Mapping[str, Any],
    say: Callable[[str], None] = lambda text: None,
    asked: disks.Ask = disks.ask,
    progress: Progress | None = None,
) -> Looked:
    """All parts that were asked for; a part that can't be measured is None, and a finding says why."""
    progress = progress or Progress()
    parts, found = progress.parts, progress.findings
    bounds = wanted.limits
    stalls = pressure.measured("machine", before.pressure, after.pressure, seconds)
    own = _container(tree, before, after, seconds)

    def stalled(resource: str, kind: str, average: str) -> float | None:
        return pressure.stalled(stalls, resource, kind, average)

    def blind(check: str, why: str, needs: str) -> None:
        found.append(unavailable(check, "machine", why, needs))

    for check in wanted.checks:
        if check in ("processes", "limits"):
            continue
        progress.begin(check)
        if check == "cpu":
            if before.cpu is None or after.cpu is None:
                blind("cpu", "/proc/stat can't be read", "/proc")
                continue
            parts["cpu"] = cpu.measured(before.cpu, after.cpu, seconds, tree)
            found += cpu.judged(parts["cpu"], bounds, stalled("cpu", "some", "avg60"), seconds)
            found += cpu.heat(before.cpu, after.cpu, seconds)
        elif check == "memory":
            if before.memory is None or after.memory is None:
                blind("memory", "/proc/meminfo can't be read", "/proc")
                continue
            parts["memory"] = memory.measured(before.memory, after.memory, seconds)
            found += memory.judged(
                parts["memory"], before.memory, after.memory, bounds, stalled("memory", "full", "avg10")
            )
        elif check == "disk":
            seen = disks.look(tree, wanted.paths, bounds, asked)
            parts["disks"], parts["disks_total"] = seen.measured, seen.total
            found += seen.findings
        elif check == "io":
            if before.devices is None or after.devices is None:
                blind("io", "/proc/diskstats can't be read", "/proc/diskstats, which some containers hide")
                continue
            parts["devices"] = devices.measured(before.devices, after.devices, seconds)
            found += devices.judged(
                parts["devices"], before.devices, after.devices, bounds, stalled("io", "full", "avg60"), seconds
            )
        elif check == "network":
            if before.links is None or after.links is None:
                blind("network", "/proc/net/dev can't be read", "/proc/net")
                continue
            parts["interfaces"], parts["network"] = links.measured(before.links, after.links, seconds, tree)
            found += links.judged(parts["interfaces"], parts["network"], before.links, after.links, bounds)
        elif check == "pressure":
            if not after.pressure:
                blind("pressure", "this kernel counts no stalls", NO_STALLS)
            mine = pressure.measured("container", before.cgroup_pressure, after.cgroup_pressure, seconds)
            parts["pressure"] = (stalls + mine) or None
            found += pressure.judged(stalls + mine, bounds)
        elif check == "container":
            if own is None:
                blind("container", "no cgroup is mounted that this process is in", "cgroups below /sys/fs/cgroup")
                continue
            parts["container"] = own
            found += container.judged(own, bounds, _own_stall(after))
            if own["memory"] is None and own["cpu"] is None:
                blind("container", "nothing that its cgroup says can be read", "cgroups below /sys/fs/cgroup")
        elif check == "temperature":
            parts["temperatures"] = sensors.read(tree) or None
            if parts["temperatures"] is None:
                blind("temperature", "there is no sensor", "a machine with sensors: a virtual one has none as a rule")
            found += sensors.judged(parts["temperatures"] or [], bounds)
        say(line(check, parts))
    progress.begin("processes")
    this = _processes(tree, before, after, seconds, wanted, host)
    if this is not None and "processes" in wanted.checks:
        busy = _busy_cores(before, after)
        parts["processes"] = processes.measured(this, wanted.top, wanted.processes, busy)
        found += processes.judged(parts["processes"], bounds, this)
        found += processes.hidden(tree, _proc_options(tree))
        say(line("processes", parts))
    elif "processes" in wanted.checks:
        blind("processes", "no process is listed in /proc", "/proc")
    progress.begin("limits")
    if "limits" in wanted.checks:
        parts["limits"] = limits.measured(tree, this, own) or None
        if parts["limits"] is None:
            blind("limits", "none of them can be read", "/proc/sys")
        found += limits.judged(parts["limits"] or [], bounds)
        say(line("limits", parts))
    progress.begin("end")
    container.used_instead({**parts, "container": own})
    return Looked(parts, _with_names(_once(found), this, _busy_cores(before, after)))


NAMED: Final = {
    "cpu.busy": "cpu",
    "pressure.cpu": "cpu",
    "memory.available": "memory",
    "memory.swapping": "memory",
    "memory.swap_full": "memory",
    "pressure.memory": "memory",
}
"""Findings in which who is on call wants to read who did it."""


def _once(found: list[Finding]) -> list[Finding]:
    """A busy processor that tasks wait for is one finding; it has the numbers of both. A kill in the container is
    counted for the machine, too."""
    busy = any(one["check"] == "cpu.busy" for one in found)
    killed = [one["evidence"]["oom_kills_in_window"] for one in found if one["check"] == "container.oom"]

    def told(one: Finding) -> bool:
        if one["check"] == "memory.oom":
            return one["evidence"]["oom_kills_in_window"] in killed
        return busy and one["id"] == "pressure.cpu:machine"

    return [one for one in found if not told(one)]


def _with_names(found: list[Finding], this: snapshots.Now | None, busy_cores: float | None) -> list[Finding]:
    given = []
    unseen = processes.unseen(this, busy_cores) if this is not None else None
    for one in found:
        by = NAMED.get(one["check"])
        most = (
            processes.most(this, by) if by is not None and this is not None and one["status"] != "unavailable" else []
        )
        if most:
            who, evidence = f"most by {most[0]}", {**one["evidence"], f"most_{by}": most}
            if by == "cpu" and unseen is not None and busy_cores is not None and unseen > 50 * busy_cores:
                who = f"{unseen:.0f} % of a core by no process that is seen here, of the rest {who}"
                evidence["unseen_cpu_percent"] = unseen
            one = {**one, "summary": f"{one['summary']}; {who}", "evidence": evidence}
        given.append(one)
    return given


def _own_stall(after: Reading) -> float | None:
    line = after.cgroup_pressure.get("memory", {}).get("full")
    return line[0] if line is not None else None


def _container(tree: Tree, before: Reading, after: Reading, seconds: float) -> dict[str, Any] | None:
    if before.cgroup is None or after.cgroup is None:
        return None
    affinity = None
    if tree.here:
        with suppress(OSError, AttributeError):
            affinity = len(os.sched_getaffinity(0))
    return container.measured(
        before.cgroup,
        after.cgroup,
        seconds,
        tree,
        cores=len(after.cpu.stat.cores) or 1 if after.cpu is not None else 1,
        affinity=affinity,
        total=after.memory.info["MemTotal"] if after.memory is not None else None,
        pids_max=number(f"{tree.proc}/sys/kernel/pid_max"),
    )


def _processes(
    tree: Tree, before: Reading, after: Reading, seconds: float, wanted: Wanted, host: Mapping[str, Any]
) -> snapshots.Now | None:
    if before.processes is None or after.processes is None:
        return None
    cores = len(after.cpu.stat.cores) if after.cpu is not None else 1
    return snapshots.now(
        tree,
        before.processes,
        after.processes,
        seconds,
        cores=cores,
        arguments=wanted.arguments,
        uptime=host.get("uptime_s"),
        count_files=bool({"processes", "limits"} & set(wanted.checks)),
    )


def _busy_cores(before: Reading, after: Reading) -> float | None:
    """How many cores were at work here; those that the host gave to other machines meanwhile are not."""
    if before.cpu is None or after.cpu is None:
        return None
    total = cpu.shares(before.cpu.stat.total, after.cpu.stat.total)
    return (total["busy"] - total["steal"]) / 100 * (len(after.cpu.stat.cores) or 1) if total is not None else None


def _proc_options(tree: Tree) -> frozenset[str]:
    entries = mounts.visible(mounts.read(tree) or [])
    return next((one.super_options | one.options for one in entries if one.path == "/proc"), frozenset())


def reading_host(tree: Tree, now_ns: int) -> dict[str, Any]:
    return hosts.read(tree, now_ns, hosts.clock() if tree.here else None)
