"""The cgroup that this agent runs in: where it is, version 1 or 2, and what it may use."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from pipe_agents.system import mounts
from pipe_agents.system.trees import Tree, number, pairs, short, text

NO_LIMIT: Final = 1 << 60
"""Version 1 writes a number near 2^63 for no limit."""
DEEPEST: Final = 32


class Place(NamedTuple):
    """A controller's folders, from the own cgroup up to what can be seen."""

    v2: bool
    path: str
    levels: tuple[tuple[str, str], ...]
    """The cgroup's path, and its folder."""


class Level(NamedTuple):
    """What one cgroup says of memory, or of CPU."""

    path: str
    folder: str
    numbers: Mapping[str, int]


class Reading(NamedTuple):
    version: str
    path: str
    memory: tuple[Level, ...]
    cpu: tuple[Level, ...]
    pids: int | None
    pids_limit: int | None
    cpus: int | None
    """In the set of processors that it may use."""
    pressure: str | None
    """The folder of its pressure files."""


def places(own: str, entries: Iterable[mounts.Entry], tree: Tree) -> dict[str, Place]:
    """By controller, of /proc/self/cgroup and the mount table; version 2 is under the empty name."""
    mounted: dict[str, tuple[bool, str, str]] = {}
    for entry in entries:
        if entry.type == "cgroup2":
            mounted.setdefault("", (True, entry.root, entry.path))
        elif entry.type == "cgroup":
            for name in entry.super_options:
                mounted.setdefault(name, (False, entry.root, entry.path))
    found = {}
    for line in own.splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        for name in controllers.split(",") if controllers else [""]:
            if name in mounted and path.startswith("/"):
                v2, root, point = mounted[name]
                found[name] = Place(v2, path, _levels(path, root, point, tree))
    return found


def _levels(path: str, root: str, point: str, tree: Tree) -> tuple[tuple[str, str], ...]:
    """A path that isn't below what is mounted belongs to another namespace: then the mount itself is all there is."""
    top = tree.under(point)
    inside = path == root or path.startswith(root.rstrip("/") + "/")
    rest = os.path.normpath(path[len(root.rstrip("/")) :]).strip("/") if inside and ".." not in path.split("/") else ""
    parts = [part for part in rest.split("/") if part and part != "."]
    if not os.path.isdir(os.path.join(top, *parts)):
        parts = []
    levels = [
        ("/" + "/".join(parts[:depth]), os.path.join(top, *parts[:depth]))
        for depth in range(min(len(parts), DEEPEST), -1, -1)
    ]
    return tuple((short(name), folder) for name, folder in levels)


def limit(content: str | None) -> int | None:
    """A number of bytes or of processes; None for `max`, -1, or nothing."""
    value = (content or "").strip()
    if not value.isascii() or not value.isdigit():
        return None
    return None if int(value) >= NO_LIMIT else int(value)


def read(tree: Tree) -> Reading | None:
    own = text(f"{tree.proc}/self/cgroup")
    entries = mounts.read(tree)
    if own is None or entries is None:
        return None
    found = places(own, entries, tree)
    if not found:
        return None
    unified = found.get("")
    olds = [name for name in found if name]

    def of(name: str) -> Place | None:
        return found.get(name) or unified

    memory, cpu, pids, sets = of("memory"), of("cpu"), of("pids"), of("cpuset")
    counted, most = _pids(pids)
    main = memory or cpu or next(iter(found.values()))
    return Reading(
        "hybrid" if unified is not None and olds else "v1" if olds else "v2",
        short(main.path),
        tuple(_memory(place, memory.v2) for place in memory.levels) if memory else (),
        tuple(_cpu(place, cpu.v2, found.get("cpuacct")) for place in cpu.levels) if cpu else (),
        counted,
        most,
        _cpus(sets),
        _own_pressure(unified),
    )


def _own_pressure(unified: Place | None) -> str | None:
    """Where its stalls stand; the root's are the machine's, and it has no `cgroup.events`."""
    folder = unified.levels[0][1] if unified is not None and unified.levels else None
    return folder if folder is not None and os.path.exists(f"{folder}/cgroup.events") else None


def _known(numbers: Mapping[str, int | None]) -> dict[str, int]:
    return {name: value for name, value in numbers.items() if value is not None}


def _memory(level: tuple[str, str], v2: bool) -> Level:
    path, folder = level
    if v2:
        stat, events = pairs(text(f"{folder}/memory.stat")), pairs(text(f"{folder}/memory.events"))
        numbers = {
            "limit": limit(text(f"{folder}/memory.max", 100)),
            "high": limit(text(f"{folder}/memory.high", 100)),
            "used": number(f"{folder}/memory.current"),
            "inactive_file": stat.get("inactive_file"),
            "active_file": stat.get("active_file"),
            "slab": stat.get("slab_reclaimable"),
            "swap_limit": limit(text(f"{folder}/memory.swap.max", 100)),
            "swap_used": number(f"{folder}/memory.swap.current"),
            "oom_kills": events.get("oom_kill"),
        }
    else:
        stat, control = pairs(text(f"{folder}/memory.stat")), pairs(text(f"{folder}/memory.oom_control"))
        both, alone = (number(f"{folder}/memory.{name}usage_in_bytes") for name in ("memsw.", ""))
        most = limit(text(f"{folder}/memory.memsw.limit_in_bytes", 100))
        bound = limit(text(f"{folder}/memory.limit_in_bytes", 100))
        numbers = {
            "limit": bound,
            "used": alone,
            "inactive_file": stat.get("total_inactive_file"),
            "active_file": stat.get("total_active_file"),
            "swap_limit": max(0, most - bound) if most is not None and bound is not None else None,
            "swap_used": max(0, both - alone) if both is not None and alone is not None else None,
            "oom_kills": control.get("oom_kill"),
        }
    return Level(path, folder, _known(numbers))


def _cpu(level: tuple[str, str], v2: bool, accounts: Place | None) -> Level:
    """Quota and period in µs, used and throttled time in µs."""
    path, folder = level
    stat = pairs(text(f"{folder}/cpu.stat"))
    if v2:
        quota, _, period = (text(f"{folder}/cpu.max", 100) or "").strip().partition(" ")
        numbers = {
            "quota": limit(quota),
            "period": limit(period),
            "used": stat.get("usage_usec"),
            "throttled_us": stat.get("throttled_usec"),
        }
    else:
        counted = accounts.levels if accounts is not None else ()
        place = next((at for name, at in counted if name == path), None)
        used = number(f"{place}/cpuacct.usage") if place is not None else None
        slowed = stat.get("throttled_time")
        numbers = {
            "quota": limit(text(f"{folder}/cpu.cfs_quota_us", 100)),
            "period": limit(text(f"{folder}/cpu.cfs_period_us", 100)),
            "used": used // 1000 if used is not None else None,
            "throttled_us": slowed // 1000 if slowed is not None else None,
        }
    numbers |= {"periods": stat.get("nr_periods"), "throttled": stat.get("nr_throttled")}
    return Level(path, folder, _known(numbers))


def _pids(place: Place | None) -> tuple[int | None, int | None]:
    """Of the cgroup whose limit is nearest."""
    best: tuple[int | None, int | None] = (None, None)
    for _, folder in place.levels if place is not None else ():
        used, most = number(f"{folder}/pids.current"), limit(text(f"{folder}/pids.max", 100))
        if best[0] is None or (
            used is not None and most is not None and (best[1] is None or best[1] - (best[0] or 0) > most - used)
        ):
            best = (used, most)
    return best


def _cpus(place: Place | None) -> int | None:
    for _, folder in place.levels if place is not None else ():
        for name in ("cpuset.cpus.effective", "cpuset.effective_cpus", "cpuset.cpus"):
            count = listed(text(f"{folder}/{name}", 65536))
            if count:
                return count
    return None


def listed(content: str | None) -> int:
    """How many numbers `0-3,8` names; 0 where it is no such list."""
    count = 0
    for part in (content or "").strip().split(","):
        found = re.fullmatch(r"(\d{1,6})(?:-(\d{1,6}))?", part, re.ASCII)
        if found is None:
            return 0
        count += int(found[2] or found[1]) - int(found[1]) + 1
    return max(0, count)


def kind(tree: Tree, path: str) -> str | None:
    """What made the container, by the usual signs; None where there is none."""
    said = re.search(rb"(?:\A|\0)container=([a-z-]{1,40})", _environment(tree))
    root = os.path.dirname(tree.etc) if not tree.here else "/"
    if "kubepods" in path or b"KUBERNETES_SERVICE_HOST=" in _environment(tree):
        return "kubernetes"
    if said is not None:
        return said[1].decode()
    if os.path.exists(os.path.join(root, ".dockerenv")):
        return "docker"
    if os.path.exists(os.path.join(root, "run/.containerenv")):
        return "podman"
    for sign, name in (("docker", "docker"), ("libpod", "podman"), ("lxc", "lxc"), ("containerd", "containerd")):
        if re.search(rf"(?:^|/){sign}", path):
            return name
    return None


def _environment(tree: Tree) -> bytes:
    from pipe_agents.system.trees import raw

    try:
        return raw(f"{tree.proc}/1/environ", 65536)
    except OSError:
        return b""


def tightest_memory(levels: Iterable[Level], total: int | None) -> Level | None:
    """The cgroup with the least room below its limit, of those whose limit is below the machine's memory."""
    limited = [
        one
        for one in levels
        if "limit" in one.numbers and "used" in one.numbers and (total is None or one.numbers["limit"] < total)
    ]
    return min(limited, key=lambda one: one.numbers["limit"] - one.numbers["used"], default=None)


def quota(level: Level) -> float | None:
    """Cores that the quota is worth."""
    if level.numbers.get("quota") and level.numbers.get("period"):
        return level.numbers["quota"] / level.numbers["period"]
    return None


def tightest_cpu(levels: Iterable[Level]) -> Level | None:
    limited = [(cores, i, one) for i, one in enumerate(levels) if (cores := quota(one)) is not None]
    return min(limited)[2] if limited else None


def same(levels: Iterable[Level], level: Level | None) -> Mapping[str, Any]:
    """The numbers of the same cgroup in another reading."""
    return next((one.numbers for one in levels if level is not None and one.folder == level.folder), {})
