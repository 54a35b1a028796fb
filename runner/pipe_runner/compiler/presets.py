"""Presets of agents: pipe.yml gives names to agents with options, and nodes name them as they name agents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pipe_runner.compiler.report import Origin, Report, TooManyFaults, listed, short
from pipe_runner.types import Path_, Phase

if TYPE_CHECKING:
    from pipe_runner.loader import Document
    from pipe_runner.registry import Registry
    from pipe_schemas.project import PresetSpec

SHELL: Final = "shell"
OF_SHELL: Final = ("run", "argv", "shell", "cwd", "output", "stdin")
"""Options of a preset of `shell`: the keys that a node with a command has."""
_MOST_STEPS: Final = 10
_OWN_KEYS: Final = frozenset({"agent", "with", "env", "secrets", "description"})


class Placed(NamedTuple):
    """A value of pipe.yml, and where it stands there."""

    value: Any
    path: Path_


@dataclass(frozen=True, slots=True)
class Preset:
    """An agent with options and more, all presets that it is made of put together."""

    name: str
    agent: str
    """The registered one."""
    description: str
    options: Mapping[str, Placed]
    env: Mapping[str, Placed]
    secrets: tuple[Placed, ...]
    keys: Mapping[str, Placed]
    """What else a node may say: `timeout`, `retry`, …"""
    through: tuple[str, ...] = ()
    """The presets that it is made of, the nearest first."""


@dataclass(frozen=True, slots=True)
class Presets:
    """Those of one project."""

    document: Document | None = None
    by_name: Mapping[str, Preset] = field(default_factory=dict)
    wrong: frozenset[str] = frozenset()
    """Names of those that can't be used, which is told."""


NO_PRESETS: Final = Presets()


# ---------------------------------------------------------------- pipe.yml


def read_presets(
    specs: Mapping[str, PresetSpec], data: Mapping[str, Any], report: Report, registry: Registry | None
) -> Presets:
    """The presets of a project. `data` is what the file has under `agents:`; without a registry nobody knows which
    agents there are, and nothing is said of that."""
    resolving = _Resolving(specs, data, report, registry)
    found = {name: preset for name in specs if (preset := resolving.preset(name)) is not None}
    return Presets(report.document, found, frozenset(name for name in data if name not in found))


class _Resolving:
    def __init__(
        self, specs: Mapping[str, PresetSpec], data: Mapping[str, Any], report: Report, registry: Registry | None
    ) -> None:
        self._specs, self._data, self._report, self._registry = specs, data, report, registry
        self._told: set[str] = set()
        self._names = sorted({*(registry.names() if registry is not None else ()), *data})
        self._there = f"there is {listed(self._names)}"

    def preset(self, name: str) -> Preset | None:
        """One preset with those that it is made of; reports why there is none."""
        chain = self._chain(name)
        if chain is None:
            return None
        options: dict[str, Placed] = {}
        env: dict[str, Placed] = {}
        keys: dict[str, Placed] = {}
        secrets: dict[str, Placed] = {}
        for one in reversed(chain):
            data, path = self._data[one], ("agents", one)
            options.update(_placed(data.get("with"), (*path, "with")))
            env.update(_placed(data.get("env"), (*path, "env")))
            for number, secret in enumerate(data.get("secrets") or ()):
                secrets.setdefault(secret, Placed(secret, (*path, "secrets", number)))
            own = {key: value for key, value in data.items() if key not in _OWN_KEYS}
            keys.update(_placed(own, path))
        spec = self._specs[name]
        described = spec.description or ""
        agent = self._specs[chain[-1]].agent
        return Preset(name, agent, described, options, env, tuple(secrets.values()), keys, tuple(chain[1:]))

    def _chain(self, name: str) -> list[str] | None:
        """The preset, the one that it names, and so on; None where that doesn't end at an agent."""
        add, registry = self._report.add, self._registry
        if registry is not None and name in registry:
            hint = "give the preset a name of its own: what an agent's name means is the same in every project"
            add("E509", f"`{short(name)}` is the name of an agent", ("agents", name), at="key", hint=hint)
            return None
        chain = [name]
        while (target := self._specs[chain[-1]].agent) in self._data:
            path = ("agents", chain[-1], "agent")
            if target not in self._specs or (registry is not None and target in registry):
                return None  # it is wrong, which is told
            if target in chain:
                ring = chain[chain.index(target) :]
                if self._told.isdisjoint(ring):
                    way = " → ".join(short(one) for one in (*ring, target))
                    add("E510", f"these presets are made of one another: {way}", path, hint="end at an agent")
                self._told.update(ring)
                return None
            if len(chain) >= _MOST_STEPS:
                add("E510", f"more than {_MOST_STEPS} presets that are made of one another", path)
                return None
            chain.append(target)
        return chain if self._is_agent(target, ("agents", chain[-1], "agent"), chain[-1]) else None

    def _is_agent(self, name: str, path: Path_, owner: str) -> bool:
        registry = self._registry
        if registry is None or name in registry:
            return True
        if owner not in self._told:
            self._told.add(owner)
            near = self._report.suggest(name, self._names)
            hint = f"did you mean `{near}`?" if near and near != owner else self._there
            if "{{" in name:
                hint = "an agent's name can't be a template: which one it is must be known before the run"
            self._report.add("E501", f"there is no agent `{short(name)}`", path, hint=hint)
        return False


def _placed(given: Any, path: Path_) -> dict[str, Placed]:
    if not isinstance(given, dict):
        return {}
    return {key: Placed(value, (*path, key)) for key, value in given.items() if key[:2] != "x-"}


# ---------------------------------------------------------------- pipelines


def with_presets(report: Report, presets: Presets) -> None:
    """Put presets into the nodes of a file that name them: from here on such a node is what it would be if all of it
    were written there. `report` is then about that; faults are still told where each part was written."""
    if presets.document is None or not isinstance(report.document.data, dict):
        return
    data = report.data()
    weights: dict[str, int] = {}
    changed: dict[str, dict[str, Any]] = {}
    for path, node, preset in _using(data, presets):
        if preset.name not in weights:
            weights[preset.name] = _weight([one.value for one in (*preset.options.values(), *preset.env.values())])
        if not report.take(weights[preset.name]):
            message = "the presets put so much into this pipeline that nobody could read it"
            report.add("E121", message, (*path, "agent"), hint="let fewer nodes name it, or take something out of it")
            raise TooManyFaults
        phase, id = str(path[0]), str(path[1])
        nodes = changed.setdefault(phase, dict(data[phase]))
        nodes[id] = _Expanding(report, presets.document, preset, path).node(node)
        report.presets[path] = preset.name
    if changed:
        report.document = replace(report.document, data={**data, **changed})


def _using(data: Mapping[str, Any], presets: Presets) -> Iterator[tuple[Path_, dict[str, Any], Preset]]:
    for phase in Phase:
        nodes = data.get(phase.value)
        for id, node in nodes.items() if isinstance(nodes, dict) else ():
            name = node.get("agent") if isinstance(node, dict) else None
            preset = presets.by_name.get(name) if isinstance(name, str) else None
            if preset is not None and not {"run", "argv", "pipeline"}.intersection(node):
                yield (phase.value, id), node, preset


def _weight(value: Any) -> int:
    """How many values there are; long texts count as several."""
    if isinstance(value, dict):
        return 1 + sum(map(_weight, value.values()))
    if isinstance(value, list):
        return 1 + sum(map(_weight, value))
    return 1 + len(value) // 32 if isinstance(value, str) else 1


class _Expanding:
    """One node, into which a preset is put; notes where each part of it was written."""

    def __init__(self, report: Report, document: Document, preset: Preset, path: Path_) -> None:
        self._report, self._document, self._preset, self._path = report, document, preset, path
        self._used = (report.document, (*path, "agent"))

    def node(self, given: Mapping[str, Any]) -> dict[str, Any]:
        preset, out = self._preset, dict(given)
        for key, one in preset.keys.items():
            if key not in given:
                out[key] = self._taken(one, (key,))
        if preset.env:
            out["env"] = self._merged(given.get("env"), preset.env, ("env",))
        if preset.secrets:
            out["secrets"] = self._secrets(given.get("secrets"))
        options = self._merged(given.get("with"), preset.options, ("with",))
        if preset.agent != SHELL or not isinstance(options, dict):
            return {**out, "agent": preset.agent, "with": options}
        return self._command(given, out, options)

    def _taken(self, one: Placed, inner: Path_) -> Any:
        self._report.origins[(*self._path, *inner)] = Origin(self._document, one.path, self._used)
        return one.value

    def _merged(self, own: Any, preset: Mapping[str, Placed], inner: Path_) -> Any:
        """The preset's map under the node's own, key by key; what is no map is left for others to tell."""
        if own is not None and not isinstance(own, dict):
            return own
        own = own or {}
        taken = {key: self._taken(one, (*inner, key)) for key, one in preset.items() if key not in own}
        return {**taken, **own}

    def _secrets(self, own: Any) -> Any:
        if own is not None and not isinstance(own, list):
            return own
        found = list(own or ())
        for one in self._preset.secrets:
            if one.value not in found:
                found.append(self._taken(one, ("secrets", len(found))))
        return found

    def _command(self, given: Mapping[str, Any], out: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
        """A node with a command: the options of `shell` are keys of the node."""
        add, path, own = self._report.add, self._path, given.get("with") or {}
        del out["agent"]
        out.pop("with", None)
        for key in OF_SHELL:
            if key in given:
                hint = f"it is an option of the preset `{short(self._preset.name)}`: `with: {{{key}: …}}`"
                add("E201", f"`{key}` belongs to nodes with `run` or `argv`", (*path, key), at="key", hint=hint)
        for key, value in options.items():
            if key[:2] == "x-":
                continue
            if key in OF_SHELL:
                here = Origin(self._report.document, (*path, "with", key))
                origins = self._report.origins
                origins[(*path, key)] = here if key in own else origins[(*path, "with", key)]
                out[key] = value
            else:
                hint = f"there is {listed(OF_SHELL)}"
                add("E503", f"agent `shell` has no option `{short(key)}`", (*path, "with", key), at="key", hint=hint)
        if not {"run", "argv"}.intersection(out):
            add("E504", "agent `shell` needs the option `run` or `argv`", path, at="key")
            out["run"] = ":"
        return out
