"""A replay of thousands of calls takes no longer for each of them than one of a few."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from pipe_runner.errors import NoRecording
from pipe_runner.masking import NoMasking
from pipe_runner.ports import Attempt
from pipe_runner.recordings.entry import Entry
from pipe_runner.recordings.folder import Folder
from pipe_runner.recordings.recorder import Replaying

MANY = 3000


class Kept(Folder):
    """A folder with these recordings, of which nothing is on disk."""

    def __init__(self, entries: list[Entry]) -> None:
        super().__init__("/recordings")
        self._kept = entries

    def read(self) -> list[Entry]:
        return self._kept


def attempt(node: str) -> Attempt:
    return Attempt("r", node, 1, "llm", {}, {}, "/", "k")


async def perform() -> Any:
    raise AssertionError("asked")


def test_calls_that_ask_the_same_are_found_at_once(in_time: Any) -> None:
    asked = {"prompt": "roll a die"}
    replaying = Replaying(Kept([Entry("model", f"n[{n}]", 1, 1, asked, n) for n in range(MANY)]), NoMasking())

    async def main(name: str) -> list[Any]:
        return [await replaying.through(attempt(f"{name}[{n}]"), "model", asked, perform) for n in range(MANY)]

    began = time.process_time()
    assert asyncio.run(main("n")) == list(range(MANY))
    assert asyncio.run(main("other")) == [MANY - 1] * MANY
    assert in_time(time.process_time() - began, 1)


def test_what_nobody_recorded_is_held_against_many_in_no_time(in_time: Any) -> None:
    talk = [{"role": "user", "text": f"part {n}"} for n in range(10)]
    entries = [Entry("model", f"n[{n}]", 1, 1, {"messages": talk, "seed": n}) for n in range(MANY)]
    replaying = Replaying(Kept(entries), NoMasking())

    async def main() -> None:
        for n in range(15):
            with pytest.raises(NoRecording, match=rf"\(of n\[{n}\]\) differs at top_p: not recorded, asked 0.5"):
                await replaying.through(attempt("new"), "model", {**entries[n].asked, "top_p": 0.5}, perform)

    began = time.process_time()
    asyncio.run(main())
    assert in_time(time.process_time() - began, 2)
