"""File systems: space, inodes, and whether they can be written to."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Generic, NamedTuple, TypeVar

from pipe_agents.findings import Finding, Severity, finding, unavailable
from pipe_agents.system import mounts
from pipe_agents.system.trees import Tree, number, percent, short, size, text

MOST: Final = 200
PATIENCE: Final = 3.0
"""Seconds that a file system has for an answer; one whose server is gone never gives any."""
SMALL: Final = 2 * 2**30
"""File systems below this, as /boot, are made to be nearly full."""


class Space(NamedTuple):
    """What statvfs says, in bytes."""

    total: int
    used: int
    free: int
    """For users."""
    inodes: int
    inodes_free: int
    device: str = ""
    """`8:1`, as the mount table has it."""


Ask = Callable[[str], Space]
T = TypeVar("T")


def ask(path: str) -> Space:
    """Raises OSError."""
    found = os.statvfs(path)
    unit = found.f_frsize or found.f_bsize
    device = os.stat(path).st_dev
    return Space(
        found.f_blocks * unit,
        (found.f_blocks - found.f_bfree) * unit,
        found.f_bavail * unit,
        found.f_files,
        found.f_ffree,
        f"{os.major(device)}:{os.minor(device)}",
    )


class _Answer(Generic[T]):
    """Asked in a thread of its own, since an answer may never come and nothing ends the wait."""

    def __init__(self, path: str, asked: Callable[[str], T]) -> None:
        self.given: T | None = None
        self.error: Exception | None = None
        self.done = threading.Event()
        threading.Thread(target=self._go, args=(path, asked), daemon=True).start()

    def _go(self, path: str, asked: Callable[[str], T]) -> None:
        try:
            self.given = asked(path)
        except Exception as error:
            self.error = error
        finally:
            self.done.set()


def answers(paths: Sequence[str], asked: Callable[[str], T], patience: float) -> list[T | OSError | None]:
    """All are asked at once, so that one that is silent costs the others nothing. None where there was no answer in
    time."""
    waiting = [_Answer(path, asked) for path in paths]
    until = time.monotonic() + patience
    for one in waiting:
        one.done.wait(max(0.0, until - time.monotonic()))
    given: list[T | OSError | None] = []
    for one in waiting:
        if one.error is not None and not isinstance(one.error, OSError):
            raise one.error
        given.append(one.error or one.given)
    return given


class Disks(NamedTuple):
    measured: list[dict[str, Any]]
    total: int
    findings: list[Finding]


def look(
    tree: Tree,
    paths: Sequence[str],
    limits: Mapping[str, float],
    asked: Ask = ask,
    patience: float = PATIENCE,
) -> Disks:
    """All file systems, or those that hold `paths`."""
    entries = mounts.read(tree)
    if entries is None:
        return Disks([], 0, [unavailable("disk", "machine", "the mount table can't be read", "/proc/self/mountinfo")])
    found: list[Finding] = []
    chosen = mounts.choose(entries)
    if paths:
        chosen = _named(entries, paths, found, tree, patience)
    wanted = mounts.wanted(text(f"{tree.etc}/fstab"))
    places = [_place(tree, one.entry) for one in chosen[:MOST]]
    asked_all = list(zip(chosen[:MOST], answers(places, asked, patience), strict=True))
    told = _told_by_others([(one, given) for one, given in asked_all if isinstance(given, Space)])
    measured = []
    for one, given in asked_all:
        entry = one.entry
        if _covered(entry, given):
            continue
        judge = one.judged and entry.path not in told
        space = given if isinstance(given, Space) else None
        if space is not None and space.total == 0:
            if paths:
                found.append(unavailable("disk.space", short(entry.path), f"a {entry.type} has none", "another path"))
            continue
        disk = _disk(one._replace(judged=judge), space, tree)
        measured.append(disk)
        if space is None:
            found += _silent(entry, given if isinstance(given, OSError) else None, patience)
        elif judge:
            found += judged(disk, entry, wanted.get(entry.path), limits)
    measured.sort(key=lambda disk: disk["path"])
    return Disks(measured, len(measured) + max(0, len(chosen) - MOST), found)


def _covered(entry: mounts.Entry, given: Space | OSError | None) -> bool:
    """Another one is mounted over a folder above it, so its path leads elsewhere, or nowhere."""
    if isinstance(given, Space):
        own_numbers = mounts.POOLED | mounts.LAYERS | mounts.REMOTE
        return bool(given.device) and entry.type not in own_numbers and given.device != entry.device
    return isinstance(given, FileNotFoundError | NotADirectoryError)


def _told_by_others(asked: Sequence[tuple[mounts.Chosen, Space]]) -> set[str]:
    """An overlay shows the space of another file system. Where that is mounted itself, it speaks; where a container
    sees only pieces of it (`/etc/hosts`), the overlay at `/` does."""
    told = set()
    for one, space in asked:
        if one.entry.type not in mounts.LAYERS:
            continue
        for other, its in asked:
            if other.entry.type not in mounts.LAYERS and (its.total, its.inodes) == (space.total, space.inodes):
                piece = one.entry.path == "/" and other.entry.root != "/"
                told.add(other.entry.path if piece else one.entry.path)
    return told


def _place(tree: Tree, entry: mounts.Entry) -> str:
    return entry.path if tree.dev == "/" else os.path.join(tree.dev, entry.path.lstrip("/"))


def _real(path: str) -> str:
    """Where a path leads; raises OSError."""
    os.stat(path)
    return os.path.realpath(path)


def _named(
    entries: list[mounts.Entry], paths: Sequence[str], found: list[Finding], tree: Tree, patience: float
) -> list[mounts.Chosen]:
    chosen: dict[str, mounts.Chosen] = {}
    resolved = answers(paths, _real, patience) if tree.here else list(paths)
    for path, real in zip(paths, resolved, strict=True):
        if isinstance(real, FileNotFoundError | NotADirectoryError):
            found.append(
                finding(
                    "disk.missing",
                    short(path),
                    "high",
                    f"{short(path)} is named in `paths`, and isn't there",
                    {"exists": False},
                    "Is it mounted? Is the path right?",
                )
            )
            continue
        # One that may not be entered, or whose server is gone, is looked up as it is written.
        entry = mounts.holding(entries, real if isinstance(real, str) else os.path.normpath(path))
        if entry is not None and entry.path not in chosen:
            chosen[entry.path] = mounts.Chosen(
                entry, sum(other.key == entry.key for other in entries) - 1, entry.type not in mounts.IMAGES
            )
    return list(chosen.values())


def _disk(one: mounts.Chosen, space: Space | None, tree: Tree) -> dict[str, Any]:
    entry = one.entry
    # Some that make inodes as needed tell more free ones than there are.
    inodes = space.inodes if space is not None and space.inodes > 0 and space.inodes_free <= space.inodes else None
    used = space.inodes - space.inodes_free if space is not None and inodes else None
    return {
        "path": short(entry.path),
        "source": short(entry.source),
        "type": short(entry.type, 100),
        "also_at": one.also_at,
        "read_only": entry.read_only,
        "judged": one.judged,
        "total_bytes": space.total if space else None,
        "used_bytes": space.used if space else None,
        "free_bytes": space.free if space else None,
        "used_percent": percent(space.used, space.used + space.free) if space else None,
        "inodes_total": inodes,
        "inodes_used": used,
        "inodes_used_percent": percent(used, inodes) if used is not None and inodes else None,
        "errors": _errors(entry, tree),
    }


def _errors(entry: mounts.Entry, tree: Tree) -> int | None:
    if entry.type != "ext4" or not entry.source.startswith("/dev/"):
        return None
    link = f"{tree.sys}/dev/block/{entry.device}"
    names = {os.path.basename(os.path.realpath(link)), os.path.basename(entry.source)}
    for name in sorted(names - {"", ".", ".."}):
        count = number(f"{tree.sys}/fs/ext4/{name}/errors_count")
        if count is not None:
            return count
    return None


def _silent(entry: mounts.Entry, error: OSError | None, patience: float) -> list[Finding]:
    path = short(entry.path)
    if error is None:
        return [
            finding(
                "disk.silent",
                path,
                "high",
                f"{path} ({entry.type} of {short(entry.source, 100)}) gave no answer in {patience:g} s",
                {"waited_s": patience},
                "Programs that touch it hang. Is its server, or its disk, there?",
            )
        ]
    if error.errno in (errno.EIO, errno.ESTALE, errno.ENOTCONN, errno.EHOSTDOWN, errno.ENODEV):
        return [
            finding(
                "disk.broken",
                path,
                "high",
                f"{path} ({entry.type}) can't be read: {os.strerror(error.errno)}",
                {"errno": errno.errorcode[error.errno]},
                "Look at the kernel's log, and at the device or server behind it.",
            )
        ]
    why = error.strerror or "it can't be read"
    return [unavailable("disk.space", path, why.lower(), "a user who may enter the folders above it")]


def judged(
    disk: Mapping[str, Any], entry: mounts.Entry, writable: bool | None, limits: Mapping[str, float]
) -> list[Finding]:
    """`writable`: what /etc/fstab wants, where it says something."""
    path = disk["path"]
    found = []
    if disk["errors"]:
        found.append(
            finding(
                "disk.errors",
                path,
                "medium",
                f"ext4 has noted {disk['errors']} errors in {path} since it was last checked",
                {"errors": disk["errors"]},
                "Look at the kernel's log and the disk's health, and check it with e2fsck when it isn't mounted.",
            )
        )
    # An overlay of read-only layers alone is read-only by itself.
    forced = entry.forced and entry.type not in mounts.LAYERS
    if forced or (entry.read_only and writable):
        by = "the kernel has set it read-only, as it does after errors" if forced else "/etc/fstab wants it writable"
        found.append(
            finding(
                "disk.readonly",
                path,
                "critical" if forced else "high",
                f"{path} ({disk['type']} on {disk['source']}) can't be written to: {by}",
                {"mount_read_only": "ro" in entry.options, "file_system_read_only": "ro" in entry.super_options},
                "Look at the kernel's log for errors of the device before it is remounted.",
            )
        )
    if entry.read_only:
        return found
    full = _fullness(disk, limits)
    if full is not None:
        found.append(
            finding(
                "disk.full",
                path,
                full,
                f"{path} is {disk['used_percent']:.1f} % full: {size(disk['free_bytes'])} of "
                f"{size(disk['total_bytes'])} are free",
                {name: disk[name] for name in ("used_percent", "free_bytes", "used_bytes", "total_bytes")},
                "Find what is large: `du -x` on it, deleted files that are still open (`lsof +L1`), old logs.",
            )
        )
    share = disk["inodes_used_percent"]
    grown = disk["type"] == "xfs"  # it makes inodes of free space: with no space there are none, which is said above
    if share is not None and share >= limits["inodes_used_percent"] and not (grown and full):
        found.append(
            finding(
                "disk.inodes",
                path,
                "critical" if share >= 99 else "high" if share >= 95 else "medium",
                f"{path} has used {share:.1f} % of its inodes: {disk['inodes_total'] - disk['inodes_used']} are left",
                {name: disk[name] for name in ("inodes_used_percent", "inodes_used", "inodes_total")},
                "Many small files: caches, sessions, mail queues. New files fail although there is space.",
            )
        )
    return found


def _fullness(disk: Mapping[str, Any], limits: Mapping[str, float]) -> Severity | None:
    """By percent, and by what is left: 91 % of a disk with 2 TB left is no trouble."""
    used, free = disk["used_percent"], disk["free_bytes"]
    if free >= limits["disk_enough_bytes"] or used < limits["disk_used_percent"]:
        return None
    if used >= limits["disk_full_percent"]:
        return "low" if free >= limits["disk_enough_bytes"] / 5 else "high" if disk["type"] == "tmpfs" else "critical"
    high = used >= limits["disk_very_used_percent"]
    if free >= limits["disk_enough_bytes"] / 5 or (disk["total_bytes"] < SMALL and not high):
        return "low"
    return "medium" if disk["total_bytes"] < SMALL or not high else "high"
