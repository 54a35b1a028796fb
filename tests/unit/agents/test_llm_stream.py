"""The live view has what a model says while it says it: masked, in few events, and no more than the log takes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from pipe_agents.llm_stream import EVERY, TOLD, Live
from pipe_runner.errors import StorageError
from pipe_runner.testing import Answer, FakeProvider, run_pipeline

SECRET = "hunter2-and-more"


def live(bench: Any) -> Live:
    context = bench.context()
    return Live(context.emit, context.masker)


def test_pieces_are_told_a_few_times_a_second(bench: Any) -> None:
    async def speak() -> None:
        stream = live(bench)
        for number in range(60):
            stream.piece(f"word{number} ")
            await asyncio.sleep(0.01)
        stream.whole("ignored, since it came in pieces")
        stream.close()

    asyncio.run(speak())
    assert bench.printed() == "".join(f"word{number} " for number in range(60)) + "\n"
    assert 2 <= len(bench.events) <= 0.6 / EVERY * 3
    assert bench.printed().count("ignored") == 0


def test_what_several_say_is_told_of_each_when_its_time_comes(bench: Any) -> None:
    async def speak() -> None:
        streams = []
        for number in range(3):
            streams.append(live(bench))
            streams[-1].piece(f"{number};")
            await asyncio.sleep(EVERY / 2)
        streams[1].stop()
        await asyncio.sleep(EVERY * 2)
        streams[0].piece("again;")
        await asyncio.sleep(EVERY * 2)
        for stream in streams:
            stream.stop()

    asyncio.run(speak())
    said = bench.printed()
    assert said.replace("1;", "") == "0;2;again;"


def test_an_answer_that_comes_whole_is_told_whole(bench: Any) -> None:
    async def speak() -> None:
        stream = live(bench)
        stream.whole("one")
        stream.whole("two\n")
        stream.piece("thr")
        stream.piece("ee")
        stream.whole("three")
        stream.close()

    asyncio.run(speak())
    assert bench.printed() == "one\ntwo\nthree\n"
    assert len(bench.events) == 1


def test_s4_a_secret_that_is_cut_by_pieces_is_hidden(bench: Any) -> None:
    bench.keep(SECRET)

    async def speak() -> None:
        stream = live(bench)
        for letter in f"say {SECRET} twice {SECRET}":
            stream.piece(letter)
            await asyncio.sleep(0.02)
        stream.close()

    asyncio.run(speak())
    assert SECRET not in repr(bench.events)
    assert bench.printed() == "say *** twice ***"


def test_events_are_bounded_however_much_is_said(bench: Any) -> None:
    async def speak() -> None:
        stream = live(bench)
        for _ in range(100):
            stream.piece("ä" * 5000)
        await asyncio.sleep(EVERY * 2)
        stream.piece("more")
        stream.close()

    asyncio.run(speak())
    assert len(bench.printed().encode()) <= TOLD + 3


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("shown", [3, len(SECRET) - 1])
def test_s4_nothing_is_told_of_a_secret_at_which_a_long_answer_is_cut(streamed: bool, shown: int, bench: Any) -> None:
    bench.keep(SECRET)
    text = "x" * (TOLD - shown) + SECRET + " and more"

    async def speak() -> None:
        stream = live(bench)
        if streamed:
            stream.piece(text[:10])
            await asyncio.sleep(EVERY * 2)
            stream.piece(text[10:])
            stream.piece("more still")
        stream.whole(text)
        stream.close()

    asyncio.run(speak())
    assert bench.printed().startswith("x" * (TOLD - shown))
    assert SECRET[:3] not in bench.printed()
    assert "more" not in bench.printed()


def test_half_characters_wait_for_their_other_half(bench: Any) -> None:
    async def speak() -> None:
        stream = live(bench)
        stream.piece("\ud83d")  # half of a surrogate pair, as a service may cut it
        stream.piece("é")
        stream.close()

    asyncio.run(speak())
    assert bench.printed() == "?é"


def test_d7_a_log_that_can_not_be_written_ends_the_attempt(bench: Any) -> None:
    def broken(kind: Any, data: Any) -> None:
        raise StorageError("the disk is full")

    async def speak() -> None:
        stream = Live(broken, bench.masker)
        stream.piece("x")
        await asyncio.sleep(EVERY * 2)
        stream.close()

    with pytest.raises(StorageError):
        asyncio.run(speak())


def test_nothing_is_told_after_the_end(bench: Any) -> None:
    async def speak() -> None:
        stream = live(bench)
        stream.piece("x")
        stream.stop()
        await asyncio.sleep(EVERY * 2)

    asyncio.run(speak())
    assert bench.events == []


def test_a_run_shows_what_a_model_says() -> None:
    model = FakeProvider(Answer(pieces=["good ", "morn", "ing"], delay=0.15))
    run = run_pipeline(
        "version: 1\nnodes: {a: {agent: llm, provider: fake, with: {prompt: x}}}\n", providers={"fake": model}
    )
    said = [event.data["text"] for event in run.events if event.event == "node.output"]
    assert "".join(said) == "good morning\n"
    assert len(said) >= 2
    assert run.output("a") == "good morning"
