"""Block devices: requests, bytes, and how long they take."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from pipe_agents.findings import Finding, finding
from pipe_agents.system.trees import Tree, rate, text

SECTOR: Final = 512
MOST: Final = 500
LEAST: Final = 20
"""Requests in the window below which their average says nothing."""
_NO_DISK: Final = re.compile(r"(ram|loop|fd|sr)\d+\Z")


class Counts(NamedTuple):
    """Of one device, since the start."""

    reads: int
    read_sectors: int
    read_ms: int
    writes: int
    write_sectors: int
    write_ms: int
    in_flight: int
    busy_ms: int
    queue_ms: int


def parse(content: str) -> dict[str, Counts]:
    found = {}
    for line in content.splitlines():
        fields = line.split()
        if len(fields) < 14 or not all(field.isascii() and field.isdigit() for field in fields[3:14]):
            continue
        n = [int(field) for field in fields[3:14]]
        found[fields[2]] = Counts(n[0], n[2], n[3], n[4], n[6], n[7], n[8], n[9], n[10])
    return found


def read(tree: Tree) -> dict[str, Counts] | None:
    """Whole devices that have ever been used; no partitions, loops or optical drives."""
    content = text(f"{tree.proc}/diskstats")
    if content is None:
        return None
    return {
        name: counts
        for name, counts in parse(content).items()
        if not _NO_DISK.match(name) and (counts.reads or counts.writes) and not _part(tree, name)
    }


def _part(tree: Tree, name: str) -> bool:
    place = name.replace("/", "!")
    return os.path.exists(f"{tree.sys}/class/block/{place}/partition")


def measured(before: Mapping[str, Counts], after: Mapping[str, Counts], seconds: float) -> list[dict[str, Any]]:
    given = []
    for name, b in sorted(after.items())[:MOST]:
        a = before.get(name)
        if a is None:
            continue
        done = max(0, b.reads - a.reads) + max(0, b.writes - a.writes)
        took = max(0, b.read_ms - a.read_ms) + max(0, b.write_ms - a.write_ms)
        given.append(
            {
                "name": name,
                "reads_per_s": rate(a.reads, b.reads, seconds),
                "writes_per_s": rate(a.writes, b.writes, seconds),
                "read_bytes_per_s": rate(a.read_sectors * SECTOR, b.read_sectors * SECTOR, seconds, 0),
                "write_bytes_per_s": rate(a.write_sectors * SECTOR, b.write_sectors * SECTOR, seconds, 0),
                "busy_percent": min(100.0, rate(a.busy_ms, b.busy_ms, seconds * 10)),
                "wait_ms": round(took / done, 2) if done else None,
                "queue": rate(a.queue_ms, b.queue_ms, seconds * 1000, 2),
                "in_flight": b.in_flight,
                "read_bytes": b.read_sectors * SECTOR,
                "write_bytes": b.write_sectors * SECTOR,
            }
        )
    return given


def judged(
    devices: list[dict[str, Any]],
    before: Mapping[str, Counts],
    after: Mapping[str, Counts],
    limits: Mapping[str, float],
    stalled: float | None,
    seconds: float,
) -> list[Finding]:
    """`stalled`: percent of the last minute in which all tasks waited for I/O, where that is known. A slow second
    alone is low: a burst of writes does it."""
    found = []
    hurts = stalled is not None and stalled >= limits["pressure_percent"]
    for device in devices:
        name = device["name"]
        a, b = before[name], after[name]
        done = (b.reads - a.reads) + (b.writes - a.writes)
        evidence: dict[str, Any] = {
            "wait_ms": device["wait_ms"],
            "busy_percent": device["busy_percent"],
            "queue": device["queue"],
            "requests_in_window": done,
            "window_s": round(seconds, 3),
        }
        if stalled is not None:
            evidence["all_tasks_waited_percent_60s"] = stalled
        wait = device["wait_ms"]
        if wait is not None and done >= LEAST and wait >= limits["io_wait_ms"] and (device["busy_percent"] or 0) >= 50:
            found.append(
                finding(
                    "io.slow",
                    name,
                    "medium" if hurts else "low",
                    f"a request to {name} takes {wait:.0f} ms on average; it is {device['busy_percent']:.0f} % busy"
                    + (f", and all tasks waited for I/O {stalled:.0f} % of the last minute" if hurts else ""),
                    evidence,
                    "See what reads and writes; on a virtual machine, whether a limit of its volume is reached.",
                )
            )
        elif done == 0 and seconds >= 1 and a.in_flight and b.in_flight and (device["busy_percent"] or 0) >= 90:
            found.append(
                finding(
                    "io.stuck",
                    name,
                    "high" if seconds >= 30 else "medium" if seconds >= 5 else "low",
                    f"{name} has {b.in_flight} requests open, and ended none in {seconds:.0f} s",
                    {**evidence, "in_flight": b.in_flight},
                    "The device or the way to it hangs: look at the kernel's log.",
                )
            )
    return found
