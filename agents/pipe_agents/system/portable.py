"""macOS and Windows: what psutil tells there, in the same shape. What it can't tell is said to be unavailable."""

from __future__ import annotations

import socket
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any, Final

from pipe_agents.findings import Finding, finding, unavailable
from pipe_agents.system import cpu as processors
from pipe_agents.system import disks, memory
from pipe_agents.system.mounts import Entry
from pipe_agents.system.trees import percent, rate, short

ONLY_LINUX: Final = {
    "pressure": "the kernel counts no stalls",
    "limits": "limits are told in another way here",
    "container": "there are no cgroups",
    "io": "times of requests aren't told",
    "temperature": "sensors aren't told",
}


def read(checks: Sequence[str]) -> dict[str, Any]:
    """Counters at one time."""
    import psutil

    found: dict[str, Any] = {}
    if "cpu" in checks:
        found["cpu"] = (psutil.cpu_times(), psutil.cpu_times(percpu=True))
    if "memory" in checks:
        found["swap"] = psutil.swap_memory()
    if "network" in checks:
        found["network"] = psutil.net_io_counters(pernic=True)
    if "processes" in checks:
        found["processes"] = {
            one.info["pid"]: one.info
            for one in psutil.process_iter(["pid", "name", "status", "create_time", "cpu_times", "num_threads",
                                            "memory_info"])
        }  # fmt: skip
    return found


def host() -> dict[str, Any]:
    import platform

    import psutil

    booted = psutil.boot_time()
    return {
        "name": short(socket.gethostname(), 255),
        "kernel": short(platform.release(), 255),
        "boot_id": None,
        "uptime_s": round(max(0.0, datetime.now(UTC).timestamp() - booted), 1),
        "booted_at": datetime.fromtimestamp(booted, UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "clock_synchronised": None,
        "clock_error_ms": None,
    }


def measured(
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    seconds: float,
    checks: Sequence[str],
    options: Mapping[str, Any],
    limits: Mapping[str, float],
) -> tuple[dict[str, Any], list[Finding]]:
    """The parts of the measurements that were asked for, and findings."""
    parts: dict[str, Any] = {}
    found: list[Finding] = [
        unavailable(check, "machine", f"{ONLY_LINUX[check]} on {sys.platform}", "Linux")
        for check in checks
        if check in ONLY_LINUX
    ]
    if "cpu" in checks:
        parts["cpu"] = _cpu(before["cpu"], after["cpu"])
        found += processors.judged(parts["cpu"], limits, None, seconds)
    if "memory" in checks:
        parts["memory"] = _memory(before["swap"], after["swap"], seconds)
        one = parts["memory"]
        found += memory.scarce("machine", one["available_bytes"], one["total_bytes"], limits, None, {})
    if "disk" in checks:
        parts["disks"], more = _disks(options.get("paths") or [], limits)
        parts["disks_total"] = len(parts["disks"])
        found += more
    if "network" in checks:
        parts["interfaces"] = _links(before["network"], after["network"], seconds)
    if "processes" in checks:
        parts["processes"] = _processes(before["processes"], after["processes"], seconds, options)
        found += [
            finding("processes.missing", one["pattern"], "high", f"no process is called {one['pattern']}", {"count": 0})
            for one in parts["processes"]["watched"]
            if one["count"] == 0
        ]
        found.append(
            unavailable("processes.open_files", "all processes", "they aren't counted on this system", "Linux")
        )
    return parts, found


def _ticks(times: Any) -> tuple[int, ...]:
    """Hundredths of a second by the fields of Linux; what a system doesn't have is 0."""
    other = {"irq": "interrupt", "softirq": "dpc"}
    return tuple(
        int(100 * (getattr(times, name, None) or getattr(times, other.get(name, ""), 0.0) or 0.0))
        for name in processors.FIELDS
    )


def _cpu(before: Any, after: Any) -> dict[str, Any]:
    import psutil

    cores = len(after[1]) or 1
    load: tuple[float, ...] | None = None
    with suppress(OSError, AttributeError):
        load = psutil.getloadavg() if sys.platform != "win32" else None
    return {
        "cores": cores,
        "usable_cores": float(cores),
        "usable_by": "machine",
        "total": processors.shares(_ticks(before[0]), _ticks(after[0])),
        "by_core": [
            {"core": i, **found}
            for i, (a, b) in enumerate(zip(before[1], after[1], strict=False))
            if (found := processors.shares(_ticks(a), _ticks(b))) is not None
        ][: processors.LISTED],
        **{f"load{age}": round(load[i], 2) if load else None for i, age in enumerate((1, 5, 15))},
        **{f"load{age}_per_core": round(load[i] / cores, 2) if load else None for i, age in enumerate((1, 5, 15))},
        "running": None,
        "blocked": None,
        "switches_per_s": None,
        "forks_per_s": None,
        "frequency": None,
        "throttles": None,
    }


def _memory(before: Any, after: Any, seconds: float) -> dict[str, Any]:
    import psutil

    now = psutil.virtual_memory()
    return {
        "total_bytes": now.total,
        "available_bytes": now.available,
        "available_percent": percent(now.available, now.total),
        "available_estimated": False,
        "free_bytes": now.free,
        "cache_bytes": max(0, now.available - now.free),
        "shared_bytes": None,
        "dirty_bytes": None,
        "committed_bytes": None,
        "commit_limit_bytes": None,
        "swap": {
            "total_bytes": after.total,
            "used_bytes": after.used,
            "used_percent": percent(after.used, after.total) if after.total else None,
            "in_bytes_per_s": rate(before.sin, after.sin, seconds),
            "out_bytes_per_s": rate(before.sout, after.sout, seconds),
        },
        "oom_kills": None,
        "effective": "machine",
        "effective_limit_bytes": now.total,
        "effective_available_bytes": now.available,
    }


def _disks(paths: Sequence[str], limits: Mapping[str, float]) -> tuple[list[dict[str, Any]], list[Finding]]:
    import psutil

    chosen: list[tuple[str, str, str, bool]] = [
        (one.mountpoint, one.device, one.fstype, "ro" in one.opts.split(",")) for one in psutil.disk_partitions()
    ]
    if paths:
        chosen = [(path, path, "", False) for path in paths]
    measured, found = [], []
    for path, source, kind, read_only in chosen[: disks.MOST]:
        try:
            usage = psutil.disk_usage(path)
        except OSError as error:
            found.append(
                unavailable("disk.space", short(path), (error.strerror or "it can't be read").lower(), "access")
            )
            continue
        disk = {
            "path": short(path),
            "source": short(source),
            "type": short(kind, 100),
            "also_at": 0,
            "read_only": read_only,
            "judged": not read_only,
            "total_bytes": usage.total,
            "used_bytes": usage.used,
            "free_bytes": usage.free,
            "used_percent": percent(usage.used, usage.used + usage.free),
            "inodes_total": None,
            "inodes_used": None,
            "inodes_used_percent": None,
            "errors": None,
        }
        measured.append(disk)
        if not read_only:
            options = frozenset(("rw",))
            found += disks.judged(disk, Entry("", "/", path, options, kind, source, options), None, limits)
    return measured, found


def _links(before: Mapping[str, Any], after: Mapping[str, Any], seconds: float) -> list[dict[str, Any]]:
    given = []
    for name, b in sorted(after.items()):
        a = before.get(name)
        if a is None:
            continue
        given.append(
            {
                "name": name,
                "up": None,
                "carrier": None,
                "physical": None,
                "speed_mbit": None,
                "rx_bytes_per_s": rate(a.bytes_recv, b.bytes_recv, seconds, 0),
                "tx_bytes_per_s": rate(a.bytes_sent, b.bytes_sent, seconds, 0),
                "rx_packets_per_s": rate(a.packets_recv, b.packets_recv, seconds),
                "tx_packets_per_s": rate(a.packets_sent, b.packets_sent, seconds),
                "errors_per_s": rate(a.errin + a.errout, b.errin + b.errout, seconds),
                "drops_per_s": rate(a.dropin + a.dropout, b.dropin + b.dropout, seconds),
                "rx_bytes": b.bytes_recv,
                "tx_bytes": b.bytes_sent,
                "rx_packets": b.packets_recv,
                "tx_packets": b.packets_sent,
                "rx_errors": b.errin,
                "tx_errors": b.errout,
                "rx_drops": b.dropin,
                "tx_drops": b.dropout,
            }
        )
    return given


def _processes(
    before: Mapping[int, Any], after: Mapping[int, Any], seconds: float, options: Mapping[str, Any]
) -> dict[str, Any]:
    import psutil

    booted = psutil.boot_time()
    shown: list[dict[str, Any]] = []
    for pid, one in after.items():
        old, times = before.get(pid), one["cpu_times"]
        share = None
        if old is not None and times is not None and old["cpu_times"] is not None and seconds > 0:
            used = sum(times[:2]) - sum(old["cpu_times"][:2])
            share = round(100 * max(0.0, used) / seconds, 1) if old["create_time"] == one["create_time"] else None
        shown.append(
            {
                "pid": pid,
                "name": short(one["name"] or "?", 64),
                "program": None,
                "script": None,
                "arguments": None,
                "uid": None,
                "state": {"running": "R", "sleeping": "S", "zombie": "Z", "stopped": "T"}.get(one["status"], "S"),
                "started_s": round(max(0.0, (one["create_time"] or 0.0) - booted), 2),
                "cpu_percent": share,
                "rss_bytes": one["memory_info"].rss if one["memory_info"] is not None else 0,
                "threads": one["num_threads"] or 0,
                "open_files": None,
                "open_files_limit": None,
            }
        )
    top = options["top"]
    states: dict[str, int] = {}
    for one in shown:
        states[one["state"]] = states.get(one["state"], 0) + 1
    return {
        "count": len(shown),
        "threads": sum(one["threads"] for one in shown),
        "started": len(after.keys() - before.keys()),
        "ended": len(before.keys() - after.keys()),
        "states": states,
        "unreadable": len(shown),
        "cpu_percent": round(sum(one["cpu_percent"] or 0.0 for one in shown), 1),
        "unseen_cpu_percent": None,
        "top_cpu": sorted((o for o in shown if o["cpu_percent"]), key=lambda o: -o["cpu_percent"])[:top],
        "top_memory": sorted(shown, key=lambda o: -o["rss_bytes"])[:top],
        "top_open_files": [],
        "zombies": [],
        "uninterruptible": [],
        "watched": [_watched(pattern, shown) for pattern in options.get("processes") or []],
    }


def _watched(pattern: str, shown: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    stems = (pattern, pattern + ".exe")
    ours = [one for one in shown if any(fnmatchcase(one["name"], stem) for stem in stems)]
    return {
        "pattern": pattern,
        "count": len(ours),
        "pids": [one["pid"] for one in ours[:100]],
        "starts_s": [one["started_s"] for one in ours[:100]],
        "cpu_percent": round(sum(one["cpu_percent"] or 0.0 for one in ours), 1) if ours else None,
        "rss_bytes": sum(one["rss_bytes"] for one in ours),
        "threads": sum(one["threads"] for one in ours),
        "open_files": None,
        "listeners": None,
    }
