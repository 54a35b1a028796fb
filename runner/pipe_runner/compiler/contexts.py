"""Which keys a map of a pipeline file may have, and what other systems call them, by the map's place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from pydantic import BaseModel

from pipe_runner.compiler import aliases
from pipe_runner.types import Path_
from pipe_schemas import fields, inputs, nodes, pipeline

PHASES = ("nodes", "on_failure", "finally")


@dataclass(frozen=True, slots=True)
class Context:
    """What is known of a map: how it is called in a sentence, its keys, and what others call them."""

    name: str
    keys: tuple[str, ...]
    others: Mapping[str, str] = field(default_factory=dict)


@cache
def keys_of(model: type[BaseModel]) -> tuple[str, ...]:
    return tuple(info.alias or name for name, info in model.model_fields.items())


_OF_BUDGET = {"max_usd": "write `max_cost:`", "timeout": "write `max_time:`"}
_UNDER_TOP: dict[str, tuple[type[BaseModel], Mapping[str, str]]] = {
    "defaults": (pipeline.DefaultsSpec, aliases.DEFAULTS),
    "concurrency": (pipeline.ConcurrencySpec, aliases.CONCURRENCY),
    "budget": (fields.BudgetSpec, _OF_BUDGET),
    "include": (pipeline.IncludeSpec, dict.fromkeys(("path", "local"), "write `file:`")),
}
UNDER_NODE: dict[str, tuple[type[BaseModel], Mapping[str, str]]] = {
    "retry": (nodes.RetrySpec, aliases.RETRY),
    "budget": (fields.BudgetSpec, _OF_BUDGET),
    "cache": (nodes.CacheSpec, aliases.CACHE),
    "artifacts": (nodes.ArtifactSpec, {}),
    "for_each": (nodes.ForEachSpec, {"in": "write `items:`", "list": "write `items:`"}),
}


def of_pipeline(path: Path_, value: Any) -> Context:
    """The context of the map at `path` of a pipeline file; `value` is that map."""
    if not path:
        return Context("a pipeline file", keys_of(pipeline.PipelineSpec), aliases.TOP)
    top = path[0]
    if top in PHASES:
        if len(path) == 2:
            kinds = [kind for kind in nodes.KINDS if isinstance(value, dict) and kind in value]
            models = [nodes.KINDS[kind] for kind in kinds] or list(nodes.KINDS.values())
            keys = dict.fromkeys(key for model in models for key in keys_of(model))
            return Context("a node", tuple(keys), aliases.NODE)
        model, others = UNDER_NODE.get(str(path[2]), (None, {}))
        return Context(f"`{path[2]}`", keys_of(model) if model else (), others)
    if top == "inputs":
        spec = inputs.InputSpec if len(path) == 2 else inputs.ValueSpec
        return Context("an input", keys_of(spec), aliases.INPUT)
    if top == "secrets":
        return Context("a secret", keys_of(pipeline.SecretSpec), aliases.SECRET)
    if top == "defaults" and len(path) > 1:
        return Context("`retry`", keys_of(nodes.RetrySpec), aliases.RETRY)
    model, others = _UNDER_TOP.get(str(top), (None, {}))
    return Context(f"`{top}`", keys_of(model) if model else (), others)
