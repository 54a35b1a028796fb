"""What is asked of a model and what it answers, and the ports of those who carry it: providers, tools, the way out.

Imported only where a plan uses models or tools. The values are tuples with names and become JSON as they stand, so that
a request can be recorded, compared and sent to another machine.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, Protocol

from pipe_runner.errors import NodeFault
from pipe_runner.ports import Attempt, Emit, Outcome
from pipe_runner.types import ErrorKind, Json, JsonObject

if TYPE_CHECKING:
    import asyncio

    from pydantic import BaseModel

# ---------------------------------------------------------------- what is asked


class Media(NamedTuple):
    """An image or a document that goes with a message."""

    media_type: str
    """As `image/png` or `application/pdf`."""
    data: str
    """Base64."""
    name: str = ""


class ToolCall(NamedTuple):
    """A model wants a tool to be called."""

    id: str
    name: str
    arguments: JsonObject
    fault: str | None = None
    """Why the arguments can't be used, where the model gave what is no JSON object; `arguments` is then empty."""


class Thought(NamedTuple):
    """What a model thought before it called tools, for its service alone: neither shown nor recorded."""

    provider: str
    model: str
    said: Json


class Message(NamedTuple):
    """One turn. `tool` answers one call of the assistant's turn before it."""

    role: Literal["system", "user", "assistant", "tool"]
    text: str = ""
    media: tuple[Media, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""
    failed: bool = False
    """Of a tool's answer: it is an error."""
    thought: Thought | None = None


class ToolSpec(NamedTuple):
    """A tool as the model is told of it. `parameters` is the JSON Schema of an object."""

    name: str
    description: str
    parameters: JsonObject


class ModelRequest(NamedTuple):
    """One call, in the same words for every provider. What is None is left to the provider."""

    model: str
    messages: tuple[Message, ...]
    tools: tuple[ToolSpec, ...] = ()
    tool_choice: Literal["auto", "none", "required"] = "auto"
    output_schema: JsonObject | None = None
    """The answer is to be JSON of this schema; the provider is told in the way that it knows."""
    max_tokens: int | None = None
    """Of the answer, at most."""
    temperature: float | None = None
    top_p: float | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    timeout: float | None = None
    """Seconds for the whole call."""
    traceparent: str = ""

    def to_json(self) -> dict[str, Any]:
        """The request as plain data, without what is as by default and without what differs from run to run."""
        data: dict[str, Any] = {"model": self.model, "messages": [_set(m) for m in self.messages]}
        if self.tools:
            data["tools"] = [tool._asdict() for tool in self.tools]
        for name in ("tool_choice", "output_schema", "max_tokens", "temperature", "top_p", "stop", "seed"):
            value = getattr(self, name)
            if value != self._field_defaults[name]:
                data[name] = list(value) if isinstance(value, tuple) else value
        return data


class ModelChoice(NamedTuple):
    """One way to have a request answered; a sequence of them is a fallback order."""

    provider: str
    """A name of `providers` in pipe.yml, or a built-in one."""
    model: str
    """Empty: the provider's own default, by its settings."""


# ---------------------------------------------------------------- what comes back


class Finish(StrEnum):
    """Why an answer ended."""

    STOP = "stop"
    LENGTH = "length"
    TOOL_CALLS = "tool_calls"
    REFUSED = "refused"
    """The model or its service declined."""
    OTHER = "other"


class Usage(NamedTuple):
    """Tokens of one call, as the service counted them."""

    input: int
    """All that was read, cached ones included."""
    output: int
    """All that was written, reasoning included."""
    cached: int = 0
    """Of `input`: read from the service's cache."""
    cache_written: int = 0
    """Of `input`: written to the service's cache."""
    reasoning: int = 0
    """Of `output`: thought, not said."""
    audio: int = 0
    """Of `input`: heard, which costs more than what is read at some services."""


class ModelResponse(NamedTuple):
    """An answer, whole."""

    text: str
    finish: Finish
    tool_calls: tuple[ToolCall, ...] = ()
    usage: Usage | None = None
    """None: the service didn't say."""
    cost: float | None = None
    """US dollars; None: the price is not known."""
    provider: str = ""
    model: str = ""
    """The one that answered, as the service names it."""
    request_id: str | None = None
    latency: float = 0.0
    """Seconds from sending until the answer was whole."""
    first_piece: float | None = None
    """Seconds until its first piece, where it was streamed."""
    thought: Thought | None = None


class Reason(StrEnum):
    """Why a call failed, in the same words for every provider."""

    RATE_LIMITED = "rate_limited"
    UNAVAILABLE = "unavailable"
    TIMED_OUT = "timed_out"
    """After it was sent: nobody knows whether the service answered, and it may cost money (V3)."""
    REFUSED = "refused"
    TOO_LONG = "too_long"
    CREDENTIALS = "credentials"
    INVALID_OUTPUT = "invalid_output"
    NOT_FOUND = "not_found"
    """There is no such model, or no such service at this address."""


KIND_OF: Final[Mapping[Reason, ErrorKind]] = {
    Reason.RATE_LIMITED: ErrorKind.RATE_LIMITED,
    Reason.UNAVAILABLE: ErrorKind.UNAVAILABLE,
    Reason.TIMED_OUT: ErrorKind.TIMEOUT,
    Reason.REFUSED: ErrorKind.REFUSED,
    Reason.TOO_LONG: ErrorKind.REFUSED,
    Reason.CREDENTIALS: ErrorKind.CREDENTIALS,
    Reason.INVALID_OUTPUT: ErrorKind.INVALID_OUTPUT,
    Reason.NOT_FOUND: ErrorKind.NOT_FOUND,
}


def out_of_time(cancelled: asyncio.CancelledError) -> bool:
    """Whether a call was cancelled since its attempt's time was up; else the run was stopped. An executor says until
    when the attempt had time."""
    return bool(cancelled.args) and isinstance(cancelled.args[0], float)


def nothing_sent(cancelled: asyncio.CancelledError, why: str) -> None:
    """Let it be known that nothing of a call had left when it was cancelled, and what it waited for, in a sentence."""
    cancelled.add_note(why)
    cancelled.unsent = True  # type: ignore[attr-defined]


def was_sent(error: BaseException) -> bool:
    """Whether a call that was cancelled so may have been sent."""
    return not getattr(error, "unsent", False)


class ModelFault(NodeFault):
    """A call of a model failed. `sent`: the request may have reached the service, so it may have been paid for."""

    def __init__(
        self,
        reason: Reason,
        message: str,
        *,
        retry_after: float | None = None,
        sent: bool = True,
        status: int | None = None,
        usage: Usage | None = None,
        request_id: str | None = None,
        begun: bool = False,
    ) -> None:
        super().__init__(KIND_OF[reason], message)
        self.reason, self.sent, self.status, self.request_id = reason, sent, status, request_id
        self.retry_after = retry_after
        """Seconds that the service asked to wait, in whatever form it said so."""
        self.usage = usage
        """What the service counted all the same."""
        self.cost: float | None = None
        """US dollars of that, where the price is known; the runner puts it in."""
        self.begun = begun
        """Something of the answer had come: asked again within the same call, it would be paid for twice."""


# ---------------------------------------------------------------- providers


class ProviderSettings(NamedTuple):
    """What a provider is made with: of pipe.yml and the environment, resolved. Secrets stand in it in plain text, so it
    is never logged, shown or recorded."""

    name: str
    """The name under which pipelines know it."""
    options: Mapping[str, Any]
    """As its type's `options_model` takes them: `base_url`, `region`, `headers`, …; secrets put in."""
    model: str = ""
    """The model that is asked where a node names none; empty: there is none."""
    secrets: tuple[str, ...] = ()
    """Values in `options` that are shown nowhere: keys, and what else grants something."""
    sources: Mapping[str, str] = MappingProxyType({})
    """Where each setting comes from, for `pipe providers`: `base_url` → `OPENAI_BASE_URL`, `region` → `pipe.yml`."""
    missing: str | None = None
    """What a call would lack, and how to give it, in a sentence: a key, a region."""
    cost_of: Callable[[str, Usage], float | None] = lambda model, usage: None
    """US dollars of a call, by model; None: the price is not known."""
    conceal: Callable[[str], None] = lambda secret: None
    """Told each secret that the client gets while the run goes on, before it is sent. Any thread may call it."""
    mask: Callable[[str], str] = lambda text: text
    """Hides what the run shows nowhere, in all its forms: for what a service says, before any of it is cut off."""


Pieces = Callable[[str], None]
"""Told each piece of text as it arrives."""


class Provider(Protocol):
    """A client of one model service. Made once per run with its settings; every call may run beside others.

    It asks once: it repeats nothing, waits for nobody's limits and hides no fault. Faults are `ModelFault`s.
    """

    async def generate(self, request: ModelRequest) -> str:
        """The text of the answer."""
        ...

    def stream(self, request: ModelRequest) -> AsyncIterator[str]:
        """The text of the answer, piece by piece."""
        ...

    async def generate_with_metadata(self, request: ModelRequest, on_piece: Pieces | None = None) -> ModelResponse:
        """The answer and all that is known of it; streamed where somebody wants the pieces."""
        ...

    async def check(self) -> str:
        """Really ask the service something that costs nothing, or next to it; a sentence of what it said."""
        ...

    async def close(self) -> None: ...


class ProviderType(Protocol):
    """What an entry point of `pipe_runner.providers` names: makes providers of one kind. Importing it must be cheap."""

    summary: str

    def options_model(self) -> type[BaseModel]:
        """What pipe.yml may say of such a provider, beside `type`, `model`, `limits` and `prices`."""
        ...

    def settings(
        self, name: str, options: Mapping[str, Any], model: str, environ: Mapping[str, str]
    ) -> ProviderSettings:
        """The settings of one, of pipe.yml and its usual variables, and what is `missing`. Connects nowhere."""
        ...

    def open(self, settings: ProviderSettings) -> Provider:
        """The client; raises MissingExtra where packages are missing. Connects nowhere yet."""
        ...


# ---------------------------------------------------------------- tools


class ToolResult(NamedTuple):
    """What a tool gave: data, never an instruction. `usage` is that of models that it asked, as an outcome has it."""

    text: str
    """For the model; bounded."""
    failed: bool = False
    truncated: int | None = None
    """Bytes of the whole, where `text` was cut."""
    usage: Mapping[str, Json] | None = None


class Toolbox(Protocol):
    """The tools that one attempt may use: exactly those that its node lists."""

    @property
    def specs(self) -> Sequence[ToolSpec]: ...

    async def call(self, call: ToolCall) -> ToolResult:
        """Call one. Wrong arguments, an unknown name and a tool's own failure are results (`failed`), for the model to
        see; a server that is gone, or whose tools aren't the pinned ones, raises NodeFault of kind `tool`."""
        ...

    async def close(self) -> None: ...


# ---------------------------------------------------------------- the way out


Perform = Callable[[], Awaitable[Json]]


class Outside(Protocol):
    """What attempts reach of the world: bounded by limits and budgets, recorded or replayed, told in the log. One per
    run; agents get it with their context."""

    async def ask(
        self,
        attempt: Attempt,
        choices: Sequence[ModelChoice],
        request: ModelRequest,
        emit: Emit,
        on_piece: Pieces | None = None,
    ) -> ModelResponse:
        """Have a model answer; raises ModelFault, or NodeFault of kind `budget`. The choice sets `request.model`."""
        ...

    async def toolbox(self, attempt: Attempt, wanted: Sequence[Json], emit: Emit) -> Toolbox:
        """The tools that a node lists, as it lists them; raises NodeFault of kind `tool`."""
        ...

    async def exchange(self, attempt: Attempt, kind: str, asked: JsonObject, perform: Perform) -> Json:
        """Anything else that leaves the machine, `http` for one: performed, and recorded where the run is; or taken
        from the recording. `asked` is the canonical request, without what differs from run to run."""
        ...

    def missed(self, attempt: Attempt) -> NodeFault | None:
        """What this attempt asked first of all that a recording was to answer, and didn't."""
        ...

    async def close(self) -> None: ...


def _set(value: Any) -> dict[str, Any]:
    """The fields of a tuple with names that are not as by default, nested ones too; of a message not its thought."""
    found: dict[str, Any] = {}
    for name, item in value._asdict().items():
        if name == "thought" or item == value._field_defaults.get(name, ...):
            continue
        if isinstance(item, tuple):
            item = [_set(each) if hasattr(each, "_asdict") else each for each in item]
        found[name] = item
    return found


class Orchestrates(Protocol):
    """Chooses agents for tasks within a run, for an agent that has others do its work."""

    async def choose(self, attempt: Attempt, emit: Emit) -> Sequence[Mapping[str, Any]]:
        """Who fits the attempt's `task`: `{agent, score, why, options}` each. Raises NodeFault where nobody does."""
        ...

    async def perform(self, attempt: Attempt, agent: str, options: JsonObject, emit: Emit) -> Outcome:
        """An attempt of the same node by this agent, within the time of this one."""
        ...
