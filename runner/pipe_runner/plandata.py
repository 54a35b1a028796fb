"""Compiled pipelines as plain data, for the plan cache: field by field, without what is as by default."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from itertools import repeat
from typing import Any, Final

from pipe_runner.plan import (
    Budget,
    CachePolicy,
    FanOut,
    Plan,
    PlannedInput,
    PlannedNode,
    PlannedPart,
    RetryPolicy,
    SecretSource,
    Value,
)
from pipe_runner.types import Effect, Json, Phase, RunOn

MOST_SCHEMAS: Final = 32
"""Schemas of outputs that nodes are told apart by."""


def plan_to_json(plan: Plan) -> dict[str, Any]:
    """The plan as plain data, without what is as by default; `plan_from_json` gives an equal plan back."""
    data = _set_fields(plan, _PLAN_DEFAULTS)
    data["nodes"] = _columns([_node_to_json(node) for node in plan.nodes])
    data["inputs"] = [_set_fields(item, _INPUT_DEFAULTS) for item in plan.inputs]
    data["secrets"] = [[s.name, s.source, s.key] for s in plan.secrets]
    if plan.subplans:
        data["subplans"] = {path: plan_to_json(one) for path, one in plan.subplans.items()}
    for name in ("outputs", "env", "group"):
        if name in data:
            data[name] = [data[name].data, data[name].static]
    if plan.parts:
        data["parts"] = [[part.file, dict(part.inputs), list(part.env), part.within] for part in plan.parts]
    return data


def plan_from_json(data: Mapping[str, Any]) -> Plan:
    """Rebuild a plan; raises KeyError, TypeError or ValueError on data of another shape (a cache miss, no more)."""
    values = dict(data)
    values["nodes"] = _nodes_from_json(values["nodes"])
    values["inputs"] = tuple(PlannedInput(**item) for item in values["inputs"])
    values["secrets"] = tuple(SecretSource(*item) for item in values["secrets"])
    for name in ("outputs", "env", "group"):
        if name in values:
            values[name] = Value(*values[name])
    if "budget" in values:
        values["budget"] = Budget(*values["budget"])
    if "warnings" in values:
        values["warnings"] = tuple(values["warnings"])
    if "subplans" in values:
        values["subplans"] = {path: plan_from_json(one) for path, one in values["subplans"].items()}
    if "parts" in values:
        values["parts"] = tuple(
            PlannedPart(file, inputs, Value(*env), within) for file, inputs, env, within in values["parts"]
        )
    return Plan(**values)


_MISSING: Final = object()


def _defaults(cls: Any) -> dict[str, Any]:
    """Name → default of each field; _MISSING where there is none."""
    return {name: cls._field_defaults.get(name, _MISSING) for name in cls._fields}


_PLAN_DEFAULTS = _defaults(Plan)
_INPUT_DEFAULTS = _defaults(PlannedInput)
_NODE_DEFAULTS = _defaults(PlannedNode)
_RETRY_DEFAULTS = _defaults(RetryPolicy)
_NODE_ENUMS: dict[str, Any] = {
    name: {str(member): member for member in enum}.__getitem__
    for name, enum in (("phase", Phase), ("run_on", RunOn), ("effect", Effect))
}
_NODE_TUPLES = ("needs", "reads", "secrets")


def _set_fields(item: Any, defaults: Mapping[str, Any]) -> dict[str, Any]:
    found = {}
    for name, default in defaults.items():
        value = getattr(item, name)
        if default is _MISSING or value != default:
            found[name] = value
    return found


def _node_to_json(node: PlannedNode) -> dict[str, Any]:
    data = _set_fields(node, _NODE_DEFAULTS)
    for name in ("options", "env"):
        if name in data:
            data[name] = [data[name].data, data[name].static]
    if "retry" in data:
        data["retry"] = _set_fields(data["retry"], _RETRY_DEFAULTS)
    if "fan_out" in data:
        data["fan_out"] = [list(part) if isinstance(part, Value) else part for part in data["fan_out"]]
    if "cache" in data:
        data["cache"] = [list(part) if isinstance(part, (Value, tuple)) else part for part in data["cache"]]
    return data


def _retry(data: Mapping[str, Any]) -> RetryPolicy:
    return RetryPolicy(**{**data, "on": tuple(data.get("on", ()))})


def _fan_out(data: list[Any]) -> FanOut:
    *fields, list_only = data
    return FanOut(Value(*fields[0]), Value(*fields[1]), *fields[2:])._replace(list_only=tuple(list_only))


def _cache(data: list[Any]) -> CachePolicy:
    digest, key, files, ttl = data
    return CachePolicy(digest, Value(*key), tuple(files), ttl)


_planned: Any = partial(tuple.__new__, PlannedNode)  # what _make does, without a step of Python


_NODE_SHAPES: dict[str, Any] = {
    **_NODE_ENUMS,
    **dict.fromkeys(_NODE_TUPLES, tuple),
    "options": Value._make,
    "env": Value._make,
    "retry": _retry,
    "fan_out": _fan_out,
    "cache": _cache,
    "budget": Budget._make,
    "artifacts": lambda items: tuple((name, path) for name, path in items),
}
_UNCHANGING = frozenset(
    {
        "phase",
        "agent",
        "needs",
        "reads",
        "secrets",
        "run_on",
        "retry",
        "timeout",
        "title",
        "line",
        "part",
        "output_schema",
    }
)
"""Fields of which nodes may have the same object: nothing can change it."""


def _columns(nodes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Nodes that say the same fields, field by field: a table is read in a third of the time of its rows.

    Those of agents whose outputs have the same schema are a table of their own, which has it once."""
    groups: dict[tuple[str, ...], list[int]] = {}
    schemas: list[Json] = []
    for place, node in enumerate(nodes):
        groups.setdefault((*node, _known(node.get("output_schema"), schemas)), []).append(place)
    tables = []
    for (*names, _), places in groups.items():
        table: dict[str, Any] = {"places": places, "each": {}, "all": {}}
        for name in names:
            column = [nodes[place][name] for place in places]
            if name in _UNCHANGING and all(value == column[0] for value in column):
                table["all"][name] = column[0]
            else:
                table["each"][name] = column
        tables.append(table)
    return tables


def _known(schema: Json, schemas: list[Json]) -> str:
    """Which of the first schemas it is; those that come later are told apart no more."""
    if schema is None:
        return ""
    found = next((str(at) for at, one in enumerate(schemas) if one is schema or one == schema), "other")
    if found == "other" and len(schemas) < MOST_SCHEMAS:
        schemas.append(schema)
        return str(len(schemas) - 1)
    return found


def _nodes_from_json(tables: list[dict[str, Any]]) -> tuple[PlannedNode, ...]:
    """The hot spot of loading a kept plan: no step of Python for what is as by default, or the same in all nodes."""
    nodes: list[tuple[int, PlannedNode]] = []
    for table in tables:
        places, each, same = table["places"], table["each"], table["all"]
        rows = len(places)
        columns: list[Iterable[Any]] = []
        for name, default in _NODE_DEFAULTS.items():
            shape = _NODE_SHAPES.get(name)
            if name in each:
                column = each[name]
                if len(column) != rows:
                    raise ValueError(f"a column {name} of {len(column)} rows, not {rows}")
                columns.append(column if shape is None else map(shape, column))
            else:
                value = default if name not in same else same[name] if shape is None else shape(same[name])
                if value is _MISSING:
                    raise ValueError(f"nodes of the plan lack {name}")
                columns.append(repeat(value, rows))
        nodes.extend(zip(places, map(_planned, zip(*columns, strict=True)), strict=True))
    if len(tables) > 1:
        nodes.sort()
    return tuple([node for _, node in nodes])
