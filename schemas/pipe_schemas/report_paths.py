"""Where no report may stand: places whose content the project, git or the runner lives by."""

from __future__ import annotations

from typing import Final

_KEPT: Final = {".git": "git's own", ".pipe": "the runner's own", "pipe.yml": "what makes the project"}


def kept(path: str) -> str | None:
    """Why no report is written to a path: `pipe.yml is what makes the project`; None where one may be."""
    for step in path.replace("\\", "/").split("/"):
        why = _KEPT.get(step.rstrip(". ").casefold())
        if why is not None:
            return f"{step} is {why}"
    return None


def same(one: str, other: str) -> bool:
    """Whether two paths are the same one, however they are written."""
    return one.replace("\\", "/") == other.replace("\\", "/")
