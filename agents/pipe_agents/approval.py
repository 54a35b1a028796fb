"""The agent `approval`: asks a person. The run waits, and `pipe approve` or `pipe reject` decide."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipe_runner.ports import AgentDescription, Attempt, Context, Outcome
from pipe_runner.types import JsonObject, NodeStatus

if TYPE_CHECKING:
    from pydantic import BaseModel


class ApprovalAgent:
    """Its attempt ends at once and waits: what it asks is in the run's log, and so is what a person decides."""

    name = "approval"
    version = "1"

    def describe(self) -> AgentDescription:
        return AgentDescription(
            summary="Waits until a person approves or rejects; gives who did, when and why.",
            capabilities=("approval",),
            options={"message": "What the person is asked."},
            asks_people=True,
        )

    def options_model(self) -> type[BaseModel]:
        from pipe_schemas.approval import ApprovalOptions

        return ApprovalOptions

    def output_schema(self, options: JsonObject) -> JsonObject:
        return {
            "type": "object",
            "properties": {
                "approved": {"type": "boolean"},
                "by": {"type": "string"},
                "at": {"type": "string"},
                "reason": {"anyOf": [{"type": "string"}, {"type": "null"}]},
            },
            "required": ["approved", "by", "at", "reason"],
            "additionalProperties": False,
        }

    async def perform(self, attempt: Attempt, context: Context) -> Outcome:
        return Outcome(NodeStatus.WAITING, attempt.options["message"])
