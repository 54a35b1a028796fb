"""Nodes that ask models: whom they ask, what the answer looks like, and what the model may use."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import TYPE_CHECKING, Any, Final

from pipe_runner.compiler.contexts import keys_of
from pipe_runner.compiler.options import check_options
from pipe_runner.compiler.report import Report, short
from pipe_runner.compiler.values import may_hold_template
from pipe_runner.text import plain_name
from pipe_runner.types import Path_
from pipe_schemas.answers import KEYWORDS, faults, patterns
from pipe_schemas.llm import MOST_MEDIA, MOST_TOOLS, NOTHING_ASKED, ONE_OF

if TYPE_CHECKING:
    from pipe_runner.compiler.agents import AgentInfo, Agents

_LLM: Final = "llm"
_STATIC: Final = {
    "output_schema": "what the answer looks like is checked before the run, and what reads it too",
    "allow_noop": "what reads the answer is checked before the run",
    "tools": "what a model may use is no value's to say",
}
_UNKNOWN: Final[dict[str, Any]] = {"output_schema": {}, "allow_noop": False, "tools": []}
"""What stands in the place of one that is wrong, so that of readers nothing is told."""
_NO_TOOL: Final = {
    "shell": "a model would write shell text: give it a function of yours, or `{agent: python, with: {call: …}}`",
    "approval": "it ends in a question to a person: let a node of its own ask",
}
_FIXED: Final = {"python": "call"}
"""Options of tools that the file says and no model chooses: what runs (S3)."""
OF_FUNCTIONS: Final = "python"
"""The agent that calls functions which are tools."""
_STAND_IN: Final = "-"


class ModelNode:
    """One node whose agent asks models."""

    def __init__(
        self, path: Path_, agents: Agents, report: Report, inside: Callable[[str, Path_], None], chosen: bool
    ) -> None:
        """`inside` reports a path that leaves the root; `chosen`: the agent is the one that `auto` has chosen."""
        self._path, self._agents, self._report, self._inside = path, agents, report, inside
        self._chosen = chosen
        self._models = agents.models

    def options(self, info: AgentInfo, given: Any, options: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """The node's options with its providers (`given` is its `provider:`), and those that are checked further:
        without what has been told to be wrong."""
        place = (*self._path, "with")
        if "provider" in options:
            hint = "`provider:` stands in the node, beside `agent:`"
            self._report.add(
                "E503", f"agent `{info.name}` has no option `provider`", (*place, "provider"), at="key", hint=hint
            )
        told = given is None and self._report.wrote(self._path, "provider")
        needed = not info.may_do_without
        place_ = (*self._path, "provider")
        before = len(self._report.found)
        providers = [] if told else self._models.providers(given, place_, self._report, needed=needed)
        if not needed and not (providers and info.asks(options)):
            if given is not None and not info.asks(options) and len(self._report.found) == before:
                self._idle(info.name, place_)
            options = {name: value for name, value in options.items() if name != "provider"}
            return options, options
        options = {**options, "provider": providers}
        if info.name != _LLM:
            return options, options
        checked = dict(options)
        self._one_question(options, checked, place, keys_of(info.model))
        for key, why in _STATIC.items():
            if may_hold_template(options.get(key)):
                self._no_template(options[key], (*place, key), why)
                del checked[key]
                options[key] = _UNKNOWN[key]
        if isinstance(checked.get("output_schema"), dict) and not self._schema(checked, (*place, "output_schema")):
            options["output_schema"] = _UNKNOWN["output_schema"]
        if isinstance(checked.get("tools"), list):
            options["tools"] = self._tools(checked["tools"], options, (*place, "tools"))
        for key in ("images", "files"):
            given_ = options.get(key)
            for number, one in enumerate(given_[:MOST_MEDIA] if isinstance(given_, list) else ()):
                if isinstance(one, str) and not may_hold_template(one):
                    self._inside(one, (*place, key, number))
        return options, checked

    def _idle(self, agent: str, place: Path_) -> None:
        """Warn of the node's own `provider`, where no model is asked; that of a preset is for others of its nodes, and
        of one beside `agent: auto` it has been told."""
        if place not in self._report.origins and not self._chosen:
            message = f"`provider` counts for nothing: the agent `{short(agent)}` asks no model with these options"
            hint = "leave it out; agents that measure ask one with `explain: true`"
            self._report.add("W511", message, place, at="key", hint=hint)

    def _one_question(
        self, options: dict[str, Any], checked: dict[str, Any], place: Path_, known: Collection[str]
    ) -> None:
        """Exactly one of `prompt` and `messages`; told here, since it is known whatever their templates give."""
        if "prompt" in options and "messages" in options:
            self._report.add("E505", ONE_OF, (*place, "messages"), at="key", hint="leave one of them out")
            del checked["messages"]
        elif "prompt" not in options and "messages" not in options:
            checked["prompt"] = _STAND_IN
            if any(self._report.misspelt(key, options, known) for key in ("prompt", "messages")):
                return
            where = place if self._report.wrote(self._path, "with") else self._path
            hint = "write `with: {prompt: …}`"
            self._report.add(
                "E504", f"agent `{_LLM}` needs the option `prompt` or `messages`", where, at="key", hint=hint
            )
        elif _only_system(options.get("messages")):
            self._report.add("E505", NOTHING_ASKED, (*place, "messages"), hint="add one with `role: user`")
            del checked["messages"]
            checked["prompt"] = _STAND_IN

    def _no_template(self, value: Any, place: Path_, why: str) -> None:
        for inner in _templates(value):
            self._report.add("E213", "a template can't stand here", (*place, *inner), hint=why)

    def _schema(self, checked: dict[str, Any], place: Path_) -> bool:
        """Whether the schema can be used; reports why not."""
        schema = checked["output_schema"]
        wrong = False
        for fault in faults(schema):
            wrong, hint = True, fault.hint
            if fault.keyword is not None:
                near = self._report.suggest(fault.keyword, KEYWORDS)
                hint = f"did you mean `{near}`?" if near else "what is yours begins with `x-`"
            self._report.add(
                "E514", fault.message, (*place, *fault.path), at="key" if fault.at_key else "value", hint=hint
            )
        for inner, pattern in () if wrong else patterns(schema):
            why = self._models.pattern_fault(pattern)
            if why is not None:
                self._report.add("E216", f"this pattern can't be used: {short(why, 200)}", (*place, *inner))
        if wrong:
            return False
        if checked.get("allow_noop") is True and "noop" in (schema.get("properties") or {}):
            message = "`allow_noop` answers `{noop: reason}`, and the schema has a property `noop` itself"
            self._report.add(
                "E505", message, (*place, "properties", "noop"), at="key", hint="call the property otherwise"
            )
        return True

    def _tools(self, tools: list[Any], options: dict[str, Any], place: Path_) -> list[Any]:
        """The tools; those that ask models ask the node's providers."""
        found: list[Any] = []
        for number, tool in enumerate(tools[:MOST_TOOLS]):  # that there are more is told
            path = (*place, number)
            if tool in tools[:number]:
                self._report.add("E303", "this tool stands here twice", path)
            elif isinstance(tool, str):
                self._named(tool, path)
            elif isinstance(tool, dict) and isinstance(tool.get("agent"), str):
                tool = self._agent(tool, options, path)
            found.append(tool)
        self._alike(tools, place)
        return found

    def _alike(self, tools: list[Any], place: Path_) -> None:
        """Report functions and agents that the model would know by one name; tools of servers bear their server's. Of a
        function that there isn't it is told already, and it may be meant to be another."""
        names: dict[str, int] = {}
        for number, tool in enumerate(tools[:MOST_TOOLS]):
            if isinstance(tool, str):
                kind, _, name = tool.partition(":")
                name = plain_name(name) if kind == "function" and self._models.has_function(name) else ""
            else:
                own, agent = (tool.get("name"), tool.get("agent")) if isinstance(tool, dict) else (None, None)
                name = own if isinstance(own, str) else plain_name(agent) if isinstance(agent, str) else ""
            first = names.setdefault(name, number)
            if name and first != number and tool not in tools[:number]:
                hint = "give an agent among them another `name`, or list one only"
                message = f"the model would know this tool and `tools[{first}]` by one name, `{short(name)}`"
                self._report.add("E520", message, (*place, number), hint=hint)

    def _named(self, tool: str, path: Path_) -> None:
        kind, _, rest = tool.partition(":")
        server, slash, name = rest.partition("/")
        if kind == "function":
            self._agents.get(OF_FUNCTIONS, path)
            self._models.function_named(rest, path, self._report)
        if kind != "mcp" or not server or not slash:
            return
        self._models.server_named(server, path, self._report)
        if name == "*":
            hint = "list the ones that it needs; what a server offers tomorrow is then not offered to the model"
            self._report.add("W504", f"the model may use all tools of `{short(server)}`", path, hint=hint)

    def _nested(self, tools: Any, path: Path_) -> None:
        """The tools of a model that is a tool itself: those that are named."""
        for number, tool in enumerate(tools[:MOST_TOOLS] if isinstance(tools, list) else ()):
            place = (*path, number)
            if isinstance(tool, str):
                self._named(tool, place)
            elif isinstance(tool, dict) and tool.get("agent") == _LLM and isinstance(tool.get("with"), dict):
                self._no_provider(_LLM, tool["with"], (*place, "with"))
                self._nested(tool["with"].get("tools"), (*place, "with", "tools"))
        if isinstance(tools, list):
            self._alike(tools, path)

    def _no_provider(self, name: str, given: dict[str, Any], place: Path_) -> None:
        """Report a `provider` of a tool: whom it asks is the node's to say."""
        if "provider" in given:
            message, hint = f"agent `{name}` as a tool has no option `provider`", "it asks the provider of its node"
            self._report.add("E503", message, (*place, "provider"), at="key", hint=hint)

    def _agent(self, tool: dict[str, Any], options: dict[str, Any], path: Path_) -> dict[str, Any]:
        name, given = tool["agent"], tool.get("with", {})
        if name in _NO_TOOL:
            self._report.add("E506", f"the agent `{name}` can't be a tool", (*path, "agent"), hint=_NO_TOOL[name])
            return tool
        if self._models.is_preset(name):
            hint = "name the agent itself, and its options under `with`"
            self._report.add("E506", f"the preset `{short(name)}` can't be a tool", (*path, "agent"), hint=hint)
            return tool
        info = self._agents.get(name, (*path, "agent"))
        if info is None or not isinstance(given, dict):
            return tool
        if info.describe.changes_things:
            hint = "give the model an agent that reads, and let a node of its own act on what it says"
            message = f"the agent `{name}` can't be a tool: it changes things"
            self._report.add("E506", message, (*path, "agent"), hint=hint)
            return tool
        fixed = _FIXED.get(name)
        if fixed is not None and fixed not in given:
            hint = f"a model can't choose it: write `with: {{{fixed}: …}}`"
            self._report.add("E504", f"the agent `{name}` as a tool needs the option `{fixed}`", path, hint=hint)
        if info.describe.asks_models:
            self._no_provider(name, given, (*path, "with"))
            given = {**given, "provider": options["provider"]}
        if info.may_do_without:
            given = {"explain": False, **given}  # as with `llm` below: what another model costs is not chosen
        if info.name == _LLM:
            self._nested(given.get("tools"), (*path, "with", "tools"))
            # a model chooses neither what another one costs, nor what it sees and may do
            given = {"model": options.get("model"), "tools": [], "images": [], "files": [], **given}
        check_options(info, given, (*path, "with"), self._report, partly=True)
        return {**tool, "with": given}


def not_asking(agent: str, path: Path_, report: Report) -> None:
    """Report `provider:` of a node whose agent has no use for it."""
    hint = "leave it out; `agent: llm` asks a model"
    report.add("E511", f"the agent `{short(agent)}` asks no model", path, at="key", hint=hint)


def _only_system(messages: Any) -> bool:
    if not isinstance(messages, list) or not messages:
        return False
    return all(isinstance(one, dict) and one.get("role") == "system" for one in messages)


def _templates(value: Any, path: Path_ = ()) -> Iterator[Path_]:
    if isinstance(value, str):
        if may_hold_template(value):
            yield path
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _templates(item, (*path, key))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _templates(item, (*path, number))
