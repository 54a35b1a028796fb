"""The executor of a case: ends attempts as the case says, lets others through, and remembers what each would get."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Final

from pipe_runner.cases.matching import Absent
from pipe_runner.cases.suite import Case
from pipe_runner.errors import NodeFault, PipeError
from pipe_runner.executors.local import validate_options
from pipe_runner.executors.reasons import COMMANDS
from pipe_runner.masking import NoMasking
from pipe_runner.ports import Attempt, Clock, Command, Context, Emit, Executor, Masker, NodeError, Outcome, ProcessEnd
from pipe_runner.secrets import with_secrets
from pipe_runner.types import ErrorKind, NodeStatus

if TYPE_CHECKING:
    from pipe_runner.registry import Registry

SHELL: Final = "shell"


class StandIn:
    """Stands around the executor of one run. `attempts` has the last attempt of each node, secrets put in.

    `commands` has the command that it starts, or would, of the nodes that are in `wanted`; why there is none, else.
    """

    def __init__(
        self,
        inner: Executor,
        case: Case,
        registry: Registry,
        *,
        secrets: Mapping[str, str],
        wanted: Collection[str],
        clock: Clock,
        scratch: str,
    ) -> None:
        self._inner, self._case, self._registry = inner, case, registry
        self._secrets, self._wanted, self._clock, self._scratch = secrets, wanted, clock, scratch
        self._made: dict[str, int] = {}
        self.attempts: dict[str, Attempt] = {}
        self.commands: dict[str, Command | Absent] = {}
        self.refused: dict[str, None] = {}
        """Nodes that came to be run, and may not."""
        self.unable: dict[str, None] = {}
        """Nodes that came to be run, and can't be on this system."""

    async def perform(self, attempt: Attempt, emit: Emit) -> Outcome:
        node = attempt.node
        made = self._made[node] = self._made.get(node, 0) + 1
        granted = {name: self._secrets[name] for name in attempt.secrets}
        whole = attempt
        try:
            whole = with_secrets(attempt, granted)
        except NodeFault:
            pass  # which the executor tells
        self.attempts[node] = whole
        if node in self._wanted and attempt.agent == SHELL:
            self.commands[node] = await self._command(whole, granted)
        outcomes = self._case.outcomes_for(node)
        if outcomes is None:
            described = self._registry.get(attempt.agent).describe()
            answered = self._case.replay is not None and described.goes_outside
            if not self._case.runs(node) and not answered:
                self.refused[node] = None
                return _failed(ErrorKind.REFUSED, "it is not mocked, and the case doesn't let it run")
            if not COMMANDS and described.runs_processes:
                self.unable[node] = None
                return _failed(ErrorKind.REFUSED, "it starts a command, which can't be done on this system")
            return await self._inner.perform(attempt, emit)
        try:
            if attempt.validate:
                validate_options(self._registry.get(attempt.agent), whole)
        except NodeFault as fault:
            return _failed(fault.kind, fault.message)
        return outcomes[min(made, len(outcomes)) - 1]

    def stands_in(self, attempt: Attempt) -> bool:
        """Whether a sub-pipeline is mocked as a whole, which then comes here as an attempt."""
        self.attempts[attempt.node] = attempt
        return self._case.whole(attempt.node) is not None

    async def _command(self, attempt: Attempt, granted: Mapping[str, str]) -> Command | Absent:
        """What the shell agent would start: it performs the attempt with a launcher that starts nothing."""
        launcher = _Noting()
        context = Context(lambda kind, data: None, launcher, self._clock, NoMasking(), {}, granted, self._scratch)
        try:
            if attempt.validate:
                validate_options(self._registry.get(attempt.agent), attempt)
            # The folder need not be there: what would have made it may be mocked, too.
            elsewhere = {name: value for name, value in attempt.options.items() if name != "cwd"}
            outcome = await self._registry.get(attempt.agent).perform(attempt._replace(options=elsewhere), context)
        except NodeFault as fault:
            return Absent(f"it can't be started: {fault.message}")
        except PipeError as error:
            return Absent(f"it can't be started: {error.message}")
        if launcher.command is None:
            return Absent(outcome.error.message if outcome.error is not None else "there was none")
        cwd = attempt.options.get("cwd")
        if not isinstance(cwd, str):
            return launcher.command
        return launcher.command._replace(cwd=os.path.normpath(os.path.join(attempt.root, cwd)))

    def stop(self, grace: float, spare: tuple[str, ...] = ()) -> None:
        self._inner.stop(grace, spare)

    async def close(self) -> None:
        await self._inner.close()


class _Noting:
    """A launcher that notes the command and starts nothing."""

    def __init__(self) -> None:
        self.command: Command | None = None

    async def run(self, command: Command, attempt: Attempt, emit: Emit, masker: Masker) -> ProcessEnd:
        self.command = command
        return ProcessEnd(0, None, b"null", b"", 0.0)


def _failed(kind: ErrorKind, message: str) -> Outcome:
    return Outcome(NodeStatus.FAILED, error=NodeError(kind, message))
