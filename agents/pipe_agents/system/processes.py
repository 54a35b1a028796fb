"""Processes: what two snapshots of them say, and what of it is wrong."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from pipe_agents.findings import Finding, finding, unavailable
from pipe_agents.system.snapshots import Now, Snapshot, Stat
from pipe_agents.system.trees import Tree, short, size

LISTED: Final = 100


def measured(this: Now, top: int, patterns: Sequence[str], busy_cores: float | None) -> dict[str, Any]:
    """`busy_cores`: how many cores were busy, of /proc/stat."""
    from pipe_agents.system.watching import watched

    after, before = this.after, this.before
    shares = {pid: share for pid, one in after.items() if (share := this.cpu(one)) is not None}
    states: dict[str, int] = {}
    for one in after.values():
        states[one.state] = states.get(one.state, 0) + 1
    keys, old = {one.key for one in after.values()}, {one.key for one in before.values()}
    total = round(sum(shares.values()), 1)
    alive = [one for one in after.values() if one.state not in "ZX"]
    files = {pid: count for pid, count in this.files.items() if count is not None}

    def largest(by: Callable[[Stat], float], among: Iterable[Stat]) -> list[dict[str, Any]]:
        ranked = sorted((one for one in among if by(one) > 0), key=lambda one: (-by(one), one.pid))
        return [this.shown(one) for one in ranked[:top]]

    waiting = [
        one
        for one in alive
        if one.state == "D"
        and not one.kernel
        and (old_one := before.get(one.pid)) is not None
        and (old_one.state, old_one.start, old_one.ticks) == ("D", one.start, one.ticks)
    ]
    return {
        "count": len(after),
        "threads": sum(one.threads for one in after.values()),
        "started": len(keys - old),
        "ended": len(old - keys),
        "states": dict(sorted(states.items())),
        "unreadable": len(this.files) - len(files),
        "cpu_percent": total,
        "unseen_cpu_percent": unseen(this, busy_cores),
        "top_cpu": largest(lambda one: shares.get(one.pid, 0.0), alive),
        "top_memory": largest(lambda one: one.pages, alive),
        "top_open_files": largest(lambda one: files.get(one.pid, 0), alive),
        "zombies": [_zombie(one, after) for one in sorted(_zombies(this))[:LISTED]],
        "uninterruptible": [this.shown(one) for one in sorted(waiting)[:LISTED]],
        "watched": [watched(this, pattern, shares) for pattern in patterns],
    }


def _zombies(this: Now) -> list[Stat]:
    """Of now; one that is just being asked for is gone a moment later, so it must have been one before, too."""
    return [
        one
        for one in this.after.values()
        if one.state == "Z" and one.pid in this.before and this.before[one.pid].state == "Z"
    ]


def _zombie(one: Stat, after: Snapshot) -> dict[str, Any]:
    parent = after.get(one.parent)
    return {"pid": one.pid, "name": one.name, "parent": one.parent, "parent_name": parent.name if parent else None}


def judged(processes: Mapping[str, Any], limits: Mapping[str, float], this: Now) -> list[Finding]:
    found: list[Finding] = []
    zombies = len(_zombies(this))
    if zombies >= limits["zombies"]:
        parents: dict[str, int] = {}
        for one in processes["zombies"]:
            label = f"{one['parent_name'] or '?'} ({one['parent']})"
            parents[label] = parents.get(label, 0) + 1
        worst = sorted(parents.items(), key=lambda item: (-item[1], item[0]))[:5]
        found.append(
            finding(
                "processes.zombies",
                "machine",
                "low",
                f"{zombies} processes have ended and stay as zombies; {worst[0][0]} has {worst[0][1]} of them",
                {"zombies": zombies, "by_parent": dict(worst)},
                "Their parent doesn't wait for them: it is at fault, and they go when it ends.",
            )
        )
    waiting = processes["uninterruptible"]
    if len(waiting) >= limits["uninterruptible"] and this.seconds >= 0.5:
        found.append(
            finding(
                "processes.uninterruptible",
                "machine",
                "medium" if this.seconds >= 5 or len(waiting) >= 5 * limits["uninterruptible"] else "low",
                f"{len(waiting)} processes waited uninterruptibly all the window: {_called(waiting)}",
                {"processes": len(waiting), "window_s": round(this.seconds, 3)},
                "They wait for a device or a network file system: see the devices, and `disk.silent`.",
            )
        )
    for one in processes["watched"]:
        if one["count"] == 0:
            found.append(
                finding(
                    "processes.missing",
                    one["pattern"],
                    "high",
                    f"no process is called {one['pattern']}",
                    {"count": 0},
                    "It is named in `processes`: start it, or see why it ended.",
                )
            )
    if processes["unreadable"]:
        count, whole = processes["unreadable"], len(this.files)
        one = unavailable(
            "processes.open_files",
            "other users' processes",
            f"the open files of {count} of {whole} can't be read by this user",
            "root, or the capability CAP_SYS_PTRACE",
        )
        found.append({**one, "evidence": {"processes": count, "processes_counted": whole}})
    return found


def hidden(tree: Tree, options: Iterable[str]) -> list[Finding]:
    """/proc may hide processes of others from this user."""
    level = next((option.partition("=")[2] for option in options if option.startswith("hidepid=")), "0")
    if level in ("0", "off") or (tree.here and os.geteuid() == 0):
        return []
    return [
        unavailable(
            "processes.hidden",
            "other users' processes",
            f"/proc is mounted with hidepid={short(level, 20)}, which hides them",
            "root, or a user in the group that its option `gid=` names",
        )
    ]


def _called(some: Sequence[Mapping[str, Any]]) -> str:
    names = [f"{one['name']} ({one['pid']})" for one in some[:3]]
    return ", ".join(names) + (f" and {len(some) - 3} more" if len(some) > 3 else "")


def unseen(this: Now, busy_cores: float | None) -> float | None:
    """CPU time of none of the processes that are listed, 100 is one core; None where the whole is not known."""
    if busy_cores is None:
        return None
    seen = sum(share for one in this.after.values() if (share := this.cpu(one)) is not None)
    return round(max(0.0, 100.0 * busy_cores - seen), 1)


def most(this: Now, by: str) -> list[str]:
    """The three that use most `cpu` or `memory`, as people read it: `nginx (712): 85 %`."""
    if by == "cpu":
        shares = sorted(
            ((share, one) for one in this.after.values() if (share := this.cpu(one))), key=lambda pair: -pair[0]
        )
        return [f"{one.name} ({one.pid}): {share:.0f} % of a core" for share, one in shares[:3]]
    held = sorted((one for one in this.after.values() if one.pages), key=lambda one: -one.pages)
    return [f"{one.name} ({one.pid}): {size(one.pages * this.page)}" for one in held[:3]]
