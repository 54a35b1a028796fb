"""Calls that are recorded, one after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from pipe_runner.errors import NodeFault
from pipe_runner.masking import NoMasking
from pipe_runner.ports import Attempt, Masker
from pipe_runner.recordings.folder import Folder
from pipe_runner.recordings.recorder import Recording


def attempt(node: str = "n", number: int = 1) -> Attempt:
    return Attempt("r", node, number, "llm", {}, {}, "/", "k")


def record(path: Path, calls: list[tuple[Attempt, dict[str, Any], Any]], masker: Masker | None = None) -> None:
    async def main() -> None:
        recorder = Recording(Folder(str(path)), masker or NoMasking())
        recorder.begin()
        for one, asked, answer in calls:
            try:
                await recorder.through(one, "model", asked, giving(answer))
            except NodeFault:
                pass

    asyncio.run(main())


def giving(answer: Any) -> Callable[[], Awaitable[Any]]:
    async def perform() -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    return perform
