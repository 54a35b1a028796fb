"""The compiled pipeline: frozen, resolved, JSON-serialisable; what the scheduler runs and the plan cache keeps.

Tuples with names, not dataclasses: every start of the command defines these classes, which takes a dataclass 0.6 ms
and a tuple 0.07 ms, and a plan makes thousands of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple

from pipe_runner.types import Effect, Json, Phase, RunOn


class Value(NamedTuple):
    """A JSON value of the file in which strings may be templates.

    `static` values are plain data, ready to use. In others every string that is a template is replaced by
    `{"$": <Compiled.to_json()>}`, or by `{"$text": …}` where the result must be text (`value_to_text`: environment,
    variables of shell text, arguments), or by `{"$url": …}` where it is a URL whose host no value may change, and every
    map of the file that has a key that begins with `$` by `{"$map": [[key, value], …]}`, so that data of the file can't
    be mistaken for a template.
    """

    data: Json
    static: bool = True


NO_VALUES: Final = Value({})
NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


class RetryPolicy(NamedTuple):
    """When another attempt follows a failed one; times in seconds."""

    max_attempts: int = 1
    delay: float = 1.0
    backoff: Literal["exponential", "constant"] = "exponential"
    max_delay: float | None = None
    jitter: bool = False
    on: tuple[str, ...] = ()
    """Kinds (and `exit:75`) after which to try again; empty: every kind that another attempt could change."""


NO_RETRY = RetryPolicy()


class SecretSource(NamedTuple):
    """Where a secret's value comes from; never the value."""

    name: str
    source: Literal["env", "file", "aws-secretsmanager", "aws-ssm"]
    key: str


class PlannedInput(NamedTuple):
    """A declared input: its JSON Schema, default, and where it stands in the file."""

    name: str
    schema: Mapping[str, Any]
    required: bool
    default: Json
    line: int
    description: str = ""


class FanOut(NamedTuple):
    """What a node is repeated over."""

    items: Value
    """The list; the combinations of a matrix, as objects."""
    key: Value = Value(None)
    """The text that an item is known by; None: its index, or a combination's values."""
    matrix: bool = False
    """Templates read an item as `matrix`, not as `item`."""
    max_parallel: int | None = None
    fail_fast: bool = False
    min_success: int | None = None
    """How many items must succeed; None: all."""
    when_of_item: bool = False
    """The condition reads the item, so it is evaluated for each."""
    index_read: bool = False
    """Its templates read `index`, so that an item at another place of the list is another one."""
    rest: str = ""
    """Digest of what the file says of the node, without its list."""
    list_only: tuple[int, ...] = ()
    """Nodes that it needs for nothing but its list, by index."""


class CachePolicy(NamedTuple):
    """What decides that an earlier output of a node may be taken again."""

    digest: str
    """Of what the file says of the node, without what can't change its output."""
    key: Value = Value("")
    """Further text that counts."""
    files: tuple[str, ...] = ()
    """Globs, from the root, of files whose content counts."""
    ttl: float | None = None
    """Seconds for which a result counts; None: for ever."""


MOST_OUT: Final = 4096
"""Tokens of a model's answer, at most, where a node doesn't say: every call has a bound."""
MEDIA: Final = ("images", "files")
"""Options of `agent: llm` that name files of the project."""


def files_of(options: Mapping[str, Json]) -> list[str]:
    """The files that go with a question, by their paths from the root."""
    given = [options.get(key) for key in MEDIA]
    return [one for each in given if isinstance(each, list) for one in each if isinstance(one, str)]


class Budget(NamedTuple):
    """What calls of models may use: of a run, of a node, or of a sub-pipeline."""

    max_cost: int | None = None
    """1e-9 US dollars."""
    max_tokens: int | None = None
    unknown_cost: bool = False
    """Models of which no price is known may be asked all the same."""


class PlannedNode(NamedTuple):
    """One node, compiled. Times in seconds; `index` is its place in `Plan.nodes`."""

    id: str
    index: int  # type: ignore[assignment]  # tuple.index is of no use here
    phase: Phase
    agent: str
    options: Value
    """What the agent's `Options` takes; checked already where it is static."""
    needs: tuple[int, ...]
    """Indexes of the nodes that must be final before this one is decided (same phase); sorted."""
    reads: tuple[int, ...]
    """Indexes of all nodes that its templates read (any phase before it, or its needs)."""
    digest: str
    """Of the parsed node and of what the file sets for it; equal for files that differ in comments only."""
    line: int
    column: int
    priority: int = 1
    """Number of nodes on the longest chain from here to an end: the critical path goes first."""
    env: Value = NO_VALUES
    secrets: tuple[str, ...] = ()
    when: Json = None
    """Compiled.to_json() of the condition, or None."""
    when_text: str | None = None
    run_on: RunOn = RunOn.SUCCESS
    continue_on_error: bool = False
    retry: RetryPolicy = NO_RETRY
    timeout: float | None = None
    max_time: float | None = None
    effect: Effect = Effect.IDEMPOTENT
    validate_options: bool = False
    """True when templates stand where the agent's schema could refuse what they give."""
    output_schema: Json = None
    """JSON Schema of the output where more is known than 'anything'."""
    title: str = ""
    """A short form of what it does, for people: the first line of `run`, or the agent's name."""
    fan_out: FanOut | None = None
    cache: CachePolicy | None = None
    artifacts: tuple[tuple[str, str], ...] = ()
    """Files to copy into the run: name, and path from the working directory."""
    own_workspace: bool = False
    """Each attempt has an empty working directory of its own, into which artifacts of what it needs are put."""
    part: int = 0
    """The file that it stands in: 0 is the pipeline's own, n the one of `Plan.parts[n - 1]`."""
    pipeline: str | None = None
    """The sub-pipeline that it runs: its key in `Plan.subplans`; its options are the inputs."""
    budget: Budget | None = None
    """Of all its items and attempts together, and of what it runs; its `max_time` is in `max_time`."""
    chosen: Json = None
    """Of `agent: auto` whose task was known before the run: who was chosen, and why."""


class PlannedPart(NamedTuple):
    """An included file: what its nodes read as theirs."""

    file: str
    """From the root."""
    inputs: Mapping[str, Json] = NOTHING
    env: Value = NO_VALUES
    """Its own `env:`; it stands over that of the file that includes it."""
    within: int = 0
    """The file that includes it, as in `PlannedNode.part`."""


class Plan(NamedTuple):
    """A compiled pipeline. `nodes` holds all three phases, in file order within each."""

    name: str
    path: str
    """The pipeline file, relative to the root where it lies inside it, else absolute."""
    root: str
    """The project's root, absolute, links resolved."""
    digest: str
    """sha256 of the file's bytes; of a pipeline of several files, of all their digests."""
    nodes: tuple[PlannedNode, ...]
    inputs: tuple[PlannedInput, ...] = ()
    outputs: Value = NO_VALUES
    env: Value = NO_VALUES
    """The pipeline's own `env:`, evaluated once at the run's start; each node's `env` stands over it."""
    secrets: tuple[SecretSource, ...] = ()
    concurrency: int = 16
    group: Value | None = None
    """Text; only one run of those with the same one is under way at a time."""
    cancel_in_progress: bool = False
    """The other run of the group is asked to stop."""
    fail_fast: bool = False
    max_time: float | None = None
    budget: Budget | None = None
    """Of the whole run; of a sub-pipeline, of each instance."""
    output_limit: int = 16 * 2**20
    cache_limit: int = 2**30
    """Bytes that the cache of results may take."""
    description: str = ""
    policy: Mapping[str, Any] = NOTHING
    """`policy` of pipe.yml: what agents may reach."""
    settings: Mapping[str, Any] = NOTHING
    """What pipe.yml sets for commands where no flag or variable does: `durability`, `grace` (seconds), `executor`."""
    services: Mapping[str, Any] = NOTHING
    """`providers` and `mcp_servers` of pipe.yml, by name; what they hold of secrets is where those come from."""
    agent_versions: Mapping[str, str] = NOTHING
    warnings: tuple[Mapping[str, Any], ...] = ()
    """Diagnostics of severity warning, as JSON, so that a cached plan still tells them."""
    subplans: Mapping[str, Plan] = NOTHING
    """The sub-pipelines that its nodes run, and theirs, by `path`; these have none themselves."""

    parts: tuple[PlannedPart, ...] = ()
    """The included files."""

    def file_of(self, part: int) -> str:
        """A file of the pipeline by its number, as `path` is."""
        return self.parts[part - 1].file if part else self.path

    def by_id(self) -> dict[str, PlannedNode]:
        return {node.id: node for node in self.nodes}

    def agent_of(self, node: PlannedNode) -> str:
        """Name and version of a node's agent."""
        return f"{node.agent} {self.agent_versions.get(node.agent, '')}"

    def dependents(self) -> list[Sequence[int]]:
        """Of each node, by index, those that need it."""
        found: dict[int, list[int]] = {}
        for node in self.nodes:
            for need in node.needs:
                found.setdefault(need, []).append(node.index)
        return [found.get(index, ()) for index in range(len(self.nodes))]
