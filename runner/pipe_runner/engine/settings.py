"""How a run is to be performed, as the user asked for it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipe_runner.types import Durability

DEFAULT_GRACE = 10.0
"""Seconds between TERM and KILL."""


@dataclass(frozen=True, slots=True)
class RunSettings:
    """`only` selects nodes with what they need; `concurrency` overrides the file's; `grace` in seconds."""

    state_dir: Path
    run_id: str | None = None
    only: tuple[str, ...] = ()
    concurrency: int | None = None
    durability: Durability = Durability.FULL
    grace: float = DEFAULT_GRACE
