"""For tests of pipelines, of agents and of the runner itself: fakes behind the ports, and runs in one call.

Public: what stands here is kept stable. Nothing in it is used when a pipeline is run by the command.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipe_runner.errors import InvalidPipeline, NodeFault
from pipe_runner.fakes import Answer, FakeProvider
from pipe_runner.ports import AgentDescription, Attempt, Committed, Context, Emit, Event, NodeError, Outcome
from pipe_runner.run import NodeState, Run
from pipe_runner.types import ErrorKind, Json, JsonObject, NodeStatus

if TYPE_CHECKING:
    from pydantic import BaseModel

    from pipe_runner.registry import Registry

__all__ = [
    "Answer",
    "FakeAgent",
    "FakeClock",
    "FakeExecutor",
    "FakeProvider",
    "FinishedRun",
    "MemoryJournal",
    "failed",
    "run_pipeline",
    "succeeded",
]


def succeeded(output: Json = None) -> Outcome:
    """An outcome for fakes to return."""
    return Outcome(NodeStatus.SUCCEEDED, output)


def failed(
    kind: ErrorKind = ErrorKind.EXIT, message: str = "failed on purpose", exit_code: int | None = None
) -> Outcome:
    """An outcome for fakes to return."""
    return Outcome(NodeStatus.FAILED, error=NodeError(kind, message, exit_code), exit_code=exit_code)


class FakeClock:
    """A clock on which sleeping takes no time: it moves itself, and remembers the `sleeps` (seconds)."""

    def __init__(self, now_ns: int = 1_700_000_000_000_000_000) -> None:
        self.wall_ns = now_ns
        self.seconds = 1000.0
        self.sleeps: list[float] = []

    def now_ns(self) -> int:
        return self.wall_ns

    def monotonic(self) -> float:
        return self.seconds

    def advance(self, seconds: float) -> None:
        self.seconds += seconds
        self.wall_ns += int(seconds * 1e9)

    async def sleep(self, seconds: float) -> None:
        import anyio

        self.sleeps.append(seconds)
        await anyio.lowlevel.checkpoint()
        self.advance(seconds)


@dataclass
class MemoryJournal:
    """A journal that keeps its events in a list; `durable` counts those that were committed."""

    events: list[Event] = field(default_factory=list)
    blobs: dict[str, bytes] = field(default_factory=dict)
    durable: int = 0
    commits: int = 0
    fail_on: Callable[[Event], Exception | None] | None = None
    """Gives the error that appending this event raises, or None."""

    def append(self, event: Event) -> None:
        error = self.fail_on(event) if self.fail_on is not None else None
        if error is not None:
            raise error
        self.events.append(event)

    def commit(self) -> None:
        self.commits += 1
        self.durable = len(self.events)

    def commit_beside(self, then: Committed) -> bool:
        """Leave it to `commit`, which takes no time."""
        return False

    def put_blob(self, data: bytes) -> str:
        digest = sha256(data).hexdigest()
        self.blobs[digest] = data
        return digest

    def check(self) -> None:
        pass

    def close(self) -> None:
        pass


Script = Callable[[Attempt], Outcome | Awaitable[Outcome]]


@dataclass
class FakeExecutor:
    """An executor that does what a function says; `attempts` are all that it was given, in order of their start."""

    script: Script = lambda attempt: succeeded()
    attempts: list[Attempt] = field(default_factory=list)
    stops: list[float] = field(default_factory=list)
    running: int = 0
    most: int = 0
    """The largest number of attempts that were in flight at once."""

    async def perform(self, attempt: Attempt, emit: Emit) -> Outcome:
        self.attempts.append(attempt)
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            outcome = self.script(attempt)
            return outcome if isinstance(outcome, Outcome) else await outcome
        finally:
            self.running -= 1

    def stop(self, grace: float, spare: tuple[str, ...] = ()) -> None:
        self.stops.append(grace)

    async def close(self) -> None:
        pass

    @property
    def order(self) -> list[str]:
        return [attempt.node for attempt in self.attempts]


class FakeAgent:
    """An agent that takes any options and calls a function with them; raise NodeFault in it to fail."""

    version = "1"

    def __init__(self, name: str, function: Callable[[Mapping[str, Any]], Json]) -> None:
        self.name = name
        self.calls: list[Attempt] = []
        self._function = function

    def describe(self) -> AgentDescription:
        return AgentDescription(summary="a function that stands in for an agent")

    def options_model(self) -> type[BaseModel]:
        from pydantic import BaseModel, ConfigDict

        class Options(BaseModel):
            model_config = ConfigDict(extra="allow")

        return Options

    def output_schema(self, options: JsonObject) -> JsonObject:
        return {}

    async def perform(self, attempt: Attempt, context: Context) -> Outcome:
        self.calls.append(attempt)
        try:
            return succeeded(self._function(attempt.options))
        except NodeFault as fault:
            return failed(fault.kind, fault.message, fault.exit_code)


@dataclass(frozen=True)
class FinishedRun:
    """A run that has ended, with its log's events."""

    run: Run
    events: Sequence[Event]
    root: Path
    state_dir: Path

    @property
    def status(self) -> str:
        return str(self.run.status)

    @property
    def statuses(self) -> dict[str, str]:
        return {node: str(state.status) for node, state in self.run.nodes.items()}

    @property
    def outputs(self) -> dict[str, Any]:
        return dict(self.run.outputs)

    def node(self, name: str) -> NodeState:
        return self.run.nodes[name]

    def output(self, name: str) -> Json:
        """The node's output, read from its blob where it is large."""
        state = self.run.nodes[name]
        if state.output_ref is None:
            return state.output
        from pipe_runner.runlog import RunDir, read_blob

        return read_blob(RunDir.open(self.state_dir, self.run.id), state.output_ref)


def run_pipeline(
    text: str,
    *,
    inputs: Mapping[str, Json] | None = None,
    agents: Mapping[str, Callable[[Mapping[str, Any]], Json]] | None = None,
    providers: Mapping[str, FakeProvider] | None = None,
    tools: Mapping[str, Callable[..., Any]] | None = None,
    root: Path | None = None,
    environ: Mapping[str, str] | None = None,
    only: Sequence[str] = (),
    grace: float = 1.0,
) -> FinishedRun:
    """Compile this pipeline and run it, for real, in `root` (by default a new directory, which is removed when the
    process ends).

    `agents` adds fake agents by name, `providers` model services, `tools` functions that models may call. Raises
    InvalidPipeline with all diagnostics.
    """
    from pipe_runner.registry import Registry

    registry = Registry.installed()
    for name, function in (agents or {}).items():
        registry.register(name, lambda name=name, function=function: FakeAgent(name, function))  # type: ignore[misc]
    for name, provider in (providers or {}).items():
        registry.providers.register(name, provider)
    for name, tool in (tools or {}).items():
        registry.tools.register(name, tool)
    return run_text(text, registry, root=root, inputs=inputs or {}, environ=environ, only=only, grace=grace)


def run_text(
    text: str,
    registry: Registry,
    *,
    root: Path | None,
    inputs: Mapping[str, Json],
    environ: Mapping[str, str] | None = None,
    only: Sequence[str] = (),
    grace: float = 1.0,
) -> FinishedRun:
    """`run_pipeline` with a registry of the caller's."""
    import asyncio

    import anyio

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        pass
    else:  # a test that is async itself, a notebook: the run has a loop of its own, in a thread
        from concurrent.futures import ThreadPoolExecutor

        more: dict[str, Any] = {"root": root, "inputs": inputs, "environ": environ, "only": only, "grace": grace}
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(run_text, text, registry, **more).result()
    from pipe_runner.compiler import check_inputs, compile_text
    from pipe_runner.engine import RunSettings, open_run
    from pipe_runner.runlog import read_log

    root = _temporary() if root is None else root
    compilation = compile_text(text, path=str(root / "pipeline.yml"), root=root, registry=registry)
    if compilation.plan is None:
        raise InvalidPipeline(compilation.diagnostics)
    plan = compilation.plan
    settings = RunSettings(state_dir=root / ".pipe", only=tuple(only), grace=grace)
    active = open_run(plan, check_inputs(plan, inputs), settings, registry=registry, environ=environ)
    run = anyio.run(active.perform)
    return FinishedRun(run, list(read_log(active.rundir.log_path).events), root, root / ".pipe")


def _temporary() -> Path:
    """A new directory, there until this process ends."""
    root = tempfile.mkdtemp(prefix="pipe-test-")
    atexit.register(_remove, root, os.getpid())
    return Path(root)


def _remove(folder: str, owner: int) -> None:
    if os.getpid() == owner:  # a forked child ends before the process whose it is
        shutil.rmtree(folder, ignore_errors=True)
