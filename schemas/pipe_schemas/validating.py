"""Validators of JSON Schema for values of anybody: patterns in time that grows with the text only, trees in time that
grows with them, numbers as they are written, and equal what is equal as JSON. Schemas are such as `answers.faults`
finds nothing in."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pipe_schemas.answers import part_of
from pipe_schemas.multiples import multiple_of
from pipe_schemas.patterns import matches

Known = dict[tuple[int, int], tuple[Any, Any, Any]]
"""What was found where a reference leads, while one value is checked: the schema that refers and the part of the value,
which are kept so that no others have their ids, and the first error."""


class Validator:
    """Holds values against one schema."""

    def __init__(self, inner: Any, known: Known) -> None:
        self._inner, self._known = inner, known

    def iter_errors(self, value: Any) -> Iterator[Any]:
        """Of the library `jsonschema`; they have a place and a keyword, and no message."""
        self._known.clear()
        try:
            yield from self._inner.iter_errors(value)
        finally:
            self._known.clear()

    def is_valid(self, value: Any) -> bool:
        return next(self.iter_errors(value), None) is None


def validator_of(schema: Mapping[str, Any]) -> Validator:
    # Where a reference leads to a schema that names its dialect, the library would take its own rules from there on.
    schema = {key: value for key, value in schema.items() if key != "$schema"}
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import ValidationError
    from jsonschema.validators import extend
    from referencing import Registry

    known: Known = {}

    def pattern(validator: Any, wanted: str, instance: Any, own: Any) -> Iterator[ValidationError]:
        if isinstance(instance, str) and not matches(wanted, instance):
            yield ValidationError("")

    def one(validator: Any, item: Any, inner: Any, key: str) -> Iterator[ValidationError]:
        if inner is False:  # of which the library says no place
            yield ValidationError("", validator=None, path=(key,), instance=item)
        else:
            yield from validator.descend(item, inner, path=key)

    def properties(validator: Any, wanted: Any, instance: Any, own: Any) -> Iterator[ValidationError]:
        for name, inner in wanted.items() if isinstance(instance, dict) else ():
            if name in instance:
                yield from one(validator, instance[name], inner, name)

    def pattern_properties(validator: Any, wanted: Any, instance: Any, own: Any) -> Iterator[ValidationError]:
        for name, inner in wanted.items() if isinstance(instance, dict) else ():
            for key, item in instance.items():
                if matches(name, key):
                    yield from one(validator, item, inner, key)

    def others(validator: Any, wanted: Any, instance: Any, keys: Iterator[str]) -> Iterator[ValidationError]:
        for key in keys:
            if wanted is False:
                yield ValidationError("")
                return
            yield from validator.descend(instance[key], wanted, path=key)

    def additional(validator: Any, wanted: Any, instance: Any, own: Any) -> Iterator[ValidationError]:
        if isinstance(instance, dict):
            yield from others(validator, wanted, instance, additional_in(instance, own))

    def unevaluated(validator: Any, wanted: Any, instance: Any, own: Any) -> Iterator[ValidationError]:
        if isinstance(instance, dict):
            named = evaluated(validator, instance, {k: v for k, v in own.items() if k != "unevaluatedProperties"})
            yield from others(validator, wanted, instance, (key for key in instance if key not in named))

    def evaluated(validator: Any, instance: Mapping[str, Any], part: Any) -> set[str]:
        """Properties of which a schema that the value fits says something, or one within it about the same value."""
        if not isinstance(part, dict):
            return set()
        if "additionalProperties" in part or "unevaluatedProperties" in part:
            return set(instance)
        found = set(instance) - set(additional_in(instance, part))
        for inner in within(validator, instance, part):
            found |= evaluated(validator, instance, inner)
        return found

    def within(validator: Any, instance: Mapping[str, Any], part: Mapping[str, Any]) -> Iterator[Any]:
        """The schemas about the same value that it fits."""

        def fits(inner: Any) -> bool:
            return bool(validator.evolve(schema=inner).is_valid(instance))

        if "$ref" in part:
            yield part_of(schema, part["$ref"])
        for key in ("allOf", "anyOf", "oneOf"):
            yield from (inner for inner in part.get(key, ()) if fits(inner))
        yield from (inner for name, inner in part.get("dependentSchemas", {}).items() if name in instance)
        if "if" in part:
            held = fits(part["if"])
            yield part["if"] if held else True
            yield part.get("then" if held else "else", True)

    def unique(validator: Any, wanted: Any, instance: Any, own: Any) -> Iterator[ValidationError]:
        if wanted and isinstance(instance, list) and len({_canonical(item) for item in instance}) < len(instance):
            yield ValidationError("")

    kind = extend(
        Draft202012Validator,
        {
            "$ref": remembering(Draft202012Validator.VALIDATORS["$ref"], known),
            "pattern": pattern,
            "properties": properties,
            "patternProperties": pattern_properties,
            "additionalProperties": additional,
            "unevaluatedProperties": unevaluated,
            "multipleOf": multiple_of,
            "uniqueItems": unique,
        },
    )
    return Validator(kind(schema, registry=Registry()), known)


def remembering(refers: Any, known: Known) -> Any:
    """The rule of a library for `$ref`, which looks once at what it leads to: alternatives, and what asks what is
    evaluated, come to the same part of a value again at each level, so the time would double with each."""
    from jsonschema.exceptions import ValidationError

    def reference(validator: Any, wanted: Any, instance: Any, own: Any) -> Iterator[ValidationError]:
        if not isinstance(instance, dict | list):
            yield from refers(validator, wanted, instance, own) or ()
            return
        key, first = (id(own), id(instance)), None
        if key in known:
            found = known[key][2]
            if found is not None:  # which was told whole before
                yield alone(found)
            return
        for error in refers(validator, wanted, instance, own) or ():
            first = first or alone(error)
            yield error
        known[key] = own, instance, first

    def alone(error: ValidationError) -> ValidationError:
        """The same error, without those within it."""
        said = {name: getattr(error, name) for name in ("validator", "validator_value", "instance", "schema")}
        return ValidationError(error.message, path=error.relative_path, schema_path=error.relative_schema_path, **said)

    return reference


def additional_in(instance: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[str]:
    """The properties of a value that the schema names neither itself nor by a pattern."""
    patterns = schema.get("patternProperties", {})
    for key in instance:
        if key not in schema.get("properties", {}) and not any(matches(pattern, key) for pattern in patterns):
            yield key


def _canonical(value: Any) -> str:
    """The same text for values that are equal as JSON: 1 is 1.0, and not true."""

    def plain(item: Any) -> Any:
        if isinstance(item, float) and item.is_integer():
            return int(item)
        if isinstance(item, list):
            return [plain(each) for each in item]
        return {key: plain(each) for key, each in item.items()} if isinstance(item, dict) else item

    return json.dumps(plain(value), sort_keys=True)
