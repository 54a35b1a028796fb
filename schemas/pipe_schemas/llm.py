"""What the agent `llm` takes."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class LlmOptions(BaseModel):
    """What a model is asked, and what it may use."""

    model_config = ConfigDict(extra="forbid", frozen=True, title="options of agent llm")

    provider: list[str] = Field(
        default_factory=list, description="The node's `provider:`; it is not written under `with:`."
    )
    model: Annotated[str, Field(min_length=1)] | None = Field(
        default=None, description="The model, as the service calls it; the provider's own by default."
    )
    system: str | None = Field(default=None, description="What the model is told first.")
    prompt: Annotated[str, Field(min_length=1)] = Field(description="What it is asked.")
    max_tokens: Annotated[int, Field(ge=1)] | None = Field(default=None, description="Of the answer; 4096 by default.")
    temperature: Annotated[float, Field(ge=0, le=2)] | None = Field(default=None, description="How much it varies.")
