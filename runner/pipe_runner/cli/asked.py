"""What `pipe ask` tells in the end."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from pipe_runner.cli.boundary import colours
from pipe_runner.cli.telling import Telling
from pipe_runner.cli.words import Given

if TYPE_CHECKING:
    from pipe_runner.run import Run
    from pipe_runner.runlog import RunDir

_WIDEST: Final = 120
_LINES: Final = 30
"""Of what was measured, at most, all agents together."""


class AskTelling(Telling):
    """As a run is told, but for its results: they are findings. A resume, which chooses nobody, has nothing `about`
    the choice, and its JSON is that of a run."""

    def __init__(self, given: Given, about: dict[str, Any] | None = None) -> None:
        super().__init__(given)
        self._about = about

    def _print(self, run: Run, rundir: RunDir) -> None:
        if self._output == "text":
            sys.stdout.writelines(_told(run, rundir))
        elif self._about is not None:
            from pipe_runner.text import json_text

            sys.stdout.write(json_text({**self._about, "result": whole(run, rundir)}))
        else:
            super()._print(run, rundir)
        sys.stdout.flush()


def whole(run: Run, rundir: RunDir) -> dict[str, Any]:
    """The result of a run, as JSON has it, its outputs whole."""
    from pipe_runner.reports.result import result
    from pipe_runner.runlog import read_blob

    return result(run, lambda ref: read_blob(rundir, ref))


def _told(run: Run, rundir: RunDir) -> Iterator[str]:
    """The findings of the node that merges, or of each node; other outputs as a run prints them."""
    from pipe_runner.cli.results import outputs_text
    from pipe_runner.console.findings import findings_text, is_result
    from pipe_runner.console.measured import measured_text

    nodes: dict[str, Any] = whole(run, rundir)["nodes"]
    results = {name: node["output"] for name, node in nodes.items() if is_result(node["output"])}
    merged = [name for name in results if isinstance(results[name].get("contradictions"), list)]
    shown = merged[-1:] or list(results)
    width = min(shutil.get_terminal_size((100, 24)).columns, _WIDEST)
    for number, name in enumerate(shown):
        if len(shown) > 1:
            yield f"{chr(10) if number else ''}{name}\n"
        yield findings_text(results[name], width=width, colour=colours(sys.stdout))
    told = [name for name in results if name not in merged]
    for name in told:
        text = measured_text(results[name].get("measurements"), width=width, most=max(_LINES // len(told), 8))
        if text:
            yield f"\nMeasured{f' by {name}' if len(told) > 1 else ''}:\n{text}"
    if not shown:
        yield from outputs_text(run, rundir)
