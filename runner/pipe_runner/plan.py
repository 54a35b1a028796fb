"""The compiled pipeline: frozen, resolved, JSON-serialisable; what the scheduler runs and the plan cache keeps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from pipe_runner.types import Effect, Json, NodeStatus, Phase, RunOn


@dataclass(frozen=True, slots=True)
class Value:
    """A JSON value of the file in which strings may be templates.

    `static` values are plain data, ready to use. In others every string that is a template is replaced by
    `{"$": <Compiled.to_json()>}`, or by `{"$text": …}` where the result must be text (`value_to_text`: environment,
    variables of shell text, arguments), and every map of the file that has a key that begins with `$` by
    `{"$map": [[key, value], …]}`, so that data of the file can't be mistaken for a template.
    """

    data: Json
    static: bool = True


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When another attempt follows a failed one; times in seconds."""

    max_attempts: int = 1
    delay: float = 1.0
    backoff: Literal["exponential", "constant"] = "exponential"
    max_delay: float | None = None
    jitter: bool = False
    on: tuple[str, ...] = ()
    """Kinds (and `exit:75`) after which to try again; empty: every kind that another attempt could change."""


NO_RETRY = RetryPolicy()


@dataclass(frozen=True, slots=True)
class SecretSource:
    """Where a secret's value comes from; never the value."""

    name: str
    source: Literal["env", "file", "aws-secretsmanager", "aws-ssm"]
    key: str


@dataclass(frozen=True, slots=True)
class PlannedInput:
    """A declared input: its JSON Schema, default, and where it stands in the file."""

    name: str
    schema: Mapping[str, Any]
    required: bool
    default: Json
    line: int
    description: str = ""


@dataclass(frozen=True, slots=True)
class PlannedNode:
    """One node, compiled. Times in seconds; `index` is its place in `Plan.nodes`."""

    id: str
    index: int
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
    env: Value = field(default_factory=lambda: Value({}))
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


@dataclass(frozen=True, slots=True)
class Plan:
    """A compiled pipeline. `nodes` holds all three phases, in file order within each."""

    name: str
    path: str
    """The pipeline file, relative to the root where it lies inside it, else absolute."""
    root: str
    """The project's root, absolute, links resolved."""
    digest: str
    """sha256 of the file's bytes."""
    nodes: tuple[PlannedNode, ...]
    inputs: tuple[PlannedInput, ...] = ()
    outputs: Value = field(default_factory=lambda: Value({}))
    env: Value = field(default_factory=lambda: Value({}))
    """The pipeline's own `env:`, evaluated once at the run's start; each node's `env` stands over it."""
    secrets: tuple[SecretSource, ...] = ()
    concurrency: int = 16
    fail_fast: bool = False
    max_time: float | None = None
    output_limit: int = 16 * 2**20
    description: str = ""
    policy: Mapping[str, Any] = field(default_factory=dict)
    """`policy` of pipe.yml: what agents may reach."""
    agent_versions: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[Mapping[str, Any], ...] = ()
    """Diagnostics of severity warning, as JSON, so that a cached plan still tells them."""

    def by_id(self) -> dict[str, PlannedNode]:
        return {node.id: node for node in self.nodes}


_ENUMS: dict[str, Any] = {"phase": Phase, "run_on": RunOn, "effect": Effect}


def plan_to_json(plan: Plan) -> dict[str, Json]:
    """The plan as plain data; `plan_from_json` gives an equal plan back."""
    from dataclasses import asdict

    data: dict[str, Json] = asdict(plan)
    return data


def plan_from_json(data: Mapping[str, Any]) -> Plan:
    """Rebuild a plan; raises KeyError, TypeError or ValueError on data of another shape (a cache miss, no more)."""
    values = dict(data)
    values["nodes"] = tuple(_node(n) for n in values["nodes"])
    values["inputs"] = tuple(PlannedInput(**i) for i in values["inputs"])
    values["outputs"] = Value(**values["outputs"])
    values["env"] = Value(**values["env"])
    values["secrets"] = tuple(SecretSource(**s) for s in values["secrets"])
    values["warnings"] = tuple(values["warnings"])
    return Plan(**values)


_NODE_FIELDS = frozenset(f.name for f in fields(PlannedNode))


def _node(data: Mapping[str, Any]) -> PlannedNode:
    values = dict(data)
    for name, enum in _ENUMS.items():
        values[name] = enum(values[name])
    for name in ("needs", "reads", "secrets"):
        values[name] = tuple(values[name])
    values["options"] = Value(**values["options"])
    values["env"] = Value(**values["env"])
    retry = values["retry"]
    values["retry"] = RetryPolicy(**{**retry, "on": tuple(retry["on"])})
    return PlannedNode(**values)


DONE_STATUSES = frozenset({NodeStatus.SUCCEEDED, NodeStatus.CACHED})
