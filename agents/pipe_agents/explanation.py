"""An explanation of findings, or why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from pipe_runner.errors import NodeFault, NoRecording
from pipe_runner.ports import Context, NodeError, Outcome
from pipe_runner.types import ErrorKind, Json, NodeStatus

NEEDS: Final[Mapping[ErrorKind, str]] = {
    ErrorKind.CREDENTIALS: "credentials for the provider; `pipe providers` says which",
    ErrorKind.BUDGET: "a larger `budget:` of the node or the run, or smaller `max_tokens` in `with:`, in the next run",
    ErrorKind.UNAVAILABLE: "a model service that answers; `pipe providers NAME --check` asks it",
    ErrorKind.NOT_FOUND: "a service and a model that are there; `pipe providers NAME --check` asks it",
    ErrorKind.RATE_LIMITED: "a service that takes the call: another provider, or later",
    ErrorKind.TIMEOUT: "more time: a larger `timeout:` of the node, or a quicker model",
    ErrorKind.INVALID_OUTPUT: "a model that answers by a schema, or more `max_tokens`",
}
"""What it takes, by what was wrong."""
_NO_RECORDING: Final = "a recording that was made with these findings, by `--record`"


class Explained(NamedTuple):
    """The explanation, and what it has used; `missed`: no recording answers for it."""

    explanation: dict[str, Any] | None
    usage: Mapping[str, Json] | None = None
    missed: NodeError | None = None

    def ends(self, end: Outcome) -> Outcome:
        """How the attempt ends. A call that nobody recorded fails it: with the service it might end otherwise."""
        if self.missed is None:
            return end._replace(usage=self.usage)
        return end._replace(status=NodeStatus.FAILED, error=self.missed, usage=self.usage)


def none(why: str, needs: str | None = None) -> dict[str, Any]:
    """There is no explanation."""
    empty: dict[str, Any] = {"claims": [], "ranking": [], "next_checks": []}
    nobody = {"summary": None, "provider": None, "model": None}
    return {"status": "unavailable", **nobody, **empty, "why": why, "needs": needs}


def of_fault(fault: NodeFault, context: Context) -> dict[str, Any]:
    message = context.masker.mask_text(fault.message)
    if fault.kind is ErrorKind.BUDGET:
        message = message.partition(": raise `budget.")[0]  # and resume, it goes on; but this run has all that it needs
    needs = _NO_RECORDING if isinstance(fault, NoRecording) else NEEDS.get(fault.kind)
    return none(message[:500], needs)
