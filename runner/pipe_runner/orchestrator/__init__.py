"""Tasks in plain words, and pipelines, for programs that embed the runner: route, coordinate, execute.

from pipe_runner.orchestrator import Orchestrator

orchestrator = Orchestrator()
orchestrator.route("can we reach db.internal on 5432?").chosen()
text = orchestrator.coordinate("why is the shop slow?", agents=["network_diagnostics", "log_analysis"])
run = orchestrator.execute(text, root=Path("."))
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipe_runner.errors import InvalidPipeline, UsageError

if TYPE_CHECKING:
    from pipe_runner.compiler import Compilation
    from pipe_runner.registry import Registry
    from pipe_runner.routing import Card, Choice, Routing
    from pipe_runner.run import Run
    from pipe_runner.types import Json

__all__ = ["Orchestrator"]


class Orchestrator:
    """Chooses agents of a registry, by default those that are installed, and runs pipelines of them."""

    def __init__(self, registry: Registry | None = None) -> None:
        if registry is None:
            from pipe_runner.registry import Registry

            registry = Registry.installed()
        self.registry = registry

    def route(self, task: str, agents: Sequence[str] | None = None) -> Routing:
        """The agents for a task, the best first, each with score, words, options and why; `agents`: only of these.
        Raises UsageError for one that is never chosen."""
        from pipe_runner.routing.passwords import routed_without
        from pipe_runner.routing.scores import scored

        return routed_without(task, lambda asked: scored(asked, self.cards(agents)))

    def named(self, task: str, agents: Sequence[str]) -> Routing:
        """Exactly these agents, with what the task says for their options. Raises UsageError as `route` does."""
        from pipe_runner.routing.passwords import routed_without
        from pipe_runner.routing.scores import given

        return routed_without(task, lambda asked: given(asked, self.cards(agents), agents))

    def cards(self, agents: Sequence[str] | None = None) -> list[Card]:
        """What is known of the agents that may be chosen."""
        from pipe_runner.routing.cards import cards_of, why_never

        cards = cards_of(self.registry, agents or None)
        known = {card.name for card in cards}
        for name in agents or ():
            if name not in known:
                why = why_never(name, self.registry.get(name))  # which says what is wrong where it isn't there
                hint = "`pipe agents` lists all, with their capabilities; a node of a pipeline can name any of them"
                raise UsageError(f"the agent {name!r} is never chosen for a task: {why}", hint=hint)
        return cards

    def coordinate(self, task: str, agents: Sequence[str] | None = None, most: int = 4) -> str:
        """The text of a pipeline in which several agents look into one task at once, and what they find is merged:
        these, or as many as fit. Raises UsageError where none does."""
        routing = self.named(task, agents) if agents else self.route(task)
        chosen = routing.chosen(len(agents) if agents else most)
        if not chosen:
            raise UsageError(routing.refusal(), hint="say more of what is to be measured, or name the agents")
        return self.drafted(routing.noted(chosen), chosen)

    def drafted(self, routing: Routing, chosen: Sequence[Choice], provider: str | None = None) -> str:
        """The text of a pipeline of these choices."""
        from pipe_runner.routing.drafting import MERGES, draft

        outputs = {one.agent: self.registry.output_schema(one.agent) for one in chosen}
        return draft(routing, chosen, outputs, merges=MERGES in self.registry, provider=provider)

    def validate(self, text: str, *, root: Path, path: str = "ask.yml") -> Compilation:
        """The text as a plan, with all its faults; nothing runs."""
        from pipe_runner.compiler import compile_text

        return compile_text(text, path=os.path.join(root, path), root=root, registry=self.registry)

    def execute(
        self,
        text: str,
        *,
        root: Path,
        inputs: Mapping[str, Any] | None = None,
        state_dir: Path | None = None,
        only: Sequence[str] = (),
        environ: Mapping[str, str] | None = None,
    ) -> Run:
        """Run a pipeline to its end and give the run; `only`: these nodes, and what they need. Raises InvalidPipeline
        with all faults."""
        import anyio

        from pipe_runner.compiler import check_inputs
        from pipe_runner.engine import RunSettings, open_run

        compilation = self.validate(text, root=root)
        if compilation.plan is None:
            raise InvalidPipeline(compilation.diagnostics)
        plan = compilation.plan
        settings = RunSettings(state_dir=str(state_dir or root / ".pipe"), only=tuple(only))
        given: Mapping[str, Json] = check_inputs(plan, inputs or {})
        active = open_run(plan, given, settings, registry=self.registry.fresh(), environ=environ)
        return anyio.run(active.perform)
