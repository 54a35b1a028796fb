"""Processes that are watched: are they there, how much they take, and where they listen."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Any, Final

from pipe_agents.system.trees import text

if TYPE_CHECKING:
    from pipe_agents.system.snapshots import Now, Stat

LISTED: Final = 100
LISTENERS: Final = 200
DESCRIPTORS: Final = 20_000
"""Of one process, whose sockets are looked for."""
_ADDRESS: Final = re.compile(r"([0-9A-F]{8}|[0-9A-F]{32}):[0-9A-F]{4}\Z", re.ASCII)
_SOCKET: Final = re.compile(r"socket:\[(\d+)\]\Z")


def watched(this: Now, pattern: str, shares: Mapping[int, float]) -> dict[str, Any]:
    """All that have this name, program or script."""
    ours = [one for one in this.after.values() if one.state not in "ZX" and fits(this, one, pattern)]
    ours.sort(key=lambda one: one.key)
    files = [this.files.get(one.pid) for one in ours]
    known = [count for count in files if count is not None]
    heard: set[str] = set()
    readable = True
    for one in ours[:LISTED]:
        found = listeners(this, one.pid)
        readable = readable and found is not None
        heard.update(found or ())
    return {
        "pattern": pattern,
        "count": len(ours),
        "pids": [one.pid for one in ours[:LISTED]],
        "starts_s": [round(one.start / this.ticks, 2) for one in ours[:LISTED]],
        "cpu_percent": round(sum(shares.get(one.pid, 0.0) for one in ours), 1) if ours else None,
        "rss_bytes": sum(one.pages for one in ours) * this.page,
        "threads": sum(one.threads for one in ours),
        "open_files": sum(known) if len(known) == len(files) else None,
        "listeners": sorted(heard)[:LISTENERS] if readable else None,
    }


def fits(this: Now, one: Stat, pattern: str) -> bool:
    """The kernel keeps 15 bytes of a name, so the program's file and an interpreter's script are asked, too."""
    if fnmatchcase(one.name, pattern):
        return True
    if one.kernel:
        return False
    about = this.title(one.pid)
    for value in (about["program"], about["script"]):
        if value and (fnmatchcase(os.path.basename(value), pattern) or fnmatchcase(value, pattern)):
            return True
    return False


def listeners(this: Now, pid: int) -> list[str] | None:
    """`tcp 0.0.0.0:80`, `udp [::]:53`; None where its descriptors can't be read."""
    own = set()
    folder = f"{this.tree.proc}/{pid}/fd"
    try:
        with os.scandir(folder) as entries:
            for _, entry in zip(range(DESCRIPTORS), entries, strict=False):
                try:
                    found = _SOCKET.match(os.readlink(entry.path))
                except OSError:
                    continue
                if found is not None:
                    own.add(found[1])
    except OSError:
        return None
    heard = _heard(this, pid) if own else {}
    return sorted(heard[inode] for inode in own if inode in heard)


def _heard(this: Now, pid: int) -> dict[str, str]:
    """All of the network that a process is in, which is read once."""
    try:
        network = os.readlink(f"{this.tree.proc}/{pid}/ns/net")
    except OSError:
        network = str(pid)
    if network not in this.heard:
        this.heard[network] = found = {}
        for kind, state in (("tcp", "0A"), ("tcp6", "0A"), ("udp", "07"), ("udp6", "07")):
            for line in (text(f"{this.tree.proc}/{pid}/net/{kind}") or "").splitlines()[1:]:
                fields = line.split()
                if len(fields) > 9 and fields[3] == state and _ADDRESS.match(fields[1]):
                    found[fields[9]] = f"{kind[:3]} {address(fields[1])}"
    return this.heard[network]


def address(field: str) -> str:
    """`0100007F:0050` is 127.0.0.1:80: words of four bytes, each backwards, as a little-endian machine writes them."""
    name, _, port = field.partition(":")
    data = bytes.fromhex(name)
    words = b"".join(data[i : i + 4][::-1] for i in range(0, len(data), 4))
    if len(words) == 4:
        return f"{IPv4Address(words)}:{int(port, 16)}"
    return f"[{IPv6Address(words)}]:{int(port, 16)}"
