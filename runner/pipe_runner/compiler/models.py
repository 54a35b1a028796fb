"""What a project's nodes may ask: providers, servers of tools, functions."""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any, Final

from pipe_runner.compiler.patterns import Patterns
from pipe_runner.compiler.pruning import at
from pipe_runner.compiler.report import Report, listed, short
from pipe_runner.types import Path_
from pipe_schemas.nodes import MOST_PROVIDERS

if TYPE_CHECKING:
    from pipe_runner.project import Project
    from pipe_runner.registry import Registry

BUILT_IN: Final = ("bedrock", "ollama", "openai")
"""Providers that are there without pipe.yml."""
_LIKE: Final = 0.7
"""How much a provider's name is like another one's, for it to be that name with a slip."""


class Models:
    """What a project's nodes may ask; one for all files of a compilation."""

    def __init__(self, project: Project, registry: Registry) -> None:
        self._project, self._registry = project, registry
        self._names: list[str] | None = None
        self._patterns = Patterns()

    @property
    def names(self) -> list[str]:
        """Of the providers, those of pipe.yml first; looked up when a node asks a model."""
        if self._names is None:
            written = self._project.written.get("providers", ())
            self._names = [*written, *sorted({*BUILT_IN, *self._registry.providers}.difference(written))]
        return self._names

    @property
    def default(self) -> tuple[str, ...]:
        """Whom nodes ask that name none."""
        return self._project.providers

    def described(self, options: Any) -> list[Any]:
        """What pipe.yml says of the providers of a node, as far as answers depend on it."""
        named = options.get("provider") if isinstance(options, dict) else None
        known = self._project.services.get("providers", {})
        found = [known.get(name) if isinstance(name, str) else None for name in named or ()]
        return [
            {key: value for key, value in said.items() if key not in ("limits", "prices")}
            if isinstance(said, dict)
            else None
            for said in found
        ]

    def providers(self, given: Any, path: Path_, report: Report, *, needed: bool = True) -> list[str]:
        """The providers of a node, in order; reports those that there aren't, and that none is named if it is
        `needed`."""
        if given is None:
            if not self._project.providers and needed:
                hint = "write `provider: openai` beside `agent:`, or `defaults: {provider: openai}` in pipe.yml"
                report.add(
                    "E513",
                    f"the node names no model service: there is {listed(self.names)}",
                    path[:-1],
                    at="key",
                    hint=hint,
                )
            return list(self._project.providers)
        names = [given] if isinstance(given, str) else list(given)
        for number, name in enumerate(names[:MOST_PROVIDERS]):
            listed_ = isinstance(at(report.document.data, path), list)
            place = (*path, number) if listed_ else path
            if "{{" in name or "{%" in name:
                hint = "which service gets the data must be known before the run; a list is asked in order"
                report.add("E213", "a provider can't be a template", place, hint=hint)
            elif name in names[:number]:
                report.add("E303", f"`{short(name)}` stands here twice", place)
            elif name not in self.names:
                near = report.suggest(name, self.names)
                near = near if near and SequenceMatcher(None, name, near).ratio() > _LIKE else None
                hint = f"did you mean `{near}`?" if near else f"there is {listed(self.names)}; others stand in pipe.yml"
                report.add("E512", f"there is no provider `{short(name)}`", place, hint=hint)
        return names

    def server_named(self, name: str, path: Path_, report: Report) -> None:
        """Report an MCP server that pipe.yml doesn't have."""
        known = sorted(self._project.written.get("mcp_servers", ()))
        if name not in known:
            near = report.suggest(name, known)
            hint = (
                f"did you mean `{near}`?"
                if near
                else "MCP servers stand in pipe.yml: `mcp_servers: {NAME: {command: […]}}`"
            )
            report.add("E515", f"there is no MCP server `{short(name)}`", path, hint=hint)

    def has_function(self, name: str) -> bool:
        """Whether something installed brings a function, or a recording answers for it."""
        return name in self._registry.tools.names() or self._registry.tools.recorded is not None

    def function_named(self, name: str, path: Path_, report: Report) -> None:
        """Report a function that nothing installed brings."""
        known = self._registry.tools.names()
        if name and name not in known:
            if self._registry.tools.recorded is not None:
                self._registry.tools.recorded.add(name)
                return
            near = report.suggest(name, known)
            there = f"there is {listed(known)}; " if known else ""
            bring = "entry points `pipe_runner.tools` of installed packages bring them"
            hint = f"did you mean `{near}`?" if near else f"{there}{bring}"
            report.add("E516", f"there is no function `{short(name)}`", path, hint=hint)

    def is_preset(self, name: str) -> bool:
        return self._project.presets is not None and name in self._project.presets.by_name

    def pattern_fault(self, pattern: str) -> str | None:
        return self._patterns.fault(pattern)
