"""A whole pipeline file, as it may be written."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import ConfigDict, Field, Tag

from pipe_schemas.fields import BudgetSpec, Closed, Duration, Identifier, Scalar, Text, Version, by_shape
from pipe_schemas.inputs import InputSpec
from pipe_schemas.nodes import Node, Retry, Template

Parallel: TypeAlias = Annotated[int, Field(ge=1, le=10000)]


class SecretSpec(Closed):
    """Where a secret comes from. The value itself never stands in a file."""

    model_config = ConfigDict(
        json_schema_extra={
            "if": {"required": ["from"], "properties": {"from": {"const": "file", "description": "Where it is this."}}},
            "then": {"required": ["key"]},
        }
    )

    from_: Literal["env", "file", "aws-secretsmanager", "aws-ssm"] = Field(
        alias="from", description="The kind of source."
    )
    key: Text | None = Field(
        default=None,
        description="The variable, file, secret or parameter. For `env` it is the secret's own name by default.",
    )


class DefaultsSpec(Closed):
    """What a node has that doesn't say otherwise."""

    timeout: Duration | None = Field(default=None, description="The longest time of one attempt.")
    max_time: Duration | None = Field(default=None, description="Bounds all attempts of a node and their waits.")
    retry: Retry | None = Field(default=None, description="Attempts in total, or a map that says more.")
    shell: Annotated[
        Annotated[Literal["sh", "bash", "python"], Tag("<name>")]
        | Annotated[list[Text], Field(min_length=1), Tag("<list>")],
        by_shape(name=str, list=list),
        Field(description="What runs the text of `run:`."),
    ] = "sh"
    cwd: Annotated[Template, Field(min_length=1)] | None = Field(
        default=None, description="Working directory of commands, from the project's root."
    )


class ConcurrencySpec(Closed):
    """How much runs at the same time."""

    max_parallel: Parallel = Field(default=16, description="Attempts in flight for the run.")
    group: Template | None = Field(default=None, description="Only one run of a group runs at a time.")
    cancel_in_progress: bool = Field(default=False, description="Cancel the other run of the group, not wait for it.")


class IncludeSpec(Closed):
    """Another file whose nodes are added to this one's."""

    file: Text = Field(description="The file, relative to this one.")
    with_: dict[str, Any] = Field(default_factory=dict, alias="with", description="Its inputs.")


class PipelineSpec(Closed):
    """A pipeline: nodes, what they take, and what they give."""

    model_config = ConfigDict(defer_build=True)  # a large file is held against the other one, a small one against this

    version: Version = Field(description="The version of the language: 1.")
    name: Text | None = Field(default=None, description="The pipeline's name; by default the file's stem.")
    description: str | None = Field(default=None, description="What it is for.")
    inputs: dict[Identifier, InputSpec] = Field(
        default_factory=dict,
        description="Values given from outside: `-i NAME=VALUE`, `--inputs FILE`, or the `with:` of a caller.",
        examples=[{"host": {"type": "string", "default": "localhost"}}],
    )
    env: dict[Identifier, Scalar] = Field(
        default_factory=dict, description="Environment variables of every node.", examples=[{"LC_ALL": "C.UTF-8"}]
    )
    secrets: dict[Identifier, SecretSpec] = Field(
        default_factory=dict,
        description="Secrets and where they come from; each node is granted its own by name.",
        examples=[{"SLACK_URL": {"from": "env"}}],
    )
    defaults: DefaultsSpec | None = Field(default=None, description="What a node has that doesn't say otherwise.")
    concurrency: Annotated[
        Annotated[Parallel, Tag("<count>")] | Annotated[ConcurrencySpec, Tag("<map>")],
        by_shape(count=int, map=dict),
        Field(description="Attempts in flight for the run (default 16), or a map that says more.", examples=[8]),
    ] = 16
    fail_fast: bool = Field(default=False, description="Start no new work after a node failed.")
    budget: BudgetSpec | None = Field(default=None, description="What the run may use before it is stopped.")
    include: list[IncludeSpec] = Field(default_factory=list, description="Other files whose nodes are added.")
    nodes: dict[Identifier, Node] = Field(
        min_length=1, description="The nodes by id; their order in the file has no meaning."
    )
    on_failure: dict[Identifier, Node] = Field(
        default_factory=dict, description="Nodes that run when the run has failed, after all others."
    )
    finally_: dict[Identifier, Node] = Field(
        default_factory=dict, alias="finally", description="Nodes that always run, after everything else."
    )
    outputs: dict[Identifier, Any] = Field(
        default_factory=dict,
        description="What the run gives, by name.",
        examples=[{"severity": "{{ nodes.explain.output.severity }}"}],
    )


class PartSpec(PipelineSpec):
    """A file that may have no nodes of its own: one that includes others, or is included, or is taken apart."""

    nodes: dict[Identifier, Node] = Field(
        default_factory=dict, description="The nodes by id; their order in the file has no meaning."
    )
