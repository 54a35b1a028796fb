"""Processes as `ps` shows them, with their environments: where there is no /proc, as on macOS.

Arguments and variables stand in one text with blanks between them, so that neither is told from the other. A process
of another user shows no environment, nor does, on macOS, a program of Apple's own.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Collection
from typing import Final, NamedTuple

from pipe_runner.executors.family import is_companion

PS: Final = "ps"
_TIME: Final = 10.0


class Listed(NamedTuple):
    """One process; `text` has its command, arguments and environment, with a blank at either end."""

    pid: int
    parent: int
    text: bytes

    def shows(self, entries: Collection[bytes]) -> bool:
        """Whether all of these `NAME=value` are there, whatever is in the values; companions, which end by themselves,
        and are told them as arguments, don't count."""
        return not is_companion(self.text) and all(b" %b " % entry in self.text for entry in entries)

    def value(self, name: str) -> bytes:
        """What a variable holds whose value has no blank; empty when it isn't there."""
        found = re.search(b" %b=([^ ]*)" % name.encode(), self.text)
        return b"" if found is None else found[1]


def listed() -> list[Listed]:
    """All processes; none where `ps` can't be had."""
    command = [PS, "-axEww", "-o", "pid=,ppid=,command="]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=_TIME)
    except (OSError, subprocess.TimeoutExpired):
        return []
    found = []
    for line in done.stdout.splitlines():
        words = line.split(None, 2)
        if len(words) == 3 and words[0].isdigit() and words[1].isdigit():
            found.append(Listed(int(words[0]), int(words[1]), b" %b " % words[2]))
    return found


def ancestors(pid: int, processes: Collection[Listed]) -> set[int]:
    """The process and all above it."""
    parents = {each.pid: each.parent for each in processes}
    found: set[int] = set()
    while pid > 0 and pid not in found:
        found.add(pid)
        pid = parents.get(pid, 0)
    return found
