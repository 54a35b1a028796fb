"""Writes the report in each form that is asked for. One that can't be written costs nothing of what was found."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

from pipe_agents.findings import unavailable
from pipe_agents.merging.telling import Report
from pipe_agents.merging.writing import Unwritten, refused, write
from pipe_runner.ports import Masker

UNWRITTEN: Final = "report.unwritten"
FORMS: Final = ("markdown", "html")


def put_down(report: Report, home: str, masker: Masker, state: str | None = None) -> list[Unwritten]:
    """Write them, and say in the output which could not be: of a form that is written later it is part. Blocks."""
    output, faults = report.output, []
    written: list[str] = []
    for form in FORMS:
        path = output["reports"][form]
        if path is None:
            continue
        try:
            if any(_one_file(home, path, other) for other in written):
                raise refused(path, "markdown and html are the same file")
            write(home, path, _text(form, report), state)
            written.append(path)
        except Unwritten as fault:
            faults.append(fault)
            output["reports"][form] = None
            why = masker.mask_text(fault.why)
            if not fault.refused and os.path.isfile(os.path.join(home, path)):
                why += "; what stands there is an earlier one"
            _say(output, path, why, fault.needs)
    if faults:
        told = "1 report" if len(faults) == 1 else f"{len(faults)} reports"
        output["summary"] += f"; {told} could not be written"
    return faults


def _one_file(home: str, path: str, other: str) -> bool:
    """Also of two names that a file system takes for one."""
    try:
        return Path(home, path).samefile(Path(home, other))
    except OSError:
        return False


def _text(form: str, report: Report) -> str:
    if form == "markdown":
        from pipe_agents.merging.markdown import document
    else:
        from pipe_agents.merging.page import document
    return document(report)


def _say(output: dict[str, Any], path: str, why: str, needs: str) -> None:
    one = unavailable(UNWRITTEN, path, why, needs)
    one |= {"summary": f"the report {path} could not be written: {why}", "agents": ["findings"]}
    output["findings"].append(one)
    output["counts"]["unavailable"] += 1
    output["blind_spots"].append({"what": what(path), "why": why, "needs": needs, "agent": "findings"})


def what(path: str) -> str:
    """How such a blind spot is called."""
    return f"{UNWRITTEN} ({path})"
