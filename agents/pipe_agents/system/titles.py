"""What is shown of a process's command line: arguments may hold secrets, so only program and script by default."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Any, Final

from pipe_agents.redacting import in_addresses
from pipe_agents.system.trees import Tree, raw, short

HIDDEN: Final = "***"
MOST: Final = 100
LONGEST: Final = 4000
"""Characters of all arguments of a process together."""
_INTERPRETER: Final = re.compile(
    r"(python|pypy|perl|ruby|node|nodejs|bun|php|lua|bash|dash|ash|zsh|ksh|sh|java|Rscript|tclsh)[\d.]*(-config)?\Z"
)
_SCRIPT: Final = re.compile(
    r"[\w@%+=:,./~-]{1,255}\.(py|pyz|pl|rb|js|mjs|cjs|ts|php|lua|sh|bash|jar|R|tcl)\Z", re.ASCII
)
_PATH: Final = re.compile(r"[\w+,./~-]{1,255}\Z", re.ASCII)
_MODULE: Final = re.compile(r"[A-Za-z_][\w.]{0,199}\Z", re.ASCII)
_SECRET_NAME: Final = (
    r"[\w.-]*(?:pass(?:word|wd|phrase)?|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|auth|credential|"
    r"cookie|session|bearer|signature|dsn|jwt)[\w.-]*"
)
_GIVEN: Final = re.compile(rf"(?i)(-{{0,2}}{_SECRET_NAME})([=:])(.+)", re.DOTALL)
_NEXT: Final = re.compile(rf"(?i)(?:--?{_SECRET_NAME}|-p|-u|-H|--header|--user)\Z")
_USER: Final = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*://)[^/@\s]+@")
_QUERY: Final = re.compile(rf"(?i)([?&;]{_SECRET_NAME}=)[^&\s;]+")
_STUCK: Final = re.compile(r"-p(?=\S*\D)\S{3,}\Z")
_RANDOM: Final = re.compile(r"[A-Za-z0-9+/_=-]{32,}")


def title(tree: Tree, pid: int, *, arguments: bool) -> dict[str, Any]:
    """`program`, `script` and, if they are wanted, `arguments`."""
    words = command(tree, pid)
    program = _file(tree, pid) or first(words)
    return {
        "program": program,
        "script": script(words),
        "arguments": masked(words[1:]) if arguments else None,
    }


def command(tree: Tree, pid: int, most: int = 65536) -> list[str]:
    """The arguments; empty where they can't be read. A process may write anything there."""
    try:
        content = raw(f"{tree.proc}/{pid}/cmdline", most)
    except OSError:
        return []
    return [part.decode("utf-8", "replace") for part in content.rstrip(b"\0").split(b"\0")] if content else []


def _file(tree: Tree, pid: int) -> str | None:
    try:
        found = os.readlink(f"{tree.proc}/{pid}/exe")
    except OSError:
        return None
    return short(found.encode("utf-8", "surrogateescape").decode("utf-8", "replace"))


def first(words: Sequence[str]) -> str | None:
    """A process may write a title over its command line: of that the first word."""
    parts = words[0].split() if words else []
    if not parts or not _PATH.match(parts[0].rstrip(":")):
        return None
    return parts[0].rstrip(":")


def script(words: Sequence[str]) -> str | None:
    """What an interpreter runs: a file, or a module of Python. None where it may be something else, as after `-c`."""
    if not words or _INTERPRETER.match(os.path.basename(words[0])) is None:
        return None
    module = os.path.basename(words[0]).startswith(("python", "pypy"))
    optional = False
    for i, word in enumerate(words[1:], 1):
        following = words[i + 1] if i + 1 < len(words) else ""
        if module and word == "-m":
            return f"-m {following}" if _MODULE.match(following) else None
        if word == "-jar":
            return following if _SCRIPT.match(following) else None
        if word in ("-c", "-e", "--eval", "-p", "--print", "-r", "--command"):
            return None
        if word.startswith("-"):
            optional = True
            continue
        if not optional:
            return word if _PATH.match(word) else None
        if _SCRIPT.match(word):  # behind options a word may be the value of one
            return word
    return None


def masked(words: Sequence[str]) -> list[str]:
    """Arguments without what looks like a secret: it is better to hide too much."""
    given: list[str] = []
    hide = False
    for word in words[:MOST]:
        if sum(map(len, given)) > LONGEST:
            break
        if hide and not word.startswith("-"):
            given.append(HIDDEN)
        else:
            given.append(short(_masked(word)))
        hide = _NEXT.match(word) is not None
    if len(words) > len(given):
        given.append(f"… {len(words) - len(given)} more")
    return given


def _masked(word: str) -> str:
    if _STUCK.match(word):
        return "-p" + HIDDEN
    named = _GIVEN.match(word)
    if named is not None:
        return f"{named[1]}{named[2]}{HIDDEN}"
    word = _QUERY.sub(rf"\1{HIDDEN}", _USER.sub(rf"\1{HIDDEN}@", in_addresses(word)))
    return word if "/" in word else _RANDOM.sub(HIDDEN, word)
