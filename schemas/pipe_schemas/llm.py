"""What the agent `llm` takes."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, Tag, model_validator

from pipe_schemas.fields import Text, by_shape

MOST_TOOLS: Final = 128
MOST_MEDIA: Final = 100
"""Images, and files, of one question."""
TOOL_FORMS: Final = "`mcp:SERVER/TOOL`, `function:NAME`, or `{agent: NAME}`"
LONGEST_NAME: Final = 200
"""Characters of what a server calls its tool."""
_TOOL: Final = re.compile(rf"(mcp:[A-Za-z0-9_.-]+/.{{1,{LONGEST_NAME}}}|function:[A-Za-z0-9_.-]+)\Z")
TOOL_NAME: Final = r"^[A-Za-z_][A-Za-z0-9_-]{0,63}$"
NOTHING_ASKED: Final = "messages hold nothing but what the model is told first: nothing is asked"
ONE_OF: Final = "exactly one of prompt and messages says what the model is asked"


def _tool(entry: str) -> str:
    if _TOOL.match(entry) and entry.isprintable() and "{{" not in entry and "{%" not in entry:
        return entry
    kind, _, rest = entry.partition(":")
    if kind == "mcp" and rest and "/" not in rest:
        raise ValueError(
            f"`{entry}` names a server, and a node lists exactly the tools that it may use: `mcp:{rest}/TOOL`"
        )
    raise ValueError(f"`{entry}` is no tool: it is {TOOL_FORMS}")


ToolName: TypeAlias = Annotated[str, AfterValidator(_tool)]


class MessageOption(BaseModel):
    """One turn of a conversation."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    role: Literal["system", "user", "assistant"] = Field(description="Who says it.")
    content: Text = Field(description="What is said.")


class AgentTool(BaseModel):
    """Another agent that the model may call; what is fixed under `with` it can't choose."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    agent: Text = Field(description="The agent; `pipe agents` lists them.")
    name: Annotated[str, Field(pattern=TOOL_NAME)] | None = Field(
        default=None,
        description="What the model calls it: a letter or `_`, then letters, digits, `_` or `-`, 64 at most; "
        "the agent's name by default.",
    )
    description: Text | None = Field(default=None, description="What the model is told of it.")
    with_: dict[str, Any] = Field(
        default_factory=dict, alias="with", description="Options that are fixed; the model gives the others."
    )


Tool: TypeAlias = Annotated[
    Annotated[ToolName, Tag("<name>")] | Annotated[AgentTool, Tag("<map>")], by_shape(name=str, map=dict)
]


class MediaOption(BaseModel):
    """An image or a file as a value."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base64: Text = Field(description="The content, in base64.")
    media_type: Annotated[str, Field(pattern=r"^[a-z]+/[A-Za-z0-9.+-]+$", max_length=127)] = Field(
        description="As `image/png`."
    )
    name: Text | None = Field(default=None, description="What the model is told that it is called.")


Media: TypeAlias = Annotated[
    Annotated[Text, Tag("<path>")] | Annotated[MediaOption, Tag("<map>")], by_shape(path=str, map=dict)
]
_Whole: TypeAlias = Annotated[int, Field(strict=True)]


class LlmOptions(BaseModel):
    """What a model is asked, and what it may use."""

    model_config = ConfigDict(extra="forbid", frozen=True, title="options of agent llm")

    provider: list[str] = Field(
        default_factory=list, description="The node's `provider:`; it is not written under `with:`."
    )
    model: (
        Annotated[
            Annotated[Text, Tag("<name>")] | Annotated[list[Text], Field(min_length=1, max_length=20), Tag("<list>")],
            by_shape(name=str, list=list),
        ]
        | None
    ) = Field(
        default=None,
        description="The model, as the service calls it; the provider's own by default. Of a list the next one is "
        "asked where one can't answer.",
    )
    system: str | None = Field(default=None, description="What the model is told first.")
    prompt: Text = Field(default="", description="What it is asked. Exactly one of `prompt` and `messages`.")
    messages: Annotated[list[MessageOption], Field(min_length=1, max_length=1000)] = Field(
        default_factory=list, description="A conversation of `{role, content}`, in place of `prompt`."
    )
    output_schema: dict[str, Any] | None = Field(
        default=None, description="JSON Schema of the answer, which then is a value; checked, and asked for again."
    )
    max_reasks: Annotated[int, Field(ge=0, le=10, strict=True)] = Field(
        default=2, description="How often it is asked again where the answer doesn't fit `output_schema`."
    )
    allow_noop: Annotated[bool, Field(strict=True)] = Field(
        default=False, description="The model may say that there is nothing to do: `{noop: reason}`."
    )
    tools: Annotated[list[Tool], Field(max_length=MOST_TOOLS)] = Field(
        default_factory=list,
        description=f"Exactly what the model may use: {TOOL_FORMS}.",
        examples=[["mcp:time/get_current_time", {"agent": "http", "with": {"method": "GET"}}]],
    )
    max_iterations: Annotated[int, Field(ge=1, le=1000, strict=True)] = Field(
        default=10, description="Rounds of tool calls, at most."
    )
    images: Annotated[list[Media], Field(max_length=MOST_MEDIA)] = Field(
        default_factory=list,
        description="Paths from the project's root, or `{base64, media_type}`; they go with the last message of the "
        "user. 20 MiB at most, `files` included.",
    )
    files: Annotated[list[Media], Field(max_length=MOST_MEDIA)] = Field(
        default_factory=list,
        description="As `images`. The text of text files is put before the question, marked as data; others are sent "
        "as they are.",
    )
    max_tokens: Annotated[int, Field(ge=1, strict=True)] | None = Field(
        default=None, description="Of one answer, at most; 4096 by default."
    )
    temperature: Annotated[float, Field(ge=0, le=2, strict=True)] | None = Field(
        default=None, description="How much answers vary."
    )
    top_p: Annotated[float, Field(gt=0, le=1, strict=True)] | None = Field(
        default=None, description="Only the likeliest words that together have this share are chosen from."
    )
    stop: Annotated[list[Text], Field(max_length=16)] = Field(
        default_factory=list, description="Texts at which the answer ends; they are not part of it."
    )
    seed: _Whole | None = Field(default=None, description="For services that can give the same answer again.")

    @model_validator(mode="after")
    def _asks_one_thing(self) -> LlmOptions:
        if len({"prompt", "messages"} & self.model_fields_set) != 1:
            raise ValueError(ONE_OF)
        if self.messages and all(message.role == "system" for message in self.messages):
            raise ValueError(NOTHING_ASKED)
        return self
