"""`pipe.lock`: what the nodes that ask models depend on and no pipeline file shows; written by `pipe lock`."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import Field

from pipe_schemas.fields import Closed, Text, Version
from pipe_schemas.mcp import Pins

DIGEST: str = r"^sha256:[0-9a-f]{64}$"
Digest: TypeAlias = Annotated[str, Field(pattern=DIGEST)]


class LockedModel(Closed):
    """A model that is asked."""

    provider: Text = Field(description="The provider, by its name.")
    type: Text | None = Field(default=None, description="The provider's type.")
    model: Text | None = Field(
        default=None, description="The model as it is written, or the provider's default; none where nobody says."
    )
    alias: bool = Field(
        default=False, description="The name leads to another model some day: the service decides, not this file."
    )
    template: bool = Field(default=False, description="A value chooses the model; what is locked is the template.")


class LockedTool(Closed):
    """A tool that a model may use."""

    digest: Digest = Field(description="Of the entry as the node has it.")
    agent: Text | None = Field(default=None, description="Of an agent as a tool: its name and version.")
    models: list[LockedModel] = Field(default_factory=list, description="The models that it asks itself.")


class LockedNode(Closed):
    """A node that asks models."""

    agent: Text = Field(description="The agent and its version.")
    models: list[LockedModel] = Field(default_factory=list, description="Whom it asks, in order.")
    options: dict[Text, Digest] = Field(
        default_factory=dict, description="Digests of its options as they are written: prompt, system, output_schema, …"
    )
    tools: dict[Text, LockedTool] = Field(default_factory=dict, description="What the model may use.")


class LockedPipeline(Closed):
    """A pipeline file, or a sub-pipeline, with its nodes that ask models."""

    nodes: dict[Text, LockedNode] = Field(default_factory=dict, description="The nodes by id.")


class LockedServer(Closed):
    """An MCP server of pipe.yml."""

    definition: Digest = Field(description="Of its entry in pipe.yml.")
    tools: Pins | None = Field(
        default=None,
        description="Of each tool that it offered when it was asked, by name; or of them all, where pipe.yml has that.",
    )


class LockedProvider(Closed):
    """A provider that nodes ask."""

    type: Text | None = Field(default=None, description="Its type.")
    definition: Digest = Field(description="Of its entry in pipe.yml, without limits and prices.")


class LockSpec(Closed):
    """`pipe.lock` at the project's root."""

    version: Version = Field(description="The version of the file: 1.")
    providers: dict[Text, LockedProvider] = Field(default_factory=dict, description="The providers that are asked.")
    mcp_servers: dict[Text, LockedServer] = Field(default_factory=dict, description="The MCP servers that are used.")
    pipelines: dict[Text, LockedPipeline] = Field(
        default_factory=dict, description="The pipelines, by their files from the root."
    )


__all__ = [
    "LockSpec",
    "LockedModel",
    "LockedNode",
    "LockedPipeline",
    "LockedProvider",
    "LockedServer",
    "LockedTool",
]
