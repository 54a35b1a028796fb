"""Reads a YAML file into plain data, explains everything that is wrong with it, and knows where each part stands."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from pipe_runner.diagnostics import Diagnostic
from pipe_runner.loader.document import Document
from pipe_runner.loader.loading import load_text
from pipe_runner.loader.source import read_bytes

__all__ = ["MAX_BYTES", "Document", "load", "load_text"]

MAX_BYTES: Final = 64 * 2**20


def load(
    path: Path | str, *, shown_as: str | None = None, max_bytes: int = MAX_BYTES, root: Path | None = None
) -> tuple[Document, list[Diagnostic]]:
    """Reads a file. One that isn't there or can't be opened raises `UsageError`; faults in it are returned.

    `shown_as` is its name in diagnostics. With `root`, it must stand inside of it, links resolved.
    """
    content = read_bytes(path, max_bytes, root)
    shown = os.fspath(path) if shown_as is None else shown_as
    if len(content) > max_bytes:
        message = f"the file is larger than {max_bytes} bytes"
        return Document(shown, "", None), [Diagnostic(shown, 1, 1, "E118", message)]
    return load_text(content, shown)
