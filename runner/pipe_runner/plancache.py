"""Keeps compiled plans by content, so that an unchanged file is not read, validated and compiled again.

A kept plan is data, never code. It is found by the digest of the pipeline file's bytes and of everything that is known
before it is read. The files that it includes are read again, and compared by digest; everything else that the
compilation depended on (pipe.yml, the sources of the packages, the directories in which plugins are installed) is kept
as `(path, mtime_ns, size)` and looked at again.
What pipe.yml says of services may hold credentials that were written out, so no value of it is kept, only where in
pipe.yml it stands.
Whatever is wrong with a kept plan makes it a miss, never an error.
"""

from __future__ import annotations

import gc
import json
import os
import stat
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

try:  # the part of hashlib that needs no OpenSSL: loading that costs as much as reading a plan
    from _blake2 import blake2b
except ImportError:
    from hashlib import blake2b

from pipe_runner import __version__, flags
from pipe_runner.plan import Plan
from pipe_runner.plandata import plan_from_json, plan_to_json
from pipe_runner.project import OF_EVERY_PROVIDER, PROJECT_FILE

FORMAT: Final = 7
KEPT: Final = 64
"""Plans that are kept at most; the oldest go first."""


_MOST_READ: Final = 64 * 2**20
_OURS: Final = ("pipe_runner", "pipe_schemas", "pipe_agents")
_SCALARS: Final[Mapping[str, Any]] = {"str": str, "int": int, "float": float}


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
            if "services" in data["plan"]:
                _fill(data["plan"], data["places"], root)
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
    """Keep a plan; does nothing where the state directory can't be written, the file isn't what was compiled, or
    pipe.yml writes a value of a service in another way than it reads (with escapes, or folded).

    `files` are the others that the pipeline is made of, as `Compilation` has them.
    """
    from pipe_runner.loader.neighbours import digest_of

    if plan.digest != digest_of(content, files):
        return
    home = _home(state_dir)
    name = _key(path, content, root)
    written = plan_to_json(plan)
    places = _empty(written, root)
    if places is None:
        return
    data: dict[str, Any] = {
        "format": FORMAT,
        "watched": [_state(seen) for seen in sorted({*watched, *_installed()})],
        "targets": dict(targets),
        "files": [list(file) for file in files],
        "places": places,
        "plan": written,
    }
    part = os.path.join(home, f".{name}.{os.getpid()}")
    try:
        text = json.dumps(data, separators=(",", ":"), allow_nan=False)
        os.makedirs(home, exist_ok=True)
        with open(part, "x", encoding="ascii", opener=_private) as file:
            file.write(text)
        os.replace(part, os.path.join(home, name))
        _prune(home)
    except (OSError, ValueError, RecursionError):
        if os.path.lexists(part):
            os.unlink(part)


def _private(path: str, how: int) -> int:
    return os.open(path, how, 0o600)


def _empty(plan: dict[str, Any], root: str) -> list[list[Any]] | None:
    """Take the values of services out of a plan; gives `[keys, kind, offset, length]` of each in pipe.yml's bytes, None
    where one isn't found there."""
    services = plan.get("services")
    for one in _inner(plan):
        one.pop("services", None)  # those of the plan itself
    if not services:
        return []
    try:
        content = _content(os.path.join(root, PROJECT_FILE))
    except OSError:
        return None
    places: list[list[Any]] = []
    plan["services"] = _emptied(services, (), content or b"", places)
    return None if any(place[2] < 0 for place in places) else places


def _emptied(value: Any, keys: tuple[str | int, ...], content: bytes, places: list[list[Any]]) -> Any:
    if len(keys) == 3 and keys[2] in OF_EVERY_PROVIDER:  # no credential stands there, and values are as we read them
        return value
    if isinstance(value, Mapping):
        if value.get("from") in ("env", "file") and value.keys() <= {"from", "key"}:
            return dict(value)  # says where a secret is
        return {key: _emptied(item, (*keys, key), content, places) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_emptied(item, (*keys, number), content, places) for number, item in enumerate(value)]
    if type(value).__name__ not in _SCALARS:
        return value
    text = str(value).encode()
    places.append([list(keys), type(value).__name__, content.find(text), len(text)])
    return None


def _fill(plan: dict[str, Any], places: Sequence[Sequence[Any]], root: str) -> None:
    """Put the values of services back; raises as a damaged plan does."""
    content = (_content(os.path.join(root, PROJECT_FILE)) if places else b"") or b""
    for keys, kind, offset, length in places:
        within = plan["services"]
        for key in keys[:-1]:
            within = within[key]
        within[keys[-1]] = _SCALARS[kind](content[offset : offset + length].decode())
    for one in _inner(plan):
        one["services"] = plan["services"]


def _inner(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The sub-pipelines' plans in it, and those in them."""
    for one in plan.get("subplans", {}).values():
        yield one
        yield from _inner(one)


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
    fd = os.open(path, flags.READ)
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
