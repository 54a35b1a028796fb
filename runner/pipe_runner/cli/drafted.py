"""The pipelines that `pipe ask` makes: where they stay, and as what they run."""

from __future__ import annotations

import os
from hashlib import sha256
from typing import Any, Final

from pipe_runner.cli.table import BY_NAME
from pipe_runner.cli.words import Given

_FOLDER: Final = "asked"


def kept(text: str, state: str) -> str:
    """The file in which the pipeline stays, by its content."""
    from pipe_runner.runlog.rundir import made_state

    folder = os.path.join(made_state(state), _FOLDER)
    path = os.path.join(folder, f"ask-{sha256(text.encode()).hexdigest()[:12]}.yml")
    if not _holds(path, text.encode()):  # not there, or somebody has edited it
        from pipe_runner.cli.files import write_whole

        os.makedirs(folder, exist_ok=True)
        write_whole(path, [text.encode()])
    return path


def _holds(path: str, content: bytes) -> bool:
    try:
        with open(path, "rb") as file:
            return file.read(len(content) + 1) == content
    except OSError:
        return False


def as_run(given: Given, file: str, **more: Any) -> Given:
    """What `pipe run FILE` would be given."""
    run = BY_NAME["run"]
    values: dict[str, Any] = {flag.key: [] if flag.many else None for flag in run.flags}
    values.update({flag.key: False for flag in run.flags if not flag.metavar})
    shared = {key: value for key, value in given.as_dict().items() if key in values and key != "dry_run"}
    return Given({**values, **shared, "file": file, **more})
