"""Holds values against the JSON Schema that answers are asked for by, and tells a model what is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
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
    from pipe_schemas.multiples import multiple_of

    schema: Any = json.loads(text)
    for fault in faults(schema):
        place = ".".join(str(step) for step in ("output_schema", *fault.path))
        raise NodeFault(ErrorKind.INVALID_OUTPUT, f"{place}: {fault.message}")
    schema.pop("$schema", None)
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import ValidationError
    from jsonschema.validators import extend
    from referencing import Registry

    def pattern(validator: Any, wanted: str, instance: Any, schema: Any) -> Iterator[ValidationError]:
        if isinstance(instance, str) and not _matches(wanted, instance):
            yield ValidationError("")

    def pattern_properties(validator: Any, wanted: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
        for name, inner in wanted.items() if isinstance(instance, dict) else ():
            for key, item in instance.items():
                if _matches(name, key):
                    yield from validator.descend(item, inner, path=key, schema_path=name)

    def additional(validator: Any, wanted: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
        for key in _additional(instance, schema) if isinstance(instance, dict) else ():
            if wanted is False:
                yield ValidationError("")
                return
            yield from validator.descend(instance[key], wanted, path=key)

    def unique(validator: Any, wanted: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
        if wanted and isinstance(instance, list) and len({_canonical(item) for item in instance}) < len(instance):
            yield ValidationError("")

    kind = extend(
        Draft202012Validator,
        {
            "pattern": pattern,
            "patternProperties": pattern_properties,
            "additionalProperties": additional,
            "multipleOf": multiple_of,
            "uniqueItems": unique,
        },
    )
    return kind(schema, registry=Registry())


def _canonical(value: Json) -> str:
    """The same text for values that are equal as JSON: 1 is 1.0, and not true."""

    def plain(item: Any) -> Any:
        if isinstance(item, float) and item.is_integer():
            return int(item)
        if isinstance(item, list):
            return [plain(each) for each in item]
        return {key: plain(each) for key, each in item.items()} if isinstance(item, dict) else item

    return json.dumps(plain(value), sort_keys=True)


def _additional(instance: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[str]:
    patterns = schema.get("patternProperties", {})
    for key in instance:
        if key not in schema.get("properties", {}) and not any(_matches(pattern, key) for pattern in patterns):
            yield key


def _matches(pattern: str, text: str) -> bool:
    """Whether the pattern occurs in the text, in time that grows with the text only."""
    from pydantic_core import ValidationError

    try:
        _compiled(pattern).validate_python(text)
    except ValidationError:
        return False
    return True


@lru_cache(maxsize=64)
def _compiled(pattern: str) -> Any:
    from pydantic_core import SchemaError, SchemaValidator, core_schema

    try:
        return SchemaValidator(core_schema.str_schema(pattern=pattern, regex_engine="rust-regex"))
    except SchemaError:
        raise ValueError(f"the pattern {pattern[:60]!r} can't be used") from None


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
        names = ", ".join(json.dumps(key, ensure_ascii=False) for key in _additional(value, error.schema))
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
