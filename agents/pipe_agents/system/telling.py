"""What was measured in words: a line for each part as it is done, and a sentence for all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pipe_agents.findings import Finding, ordered, told
from pipe_agents.system import container
from pipe_agents.system.trees import short, size

_PARTS: Final = {"disk": "disks", "io": "devices", "network": "interfaces", "temperature": "temperatures"}
_ALL: Final = ("cpu", "memory", "pressure", "disks", "devices", "interfaces", "processes", "limits", "container",
               "temperatures")  # fmt: skip
_COUNTED: Final = {
    "disk": "file system",
    "io": "device",
    "network": "interface",
    "limits": "limit",
    "pressure": "resource",
    "temperature": "sensor",
}


def line(check: str, parts: Mapping[str, Any]) -> str:
    """For who watches."""
    part = parts[_PARTS.get(check, check)]
    if part is None:
        return f"{check}: not measured"
    if check == "cpu":
        busy = f"{part['total']['busy']:.0f} % of " if part["total"] is not None else ""
        return f"cpu: {busy}{part['cores']} cores, load {part['load1']}"
    if check == "memory":
        return f"memory: {size(part['available_bytes'])} of {size(part['total_bytes'])} available"
    if check == "container":
        return f"container: {container.described(part)}"
    if check == "processes":
        return f"processes: {part['count']}, {part['threads']} threads"
    return f"{check}: {len(part)} {_COUNTED[check]}{'s' if len(part) != 1 else ''}"


def sentence(found: Sequence[Finding], parts: Mapping[str, Any]) -> str | None:
    """Where nothing is wrong, the numbers that are asked for most; None where findings say more."""
    if any(one["severity"] != "info" for one in found if one["status"] != "unavailable"):
        return None
    facts = []
    cpu, memory, temperatures = parts.get("cpu"), parts.get("memory"), parts.get("temperatures")
    if cpu is not None and cpu["total"] is not None:
        facts.append(f"CPU {cpu['total']['busy']:.0f} % busy")
    if memory is not None:
        facts.append(f"{size(memory['effective_available_bytes'])} of memory available")
    disks = [one for one in parts.get("disks") or [] if one["judged"] and one["used_percent"] is not None]
    if disks:
        fullest = max(disks, key=lambda one: one["used_percent"])
        facts.append(f"{short(fullest['path'], 100)} {fullest['used_percent']:.0f} % full")
    if temperatures:
        facts.append(f"{max(one['celsius'] for one in temperatures):.0f} °C")
    blind = [one for one in found if one["status"] == "unavailable"]
    if blind and all(parts.get(name) is None for name in _ALL):
        return f"nothing could be measured: {blind[0]['why']}"
    plain = told(ordered(found))
    first, mark, rest = plain.partition(";")
    return f"{first} ({', '.join(facts)}){mark}{rest}" if facts else plain
