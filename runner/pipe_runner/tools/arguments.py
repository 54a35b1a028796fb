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
_WITH_PATTERNS: Final = frozenset({"patternProperties", "additionalProperties"})
_UNEVALUATED: Final = frozenset({"unevaluatedProperties", "unevaluatedItems"})
_REFERENCES: Final = frozenset({"$ref", "$dynamicRef", "$recursiveRef"})


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
    from pipe_schemas.validating import Known, Validator, remembering

    found = json.loads(schema)
    kind: Any = validator_for(found, default=Draft202012Validator)
    kind.check_schema(found)
    known: Known = {}
    rules = {"multipleOf": multiple_of}
    if not any(f'"{key}"' in schema for key in ("$dynamicRef", "$recursiveRef")):  # which lead elsewhere on another way
        rules["$ref"] = remembering(kind.VALIDATORS["$ref"], known)
    return Validator(extend(kind, rules)(_without_patterns(found), registry=Registry()), known)


def _without_patterns(schema: Any) -> Any:
    """The schema without regular expressions: one may take forever, and the tool checks its arguments itself. It lets
    pass all that the whole one does: what holds less where a part of it holds more goes, too."""
    return _Looser(schema).of(schema)


class _Looser:
    """Makes one schema looser."""

    def __init__(self, schema: Any) -> None:
        self._known: dict[int, bool] = {}
        self._refers_to_some = False
        self._refers_to_some = self._has_pattern(schema)
        self._known.clear()  # from here on a reference may lead to one

    def of(self, schema: Any) -> Any:
        if isinstance(schema, list):
            return [self.of(item) for item in schema]
        if not isinstance(schema, dict):
            return schema
        leave_out = {"pattern"} | (_WITH_PATTERNS if "patternProperties" in schema else frozenset())
        if self._has_pattern(schema):
            leave_out |= _UNEVALUATED
        if self._has_pattern(schema.get("if")):
            leave_out |= {"if", "then", "else"}
        if self._has_pattern(schema.get("contains")):
            leave_out |= {"maxContains"}
        leave_out |= {key for key in ("not", "oneOf") if self._has_pattern(schema.get(key))}
        found: dict[str, Any] = {}
        for key, value in schema.items():
            if key in _BY_NAME and isinstance(value, Mapping):
                found[key] = {name: self.of(item) for name, item in value.items()}
            elif key in _DATA:
                found[key] = value
            elif key not in leave_out:
                found[key] = self.of(value)
        if "oneOf" in leave_out:  # of which one at least must fit
            found["allOf"] = [*found.get("allOf", []), {"anyOf": self.of(schema["oneOf"])}]
        return found

    def _has_pattern(self, part: Any) -> bool:
        """Whether there is one in a schema, or in several."""
        if not isinstance(part, dict | list):
            return False
        if id(part) not in self._known:
            self._known[id(part)] = False
            self._known[id(part)] = self._holds(part)
        return self._known[id(part)]

    def _holds(self, part: dict[str, Any] | list[Any]) -> bool:
        if isinstance(part, list):
            return any(map(self._has_pattern, part))
        if isinstance(part.get("pattern"), str) or "patternProperties" in part:
            return True
        if self._refers_to_some and not part.keys().isdisjoint(_REFERENCES):
            return True
        maps = [part[key] for key in _BY_NAME if isinstance(part.get(key), dict)]
        by_name = (value for one in maps for value in one.values())
        others = (value for key, value in part.items() if key not in _BY_NAME and key not in _DATA)
        return any(map(self._has_pattern, (*by_name, *others)))


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
