"""Evaluates what was compiled over a scope of JSON values; needs neither jinja2 nor the pipeline file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from pipe_runner.errors import ExpressionFault
from pipe_runner.expressions.compiled import Compiled
from pipe_runner.expressions.plain import look_up, path_text
from pipe_runner.expressions.values import describe, shorten, value_to_text
from pipe_runner.types import Json

TEXT_LIMIT: Final = 16 * 2**20
"""Characters of a text that is put together from plain references."""
EXCERPT: Final = 1000
"""Characters of a value that `node.skipped` shows."""
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, check_circular=False, allow_nan=False, separators=(",", ":"))


def evaluate(compiled: Compiled, scope: Mapping[str, Json]) -> Json:
    """The value, or the text, of a template; raises ExpressionFault, and nothing else, whatever the template says."""
    kind = compiled.kind
    if kind == "literal":
        return compiled.body  # type: ignore[no-any-return]
    if kind == "reference":
        return look_up(scope, compiled.body, compiled.source)  # type: ignore[no-any-return]
    if kind == "text":
        return _text(compiled, scope)
    return _tree(compiled, scope)


def evaluate_condition(compiled: Compiled, scope: Mapping[str, Json]) -> tuple[bool, dict[str, Json]]:
    """Whether a condition holds, and the values that it read, by path, for `node.skipped`.

    Raises ExpressionFault where a value is missing or the condition gives no boolean.
    """
    result = evaluate(compiled, scope)
    if not isinstance(result, bool):
        raise ExpressionFault(
            f"the condition gives {describe(result)}, neither true nor false; {_mend(compiled.source, result)}",
            source=compiled.source,
        )
    values: dict[str, Json] = {}
    for reference in compiled.references:
        name = path_text(reference.path)
        if name not in values:
            try:
                values[name] = _excerpt(look_up(scope, reference.path))
            except (ExpressionFault, RecursionError, ValueError):
                values[name] = None
    return result, values


def _text(compiled: Compiled, scope: Mapping[str, Json]) -> str:
    pieces: list[str] = []
    size = 0
    for part in compiled.body:
        if not isinstance(part, str):
            part = value_to_text(look_up(scope, part, compiled.source))
        size += len(part)
        if size > TEXT_LIMIT:
            raise ExpressionFault(f"the text is longer than {TEXT_LIMIT >> 20} MiB", source=compiled.source)
        pieces.append(part)
    return "".join(pieces)


def _tree(compiled: Compiled, scope: Mapping[str, Json]) -> Json:
    from pipe_runner.expressions.statements import Renderer

    source = compiled.source
    try:
        if compiled.whole:
            return Renderer(scope).value(compiled.body)  # type: ignore[no-any-return]
        return Renderer(scope).render(compiled.body)
    except ExpressionFault as fault:
        if fault.source is None:
            fault.source = source
        raise
    except RecursionError:
        raise ExpressionFault("the expression is nested too deeply", source=source) from None
    except MemoryError:
        raise ExpressionFault("the expression needs too much memory", source=source) from None
    except Exception as error:
        raise ExpressionFault(f"the expression can't be evaluated: {error}", source=source) from error


def _mend(source: str, result: Any) -> str:
    shown = shorten(source.strip(), 60)
    if isinstance(result, str):
        return f"compare it, `{shown} == '…'`, or write `({shown}) | bool`"
    if isinstance(result, (list, dict)):
        return f"ask for example `({shown}) | length > 0`"
    if result is None:
        return f"ask for example `({shown}) is not none`"
    return f"compare it, for example `{shown} > 0`"


def _excerpt(value: Json) -> Json:
    if isinstance(value, str):
        return shorten(value, EXCERPT)
    if isinstance(value, (list, dict)):
        text = ""
        for piece in _ENCODER.iterencode(value):  # no more of a large one than is shown
            text += piece
            if len(text) > EXCERPT:
                return shorten(text, EXCERPT)
    return value
