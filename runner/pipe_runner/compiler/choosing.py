"""`agent: auto`: who performs a node's task, chosen before the run where the file has the task itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from pipe_runner.compiler.agents import MOST_OF_TASKS, MOST_TASKS, AgentInfo, Agents
from pipe_runner.compiler.kinds import Lookup, Schema
from pipe_runner.compiler.options import check_options
from pipe_runner.compiler.report import TITLE, Report, listed, short
from pipe_runner.compiler.values import may_hold_template
from pipe_runner.routing.asking import ASKS
from pipe_runner.routing.choices import MOST, Choice
from pipe_runner.routing.options import accepted
from pipe_runner.routing.passwords import without_passwords
from pipe_runner.types import AUTO, Path_
from pipe_schemas.auto import SET_BEFORE

if TYPE_CHECKING:
    from pipe_runner.compiler.drafts import Draft
    from pipe_runner.routing.cards import Card
    from pipe_schemas.nodes import AgentNode

_OURS: Final = ("provider", *SET_BEFORE)
"""Options that are set here, and by no file; `provider:` stands in the node."""
_STATIC: Final = ("agents", "most", "by", "model")

Resolved = tuple[str, dict[str, Any], Path_]
"""The agent, what it is given, and where that stands."""


class WithinOptions(AgentInfo):
    """An agent that was chosen: what it takes stands under `with.options`."""

    def __init__(self, chosen: AgentInfo) -> None:
        super().__init__(chosen.name, chosen.agent)
        self._chosen = chosen

    @property
    def options(self) -> Lookup:
        """Asked for once for all nodes of the agent."""
        return self._chosen.options

    def option(self, path: Path_) -> Schema:
        return super().option(path[1:])

    def takes_secret(self, path: Path_) -> bool:
        return super().takes_secret(path[1:])


class Choosing:
    """One node with `agent: auto`."""

    def __init__(self, draft: Draft, agents: Agents, report: Report) -> None:
        self._draft, self._agents, self._report = draft, agents, report
        self._place = (*draft.path, "with")

    def resolved(self, spec: AgentNode) -> Resolved:
        """The chosen agent with its options where it is one and known now; else `auto` with all that a run needs."""
        given = {key: value for key, value in spec.with_.items() if key[:2] != "x-"}
        for ours in [key for key in _OURS if key in given]:
            key = str(ours)
            hint = "`provider:` stands in the node, beside `agent:`" if key == "provider" else None
            place = (*self._place, key)
            self._report.add("E503", f"agent `{AUTO}` has no option `{key}`", place, at="key", hint=hint)
            del given[key]
        for key in [key for key in _STATIC if may_hold_template(given.get(key))]:
            hint = "who may be chosen, and how, must be known before the run"
            self._report.add("E213", "a template can't stand here", (*self._place, key), hint=hint)
            del given[key]
        by_model = given.get("by") == "model"
        self._providers(spec, given, by_model)
        if "model" in given and given.get("by", "words") == "words":
            hint = "write `by: model` and the node's `provider:`, or leave it out"
            place = (*self._place, "model")
            self._report.add(
                "E212", "`model` says nothing without `by: model`: words choose", place, at="key", hint=hint
            )
            del given["model"]
        task, options = given.get("task"), given.get("options", {})
        cards = self._cards(given.get("agents"))
        if not isinstance(task, str) or not task or not isinstance(options, dict) or cards is None:
            return AUTO, given, self._place
        if given.get("by", "words") not in ("words", "model"):
            return AUTO, given, self._place
        if may_hold_template(task):
            return self._later(given, cards, by_model)
        given["task"] = without_passwords(task)
        return self._later(given, cards, by_model) if by_model else self._now(task, given, options, cards)

    # ------------------------------------------------------------ the two ways

    def _now(self, task: str, given: dict[str, Any], options: Mapping[str, Any], cards: list[Card]) -> Resolved:
        most = given.get("most", 1)
        if type(most) is not int or not 1 <= most <= MOST:
            return AUTO, given, self._place
        names = given.get("agents")
        routing = self._agents.routed(task, names)
        if routing is None:
            message = f"the pipeline has more than {MOST_TASKS} tasks, or {MOST_OF_TASKS} characters of them"
            hint = "name the agents of the others, or give tasks by an input: then they are chosen for when they run"
            self._report.add("E505", message, (*self._place, "task"), hint=hint)
            return AUTO, given, self._place
        chosen = routing.chosen(most)
        if not chosen:
            hint = "say more of what is to be measured, or name the agent; `pipe agents --capability NAME` lists them"
            message = f"no agent fits the task: its words are not those of {listed([card.name for card in cards])}"
            self._report.add("E518", message, (*self._place, "task"), hint=hint)
            return AUTO, given, self._place
        by_name = {card.name: card for card in cards}
        found, unknown = accepted(chosen, by_name, options)
        if len(chosen) > 1:
            for key in unknown:
                who = listed([one.agent for one in chosen])
                self._report.add(
                    "E503", f"{who} have no option `{short(key)}`", (*self._place, "options", key), at="key"
                )
        self._draft.chosen = [_told(one, own) for one, own in zip(chosen, found, strict=True)]
        self._draft.title = short(f"agent {AUTO}: {', '.join(one.agent for one in chosen)}", TITLE)
        if len(chosen) == 1:
            return chosen[0].agent, found[0], (*self._place, "options")
        for one, own in zip(chosen, found, strict=True):
            info = self._agents.get(one.agent, self._place)
            if info is not None:
                check_options(info, own, (*self._place, "options"), self._report)
        kept = {key: value for key, value in given.items() if key != "options"}
        return AUTO, {**kept, "chosen": self._draft.chosen}, self._place

    def _later(self, given: dict[str, Any], cards: list[Card], by_model: bool) -> Resolved:
        for card in cards:  # they are part of the plan: the run knows no others
            self._agents.get(card.name, self._place)
        if by_model:
            self._agents.get(ASKS, self._place)
        return AUTO, {**given, "known": {card.name: card.agent.version for card in cards}}, self._place

    # ------------------------------------------------------------ what stands in the file

    def _cards(self, names: Any) -> list[Card] | None:
        """Who may be chosen; reports those that can't be, and gives None where nobody is left."""
        place = (*self._place, "agents")
        if names is not None and not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
            return None
        if names == []:
            return None  # nobody: the check of the options says so
        cards = self._agents.cards(names)
        known = {card.name for card in cards}
        for number, name in enumerate(names or ()):
            if name not in known and self._agents.get(name, (*place, number)) is not None:
                message = f"the agent `{short(name)}` is never chosen for a task: it does more than measure"
                hint = "write a node of its own for it, `agent: " + short(name) + "`"
                self._report.add("E519", message, (*place, number), hint=hint)
        if not cards and not names:
            self._report.add("E518", "there is no agent that may be chosen for a task", (*self._draft.path, "agent"))
        return cards or None

    def _providers(self, spec: AgentNode, given: dict[str, Any], by_model: bool) -> None:
        """Whom the choice by a model asks, and those that explain what an agent found."""
        options = given.get("options")
        explains = isinstance(options, dict) and options.get("explain") is True
        if not by_model and not explains:
            if spec.provider is not None and given.get("by", "words") == "words" and not _may_explain(options):
                hint = "write `by: model` under `with:`, or leave it out"
                message = "`provider` says nothing without `by: model`: words choose, and nobody is asked"
                self._report.add("E212", message, (*self._draft.path, "provider"), at="key", hint=hint)
            return
        if spec.provider is None and self._report.wrote(self._draft.path, "provider"):
            return
        place = (*self._draft.path, "provider")
        given["provider"] = self._agents.models.providers(spec.provider, place, self._report)


def _may_explain(options: Any) -> bool:
    """Whether a value that is wrong, or known later, stands where a model would be let explain."""
    return isinstance(options, dict) and options.get("explain") not in (None, False)


def _told(one: Choice, options: dict[str, Any]) -> dict[str, Any]:
    return {"agent": one.agent, "score": one.score, "why": one.why, "options": options}
