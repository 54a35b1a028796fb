"""Plugins as they are found: what declares them, how each is loaded, and what must hold of one before it is used."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from pipe_runner.declared import declared
from pipe_runner.errors import PipeError

if TYPE_CHECKING:
    from pydantic import BaseModel

    from pipe_runner.models import ProviderType
    from pipe_runner.ports import Agent, AgentDescription

OURS: Final = "pipe-runner"
_PACKAGES: Final = ("pipe_agents.", "pipe_providers.")
_AGENT: Final = ("describe", "options_model", "output_schema", "perform")
_PROVIDER: Final = ("options_model", "settings", "open")
others: Final[list[str]] = []
"""Plugins of other distributions than this one of which code was imported: `module:attribute`."""


class BrokenPlugin(PipeError):
    """A plugin is installed but can't be used; says which distribution brings it, and why."""

    exit_code = 2


class Origin(NamedTuple):
    """The installed distribution that brings a plugin."""

    distribution: str
    version: str

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}"


class Clash(NamedTuple):
    """One name brought by several distributions. `used` is the one that is taken, None when none is."""

    name: str
    distributions: tuple[str, ...]
    used: str | None


class Entry(NamedTuple):
    """An entry point. `target` is `module:attribute`."""

    target: str
    distribution: str | None = None
    version: Callable[[], str] | None = None
    rivals: tuple[str, ...] = ()
    """Distributions between which nobody has decided: the name can't be used."""

    def must_be_one(self, whose: str) -> None:
        """Raises BrokenPlugin where several distributions bring it."""
        if self.rivals:
            why = f"{whose} is brought by several distributions: {', '.join(self.rivals)}"
            raise BrokenPlugin(why, hint="uninstall all but one of them")


def found_in(group: str) -> dict[str, dict[str, Entry]]:
    """What installed distributions declare in an entry-point group, by name and distribution."""
    found: dict[str, dict[str, Entry]] = {}
    for one in declared(group):
        found.setdefault(one.name, {}).setdefault(one.distribution, Entry(*one[1:]))
    return found


def choose(name: str, by_distribution: Mapping[str, Entry]) -> tuple[Entry, Clash | None]:
    """Ours wins over others; between others nobody does."""
    if len(by_distribution) == 1:
        return next(iter(by_distribution.values())), None
    rivals = tuple(sorted(by_distribution))
    ours = next((entry for dist, entry in by_distribution.items() if _normalised(dist) == OURS), None)
    if ours is not None:
        return ours, Clash(name, rivals, ours.distribution)
    return Entry("", rivals=rivals), Clash(name, rivals, None)


def _normalised(distribution: str) -> str:
    return distribution.lower().replace("_", "-").replace(".", "-")


def load(target: str, whose: str) -> Callable[..., Any]:
    """What an entry point names; imports its module. Raises BrokenPlugin with the reason."""
    from importlib import import_module

    module_name, _, attribute = target.partition("[")[0].strip().partition(":")
    if not module_name or not attribute:
        raise BrokenPlugin(f"{whose} can't be loaded: {target!r} is not `module:attribute`")
    if not is_ours(target):
        others.append(target)
    try:
        with apart(target):
            found: Any = import_module(module_name)
            for part in attribute.split("."):
                found = getattr(found, part)
    except BaseException as error:
        from pipe_runner.halfcompiled import cut_short

        half = cut_short(error)
        if half is not None:
            raise half from error
        raise broken(
            f"{whose} can't be loaded from {target}", error, hint="reinstall the distribution, or remove it"
        ) from error
    if not callable(found):
        raise BrokenPlugin(f"{whose} can't be loaded: {target} is not a class or a function that makes one")
    return cast("Callable[..., Any]", found)


def _made(factory: Callable[[], Any], whose: str) -> Any:
    try:
        with apart(getattr(factory, "__module__", "")):
            return factory()
    except BaseException as error:
        raise broken(f"{whose} can't be made", error) from error


def made_agent(factory: Callable[[], Any], whose: str) -> Agent:
    """The agent that a factory makes. Raises BrokenPlugin where it is none."""
    agent = _made(factory, whose)
    lacking = _lacking(agent, _AGENT, ("name", "version"))
    if lacking:
        raise BrokenPlugin(f"{whose} is not an agent: it has no {', '.join(lacking)}", hint="see docs/agents.md")
    about = _description(agent, whose)
    if not is_ours(type(agent).__module__):
        with suppress(Exception):  # it keeps others from setting that; then it is asked again
            agent.describe = lambda: about  # asked once, where what it prints is no part of a result
    return cast("Agent", agent)


def made_provider(factory: Callable[[], Any], whose: str) -> ProviderType:
    """The provider type that a factory makes. Raises BrokenPlugin where it is none."""
    made = _made(factory, whose)
    lacking = _lacking(made, _PROVIDER, ("summary",))
    if lacking:
        why = f"{whose} is no type of providers: it has no {', '.join(lacking)}"
        raise BrokenPlugin(why, hint="see docs/providers.md")
    return cast("ProviderType", made)


def model_of(plugin: Agent | ProviderType, whose: str) -> type[BaseModel]:
    """The model of a plugin's options. Raises BrokenPlugin where it can't say it."""
    try:
        with apart(type(plugin).__module__):
            model: Any = plugin.options_model()
    except BaseException as error:
        raise broken(f"{whose} can't say what it takes", error) from error
    if not isinstance(model, type) or not hasattr(model, "model_validate"):
        raise BrokenPlugin(f"{whose} can't say what it takes: options_model() gives {_a(model)}, and no pydantic model")
    return cast("type[BaseModel]", model)


def schema_of(plugin: Agent | ProviderType, whose: str) -> dict[str, Any]:
    """The JSON Schema of a plugin's options. Raises BrokenPlugin where it can't say it."""
    model = model_of(plugin, whose)
    try:
        return model.model_json_schema()
    except Exception as error:
        raise broken(f"{whose} can't say what it takes", error) from error


def outputs_of(agent: Agent, options: Mapping[str, Any], whose: str) -> dict[str, Any]:
    """The schema of what an agent gives with these options. Raises BrokenPlugin where the agent can't say it."""
    try:
        with apart(type(agent).__module__):
            schema: Any = agent.output_schema(options)
    except PipeError:
        raise
    except BaseException as error:
        raise broken(f"{whose} can't say what it gives", error) from error
    if not isinstance(schema, Mapping):
        why = f"output_schema() gives {_a(schema)}, and no JSON Schema as a dictionary"
        raise BrokenPlugin(f"{whose} can't say what it gives: {why}")
    return dict(schema)


def is_ours(module: str) -> bool:
    """Whether a module, or what an entry point names, is an agent or a provider of this distribution."""
    return module.startswith(_PACKAGES)


def apart(module: str) -> AbstractContextManager[Any]:
    """Around code of a plugin, whose module this is: what it prints is no part of a result."""
    return nullcontext() if is_ours(module) else _ASIDE


class _Aside:
    """Has all that this process prints go to stderr, by Python or past it; for several at the same time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._streams: dict[str, Any] = {}
        self._real: int | None = None

    def __enter__(self) -> None:
        with self._lock:
            self._users += 1
            if self._users > 1:
                return
            aside = _stderr()
            for name in ("stdout", "__stdout__", *(() if aside is sys.stderr else ("stderr", "__stderr__"))):
                self._streams[name] = getattr(sys, name)
                setattr(sys, name, aside)
            with suppress(OSError):  # one of them is closed
                self._real = os.dup(1)
                os.dup2(2, 1)

    def __exit__(self, *raised: object) -> None:
        with self._lock:
            self._users -= 1
            if self._users:
                return
            with suppress(AttributeError, OSError, ValueError):  # there is none, nobody reads it, or it was closed
                sys.stdout.flush()
            while self._streams:
                setattr(sys, *self._streams.popitem())
            real, self._real = self._real, None
            if real is not None:
                os.dup2(real, 1)
                os.close(real)


def _stderr() -> Any:
    """The runner's stream, or descriptor 2 itself where that leads elsewhere: what comes there is masked then, while
    the runner's own streams show all that they are given."""
    try:
        ours = sys.stderr.fileno() == 2
    except (AttributeError, OSError, ValueError):  # there is none, or it is no file
        ours = True
    return sys.stderr if ours else open(2, "w", 1, encoding="utf-8", errors="backslashreplace", closefd=False)


_ASIDE: Final = _Aside()
"""One for the process, as the standard streams are."""


def broken(what: str, error: BaseException, hint: str | None = None) -> BrokenPlugin:
    """The fault of a plugin that raised `error`, which goes on where it is Ctrl-C, or told already."""
    if isinstance(error, (KeyboardInterrupt, BrokenPlugin)):
        raise error
    try:
        text = str(error).strip().splitlines()
    except Exception:
        text = []
    reason = f"{type(error).__name__}: {text[0][:300]}" if text else type(error).__name__
    return BrokenPlugin(f"{what}: {reason}", hint=hint)


def _lacking(made: Any, methods: tuple[str, ...], texts: tuple[str, ...]) -> list[str]:
    lacking = [part for part in methods if not callable(getattr(made, part, None))]
    return lacking + [part for part in texts if not isinstance(getattr(made, part, None), str)]


def _description(agent: Any, whose: str) -> AgentDescription:
    from pipe_runner.ports import AgentDescription

    try:
        with apart(type(agent).__module__):
            about: Any = agent.describe()
    except BaseException as error:
        raise broken(f"{whose} can't describe itself", error) from error
    why = ""
    if not isinstance(about, AgentDescription):
        why = f"describe() gives {type(about).__name__}, and no AgentDescription"
    elif _lacking(about, (), ("summary",)):
        why = f"`summary` is {_a(about.summary)}, and no text"
    else:
        for part in ("capabilities", "secret_options"):
            found = getattr(about, part)
            if not isinstance(found, tuple | list) or not all(isinstance(one, str) for one in found):
                why = f"`{part}` is {_a(found)}, and no tuple of texts"
    if why:
        raise BrokenPlugin(f"{whose} can't describe itself: {why}", hint="see docs/agents.md")
    return cast("AgentDescription", about)


def _a(value: Any) -> str:
    """What it is, for a sentence."""
    if value is None:
        return "None"
    name = type(value).__name__
    return f"{'an' if name[:1] in 'aeiouAEIOU' else 'a'} {name}"
