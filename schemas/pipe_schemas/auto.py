"""What the agent `auto` takes."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

MOST = 4
"""Agents for one task."""


OURS: Final[dict[str, JsonValue]] = {"x-set-before-the-run": True}
"""Marks options that no file sets, and that are shown to nobody."""


class ChosenAgent(BaseModel):
    """An agent that was chosen before the run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    agent: str
    score: float
    why: str
    options: dict[str, Any] = Field(default_factory=dict)


class AutoOptions(BaseModel):
    """A task in plain words; who performs it is chosen by what agents say of themselves."""

    model_config = ConfigDict(extra="forbid", frozen=True, title="options of agent auto")

    task: Annotated[str, Field(min_length=1, max_length=4000)] = Field(
        description="What is to be found out, in plain words.", examples=["can we reach db.internal on 5432?"]
    )
    agents: Annotated[list[str], Field(min_length=1, max_length=100)] = Field(
        default_factory=list, description="Only these; by default all that may be chosen."
    )
    most: Annotated[int, Field(ge=1, le=MOST, strict=True)] = Field(
        default=1, description="How many may be chosen: those that fit nearly as well as the best work at once."
    )
    by: Literal["words", "model"] = Field(
        default="words", description="Who chooses: words alone, or a model of the node's `provider`."
    )
    options: dict[str, Any] = Field(
        default_factory=dict, description="Options of whoever is chosen, over those that the task gives."
    )
    model: str | None = Field(default=None, description="The model that chooses; the provider's own by default.")
    provider: list[str] = Field(
        default_factory=list, description="The node's `provider:`; it is not written under `with:`."
    )
    known: dict[str, str] = Field(
        default_factory=dict,
        description="Set before the run: who may be chosen, with their versions.",
        json_schema_extra=OURS,
    )
    chosen: list[ChosenAgent] = Field(
        default_factory=list,
        description="Set before the run, where the task is known then.",
        json_schema_extra=OURS,
    )


SET_BEFORE: Final = tuple(name for name, field in AutoOptions.model_fields.items() if field.json_schema_extra == OURS)
"""The names of those."""
