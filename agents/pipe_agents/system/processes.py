"""Processes, read from /proc at the start and at the end of the window."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, NamedTuple, TypeAlias

from pipe_agents.findings import Finding, finding, unavailable
from pipe_agents.system.trees import Tree, raw, short, size, text

MOST: Final = 100_000
LISTED: Final = 100
KERNEL_THREAD: Final = 0x00200000
FILES_COUNTED: Final = 1_000_000
"""Open files of one process that are counted one by one, where the kernel doesn't tell how many there are."""


class Stat(NamedTuple):
    """One line of /proc/PID/stat."""

    pid: int
    name: str
    state: str
    parent: int
    flags: int
    ticks: int
    """CPU time, of the user and of the kernel for it."""
    threads: int
    start: int
    """Ticks since the machine started; with the pid it names a process."""
    pages: int

    @property
    def key(self) -> tuple[int, int]:
        return (self.pid, self.start)

    @property
    def kernel(self) -> bool:
        return bool(self.flags & KERNEL_THREAD)


Snapshot: TypeAlias = dict[int, Stat]


def stat(content: str) -> Stat | None:
    """A name may hold anything, `)` and newlines too: it ends at the last `)`."""
    first, last = content.find("("), content.rfind(")")
    fields = content[last + 1 :].split()
    if first < 0 or last < first or len(fields) < 22:
        return None
    try:
        return Stat(
            int(content[:first]),
            short(content[first + 1 : last], 64),
            fields[0],
            int(fields[1]),
            int(fields[6]),
            int(fields[11]) + int(fields[12]),
            int(fields[17]),
            int(fields[19]),
            max(0, int(fields[21])),
        )
    except ValueError:
        return None


def read(tree: Tree) -> Snapshot | None:
    """All that are listed; one that ends meanwhile is left out. None where none is: this one always is."""
    found: Snapshot = {}
    with suppress(OSError):
        for name in os.listdir(tree.proc):
            if name.isascii() and name.isdigit() and len(found) < MOST:
                one = stat(text(f"{tree.proc}/{name}/stat", 8192) or "")
                if one is not None:
                    found[one.pid] = one
    return found or None


def open_files(tree: Tree, pid: int) -> int | None:
    """How many; None where this user may not know. Since Linux 6.2 the size of the folder says it."""
    folder = f"{tree.proc}/{pid}/fd"
    try:
        if tree.here and not os.access(folder, os.R_OK):
            return None
        counted = os.stat(folder).st_size if tree.here else 0
        if counted:
            return counted
        with os.scandir(folder) as entries:
            return sum(1 for _, _ in zip(range(FILES_COUNTED), entries, strict=False))
    except OSError:
        return None


def open_files_limit(tree: Tree, pid: int) -> int | None:
    """The soft limit."""
    for line in (text(f"{tree.proc}/{pid}/limits", 8192) or "").splitlines():
        if line.startswith("Max open files"):
            value = line[len("Max open files") :].split()
            return int(value[0]) if value and value[0].isdigit() else None
    return None


class Now(NamedTuple):
    """What two snapshots say together."""

    tree: Tree
    before: Snapshot
    after: Snapshot
    ticks: int
    """In a second."""
    page: int
    seconds: float
    began: int
    """Ticks since the machine's start at which the window began."""
    cores: int
    files: Mapping[int, int | None]
    arguments: bool
    titles: dict[int, dict[str, Any]]
    """What `title` has told of a process."""
    heard: dict[str, dict[str, str]]
    """Addresses that are listened on by the inode of the socket, of each network."""

    def title(self, pid: int) -> dict[str, Any]:
        if pid not in self.titles:
            from pipe_agents.system.titles import title

            self.titles[pid] = title(self.tree, pid, arguments=self.arguments)
        return self.titles[pid]

    def cpu(self, one: Stat) -> float | None:
        """Percent of one core. One that began in the window used all of its time in it."""
        old = self.before.get(one.pid)
        if self.seconds <= 0:
            return None
        if old is not None and old.start == one.start:
            used = one.ticks - old.ticks
        elif one.start >= self.began:
            used = one.ticks
        else:
            return None
        share = 100.0 * max(0, used) / self.ticks / self.seconds
        return round(min(share, 100.0 * self.cores * 1.1), 1)

    def shown(self, one: Stat) -> dict[str, Any]:
        uid = None
        with suppress(OSError):
            uid = os.stat(f"{self.tree.proc}/{one.pid}").st_uid
        return {
            "pid": one.pid,
            "name": one.name,
            **self.title(one.pid),
            "uid": uid,
            "state": one.state,
            "started_s": round(one.start / self.ticks, 2),
            "cpu_percent": self.cpu(one),
            "rss_bytes": one.pages * self.page,
            "threads": one.threads,
            "open_files": self.files[one.pid] if one.pid in self.files else open_files(self.tree, one.pid),
            "open_files_limit": open_files_limit(self.tree, one.pid),
        }


def now(
    tree: Tree,
    before: Snapshot,
    after: Snapshot,
    seconds: float,
    *,
    cores: int,
    arguments: bool,
    uptime: float | None,
    count_files: bool,
) -> Now:
    ticks, page = 100, 4096
    if tree.here:
        ticks, page = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
    alive = [one.pid for one in after.values() if not one.kernel and one.state not in "ZX"] if count_files else []
    files = {pid: open_files(tree, pid) for pid in alive}
    began = int(((uptime or 0) - seconds) * ticks)
    return Now(tree, before, after, ticks, page, seconds, began, cores, files, arguments, {}, {})


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
        "unseen_cpu_percent": round(max(0.0, 100.0 * busy_cores - total), 1) if busy_cores is not None else None,
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


def command(tree: Tree, pid: int, most: int = 65536) -> list[str]:
    """The arguments; empty where they can't be read. A process may write anything there."""
    try:
        content = raw(f"{tree.proc}/{pid}/cmdline", most)
    except OSError:
        return []
    return [part.decode("utf-8", "replace") for part in content.rstrip(b"\0").split(b"\0")] if content else []


def most(this: Now, by: str) -> list[str]:
    """The three that use most `cpu` or `memory`, as people read it: `nginx (712): 85 %`."""
    if by == "cpu":
        shares = sorted(
            ((share, one) for one in this.after.values() if (share := this.cpu(one))), key=lambda pair: -pair[0]
        )
        return [f"{one.name} ({one.pid}): {share:.0f} % of a core" for share, one in shares[:3]]
    held = sorted((one for one in this.after.values() if one.pages), key=lambda one: -one.pages)
    return [f"{one.name} ({one.pid}): {size(one.pages * this.page)}" for one in held[:3]]
