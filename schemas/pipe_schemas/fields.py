"""The kinds of field that the models are made of: closed models, durations, identifiers, text or number."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    GetCoreSchemaHandler,
    Tag,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from pipe_schemas.durations import (
    COUNT_PATTERN,
    DURATION_PATTERN,
    SIZE_PATTERN,
    WAIT_PATTERN,
    parse_count,
    parse_duration,
    parse_size,
)


class Closed(BaseModel):
    """A map with a fixed set of keys, and `x-…` keys that are free; nothing is converted."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, populate_by_name=False)
    nulls: ClassVar[frozenset[str]] = frozenset()
    """Optional fields of which null says something."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> Any:
        """A key that is left out is None; one that is there and empty is a fault, since it would switch off what it
        is about without a word."""
        made: Any = handler(source)
        inner = made
        while inner["type"] != "model-fields":
            if "schema" not in inner:
                return made
            inner = inner["schema"]
        for name, field in inner["fields"].items():
            with_default = field["schema"]
            if name in cls.nulls:
                continue
            if with_default["type"] == "default" and with_default["schema"]["type"] == "nullable":
                with_default["schema"] = with_default["schema"]["schema"]
        return made


ID_PATTERN = r"^[A-Za-z_][A-Za-z0-9_]*$"
Identifier: TypeAlias = Annotated[str, Field(pattern=ID_PATTERN, max_length=200)]
"""A node id, an input name, an output name or the name of a variable: what can stand in an expression."""

Version: TypeAlias = Annotated[int, Field(ge=1, le=1, json_schema_extra={"const": 1})]
"""The version of the language; a strict integer, since Python takes true and 1.0 for 1."""

Text: TypeAlias = Annotated[str, Field(min_length=1)]
Scalar: TypeAlias = str | bool | int | float | None
"""Text, a number, true, false or null: what a variable of an environment may be given."""


def _duration(value: Any, *, zero: bool = False) -> Any:
    if isinstance(value, str):
        try:
            parse_duration(value, zero=zero)
        except ValueError as error:
            raise PydanticCustomError("duration", "{why}", {"why": str(error)}) from None
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        why = (
            f"a bare number is not a duration, since other systems disagree on its unit: write `{value}s` or `{value}m`"
        )
        raise PydanticCustomError("duration", "{why}", {"why": why})
    raise PydanticCustomError("duration", "{why}", {"why": "a duration is text, as `90s`, `10m` or `1h30m`"})


Duration: TypeAlias = Annotated[
    str,
    BeforeValidator(_duration),
    WithJsonSchema({"type": "string", "pattern": DURATION_PATTERN, "examples": ["250ms", "90s", "10m", "1h30m", "1d"]}),
]


def _wait(value: Any) -> Any:
    return _duration(value, zero=True)


Wait: TypeAlias = Annotated[
    str,
    BeforeValidator(_wait),
    WithJsonSchema({"type": "string", "pattern": WAIT_PATTERN, "examples": ["0s", "250ms", "90s"]}),
]
"""A duration that may be zero: time between two things."""


def _size(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    if isinstance(value, str):
        try:
            size = parse_size(value)
        except ValueError as error:
            raise PydanticCustomError("size", "{why}", {"why": str(error)}) from None
        if size > 0:
            return size
        raise PydanticCustomError("size", "{why}", {"why": f"`{value}` is not even one byte"})
    raise PydanticCustomError("size", "{why}", {"why": "a size is a number of bytes, or text as `16MiB`"})


Size: TypeAlias = Annotated[
    int,
    BeforeValidator(_size),
    WithJsonSchema(
        {
            "anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": SIZE_PATTERN}],
            "examples": ["16MiB", "500kB", 1048576],
        }
    ),
]


def _count(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    if isinstance(value, str):
        try:
            count = parse_count(value)
        except ValueError as error:
            raise PydanticCustomError("count", "{why}", {"why": str(error)}) from None
        if count > 0:
            return count
        raise PydanticCustomError("count", "{why}", {"why": f"`{value}` is not even one"})
    raise PydanticCustomError("count", "{why}", {"why": "this is a whole number above zero, or text as `200k`"})


Count: TypeAlias = Annotated[
    int,
    BeforeValidator(_count),
    WithJsonSchema(
        {
            "anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": COUNT_PATTERN}],
            "examples": [5000, "200k"],
        }
    ),
]


class BudgetSpec(Closed):
    """What a run, a node with all its items and attempts, or a sub-pipeline may use before it is stopped."""

    max_cost: Annotated[float, Field(ge=0)] | None = Field(
        default=None, description="US dollars that calls of models may cost.", examples=[2.5]
    )
    max_tokens: Count | None = Field(default=None, description="Tokens of calls of models, in and out.")
    max_time: Duration | None = Field(default=None, description="Time, retry waits included; `finally` has its own.")
    unknown_cost: Literal["refuse", "allow"] = Field(
        default="refuse",
        description="What becomes of calls under `max_cost` of which no price is known; allowed ones count as nothing.",
    )


class _Words(dict[str, int | str | float]):
    """What goes with an error; hashable, since annotations are."""

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(tuple(self.items()))


def by_shape(what: str | None = None, /, **tags: type | tuple[type, ...]) -> Discriminator:
    """Chooses a branch of a union by the Python type of the value: `by_shape(count=int, map=dict)`.

    The branches are tagged `<count>` and `<map>`: no key of a file, so the tags can be told from keys in a location.
    `what`: the words for what may stand there.
    """
    kinds = tuple((f"<{name}>", kind) for name, kind in tags.items())

    def choose(value: Any) -> str | None:
        for name, kind in kinds:
            if isinstance(value, kind) and (kind is bool or not isinstance(value, bool)):
                return name
        return None

    context = None if what is None else _Words({"what": what})
    return Discriminator(choose, "shape", "a value of another shape", context)


__all__ = [
    "ID_PATTERN",
    "BudgetSpec",
    "Closed",
    "Count",
    "Discriminator",
    "Duration",
    "Identifier",
    "Scalar",
    "Size",
    "Tag",
    "Text",
    "Version",
    "Wait",
    "by_shape",
]
