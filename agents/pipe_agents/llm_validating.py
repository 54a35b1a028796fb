"""Holds values against the JSON Schema that answers are asked for by, and tells a model what is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import islice
from typing import Any, Final

from pipe_runner.errors import NodeFault
from pipe_runner.types import ErrorKind, Json, JsonObject

TOLD: Final = 10
"""Faults of an answer that are told, to the model and in the error."""
LOOKED_AT: Final = 200
"""Faults of an answer that are looked for."""
SEEN: Final = 64 * 1024
"""Characters of a value that are searched for secrets, of which a few are shown."""


class Misfit(Exception):
    """An answer isn't what was asked for; `faults` are sentences that a model understands."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


def check_schema(schema: JsonObject) -> None:
    """Raises NodeFault for a schema that can't be used; those that stand in a file were checked before the run."""
    _validator(_text_of(schema))


def misfits(schema: JsonObject, value: Json, mask: Callable[[str], str] = str) -> list[str]:
    """Sentences that say where a value doesn't fit; raises NodeFault for a schema with which nothing can be checked.
    `mask` hides secrets in what of the value they show."""
    try:
        some = islice(_validator(_text_of(schema)).iter_errors(value), LOOKED_AT)
        errors = sorted(some, key=lambda error: [str(step) for step in error.path])
    except RecursionError:
        raise Misfit(["it is nested too deeply"]) from None
    except ValueError as error:
        raise NodeFault(ErrorKind.INVALID_OUTPUT, f"output_schema can't be used: {error}") from None
    found = dict.fromkeys(sentence for error in errors for sentence in _sentences(error, mask))
    return list(found)[:TOLD]


def _text_of(schema: JsonObject) -> str:
    try:
        return json.dumps(schema, sort_keys=True)
    except RecursionError:
        raise NodeFault(ErrorKind.INVALID_OUTPUT, "output_schema is nested too deeply") from None


@lru_cache(maxsize=64)
def _validator(text: str) -> Any:
    """By the schema's text: many calls ask for the same one. Raises NodeFault for one that can't be used."""
    from pipe_schemas.answers import faults
    from pipe_schemas.validating import validator_of

    schema: Any = json.loads(text)
    for fault in faults(schema):
        place = ".".join(str(step) for step in ("output_schema", *fault.path))
        raise NodeFault(ErrorKind.INVALID_OUTPUT, f"{place}: {fault.message}")
    return validator_of(schema)


# ---------------------------------------------------------------- sentences


def _sentences(error: Any, mask: Callable[[str], str]) -> Iterator[str]:
    """What is wrong at one place, in words of JSON."""
    where = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in error.absolute_path)
    yield from (f"at ${where}: {what}" for what in _faults(error, mask))


def _faults(error: Any, mask: Callable[[str], str]) -> Iterator[str]:
    keyword, wanted, value = error.validator, error.validator_value, error.instance
    shown = excerpt(mask(json.dumps(value, ensure_ascii=False)[:SEEN]), 80)
    if keyword == "type":
        yield f"must be {' or '.join([wanted] if isinstance(wanted, str) else wanted)}, not {shown}"
    elif keyword == "enum":
        options = ", ".join(json.dumps(one, ensure_ascii=False) for one in wanted)
        yield f"must be one of {excerpt(options, 300)}, not {shown}"
    elif keyword == "required":
        yield from (f"lacks the property {json.dumps(name)}" for name in wanted if name not in value)
    elif keyword == "additionalProperties":
        from pipe_schemas.validating import additional_in

        names = ", ".join(json.dumps(key, ensure_ascii=False) for key in additional_in(value, error.schema))
        yield f"has properties that are not declared: {excerpt(mask(names[:SEEN]), 200)}"
    elif keyword in ("anyOf", "oneOf") and error.context:
        nearest = max(error.context, key=lambda one: (len(one.absolute_path), one.validator != "type"))
        yield f"fits none of the alternatives, {shown}; the nearest one: {next(_sentences(nearest, mask))}"
    elif wanted is False or keyword is None:
        yield f"must not be there, {shown}"
    else:
        yield f"must fit {keyword} {excerpt(json.dumps(wanted, ensure_ascii=False), 200)}, not {shown}"


def excerpt(text: str, most: int) -> str:
    """The beginning of a text, on one line."""
    line = " ".join(text[: most * 2].split())
    return line if len(line) <= most and len(text) <= most * 2 else line[: most - 1] + "…"
