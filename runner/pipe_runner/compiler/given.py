"""The inputs of a run: parsed by their types, checked all at once, completed with defaults."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipe_runner.compiler.matching import described, may_be_null, mismatches
from pipe_runner.diagnostics import did_you_mean
from pipe_runner.errors import KeyTwice, UsageError, strict_json
from pipe_runner.plan import NOTHING, Plan, PlannedInput
from pipe_runner.types import Json

_WORDS = {
    "integer": "a whole number, as `5`",
    "number": "a number, as `2.5`",
    "boolean": "`true` or `false`",
    "array": 'a list, as `[1, 2]` or `["a", "b"]`',
    "object": 'an object, as `{"a": 1}`',
}
_OF_DATA = frozenset(("E108", "E109", "E110", "E111", "E114", "E113", "E115", "E116"))
"""Faults of a text that is YAML by its form, and holds what no value can have."""


def check_inputs(
    plan: Plan, given: Mapping[str, Json], *, told: Mapping[str, Sequence[str]] = NOTHING
) -> dict[str, Json]:
    """All inputs of a run, in the order of the file; raises UsageError that says every fault at once.

    `told`: faults that are known already, by the names that were meant.
    """
    known = {declared.name: declared for declared in plan.inputs}
    faults = [fault for each in told.values() for fault in each]
    for name in given:
        if name not in known:
            near = did_you_mean(name, known)
            tail = f" (did you mean `{near}`?)" if near else ""
            faults.append(f"there is no input `{name[:60]}`{tail}")
    values: dict[str, Json] = {}
    missing = []
    for name, declared in known.items():
        if name in given:
            broken = half_pair(given[name])
            if broken is not None:
                faults.append(f"input `{name}` holds {broken}, half of a surrogate pair, which stands for no character")
                continue
            faults += mismatches(given[name], declared.schema, f"input `{name}`")
            values[name] = _whole(given[name], declared.schema)
        elif name in told:
            continue
        elif declared.required:
            missing.append(name)
            what = f": {declared.description}" if declared.description else ""
            faults.append(f"input `{name}` is not given{what}")
        else:
            values[name] = _whole(declared.default, declared.schema)
    if faults:
        hint = " ".join(f"-i {name}=…" for name in missing) if missing else None
        if hint is None and any(name not in known for name in (*given, *told)):
            hint = f"the inputs of {plan.path}: {', '.join(known)}" if known else f"{plan.path} has no inputs"
        raise UsageError("\n".join(faults), hint=hint)
    return values


def check_handed_on(
    plan: Plan, given: Mapping[str, Json], *, told: Mapping[str, Sequence[str]] = NOTHING
) -> dict[str, Json]:
    """The same, of what another file or a user gives: null is as if nothing were given, where that gives null."""
    nulls = {one.name for one in plan.inputs if given.get(one.name) is None and may_be_null(one)}
    return check_inputs(plan, {name: value for name, value in given.items() if name not in nulls}, told=told)


def _whole(value: Json, schema: Mapping[str, Any]) -> Json:
    """Integers as such where they were written as `1.0` or `1e3`: a command would get the point, too."""
    if isinstance(value, float) and schema.get("type") == "integer" and value.is_integer():
        return int(value)
    if isinstance(value, list) and "items" in schema:
        return [_whole(item, schema["items"]) for item in value]
    if isinstance(value, dict) and "properties" in schema:
        return {key: _whole(item, schema["properties"].get(key, {})) for key, item in value.items()}
    return value


def half_pair(value: Json) -> str | None:
    """The first half of a surrogate pair in a value, written out. A byte of a command line that is no UTF-8 is none:
    Python keeps it as U+DC80 to U+DCFF, and it reaches the shell as it was."""
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, str):
            try:
                item.encode("utf-8", "surrogateescape")
            except UnicodeEncodeError as error:
                return f"\\u{ord(item[error.start]):04x}"
        elif isinstance(item, list):
            pending += item
        elif isinstance(item, dict):
            pending += [*item, *item.values()]
    return None


def parse_input(declared: PlannedInput, text: str) -> Json:
    """The value of a text given for an input: as it is for text, else JSON, or YAML in one line. Raises UsageError."""
    wanted = declared.schema.get("type", "string")
    if wanted == "string":
        return text
    value, why = _parsed(text)
    if value is None and why is None and may_be_null(declared):
        return None
    if why is not None or mismatches(value, {"type": wanted}, f"input `{declared.name}`"):
        shown = described(text)
        reason = f": {why}" if why else ""
        raise UsageError(f"input `{declared.name}` is {_WORDS.get(wanted, wanted)}, not {shown}{reason}")
    return value


def _parsed(text: str) -> tuple[Json, str | None]:
    """The value, or why there is none; empty where the text may not be meant as such a value at all."""
    try:
        return strict_json(text), None
    except KeyTwice as error:
        return None, str(error)
    except (ValueError, RecursionError):
        pass
    if "\n" in text:
        return None, ""
    from pipe_runner.loader import load_text

    document, faults = load_text(f"value: {text}\n")
    if faults or not isinstance(document.data, dict) or list(document.data) != ["value"]:
        return None, next((one.message.partition(";")[0] for one in faults if one.code in _OF_DATA), "")
    return document.data["value"], None
