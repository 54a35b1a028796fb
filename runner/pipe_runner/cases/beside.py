"""The pipeline that belongs to a file of tests or evaluations: the one of its name, or one beside it."""

from __future__ import annotations

import os
from typing import Final

from pipe_runner.types import YAML_ENDINGS

_KINDS: Final = (".test", ".eval")


def pipeline_beside(name: str) -> str:
    """`x.yml` for `x.test.yml` and for `x.eval.yml`."""
    stem, ending = os.path.splitext(name)
    start, kind = os.path.splitext(stem)
    return start + ending if kind in _KINDS and ending in YAML_ENDINGS else name


def pipelines_in(folder: str) -> list[str]:
    """The files of a folder that may be pipelines."""
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    return [name for name in names if name.endswith(YAML_ENDINGS) and pipeline_beside(name) == name]
