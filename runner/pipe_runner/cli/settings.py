"""What a command is to do, from its flags, the environment, pipe.yml and our defaults: the first that says it wins.

`PIPE_OUTPUT`, `PIPE_RUN_ID` and their like are what nodes are told. They mean nothing here: a node may run `pipe`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from pipe_runner.cli.words import Given
from pipe_runner.engine import RunSettings
from pipe_runner.engine.settings import DEFAULT_GRACE, words_of_recordings
from pipe_runner.errors import UsageError
from pipe_runner.text import shown_path
from pipe_runner.types import Durability

if TYPE_CHECKING:
    from pipe_runner.run import Run

STATE_DIR: Final = ".pipe"
_DIGITS: Final = 30
_LARGEST: Final = 10**9 - 1
_MOST_CONCURRENT: Final = 10_000
_DOMAIN: Final = re.compile(r"[A-Za-z0-9._-]{1,80}\Z")


def said(given: Given, key: str, environ: Mapping[str, str]) -> tuple[str, str] | None:
    """A setting's text and where it was said (`--grace`, `PIPE_GRACE`), or None; an empty variable says nothing."""
    flag = given.text(key)
    if flag is not None:
        return flag, f"--{key.replace('_', '-')}"
    name = f"PIPE_{key.upper()}"
    value = environ.get(name)
    return (value, name) if value else None


def state_dir(given: Given, root: str | None, environ: Mapping[str, str] = os.environ) -> str:
    """Where runs are kept; `root` is the project's, found from the working directory where it isn't given."""
    found = said(given, "state_dir", environ)
    if found is not None:
        text, where = found
        if not text:
            raise UsageError(f"{where} is empty")
        return os.path.abspath(text)
    return os.path.join(root if root is not None else here(), STATE_DIR)


def here() -> str:
    """The root of the project that the working directory belongs to."""
    from pipe_runner.project import root_of

    return root_of(os.getcwd())


def kept_elsewhere(told: str | None, state: str) -> str:
    """What a command that is given from here needs to find the runs in `state`: nothing, or ` --state-dir DIR`.

    `told` is what `--state-dir` said this time."""
    where = told
    if where is None and not os.environ.get("PIPE_STATE_DIR"):
        try:
            usual = os.path.join(here(), STATE_DIR)
            where = None if state == usual else os.path.relpath(state)
        except (UsageError, OSError):  # the working directory is gone
            where = state
    if where is None:
        return ""
    from shlex import quote

    return f" --state-dir {quote(where)}"


def run_settings(
    given: Given,
    state: str,
    defaults: Mapping[str, Any],
    *,
    run_id: str | None = None,
    only: tuple[str, ...] = (),
    environ: Mapping[str, str] = os.environ,
) -> RunSettings:
    """How a run is to be performed; `defaults` are those of pipe.yml (`durability`, `grace` in seconds)."""
    grace = said(given, "grace", environ)
    durability = said(given, "durability", environ)
    record, replay = folders(given)
    return RunSettings(
        state_dir=state,
        where=kept_elsewhere(given.text("state_dir"), state),
        run_id=run_id,
        only=only,
        concurrency=concurrency(given, environ),
        durability=_durability(*durability) if durability else Durability(defaults.get("durability") or "full"),
        grace=duration(*grace) if grace else float(_first(defaults.get("grace"), DEFAULT_GRACE)),
        cache_domain=cache_domain(given, environ),
        explain=given.on("explain"),
        record=record,
        replay=replay,
    )


def folders(given: Given) -> tuple[str | None, str | None]:
    """The folders of --record and --replay, absolute: functions may change the working directory."""
    found: list[str | None] = []
    for flag in ("record", "replay"):
        named = given.as_dict().get(flag)
        if named == "":
            raise UsageError(f"--{flag} needs the name of a folder")
        found.append(None if named is None else os.path.abspath(named))
    if None not in found:
        raise UsageError("--record and --replay contradict each other", hint="record once, then replay")
    return found[0], found[1]


def recording_words(given: Given) -> list[str]:
    """`--record DIR` or `--replay DIR` as they were given, for a command that goes on with the run."""
    named = given.as_dict()
    return words_of_recordings(named.get("record"), named.get("replay"))


def recorded_words(run: Run) -> list[str]:
    """The same of a run that was, as its log has it."""
    folders = (None if path is None else shown_path(os.path.join(run.root, path)) for path in (run.record, run.replay))
    return words_of_recordings(*folders)


def cache_domain(given: Given, environ: Mapping[str, str] = os.environ) -> str:
    """Of which domain cached results are read; empty for none."""
    found = said(given, "cache_domain", environ)
    if found is None:
        return ""
    text, where = found
    if not _DOMAIN.match(text):
        raise UsageError(f"{where}: {text!r} can't name a domain", hint="1 to 80 letters, digits, `.`, `_` and `-`")
    return text


def _first(value: Any, default: float) -> Any:
    return default if value is None else value


def concurrency(given: Given, environ: Mapping[str, str] = os.environ) -> int | None:
    """How many attempts at the same time, where somebody says so; the plan knows what holds else."""
    found = said(given, "concurrency", environ)
    if found is None:
        return None
    text, where = found
    return whole(text, where, 1, _MOST_CONCURRENT)


def whole(text: str, where: str, least: int | None = None, most: int = _LARGEST) -> int:
    """A whole number that somebody typed, within bounds."""
    shown = text if len(text) <= 40 else f"{text[:40]}…"
    between = f"between {least} and {most}" if least is not None else f"below {most + 1}"
    if not re.fullmatch(r"[+-]?[0-9]+", text):
        raise UsageError(f"{where}: {shown!r} is not a whole number{'' if least is None else f' {between}'}")
    if len(text) > _DIGITS or (least is not None and int(text) < least) or int(text) > most:
        raise UsageError(f"{where}: {shown} is not {between}")
    return int(text)


def _durability(text: str, where: str) -> Durability:
    try:
        return Durability(text)
    except ValueError:
        raise UsageError(f"{where}: {text!r} is neither `full` nor `os`") from None


def duration(text: str, where: str, longest: float | None = None) -> float:
    """`250ms`, `90s`, `1h30m` in seconds, by the rules of files; a bare number has no unit and is refused, but for 0.

    `longest`, in seconds, is a year where it isn't given."""
    from pipe_schemas.durations import LONGEST, parse_duration

    if text == "0":
        return 0.0
    try:
        return parse_duration(text, zero=True, longest=LONGEST if longest is None else longest)
    except ValueError as error:
        raise UsageError(f"{where}: {error}") from None


def check_executor(given: Given, environ: Mapping[str, str], default: str | None) -> None:
    """Refuse an executor that this version doesn't have."""
    found = said(given, "executor", environ) or ((default, "pipe.yml: executor") if default else None)
    if found is not None and found[0] != "local":
        raise UsageError(
            f"{found[1]}: there is no executor {found[0]!r} in this version", hint="`local` is the one that there is"
        )
