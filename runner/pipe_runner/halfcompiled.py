"""Tells of compiled files of Python that can't be read.

Where a disk is full, or a limit of sizes is met, Python before 3.12.8 takes what it could write for the whole, and
can't import it from then on. Of ours this file alone is needed to tell that."""

from __future__ import annotations

import os
from shlex import quote
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipe_runner.errors import StorageError


def cut_short(error: BaseException) -> StorageError | None:
    """The fault to tell where an import fell over such a file."""
    said = what_is_cut(error)
    if said is None:
        return None
    from pipe_runner.errors import StorageError

    return StorageError(said[0], hint=said[1])


def what_is_cut(error: BaseException) -> tuple[str, str] | None:
    """The same, as a sentence and a hint."""
    trace = error.__traceback__ if isinstance(error, EOFError | ValueError | TypeError) else None
    while trace is not None:
        frame = trace.tb_frame
        path = frame.f_locals.get("bytecode_path") if frame.f_code.co_name == "_compile_bytecode" else None
        if isinstance(path, str):
            what = "has kept only the beginning of" if isinstance(error, EOFError) else "can't read what it has kept in"
            hint = f"remove what it keeps there, and it is made again: rm -r {quote(os.path.dirname(path))}"
            return f"Python {what} {path}, as on a full disk", hint
        trace = trace.tb_next
    return None
