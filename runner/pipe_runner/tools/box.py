"""The toolbox of one attempt: what a model gives is checked, what a tool gives is bounded, each call is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from pipe_runner.errors import MEND_RECORDING, NodeFault
from pipe_runner.models import ToolCall, ToolResult, ToolSpec
from pipe_runner.ports import Attempt, Clock, Emit, Masker
from pipe_runner.tools.arguments import misfits
from pipe_runner.tools.kinds import Tool
from pipe_runner.types import ErrorKind, EventKind, Json

if TYPE_CHECKING:
    from pipe_runner.calls.seams import Recorder

MOST: Final = 64 * 1024
"""Bytes of a result that a model is given."""


class Box:
    """`Toolbox` of one attempt."""

    def __init__(
        self,
        attempt: Attempt,
        tools: Mapping[str, Tool],
        emit: Emit,
        recorder: Recorder,
        masker: Masker,
        clock: Clock,
    ) -> None:
        self._attempt, self._tools, self._emit = attempt, tools, emit
        self._recorder, self._masker, self._clock = recorder, masker, clock

    @property
    def specs(self) -> Sequence[ToolSpec]:
        return [tool.spec for tool in self._tools.values()]

    async def call(self, call: ToolCall) -> ToolResult:
        tool = self._tools.get(call.name)
        if tool is None:
            names = ", ".join(self._tools)
            return ToolResult(f"there is no tool {call.name[:100]!r}; there is {names}", failed=True)
        began = self._clock.monotonic()
        performed, usage = False, None

        async def perform() -> Json:
            nonlocal performed, usage
            performed = True
            result = await tool.use(call.arguments)
            usage = result.usage
            return _to_json(bounded(result._replace(text=self._masker.mask_text(result.text))))

        try:
            wrong = self._wrong(tool, call)
            if wrong is not None:
                result, performed = wrong, True
            elif tool.recorded:
                asked: dict[str, Any] = {"tool": tool.key, "arguments": call.arguments}
                if tool.fixed:
                    asked["with"] = tool.fixed
                result = _from_json(await self._recorder.through(self._attempt, "tool", asked, perform))
            else:
                result = _from_json(await perform())
        except BaseException:
            self._tell(call.name, tool, began, ToolResult("", failed=True), replayed=not performed)
            raise
        self._tell(call.name, tool, began, result, replayed=not performed)
        return result._replace(usage=usage)

    async def close(self) -> None:
        """Nothing: servers are the run's."""

    def _wrong(self, tool: Tool, call: ToolCall) -> ToolResult | None:
        """What is said to arguments that don't fit."""
        faults = [f"{name} is given by the pipeline" for name in call.arguments if name in tool.fixed]
        faults = faults or misfits(tool.spec.parameters, call.arguments, self._masker.mask_text)
        if not faults:
            return None
        said = "the arguments don't fit the tool's parameters:\n" + "\n".join(f"- {fault}" for fault in faults)
        return bounded(ToolResult(said, failed=True))

    def _tell(self, name: str, tool: Tool, began: float, result: ToolResult, *, replayed: bool) -> None:
        data: dict[str, Any] = {
            "tool": name,
            "source": tool.source,
            "duration_s": round(self._clock.monotonic() - began, 6),
        }
        if result.failed:
            data["failed"] = True
        if result.text or not result.failed:
            data["bytes"] = result.truncated or len(result.text.encode("utf-8", "replace"))
        if result.truncated is not None:
            data["truncated"] = True
        if replayed:
            data["replayed"] = True
        self._emit(EventKind.TOOL_CALLED, data)


def bounded(result: ToolResult) -> ToolResult:
    """The result with its text cut where it is too long, which the text says."""
    data = result.text.encode("utf-8", "replace")
    if len(data) <= MOST:
        return result._replace(text=data.decode("utf-8"))
    kept = data[:MOST].decode("utf-8", "ignore")
    said = f"{kept}\n[cut here: these are the first {MOST} of {len(data)} bytes]"
    return result._replace(text=said, truncated=len(data))


def _to_json(result: ToolResult) -> dict[str, Json]:
    data: dict[str, Json] = {"text": result.text}
    if result.failed:
        data["failed"] = True
    if result.truncated is not None:
        data["truncated"] = result.truncated
    return data


def _from_json(data: Any) -> ToolResult:
    """Raises NodeFault where a recording was changed into nonsense."""
    try:
        text, truncated = data["text"], data.get("truncated")
        if not isinstance(text, str) or not isinstance(truncated, int | None):
            raise TypeError("it has another shape")
        return ToolResult(text, failed=data.get("failed") is True, truncated=truncated)
    except (KeyError, TypeError, AttributeError) as error:
        why = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
        raise NodeFault(
            ErrorKind.TOOL, f"the recording of a tool's result can't be used: {why}; {MEND_RECORDING}"
        ) from None
