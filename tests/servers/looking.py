"""What tests see of processes and of tools: waiting until something holds, who is alive, what a tool gave."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pipe_runner.models import Message
from pipe_runner.testing import FakeProvider, FinishedRun


def until(true: Callable[[], object], seconds: float = 15) -> bool:
    """Wait for it; whether it came."""
    give_up = time.monotonic() + seconds
    while not true():
        if time.monotonic() > give_up:
            return False
        time.sleep(0.02)
    return True


def alive(pid: int) -> bool:
    """Whether a process is there and no zombie. Linux only."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def held_up(seconds: float) -> None:
    """Keep the loop from going on, once, between its look at what has come and what it does then: timers are first."""
    selector: Any = asyncio.get_running_loop()._selector  # type: ignore[attr-defined]
    select = selector.select

    def late(timeout: float | None) -> Any:
        selector.select = select
        found = select(0)
        time.sleep(seconds)
        return found

    selector.select = late


def results(model: FakeProvider) -> list[Message]:
    """What tools gave to a model, as it was told last."""
    return [message for message in model.requests[-1].messages if message.role == "tool"]


def said(message: Message) -> str:
    """The result without its marks."""
    return "\n".join(message.text.split("\n")[1:-1])


def told(run: FinishedRun) -> list[Mapping[str, Any]]:
    """What the log says of calls of tools."""
    return [event.data for event in run.events if event.event == "tool.called"]
