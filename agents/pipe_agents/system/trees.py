"""The places that the kernel tells of itself at, and small readers of what stands there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from os import listdir
from typing import Final, NamedTuple

MOST: Final = 4 * 2**20
"""Bytes that are read of one file."""


class Tree(NamedTuple):
    """Where /proc, /sys and /etc of a machine stand; recorded ones stand elsewhere."""

    proc: str = "/proc"
    sys: str = "/sys"
    etc: str = "/etc"
    dev: str = "/"
    """What paths of mounts are below."""

    @property
    def here(self) -> bool:
        """It is this machine, so calls of the system tell of it, too."""
        return self.proc == "/proc"

    def under(self, path: str) -> str:
        """A path below /sys or /proc, as the machine names it, where it stands."""
        for name, place in (("/sys", self.sys), ("/proc", self.proc)):
            if path == name or path.startswith(name + "/"):
                return place + path[len(name) :]
        return path


def raw(path: str, most: int = MOST) -> bytes:
    """What a file holds, up to `most` bytes; raises OSError."""
    with open(path, "rb") as file:
        return file.read(most)


def text(path: str, most: int = MOST) -> str | None:
    """What a file holds; None where it can't be read."""
    try:
        return raw(path, most).decode("utf-8", "replace")
    except OSError:
        return None


def number(path: str) -> int | None:
    """The whole number that a file holds; None where there is none."""
    return whole(text(path, 200))


def whole(value: str | None) -> int | None:
    if value is None:
        return None
    with suppress(ValueError):
        return int(value.strip())
    return None


def names(path: str) -> list[str]:
    """What is in a folder, in order; nothing where it can't be read."""
    try:
        return sorted(listdir(path))
    except OSError:
        return []


def pairs(content: str | None) -> dict[str, int]:
    """`name 12` lines, as of cpu.stat; others are left out."""
    found = {}
    for name, value in words(content):
        with suppress(ValueError):
            found[name] = int(value)
    return found


def words(content: str | None) -> Iterator[tuple[str, str]]:
    for line in (content or "").splitlines():
        name, _, value = line.partition(" ")
        if value:
            yield name, value.strip()


def short(value: str, most: int = 500) -> str:
    """A text of bounded length, with a mark where it was cut."""
    return value if len(value) <= most else value[: most - 1] + "…"


def percent(part: float, whole_: float) -> float:
    """In percent, to a tenth; 0 of nothing."""
    return round(100.0 * part / whole_, 1) if whole_ > 0 else 0.0


def rate(before: int, after: int, seconds: float, digits: int = 1) -> float:
    """By second; a counter that was set back says nothing, which is 0."""
    return round(max(0, after - before) / seconds, digits) if seconds > 0 else 0.0


def size(count: float) -> str:
    """Bytes as people read them: `1.5 GiB`."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(count) < 1024:
            return f"{count:.0f} {unit}" if unit == "B" or abs(count) >= 100 else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"
