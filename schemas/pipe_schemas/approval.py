"""What the agent `approval` takes."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class ApprovalOptions(BaseModel):
    """What a person is asked."""

    model_config = ConfigDict(extra="forbid", frozen=True, title="options of agent approval")

    message: Annotated[str, Field(min_length=1, max_length=4096)] = Field(
        description="What the person is asked, in a sentence.", examples=["Release {{ nodes.build.output }}?"]
    )
