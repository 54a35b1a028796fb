"""What `pipe ask` tells in the end, and how a model chooses for it."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from pipe_runner.cli.boundary import colours, say
from pipe_runner.cli.telling import Telling
from pipe_runner.cli.words import Given
from pipe_runner.console.words import safe
from pipe_runner.errors import InvalidPipeline, UsageError
from pipe_runner.types import NodeStatus

if TYPE_CHECKING:
    from pipe_runner.orchestrator import Orchestrator
    from pipe_runner.routing import Routing
    from pipe_runner.run import Run
    from pipe_runner.runlog import RunDir

_NODE: Final = "choose"
_NO_PROVIDER: Final = "E512"
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
            sys.stdout.write(json_text({**self._about, "result": _whole(run, rundir)}))
        else:
            super()._print(run, rundir)
        sys.stdout.flush()


def _whole(run: Run, rundir: RunDir) -> dict[str, Any]:
    from pipe_runner.reports.result import result
    from pipe_runner.runlog import read_blob

    return result(run, lambda ref: read_blob(rundir, ref))


def _told(run: Run, rundir: RunDir) -> Iterator[str]:
    """The findings of the node that merges, or of each node; other outputs as a run prints them."""
    from pipe_runner.cli.results import outputs_text
    from pipe_runner.console.findings import findings_text, is_result
    from pipe_runner.console.measured import measured_text

    nodes: dict[str, Any] = _whole(run, rundir)["nodes"]
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


def json_text(value: Any) -> str:
    """ASCII, indented, harmless in any CI's log."""
    from pipe_runner.text import ci_safe_json

    return ci_safe_json(json.dumps(value, indent=2)) + "\n"


def by_model(
    orchestrator: Orchestrator, routing: Routing, given: Given, root: str, state: str, most: int
) -> tuple[Routing, int]:
    """The choice by a model, in a run of its own, so that budgets, recordings and the log have it; by words where it
    fails, which is noted. The number is an exit code where somebody stopped it."""
    from pipe_runner.cli.asking import _kept, as_run
    from pipe_runner.cli.plans import plan_for
    from pipe_runner.cli.running import perform_new
    from pipe_runner.cli.settings import run_settings
    from pipe_runner.loader.dumping import dumped
    from pipe_runner.routing.asking import ASKS, PATIENCE, answered, fallen_back, question
    from pipe_runner.routing.drafting import literal

    cards = orchestrator.cards()
    asked = literal(question(routing.task, cards, most, given.text("model")))
    node = {"agent": ASKS, "provider": given.text("provider"), "timeout": f"{PATIENCE:.0f}s", "with": asked}
    file = _kept("# Chooses agents for a task of `pipe ask`.\n" + dumped({"version": 1, "nodes": {_NODE: node}}), state)
    words = as_run(given, file, quiet=True, output=None)
    try:
        planned = plan_for(file, words, state=state, root=root)
    except InvalidPipeline as invalid:
        for one in invalid.diagnostics:
            if one.code == _NO_PROVIDER:
                raise UsageError(f"--provider: {one.message}", hint=one.hint) from None
        raise
    if not given.on("quiet"):
        say(safe(f"asking {given.text('provider')} which agents fit, for at most {PATIENCE:.0f} s"))
    telling = _Choosing(words)
    settings = run_settings(words, state, planned.plan.settings)._replace(trace=telling.trace)
    code = perform_new(telling, planned._replace(shown=os.path.relpath(file)), settings, {})
    if code > 128 or telling.node is None:
        return routing, code
    if telling.node["status"] != NodeStatus.SUCCEEDED:
        error = telling.node["error"] or {}
        return fallen_back(routing, f"no model could be asked: {error.get('message', 'it failed')}"), 0
    return answered(telling.node["output"], cards, routing, most), 0


class _Choosing(Telling):
    """Says nothing: what the model answered is taken from it."""

    node: dict[str, Any] | None = None

    def end(self, run: Run, active: Any, planned: Any) -> int:
        self.close()
        self.node = _whole(run, active.rundir)["nodes"].get(_NODE)
        return 0
