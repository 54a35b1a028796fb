"""Performs attempts in this process: finds the agent, puts secrets in, keeps the time, makes every end an outcome."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextvars import ContextVar
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from pipe_runner.errors import NodeFault, PipeError, StorageError, in_seconds
from pipe_runner.executors.output import LONGEST_MESSAGE, TAIL
from pipe_runner.halts import is_stop
from pipe_runner.masking import NoMasking, SecretMasker
from pipe_runner.plugins import model_of, others
from pipe_runner.ports import Agent, Attempt, Clock, Context, Earlier, Emit, Launcher, Masker, NodeError, Outcome
from pipe_runner.types import ErrorKind, Json, NodeStatus

if TYPE_CHECKING:
    from pipe_runner.executors.asides import Asides
    from pipe_runner.executors.port_check import PortCheck
    from pipe_runner.executors.strays import Strays
    from pipe_runner.executors.timetable import Timetable
    from pipe_runner.messages import Message
    from pipe_runner.models import Orchestrates, Outside

CONTEXT: Final[ContextVar[Context]] = ContextVar("pipe_runner.context")
"""What the attempt has to which code belongs that runs in this process: a function finds there what it is part of."""

_NUMBER: Final = re.compile(r"#[0-9]+\Z")
"""By which functions are told apart that a model calls at the same time."""
_tuple: Any = tuple.__new__  # without the call that its class would make of it: one for each attempt


class Agents(Protocol):
    """The part of the registry that an executor needs."""

    def get(self, name: str) -> Agent: ...


class StoppableLauncher(Launcher, Protocol):
    """A launcher that can end what it started."""

    def stop(self, grace: float, spare: tuple[str, ...] = ()) -> None: ...

    async def close(self) -> None: ...


class OpenBus(Protocol):
    """The bus of one attempt that uses it."""

    async def publish(self, topic: str, message: Json) -> int: ...

    def subscribe(self, pattern: str, *, since: int = 0) -> Any: ...

    async def history(self, pattern: str, *, limit: int) -> Sequence[Message]: ...

    async def take(self, pattern: str) -> tuple[Any, Message | None]: ...

    def close(self) -> None: ...


class Beside(Protocol):
    """What attempts find beside them, once they ask for it."""

    def earlier(self, node: str) -> Earlier | None: ...

    def bus(self, node: str, attempt: int) -> OpenBus: ...

    def reach(self, bus: LateBus) -> Mapping[str, str]: ...

    def leave(self, bus: LateBus) -> None: ...

    def stop(self, spare: tuple[str, ...]) -> None: ...

    async def close(self) -> None: ...


class LateBus:
    """The bus of one attempt, opened when it is first used; implements the port Bus. For the run's event loop."""

    __slots__ = ("_beside", "_bus", "attempt", "loop", "node", "token")

    def __init__(self, beside: Beside, node: str, attempt: int) -> None:
        self._beside, self.node, self.attempt = beside, node, attempt
        self._bus: OpenBus | None = None
        self.token = ""
        """By which its processes are known, where they can reach the bus."""
        self.loop: asyncio.AbstractEventLoop | None = None

    def earlier(self) -> Earlier | None:
        """What the node gave in an earlier run."""
        return self._beside.earlier(self.node)

    def opened(self) -> OpenBus:
        if self._bus is None:
            self._bus = self._beside.bus(self.node, self.attempt)
        return self._bus

    async def publish(self, topic: str, message: Json) -> int:
        return await self.opened().publish(topic, message)

    def subscribe(self, pattern: str, *, since: int = 0) -> AsyncIterator[Message]:
        messages: AsyncIterator[Message] = self.opened().subscribe(pattern, since=since)
        return messages

    async def history(self, pattern: str = "#", *, limit: int = 1000) -> Sequence[Message]:
        return await self.opened().history(pattern, limit=limit)

    def environment(self) -> Mapping[str, str]:
        return self._beside.reach(self)

    def leave(self) -> None:
        """The attempt is over."""
        if self.token:
            self._beside.leave(self)
        if self._bus is not None:
            self._bus.close()


class _Known(NamedTuple):
    """An agent that was asked before, with what its attempts need."""

    agent: Agent
    keeps_time: bool
    strays: Strays | None
    """Takes what is printed in this process while its functions run."""
    check: PortCheck | None
    """Of an agent of a plugin; ours are held to the port by tests."""


class LocalExecutor:
    """The executor `local`. One per run; `secrets` holds the values of all that the plan grants to any node."""

    def __init__(
        self,
        agents: Agents,
        launcher: StoppableLauncher,
        *,
        secrets: Mapping[str, str],
        masker: Masker,
        clock: Clock,
        policy: Mapping[str, Any],
        scratch: str,
        outside: Outside | None = None,
        orchestrator: Orchestrates | None = None,
        beside: Beside | None = None,
    ) -> None:
        self._agents = agents
        self._launcher = launcher
        self._secrets = secrets
        self._masker = masker
        self._conceal = masker.add if isinstance(masker, SecretMasker) else _nothing
        self._clock = clock
        self._policy = policy
        self._scratch = scratch
        self._outside = outside
        self._orchestrator = orchestrator
        self._beside = beside
        self._hurry: Callable[[asyncio.Task[Any], Callable[[], None]], None] | None = getattr(outside, "hurry", None)
        self._loop: asyncio.AbstractEventLoop | None = None
        """The loop of the last attempt: asyncio would look for it with a system call, each time."""
        self._known: dict[str, _Known] = {}
        self._strays: Strays | None = None
        self._timetable: Timetable | None = getattr(launcher, "timetable", None)
        self._runs_in: Callable[[Attempt, int], None] | None = None
        if self._timetable is not None:
            self._timetable.watched = LocalExecutor._bounded.__code__
            self._runs_in = self._timetable.runs_in
        self.busy = False
        """Closed while a function still ran, which nothing could end."""
        self._tasks: dict[asyncio.Task[Any], str | None] = {}
        """Attempts that are ended by cancelling them, and why they were, once they were."""
        self._asides: Asides | None = None
        self._whose: dict[asyncio.Task[Any], str] = {}
        """The nodes that they are of."""

    def perform(self, attempt: Attempt, emit: Emit, own: bool = True) -> Coroutine[Any, Any, Outcome]:
        """How the attempt ended; raises only what is no fault of the node: a log that can't be written, our bugs.

        `own`: what the node gave earlier is of such an attempt, and not of one that a model's call made."""
        if isinstance(self._masker, NoMasking):
            return self._perform(attempt, emit, own)
        return self._hiding(attempt, emit, own)

    async def _hiding(self, attempt: Attempt, emit: Emit, own: bool) -> Outcome:
        return _masked(await self._perform(attempt, emit, own), self._masker)

    async def _perform(self, attempt: Attempt, emit: Emit, own: bool) -> Outcome:
        bus, mask = None, self._masker.mask_text
        try:
            name = attempt.agent
            agent, keeps_time, strays, check = self._known.get(name) or self._meet(name)
            if check is not None:
                emit = check.emit(emit)
            secrets: Mapping[str, str] = {}
            if attempt.secrets:
                from pipe_runner.secrets import with_secrets

                secrets = {name: self._secrets[name] for name in attempt.secrets}
                attempt = with_secrets(attempt, secrets)
            if attempt.validate:
                validate_options(agent, attempt)
            beside = self._beside
            if beside is not None:
                bus = LateBus(beside, attempt.node if own else _NUMBER.sub("", attempt.node), attempt.number)
            context: Context = _tuple(
                Context,
                (
                    emit,
                    self._launcher,
                    self._clock,
                    self._masker,
                    self._policy,
                    secrets,
                    self._scratch,
                    self._runs_in,
                    self._outside,
                    bus.earlier if own and bus is not None else None,
                    bus,
                    self._orchestrator,
                    self._conceal,
                ),
            )
            began = monotonic()
            coming = agent.perform(attempt, context) if keeps_time else self._bounded(agent, attempt, context, strays)
            if self._asides is None or check is None:
                return await coming
            outcome = await self._asides.perform(check.heard(coming, emit), attempt)
            return check.outcome(outcome, attempt, monotonic() - began)
        except NodeFault as fault:
            tail = mask(fault.tail or "")[-TAIL:] or None
            failed = _failed(fault.kind, mask(fault.message), fault.exit_code, tail)
            return failed._replace(retry_after=getattr(fault, "retry_after", None))
        except StorageError:
            raise
        except PipeError as error:
            return _failed(ErrorKind.EXCEPTION, error.message)
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt | GeneratorExit) or is_stop(error):
                raise
            return _failed(ErrorKind.EXCEPTION, mask(f"{type(error).__name__}: {error}".removesuffix(": ")))
        finally:
            if bus is not None and (bus._bus is not None or bus.token):
                bus.leave()

    def _meet(self, name: str) -> _Known:
        agent, check = self._agents.get(name), None
        if not type(agent).__module__.startswith("pipe_agents."):
            from pipe_runner.executors.asides import Asides
            from pipe_runner.executors.port_check import PortCheck

            self._asides = self._asides or Asides()
            check = PortCheck(agent, self._masker)
        description = agent.describe()
        # Windows has no descriptors that a loop could wait for: what processes of functions print there isn't taken.
        theirs = check is not None or (description.asks_models and bool(others))
        takes = (description.runs_functions or theirs) and sys.platform != "win32"
        strays = self._take_strays() if takes else None
        if check is not None and not description.runs_functions:
            check.strays, strays = strays, None
        known = self._known[name] = _Known(agent, description.keeps_time, strays, check)
        return known

    def _take_strays(self) -> Strays:
        if self._strays is None:
            from pipe_runner.executors.strays import Strays

            self._strays = Strays(self._masker)
        self._strays.take()
        return self._strays

    async def _bounded(self, agent: Agent, attempt: Attempt, context: Context, strays: Strays | None) -> Outcome:
        """Perform with the time kept here: the attempt is cancelled when its time is up or the run stops."""
        task = None if self._loop is None else asyncio.current_task(self._loop)
        if task is None:
            self._loop = asyncio.get_running_loop()
            task = asyncio.current_task(self._loop)
        assert task is not None
        self._tasks[task] = None
        self._whose[task] = attempt.node
        timer = None
        began = monotonic()
        timeout = attempt.timeout
        if timeout is not None:
            timer = asyncio.get_running_loop().call_later(timeout, self._end, task, "timeout", began + timeout)
            if strays is not None and self._timetable is not None:
                self._timetable.enter(attempt)
        if strays is not None:
            strays.running[task] = context.emit
        bus: Any = context[10]
        if bus is not None:
            bus.loop = self._loop
        CONTEXT.set(context)  # in a worker's task, whose next attempt sets it anew
        try:
            if self._asides is not None:
                await self._asides.wait_for_earlier(attempt.node)
            return await agent.perform(attempt, context)
        except asyncio.CancelledError as cancelled:
            why = self._tasks[task]
            if why is None:
                raise
            if why == "timeout":
                notes = "".join(f"; {note}" for note in getattr(cancelled, "__notes__", ()))
                kind = ErrorKind.UNAVAILABLE if getattr(cancelled, "unsent", False) else ErrorKind.TIMEOUT
                ended = _failed(kind, f"timed out after {in_seconds(attempt.timeout or 0)}{notes}")
                return ended._replace(usage=getattr(cancelled, "usage", None))
            return Outcome(NodeStatus.CANCELLED, error=NodeError(ErrorKind.CANCELLED, "the run was stopped"))
        finally:
            if self._timetable is not None and self._timetable.slots:
                self._timetable.leave(attempt)
            if strays is not None:
                strays.leave(task, monotonic() - began)
            if timer is not None:
                timer.cancel()
            if self._tasks.pop(task, None) is not None:
                task.uncancel()
            self._whose.pop(task, None)

    def _end(self, task: asyncio.Task[Any], why: str, until: float | None = None) -> None:
        """Cancel it. `until`, when its time was up, goes with it: what had ended by then was in time."""
        if task in self._tasks and self._tasks[task] is None:
            self._tasks[task] = why
            task.cancel(until)
            if self._asides is not None:
                self._asides.ending(task, why)

    def stop(self, grace: float, spare: tuple[str, ...] = ()) -> None:
        """End what is in flight; see the port. What runs in this process knows no TERM: it has the grace to end. Who
        waits for a model has nothing to see to, and ends at once."""
        self._launcher.stop(grace, spare) if spare else self._launcher.stop(grace)
        if self._beside is not None:
            self._beside.stop(spare)
        if self._timetable is not None and grace > 0 and not spare:
            self._timetable.hurry(grace)
        for task in [task for task, node in self._whose.items() if not (spare and node.startswith(spare))]:
            if grace <= 0:
                self._end(task, "stop")
            else:
                asyncio.get_running_loop().call_later(grace, self._end, task, "stop")
                if self._hurry is not None:
                    self._hurry(task, partial(self._end, task, "stop"))

    async def close(self) -> None:
        """Close agents that hold something, each once, and leave no process behind."""
        busy, known, self._known = self.busy, self._known, {}
        try:
            for agent, _, _, check in known.values():
                close: Callable[[], Awaitable[bool | None]] | None = getattr(agent, "close", None)
                if close is not None:
                    busy = await (close() if check is None else check.close()) is True or busy
        finally:  # whatever an agent of somebody's does when it is closed
            if self._outside is not None:
                await self._outside.close()
            if self._beside is not None:
                await self._beside.close()
            await self._launcher.close()
            busy = self.busy = busy or (self._asides is not None and self._asides.busy)
            if self._strays is not None:
                self._strays.close(busy=busy, last=getattr(self._launcher, "last", False))


def _failed(kind: ErrorKind, message: str, exit_code: int | None = None, tail: str | None = None) -> Outcome:
    error = NodeError(kind, message[:LONGEST_MESSAGE], exit_code, tail)
    return Outcome(NodeStatus.FAILED, error=error, exit_code=exit_code)


def _nothing(secret: str) -> None:
    pass


def _masked(outcome: Outcome, masker: Masker) -> Outcome:
    """Nothing that an agent returns holds a secret, whether it looked after that itself or not (S4)."""
    error, output = outcome.error, masker.mask_json(outcome.output)
    if error is not None:
        tail = None if error.tail is None else masker.mask_text(error.tail)
        error = error._replace(message=masker.mask_text(error.message), tail=tail)
    elif output is outcome.output:
        return outcome
    return outcome._replace(output=output, error=error)


def validate_options(agent: Agent, attempt: Attempt) -> None:
    """Hold the rendered options against the agent's model; raises NodeFault, without the values themselves."""
    surely_fits: Callable[[Mapping[str, Json]], bool] | None = getattr(agent, "surely_fits", None)
    if surely_fits is not None and surely_fits(attempt.options):
        return
    from pydantic import ValidationError

    try:
        model_of(agent, f"agent {agent.name!r}").model_validate(dict(attempt.options))
    except ValidationError as error:
        from pipe_runner.executors.misfits import misfits

        told = misfits(error.errors(include_url=False, include_context=False), attempt.options)
        raise NodeFault(ErrorKind.TEMPLATE, f"the values don't fit what agent {agent.name} takes: {told}") from None
