"""What is known of the agents that may be chosen: their words, and the options that a task's words can fill."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from pipe_runner.errors import PipeError
from pipe_runner.plugins import model_of
from pipe_runner.routing.words import stem, stems, words

if TYPE_CHECKING:
    from pydantic import BaseModel

    from pipe_runner.ports import Agent, AgentDescription
    from pipe_runner.registry import Registry

NAMED: Final = 1.0
"""What a word of a capability counts, before it is weighed by how many agents have it."""
TITLE: Final = 0.9
"""A word of a capability's name."""
TOLD: Final = 0.35
"""A word of a summary."""


class Card:
    """One agent, as it is held against tasks."""

    def __init__(self, name: str, agent: Agent) -> None:
        self.name = name
        self.agent = agent
        self.about: AgentDescription = agent.describe()

    @property
    def summary(self) -> str:
        return self.about.summary

    @cached_property
    def phrases(self) -> dict[tuple[str, ...], dict[str, float]]:
        """Stems that stand together, and what they count for each capability; an empty one is the agent itself."""
        found: dict[tuple[str, ...], dict[str, float]] = {}

        def put(stemmed: tuple[str, ...], capability: str, counts: float) -> None:
            if stemmed:
                of = found.setdefault(stemmed, {})
                of[capability] = max(of.get(capability, 0.0), counts)

        for one in stems(self.summary):
            put((one,), "", TOLD)
        for capability in self.about.capabilities:
            for one in stems(getattr(capability, "summary", "")):
                put((one,), str(capability), TOLD)
            for one in stems(str(capability).rpartition(".")[2]):
                put((one,), str(capability), TITLE)
            for one in stems(str(capability).partition(".")[0]):
                put((one,), "", TITLE)
            for phrase in getattr(capability, "words", ()):
                put(stemmed_phrase(phrase), str(capability), NAMED)
        return found

    @cached_property
    def model(self) -> type[BaseModel] | None:
        try:
            return model_of(self.agent, self.name)
        except PipeError:  # a plugin's own fault: nothing is known of its options
            return None

    @cached_property
    def options(self) -> Mapping[str, Any]:
        """The schema of each option, references followed."""
        try:
            schema = self.model.model_json_schema() if self.model is not None else {}
        except Exception:
            return {}
        definitions = schema.get("$defs", {})
        return {name: _followed(one, definitions) for name, one in schema.get("properties", {}).items()}

    @cached_property
    def roles(self) -> dict[str, str]:
        """Which option takes what a task names, by role."""
        found: dict[str, str] = {}
        for option, schema in self.options.items():
            role = schema.get("x-task") if isinstance(schema, dict) else None
            if isinstance(role, str):
                found.setdefault(role, option)
        return found

    def takes(self, role: str) -> bool:
        """Whether an option takes things of this role."""
        return role in self.roles or (role == "hosts" and "host" in self.roles)

    def named(self, role: str) -> list[str]:
        """The options that take things of this role."""
        roles = ("host", "hosts") if role == "hosts" else (role,)
        return [self.roles[one] for one in roles if one in self.roles]

    @cached_property
    def tells(self) -> str | None:
        """The option by which it is told what of a task it does not look at."""
        return next(
            (name for name, one in self.options.items() if isinstance(one, dict) and one.get("x-task-unseen")), None
        )

    @cached_property
    def needs(self) -> tuple[str, ...]:
        """The options without which it does nothing."""
        if self.model is None:
            return ()
        return tuple(name for name, field in self.model.model_fields.items() if field.is_required())

    @property
    def can_be_filled(self) -> bool:
        """Whether a task can say all that it needs."""
        return all(name in self.roles.values() for name in self.needs)


def may_be_chosen(agent: Agent, about: AgentDescription) -> bool:
    """Whether an agent lets itself be chosen: it says by which words, and only measures, also without a model."""
    speaks = any(getattr(one, "words", ()) for one in about.capabilities)
    needs_models = about.asks_models and not hasattr(agent, "may_ask")
    return speaks and not (about.changes_things or about.runs_functions or needs_models)


def why_never(name: str, agent: Agent) -> str:
    """Why an agent is never chosen for a task."""
    card = Card(name, agent)
    if may_be_chosen(agent, card.about):
        return f"no task can say its {' and '.join(card.needs) or 'options'}"
    if card.about.changes_things or card.about.runs_functions:
        return "it does more than measure"
    if not any(getattr(one, "words", ()) for one in card.about.capabilities):
        return "it names no words by which a task would find it, or does more than measure"
    return "it does more than measure"


def cards_of(registry: Registry, names: Collection[str] | None = None) -> list[Card]:
    """The agents that may be chosen, by name; of `names` only, where they are given. Those that can't be loaded, or
    described, are left out."""
    found = []
    for name in registry.names() if names is None else sorted(set(names)):
        try:
            card = Card(name, registry.get(name))
            fits = may_be_chosen(card.agent, card.about) and card.can_be_filled and bool(card.phrases)
        except (Exception, SystemExit):  # a plugin's own fault, whatever it is, is none of the task's
            continue
        if fits:
            found.append(card)
    return found


def stemmed_phrase(text: str) -> tuple[str, ...]:
    """The stems of some words; of those that say nothing all, where there are no others."""
    return tuple(stems(text)) or tuple(stem(word) for word in words(text))


def _followed(schema: Any, definitions: Mapping[str, Any]) -> Any:
    """A schema without its outermost references, and without `null` beside one other kind."""
    for _ in range(8):
        if not isinstance(schema, dict):
            return {}
        if "$ref" in schema:
            target = definitions.get(str(schema["$ref"]).rpartition("/")[2], {})
            schema = {**target, **{key: value for key, value in schema.items() if key != "$ref"}}
            continue
        several = schema.get("anyOf")
        kinds = [one for one in several if one != {"type": "null"}] if isinstance(several, list) else []
        if len(kinds) != 1:
            return schema
        schema = {**kinds[0], **{key: value for key, value in schema.items() if key != "anyOf"}}
    return schema
