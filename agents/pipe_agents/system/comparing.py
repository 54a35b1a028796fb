"""What is other than in an earlier measurement of the same machine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from pipe_agents.findings import Finding, finding
from pipe_agents.system.trees import short, size

SHORTEST: Final = 1 / 6
"""Hours below which a growth says nothing of the hours to come."""
FARTHEST: Final = 12
"""Times the span between the two: what is said to happen later than that rests on too little."""
MOST: Final = 1000
LISTED: Final = 200


class Before(NamedTuple):
    """An output of this agent, and where it is from."""

    source: str
    run: str | None
    output: Mapping[str, Any]


class Changed(NamedTuple):
    measured: dict[str, Any] | None
    findings: list[Finding]


def fits(output: Any) -> bool:
    """Whether something is an output of this agent, as far as it is read here."""
    if not isinstance(output, Mapping) or output.get("agent") != "system_monitoring":
        return False
    measured = output.get("measurements")
    return (
        isinstance(measured, Mapping)
        and isinstance(measured.get("host"), Mapping)
        and isinstance(output.get("measured_at"), str)
        and _when(output["measured_at"]) is not None
    )


def _when(stamp: str) -> float | None:
    try:
        return datetime.fromisoformat(stamp).timestamp()
    except ValueError:
        return None


def compare(before: Before, now: Mapping[str, Any], now_s: float, limits: Mapping[str, float]) -> Changed:
    """`now`: the measurements. Over a start of the machine nothing is compared: its counters began again."""
    old = before.output["measurements"]
    stamp = before.output["measured_at"]
    hours = (now_s - (_when(stamp) or now_s)) / 3600
    told: dict[str, Any] = {
        "source": before.source,
        "run": before.run,
        "at": short(stamp, 64),
        "hours": round(hours, 6),
        "rebooted": None,
        "compared": False,
        "why_not": None,
        "disks": [],
        "processes": [],
        "watched": [],
        "counters": [],
    }
    ids = _text(old["host"].get("boot_id")), now["host"]["boot_id"]
    names = _text(old["host"].get("name")), now["host"]["name"]
    if None not in names and names[0] != names[1]:
        told["why_not"] = f"it is of another machine, {short(str(names[0]), 100)}"
        return Changed(told, [])
    if hours <= 0:
        told["why_not"] = "it isn't from before this one, by the clock"
        return Changed(told, [])
    if None not in ids:
        told["rebooted"] = ids[0] != ids[1]
    if told["rebooted"]:
        told["why_not"] = "the machine has started again since"
        return Changed(told, [_started(now, stamp, hours)])
    told["compared"] = True
    found: list[Finding] = []
    told["disks"] = list(_disks(old, now, hours, limits, found))[:LISTED]
    # Without an id of the start, a process with the same pid may be another one.
    if told["rebooted"] is False:
        told["processes"] = list(_processes(old, now, hours, limits, found))[:LISTED]
        told["watched"] = list(_watched(old, now, found))
        told["counters"] = list(_counters(old, now, hours, found))[:MOST]
    return Changed(told, found)


def _started(now: Mapping[str, Any], stamp: str, hours: float) -> Finding:
    return finding(
        "host.rebooted",
        "machine",
        "low",
        f"the machine has started again since {short(stamp, 64)}; nothing is compared over that",
        {"booted_at": now["host"]["booted_at"], "uptime_s": now["host"]["uptime_s"], "hours_between": round(hours, 2)},
        "If nobody meant it to: see the kernel's log of the start before (`journalctl -b -1`).",
    )


def _disks(
    old: Mapping[str, Any], now: Mapping[str, Any], hours: float, limits: Mapping[str, float], found: list[Finding]
) -> Iterator[dict[str, Any]]:
    before = _by(_items(old, "disks"), "path", "source")
    for disk in now["disks"] or []:
        was = before.get((disk["path"], disk["source"]))
        if was is None:
            continue
        if disk["judged"] and disk["read_only"] and was.get("read_only") is False:
            found.append(
                finding(
                    "disk.became_readonly",
                    disk["path"],
                    "critical",
                    f"{disk['path']} could be written to before, and can't be now",
                    {"read_only_before": False, "read_only": True},
                    "Look at the kernel's log for errors of the device.",
                )
            )
        used, free = _count(was.get("used_bytes")), disk["free_bytes"]
        if used is None or disk["used_bytes"] is None or _count(was.get("total_bytes")) != disk["total_bytes"]:
            continue
        more = disk["used_bytes"] - used
        speed = more / hours
        left = free / speed if speed > 0 and hours >= SHORTEST else None
        yield {
            "path": disk["path"],
            "used_bytes": more,
            "used_bytes_per_h": round(speed, 1),
            "hours_until_full": round(left, 2) if left is not None and left < 1e6 else None,
        }
        # A burst of a few MB says nothing; nor does what was written within minutes.
        grown = more >= disk["total_bytes"] / 200
        if left is not None and grown and disk["judged"] and left <= min(limits["full_within_hours"], FARTHEST * hours):
            found.append(
                finding(
                    "disk.filling",
                    disk["path"],
                    "high" if left <= limits["full_within_hours"] / 6 else "medium",
                    f"{disk['path']} grew by {size(more)} in {_span(hours)}: so it is full in {_span(left)}",
                    {
                        "used_bytes_per_h": round(speed, 1),
                        "hours_until_full": round(left, 2),
                        "free_bytes": free,
                        "hours_between": round(hours, 3),
                    },
                    "Find what grows: logs, dumps, caches.",
                    estimated=True,
                )
            )


def _processes(
    old: Mapping[str, Any], now: Mapping[str, Any], hours: float, limits: Mapping[str, float], found: list[Finding]
) -> Iterator[dict[str, Any]]:
    """Those that are in a list of the largest ones, then and now."""
    before = _by(_largest(old), "pid", "started_s")
    memory = now["memory"]
    available = memory["effective_available_bytes"] if memory is not None else None
    for key, one in {(one["pid"], one["started_s"]): one for one in _largest(now)}.items():
        was = before.get(key)
        rss = _count(was.get("rss_bytes")) if was is not None else None
        if rss is None or was is None or was.get("name") != one["name"]:
            continue
        more = one["rss_bytes"] - rss
        if more == 0:
            continue
        speed = more / hours
        yield {
            "pid": one["pid"],
            "name": one["name"],
            "started_s": one["started_s"],
            "rss_bytes": more,
            "rss_bytes_per_h": round(speed, 1),
        }
        least = limits["growth_bytes_per_h"]
        if hours < SHORTEST or speed < least or more < max(least, rss / 4):
            continue
        left = available / speed if available is not None else None
        soon = left is not None and left <= min(limits["full_within_hours"], FARTHEST * hours)
        found.append(
            finding(
                "processes.growth",
                f"{one['name']} ({one['pid']})",
                "medium" if soon else "low",
                f"{one['name']} ({one['pid']}) grew from {size(rss)} to {size(one['rss_bytes'])} in {_span(hours)}"
                + (f"; if it goes on, no memory is left in {_span(left)}" if soon and left is not None else ""),
                {
                    "rss_bytes": one["rss_bytes"],
                    "rss_bytes_before": rss,
                    "rss_bytes_per_h": round(speed, 1),
                    "hours_until_none": round(left, 2) if left is not None and left < 1e6 else None,
                },
                "A cache that fills, or a leak: see whether it goes on.",
                estimated=True,
            )
        )


def _largest(measured: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    processes = measured.get("processes")
    if isinstance(processes, Mapping):
        for name in ("top_memory", "top_cpu", "top_open_files"):
            yield from _items(processes, name)


def _watched(old: Mapping[str, Any], now: Mapping[str, Any], found: list[Finding]) -> Iterator[dict[str, Any]]:
    processes, earlier = now["processes"], old.get("processes")
    if processes is None or not isinstance(earlier, Mapping):
        return
    before = _by(_items(earlier, "watched"), "pattern")
    for one in processes["watched"]:
        was = before.get((one["pattern"],))
        if was is None:
            continue
        count = _count(was.get("count")) or 0
        then, these = _ids(was), _ids(one)
        again = bool(then and these and not then & these) and count <= LISTED // 2 and one["count"] <= LISTED // 2
        heard, listens = was.get("listeners"), one["listeners"]
        comparable = isinstance(heard, Sequence) and not isinstance(heard, str) and listens is not None
        new = sorted(set(listens) - set(map(str, heard or ()))) if comparable else []
        gone = sorted(set(map(str, heard or ())) - set(listens)) if comparable else []
        yield {
            "pattern": one["pattern"],
            "count_before": count,
            "count": one["count"],
            "restarted": again,
            "new_listeners": new[:LISTED],
            "vanished_listeners": [short(name, 100) for name in gone[:LISTED]],
        }
        pattern = one["pattern"]
        if again:
            found.append(
                finding(
                    "processes.restarted",
                    pattern,
                    "low",
                    f"{pattern} has been started again: of its {count} processes none is still there",
                    {"count_before": count, "count": one["count"]},
                    "If nobody meant it to: see its log for why it ended.",
                )
            )
        if gone and one["count"]:
            found.append(
                finding(
                    "processes.listener_vanished",
                    pattern,
                    "high",
                    f"{pattern} runs, and no longer listens on {short(', '.join(gone), 200)}",
                    {"vanished": len(gone), "listening": len(listens)},
                    "See its log: it may have failed to take the port again.",
                )
            )
        if new:
            found.append(
                finding(
                    "processes.listener_new",
                    pattern,
                    "info",
                    f"{pattern} listens on {short(', '.join(new), 200)}, and didn't before",
                    {"new": len(new), "listening": len(listens)},
                )
            )


def _ids(one: Mapping[str, Any]) -> set[tuple[Any, Any]]:
    pids, starts = one.get("pids"), one.get("starts_s")
    if not isinstance(pids, list) or not isinstance(starts, list):
        return set()
    return {
        (pid, start)
        for pid, start in zip(pids, starts, strict=False)
        if isinstance(pid, int) and isinstance(start, int | float)
    }


def _counters(
    old: Mapping[str, Any], now: Mapping[str, Any], hours: float, found: list[Finding]
) -> Iterator[dict[str, Any]]:
    """Those that only grow; one that is smaller than before began again, and is left out."""
    then, these = dict(_counted(old)), dict(_counted(now))
    for name, count in these.items():
        if name not in then or count <= then[name]:
            continue
        by = count - then[name]
        yield {"name": name, "by": by, "per_h": round(by / hours, 1)}
        if name.endswith("oom_kills"):
            whose = "container" if name.startswith("container") else "machine"
            found.append(
                finding(
                    "container.oom_since" if whose == "container" else "memory.oom_since",
                    whose,
                    "high",
                    f"{by} process{'es were' if by > 1 else ' was'} killed for want of memory in {_span(hours)}",
                    {"oom_kills": by, "hours_between": round(hours, 3)},
                    "The kernel's log names them.",
                )
            )


def _counted(measured: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    for link in _items(measured, "interfaces"):
        for name in ("rx_bytes", "tx_bytes", "rx_errors", "tx_errors", "rx_drops", "tx_drops"):
            yield from _counter(f"network.{link.get('name')}.{name}", link.get(name))
    for device in _items(measured, "devices"):
        for name in ("read_bytes", "write_bytes"):
            yield from _counter(f"io.{device.get('name')}.{name}", device.get(name))
    for disk in _items(measured, "disks"):
        yield from _counter(f"disk.{disk.get('path')}.errors", disk.get("errors"))
    for part, name in (("memory", "oom_kills"), ("container", "oom_kills"), ("cpu", "throttles")):
        one = measured.get(part)
        yield from _counter(f"{part}.{name}", one.get(name) if isinstance(one, Mapping) else None)


def _counter(name: str, value: Any) -> Iterator[tuple[str, int]]:
    count = _count(value)
    if count is not None:
        yield short(name, 200), count


def _by(items: Iterable[Mapping[str, Any]], *names: str) -> dict[tuple[Any, ...], Mapping[str, Any]]:
    """By the values under these names, where they are texts or numbers."""
    given = {}
    for one in items:
        key = tuple(one.get(name) for name in names)
        if all(isinstance(value, str | int | float) for value in key):
            given[key] = one
    return given


def _items(part: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    value = part.get(name)
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _span(hours: float) -> str:
    if hours < 1:
        return f"{max(1, round(hours * 60))} minutes"
    return f"{hours:.1f} hours" if hours < 48 else f"{hours / 24:.0f} days"
