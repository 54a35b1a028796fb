"""Declared inputs: a JSON Schema of each, held to its word before anybody gives a value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pipe_runner.compiler.matching import mismatches, misplaced
from pipe_runner.compiler.patterns import Patterns
from pipe_runner.compiler.places import positions
from pipe_runner.compiler.report import Report, short
from pipe_runner.compiler.values import may_hold_template
from pipe_runner.plan import PlannedInput
from pipe_runner.types import Path_
from pipe_schemas.inputs import BoundedSpec, InputSpec

_FOR: Final = {
    "items": "array",
    "minItems": "array",
    "maxItems": "array",
    "properties": "object",
    "additionalProperties": "object",
    "minLength": "string",
    "maxLength": "string",
    "pattern": "string",
    "minimum": "number",
    "maximum": "number",
}
_NOT_SCHEMA: Final = frozenset({"default", "description", "required"})
_UNBOUNDED: Final = frozenset({"type", "default", "description"})
"""Keys that contradict no other one."""
_PAIRS: Final = (("minimum", "maximum"), ("minLength", "maxLength"), ("minItems", "maxItems"))


def compile_inputs(specs: Mapping[str, InputSpec], report: Report) -> tuple[PlannedInput, ...]:
    """The inputs of a plan; reports declarations that contradict themselves."""
    found = []
    patterns = Patterns()
    places = positions(report.document, "inputs", list(specs))
    for (name, spec), (line, _) in zip(specs.items(), places, strict=True):
        path: Path_ = ("inputs", name)
        sound = _sound(spec, path, report, patterns)
        schema = schema_of(spec)
        has_default = "default" in spec.model_fields_set
        required = not has_default
        if spec.required is False:
            required = False
        elif spec.required is True and has_default:
            message = f"input `{name}` has a default, so it is never missing"
            report.add("E212", message, (*path, "required"), at="key", hint="leave out `required` or `default`")
        if has_default and sound:
            _default(spec, schema, path, report)
        found.append(PlannedInput(name, schema, required, spec.default, line, spec.description or ""))
    return tuple(found)


def schema_of(spec: BoundedSpec) -> dict[str, Any]:
    """The JSON Schema of a value."""
    given = spec.model_fields_set
    schema: dict[str, Any] = {"type": spec.type}
    for key in given - _NOT_SCHEMA - {"type"}:
        value = getattr(spec, key)
        if key == "items":
            value = schema_of(value)
        elif key == "properties":
            value = {name: schema_of(inner) for name, inner in value.items()}
        if value is not None:
            schema[key] = value
    required = getattr(spec, "required", None)
    if isinstance(required, list) and required:
        schema["required"] = required
    return dict(sorted(schema.items()))


def _sound(spec: BoundedSpec, path: Path_, report: Report, patterns: Patterns) -> bool:
    """Whether the declaration means something; says what doesn't."""
    if spec.model_fields_set <= _UNBOUNDED:
        return not patterns.too_many
    before = len(report.found)
    for key in sorted(spec.model_fields_set & _FOR.keys()):
        wanted = _FOR[key]
        if spec.type != wanted and not (wanted == "number" and spec.type == "integer"):
            message = f"`{key}` says something of type {wanted}, and this is {spec.type}"
            hint = (
                None
                if "type" in spec.model_fields_set
                else f"an input is a string where nothing is said: `type: {wanted}`"
            )
            report.add("E215", message, (*path, key), at="key", hint=hint)
    required = getattr(spec, "required", None)
    if isinstance(required, list) and required and spec.type != "object":
        message = f"a list of required keys says something of type object, and this is {spec.type}"
        report.add("E215", message, (*path, "required"), hint="write `required: true`, or leave it out")
    for low, high in _PAIRS:
        one, other = getattr(spec, low), getattr(spec, high)
        if one is not None and other is not None and one > other:
            report.add("E215", f"`{low}` is {one}, above `{high}`, which is {other}", (*path, low), at="key")
    why = patterns.fault(spec.pattern) if spec.pattern is not None else None
    if why is not None:
        hint = "look-around and back-references are not available, so that no pattern can run away"
        if "too large" in why:
            hint = "match less with it, and look closer at the value in a node"
        report.add("E216", f"`pattern` can't be used: {short(why, 200)}", (*path, "pattern"), hint=hint)
    for number, choice in enumerate(spec.enum or ()):
        for sentence in mismatches(choice, {"type": spec.type}, "a value of `enum`"):
            report.add("E215", sentence, (*path, "enum", number))
    if spec.items is not None:
        _sound(spec.items, (*path, "items"), report, patterns)
    for name, inner in (spec.properties or {}).items():
        _sound(inner, (*path, "properties", name), report, patterns)
    return len(report.found) == before and not patterns.too_many


def _default(spec: InputSpec, schema: Mapping[str, Any], path: Path_, report: Report) -> None:
    if may_hold_template(spec.default):
        why = "inputs are what templates read; compute a value in a node"
        report.add("E213", "a default is a plain value, no template", (*path, "default"), hint=why)
        return
    if spec.default is None:  # may be left out, and is null then
        return
    for inner, sentence in misplaced(spec.default, schema, "the default"):
        hint = None
        if "type" not in spec.model_fields_set:
            hint = "an input is a string where nothing is said: add its `type:`"
        report.add("E215", sentence, (*path, "default", *inner), hint=hint)
