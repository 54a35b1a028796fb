"""Temperatures: of hwmon, or of thermal zones where there is no hwmon."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from pipe_agents.findings import Finding, finding
from pipe_agents.system.trees import Tree, names, number, short, text

MOST: Final = 200
SANE: Final = (-40.0, 150.0)
"""Outside of it a sensor isn't connected."""


def read(tree: Tree) -> list[dict[str, Any]]:
    found = _hwmon(f"{tree.sys}/class/hwmon") or _zones(f"{tree.sys}/class/thermal")
    return found[:MOST]


def _hwmon(place: str) -> list[dict[str, Any]]:
    found = []
    for chip in names(place):
        called = _word(text(f"{place}/{chip}/name", 200)) or chip
        for file in names(f"{place}/{chip}"):
            if not re.fullmatch(r"temp\d+_input", file):
                continue
            stem = f"{place}/{chip}/{file.removesuffix('_input')}"
            label = _word(text(f"{stem}_label", 200)) or file.removesuffix("_input")
            one = _sensor(f"{called} {label}", number(f"{stem}_input"), number(f"{stem}_max"), number(f"{stem}_crit"))
            found += [one] if one is not None else []
    return found


def _zones(place: str) -> list[dict[str, Any]]:
    found = []
    for zone in names(place):
        if not zone.startswith("thermal_zone"):
            continue
        folder = f"{place}/{zone}"
        trips = {
            _word(text(f"{folder}/{file}", 100)): number(f"{folder}/{file.removesuffix('_type')}_temp")
            for file in names(folder)
            if re.fullmatch(r"trip_point_\d+_type", file)
        }
        name = _word(text(f"{folder}/type", 200)) or zone
        one = _sensor(name, number(f"{folder}/temp"), trips.get("hot"), trips.get("critical"))
        found += [one] if one is not None else []
    return found


def _word(value: str | None) -> str:
    return short(" ".join((value or "").split()), 100)


def _sensor(name: str, now: int | None, high: int | None, critical: int | None) -> dict[str, Any] | None:
    """Thousandths of degrees; limits that can't be any (0, 255) are none."""
    if now is None or not SANE[0] < now / 1000 < SANE[1] or now == 0:
        return None

    def limit(value: int | None) -> float | None:
        return value / 1000 if value is not None and 40_000 <= value < 150_000 else None

    return {"name": name, "celsius": round(now / 1000, 1), "high": limit(high), "critical": limit(critical)}


def judged(sensors: list[dict[str, Any]], limits: Mapping[str, float]) -> list[Finding]:
    """A sensor's own limits stand over the threshold."""
    found = []
    for one in sensors:
        now, high, critical = one["celsius"], one["high"], one["critical"]
        if critical is not None and now >= critical:
            severity, bound = "critical", critical
        elif critical is not None and now >= critical - 5:
            severity, bound = "medium", critical
        elif high is not None and now >= high and (critical is None or high < critical):
            severity, bound = "low", high
        elif critical is None and high is None and now >= limits["temperature_c"]:
            severity, bound = "medium", limits["temperature_c"]
        else:
            continue
        found.append(
            finding(
                "temperature.high",
                one["name"],
                severity,  # type: ignore[arg-type]
                f"{one['name']} is at {now:.0f} °C; its limit is {bound:.0f} °C",
                {"celsius": now, "limit_c": bound, "high_c": high, "critical_c": critical},
                "Look at fans, dust and the room's temperature; it slows down or switches off to protect itself.",
            )
        )
    return found
