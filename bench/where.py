"""Says where the time goes: a profile of a command, added up by the part of the project in which it is spent."""

from __future__ import annotations

import pstats
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from bench import files
from bench.measure import Failed, clean_environment, measure

Function = tuple[str, int, str]
OURS = ("pipe_runner", "pipe_agents", "pipe_schemas")


def part_of(function: Function) -> str:
    """The part to which a function belongs: a module or folder of ours, or the library that it stands in."""
    parts = Path(function[0]).parts
    for package in OURS:
        if package in parts:
            below = parts[parts.index(package) + 1 :]
            return f"{package}.{below[0].removesuffix('.py')}" if below else package
    if "site-packages" in parts:
        return parts[parts.index("site-packages") + 1].removesuffix(".py")
    if function[0].startswith("<frozen importlib"):
        return "importing"
    if len(parts) >= 2 and parts[-2] == "asyncio":
        return "asyncio"
    return "python's library"


def shares(command: Sequence[str], directory: Path, most: int = 8) -> list[tuple[str, float]]:
    """The parts in which `python -m pipe_runner COMMAND` spends its time, with their share of it; the largest first.

    What is written in C counts for its caller. A profile costs time itself, so these are shares, not seconds.
    """
    out = directory / "profile"
    argv = [sys.executable, "-m", "cProfile", "-o", str(out), "-m", "pipe_runner", *command]
    done = subprocess.run(argv, cwd=directory, env=clean_environment(), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failed(done.stderr[-400:])
    spent: Counter[str] = Counter()
    for function, row in pstats.Stats(str(out)).stats.items():  # type: ignore[attr-defined]
        _, _, own, _, callers = row
        if function[0] != "~":
            spent[part_of(function)] += own
            continue
        for caller, (_, _, by_caller, _) in callers.items():
            spent["waiting" if "poll" in function[2] else part_of(caller)] += by_caller
    total = sum(spent.values())
    return [(part, seconds / total) for part, seconds in spent.most_common(most)]


def section(scratch: Path, quick: bool) -> list[str]:
    """Lines of Markdown, one for each kind of work: what was run, and the shares."""
    few = 10 if quick else 1
    cases = [
        ("run", "one echo node, unchanged file", files.echo(scratch / "echo")),
        ("run", "commands", files.commands(scratch / "commands", 5000 // few, 2)),
        ("run", "no-op functions", files.noops(scratch / "noops", 10000 // few)),
        ("check", "`pipe check`", files.project(scratch / "check", 10000 // few)),
    ]
    lines = []
    for word, title, path in cases:
        command = [word, "--quiet", path.name]
        if word == "run":  # so that the plan is there
            measure([sys.executable, "-m", "pipe_runner", *command], path.parent)
        shutil.rmtree(path.parent / ".pipe" / "runs", ignore_errors=True)
        found = shares(command, path.parent)
        lines.append(f"- {title}: " + ", ".join(f"{part} {share:.0%}" for part, share in found))
    return lines
