"""Keeps compiled plans by content, so that an unchanged file is not read, validated and compiled again.

A kept plan is data, never code. It is found by the digest of the pipeline file's bytes and of everything that is known
before it is read. The files that it includes are read again, and compared by digest; everything else that the
compilation depended on (pipe.yml, the sources of the packages, the directories in which plugins are installed) is kept
as `(path, mtime_ns, size)` and looked at again.
Whatever is wrong with a kept plan makes it a miss, never an error.
"""

from __future__ import annotations

import gc
import json
import os
import stat
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

try:  # the part of hashlib that needs no OpenSSL: loading that costs as much as reading a plan
    from _blake2 import blake2b
except ImportError:
    from hashlib import blake2b

from pipe_runner import __version__
from pipe_runner.plan import Plan
from pipe_runner.plandata import plan_from_json, plan_to_json

FORMAT: Final = 6
KEPT: Final = 64
"""Plans that are kept at most; the oldest go first."""


_MOST_READ: Final = 64 * 2**20
_OURS: Final = ("pipe_runner", "pipe_schemas", "pipe_agents")


class KeptPlan(NamedTuple):
    """A plan from the cache, and where its agents are found (`name → module:attribute`)."""

    plan: Plan
    targets: Mapping[str, str]


def load_plan(path: str, content: bytes, root: str, state_dir: str) -> KeptPlan | None:
    """The kept plan of this file with this content, or None. `path` is the file as the plan shows it."""
    try:
        raw = _content(os.path.join(_home(state_dir), _key(path, content, root)))
        if raw is None:
            return None
        paused = gc.isenabled()
        gc.disable()
        try:
            data = json.loads(raw)
            if data["format"] != FORMAT or any(_state(seen[0]) != seen for seen in data["watched"]):
                return None
            if not all(_is_as_it_was(*file) for file in data.get("files", ())):
                return None
            return KeptPlan(plan_from_json(data["plan"]), data["targets"])
        finally:
            if paused:
                gc.enable()
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def store_plan(
    path: str,
    content: bytes,
    root: str,
    state_dir: str,
    plan: Plan,
    targets: Mapping[str, str],
    watched: Iterable[str],
    files: Sequence[tuple[str, str, str]] = (),
) -> None:
    """Keep a plan; does nothing where the state directory can't be written, or the file isn't what was compiled.

    `files` are the others that the pipeline is made of, as `Compilation` has them.
    """
    from pipe_runner.loader.neighbours import digest_of

    if plan.digest != digest_of(content, files):
        return
    home = _home(state_dir)
    name = _key(path, content, root)
    data: dict[str, Any] = {
        "format": FORMAT,
        "watched": [_state(seen) for seen in sorted({*watched, *_installed()})],
        "targets": dict(targets),
        "files": [list(file) for file in files],
        "plan": plan_to_json(plan),
    }
    part = os.path.join(home, f".{name}.{os.getpid()}")
    try:
        text = json.dumps(data, separators=(",", ":"), allow_nan=False)
        os.makedirs(home, exist_ok=True)
        with open(part, "x", encoding="ascii") as file:
            file.write(text)
        os.replace(part, os.path.join(home, name))
        _prune(home)
    except (OSError, ValueError, RecursionError):
        if os.path.lexists(part):
            os.unlink(part)


def _home(state_dir: str) -> str:
    return os.path.join(state_dir, "cache", "plans")


def _key(path: str, content: bytes, root: str) -> str:
    digest = blake2b(digest_size=20)
    for part in (__version__, sys.version, sys.prefix, root, path):
        digest.update(part.encode("utf-8", "surrogatepass") + b"\0")
    digest.update(content)
    return digest.hexdigest()


def _installed() -> Iterable[str]:
    """The directories in which packages, and with them plugins, come and go; and the sources of our own."""
    for entry in sys.path:
        if os.path.isdir(entry):
            yield os.path.abspath(entry)
    for package in _OURS:
        module = sys.modules.get(package)
        for home in getattr(module, "__path__", ()):
            for directory, below, files in os.walk(home):
                below[:] = [name for name in below if name != "__pycache__"]
                yield from (os.path.join(directory, name) for name in files if name.endswith(".py"))


def _state(path: str) -> list[Any]:
    """Path, time of change (ns) and size; a path that isn't there has neither."""
    try:
        found = os.stat(path)
    except OSError:
        return [path, None, None]
    return [path, found.st_mtime_ns, found.st_size]


def _is_as_it_was(path: str, real: str, digest: str) -> bool:
    """Whether a file has the content that was compiled, and the path still leads to it."""
    if os.path.realpath(path) != real:
        return False
    content = _content(real)
    return content is not None and blake2b(content, digest_size=20).hexdigest() == digest


def _content(path: str) -> bytes | None:
    """Of a regular file that is not too large; nothing else is waited for. Raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0))
    with open(fd, "rb") as file:
        found = os.fstat(fd)
        return file.read() if stat.S_ISREG(found.st_mode) and found.st_size <= _MOST_READ else None


def _prune(home: str) -> None:
    names = os.listdir(home)
    if len(names) <= KEPT:
        return
    paths = sorted((os.path.join(home, name) for name in names), key=lambda path: os.stat(path).st_mtime_ns)
    for path in paths[: len(paths) - KEPT]:
        os.unlink(path)
