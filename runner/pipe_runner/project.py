"""The project that a pipeline belongs to: its root, and what pipe.yml sets for every pipeline in it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pipe_runner.diagnostics import Diagnostic
from pipe_runner.plan import NOTHING

if TYPE_CHECKING:
    from pathlib import Path

    from pipe_runner.compiler.presets import Presets

PROJECT_FILE: Final = "pipe.yml"
_FILE_LIMIT: Final = 64 * 2**20
OF_EVERY_PROVIDER: Final = ("type", "model", "limits", "prices")
"""What every provider in pipe.yml may say; the rest is its type's."""


class Project(NamedTuple):
    """What pipe.yml says, with our defaults for what it doesn't. Times in seconds, sizes in bytes."""

    root: str
    path: str
    """Where pipe.yml is, or would be."""
    concurrency: int | None = None
    """For pipelines that don't say."""
    concurrency_limit: int | None = None
    timeout: float | None = None
    max_time: float | None = None
    output_limit: int = 16 * 2**20
    cache_limit: int = 2**30
    file_limit: int = _FILE_LIMIT
    policy: Mapping[str, Any] = NOTHING
    settings: Mapping[str, Any] = NOTHING
    """For commands: `durability`, `grace`, `executor`, where pipe.yml sets them."""
    services: Mapping[str, Any] = NOTHING
    """`providers` and `mcp_servers`, by name."""
    written: Mapping[str, tuple[str, ...]] = NOTHING
    """Names under `providers` and `mcp_servers`, those of wrong ones too."""
    providers: tuple[str, ...] = ()
    """Whom nodes ask that name none, in order."""
    presets: Presets | None = None
    """The agents that pipe.yml names."""


def find_root(start: Path) -> Path:
    """The nearest folder upward with a pipe.yml, else the git root, else the folder of the file; links resolved."""
    from pathlib import Path

    return Path(root_of(os.fspath(start)))


def root_of(start: str) -> str:
    """What `find_root` finds, as text: starting a run imports no pathlib."""
    folder = os.path.abspath(start)
    if not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    folder = os.path.realpath(folder)
    git = None
    here = folder
    while True:
        if os.path.isfile(os.path.join(here, PROJECT_FILE)):
            return here
        if git is None and os.path.exists(os.path.join(here, ".git")):
            git = here
        above = os.path.dirname(here)
        if above == here:
            return git or folder
        here = above


def repository_of(folder: str) -> str | None:
    """The top of the git repository that a folder is in, or None."""
    here = os.path.abspath(folder)
    while not os.path.exists(os.path.join(here, ".git")):
        here, before = os.path.dirname(here), here
        if here == before:
            return None
    return here


def link_out(shown: str, root: str) -> Diagnostic:
    """The fault of a file, by the name that is shown of it, that is a link to somewhere out of the project."""
    hint = f"a file of the project stays in its root, {root}, links resolved"
    return Diagnostic(shown, 1, 1, "E602", "the file is a link that leaves the project", hint)


def is_inside(path: str, root: Path) -> bool:
    """Whether a path lies in the root, links resolved."""
    real = os.path.realpath(path)
    return real.startswith(os.path.realpath(root).rstrip(os.sep) + os.sep)
