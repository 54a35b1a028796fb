"""What a cgroup leaves of the machine, and what it suffers from its limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipe_agents.findings import Finding, finding
from pipe_agents.system import cgroups
from pipe_agents.system.memory import scarce
from pipe_agents.system.trees import Tree, percent, size


def measured(
    before: cgroups.Reading,
    after: cgroups.Reading,
    seconds: float,
    tree: Tree,
    *,
    cores: int,
    affinity: int | None,
    total: int | None,
    pids_max: int | None,
) -> dict[str, Any]:
    memory = _memory(after, total)
    cpu = _cpu(before, after, seconds)
    usable = [float(cores), *(float(one) for one in (affinity, after.cpus) if one)]
    if cpu is not None and cpu["quota_cores"] is not None:
        usable.append(cpu["quota_cores"])
    effective = round(min(usable), 2)
    now, then = _kills(after), _kills(before)
    tighter = []
    if effective < cores:
        tighter.append("cpu")
    if memory is not None and memory["limit_bytes"] is not None:
        tighter.append("memory")
    if after.pids_limit is not None and (pids_max is None or after.pids_limit < pids_max):
        tighter.append("pids")
    return {
        "kind": cgroups.kind(tree, after.path),
        "version": after.version,
        "path": after.path,
        "memory": memory,
        "cpu": cpu,
        "effective_cores": effective,
        "pids": after.pids,
        "pids_limit": after.pids_limit,
        "oom_kills": now,
        "oom_kills_window": max(0, now - then) if now is not None and then is not None else None,
        "tighter": tighter,
    }


def _kills(reading: cgroups.Reading) -> int | None:
    """Version 1 counts those of the cgroup alone, version 2 of all below it: the own one's, or the limited one's."""
    found = [
        one.numbers["oom_kills"] for one in reading.memory if "oom_kills" in one.numbers and "limit" in one.numbers
    ]
    own = [one.numbers["oom_kills"] for one in reading.memory[:1] if "oom_kills" in one.numbers]
    return max([*found, *own], default=None)


def _memory(after: cgroups.Reading, total: int | None) -> dict[str, Any] | None:
    level = cgroups.tightest_memory(after.memory, total)
    shown = level or next((one for one in after.memory if "used" in one.numbers), None)
    if shown is None:
        return None
    numbers = shown.numbers
    most, used = (numbers.get("limit") if level is not None else None), numbers["used"]
    active, inactive = numbers.get("active_file", 0), numbers.get("inactive_file", 0)
    room = None
    if most is not None:
        # As the kernel estimates MemAvailable: of files and slab in use, half can be given back at no cost.
        room = min(most, max(0, most - used) + inactive + (active + numbers.get("slab", 0)) // 2)
    return {
        "level": shown.path,
        "limit_bytes": most,
        "high_bytes": numbers.get("high"),
        "used_bytes": used,
        "cache_bytes": active + inactive if "inactive_file" in numbers else None,
        "available_bytes": room,
        "available_percent": percent(room, most) if room is not None and most else None,
        "swap_limit_bytes": numbers.get("swap_limit"),
        "swap_used_bytes": numbers.get("swap_used"),
    }


def _cpu(before: cgroups.Reading, after: cgroups.Reading, seconds: float) -> dict[str, Any] | None:
    level = cgroups.tightest_cpu(after.cpu) or next((one for one in after.cpu if "used" in one.numbers), None)
    if level is None:
        return None
    b: Mapping[str, int] = level.numbers
    a = cgroups.same(before.cpu, level)

    def went(name: str) -> int | None:
        return max(0, b[name] - a[name]) if name in a and name in b else None

    limited = cgroups.quota(level)
    periods, held = went("periods"), went("throttled")
    used, slowed = went("used"), went("throttled_us")
    ever = percent(b["throttled"], b["periods"]) if b.get("periods") and "throttled" in b else None
    return {
        "level": level.path,
        "quota_cores": round(limited, 3) if limited is not None else None,
        "used_cores": round(used / (seconds * 1e6), 3) if used is not None and seconds > 0 else None,
        "periods": periods,
        "throttled_periods": held,
        "throttled_percent": percent(held, periods) if periods and held is not None else None,
        "throttled_ever_percent": ever,
        "throttled_ms": round(slowed / 1000, 3) if slowed is not None else None,
    }


def judged(container: Mapping[str, Any], limits: Mapping[str, float], stalled: float | None) -> list[Finding]:
    """Where a limit is below the machine's, it counts in place of the machine's."""
    found: list[Finding] = []
    memory, cpu = container["memory"], container["cpu"]
    if memory is not None and memory["limit_bytes"] is not None:
        found += scarce(
            "container",
            memory["available_bytes"],
            memory["limit_bytes"],
            limits,
            stalled,
            {"used_bytes": memory["used_bytes"], "cache_bytes": memory["cache_bytes"], "cgroup": memory["level"]},
            estimated=True,
        )
    if cpu is not None and cpu["throttled_percent"] is not None and cpu["periods"] >= 5:
        share, ever = cpu["throttled_percent"], cpu["throttled_ever_percent"] or 0.0
        if share >= limits["throttled_percent"]:
            found.append(
                finding(
                    "container.throttled",
                    "cpu",
                    "medium" if ever >= limits["throttled_percent"] / 5 else "low",
                    f"the quota of {cpu['quota_cores']:g} cores held the container up in {share:.0f} % of the periods "
                    f"of the window ({ever:.1f} % since it began)",
                    {name: cpu[name] for name in ("quota_cores", "used_cores", "throttled_percent",
                                                  "throttled_ever_percent", "throttled_ms")},
                    "Raise the CPU limit, or run fewer threads than it has cores.",
                )
            )  # fmt: skip
    found += _killed(container)
    return found


def _killed(container: Mapping[str, Any]) -> list[Finding]:
    now, ever = container["oom_kills_window"], container["oom_kills"]
    count = now or ever
    if not count:
        return []
    were = f"{count} process{'es' if count > 1 else ''} of the container {'were' if count > 1 else 'was'} killed"
    if now:
        said, suggestion = "in the window", "Raise its memory limit, or find what grows."
    else:
        said = "since it began"
        suggestion = "When, the kernel's log says; a comparison with an earlier run says whether it goes on."
    return [
        finding(
            "container.oom",
            "container",
            "critical" if now else "low",
            f"{were} for want of memory {said}",
            {"oom_kills_in_window": now, "oom_kills": ever},
            suggestion,
        )
    ]


def used_instead(parts: dict[str, Any]) -> None:
    """Write into `cpu` and `memory` whose limit is the tighter one."""
    container, cpu, memory = parts["container"], parts["cpu"], parts["memory"]
    if container is None:
        return
    if cpu is not None and container["effective_cores"] < cpu["cores"]:
        cpu["usable_cores"], cpu["usable_by"] = container["effective_cores"], "container"
    own = container["memory"]
    if memory is not None and own is not None and own["limit_bytes"] is not None:
        memory["effective"] = "container"
        memory["effective_limit_bytes"] = own["limit_bytes"]
        memory["effective_available_bytes"] = min(own["available_bytes"], memory["available_bytes"])


def described(container: Mapping[str, Any]) -> str:
    """One line for who watches."""
    parts = []
    memory, cpu = container["memory"], container["cpu"]
    if "cpu" in container["tighter"]:
        quota = cpu["quota_cores"] if cpu is not None else None
        parts.append(f"{container['effective_cores']:g} cores" + (" by quota" if quota is not None else ""))
    if "memory" in container["tighter"]:
        parts.append(f"{size(memory['limit_bytes'])} of memory")
    return ", ".join(parts) if parts else "no limit below the machine's"
