"""Python functions as tools: what a model is told of one, and calling it with what the model gave.

They are performed by the agent `python`, so that threads, time limits and what they print are as with functions of
nodes. What it calls is `perform`, which finds in its context what there is to do.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any, Final, cast

from pipe_runner.errors import NodeFault, PipeError
from pipe_runner.models import ToolResult, ToolSpec
from pipe_runner.ports import Attempt, Emit
from pipe_runner.text import plain_name
from pipe_runner.tools.kinds import PerformAttempt, result_of
from pipe_runner.types import ErrorKind, JsonObject, NodeStatus

AGENT: Final = "python"
_HERE: Final = f"{__name__}:perform"
_TOLD: Final = 10
_TO_DO: ContextVar[Callable[[], Any]] = ContextVar("to_do")


def perform() -> Any:
    """Do what the context says; called by the agent, in a thread."""
    return _TO_DO.get()()


class Functions:
    """The functions of one attempt that are tools. `load` gives one by its name; it may import what it likes."""

    def __init__(self, load: Callable[[str], Callable[..., Any]], performs: PerformAttempt) -> None:
        self._load, self._performs = load, performs

    async def describe(self, name: str, attempt: Attempt, emit: Emit) -> dict[str, Any]:
        """What a model is told of it, as data; raises NodeFault."""

        def told() -> Any:
            try:
                function = self._load(name)
            except PipeError as error:
                raise NodeFault(ErrorKind.TOOL, error.message) from None
            return {"description": _said_of(function), "parameters": _parameters(function, name)[1]}

        outcome = await self._do(told, attempt, emit)
        if outcome.status is not NodeStatus.SUCCEEDED or not isinstance(outcome.output, dict):
            why = outcome.error.message if outcome.error is not None else "it gave nothing"
            raise NodeFault(ErrorKind.TOOL, f"function:{name} can't be used: {why}")
        return dict(outcome.output)

    async def use(self, name: str, arguments: JsonObject, attempt: Attempt, emit: Emit) -> ToolResult:
        """Call it; its failure is a result."""

        def call() -> Any:
            function = self._load(name)
            values = _values(_parameters(function, name)[0], arguments)
            if isinstance(values, str):
                raise NodeFault(ErrorKind.REFUSED, f"the arguments don't fit: {values}")
            result = function(**values)
            return _awaited(result) if inspect.isawaitable(result) else _plain(result)

        return result_of(await self._do(call, attempt, emit))

    async def _do(self, to_do: Callable[[], Any], attempt: Attempt, emit: Emit) -> Any:
        token = _TO_DO.set(to_do)
        try:
            return await self._performs(attempt._replace(agent=AGENT, options={"call": _HERE}, validate=False), emit)
        finally:
            _TO_DO.reset(token)


def spec_of(name: str, told: Mapping[str, Any]) -> ToolSpec:
    """The tool, from what `describe` gave."""
    return ToolSpec(plain_name(name), str(told.get("description", "")), cast("JsonObject", told.get("parameters")))


async def _awaited(result: Any) -> Any:
    return _plain(await result)


def _plain(value: Any) -> Any:
    """The value as JSON has it; models, dates, sets and the like as pydantic writes them."""
    from pydantic_core import to_jsonable_python

    return to_jsonable_python(value)


def _said_of(function: Callable[..., Any]) -> str:
    own = function if inspect.isroutine(function) or inspect.isclass(function) else type(function)
    return inspect.getdoc(own) or ""


def _parameters(function: Callable[..., Any], name: str) -> tuple[Any, JsonObject]:
    """A pydantic model of the function's parameters, which are its aliases, and its JSON Schema."""
    from pydantic import ConfigDict, Field, create_model

    fields: dict[str, Any] = {}
    hints = _hints(function)
    for number, one in enumerate(inspect.signature(function).parameters.values()):
        if one.kind not in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY):
            raise NodeFault(ErrorKind.REFUSED, f"a model gives arguments by name, and it takes {one}")
        if one.name not in hints:
            raise NodeFault(
                ErrorKind.REFUSED, f"its parameter {one.name} has no type hint, so nothing can be told of it"
            )
        given: dict[str, Any] = {} if one.default is one.empty else {"default": one.default}
        fields[f"p{number}"] = (hints[one.name], Field(alias=one.name, **given))
    model = create_model(name, __config__=ConfigDict(extra="forbid"), **fields)
    schema = model.model_json_schema()
    return model, {key: value for key, value in schema.items() if key != "title"}


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    from typing import get_type_hints

    if inspect.isclass(function):
        return get_type_hints(function.__init__, include_extras=True)
    if not inspect.isroutine(function):
        return get_type_hints(type(function).__call__, include_extras=True)
    return get_type_hints(function, include_extras=True)


def _values(model: Any, arguments: JsonObject) -> dict[str, Any] | str:
    """The arguments as the hints say; or a sentence of what doesn't fit."""
    from pydantic import ValidationError

    try:
        made = model.model_validate(dict(arguments))
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False, include_context=False)[:_TOLD]
        return "; ".join(f"{'.'.join(str(step) for step in fault['loc'])}: {fault['msg']}" for fault in faults)
    fields = {field: info.alias for field, info in model.model_fields.items()}
    return {alias: getattr(made, field) for field, alias in fields.items() if field in made.model_fields_set}
