"""The project's file, `pipe.yml`: what is set for every pipeline of a project, out of reach of the pipelines."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from pipe_schemas.fields import Closed, Duration, Identifier, Scalar, Size, Text, Version, Wait
from pipe_schemas.http import HttpPolicy
from pipe_schemas.mcp import ServerSpec
from pipe_schemas.nodes import Cache, Providers, Retry
from pipe_schemas.providers import ProviderSpec


class LimitsSpec(Closed):
    """Bounds that hold for every run of the project."""

    output: Size | None = Field(default=None, description="How much of a node's output is kept; 16 MiB by default.")
    cache: Size | None = Field(
        default=None,
        description="How much the cache of results takes on disk; 1 GiB by default. What was used least "
        "recently goes first.",
    )
    file: Size | None = Field(default=None, description="How large a pipeline file may be; 64 MiB by default.")
    concurrency: Annotated[int, Field(ge=1, le=10000)] | None = Field(
        default=None, description="Attempts in flight for a run, at most, whatever its file says."
    )
    max_time: Duration | None = Field(default=None, description="The longest time of a run, whatever its file says.")


class PolicySpec(Closed):
    """What agents may reach. It stands here and never in a pipeline file, which it judges."""

    http: HttpPolicy | None = Field(default=None, description="What the `http` agent may reach.")


class ProjectDefaultsSpec(Closed):
    """What a command does that isn't told otherwise by a flag or a `PIPE_*` variable."""

    concurrency: Annotated[int, Field(ge=1, le=10000)] | None = Field(
        default=None, description="Attempts in flight, for pipelines that don't say."
    )
    durability: Literal["full", "os"] | None = Field(
        default=None, description="`full`: the log survives a power cut. `os`: it survives the process."
    )
    grace: Wait | None = Field(default=None, description="Time between TERM and KILL when a run is stopped.")
    timeout: Duration | None = Field(default=None, description="The longest time of one attempt.")
    provider: Providers | None = Field(default=None, description="Whom nodes ask that name no model service.")


class PresetSpec(Closed):
    """An agent with options, under a name of its own. What a node says stands over it."""

    description: str | None = Field(default=None, description="For people; `pipe agents` shows it.")
    agent: Text = Field(description="An agent, or another preset.", examples=["http", "shell"])
    provider: Providers | None = Field(default=None, description="The model service that the agent asks.")
    with_: dict[str, Any] = Field(
        default_factory=dict,
        alias="with",
        description="Options; a node's own stand over them, key by key. Of `shell`: `run` or `argv`, `shell`, `cwd`, "
        "`output`, `stdin`.",
    )
    env: dict[Identifier, Scalar] = Field(
        default_factory=dict, description="Environment variables; a node's own stand over them, name by name."
    )
    secrets: list[Identifier] = Field(
        default_factory=list, description="Secrets that a node is granted beside its own; its file declares them."
    )
    retry: Retry | None = Field(default=None, description="Attempts in total, or a map that says more.")
    timeout: Duration | None = Field(default=None, description="The longest time of one attempt.")
    max_time: Duration | None = Field(default=None, description="Bounds all attempts and the waits between them.")
    effect: Literal["none", "idempotent", "once"] | None = Field(
        default=None, description="What running it twice would do."
    )
    cache: Cache | None = Field(default=None, description="Take an earlier output where nothing changed.")


class ProjectSpec(Closed):
    """`pipe.yml` at the project's root."""

    version: Version | None = Field(default=None, description="The version of the language: 1.")
    providers: dict[str, ProviderSpec] = Field(
        default_factory=dict,
        description="Model services by name; without any, `bedrock`, `openai` and `ollama` exist.",
        examples=[{"local": {"type": "openai", "base_url": "http://localhost:8000/v1", "model": "qwen3"}}],
    )
    agents: dict[Identifier, PresetSpec] = Field(
        default_factory=dict,
        description="Presets of agents: nodes name them as they name agents.",
        examples=[{"ping": {"agent": "http", "with": {"method": "HEAD"}, "timeout": "5s"}}],
    )
    mcp_servers: dict[str, ServerSpec] = Field(
        default_factory=dict,
        description="MCP servers by name: nodes list their tools as `mcp:NAME/TOOL`.",
        examples=[{"time": {"command": ["uvx", "mcp-server-time"]}, "wiki": {"url": "https://mcp.example.com/mcp"}}],
    )
    executor: Text | None = Field(default=None, description="Where attempts are performed; `local` by default.")
    store: Text | None = Field(default=None, description="Where runs are indexed.")
    limits: LimitsSpec | None = Field(default=None, description="Bounds that hold for every run.")
    policy: PolicySpec | None = Field(default=None, description="What agents may reach.")
    defaults: ProjectDefaultsSpec | None = Field(default=None, description="What holds where nobody says otherwise.")
