"""What an input of a pipeline may declare: a bounded part of JSON Schema."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field, Tag

from pipe_schemas.fields import Closed, Text, by_shape

TypeName: TypeAlias = Literal["string", "integer", "number", "boolean", "array", "object"]
Limit: TypeAlias = Annotated[int, Field(ge=0)]


class BoundedSpec(Closed):
    """A type and what bounds it. The words are JSON Schema's."""

    type: TypeName = Field(default="string", description="The type of the value.")
    description: str | None = Field(default=None, description="For people.")
    enum: list[Any] | None = Field(default=None, min_length=1, description="The values that there are.")
    items: ValueSpec | None = Field(default=None, description="Of an array: the schema of each item.")
    properties: dict[str, ValueSpec] | None = Field(default=None, description="Of an object: the schema of each key.")
    additionalProperties: bool = Field(default=True, description="Of an object: whether it may have other keys.")
    minimum: int | float | None = Field(default=None, description="The smallest number.")
    maximum: int | float | None = Field(default=None, description="The largest number.")
    minLength: Limit | None = Field(default=None, description="The fewest characters.")
    maxLength: Limit | None = Field(default=None, description="The most characters.")
    minItems: Limit | None = Field(default=None, description="The fewest items.")
    maxItems: Limit | None = Field(default=None, description="The most items.")
    pattern: Text | None = Field(
        default=None,
        description="A regular expression that a text must match somewhere; without look-around and back-references, "
        "so that it can't run away.",
    )


class ValueSpec(BoundedSpec):
    """The schema of a part of a value."""

    required: list[str] = Field(default_factory=list, description="Of an object: the keys that it must have.")


class InputSpec(BoundedSpec):
    """An input: the schema of its value, and what it is when nobody gives one."""

    default: Any = Field(default=None, description="The value when none is given; without it the input must be given.")
    required: Annotated[
        Annotated[bool, Tag("<switch>")] | Annotated[list[str], Tag("<list>")],
        by_shape(switch=bool, list=list),
        Field(
            description="false: may be left out, and is null then. A list: the keys that an object must have.",
        ),
    ] = Field(default_factory=list)
