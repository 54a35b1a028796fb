"""Every event of the run log, one line of JSON each; for readers of logs, for the docs and for tests."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from pipe_schemas.event_values import Decided, ErrorInfo, OutputRef, Truncation

Seconds: TypeAlias = Annotated[float, Field(ge=0)]


class EventLine(BaseModel):
    """What every line has. Readers ignore events and fields that they don't know."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)

    v: Literal[1] = Field(description="Version of the log's format.")
    seq: int = Field(ge=1, description="Number of the event in the run, from 1, without gaps.")
    ts: str = Field(
        pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z$",
        description="When, RFC 3339 in UTC, with microseconds.",
    )
    run: str = Field(min_length=1, description="The run's id.")
    crc: str = Field(pattern=r"^[0-9a-f]{8}$", description='CRC-32 of the bytes of the line before `,"crc":`.')


class NodeEvent(EventLine):
    """What every event of a node has."""

    node: str = Field(min_length=1, description="The node's id; `probe[443]` for one item of a for_each.")


class AttemptEvent(NodeEvent):
    """An event of one attempt."""

    attempt: int = Field(ge=1, description="Number of the attempt, from 1, over all resumes.")


class RunStarted(EventLine):
    """A run begins."""

    event: Literal["run.started"]
    pipeline: str = Field(description="The pipeline's name.")
    path: str = Field(description="Its file: relative to the root if it lies inside it, else absolute.")
    root: str = Field(description="The project's root.")
    digest: str = Field(description="sha256 of the pipeline file.")
    inputs: dict[str, Any] = Field(description="The inputs of the run; secrets are masked.")
    nodes: dict[str, str] = Field(description="The digest of each node that the run consists of, by id.")
    only: list[str] = Field(default_factory=list, description="What `--only` named.")
    versions: dict[str, Any] = Field(default_factory=dict, description="Of pipe, Python and the agents.")
    git_sha: str | None = Field(default=None, description="The commit that was checked out in the root.")
    chosen: dict[str, list[dict[str, Any]]] = Field(
        default_factory=dict, description="Of nodes with `agent: auto` whose task was known: who was chosen, and why."
    )
    durability: Literal["full", "os"] = Field(default="full", description="What a line survives.")
    record: str | None = Field(
        default=None, description="The folder of `--record`, from the root if it lies inside it."
    )
    replay: str | None = Field(default=None, description="The folder of `--replay`, likewise.")
    task: str | None = Field(default=None, description="Of a run of `pipe ask`: the task, without its passwords.")
    order: str | None = Field(
        default=None, description="The time by which it stands among other runs, where the clock had been set back."
    )


class RunResumed(EventLine):
    """A run goes on after it was interrupted, failed or changed."""

    event: Literal["run.resumed"]
    digest: str = Field(description="sha256 of the pipeline file as it is now.")
    nodes: dict[str, str] = Field(description="The digest of each node as it is now; others are forgotten.")
    rerun: list[str] = Field(description="Ids of the nodes that are decided again.")
    reasons: dict[str, str] = Field(default_factory=dict, description="Why each of them is.")
    record: str | None = Field(default=None, description="The folder of `--record` from here on.")
    replay: str | None = Field(default=None, description="The folder of `--replay` from here on.")
    anew: list[str] = Field(default_factory=list, description="Repeated nodes of which every item runs again.")
    items: dict[str, dict[str, Any]] = Field(
        default_factory=dict,
        description="Repeated nodes of which only some items run again: how many stay `done`, which run `again`.",
    )
    versions: dict[str, Any] = Field(default_factory=dict, description="Of pipe, Python and the agents.")
    git_sha: str | None = Field(default=None, description="The commit that is checked out in the root.")
    chosen: dict[str, list[dict[str, Any]]] = Field(
        default_factory=dict, description="Of nodes with `agent: auto` whose task was known: who was chosen, and why."
    )
    inputs: dict[str, Any] | None = Field(
        default=None, description="All inputs, where the file has gained some since: those have their defaults."
    )


class RunFinished(EventLine):
    """A run has ended."""

    event: Literal["run.finished"]
    status: Literal["succeeded", "failed", "cancelled", "waiting"] = Field(description="How it ended.")
    outputs: dict[str, Any] | None = Field(default=None, description="What the run gives.")
    outputs_ref: OutputRef | None = Field(default=None, description="In place of `outputs` where they are large.")
    totals: dict[str, int | float] = Field(
        default_factory=dict,
        description="Nodes by status, how many attempts; where models were asked `calls`, `tokens`, `cost`, …; "
        "where messages were published `messages`.",
    )
    error: ErrorInfo | None = Field(default=None, description="Why the run itself failed, where no node did.")
    duration_s: Seconds | None = Field(default=None, description="Seconds since the start or the resume.")


class NodeStarted(AttemptEvent):
    """An attempt begins; written before its process starts."""

    event: Literal["node.started"]
    items: int | None = Field(default=None, description="Of a repeated node: how many items it has.")
    rest: str | None = Field(
        default=None, description="Of a repeated node: the digest of what the file says of it, without its list."
    )
    gone: list[str] | None = Field(
        default=None, description="Of a repeated node: items, and nodes inside, that it had earlier and has no more."
    )
    item: str | None = Field(default=None, description="Of an item: the digest of its value.")
    effect: Literal["once"] | None = Field(
        default=None, description="`once`: the line is durable before the attempt begins, and it is not made again."
    )
    pipeline: str | None = Field(
        default=None, description="Of a node that runs a sub-pipeline: its file, from the root."
    )
    given: str | None = Field(default=None, description="The digest of the inputs that the sub-pipeline has.")
    rerun: list[str] | None = Field(
        default=None, description="Nodes of the sub-pipeline that are decided again, after an earlier attempt."
    )
    anew: list[str] | None = Field(
        default=None, description="Its repeated nodes of which every item runs again, since its inputs are others now."
    )
    inside: list[str] | None = Field(
        default=None, description="Of an item that runs a sub-pipeline: the nodes that are the run's from here on."
    )
    back: list[str] | None = Field(
        default=None, description="Its nodes that may have acted once before they were taken out, and are there again."
    )


class NodeOutput(AttemptEvent):
    """Something that an attempt printed."""

    event: Literal["node.output"]
    stream: Literal["stdout", "stderr"] = Field(description="Where it was printed.")
    text: str = Field(description="What was printed; secrets are masked.")


class Measured(AttemptEvent):
    """What is known of an attempt that has ended."""

    duration_s: Seconds | None = Field(default=None, description="How long the attempt took, in seconds.")
    exit_code: int | None = Field(default=None, description="Of its process, if it exited.")
    usage: dict[str, Any] | None = Field(default=None, description="What the attempt used: tokens, money.")
    truncated: Truncation | None = Field(default=None, description="Where the output was cut at its limit.")


class ArtifactFile(BaseModel):
    """A file that was copied into the run's `artifacts` folder, where its name is its digest."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)

    name: str = Field(description="The name that the pipeline gives it; of a folder, that of all files in it.")
    path: str = Field(description="Where it was, from the node's working directory.")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="Digest of its content, and its name in the folder.")
    bytes: int = Field(ge=0, description="Its size.")
    executable: bool = Field(default=False, description="Whether its owner may run it.")


class Ended(Measured):
    """What the end of a node has."""

    output: Any = Field(default=None, description="What the node gives.")
    output_ref: OutputRef | None = Field(default=None, description="In place of `output` where that is large.")


class NodeSucceeded(Ended):
    """An attempt succeeded, and with it the node."""

    event: Literal["node.succeeded"]
    artifacts: list[ArtifactFile] | None = Field(default=None, description="Files that were copied into the run.")
    decided: Decided | None = Field(default=None, description="Who said so, where a person did.")


class NodeFailed(Ended):
    """The last attempt of a node failed, or the node could not be started."""

    event: Literal["node.failed"]
    attempt: int = Field(default=1, ge=1, description="Number of the attempt; missing where none was made.")
    error: ErrorInfo = Field(description="Why.")
    tolerated: bool = Field(default=False, description="With `continue_on_error`: the run goes on, and may succeed.")
    stopping: bool = Field(default=False, description="And it failed while the run was being cancelled.")
    when: str | None = Field(default=None, description="The condition, where it was what failed.")
    decided: Decided | None = Field(default=None, description="Who said so, where a person did.")


class NodeRetrying(Measured):
    """An attempt failed and another one follows."""

    event: Literal["node.retrying"]
    error: ErrorInfo = Field(description="Why the attempt failed.")
    delay_s: Seconds | None = Field(default=None, description="Seconds until the next attempt.")
    decided: Decided | None = Field(default=None, description="Who said so, where a person did; a resume makes it.")


class NodeSkipped(NodeEvent):
    """A node does not run: its condition is false, or a need of it was skipped."""

    event: Literal["node.skipped"]
    when: str | None = Field(default=None, description="The condition.")
    values: dict[str, Any] | None = Field(default=None, description="What the condition read.")
    by: list[str] | None = Field(default=None, description="The skipped nodes that this one needs, 20 at most.")
    more: int | None = Field(default=None, description="How many others there are, at least.")
    reason: str | None = Field(default=None, description="In words, where it was not a condition.")


class NodeBlocked(NodeEvent):
    """A node does not run: a node that it needs failed."""

    event: Literal["node.blocked"]
    by: list[str] = Field(description="The nodes whose failure it comes from, 20 at most.")
    more: int | None = Field(default=None, description="How many others there are, at least.")
    reason: str | None = Field(default=None, description="In words, where it comes from no node.")


class NodeCached(NodeEvent):
    """An earlier output was taken again."""

    event: Literal["node.cached"]
    output: Any = Field(default=None, description="What the node gives.")
    output_ref: OutputRef | None = Field(default=None, description="In place of `output` where that is large.")
    key: str | None = Field(default=None, description="The key under which the result was kept.")
    from_: str | None = Field(default=None, alias="from", description="The run that made it.")
    item: str | None = Field(default=None, description="Of an item: the digest of its value.")
    artifacts: list[ArtifactFile] | None = Field(default=None, description="Files that were copied into the run.")
    exit_code: int | None = Field(default=None, description="Of the process that made it, if there was one.")
    duration_s: Seconds | None = Field(default=None, description="How long it took to find, in seconds.")


class NodeWaiting(AttemptEvent):
    """A node waits for a person."""

    event: Literal["node.waiting"]
    message: str | None = Field(default=None, description="What the person is asked.")
    tolerated: bool = Field(default=False, description="With `continue_on_error`: the run goes on after a refusal.")


class NodeCancelled(NodeEvent):
    """A node was stopped, or was not started any more."""

    event: Literal["node.cancelled"]
    attempt: int | None = Field(default=None, ge=1, description="Number of the attempt; missing where none was made.")
    reason: str | None = Field(
        default=None, description="In words: the run was cancelled, its time was up, `fail_fast`."
    )
    error: ErrorInfo | None = Field(default=None, description="Of a node that ran: kind `cancelled`.")
    duration_s: Seconds | None = Field(default=None, description="How long the attempt took, in seconds.")
    exit_code: int | None = Field(default=None, description="Of its process, if it exited.")
    usage: dict[str, Any] | None = Field(default=None, description="What the attempt used.")
    truncated: Truncation | None = Field(default=None, description="Where the output was cut at its limit.")


class NodeUnknown(AttemptEvent):
    """Nobody knows whether a node with `effect: once` acted; a person decides."""

    event: Literal["node.unknown"]
    error: ErrorInfo | None = Field(default=None, description="How its last attempt failed, where it wasn't cut off.")


class ModelEvent(AttemptEvent):
    """What every event about a call of a model has."""

    call: str = Field(description="Names the call within its node.")
    provider: str = Field(description="The model service, as the project calls it.")
    model: str = Field(description="The model that was asked.")


class ModelReserved(ModelEvent):
    """A model is about to be asked; what the call can use at most is set aside from the budgets."""

    event: Literal["model.reserved"]
    tokens: int = Field(ge=0, description="Tokens at most, in and out.")
    cost: float | None = Field(default=None, description="US dollars at most; missing where the price is not known.")


class TokenCounts(BaseModel):
    """Tokens of a call, as the service counted them."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)

    input: int = Field(ge=0, description="All that was read, cached ones included.")
    output: int = Field(ge=0, description="All that was written, reasoning included.")
    cached: int = Field(default=0, ge=0, description="Of the input: read from the service's cache.")
    cache_written: int = Field(default=0, ge=0, description="Of the input: written to the service's cache.")
    reasoning: int = Field(default=0, ge=0, description="Of the output: thought, not said.")
    audio: int = Field(default=0, ge=0, description="Of the input: heard.")


class ModelCalled(ModelEvent):
    """A call of a model has ended."""

    event: Literal["model.called"]
    duration_s: Seconds | None = Field(default=None, description="Seconds that it took, waits for limits included.")
    tokens: TokenCounts | None = Field(default=None, description="What it used; missing where nobody said.")
    cost: float | None = Field(default=None, description="US dollars; missing where the price is not known.")
    finish: str | None = Field(default=None, description="Why the answer ended: `stop`, `length`, `tool_calls`, …")
    answered_by: str | None = Field(default=None, description="The model that answered, where it is called otherwise.")
    request_id: str | None = Field(default=None, description="The service's own name for the call.")
    error: ErrorInfo | None = Field(default=None, description="Why there is no answer.")
    ambiguous: bool = Field(
        default=False,
        description="It timed out or was given up after it was sent: nobody knows whether it was answered, and paid "
        "for.",
    )
    free: bool = Field(
        default=False,
        description="Nothing of it counts against budgets: it didn't go out, or the service refused to perform it. Of "
        "another one without `tokens` or `cost` what was set aside counts whole.",
    )
    replayed: bool = Field(default=False, description="The answer came from a recording; nothing was sent.")


class ToolCalled(AttemptEvent):
    """A tool that a model wanted was called."""

    event: Literal["tool.called"]
    tool: str = Field(description="Its name, as the model knows it.")
    source: str = Field(description="Where it comes from: `mcp:…`, `agent:…`, `function:…`.")
    duration_s: Seconds | None = Field(default=None, description="Seconds that it took.")
    failed: bool = Field(default=False, description="What it gave is an error.")
    bytes: int | None = Field(default=None, ge=0, description="Size of what it gave.")
    truncated: bool = Field(default=False, description="The model got only the beginning.")
    replayed: bool = Field(default=False, description="What it gave came from a recording; it was not called.")


class MessageRef(OutputRef):
    """Stands for a message above 64 KiB, which lives in the run's `blobs` folder as large outputs do."""


class MessagePublished(AttemptEvent):
    """An attempt published a message to the nodes of the run. The event's number is the message's."""

    event: Literal["message.published"]
    topic: str = Field(description="What it is about: words joined by dots, by which subscribers choose.")
    message: Any = Field(default=None, description="The message; secrets are masked.")
    message_ref: MessageRef | None = Field(default=None, description="In its place, if it is above 64 KiB.")


AnyEvent: TypeAlias = Annotated[
    RunStarted
    | RunResumed
    | RunFinished
    | NodeStarted
    | NodeOutput
    | NodeRetrying
    | NodeSucceeded
    | NodeFailed
    | NodeSkipped
    | NodeBlocked
    | NodeCached
    | NodeWaiting
    | NodeCancelled
    | NodeUnknown
    | ModelReserved
    | ModelCalled
    | ToolCalled
    | MessagePublished,
    Field(discriminator="event"),
]
