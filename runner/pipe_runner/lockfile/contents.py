"""What `pipe.lock` says of a plan: the models that its nodes ask, and digests of what they are told and may use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from pipe_runner.errors import NodeFault, PipeError
from pipe_runner.lockfile.files import VERSION
from pipe_runner.lockfile.names import is_alias
from pipe_runner.plan import NOTHING, Plan, PlannedNode
from pipe_runner.registry import asks_models
from pipe_runner.types import Json
from pipe_schemas.encoding import canonical_json

if TYPE_CHECKING:
    from pipe_runner.calls.services import Services
    from pipe_runner.registry import Registry

_TEMPLATES: Final = ("$", "$text", "$url")
_OF_MODEL: Final = frozenset({"provider", "model", "tools"})
"""Options that are locked by name, not by digest."""
_NOT_ASKED: Final = frozenset({"limits", "prices", "type", "model"})
"""Of a provider's entry: what changes no answer, or is locked by itself."""


def digest(value: Json) -> str:
    """Of a value, whatever the order of its keys."""
    return f"sha256:{sha256(canonical_json(value).encode()).hexdigest()}"


class Contents:
    """What is locked of plans; `environ` is where providers look for what pipe.yml doesn't say."""

    def __init__(self, registry: Registry, environ: Mapping[str, str]) -> None:
        self._registry, self._environ = registry, environ
        self._written: Mapping[str, Any] = {}
        self._services: Services | None = None

    def of(self, plan: Plan, tool_lists: Mapping[str, Any] = NOTHING) -> dict[str, Any]:
        """The lock of one pipeline with its sub-pipelines, as the file has it.

        `tool_lists` are digests of what MCP servers offer, by server, of those that somebody has asked: of each tool
        by its name, or one of them all.
        """
        from pipe_runner.calls.services import Services

        written = self._written = plan.services.get("providers", {})
        self._services = Services(written, self._registry.providers, self._environ)
        pipelines: dict[str, Any] = {}
        providers: dict[str, Any] = {}
        servers: dict[str, Any] = {}
        for one in (plan, *plan.subplans.values()):
            nodes = {node.id: self._node(one, node) for node in one.nodes if self._asks(node)}
            pipelines[one.path] = {"nodes": nodes}
            for node in nodes.values():
                for model in _models_of(node):
                    name = model["provider"]
                    providers[name] = self._provider(name, written.get(name))
                for tool in node["tools"]:
                    server = server_of(tool)
                    if server is not None:
                        said = plan.services.get("mcp_servers", {}).get(server)
                        servers[server] = _server(said, tool_lists.get(server))
        return {"version": VERSION, "providers": providers, "mcp_servers": servers, "pipelines": pipelines}

    def _asks(self, node: PlannedNode) -> bool:
        return node.pipeline is None and asks_models(self._registry.get(node.agent), node.options.data)

    def _node(self, plan: Plan, node: PlannedNode) -> dict[str, Any]:
        options = as_written(node.options.data)
        given = options if isinstance(options, dict) else {}
        return {
            "agent": plan.agent_of(node).strip(),
            "models": self._models(given),
            "options": {name: digest(value) for name, value in given.items() if name not in _OF_MODEL},
            "tools": self._tools(given.get("tools")),
        }

    def _models(self, options: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Whom a node asks, in order, as the agent pairs providers with models."""
        providers = [name for name in options.get("provider") or () if isinstance(name, str)]
        named = options.get("model")
        if isinstance(named, list) and len(named) == len(providers):
            return [self._model(*pair) for pair in zip(providers, named, strict=True)]
        models = named if isinstance(named, list) else [named]
        return [self._model(provider, model) for provider in providers for model in models]

    def _model(self, provider: str, model: Any) -> dict[str, Any]:
        kind, default = self._known(provider)
        found: dict[str, Any] = {"provider": provider}
        if kind is not None:
            found["type"] = kind
        if isinstance(model, dict):
            return {**found, "model": model["template"], "template": True}
        model = model or default
        if model:
            found["model"] = model
            if is_alias(kind, model):
                found["alias"] = True
        return found

    def _known(self, provider: str) -> tuple[str | None, str | None]:
        """A provider's type and default model, as far as they can be known without asking anybody."""
        assert self._services is not None
        written = self._written.get(provider) or {}
        kind = written.get("type", provider)
        try:
            return kind, self._services.get(provider).settings.model or None
        except (NodeFault, PipeError):
            return kind, written.get("model")

    def _provider(self, name: str, written: Any) -> dict[str, Any]:
        said = written if isinstance(written, dict) else {}
        found = {"definition": digest({key: value for key, value in said.items() if key not in _NOT_ASKED})}
        kind, _ = self._known(name)
        return found if kind is None else {"type": kind, **found}

    def _tools(self, tools: Any) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for tool in tools if isinstance(tools, list) else ():
            entry: dict[str, Any] = {}
            name = str(tool)
            if isinstance(tool, dict):
                agent = str(tool.get("agent"))
                name = str(tool.get("name") or f"agent:{agent}")
                known = self._registry.get(agent)
                entry["agent"] = f"{agent} {known.version}"
                if known.describe().asks_models:
                    given = tool.get("with") or {}
                    entry["models"] = self._models(given)
                    tool = {**tool, "with": {key: said for key, said in given.items() if key not in _OF_MODEL}}
            entry["digest"] = digest(tool)
            number = sum(1 for other in found if other.partition(" #")[0] == name)
            found[f"{name} #{number + 1}" if number else name] = entry
        return found


def as_written(value: Json) -> Any:
    """A value of a plan as its file has it: each template is `{template: SOURCE}`, so that no text is taken for one."""
    if isinstance(value, list):
        return [as_written(item) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        key, inner = next(iter(value.items()))
        if key in _TEMPLATES and isinstance(inner, dict) and "s" in inner:
            source = str(inner["s"])
            return {"template": f"{{{{ {source} }}}}" if inner.get("w") and "{{" not in source else source}
        if key == "$map" and isinstance(inner, list):
            pairs: list[Any] = inner
            return {name: as_written(item) for name, item in pairs}
    return {name: as_written(item) for name, item in value.items()}


def server_of(tool: str) -> str | None:
    """The MCP server that a tool is of: `time` of `mcp:time/now`."""
    kind, _, rest = tool.partition(":")
    return rest.partition("/")[0] if kind == "mcp" else None


def aliases_in(lock: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Pipeline, node and model of each name that is only an alias."""
    for path, pipeline in lock.get("pipelines", {}).items():
        for id, node in pipeline.get("nodes", {}).items():
            for model in _models_of(node):
                if model.get("alias"):
                    yield path, id, model


def _models_of(node: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [*node["models"], *(model for tool in node["tools"].values() for model in tool.get("models", ()))]


def _server(said: Any, tools: Any) -> dict[str, Any]:
    """What is locked of a server: its entry, and its tools, which the entry may pin itself."""
    if isinstance(said, dict) and said.get("digest"):
        tools = tools or said["digest"]
        said = {key: value for key, value in said.items() if key != "digest"}
    found = {"definition": digest(said)}
    return found if tools is None else {**found, "tools": tools}
