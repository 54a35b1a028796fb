"""Tells of models that a budget lets nobody ask, since their price is not known."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pipe_runner.console.words import plural
from pipe_runner.registry import asks_models

if TYPE_CHECKING:
    from pipe_runner.diagnostics import Diagnostic
    from pipe_runner.loader import Document
    from pipe_runner.plan import Plan, PlannedNode
    from pipe_runner.registry import Registry


def tell_unpriced(plan: Plan, document: Document, registry: Registry) -> list[Diagnostic]:
    """A warning for each, at its place in the file; `document` is the pipeline's own."""
    from pipe_runner.compiler.nodeplaces import NodePlaces
    from pipe_runner.spending.unknown import unpriced

    def asks(node: PlannedNode) -> bool:
        return asks_models(registry.get(node.agent), node.options.data)

    places = NodePlaces({plan.path: document})
    found = []
    for file, node, provider, model, others in unpriced(plan, asks, os.environ):
        options = node.options.data
        place = ("with", "model") if isinstance(options, dict) and "model" in options else ("provider",)
        who = f"{node.id} and {plural(others, 'other node')} never ask" if others else f"{node.id} never asks"
        message = f"{who} model {model} of provider {provider}: a budget bounds the cost, and its price "
        prices = f"providers: {{{provider}: {{prices: {{{model}: {{input: …, output: …}}}}}}}}"
        hint = f"write `{prices}` in pipe.yml, US dollars per million tokens, or `budget: {{unknown_cost: allow}}`"
        found.append(places.of_node(file, node, place, "W512", f"{message}is not known", hint))
    return found
