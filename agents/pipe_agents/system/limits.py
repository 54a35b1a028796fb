"""Limits of the system and of processes, and how much of each is used."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from pipe_agents.findings import Finding, Severity, finding
from pipe_agents.system.snapshots import Now, open_files_limit
from pipe_agents.system.trees import Tree, number, percent, text

DESCRIPTORS: Final = 50_000
"""Descriptors that are looked at to find inotify's; beyond that they aren't counted."""
NEAR: Final = 50.0
"""Percent from which on a process's limit is listed."""
MOST: Final = 200


def _limit(name: str, subject: str, used: int | None, most: int | None) -> list[dict[str, Any]]:
    if used is None or most is None or most <= 0 or most >= 1 << 60:
        return []
    return [{"name": name, "subject": subject, "used": used, "limit": most, "used_percent": percent(used, most)}]


def measured(tree: Tree, this: Now | None, container: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    found = []
    files = (text(f"{tree.proc}/sys/fs/file-nr", 200) or "").split()
    if len(files) == 3 and all(part.isdigit() for part in files):
        found += _limit("open_files", "system", int(files[0]) - int(files[1]), int(files[2]))
    tasks = re.search(r"\d+/(\d+) \d+", text(f"{tree.proc}/loadavg", 200) or "")
    running = int(tasks[1]) if tasks else None
    found += _limit("threads", "system", running, number(f"{tree.proc}/sys/kernel/threads-max"))
    found += _limit("pids", "system", running, number(f"{tree.proc}/sys/kernel/pid_max"))
    if container is not None:
        found += _limit("pids", "container", container["pids"], container["pids_limit"])
    filters = f"{tree.proc}/sys/net/netfilter"
    found += _limit(
        "conntrack", "system", number(f"{filters}/nf_conntrack_count"), number(f"{filters}/nf_conntrack_max")
    )
    if this is not None:
        found += _of_processes(this)
        found += _inotify(this)
    return found[:MOST]


def _of_processes(this: Now) -> list[dict[str, Any]]:
    """Those that use half of what they may, the nearest first."""
    found = []
    for pid, count in this.files.items():
        if count is None or count < 32:
            continue
        most = open_files_limit(this.tree, pid)
        for one in _limit("open_files", f"{this.after[pid].name} ({pid})", count, most):
            if one["used_percent"] >= NEAR:
                found.append(one)
    return sorted(found, key=lambda one: (-one["used_percent"], one["subject"]))[:50]


def _inotify(this: Now) -> list[dict[str, Any]]:
    """Instances and watches by user, of the processes that can be read; the limits are each user's."""
    tree = this.tree
    place = f"{tree.proc}/sys/fs/inotify"
    most_instances, most_watches = number(f"{place}/max_user_instances"), number(f"{place}/max_user_watches")
    if sum(count or 0 for count in this.files.values()) > DESCRIPTORS or most_instances is None:
        return []
    instances: dict[int, int] = {}
    watches: dict[int, int] = {}
    for pid, count in this.files.items():
        if not count:
            continue
        with suppress(OSError):
            uid = os.stat(f"{tree.proc}/{pid}").st_uid
            for descriptor in os.listdir(f"{tree.proc}/{pid}/fd"):
                with suppress(OSError):
                    if os.readlink(f"{tree.proc}/{pid}/fd/{descriptor}") != "anon_inode:inotify":
                        continue
                    instances[uid] = instances.get(uid, 0) + 1
                    lines = text(f"{tree.proc}/{pid}/fdinfo/{descriptor}") or ""
                    watches[uid] = watches.get(uid, 0) + lines.count("inotify wd:")
    found = []
    for uid in sorted(instances):
        found += _limit("inotify_instances", f"uid {uid}", instances[uid], most_instances)
        found += _limit("inotify_watches", f"uid {uid}", watches.get(uid, 0), most_watches)
    return found


_HURTS: Final = {
    "open_files": "opening files and connections fails then",
    "threads": "no thread and no process can begin then",
    "pids": "no thread and no process can begin then",
    "conntrack": "new connections are dropped then",
    "inotify_instances": "programs can't watch files then",
    "inotify_watches": "programs can't watch files then",
}


def judged(found: Sequence[Mapping[str, Any]], limits: Mapping[str, float]) -> list[Finding]:
    given = []
    for one in found:
        share = one["used_percent"]
        if share < limits["limit_used_percent"]:
            continue
        whole = one["subject"] in ("system", "container")
        severity: Severity = "medium"
        if share >= 95:
            severity = "critical" if whole else "high"
        elif share >= 90 and whole:
            severity = "high"
        if one["name"].startswith("inotify"):
            severity = "medium" if share >= 95 else "low"
        given.append(
            finding(
                f"limits.{one['name']}",
                one["subject"],
                severity,
                f"{one['used']} of {one['limit']} {one['name'].replace('_', ' ')} are in use ({share:.1f} %) by "
                f"{one['subject']}: {_HURTS[one['name']]}",
                {name: one[name] for name in ("used", "limit", "used_percent")},
                "Find what holds so many, or raise the limit.",
            )
        )
    return given
