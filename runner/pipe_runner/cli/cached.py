"""`pipe cache ls` and `pipe cache prune`."""

from __future__ import annotations

import json
import sys
import time
from math import inf
from typing import Final

from pipe_runner.cli.settings import duration, here, state_dir
from pipe_runner.cli.words import Given
from pipe_runner.console.words import plural, safe
from pipe_runner.errors import UsageError
from pipe_runner.resultcache.entries import Entries
from pipe_runner.runlog.faults import storage_fault
from pipe_runner.text import json_text

_PATIENCE: Final = 10.0
"""Seconds that removing waits for runs that use the cache just now."""


def cache(given: Given) -> int:
    """`pipe cache ACTION`."""
    action = given.must("action")
    pruning = given.on("all") or given.text("older_than") is not None or given.text("max_size") is not None
    if action not in ("ls", "prune"):
        raise UsageError(f"there is no `pipe cache {action}`", hint="`pipe cache ls` lists, `pipe cache prune` removes")
    if action == "ls" and pruning:
        raise UsageError(
            "`pipe cache ls` removes nothing", hint="`pipe cache prune` takes --older-than, --max-size and --all"
        )
    entries = Entries(state_dir(given, None))
    return _list(entries, given) if action == "ls" else _prune(entries, given)


def _list(entries: Entries, given: Given) -> int:
    found = sorted(entries.all(), key=lambda pair: (-pair[0].made, pair[0].key))
    if given.text("output") == "json":
        rows = [
            {
                "key": entry.key,
                "pipeline": entry.pipeline,
                "node": entry.node,
                "run": entry.run,
                "domain": entry.parts.domain,
                "made_at": _utc(entry.made, "%Y-%m-%dT%H:%M:%SZ"),
                "bytes": size,
            }
            for entry, size in found
        ]
        sys.stdout.write(json_text(rows))
        return 0
    if not found:
        sys.stdout.write("no cached results\n")
        return 0
    table = [("KEY", "NODE", "PIPELINE", "RUN", "MADE (UTC)", "BYTES", "DOMAIN")]
    table += [
        (
            entry.key[:12],
            safe(entry.node),
            safe(entry.pipeline),
            safe(entry.run),
            _utc(entry.made, "%Y-%m-%d %H:%M:%S"),
            str(size),
            entry.parts.domain or "-",
        )
        for entry, size in found
    ]
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    for row in table:
        sys.stdout.write("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() + "\n")
    sys.stdout.write(f"{plural(len(found), 'result')}, {entries.total()} bytes{_bound()}\n")
    return 0


def _bound() -> str:
    """What the project's pipe.yml allows, where that can be told."""
    from pathlib import Path

    from pipe_runner.compiler.project import load_project

    project, faults = load_project(Path(here()))
    return "" if any(fault.is_error for fault in faults) else f", at most {project.cache_limit} (limits.cache)"


def _prune(entries: Entries, given: Given) -> int:
    age, size = given.text("older_than"), given.text("max_size")
    if [given.on("all"), age is not None, size is not None].count(True) != 1:
        raise UsageError("say which results to remove", hint="--max-size 500MiB, --older-than 30d, or --all")
    try:
        if size is not None:
            gone, freed = entries.shrink(_size(size), patience=_PATIENCE)
        else:
            before = None if age is None else time.time() - duration(age, "--older-than", inf)
            gone, freed = entries.remove(before, patience=_PATIENCE)
    except OSError as error:
        raise storage_fault("remove", error.filename or "a cached result", error) from error
    if given.text("output") == "json":
        sys.stdout.write(json.dumps({"removed": gone, "bytes": freed}) + "\n")
    else:
        sys.stdout.write(f"removed {plural(gone, 'result')}, {freed} bytes\n")
    return 0


def _size(text: str) -> int:
    from pipe_schemas.durations import parse_size

    if text == "0":
        return 0
    try:
        return parse_size(text)
    except ValueError as error:
        raise UsageError(f"--max-size: {error}") from None


def _utc(seconds: float, form: str) -> str:
    try:
        return time.strftime(form, time.gmtime(seconds))
    except (OverflowError, ValueError, OSError):
        return "-"
