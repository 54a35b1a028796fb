"""What the tests of the http agent ask it by, and what their servers answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from pipe_agents.http import HttpAgent
from pipe_runner.errors import NodeFault
from pipe_runner.ports import Outcome
from pipe_runner.types import NodeStatus

Serve = Callable[..., Any]


def perform(bench: Any, *requests: dict[str, Any], **fields: Any) -> Outcome:
    """Performs requests one after the other with one agent; gives the last outcome."""

    async def all_of_them() -> Outcome:
        agent = HttpAgent()
        try:
            outcomes = [await bench.perform(agent, options, **fields) for options in requests]
            return outcomes[-1]
        finally:
            await agent.close()

    return asyncio.run(all_of_them())


def body_of(outcome: Outcome) -> Any:
    assert outcome.status is NodeStatus.SUCCEEDED, outcome
    assert isinstance(outcome.output, dict)
    return outcome.output["body"]


def fault(bench: Any, options: dict[str, Any], **fields: Any) -> NodeFault:
    with pytest.raises(NodeFault) as caught:
        perform(bench, options, **fields)
    return caught.value


def reply(body: bytes = b"", status: str = "200 OK", **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body
