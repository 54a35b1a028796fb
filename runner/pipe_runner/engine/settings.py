"""How a run is to be performed, as the user asked for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pipe_runner.types import Durability

if TYPE_CHECKING:
    from collections.abc import Callable
    from os import PathLike

    from pipe_runner.calls.seams import Purse
    from pipe_runner.limits.gates import Gates
    from pipe_runner.traces import Trace

DEFAULT_GRACE = 10.0
"""Seconds between TERM and KILL."""


class Shared(NamedTuple):
    """What several runs of a process have together."""

    gates: Gates
    """The limits and breakers of their providers."""
    within: Callable[[Purse, str], Purse]
    """Puts a budget of them all around a run's own; of the run, by its id."""


class RunSettings(NamedTuple):
    """`only` selects nodes with what they need; `concurrency` overrides the file's; `grace` in seconds."""

    state_dir: str | PathLike[str]
    run_id: str | None = None
    only: tuple[str, ...] = ()
    concurrency: int | None = None
    durability: Durability = Durability.FULL
    grace: float = DEFAULT_GRACE
    cache_domain: str = ""
    """Cached results of another domain are never read."""
    explain: bool = False
    """Say why cached results were not used."""
    record: str | None = None
    """A folder in which every call that leaves the machine is kept."""
    adds: bool = False
    """What that folder holds already is of the same recording, and stays."""
    replay: str | None = None
    """A folder from which they are answered; nothing goes out."""
    mend: str | None = None
    """How recordings that are missing there are made, of a run among others, which may have none; None: the run is
    alone, and not opened where that folder isn't there."""
    trace: Trace | None = None
    """The trace that the run is part of, where somebody makes spans of it."""
    shared: Shared | None = None
    """What other runs of this process have, too; None: the run is alone."""
    keeps: bool = True
    """False, for cases of `pipe test`: no log, no result and no artifact is kept, and nobody else can meet the run.
    `state_dir` is then a directory that is about to be removed."""
    where: str = ""
    """What a command on the run needs to find it, beside its id: nothing, or ` --state-dir DIR`."""
    task: str | None = None
    """The task in words of which the pipeline was made, where it was."""

    def recordings(self, root: str) -> dict[str, str]:
        """`record` or `replay` with its folder, as the log has it: from the project's root, if it lies inside."""
        import os

        inside = os.path.join(root, "")
        given = {"record": self.record, "replay": self.replay}
        return {key: path.removeprefix(inside) for key, path in given.items() if path is not None}

    @property
    def recording_words(self) -> list[str]:
        """`--record DIR` or `--replay DIR`, for a command that goes on with the run."""
        return words_of_recordings(self.record, self.replay)

    @property
    def looks_back(self) -> bool:
        """Whether what earlier runs gave counts, and what this one gives later: not where it must go as it is told."""
        return self.keeps and not self.record and not self.replay


def words_of_recordings(record: str | None, replay: str | None) -> list[str]:
    """The flags with their folders, as a shell takes them."""
    from shlex import quote

    given = {"--record": record, "--replay": replay}
    return [word for flag, path in given.items() if path is not None for word in (flag, quote(path))]
