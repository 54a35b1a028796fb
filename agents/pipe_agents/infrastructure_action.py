"""`agent: infrastructure_action`: changes one thing, once. The compiler insists on `effect: once`."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from pipe_runner.errors import NodeFault
from pipe_runner.ports import AgentDescription, Attempt, Capability, Context, Outcome
from pipe_runner.types import ErrorKind, EventKind, JsonObject, NodeStatus

if TYPE_CHECKING:
    from pydantic import BaseModel

    from pipe_agents.infra.acting import Acted
    from pipe_agents.infra.common import Look

TARGETS: Final = {
    "restart_service": "service",
    "start_service": "service",
    "stop_service": "service",
    "restart_container": "container",
    "stop_container": "container",
    "scale_deployment": "deployment",
    "restart_deployment": "deployment",
    "reboot_instance": "instance",
}
"""The option that says what an action acts on; as the model of the options has it."""


class InfrastructureActionAgent:
    """Restarts, starts, stops, scales or reboots one thing; says what it was and what it is."""

    name = "infrastructure_action"
    version = "1"

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        self._environ = os.environ if environ is None else environ

    def describe(self) -> AgentDescription:
        return AgentDescription(
            summary="Restarts, starts, stops, scales or reboots one service, container, deployment or instance.",
            capabilities=(
                Capability(
                    "infrastructure.action",
                    "Changes one service, container, deployment or instance, once.",
                    ("restart", "start", "stop", "scale", "reboot", "restart service", "restart container", "scale up",
                     "scale down", "roll out"),
                ),
            ),
            runs_processes=True,
            finds_secrets=True,
            changes_things=True,
        )  # fmt: skip

    def options_model(self) -> type[BaseModel]:
        from pipe_schemas.infrastructure_action import InfrastructureActionOptions

        return InfrastructureActionOptions

    def output_schema(self, options: JsonObject) -> JsonObject:
        from pipe_schemas.infrastructure_action import InfrastructureActionResult

        return InfrastructureActionResult.model_json_schema()

    async def perform(self, attempt: Attempt, context: Context) -> Outcome:
        from pipe_agents.infra.common import Look, Unreached, stamp, surroundings, with_defaults

        given: dict[str, Any] = {"dry_run": False, "grace": 10, "timeout": 120, **attempt.options}
        options = with_defaults(given)
        look = Look(options, {}, surroundings(self._environ, attempt, context), True, attempt, context)
        at, began = stamp(look.now), context.clock.monotonic()
        target = TARGETS[options["action"]]
        try:
            acted = await _actor(target)(look)
        except Unreached as fault:
            said = context.masker.mask_text(f"nothing was done: {fault.why}; it takes {fault.needs}")
            raise NodeFault(ErrorKind.UNAVAILABLE, said) from None
        except NodeFault as fault:
            said = context.masker.mask_text(fault.message)
            raise NodeFault(fault.kind, said, exit_code=fault.exit_code) from None
        output: Any = {
            "action": options["action"],
            "target": acted.target,
            "dry_run": options["dry_run"],
            "performed": acted.after is not None,
            "changed": acted.after is not None and acted.after != acted.before,
            "before": acted.before,
            "after": acted.after,
            "summary": acted.summary,
            "at": at,
            "duration_s": round(context.clock.monotonic() - began, 6),
        }
        context.emit(
            EventKind.NODE_OUTPUT, {"stream": "stdout", "text": context.masker.mask_text(acted.summary) + "\n"}
        )
        return Outcome(NodeStatus.SUCCEEDED, context.masker.mask_json(output))


def _actor(target: str) -> Callable[[Look], Awaitable[Acted]]:
    from pipe_agents.infra import acting

    return {
        "service": acting.on_service,
        "container": acting.on_container,
        "deployment": acting.on_deployment,
        "instance": acting.on_instance,
    }[target]
