"""Processes, read from /proc at the start and at the end of the window."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final, NamedTuple, TypeAlias

from pipe_agents.system.trees import Tree, short, text

MOST: Final = 100_000
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


def lives(tree: Tree, pid: int) -> bool:
    """Whether it has not ended meanwhile."""
    one = stat(text(f"{tree.proc}/{pid}/stat", 8192) or "")
    return one is not None and one.state not in "ZX"


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
    counted = {pid: open_files(tree, pid) for pid in alive}
    files = {pid: count for pid, count in counted.items() if count is not None or lives(tree, pid)}
    began = int(((uptime or 0) - seconds) * ticks)
    return Now(tree, before, after, ticks, page, seconds, began, cores, files, arguments, {}, {})
