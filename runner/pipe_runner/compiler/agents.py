"""What the compiler asks of an agent: its options, its output, and where a secret may stand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from pipe_runner.compiler.kinds import ANY, Lookup, Schema
from pipe_runner.compiler.report import Report, listed, short
from pipe_runner.errors import PipeError
from pipe_runner.plugins import BrokenPlugin, model_of, outputs_of
from pipe_runner.ports import Agent
from pipe_runner.registry import Registry, UnknownPlugin
from pipe_runner.types import Path_

if TYPE_CHECKING:
    from pipe_runner.compiler.models import Models
    from pipe_runner.ports import AgentDescription
    from pipe_runner.project import Project
    from pipe_runner.routing.cards import Card
    from pipe_runner.routing.choices import Routing
    from pipe_schemas.nodes import AnyNode

MOST_TASKS: Final = 100
"""Different tasks of one pipeline for which agents are chosen before it runs."""
MOST_OF_TASKS: Final = 20_000
"""Their characters, about."""


class AgentInfo:
    """One agent that the file uses; what costs time to know is asked for once."""

    unfit: Final = ("E507", "option")
    """How a value is told that can't stand in one of its options."""

    def __init__(self, name: str, agent: Agent) -> None:
        self.name = name
        self.agent = agent
        self._outputs: dict[str, Schema] = {}

    @cached_property
    def describe(self) -> AgentDescription:
        return self.agent.describe()

    @cached_property
    def model(self) -> Any:
        return model_of(self.agent, f"agent {self.name!r}")

    @cached_property
    def names(self) -> list[str]:
        """The options that a node may write, the agent's own before those that it shares with others. Not those that
        the runner sets: the provider, which stands beside `agent:`, and what a task that chose the agent says."""
        shared = {name for base in self.model.__mro__[1:] for name in getattr(base, "model_fields", ())}
        fields = sorted(self.model.model_fields.items(), key=lambda field: field[0] in shared)
        names = [field.alias or name for name, field in fields]
        set_ = {"provider"} if self.describe.asks_models else set()
        return [name for name in names if name not in set_ and not self.option((name,)).get("x-task-unseen")]

    @cached_property
    def options(self) -> Lookup:
        """The JSON Schema of the options."""
        model = self.model
        try:
            return Lookup(model.model_json_schema())
        except Exception:  # a plugin's model may hold what has no JSON Schema; then its options are anything
            return Lookup(ANY)

    def option(self, path: Path_) -> Schema:
        """The schema of an option, by its path under `with:`; anything where nothing is known."""
        return self.options.at(path)

    def takes_secret(self, path: Path_) -> bool:
        """Whether the agent declares that a secret may stand in this option."""
        dotted = ".".join(str(step) for step in path)
        return any(fnmatchcase(dotted, pattern) for pattern in self.describe.secret_options)

    @property
    def may_do_without(self) -> bool:
        """Whether it asks models with some options only, and does its work without a model, too."""
        return self.describe.asks_models and hasattr(self.agent, "may_ask")

    def asks(self, options: Mapping[str, Any]) -> bool:
        """Whether it asks a model with these options, which may hold templates."""
        if not self.may_do_without:
            return self.describe.asks_models
        may_ask: Callable[[Mapping[str, Any]], bool] = self.agent.may_ask  # type: ignore[attr-defined]
        return may_ask(options)

    def refusal(self, options: Mapping[str, Any], policy: Mapping[str, Any]) -> str | None:
        """Why it refuses what these options, without templates, ask for, where it says that before the run."""
        says: Callable[..., str | None] | None = getattr(self.agent, "refusal", None)
        return None if says is None else says(options, policy)

    def output(self, options: Mapping[str, Any]) -> Schema:
        """The schema of the output; `options` as far as they are known before the run."""
        try:
            return outputs_of(self.agent, options, f"agent {self.name!r}")
        except PipeError:  # a plugin's own fault: what it gives is not known, the pipeline may still be right
            return ANY


class Agents:
    """The agents that one file uses, by name."""

    def __init__(self, registry: Registry, report: Report, project: Project) -> None:
        self._registry = registry
        self._report = report
        self._project = project
        self._models: Models | None = None
        self._infos: dict[str, AgentInfo | None] = {}
        self._known: list[str] = []
        self._cards: dict[tuple[str, ...] | None, list[Card]] = {}
        self._routed: dict[tuple[str, tuple[str, ...] | None], Routing] = {}

    def told_in(self, report: Report) -> Agents:
        """The same agents, for another file of the pipeline, whose faults are told in its own report."""
        other = Agents(self._registry, report, self._project)
        other._infos, other._known, other._cards = self._infos, self._known, self._cards
        other._routed = self._routed
        return other

    @property
    def models(self) -> Models:
        """What those that ask models may ask."""
        if self._models is None:
            from pipe_runner.compiler.models import Models

            self._models = Models(self._project, self._registry)
        return self._models

    def cards(self, names: Sequence[str] | None = None) -> list[Card]:
        """The agents that may be chosen for a task; of these only, where they are named."""
        from pipe_runner.routing.cards import cards_of

        key = None if names is None else tuple(names)
        if key not in self._cards:
            self._cards[key] = cards_of(self._registry, names)
        return self._cards[key]

    def routed(self, task: str, names: Sequence[str] | None) -> Routing | None:
        """Who fits a task, its passwords left out; None where the pipeline has asked for too many."""
        from pipe_runner.routing.passwords import routed_without
        from pipe_runner.routing.scores import scored

        key = (task, None if names is None else tuple(names))
        found = self._routed.get(key)
        if found is None:
            if len(self._routed) >= MOST_TASKS or sum(len(one) for one, _ in self._routed) > MOST_OF_TASKS:
                return None
            found = self._routed[key] = routed_without(task, lambda asked: scored(asked, self.cards(names or None)))
        return found

    def used(self) -> list[AgentInfo]:
        return [info for info in self._infos.values() if info is not None]

    def targets(self) -> dict[str, str]:
        """`module:attribute` of every used agent that has one."""
        found = {info.name: self._registry.target(info.name) for info in self.used()}
        return {name: target for name, target in found.items() if target is not None}

    def get(self, name: str, path: Path_) -> AgentInfo | None:
        """The agent that stands at `path`; one that can't be had is reported there, each time it is named."""
        if name not in self._infos:
            try:
                self._infos[name] = AgentInfo(name, self._registry.get(name))
            except PipeError as error:
                self._infos[name] = None
                self._tell(name, error, path)
        elif self._infos[name] is None:
            try:
                self._registry.get(name)
            except PipeError as error:
                self._tell(name, error, path)
        return self._infos[name]

    def _tell(self, name: str, error: PipeError, path: Path_) -> None:
        add = self._report.add
        if isinstance(error, BrokenPlugin):
            add("E502", error.message, path, hint=error.hint)
        elif isinstance(error, UnknownPlugin):
            presets = self._project.presets
            if presets is not None and name in presets.wrong:
                return
            if not self._known:
                self._known += sorted({*self._registry.names(), *(presets.by_name if presets is not None else ())})
            near = self._report.suggest(name, self._known)
            names = listed(self._known)
            hint = f"did you mean `{near}`?" if near else f"there is {names}" if names else "no agent is installed"
            if "{{" in name:
                hint = "an agent's name can't be a template: which one it is must be known before the run"
            add("E501", f"there is no agent `{short(name)}`", path, hint=hint)
        else:
            add("E502", error.message, path, hint=error.hint)


def unguarded(agent: str, path: Path_, report: Report) -> None:
    """Report a node whose agent changes things and which doesn't say that this happens once."""
    hint = (
        "write `effect: once` in the node: then it is never done again by itself, and after a failure a person decides"
    )
    report.add("E517", f"the agent `{short(agent)}` changes things, which must not be done twice", path, hint=hint)


def timeless(agent: str, spec: AnyNode, path: Path_, report: Report) -> None:
    """Report what bounds the time or the attempts of a node whose agent waits for a person."""
    places: list[Path_] = [(key,) for key in ("timeout", "max_time", "retry") if getattr(spec, key) is not None]
    if spec.budget is not None and spec.budget.max_time is not None:
        places.append(("budget", "max_time"))
    for place in places:
        who = f"`{short(agent)}` waits for a person, without end, outside of the run's time"
        message = f"`{place[-1]}` counts for nothing: {who}"
        hint = "leave it out; `pipe reject` or `pipe cancel` ends the wait"
        report.add("E522", message, (*path, *place), at="key", hint=hint)
