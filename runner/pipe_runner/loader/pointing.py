"""Where something stands in a file: for faults of a run, whose plan knows the places of nodes only."""

from __future__ import annotations

import os
from pathlib import Path

from pipe_runner.errors import UsageError
from pipe_runner.loader import load
from pipe_runner.types import Path_


def place_in(root: str, file: str, path: Path_) -> str:
    """`file:line:col` of the value at `path`; only the file, where it can't be read or has nothing there any more.

    `file` counts from `root`.
    """
    try:
        inside = None if os.path.isabs(file) else Path(root)
        document, _ = load(os.path.join(root, file), shown_as=file, root=inside)
    except UsageError:
        return file
    found = document.places.find(path) if path and document.data is not None else None
    if found is None or not found.exact:
        return file
    position = document.position(path)
    return f"{file}:{position.line}:{position.column}"
