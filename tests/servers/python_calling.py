"""How the tests of the python agent call functions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from pipe_agents.python import PythonAgent
from pipe_runner.errors import NodeFault
from pipe_runner.ports import Outcome
from pipe_runner.types import NodeStatus

Write = Callable[..., None]


def perform(bench: Any, *calls: dict[str, Any], **fields: Any) -> Outcome:
    """Performs calls one after the other with one agent; gives the last outcome."""

    async def all_of_them() -> Outcome:
        agent = PythonAgent()
        try:
            outcomes = [await bench.perform(agent, options, **fields) for options in calls]
            return outcomes[-1]
        finally:
            await agent.close()

    return asyncio.run(all_of_them())


def output(bench: Any, call: str, *args: Any, **kwargs: Any) -> Any:
    outcome = perform(bench, {"call": call, "args": list(args), "kwargs": kwargs})
    assert outcome.status is NodeStatus.SUCCEEDED
    return outcome.output


def fault(bench: Any, call: str, *args: Any, **fields: Any) -> NodeFault:
    with pytest.raises(NodeFault) as caught:
        perform(bench, {"call": call, "args": list(args)}, **fields)
    return caught.value
