"""Pressure stall information: how long tasks stood still for want of CPU, memory or I/O."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from pipe_agents.findings import Finding, Severity, finding
from pipe_agents.system.trees import Tree, text

RESOURCES: Final = ("cpu", "memory", "io")
_LINE: Final = re.compile(
    r"^(some|full) avg10=(\d+\.\d+) avg60=(\d+\.\d+) avg300=(\d+\.\d+) total=(\d+)$", re.MULTILINE | re.ASCII
)
Line: TypeAlias = tuple[float, float, float, int]
Reading: TypeAlias = dict[str, dict[str, Line]]
"""By resource, then `some` and `full`: the three averages, and microseconds since the start."""


def parse(content: str) -> dict[str, Line]:
    return {m[1]: (float(m[2]), float(m[3]), float(m[4]), int(m[5])) for m in _LINE.finditer(content)}


def read(tree: Tree) -> Reading:
    """The machine's; empty where the kernel has none."""
    return _read({name: f"{tree.proc}/pressure/{name}" for name in RESOURCES})


def of_cgroup(folder: str) -> Reading:
    return _read({name: f"{folder}/{name}.pressure" for name in RESOURCES})


def _read(places: Mapping[str, str]) -> Reading:
    found = {name: parse(text(place, 4096) or "") for name, place in places.items()}
    return {name: lines for name, lines in found.items() if "some" in lines}


def measured(scope: str, before: Reading, after: Reading, seconds: float) -> list[dict[str, Any]]:
    given = []
    for name, lines in after.items():
        both = {kind: _stall(before.get(name, {}).get(kind), line, seconds) for kind, line in lines.items()}
        # The kernel writes zeros for the CPU of a whole machine: all of its tasks can't wait for what nobody has.
        full = None if name == "cpu" and scope == "machine" else both.get("full")
        given.append({"scope": scope, "resource": name, "some": both["some"], "full": full})
    return given


def _stall(before: Line | None, after: Line, seconds: float) -> dict[str, float | None]:
    share = None
    if before is not None and seconds > 0:
        share = round(min(100.0, max(0.0, (after[3] - before[3]) / (seconds * 10_000))), 1)
    return {"avg10": after[0], "avg60": after[1], "avg300": after[2], "window": share}


def stalled(measured: list[dict[str, Any]] | None, resource: str, kind: str, average: str) -> float | None:
    """One number of the machine's, where it is known."""
    for one in measured or []:
        if one["scope"] == "machine" and one["resource"] == resource and one[kind] is not None:
            share: float = one[kind][average]
            return share
    return None


_WHAT: Final = {"cpu": "a processor", "memory": "memory", "io": "a device"}
_NEXT: Final = {
    "cpu": "See `top_cpu` of the processes.",
    "memory": "See memory, swap, and `top_memory` of the processes.",
    "io": "See the devices, and processes that wait uninterruptibly.",
}


def judged(measured: list[dict[str, Any]], limits: Mapping[str, float]) -> list[Finding]:
    """By averages over a minute and five, never by the window: a burst is no fault."""
    found = []
    for one in measured:
        severity = _severity(one, limits["pressure_percent"])
        if severity is None:
            continue
        resource, some, full = one["resource"], one["some"], one["full"]
        kind = "some tasks" if resource == "cpu" else "all tasks"
        share = some if resource == "cpu" else full
        found.append(
            finding(
                f"pressure.{resource}",
                one["scope"],
                severity,
                f"{kind} stood still for {_WHAT[resource]} {share['avg60']:.0f} % of the last minute "
                f"and {share['avg300']:.0f} % of the last five",
                {
                    "some_percent_60s": some["avg60"],
                    "some_percent_300s": some["avg300"],
                    **({"full_percent_60s": full["avg60"], "full_percent_300s": full["avg300"]} if full else {}),
                },
                _NEXT[resource],
            )
        )
    return found


def _severity(one: Mapping[str, Any], bound: float) -> Severity | None:
    """Waiting for a processor is what a busy machine does: it is never more than medium, and only when it lasts."""
    if one["resource"] == "cpu":
        some = one["some"]
        lasting = some["avg60"] >= 8 * bound and some["avg300"] >= 8 * bound
        return "medium" if lasting else "low" if some["avg60"] >= 5 * bound and some["avg300"] >= 5 * bound else None
    full = one["full"]
    if full is None or full["avg60"] < bound:
        return None
    lasting = full["avg300"] >= bound
    if one["resource"] == "memory":
        return "critical" if lasting and full["avg60"] >= 5 * bound else "high" if lasting else "medium"
    return "high" if lasting and full["avg60"] >= 5 * bound else "medium" if lasting else "low"
