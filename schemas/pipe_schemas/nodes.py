"""One node of a pipeline file: what every node may say, and the four kinds of node."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import ConfigDict, Discriminator, Field, Tag

from pipe_schemas.fields import BudgetSpec, Closed, Duration, Identifier, Scalar, Text, Wait, by_shape

Template: TypeAlias = Annotated[str, Field(description="Text in which `{{ … }}` stands for values.")]
Attempts: TypeAlias = Annotated[int, Field(ge=1, le=1000)]
MOST_PROVIDERS = 20
Providers: TypeAlias = Annotated[
    Annotated[Text, Tag("<name>")]
    | Annotated[list[Text], Field(min_length=1, max_length=MOST_PROVIDERS), Tag("<list>")],
    by_shape(name=str, list=list),
]

ERROR_KINDS = (
    "exit",
    "signal",
    "timeout",
    "run_timeout",
    "not_found",
    "exception",
    "http",
    "invalid_output",
    "output_too_large",
    "condition",
    "template",
    "rate_limited",
    "unavailable",
    "refused",
    "credentials",
    "budget",
    "tool",
    "storage",
    "lost",
    "cancelled",
)
RETRY_PATTERN = rf"^(error|{'|'.join(ERROR_KINDS)}|exit:([1-9]|[1-9][0-9]|1[0-9][0-9]|2[0-4][0-9]|25[0-5]))$"


class RetrySpec(Closed):
    """When a failed attempt is followed by another one. It replaces the default retry whole."""

    max_attempts: Attempts = Field(default=3, description="Attempts in total, the first one counted.", examples=[3])
    delay: Wait = Field(default="1s", description="Wait before the second attempt; `0s` is none.")
    backoff: Literal["exponential", "constant"] = Field(
        default="exponential", description="How the wait grows: `exponential` doubles it each time."
    )
    max_delay: Duration | None = Field(default=None, description="The longest wait between two attempts.")
    jitter: bool = Field(default=False, description="Take a random part of each wait, so that many nodes spread out.")
    on: list[Annotated[str, Field(pattern=RETRY_PATTERN)]] = Field(
        default_factory=list,
        min_length=1,
        description="Kinds of error after which to try again; `error` is any that another attempt could change, "
        "`exit:75` one exit code. Default: `error`.",
        examples=[["timeout", "unavailable", "exit:75"]],
    )


Retry: TypeAlias = Annotated[
    Annotated[Attempts, Tag("<count>")] | Annotated[RetrySpec, Tag("<map>")],
    by_shape(count=int, map=dict),
]


class CacheSpec(Closed):
    """What decides that an earlier output may be taken again."""

    key: Template | None = Field(default=None, description="Further text that is part of the key.")
    files: list[Text] = Field(default_factory=list, description="Globs of files whose content is part of the key.")
    ttl: Duration | None = Field(default=None, description="How long an entry counts.")


Cache: TypeAlias = Annotated[
    Annotated[bool, Tag("<switch>")] | Annotated[CacheSpec, Tag("<map>")], by_shape(switch=bool, map=dict)
]


class ArtifactSpec(Closed):
    """A file or folder that is copied into the run."""

    name: Text = Field(description="The name under which it is kept.")
    path: Text = Field(description="Where it is, from the node's working directory; it can't leave it.")


class ForEachSpec(Closed):
    """Runs the node once for each item of a list."""

    items: Template | list[Any] = Field(description="The list, or an expression that gives one.")
    key: Template | None = Field(default=None, description="The name of an item; its index by default.")
    max_parallel: Annotated[int, Field(ge=1, le=10000)] | None = Field(
        default=None, description="How many items run at the same time."
    )
    fail_fast: bool = Field(default=False, description="Start no further item after one failed.")
    min_success: Annotated[int, Field(ge=0)] | None = Field(
        default=None, description="How many items must succeed for the node to succeed; all by default."
    )


def _both(key: str, value: str, *others: str) -> dict[str, Any]:
    return {"required": [key, *others], "properties": {key: {"const": value, "description": "Where it is this."}}}


CONTRADICTIONS: Final[list[Any]] = [
    {"required": ["for_each", "matrix"]},
    {"required": ["min_success"], "not": {"required": ["matrix"]}},
    _both("effect", "once", "retry"),
    _both("workspace", "own", "cwd"),
]
"""What no node may say together, as schemas: for editors, since the compiler says of each why."""


class AnyNode(Closed):
    """What every node may say, whatever it does."""

    model_config = ConfigDict(
        defer_build=True,  # most files have nodes of one or two kinds
        json_schema_extra={"not": {"anyOf": CONTRADICTIONS}},
    )

    description: str | None = Field(default=None, description="For people; changes nothing.")
    needs: Annotated[
        Annotated[Text, Tag("<one>")] | Annotated[list[str], Tag("<list>")],
        by_shape(one=str, list=list),
        Field(
            description="Nodes that must be done before this one, beside those that it refers to.",
            examples=[["build", "lint"]],
        ),
    ] = Field(default_factory=list)
    when: Annotated[
        Annotated[str, Tag("<text>")] | Annotated[bool, Tag("<switch>")],
        by_shape(switch=bool, text=str),
        Field(
            description="A bare expression that gives true or false; false: the node is skipped.",
            examples=["nodes.count.output > 0", "inputs.depth == 'full'"],
        ),
    ] = True
    run_on: Literal["success", "failure", "always"] = Field(
        default="success", description="On which state of its needs the node runs."
    )
    continue_on_error: bool = Field(
        default=False, description="A failure of this node lets dependents run and leaves the run successful."
    )
    retry: Retry | None = Field(default=None, description="Attempts in total, or a map that says more.")
    timeout: Duration | None = Field(default=None, description="The longest time of one attempt.")
    max_time: Duration | None = Field(default=None, description="Bounds all attempts and the waits between them.")
    budget: BudgetSpec | None = Field(
        default=None, description="What all its items and attempts, and what it runs, may use together."
    )
    env: dict[Identifier, Scalar] = Field(
        default_factory=dict, description="Environment variables of this node; they stand over those of the pipeline."
    )
    secrets: list[Identifier] = Field(
        default_factory=list,
        description="Secrets, declared at the top, that this node is granted: variables of its command's environment.",
    )
    effect: Literal["none", "idempotent", "once"] = Field(
        default="idempotent",
        description="What running it twice would do. `once`: it is never run again by itself.",
    )
    cache: Cache | None = Field(default=None, description="Take an earlier output where nothing changed.")
    artifacts: list[ArtifactSpec] | None = Field(default=None, description="Files that are copied into the run.")
    for_each: ForEachSpec | None = Field(default=None, description="Run the node for each item of a list.")
    matrix: dict[str, list[Any]] | None = Field(
        default=None,
        description="Run the node for each combination of values; `include` and `exclude` as in GitHub Actions.",
        examples=[{"os": ["debian", "alpine"], "python": ["3.11", "3.12"]}],
        json_schema_extra={"minProperties": 1},
    )
    min_success: Annotated[int, Field(ge=0)] | None = Field(
        default=None, description="How many items of a `matrix` must succeed; all by default."
    )


class ProcessNode(AnyNode):
    """What a node that starts a program may say beside."""

    cwd: Annotated[Template, Field(min_length=1)] | None = Field(
        default=None, description="Working directory, from the project's root; it can't leave it."
    )
    workspace: Literal["root", "own"] = Field(
        default="root",
        description="`own`: each attempt works in an empty directory of its own, into which the artifacts of the "
        "nodes that it needs are put; `$PIPE_ROOT` is the project's root. `root`: it works in the project.",
    )
    output: Literal["text", "json", "lines", "file"] = Field(
        default="text",
        description="How to read what it prints: as text, JSON or a list of lines. "
        "`file`: read what it wrote to $PIPE_OUTPUT.",
    )
    stdin: Template | None = Field(default=None, description="Text given to it on its standard input.")


class RunNode(ProcessNode):
    """Runs shell text."""

    run: Text = Field(
        description="Shell text. Each `{{ … }}` reaches the shell as a variable, never as program text.",
        examples=["make test", "printf '%s' {{ nodes.list.output }} | wc -l"],
    )
    shell: Annotated[
        Annotated[Literal["sh", "bash", "python"], Tag("<name>")]
        | Annotated[list[Text], Field(min_length=1), Tag("<list>")],
        by_shape(name=str, list=list),
        Field(
            description="What runs the text: `sh` (default), `bash`, `python`, or a program with its arguments.",
            examples=["bash", "python", ["bash", "-eu", "-c"]],
        ),
    ] = "sh"


class ArgvNode(ProcessNode):
    """Runs a program with exactly these arguments; no shell stands between."""

    argv: list[str | bool | int | float] = Field(
        min_length=1,
        description="The program and its arguments.",
        examples=[["git", "log", "-1", "--format=%H"]],
    )


class AgentNode(AnyNode):
    """Lets an agent do something."""

    agent: Text = Field(
        description="The agent's name; `pipe agents` lists them.", examples=["http", "python", "network_diagnostics"]
    )
    provider: Providers | None = Field(
        default=None,
        description="The model service that the agent asks, by its name in pipe.yml; of a list the next one is asked "
        "where one can't answer.",
        examples=["bedrock", ["local", "openai"]],
    )
    with_: dict[str, Any] = Field(
        default_factory=dict, alias="with", description="The agent's options; `pipe agents NAME` shows them."
    )


class PipelineNode(AnyNode):
    """Runs another pipeline file, with inputs and outputs of its own."""

    pipeline: Text = Field(description="The file, relative to this one.", examples=["deploy.yml"])
    with_: dict[str, Any] = Field(default_factory=dict, alias="with", description="Its inputs.")


KINDS = {"run": RunNode, "argv": ArgvNode, "agent": AgentNode, "pipeline": PipelineNode}
"""The key that makes a node what it is, and its model."""

_TAGS = tuple((kind, f"<{kind}>") for kind in KINDS)


def node_kind(value: Any) -> str | None:
    """The tag of the kind of node that a value is, when it has exactly one of the four keys."""
    if type(value) is not dict:
        return None
    found = None
    for kind, tag in _TAGS:
        if kind in value:
            if found is not None:
                return None
            found = tag
    return found


Node: TypeAlias = Annotated[
    Annotated[RunNode, Tag("<run>")]
    | Annotated[ArgvNode, Tag("<argv>")]
    | Annotated[AgentNode, Tag("<agent>")]
    | Annotated[PipelineNode, Tag("<pipeline>")],
    Discriminator(node_kind, custom_error_type="node_kind", custom_error_message="not a node"),
]
