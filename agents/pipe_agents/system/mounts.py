"""The mount table: which file systems there are, each once."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from pipe_agents.system.trees import Tree, text

# Not on any disk, and not memory that users fill.
NO_SPACE: Final = frozenset(
    {
        "autofs",
        "binder",
        "binfmt_misc",
        "bpf",
        "cgroup",
        "cgroup2",
        "configfs",
        "cpuset",
        "debugfs",
        "devpts",
        "devtmpfs",
        "efivarfs",
        "fuse.gvfsd-fuse",
        "fuse.lxcfs",
        "fuse.portal",
        "fusectl",
        "hugetlbfs",
        "mqueue",
        "nfsd",
        "none",
        "nsfs",
        "pipefs",
        "proc",
        "pstore",
        "ramfs",
        "resctrl",
        "rootfs",
        "rpc_pipefs",
        "securityfs",
        "selinuxfs",
        "smackfs",
        "sockfs",
        "squashfuse",
        "sysfs",
        "tracefs",
    }
)
IMAGES: Final = frozenset(
    {"cramfs", "erofs", "fuse.snapfuse", "fuse.squashfuse", "iso9660", "romfs", "squashfs", "udf"}
)
"""Made full."""
LAYERS: Final = frozenset({"aufs", "fuse.fuse-overlayfs", "overlay", "shiftfs"})
"""Show the space of another one."""
REMOTE: Final = frozenset(
    {
        "9p",
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "coda",
        "fuse.glusterfs",
        "fuse.rclone",
        "fuse.s3fs",
        "fuse.sshfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "ocfs2",
        "smb3",
        "smbfs",
        "virtiofs",
        "vboxsf",
    }
)
POOLED: Final = frozenset(("btrfs", "bcachefs"))
"""Each subvolume has a device number of its own, and all share their space."""


class Entry(NamedTuple):
    """One line of mountinfo."""

    device: str
    root: str
    path: str
    options: frozenset[str]
    type: str
    source: str
    super_options: frozenset[str]

    @property
    def read_only(self) -> bool:
        return "ro" in self.options or "ro" in self.super_options

    @property
    def forced(self) -> bool:
        """The kernel has made it read-only: the mount is to be written to, what it shows can't be."""
        return "ro" in self.super_options and "ro" not in self.options

    @property
    def key(self) -> tuple[str, str]:
        """The same for all that share their space."""
        return (self.type, self.source) if self.type in POOLED | REMOTE else ("", self.device)


class Chosen(NamedTuple):
    """One file system: where it is looked at, and how many other places show it."""

    entry: Entry
    also_at: int
    judged: bool


_ESCAPE: Final = re.compile(r"\\([0-3][0-7]{2})")


def plain(value: str) -> str:
    """A field without its octal escapes: `\\040` is a space."""
    if "\\" not in value:
        return value
    data = _ESCAPE.sub(lambda m: chr(int(m[1], 8)), value.encode("utf-8", "surrogateescape").decode("latin-1"))
    return data.encode("latin-1").decode("utf-8", "replace")


def parse(content: str) -> list[Entry]:
    """Entries in their order; lines that aren't any are left out."""
    found = []
    for line in content.split("\n"):
        mount, dash, rest = line.partition(" - ")
        fields, shown = mount.split(" "), rest.split(" ")
        if not dash or len(fields) < 6 or len(shown) < 3:
            continue
        found.append(
            Entry(
                fields[2],
                plain(fields[3]),
                plain(fields[4]),
                frozenset(fields[5].split(",")),
                plain(shown[0]),
                plain(shown[1]),
                frozenset(" ".join(shown[2:]).split(",")),
            )
        )
    return found


def read(tree: Tree) -> list[Entry] | None:
    content = text(f"{tree.proc}/self/mountinfo")
    return None if content is None else parse(content)


def visible(entries: Iterable[Entry]) -> list[Entry]:
    """Of mounts at one path the last one, which covers the others."""
    at: dict[str, Entry] = {}
    for entry in entries:
        at.pop(entry.path, None)
        at[entry.path] = entry
    return list(at.values())


def choose(entries: Iterable[Entry]) -> list[Chosen]:
    """Each file system that has space once: where its own root is, at the shortest path."""
    groups: dict[tuple[str, str], list[Entry]] = {}
    for entry in visible(entries):
        if entry.type not in NO_SPACE and not entry.path.startswith(("/sys/", "/proc/")):
            groups.setdefault(entry.key, []).append(entry)
    chosen = []
    for group in groups.values():
        best = min(group, key=lambda one: (one.root != "/", len(one.path), one.path))
        writable = next((one for one in group if not one.read_only), None)
        if best.read_only and writable is not None and not best.forced:
            best = best._replace(options=writable.options)
        chosen.append(Chosen(best, len(group) - 1, _judged(best)))
    return sorted(chosen, key=lambda one: one.entry.path)


def _judged(entry: Entry) -> bool:
    """An overlay counts at `/` alone: there it is what a container sees of its host's disk."""
    if entry.type in IMAGES:
        return False
    return entry.type not in LAYERS or entry.path == "/"


def holding(entries: list[Entry], path: str) -> Entry | None:
    """The mount that an absolute path is on: the longest one above it."""
    best = None
    for entry in visible(entries):
        above = entry.path if entry.path == "/" else entry.path + "/"
        if (path == entry.path or path.startswith(above)) and (best is None or len(entry.path) > len(best.path)):
            best = entry
    return best


def wanted(content: str | None) -> dict[str, bool]:
    """Of /etc/fstab: paths, and whether they are to be writable."""
    found = {}
    for line in (content or "").splitlines():
        fields = line.split("#", 1)[0].split()
        if len(fields) >= 4 and fields[1].startswith("/"):
            found[plain(fields[1])] = "ro" not in fields[3].split(",")
    return found
