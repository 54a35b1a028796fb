"""What a run gave, as the values that expectations are compared with."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from shlex import join
from typing import Any

from pipe_runner.cases.checks import OF_COMMANDS
from pipe_runner.cases.matching import Absent, Unmet, unmet
from pipe_runner.cases.standin import StandIn
from pipe_runner.cases.suite import Case
from pipe_runner.ports import Attempt, Command, Event
from pipe_runner.run import NodeState, Run
from pipe_runner.types import EventKind, Json, NodeStatus, ReadBlob, standing

_ALL_KNOWN = (NodeStatus.SUCCEEDED, NodeStatus.FAILED, NodeStatus.CANCELLED)
"""Ends of a repeated node with an output that lists all its items."""
_NOT_RUN = (NodeStatus.SKIPPED, NodeStatus.BLOCKED, NodeStatus.CANCELLED)
_VARIABLE = re.compile(r"\$\{(PIPE_V[0-9]+)\}")


def wanted_commands(expect: Mapping[str, Any]) -> frozenset[str]:
    """The nodes whose command somebody asks for."""
    nodes = expect.get("nodes") or {}
    return frozenset(
        name for name, wanted in nodes.items() if isinstance(wanted, dict) and not wanted.keys().isdisjoint(OF_COMMANDS)
    )


class Facts:
    """A run that has ended, with what its stand-in saw."""

    def __init__(self, run: Run, events: Sequence[Event], standin: StandIn, read_blob: ReadBlob, root: str) -> None:
        self._run, self._events, self._standin, self._read_blob, self._root = run, events, standin, read_blob, root

    def unmet(self, case: Case) -> list[Unmet]:
        """Every expectation of the case that isn't met; without one of its status, the run must have succeeded."""
        expect, path = case.expect, (*case.path, "expect")
        status = str(self._run.status)
        found: list[Unmet] = []
        if "status" in expect:
            found += unmet(expect["status"], status, (*path, "status"), "status")
        else:
            found += unmet("succeeded", status, case.path, "status")
        if expect.get("outputs") is not None:
            outputs: Any = self._outputs()
            if not outputs and status != "succeeded":
                outputs = Absent(f"the run has {status}")
            found += unmet(expect["outputs"], outputs, (*path, "outputs"), "outputs")
        if "error" in expect:
            found += unmet(expect["error"], _plain(self._run.error), (*path, "error"), "error")
        for node, wanted in (expect.get("nodes") or {}).items():
            place = (*path, "nodes", node)
            state = self._state(case, node)
            if isinstance(wanted, str):
                got = state if isinstance(state, Absent) else str(state.status)
                found += unmet(wanted, got, place, f"{node}.status")
                continue
            for key, value in wanted.items():
                one = state if isinstance(state, Absent) else self._of_node(node, key, value, state)
                found += unmet(value, one, (*place, key), f"{node}.{key}")
        return found

    def missing(self, case: Case) -> list[str]:
        """The items that are mocked and weren't there, where all items are known."""
        return [name for name in case.mocks if self._is_missing(case, name)]

    def there(self, case: Case) -> list[str]:
        """The items that are mocked and were there."""
        return [name for name in case.mocks if "[" in name and self._run.find(name) is not None]

    def _state(self, case: Case, name: str) -> NodeState | Absent:
        """How a node or an item ended. Of what was never there it is said what became of the node around it."""
        known = self._run.find(name)
        if known is not None:
            return known
        if self._is_missing(case, name):
            return Absent("there is no such item")
        for step in reversed(case.names.steps(name) or ()):
            around = [step.name] if step.key is None else [f"{step.name}[{step.key}]", step.name]
            for one in around:
                state = self._run.find(one)
                if state is None:
                    continue
                if state.status in _NOT_RUN:
                    return NodeState(state.status, by=state.by or (one,))
                if step.node.pipeline is not None and case.whole(one) is not None:
                    return NodeState(NodeStatus.SKIPPED, by=(one,))
        return NodeState()

    def _is_missing(self, case: Case, name: str) -> bool:
        """Whether an item was not among those that its node had, as far as these are known."""
        for step in case.names.steps(name) or ():
            fan = self._run.find(step.name)
            if step.key is None or fan is None:
                continue
            items = self._read_blob(fan.output_ref) if fan.output_ref is not None else fan.output
            if not isinstance(items, list) or fan.status not in _ALL_KNOWN:
                return False
            if not any(isinstance(one, dict) and one.get("key") == step.key for one in items):
                return True
        return False

    def _outputs(self) -> Json:
        run = self._run
        return self._read_blob(run.outputs_ref) if run.outputs_ref is not None else dict(run.outputs)

    def _of_node(self, node: str, key: str, wanted: Any, state: NodeState) -> Any:
        if key == "status":
            return str(state.status)
        if key == "output":
            return self._read_blob(state.output_ref) if state.output_ref is not None else state.output
        if key == "error":
            return _plain(state.error)
        if key in ("exit_code", "attempts", "when"):
            return getattr(state, key)
        if key == "by":
            return list(state.by)
        if key == "values":
            return _plain(state.values)
        if key == "reason":
            reasons = [e.data["reason"] for e in self._events if e.node == node and e.data.get("reason")]
            return reasons[-1] if reasons else None
        if key == "waits":
            return [e.data["delay_s"] for e in self._events if e.node == node and e.event == EventKind.NODE_RETRYING]
        attempt = self._standin.attempts.get(node)
        if attempt is None:
            return Absent(f"no attempt of it was made: it {standing(state.status)}")
        if key == "options":
            return dict(attempt.options)
        command = self._standin.commands.get(node) or Absent("it runs no command")
        return command if isinstance(command, Absent) else self._of_command(key, wanted, attempt, command)

    def _of_command(self, key: str, wanted: Any, attempt: Attempt, command: Command) -> Any:
        if key == "command":
            return readable(attempt, command)
        if key == "script":
            return attempt.options.get("script")
        if key == "argv":
            return list(command.argv)
        if key == "env":
            asked = wanted if isinstance(wanted, dict) else {}
            return {**dict.fromkeys(asked), **command.env}
        if key == "stdin":
            return None if command.stdin is None else command.stdin.decode("utf-8", "replace")
        return os.path.relpath(command.cwd, self._root).replace(os.sep, "/")


def readable(attempt: Attempt, command: Command) -> str:
    """The command for people: values in the places of the variables that carry them; no shell is given this text."""
    script = attempt.options.get("script")
    if not isinstance(script, str):
        return join(command.argv)
    variables = attempt.options.get("variables")
    given: Mapping[str, Any] = variables if isinstance(variables, dict) else {}
    return _VARIABLE.sub(lambda found: str(given.get(found[1], found[0])), script).rstrip("\n")


def _plain(value: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if value is None else dict(value)
