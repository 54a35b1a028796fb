"""Other files that a file names: found from its folder, opened inside the project's root only, each read once.

What is wrong with a name is given back as `Refused`, for the place that names it; what is wrong in the file itself is
in `Neighbour.faults`, to which the reader adds how it came there (`told_from`).
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from hashlib import blake2b, sha256
from pathlib import Path
from typing import Final, NamedTuple

from pipe_runner.diagnostics import Diagnostic, Note, did_you_mean
from pipe_runner.errors import UsageError
from pipe_runner.loader.anchors import LEAST_EXPANSION, TEXT_PER_EXPANSION
from pipe_runner.loader.document import At, Document
from pipe_runner.loader.loading import load_text
from pipe_runner.loader.source import read_bytes
from pipe_runner.types import YAML_ENDINGS, Path_

MOST_FILES: Final = 100
"""Files that a pipeline may be made of, beside its own."""
_PROJECT: Final = "pipe.yml"


class Neighbour(NamedTuple):
    """A file that another one names, read."""

    path: str
    """Absolute, as it was reached: what it names counts from this folder."""
    real: str
    """Links resolved: which file it is. Two names of one file have the same."""
    shown: str
    """As diagnostics show it."""
    content: bytes
    document: Document
    faults: tuple[Diagnostic, ...]
    """What is wrong with its YAML; without the places that lead to it."""


class Refused(NamedTuple):
    """Why the file that a name leads to can't be read: a fault of the place that names it."""

    code: str
    message: str
    hint: str | None = None


class Neighbours:
    """The files that one compilation reads beside its own, bounded in number and, together, in size and in what their
    aliases stand for."""

    def __init__(self, root: str, limit: int, most: int = MOST_FILES) -> None:
        """`root` is absolute, links resolved; `limit` is in bytes."""
        self._root = root
        self._left = self._limit = limit
        self._most = most
        self._expansions = LEAST_EXPANSION
        self._found: dict[str, Neighbour] = {}
        self._named: dict[tuple[str, str], Neighbour] = {}
        """By folder and name, links in them not looked at again."""

    def read(self, name: str, beside: str, shown_beside: str) -> Neighbour | Refused:
        """The file that `name` leads to from the file `beside`, which is an absolute path; `shown_beside` is how
        diagnostics show that one."""
        if "\0" in name:
            return Refused("E601", "a path can't hold a NUL character")
        if "{{" in name or "{%" in name:
            return Refused("E213", "which file it is must be known before the run, so its name is no template")
        folder = os.path.dirname(beside)
        again = self._named.get((folder, name))
        if again is not None:
            return again
        path = os.path.normpath(os.path.join(folder, name))
        real = os.path.realpath(path)
        if not self._is_inside(real):
            hint = "files are read inside the root only, links resolved; a path counts from the file that names it"
            return Refused("E601", f"`{_short(name)}` leaves the project's root", hint)
        if real == os.path.join(self._root, _PROJECT):
            return Refused("E209", f"{_PROJECT} is the project's file, which holds no pipeline", "name another file")
        known = self._found.get(real)
        if known is not None:
            again = self._named[folder, name] = known._replace(path=path)
            return again
        if len(self._found) >= self._most:
            return Refused("E802", f"more than {self._most} files beside the pipeline's own", "put them together")
        try:
            content = read_bytes(real, self._left, Path(self._root))
        except UsageError as error:
            return self._unreadable(name, path, error)
        if len(content) > self._left:
            what = f"the file is larger than {self._limit} bytes"
            if self._left < self._limit:
                what = f"with this file the pipeline is larger than {self._limit} bytes"
            return Refused("E118", what, "`limits: {file: …}` in pipe.yml raises the limit")
        self._left -= len(content)
        shown = os.path.normpath(os.path.join(os.path.dirname(shown_beside), name))
        document, faults = load_text(content, shown, expansions=self._expansions)
        allowed = len(document.text) // TEXT_PER_EXPANSION
        self._expansions = max(self._expansions - max(document.expanded - allowed, 0), 0)
        found = self._found[real] = self._named[folder, name] = Neighbour(
            path, real, shown, content, document, tuple(faults)
        )
        return found

    def states(self) -> tuple[tuple[str, str, str], ...]:
        """Path, path with links resolved, and digest of every file that was read: what a kept plan depends on."""
        return tuple((one.path, one.real, content_digest(one.content)) for one in self._found.values())

    def _is_inside(self, real: str) -> bool:
        return real == self._root or real.startswith(self._root.rstrip(os.sep) + os.sep)

    def _unreadable(self, name: str, path: str, error: UsageError) -> Refused:
        if os.path.lexists(path):
            return Refused("E602", error.message.replace(os.path.realpath(path), _short(name)), error.hint)
        wanted, names = os.path.basename(path), _names_in(os.path.dirname(path))
        near = did_you_mean(wanted, names)
        if near is None:  # it may be written without the end of its name
            stems = {os.path.splitext(one)[0]: one for one in reversed(names)}
            near = stems.get(did_you_mean(wanted, stems) or "")
        hint = "a path counts from the file that names it"
        if near is not None:
            hint = f"did you mean `{os.path.join(os.path.dirname(name), near)}`?"
        return Refused("E602", f"there is no file {_short(name)}", hint)


def note_of(document: Document, path: Path_, message: str, at: At = "value") -> Note:
    """A place that has to do with a fault elsewhere: `included`, `declared`, …"""
    place = document.position(path, at)
    return Note(document.path, place.line, place.column, message)


def content_digest(content: bytes) -> str:
    """Of one file; the plan cache, which reads files again at every start, makes the same without loading OpenSSL."""
    return blake2b(content, digest_size=20).hexdigest()


def digest_of(content: bytes, files: Iterable[tuple[str, str, str]]) -> str:
    """The digest of a pipeline: of its file's bytes, and of every file (`Neighbours.states`) that it is made of."""
    own = sha256(content).hexdigest()
    others = sorted(digest for _, _, digest in files)
    return sha256("\0".join((own, *others)).encode()).hexdigest() if others else own


def told_from(faults: Iterable[Diagnostic], notes: tuple[Note, ...]) -> list[Diagnostic]:
    """The faults of a file, each with the places that lead to it, the nearest first."""
    return [fault._replace(notes=(*fault.notes, *notes)) for fault in faults]


def _names_in(folder: str) -> list[str]:
    try:
        return sorted(name for name in os.listdir(folder) if name.endswith(YAML_ENDINGS))[:1000]
    except OSError:
        return []


def _short(name: str) -> str:
    text = name if len(name) <= 100 else name[:99] + "…"
    return text if text.isprintable() else "".join(c if c.isprintable() else "·" for c in text)
