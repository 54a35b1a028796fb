"""Processors: where their time went, load, and their clock rates."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from pipe_agents.findings import Finding, finding, unavailable
from pipe_agents.system.trees import Tree, names, number, rate, text

FIELDS: Final = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal", "guest", "guest_nice")
ASKED: Final = 16
"""Cores whose clock rate is read: each takes time."""
LISTED: Final = 1024
LONG: Final = 5.0
"""Seconds of a window from which on it says more than a moment."""


class Stat(NamedTuple):
    """/proc/stat at one time."""

    total: tuple[int, ...]
    cores: Mapping[int, tuple[int, ...]]
    other: Mapping[str, int]
    """`ctxt`, `processes`, `procs_running`, `procs_blocked`, `btime`."""


def stat(content: str) -> Stat:
    """Ticks by the fields above, shorter lines of old kernels filled with 0."""
    total: tuple[int, ...] = (0,) * len(FIELDS)
    cores, other = {}, {}
    for line in content.splitlines():
        name, *values = line.split()[: len(FIELDS) + 1] or [""]
        if not values or not all(value.isascii() and value.isdigit() for value in values):
            continue
        numbers = [int(value) for value in values]
        if name == "cpu":
            total = _filled(numbers)
        elif name[:3] == "cpu" and name[3:].isascii() and name[3:].isdigit():
            cores[int(name[3:])] = _filled(numbers)
        else:
            other[name] = numbers[0]
    return Stat(total, cores, other)


def _filled(numbers: list[int]) -> tuple[int, ...]:
    return tuple((numbers + [0] * len(FIELDS))[: len(FIELDS)])


def shares(before: tuple[int, ...], after: tuple[int, ...]) -> dict[str, float] | None:
    """Percent of the time between the two; None where none went by. Guests' time is in the user's: taken out of it."""
    spent = {name: max(0, b - a) for name, a, b in zip(FIELDS, before, after, strict=True)}
    spent["user"] = max(0, spent["user"] - spent["guest"])
    spent["nice"] = max(0, spent["nice"] - spent["guest_nice"])
    spent["guest"] += spent.pop("guest_nice")
    whole = sum(spent.values())
    if whole == 0:
        return None
    given = {name: round(100.0 * part / whole, 1) for name, part in spent.items()}
    given["busy"] = round(100.0 * (whole - spent["idle"] - spent["iowait"]) / whole, 1)
    return given


class Reading(NamedTuple):
    stat: Stat
    load: tuple[float, float, float] | None
    throttles: int | None


def read(tree: Tree) -> Reading | None:
    content = text(f"{tree.proc}/stat")
    if not content:
        return None
    return Reading(stat(content), loads(text(f"{tree.proc}/loadavg")), _throttles(tree))


def loads(content: str | None) -> tuple[float, float, float] | None:
    found = re.match(r"(\d+\.\d+) (\d+\.\d+) (\d+\.\d+)", content or "")
    return (float(found[1]), float(found[2]), float(found[3])) if found else None


def _throttles(tree: Tree) -> int | None:
    place = f"{tree.sys}/devices/system/cpu"
    found = [
        count
        for name in names(place)
        if re.fullmatch(r"cpu\d+", name)
        and (count := number(f"{place}/{name}/thermal_throttle/core_throttle_count")) is not None
    ]
    return sum(found) if found else None


def frequency(tree: Tree) -> dict[str, Any] | None:
    """From cpufreq; from /proc/cpuinfo where a (virtual) machine has none."""
    place = f"{tree.sys}/devices/system/cpu"
    cores = [name for name in names(place) if re.fullmatch(r"cpu\d+", name)]
    step = max(1, -(-len(cores) // ASKED))
    found = [
        khz / 1000 for name in cores[::step] if (khz := number(f"{place}/{name}/cpufreq/scaling_cur_freq")) is not None
    ]
    limits = [number(f"{place}/{name}/cpufreq/cpuinfo_max_freq") for name in cores[::step]]
    limit = max((khz / 1000 for khz in limits if khz), default=None)
    if not found:
        content = text(f"{tree.proc}/cpuinfo") or ""
        found = [float(mhz) for mhz in re.findall(r"^cpu MHz\s*:\s*(\d+(?:\.\d+)?)$", content, re.MULTILINE)]
    if not found:
        return None
    return {
        "mean_mhz": round(sum(found) / len(found), 1),
        "least_mhz": round(min(found), 1),
        "most_mhz": round(max(found), 1),
        "limit_mhz": limit,
        "cores_read": len(found),
    }


def measured(before: Reading, after: Reading, seconds: float, tree: Tree) -> dict[str, Any]:
    cores = len(after.stat.cores) or 1
    by_core = [
        {"core": core, **found}
        for core, ticks in sorted(after.stat.cores.items())[:LISTED]
        if core in before.stat.cores and (found := shares(before.stat.cores[core], ticks)) is not None
    ]
    load = after.load
    made = after.stat.other

    def by_second(name: str) -> float | None:
        known = name in made and name in before.stat.other
        return rate(before.stat.other[name], made[name], seconds) if known else None

    return {
        "cores": cores,
        "usable_cores": float(cores),
        "usable_by": "machine",
        "total": shares(before.stat.total, after.stat.total),
        "by_core": by_core,
        **{f"load{age}": load[i] if load else None for i, age in enumerate((1, 5, 15))},
        **{f"load{age}_per_core": round(load[i] / cores, 2) if load else None for i, age in enumerate((1, 5, 15))},
        "running": made.get("procs_running"),
        "blocked": made.get("procs_blocked"),
        "switches_per_s": by_second("ctxt"),
        "forks_per_s": by_second("processes"),
        "frequency": frequency(tree),
        "throttles": after.throttles,
    }


def judged(cpu: Mapping[str, Any], limits: Mapping[str, float], stalled: float | None, seconds: float) -> list[Finding]:
    """`stalled`: percent of the last minute in which some task waited for a processor, where that is known.

    One busy second is no fault: how bad it is, the averages over minutes say.
    """
    found: list[Finding] = []
    total = cpu["total"]
    if total is None:
        return [unavailable("cpu.busy", "machine", "no CPU time was counted in the window", "a longer `window`")]
    load, load5, load15 = cpu["load1_per_core"] or 0.0, cpu["load5_per_core"] or 0.0, cpu["load15_per_core"] or 0.0
    loaded = limits["load_per_core"]
    evidence: dict[str, Any] = {
        "busy_percent": total["busy"],
        "load1_per_core": cpu["load1_per_core"],
        "load5_per_core": cpu["load5_per_core"],
        "load15_per_core": cpu["load15_per_core"],
        "cores": cpu["cores"],
        "iowait_percent": total["iowait"],
    }
    if stalled is not None:
        evidence["waited_for_cpu_percent_60s"] = stalled
    said = f"load {load:.2f}, {load5:.2f}, {load15:.2f} per core over 1, 5, 15 minutes"
    if total["busy"] >= limits["cpu_busy_percent"] and load >= 1.0:
        long = load5 >= loaded and load15 >= loaded
        found.append(
            finding(
                "cpu.busy",
                "machine",
                "high" if long and load15 >= 2 * loaded else "medium" if long else "low",
                f"the {cpu['cores']} cores are {total['busy']:.0f} % busy; {said}",
                evidence,
                "If who uses it is meant to, give it more cores or less to do; else see what it does.",
            )
        )
    elif load5 >= loaded and load >= loaded and total["busy"] < 70:
        found.append(
            finding(
                "cpu.load",
                "machine",
                "medium" if load15 >= loaded else "low",
                f"{said}, while the cores are only {total['busy']:.0f} % busy: tasks wait for something else",
                {**evidence, "blocked": cpu["blocked"]},
                "See the devices, and processes that wait uninterruptibly.",
            )
        )
    if total["steal"] >= limits["steal_percent"]:
        found.append(
            finding(
                "cpu.steal",
                "machine",
                "medium" if seconds >= LONG or total["steal"] >= 3 * limits["steal_percent"] else "low",
                f"{total['steal']:.0f} % of the CPU time went to other machines of the same host",
                {"steal_percent": total["steal"]},
                "The host is too full, or a credit is used up: move the machine, or take a larger one.",
            )
        )
    return found


def heat(before: Reading, after: Reading, seconds: float) -> list[Finding]:
    """Cores that were slowed down in the window."""
    if before.throttles is None or after.throttles is None or after.throttles <= before.throttles:
        return []
    times = after.throttles - before.throttles
    return [
        finding(
            "cpu.throttled",
            "machine",
            "medium" if seconds >= LONG else "low",
            f"heat slowed cores down {times} times in the window",
            {"throttles": times, "throttles_since_start": after.throttles},
            "Look at fans, dust and the room's temperature.",
        )
    ]
