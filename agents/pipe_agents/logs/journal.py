"""The journal of systemd, through its own tool: asked by the launcher, kept in a file, and read as lines of syslog."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from pipe_agents.logs.reading import PIECE
from pipe_agents.logs.times import iso
from pipe_agents.logs.words import shown
from pipe_runner.ports import Attempt, Command, Context

FIELDS: Final = "MESSAGE,PRIORITY,SYSLOG_IDENTIFIER,CONTAINER_NAME,_COMM,_PID,_HOSTNAME"
SCRIPT: Final = 'journalctl "$@" | head -c "$PIPE_LOGS_MOST" > "$PIPE_LOGS_FILE"'
LONGEST_ENTRY: Final = 8 << 20
DEFAULT_SINCE: Final = 86400.0


class Journal(NamedTuple):
    """What was asked of the journal, and where it is now; or why it can't be read."""

    path: str | None
    why: str | None = None
    needs: str | None = None
    note: str | None = None
    """What journalctl said beside its entries: that not everything is shown to this user, or can be read."""
    size: int = 0
    cut: bool = False
    """Whether there is more of it, before what was read."""


async def asked(
    attempt: Attempt,
    context: Context,
    given: Any,
    since: float | None,
    until: float | None,
    now: float,
    most: int,
    seconds: float | None = None,
) -> Journal:
    """Have journalctl write what is wanted to a file of this attempt, for so long at most."""
    if shutil.which("journalctl") is None or shutil.which("head") is None:
        return Journal(None, "there is no journalctl on this machine", "systemd; or name files with `paths`")
    options: Mapping[str, Any] = given if isinstance(given, Mapping) else {}
    path = os.path.join(context.scratch, f"journal-{attempt.number}.json")
    begin = since if since is not None else now - DEFAULT_SINCE
    argv = ["--no-pager", "--reverse", "--output=json", f"--output-fields={FIELDS}", f"--since=@{int(begin)}"]
    if until is not None:
        argv.append(f"--until=@{int(until) + 1}")
    argv += [f"--unit={unit}" for unit in options.get("units", [])]
    env = {
        "PATH": os.environ.get("PATH", os.defpath),
        "LC_ALL": "C",
        "PIPE_LOGS_MOST": str(most),
        "PIPE_LOGS_FILE": path,
    }
    command = Command(("/bin/sh", "-c", SCRIPT, "sh", *argv), env, attempt.root)
    try:
        async with asyncio.timeout(seconds):
            end = await context.launcher.run(command, attempt, lambda kind, data: None, context.masker)
    except TimeoutError:
        why = f"journalctl had not ended within {seconds:.1f} s"
        return Journal(path, why, "a longer `timeout` of the node, or a later `since`")
    said = shown(end.stderr_tail.strip(), 300)
    if end.not_found or end.unavailable or end.lost or end.stopped:
        return Journal(path, end.not_found or end.unavailable or "journalctl was ended", "a machine that can start it")
    try:
        size = os.stat(path).st_size
    except OSError:
        size = 0
    if not size:
        why = f"journalctl says: {said}" if said else f"it has no entries since {iso(begin)} that this user may see"
        return Journal(path, why, "a journal with entries; the group systemd-journal or adm, or root")
    if "not seeing messages" in said:
        return Journal(path, None, "the group systemd-journal or adm, or root", said, size, size >= most)
    note = f"journalctl says: {said}" if said else None
    return Journal(path, None, "a journal that can be read whole", note, size, size >= most)


def lines_of(path: str, most: int | None = None) -> Iterator[bytes]:
    """The journal's entries as lines `<6>2026-11-28T17:52:40.123456Z host tag[1]: message`, in pieces.

    The newest stand first in the file, so that it is the oldest that are missing where it is full.
    """
    for piece in backwards(path, most=most):
        made = [line for raw in piece if (line := line_of(raw)) is not None]
        if made:
            yield b"\n".join(made)


def backwards(path: str, block: int = PIECE, most: int | None = None) -> Iterator[list[bytes]]:
    """The lines of the file, or of its first `most` bytes, the last one first; no empty ones, and no endless ones."""
    with open(path, "rb") as file:
        place, rest, too_long = file.seek(0, os.SEEK_END), b"", False
        place = place if most is None else min(place, most)
        while place > 0:
            size = min(block, place)
            place -= size
            file.seek(place)
            first, newline, after = file.read(size).partition(b"\n")
            if not newline and len(rest) < LONGEST_ENTRY:
                rest = first + rest
                continue
            if not newline:
                too_long = True
                continue
            lines = (after + (b"" if too_long else rest)).split(b"\n")
            if too_long:
                lines.pop()
            rest, too_long = first, False
            yield [line for line in reversed(lines) if line]
        if rest and not too_long:
            yield [rest]


def line_of(raw: bytes) -> bytes | None:
    """One entry; lines of its message after the first are indented. None for what is no entry, as a cut last line."""
    try:
        entry = json.loads(raw)
        micros = int(entry["__REALTIME_TIMESTAMP"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    message = entry.get("MESSAGE")
    if isinstance(message, list):
        message = bytes(one for one in message if isinstance(one, int) and 0 <= one < 256).decode("utf-8", "replace")
    text = str(message if message is not None else "").replace("\r", "").replace("\n", "\n\t")
    tag = _word(entry.get("SYSLOG_IDENTIFIER") or entry.get("_COMM") or "-")
    pid = entry.get("_PID")
    number = f"[{pid}]" if isinstance(pid, str) and pid.isdigit() else ""
    level = entry.get("PRIORITY")
    priority = level if isinstance(level, str) and level in "01234567" and len(level) == 1 else "6"
    said = f"<{priority}>"
    if priority == "3" and "CONTAINER_NAME" in entry:  # what Docker gives to all that a container prints on stderr
        said = ""
    try:
        at = (iso(micros // 1_000_000) or "")[:-1]
    except (ValueError, OverflowError, OSError):
        return None
    host = _word(entry.get("_HOSTNAME") or "-")
    return f"{said}{at}.{micros % 1_000_000:06}Z {host} {tag}{number}: {text}".encode("utf-8", "replace")


def _word(text: Any) -> str:
    kept = "".join(char for char in str(text)[:60] if char not in ":[] \t\n\r" and char.isprintable())
    return kept or "-"
