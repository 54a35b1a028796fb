"""A file of tests (`*.test.yml`): cases of a pipeline, what stands in for its nodes, and what is expected of a run."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import ConfigDict, Field, Tag

from pipe_schemas.fields import Closed, Text, Version, by_shape

ErrorKindName: TypeAlias = Literal[
    "exit", "signal", "timeout", "run_timeout", "not_found", "exception", "http", "invalid_output",
    "output_too_large", "condition", "template", "rate_limited", "unavailable", "refused", "credentials", "budget",
    "tool", "storage", "lost", "cancelled",
]  # fmt: skip
NodeStatusName: TypeAlias = Literal[
    "succeeded", "failed", "skipped", "blocked", "cancelled", "cached", "unknown", "waiting", "pending",
]  # fmt: skip
RunStatusName: TypeAlias = Literal["succeeded", "failed", "cancelled", "waiting"]

MATCHERS = ("matches", "contains", "exactly", "not")
"""The words of a map that says something of a value instead of being one."""


Matcher: TypeAlias = Annotated[
    dict[str, Any],
    Field(description="`matches:` a regular expression, `contains:`, `exactly:`, `not:`; several must all hold."),
]
Expected: TypeAlias = Any
"""A value that must be equal; of a map only the keys that are named; or a matcher."""

_OF_ERROR = "a kind of error, as `timeout`, or a map, as `{not: exit}`"
_OF_STATUS = "a status, as `failed`, or a map, as `{not: failed}`"


class MockErrorSpec(Closed):
    """How an attempt fails."""

    kind: ErrorKindName = Field(default="exit", description="The kind of error.")
    message: Text | None = Field(default=None, description="The sentence; by default one that fits the kind.")
    exit_code: Annotated[int, Field(ge=0, le=255)] | None = Field(
        default=None, description="The exit code; 1 by default where the kind is `exit`."
    )
    tail: str | None = Field(default=None, description="The end of what it wrote to stderr.")


class MockSpec(Closed):
    """How an attempt of a node ends that isn't made: with an output, or with an error."""

    output: Any = Field(default=None, description="The output, any JSON value; null by default.")
    error: MockErrorSpec | None = Field(default=None, description="Fails the attempt.")


Mock: TypeAlias = Annotated[
    Annotated[MockSpec, Tag("<one>")] | Annotated[list[MockSpec], Field(min_length=1), Tag("<list>")],
    by_shape("a map, as `{output: 3}` or `{error: {kind: timeout}}`, or a list of them", one=dict, list=list),
    Field(
        description="How its attempts end: the same each time, or a list, one for each attempt, whose last one repeats."
    ),
]
MayRun: TypeAlias = Annotated[
    Annotated[Literal["all", "none"], Tag("<word>")] | Annotated[list[str], Tag("<list>")],
    by_shape("`all`, `none`, or a list of node ids", word=str, list=list),
    Field(
        description="Nodes that may run for real where nothing is mocked for them: `all` (default), `none`, or a list.",
        examples=["none", ["render", "count"]],
    ),
]


class ErrorExpectSpec(Closed):
    """What is expected of an error; what isn't named isn't compared."""

    kind: Annotated[
        Annotated[ErrorKindName, Tag("<name>")] | Annotated[Matcher, Tag("<map>")],
        by_shape(_OF_ERROR, name=str, map=dict),
    ] = Field(default_factory=dict, description="The kind of error.")
    message: Expected = Field(default=None, description="The sentence.", examples=[{"contains": "timed out"}])
    exit_code: Expected = Field(default=None, description="The exit code.")
    tail: Expected = Field(default=None, description="The end of what it wrote to stderr.")


class NodeExpectSpec(Closed):
    """What is expected of one node; what isn't named isn't compared."""

    nulls: ClassVar[frozenset[str]] = frozenset({"error"})
    status: Annotated[
        Annotated[NodeStatusName, Tag("<name>")] | Annotated[Matcher, Tag("<map>")],
        by_shape(_OF_STATUS, name=str, map=dict),
    ] = Field(default_factory=dict, description="How it ended.")
    output: Expected = Field(default=None, description="Its output.")
    error: ErrorExpectSpec | None = Field(default=None, description="Its error; null: it has none.")
    exit_code: Expected = Field(default=None, description="The exit code of its last attempt.")
    attempts: Expected = Field(default=None, description="How many attempts were made, mocked ones counted.")
    waits: Expected = Field(
        default=None, description="The waits before its further attempts, in seconds, as a list.", examples=[[1, 2, 4]]
    )
    by: Expected = Field(default=None, description="The nodes because of which it was blocked or skipped, as a list.")
    when: Expected = Field(default=None, description="The condition that was false.")
    values: Expected = Field(default=None, description="What that condition read, by name.")
    reason: Expected = Field(default=None, description="Why it was skipped or cancelled, where no condition was false.")
    command: Expected = Field(
        default=None,
        description="The command for people: the shell text with the values in the places of its variables, or the "
        "arguments joined as a shell would take them.",
    )
    script: Expected = Field(default=None, description="The shell text as the shell gets it, with `${PIPE_V1}`.")
    argv: Expected = Field(default=None, description="The program and all its arguments, as they are started.")
    env: Expected = Field(
        default=None,
        description="Variables of its environment, those of values (`PIPE_V1`) too; null: it isn't set.",
        examples=[{"TARGET": "staging", "TOKEN": None}],
    )
    stdin: Expected = Field(default=None, description="What it is given on standard input; null: nothing.")
    cwd: Expected = Field(default=None, description="Its working directory, from the project's root; `.` is the root.")
    options: Expected = Field(default=None, description="The agent's options with all values put in.")


NodeExpect: TypeAlias = Annotated[
    Annotated[NodeStatusName, Tag("<status>")] | Annotated[NodeExpectSpec, Tag("<map>")],
    by_shape("a status, as `succeeded`, or a map, as `{status: failed}`", status=str, map=dict),
    Field(description="What is expected of the node: its status, or a map that says more."),
]


class ExpectSpec(Closed):
    """What is expected of the run; what isn't named isn't compared, but for its status."""

    nulls: ClassVar[frozenset[str]] = frozenset({"error"})
    status: Annotated[
        Annotated[RunStatusName, Tag("<name>")] | Annotated[Matcher, Tag("<map>")],
        by_shape(_OF_STATUS, name=str, map=dict),
    ] = Field(default="succeeded", description="How the run ends.")
    outputs: Annotated[dict[str, Any] | None, Field(description="Outputs of the run by name.")] = None
    error: ErrorExpectSpec | None = Field(default=None, description="The run's own error; null: it has none.")
    nodes: dict[str, NodeExpect] = Field(
        default_factory=dict,
        description="What is expected of nodes, by id; those of `on_failure` and `finally`, too.",
        examples=[{"deploy": "blocked", "build": {"status": "failed", "error": {"kind": "exit"}}}],
    )


_SUCCESS = ExpectSpec()


class CaseDefaultsSpec(Closed):
    """What holds for every case of the file; what a case says itself stands over it, name by name."""

    inputs: dict[str, Any] = Field(default_factory=dict, description="Inputs of the run; others have their defaults.")
    secrets: dict[str, Text] = Field(
        default_factory=dict,
        description="Values of secrets. A test never reads a real one: those that aren't named get a made-up value.",
        examples=[{"TOKEN": "not-a-real-token"}],
    )
    mock: dict[str, Mock] = Field(
        default_factory=dict,
        description="What stands in for nodes, by id; `'*'` for all that have nothing else and aren't listed in `run`.",
        examples=[{"fetch": {"output": {"status": 200}}, "deploy": [{"error": {"kind": "timeout"}}, {"output": "ok"}]}],
    )
    run: MayRun = "all"
    replay: Text | None = Field(
        default=None,
        description="A folder of recordings, relative to this file, from which models, tools and HTTP requests are "
        "answered: `pipe run --record` makes it.",
        examples=["recordings/triage"],
    )


class CaseSpec(CaseDefaultsSpec):
    """One run of the pipeline, and what is expected of it."""

    description: str | None = Field(default=None, description="For people.")
    expect: ExpectSpec = Field(
        default_factory=lambda: _SUCCESS, description="What the run must give. Without a status it must succeed."
    )


class CasesSpec(Closed):
    """Tests of a pipeline."""

    version: Version = Field(description="The version of the language: 1.")
    pipeline: Text | None = Field(
        default=None,
        description="The pipeline file, relative to this one; by default the one beside it: x.yml for x.test.yml.",
    )
    defaults: CaseDefaultsSpec | None = Field(default=None, description="What holds for every case.")
    cases: dict[Text, CaseSpec] = Field(
        description="The cases by name, which is free text.", json_schema_extra={"minProperties": 1}
    )


class SomeCasesSpec(CasesSpec):
    """A file of tests, as far as some of its cases are held against the model at a time."""

    model_config = ConfigDict(defer_build=True)  # only very many are taken apart

    cases: dict[Text, CaseSpec] = Field(default_factory=dict, description="The cases by name, which is free text.")


__all__ = [
    "MATCHERS",
    "CaseDefaultsSpec",
    "CaseSpec",
    "CasesSpec",
    "ErrorExpectSpec",
    "ExpectSpec",
    "Mock",
    "MockErrorSpec",
    "MockSpec",
    "NodeExpectSpec",
    "SomeCasesSpec",
]
