"""Holds what a model gives a tool against the tool's schema."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from itertools import islice
from typing import Any, Final

from pipe_runner.errors import NodeFault
from pipe_runner.types import ErrorKind, JsonObject

TOLD: Final = 10
"""Faults that are told to the model."""
LARGEST: Final = 256 * 1024
"""Characters of a schema."""
_LONGEST: Final = 300
_BY_NAME: Final = frozenset({"properties", "$defs", "definitions", "dependentSchemas"})
_DATA: Final = frozenset({"enum", "const", "default", "examples", "required", "dependentRequired"})
_WITH_PATTERNS: Final = frozenset({"patternProperties", "additionalProperties", "unevaluatedProperties"})


def check_parameters(schema: Any, tool: str) -> JsonObject:
    """The schema of a tool's arguments; raises NodeFault for one with which nothing can be called."""
    why = None
    if not isinstance(schema, dict) or schema.get("type", "object") != "object":
        why = "it is not that of an object"
    elif len(text := json.dumps(schema)) > LARGEST:
        why = f"it has {len(text)} characters, and {LARGEST} are the most"
    else:
        try:
            _validator(json.dumps(schema, sort_keys=True))
        except RecursionError:
            why = "it is nested too deeply"
        except Exception as fault:
            why = _short(str(fault).partition("\n")[0] or type(fault).__name__)
    if why is not None:
        raise NodeFault(ErrorKind.TOOL, f"the schema of the arguments of {tool} can't be used: {why}")
    return {"type": "object", **schema}


def misfits(schema: JsonObject, arguments: JsonObject, mask: Callable[[str], str] = str) -> list[str]:
    """Sentences that say where arguments don't fit, for the model; `mask` hides secrets before they are cut."""
    try:
        errors = list(islice(_validator(json.dumps(schema, sort_keys=True)).iter_errors(dict(arguments)), TOLD))
    except RecursionError:
        return ["they are nested too deeply"]
    except Exception as fault:  # a reference that leads nowhere
        return [f"the tool's schema can't be used: {_short(str(fault))}"]
    found = []
    for error in errors:
        where = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in error.absolute_path)
        said = _short(mask(error.message))
        found.append(f"{where.removeprefix('.')}: {said}" if where else said)
    return found


@lru_cache(maxsize=256)
def _validator(schema: str) -> Any:
    """By the schema's text: a node that runs for each item asks for the same one."""
    from jsonschema import Draft202012Validator
    from jsonschema.validators import extend, validator_for
    from referencing import Registry

    from pipe_schemas.multiples import multiple_of

    found = json.loads(schema)
    kind: Any = validator_for(found, default=Draft202012Validator)
    kind.check_schema(found)
    return extend(kind, {"multipleOf": multiple_of})(_without_patterns(found), registry=Registry())


def _without_patterns(schema: Any) -> Any:
    """The schema without regular expressions: one may take forever, and the tool checks its arguments itself."""
    if isinstance(schema, list):
        return [_without_patterns(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    leave_out = {"pattern"} | (_WITH_PATTERNS if "patternProperties" in schema else frozenset())
    found: dict[str, Any] = {}
    for key, value in schema.items():
        if key in _BY_NAME and isinstance(value, Mapping):
            found[key] = {name: _without_patterns(item) for name, item in value.items()}
        elif key in _DATA:
            found[key] = value
        elif key not in leave_out:
            found[key] = _without_patterns(value)
    return found


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
