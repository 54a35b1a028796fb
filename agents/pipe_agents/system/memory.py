"""Memory and swap: what is available, not what is free."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from pipe_agents.findings import Finding, finding
from pipe_agents.system.trees import Tree, pairs, percent, rate, size, text


class Reading(NamedTuple):
    info: Mapping[str, int]
    """/proc/meminfo in bytes."""
    events: Mapping[str, int]
    """/proc/vmstat."""
    page: int
    strict: bool
    """Nothing is promised beyond the limit."""


def meminfo(content: str) -> dict[str, int]:
    """Bytes by name; lines without a number are left out."""
    found = {}
    for line in content.splitlines():
        name, _, rest = line.partition(":")
        parts = rest.split()
        if parts and parts[0].isascii() and parts[0].isdigit():
            found[name.strip()] = int(parts[0]) * (1024 if parts[1:] == ["kB"] else 1)
    return found


def read(tree: Tree) -> Reading | None:
    info = meminfo(text(f"{tree.proc}/meminfo") or "")
    if not info.get("MemTotal"):
        return None
    events = pairs(text(f"{tree.proc}/vmstat"))
    strict = (text(f"{tree.proc}/sys/vm/overcommit_memory") or "").strip() == "2"
    return Reading(info, events, _page(tree), strict)


def _page(tree: Tree) -> int:
    if not tree.here:
        return 4096
    from resource import getpagesize

    return getpagesize()


def measured(before: Reading, after: Reading, seconds: float) -> dict[str, Any]:
    info = after.info
    total = info["MemTotal"]
    free = info.get("MemFree", 0)
    slab = info.get("SReclaimable", 0)
    shared = info.get("Shmem")
    cache = max(0, info.get("Cached", 0) + info.get("Buffers", 0) + slab - (shared or 0))
    known = "MemAvailable" in info
    available = min(total, info["MemAvailable"] if known else free + cache // 2)
    swap_total = info.get("SwapTotal", 0)
    swap_used = max(0, swap_total - info.get("SwapFree", 0))

    def paged(name: str) -> float | None:
        if name not in before.events or name not in after.events:
            return None
        return rate(before.events[name] * after.page, after.events[name] * after.page, seconds)

    return {
        "total_bytes": total,
        "available_bytes": available,
        "available_percent": percent(available, total),
        "available_estimated": not known,
        "free_bytes": free,
        "cache_bytes": cache,
        "shared_bytes": shared,
        "dirty_bytes": info.get("Dirty"),
        "committed_bytes": info.get("Committed_AS"),
        "commit_limit_bytes": info.get("CommitLimit"),
        "swap": {
            "total_bytes": swap_total,
            "used_bytes": swap_used,
            "used_percent": percent(swap_used, swap_total) if swap_total else None,
            "in_bytes_per_s": paged("pswpin"),
            "out_bytes_per_s": paged("pswpout"),
        },
        "oom_kills": after.events.get("oom_kill"),
        "effective": "machine",
        "effective_limit_bytes": total,
        "effective_available_bytes": available,
    }


def scarce(
    subject: str,
    available: int,
    total: int,
    limits: Mapping[str, float],
    stalled: float | None,
    evidence: Mapping[str, Any],
    *,
    estimated: bool = False,
) -> list[Finding]:
    """The rule for a machine and for a container. `stalled`: percent of ten seconds in which all tasks waited for
    memory; with it, too little memory is critical."""
    share = percent(available, total)
    if share >= limits["memory_available_percent"] or available >= limits["memory_enough_bytes"]:
        return []
    low = share < limits["memory_available_low_percent"]
    hurts = stalled is not None and stalled >= limits["pressure_percent"]
    severity = "critical" if low and hurts else "high" if low or hurts else "medium"
    said = f", and all tasks stood still for it {stalled:.0f} % of the last 10 s" if hurts else ""
    return [
        finding(
            "memory.available",
            subject,
            severity,  # type: ignore[arg-type]
            f"{size(available)} of {size(total)} ({share:.1f} %) can still be had{said}",
            {"available_bytes": available, "total_bytes": total, "available_percent": share, **evidence},
            "See who holds it, and whether that grows; what needs more next may be killed.",
            estimated=estimated,
        )
    ]


def judged(
    memory: Mapping[str, Any],
    before: Reading,
    after: Reading,
    limits: Mapping[str, float],
    stalled: float | None,
) -> list[Finding]:
    found = scarce(
        "machine",
        memory["available_bytes"],
        memory["total_bytes"],
        limits,
        stalled,
        {"cache_bytes": memory["cache_bytes"], "swap_used_percent": memory["swap"]["used_percent"]},
        estimated=memory["available_estimated"],
    )
    swap = memory["swap"]
    coming = swap["in_bytes_per_s"]
    if coming is not None and coming >= limits["swap_in_bytes_per_s"]:
        hurts = stalled is not None and stalled >= limits["pressure_percent"]
        found.append(
            finding(
                "memory.swapping",
                "machine",
                "high" if hurts else "medium" if memory["available_percent"] < 25 else "low",
                f"{size(coming)} per second are read back from swap: programs wait for memory that was put aside",
                {
                    "swap_in_bytes_per_s": coming,
                    "swap_out_bytes_per_s": swap["out_bytes_per_s"],
                    "available_percent": memory["available_percent"],
                },
                "Give the machine more memory, or let less run on it.",
            )
        )
    if (swap["used_percent"] or 0) >= 95 and memory["available_percent"] < 2 * limits["memory_available_percent"]:
        found.append(
            finding(
                "memory.swap_full",
                "machine",
                "medium",
                f"swap is {swap['used_percent']:.0f} % used and only {memory['available_percent']:.0f} % of memory "
                "can be had: there is no reserve",
                {"swap_used_bytes": swap["used_bytes"], "swap_total_bytes": swap["total_bytes"],
                 "available_percent": memory["available_percent"]},
                "What needs more memory next may be killed; see `top_memory`.",
            )
        )  # fmt: skip
    promised, most = memory["committed_bytes"], memory["commit_limit_bytes"]
    if after.strict and promised and most and promised >= 0.95 * most:
        found.append(
            finding(
                "memory.commit",
                "machine",
                "medium",
                f"{size(promised)} of {size(most)} are promised, and the kernel promises no more than that",
                {"committed_bytes": promised, "commit_limit_bytes": most},
                "New programs may be refused memory: see vm.overcommit_memory and vm.overcommit_ratio.",
            )
        )
    killed = after.events.get("oom_kill", 0) - before.events.get("oom_kill", after.events.get("oom_kill", 0))
    if killed > 0:
        found.append(
            finding(
                "memory.oom",
                "machine",
                "high",
                f"the kernel killed {killed} process{'es' if killed > 1 else ''} for want of memory in the window: the "
                "machine's, or a container's",
                {"oom_kills_in_window": killed, "oom_kills_since_start": after.events["oom_kill"]},
                "The kernel's log names them.",
            )
        )
    return found
