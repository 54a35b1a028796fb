"""How a model chooses for `pipe ask`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from pipe_runner.cli.asked import whole
from pipe_runner.cli.boundary import say
from pipe_runner.cli.telling import Telling
from pipe_runner.cli.words import Given
from pipe_runner.console.words import safe
from pipe_runner.errors import InvalidPipeline, UsageError
from pipe_runner.types import NodeStatus

if TYPE_CHECKING:
    from pipe_runner.orchestrator import Orchestrator
    from pipe_runner.routing import Routing
    from pipe_runner.run import Run

_NODE: Final = "choose"
_NO_PROVIDER: Final = "E512"


def by_model(
    orchestrator: Orchestrator, routing: Routing, given: Given, root: str, state: str, most: int
) -> tuple[Routing, int]:
    """The choice by a model, in a run of its own, so that budgets, recordings and the log have it; by words where it
    fails, which is noted. The number is an exit code where somebody stopped it, or where a replay has no recording of
    the question: nobody does without."""
    from pipe_runner.cli.drafted import as_run, kept
    from pipe_runner.cli.plans import plan_for
    from pipe_runner.cli.running import perform_new
    from pipe_runner.cli.settings import run_settings
    from pipe_runner.loader.dumping import dumped
    from pipe_runner.routing.asking import ASKS, PATIENCE, answered, fallen_back, question
    from pipe_runner.routing.drafting import literal

    cards = orchestrator.cards()
    asked = literal(question(routing.task, cards, most, given.text("model")))
    node = {"agent": ASKS, "provider": given.text("provider"), "timeout": f"{PATIENCE:.0f}s", "with": asked}
    file = kept("# Chooses agents for a task of `pipe ask`.\n" + dumped({"version": 1, "nodes": {_NODE: node}}), state)
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
        if telling.missed:
            say(safe(f"error: {error.get('message', 'no recording has answered')}"))
            return routing, 1
        return fallen_back(routing, f"no model could be asked: {error.get('message', 'it failed')}"), 0
    return answered(telling.node["output"], cards, routing, most), 0


class _Choosing(Telling):
    """Says nothing: what the model answered is taken from it."""

    node: dict[str, Any] | None = None
    missed = False
    """No recording has answered the question."""

    def end(self, run: Run, active: Any, planned: Any) -> int:
        self.close()
        self.missed = active.desk is not None and bool(active.desk.misses)
        self.node = whole(run, active.rundir)["nodes"].get(_NODE)
        return 0
