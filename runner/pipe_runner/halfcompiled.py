"""Tells of compiled files of Python that are cut short.

Where a disk is full, or a limit of sizes is met, Python before 3.12.8 takes what it could write for the whole, and
can't import it from then on."""

from __future__ import annotations

import os
from shlex import quote

from pipe_runner.errors import StorageError


def cut_short(error: BaseException) -> StorageError | None:
    """The fault to tell where an import fell over such a file."""
    trace = error.__traceback__ if isinstance(error, EOFError) else None
    while trace is not None:
        frame = trace.tb_frame
        path = frame.f_locals.get("bytecode_path") if frame.f_code.co_name == "_compile_bytecode" else None
        if isinstance(path, str):
            folder = quote(os.path.dirname(path))
            return StorageError(
                f"Python has kept only the beginning of {path}, as on a full disk",
                hint=f"remove what it keeps there, and it is made again: rm -r {folder}",
            )
        trace = trace.tb_next
    return None
