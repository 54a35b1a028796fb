"""`pipe doctor`: what this machine has of what runs need, why it matters, and what to do."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict

from pipe_runner.cli import machine, machine_tools
from pipe_runner.cli.boundary import colours, say, write_out
from pipe_runner.cli.machine import Finding
from pipe_runner.cli.settings import state_dir
from pipe_runner.cli.words import Given
from pipe_runner.console.words import inked, plural, safe
from pipe_runner.text import json_text

_INK = {"ok": "32", "warn": "33", "fail": "31"}


def doctor(given: Given) -> int:
    """Examine the machine; 1 when something fails."""
    state = state_dir(given, None)
    examinations: list[Callable[[], Finding]] = [
        machine.python,
        machine.system,
        machine.shell,
        machine.bash,
        machine.git,
        machine.proc,
        machine.subreaper,
        lambda: machine.writable(state),
        lambda: machine.locks(state),
        lambda: machine.sync(state),
        lambda: machine.space(state),
        machine.open_files,
        machine.locale,
        machine.terminal,
        machine.yaml_parser,
        machine.agents,
        machine_tools.tools,
        machine.project,
    ]
    found = [_examined(one) for one in examinations]
    if given.text("output") == "json":
        write_out(json_text([asdict(one) for one in found]))
    else:
        colour = colours(sys.stdout)
        write_out("".join(_told(one, colour) for one in found))
    failed = sum(one.status == "fail" for one in found)
    warned = sum(one.status == "warn" for one in found)
    say(f"{plural(failed, 'failure')}, {plural(warned, 'warning')}")
    return 1 if failed else 0


def _examined(examine: Callable[[], Finding]) -> Finding:
    try:
        return examine()
    except Exception as error:
        name = getattr(examine, "__name__", "examination").replace("_", " ").strip("<>")
        return Finding(name, "warn", f"could not be examined: {type(error).__name__}: {error}")


def _told(one: Finding, colour: bool) -> str:
    mark = inked(one.status.ljust(4), _INK[one.status], colour)
    lines = [f"{mark}  {one.name}: {safe(one.found)}"]
    if one.status != "ok":
        lines += [f"        {label} {safe(text)}" for label, text in (("why:", one.why), ("do: ", one.do)) if text]
    return "".join(f"{line}\n" for line in lines)
