"""What crosses between the runner and its plugins: Protocols, and the frozen values that they exchange.

The values are tuples with names: several are made for every node, and each start of the command defines the classes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from pipe_runner.commands import Command as Command
from pipe_runner.commands import ProcessEnd as ProcessEnd
from pipe_runner.types import ErrorKind, EventKind, Json, JsonObject, NodeStatus

if TYPE_CHECKING:
    from pydantic import BaseModel

    from pipe_runner.messages import Bus
    from pipe_runner.models import Orchestrates, Outside


# ---------------------------------------------------------------- time


class Clock(Protocol):
    """Where time comes from; tests pass one that they move by hand."""

    def now_ns(self) -> int:
        """Wall clock, nanoseconds since 1970 UTC; for timestamps only: it may jump."""
        ...

    def monotonic(self) -> float:
        """Seconds on a clock that never jumps; for time-outs, delays and durations."""
        ...

    async def sleep(self, seconds: float) -> None: ...


# ---------------------------------------------------------------- events


class Event(NamedTuple):
    """One line of the run log, before it becomes text. `data` holds the fields besides those that every event has."""

    seq: int
    ts: str
    run: str
    event: str
    node: str | None = None
    attempt: int | None = None
    data: Mapping[str, Any] = MappingProxyType({})


class EventSink(Protocol):
    """Anything that is told every event, in order: console, telemetry, a server's stream."""

    def accept(self, event: Event) -> None: ...

    def close(self) -> None: ...


Committed = Callable[["float | None", "BaseException | None"], None]
"""Called with the seconds that a commit took, and why it failed, if it did; without both, it is to be made again."""


class Journal(Protocol):
    """The sink that is the truth. Raises StorageError from any call when the log can't be written (D7)."""

    def append(self, event: Event) -> None:
        """Write the event; survives the process when it returns (not yet the power)."""
        ...

    def commit(self) -> None:
        """Make all that was appended durable (fdatasync); with durability `os` it does nothing. May block."""
        ...

    def commit_beside(self, then: Committed) -> bool:
        """Do so without holding up the loop that asks; False: `commit` is to be called. `then` is called in the loop,
        never before this returns."""
        ...

    def put_blob(self, data: bytes) -> str:
        """Keep a large output, durable when it returns; gives its sha256 in hex."""
        ...

    def check(self) -> None:
        """Fail where the log isn't as `append` left it, since somebody removed or changed it; not during `append`."""
        ...

    def close(self) -> None: ...


# ---------------------------------------------------------------- attempts


class NodeError(NamedTuple):
    """Why an attempt failed: a kind, a sentence, and where it helps the exit code and the last 4 KiB of stderr."""

    kind: ErrorKind
    message: str
    exit_code: int | None = None
    tail: str | None = None

    def to_json(self) -> dict[str, Json]:
        data: dict[str, Json] = {"kind": str(self.kind), "message": self.message}
        if self.exit_code is not None:
            data["exit_code"] = self.exit_code
        if self.tail:
            data["tail"] = self.tail
        return data


class LeftFile(NamedTuple):
    """An artifact of a node that the attempt's node needs, for its working directory."""

    by: str
    """The node or item that has left it."""
    file: Mapping[str, Json]
    """As its event has it: `name`, `path`, `sha256`, `bytes`."""
    replaces: bool
    """It is put there whatever stands at its path; else only where nothing does."""


class Files(NamedTuple):
    """What happens with files around an attempt."""

    own_workspace: bool
    """It works in a directory that is made for it."""
    artifacts: tuple[tuple[str, str], ...]
    """What is copied into the run when it has succeeded: name, and path from the working directory."""
    left: tuple[LeftFile, ...]


class Attempt(NamedTuple):
    """One try of one node, as a serialisable value: what an executor is given, here or on another machine.

    Strings of `options` and `env` may hold secret markers (`secret_marker(name)`), which the executor replaces at the
    last moment; `secrets` names those that the node was granted.
    """

    run: str
    node: str
    number: int
    agent: str
    options: JsonObject
    env: Mapping[str, str]
    root: str
    idempotency_key: str
    secrets: tuple[str, ...] = ()
    timeout: float | None = None
    """Seconds from the start until the attempt is ended, draining of its output included."""
    output_limit: int = 16 * 2**20
    traceparent: str = ""
    validate: bool = False
    """The options hold values that only the run knows: the executor holds them against the agent's `options_model`."""
    workspace: str = ""
    """A directory that was made for this attempt, absolute: it works there and not in the root."""
    files: Files | None = None


class Outcome(NamedTuple):
    """How an attempt ended. `status` is succeeded, failed or cancelled; the output of a failed one is recorded too.

    It may also be waiting: a person decides before the run goes on, and `output` is what they are asked, as text.
    """

    status: NodeStatus
    output: Json = None
    error: NodeError | None = None
    exit_code: int | None = None
    usage: Mapping[str, Json] | None = None
    truncated: Mapping[str, Json] | None = None
    """`{bytes, sha256}` of the whole output where it was cut at the limit."""
    retry_after: float | None = None
    """Seconds that the other side asked to wait."""
    artifacts: Sequence[Mapping[str, Json]] = ()
    """Files that were copied into the run; the runner's to say, not an agent's."""


def secret_marker(name: str) -> str:
    """What stands for a secret until the executor puts the value in its place; can't occur in a file or an output."""
    return f"\x00pipe-secret:{name}\x00"


class Masker(Protocol):
    """Knows the secrets that were granted and hides every form of them (S4)."""

    def mask_text(self, text: str) -> str: ...

    def mask_json(self, value: Json) -> Json: ...

    def stream(self) -> StreamMasker: ...


class StreamMasker(Protocol):
    """Masks a byte stream whose chunks may cut a secret anywhere; holds back what could be the start of one."""

    def feed(self, data: bytes) -> bytes: ...

    def flush(self) -> bytes: ...


# ---------------------------------------------------------------- processes


class Launcher(Protocol):
    """Starts processes that can't outlive the run; one per run."""

    async def run(self, command: Command, attempt: Attempt, emit: Emit, masker: Masker) -> ProcessEnd: ...


Emit = Callable[[EventKind, Mapping[str, Any]], None]
"""Writes an event of the attempt that it was made for: `emit(EventKind.NODE_OUTPUT, {"stream": …, "text": …})`."""


class Context(NamedTuple):
    """What an agent is given beside the attempt; it finds nothing itself."""

    emit: Emit
    launcher: Launcher
    clock: Clock
    masker: Masker
    policy: Mapping[str, Any]
    """`policy` of pipe.yml."""
    secrets: Mapping[str, str]
    """Values of the secrets that the node was granted."""
    scratch: str
    """A directory of the run for files of this attempt; absolute, exists."""
    runs_in: Callable[[Attempt, int], None] | None = None
    """Told, if it is there, in which thread (its native id) the attempt's function is called: so that one which never
    gives the interpreter back is known from the others that wait for it."""
    outside: Outside | None = None
    """Models, tools and the way out, where the run has use for them."""
    earlier: Callable[[], Earlier | None] | None = None
    """What the same node of the same pipeline gave in the last run in which it succeeded; may read files, so it is
    called in a thread."""
    bus: Bus | None = None
    """Messages between the nodes of the run."""
    orchestrator: Orchestrates | None = None
    """Chooses agents for a task, and has them perform it."""
    conceal: Callable[[str], None] = lambda secret: None
    """Told a secret that the attempt came by, which is then masked as if it had been granted
    (`AgentDescription.finds_secrets`); any thread may say so."""


class Earlier(NamedTuple):
    """What a node gave in an earlier run."""

    run: str
    at: str
    """When it had ended; RFC 3339, UTC."""
    output: Json


class Agent(Protocol):
    """Performs attempts. Made once per run by calling the registered factory without arguments.

    Importing an agent's module must be cheap: `options_model` and `output_schema` import what they need when called,
    which is when a pipeline is compiled, not when it runs.
    """

    name: str
    version: str

    def describe(self) -> AgentDescription: ...

    def options_model(self) -> type[BaseModel]:
        """The pydantic model of `with:`; unknown keys are refused by the compiler."""
        ...

    def output_schema(self, options: JsonObject) -> JsonObject:
        """JSON Schema of the output, given the options as far as they are static; `{}` is anything."""
        ...

    async def perform(self, attempt: Attempt, context: Context) -> Outcome:
        """Do it once. Raise NodeFault or return a failed outcome; any other exception becomes kind `exception`.

        It is cancelled when the attempt's time is up or the run stops. `attempt.options` has been checked against
        `options_model` and is plain JSON.
        """
        ...


class Capability(str):
    """The name of something that an agent can do (`network.dns`), and what is known of it; a plain text is one, too."""

    summary: str
    words: tuple[str, ...]
    """By which a task asks for it, in lower case: `resolve`, `name server`."""

    def __new__(cls, name: str, summary: str = "", words: tuple[str, ...] = ()) -> Capability:
        made = super().__new__(cls, name)
        made.summary, made.words = summary, words
        return made


class AgentDescription(NamedTuple):
    """What `pipe agents` shows of an agent, and what a task is held against when an agent is chosen for it."""

    summary: str
    capabilities: tuple[str, ...] = ()
    """Names, or `Capability`s."""
    secret_options: tuple[str, ...] = ()
    """Options (dotted, `headers.*`) whose templates may name a secret."""
    runs_processes: bool = False
    """True: the launcher is needed, so it can be started early."""
    keeps_time: bool = False
    """True: an attempt is one command of the launcher and no more, which keeps its time, and ends it at a stop."""
    runs_functions: bool = False
    """True: runs code of the user in this process, which may start processes by itself; they are ended with the run."""
    asks_models: bool = False
    """True: it asks models, through `Context.outside`; the node's `provider:` becomes its option `provider`, a list.
    Where it asks with some options only, its method `may_ask(options)` says whether it may with these, which can hold
    templates; a node that then names no provider is none that asks."""
    goes_outside: bool = False
    """True: all that it does leaves the machine through `Context.outside`, if it is there: recordings can answer."""
    options: Mapping[str, str] = MappingProxyType({})
    changes_things: bool = False
    """True: what it does must not be done twice. Its nodes must say `effect: once`, no model gets it as a tool, and it
    is never chosen for a task."""
    asks_people: bool = False
    """True: its attempts end at once, as `WAITING`; so its nodes take no limit of time, and no `retry`."""
    finds_secrets: bool = False
    """True: it comes by secrets that nobody granted, as keys that a login gives, and tells them `Context.conceal`."""


class Executor(Protocol):
    """Where attempts are performed. Returns how an attempt ended; never calls back, never raises for a failed node."""

    async def perform(self, attempt: Attempt, emit: Emit) -> Outcome: ...

    def stop(self, grace: float, spare: tuple[str, ...] = ()) -> None:
        """End what is in flight: TERM now, KILL after `grace` seconds, at once when called again. Attempts of nodes
        whose id begins with one of `spare` go on."""
        ...

    async def close(self) -> None:
        """Leave no process behind."""
        ...


# ---------------------------------------------------------------- runs


class RunSummary(NamedTuple):
    """One row of `pipe runs`; derived from the run's log, equal however it was derived (D9)."""

    run: str
    pipeline: str
    path: str
    status: str
    started_at: str
    finished_at: str | None
    duration_s: float | None
    nodes: int
    succeeded: int
    failed: int
    attempt: int
    """1, and one more for each resume."""
    order: str = ""
    """Stands in for `started_at` in the order of runs, where the clock had been set back."""


class RunStore(Protocol):
    """The index of runs. Only ever derived: it can be deleted and is rebuilt from the logs."""

    def runs(self, limit: int | None = None) -> Sequence[RunSummary]:
        """Newest first."""
        ...

    def find(self, reference: str, where: str = "") -> str:
        """The id for an id, a unique prefix, or `latest`; raises UsageError with what was near."""
        ...

    def close(self) -> None: ...


Perform = Callable[[Attempt], Awaitable[Outcome]]
