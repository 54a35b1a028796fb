"""`agent: llm`: asks a model, and what it answered is the output."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Final

from pipe_runner.ports import AgentDescription, Attempt, Context, Outcome
from pipe_runner.types import Json, JsonObject

if TYPE_CHECKING:
    from pydantic import BaseModel


_PLAIN: Final = frozenset({"provider", "model", "system", "prompt", "max_tokens"})
"""Options that are text, or nearly."""


class LlmAgent:
    """Asks through the run's way out, which holds budgets and limits; asks nobody by itself."""

    name = "llm"
    version = "1"

    def describe(self) -> AgentDescription:
        return AgentDescription(
            summary="Asks a model; gives its answer, as text or as a value of a JSON Schema.",
            capabilities=("reasoning",),
            asks_models=True,
            goes_outside=True,
        )

    def options_model(self) -> type[BaseModel]:
        from pipe_schemas.llm import LlmOptions

        return LlmOptions

    def surely_fits(self, options: JsonObject) -> bool:
        """Whether options that hold values are right, seen without their model, whose import takes as long as
        an answer.

        False says nothing: then the model is asked.
        """
        if not options.keys() <= _PLAIN or "prompt" not in options:
            return False
        for name, value in options.items():
            if name == "max_tokens":
                if type(value) is not int or value < 1:
                    return False
            elif name == "provider":
                if not isinstance(value, list) or not all(map(_is_text, value)):
                    return False
            elif not _is_text(value):
                return False
        return True

    def output_schema(self, options: JsonObject) -> JsonObject:
        from pipe_agents.llm_answers import Wanted

        schema: Any = options.get("output_schema")
        return Wanted(schema, options.get("allow_noop") is True).type_of_output()

    def perform(self, attempt: Attempt, context: Context) -> Coroutine[Any, Any, Outcome]:
        from pipe_agents.llm_asking import perform

        return perform(attempt, context)


def _is_text(value: Json) -> bool:
    """Whether it is a text with something in it, of whole characters."""
    if not isinstance(value, str) or not value:
        return False
    if value.isascii():
        return True
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
