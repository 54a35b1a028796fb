"""Finds agents by name, ours and everybody's, and loads one only when it is used."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from pipe_runner.errors import PipeError, UsageError
from pipe_runner.plugins import (
    BrokenPlugin,
    Clash,
    Entry,
    Origin,
    choose,
    found_in,
    load,
    made_agent,
    made_provider,
    outputs_of,
    schema_of,
)
from pipe_runner.types import AUTO

if TYPE_CHECKING:
    from pipe_runner.models import ProviderType
    from pipe_runner.ports import Agent

AGENTS: Final = "pipe_runner.agents"
PROVIDERS: Final = "pipe_runner.providers"
TOOLS: Final = "pipe_runner.tools"


def asks_models(agent: Agent, options: Any) -> bool:
    """Whether a planned node of this agent asks models: then the compiler has put its providers into its options.
    `auto` asks who is to be chosen, or has chosen one that asks."""
    if not isinstance(options, dict) or "provider" not in options:
        return False
    return bool(options["provider"]) if agent.name == AUTO else agent.describe().asks_models


class UnknownPlugin(UsageError):
    """No installed distribution brings a plugin of that name; `suggestion` is the nearest that there is."""

    def __init__(self, name: str, suggestion: str | None, known: tuple[str, ...]) -> None:
        hint = f"did you mean {suggestion!r}?" if suggestion else f"there are: {', '.join(known) or 'none'}"
        super().__init__(f"there is no agent {name!r}", hint=hint)
        self.name, self.suggestion, self.known = name, suggestion, known


class Registry:
    """The agents that a run, or a check, may use. Each is loaded and made once, when first asked for."""

    def __init__(self, entries: Mapping[str, Entry] | None = None, clashes: tuple[Clash, ...] = ()) -> None:
        self._entries = dict(entries or {})
        self._clashes = clashes
        self._factories: dict[str, Callable[[], Agent]] = {}
        self._agents: dict[str, Agent] = {}
        self._providers: ProviderTypes | None = None
        self._tools: ToolFunctions | None = None

    @property
    def providers(self) -> ProviderTypes:
        """The kinds of model services that there are; their metadata is read when this is first asked."""
        if self._providers is None:
            self._providers = ProviderTypes()
        return self._providers

    @property
    def tools(self) -> ToolFunctions:
        """The functions that models may be given; their metadata is read when this is first asked."""
        if self._tools is None:
            self._tools = ToolFunctions()
        return self._tools

    @classmethod
    def installed(cls, group: str = AGENTS) -> Registry:
        """Everything that installed distributions declare in an entry-point group; imports none of it."""
        entries, clashes = {}, []
        for name, by_distribution in sorted(found_in(group).items()):
            entry, clash = choose(name, by_distribution)
            entries[name] = entry
            if clash is not None:
                clashes.append(clash)
        return cls(entries, tuple(clashes))

    @classmethod
    def from_targets(cls, targets: Mapping[str, str]) -> Registry:
        """Agents known by `module:attribute` already, from a plan; reads no metadata."""
        return cls({name: Entry(target) for name, target in targets.items()})

    def fresh(self) -> Registry:
        """The same names with nothing made yet: one registry for each run."""
        other = Registry(self._entries, self._clashes)
        other._factories = dict(self._factories)
        other._providers, other._tools = self._providers, self._tools
        return other

    def register(self, name: str, factory: Callable[[], Agent]) -> None:
        """Put an agent under a name, before one of that name was made; for tests and embedding programs."""
        if name in self._agents:
            raise ValueError(f"agent {name!r} is in use already")
        self._factories[name] = factory

    def names(self) -> tuple[str, ...]:
        return tuple(sorted({*self._entries, *self._factories}))

    def __contains__(self, name: object) -> bool:
        return name in self._factories or name in self._entries

    def clashes(self) -> tuple[Clash, ...]:
        return self._clashes

    def target(self, name: str) -> str | None:
        """`module:attribute` of the agent's factory, for `from_targets`; None for a registered object."""
        if name in self._factories:
            return None
        return self._entry(name).target

    def origin(self, name: str) -> Origin | None:
        """The distribution that brings the agent; None where it was registered or came from a plan."""
        if name in self._factories:
            return None
        entry = self._entry(name)
        if entry.distribution is None:
            return None
        try:
            version = entry.version() if entry.version is not None else "unknown"
        except Exception:
            version = "unknown"
        return Origin(entry.distribution, version)

    def get(self, name: str) -> Agent:
        """The agent of that name. Raises UnknownPlugin, or BrokenPlugin with the distribution and the reason."""
        agent = self._agents.get(name)
        if agent is None:
            agent = self._agents[name] = self._make(name)
        return agent

    def get_all(self) -> dict[str, Agent]:
        """Every agent that can be loaded; `faults` has the reasons for the others."""
        agents = {}
        for name in self.names():
            try:
                agents[name] = self.get(name)
            except PipeError:
                continue
        return agents

    def faults(self) -> dict[str, PipeError]:
        """Why each of the agents that can't be loaded can't."""
        found: dict[str, PipeError] = {}
        for name in self.names():
            try:
                self.get(name)
            except PipeError as error:
                found[name] = error
        return found

    def by_capability(self, *asked: str) -> tuple[str, ...]:
        """Names of the agents that declare each of these capabilities, sorted; `network` means all of `network.…`,
        `dns` also `network.dns`."""
        found = []
        for name, agent in self.get_all().items():
            declared = agent.describe().capabilities
            if all(any(means(one, capability) for capability in declared) for one in asked):
                found.append(name)
        return tuple(found)

    def capabilities(self) -> dict[str, tuple[str, ...]]:
        """Every capability that is declared, with the names of the agents that do so; both sorted."""
        found: dict[str, list[str]] = {}
        for name, agent in self.get_all().items():
            for capability in agent.describe().capabilities:
                found.setdefault(str(capability), []).append(name)
        return {capability: tuple(found[capability]) for capability in sorted(found)}

    def clash_of(self, name: str) -> Clash | None:
        """The clash about this name, if several distributions bring it."""
        return next((clash for clash in self._clashes if clash.name == name), None)

    def _entry(self, name: str) -> Entry:
        entry = self._entries.get(name)
        if entry is None:
            from pipe_runner.diagnostics import did_you_mean

            names = self.names()
            raise UnknownPlugin(name, did_you_mean(name, names), names)
        return entry

    def _make(self, name: str) -> Agent:
        factory = self._factories.get(name)
        if factory is None:
            entry = self._entry(name)
            entry.must_be_one(f"agent {name!r}")
            whose = f"agent {name!r} of {entry.distribution or entry.target}"
            factory = load(entry.target, whose)
        else:
            whose = f"agent {name!r}"
        return made_agent(factory, whose)

    def options_schema(self, name: str) -> dict[str, Any]:
        """The JSON Schema of an agent's options. Raises BrokenPlugin where the agent can't say it."""
        return schema_of(self.get(name), f"agent {name!r}")

    def output_schema(self, name: str) -> Mapping[str, Any]:
        """The schema of what an agent gives, whatever its options. Raises BrokenPlugin where the agent can't say it."""
        return outputs_of(self.get(name), {}, f"agent {name!r}")


class ProviderTypes(Mapping[str, "ProviderType"]):
    """The kinds of model services that installed distributions bring, each loaded when first asked for."""

    def __init__(self, group: str = PROVIDERS) -> None:
        self._made: dict[str, ProviderType] = {}
        self._entries = {name: choose(name, entries)[0] for name, entries in found_in(group).items()}

    def register(self, name: str, made: ProviderType) -> None:
        """Put a kind under a name; for tests and embedding programs."""
        self._made[name] = made
        self._entries.setdefault(name, Entry(""))

    def __getitem__(self, name: str) -> ProviderType:
        """The kind of that name. Raises KeyError, or BrokenPlugin with the reason."""
        found = self._made.get(name)
        if found is None:
            whose, entry = f"provider type {name!r}", self._entries[name]
            entry.must_be_one(whose)
            found = self._made[name] = made_provider(load(entry.target, whose), whose)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._entries))

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, name: object) -> bool:
        return name in self._entries


class ToolFunctions:
    """The functions that installed distributions bring as tools; each is loaded when it is asked for."""

    def __init__(self, group: str = TOOLS) -> None:
        self._entries = {name: choose(name, entries)[0] for name, entries in found_in(group).items()}
        self._made: dict[str, Callable[..., Any]] = {}
        self.recorded: set[str] | None = None  # a set: recordings answer for those that are lacking, which come into it

    def register(self, name: str, function: Callable[..., Any]) -> None:
        """Put a function under a name; for tests and embedding programs."""
        self._made[name] = function

    def names(self) -> tuple[str, ...]:
        return tuple(sorted({*self._entries, *self._made}))

    def get(self, name: str) -> Callable[..., Any]:
        """The function of that name; imports its module. Raises BrokenPlugin with the reason."""
        found = self._made.get(name)
        if found is None:
            entry = self._entries.get(name)
            if entry is None:
                known = f"; there is {', '.join(self.names())}" if self.names() else ""
                raise BrokenPlugin(f"there is no function {name!r} in the entry points `{TOOLS}`{known}")
            entry.must_be_one(f"the function {name!r}")
            found = self._made[name] = load(entry.target, f"the function {name!r} of {entry.distribution}")
        return found


def means(asked: str, capability: str) -> bool:
    """Whether a capability is what was asked for: by its name, or by the first or the last words of it."""
    return asked == capability or capability.startswith(f"{asked}.") or capability.endswith(f".{asked}")
