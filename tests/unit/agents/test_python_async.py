"""Async functions: on a loop that they share, which is not the runner's, and ended when their time is up."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from pipe_agents.loops import Loops
from pipe_agents.python import PROVEN, PythonAgent
from pipe_runner.errors import NodeFault
from pipe_runner.types import ErrorKind

Write = Callable[[str], None]
Scene = Callable[[PythonAgent], Awaitable[Any]]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    return lambda text: (tmp_path / "f.py").write_text(text) and None


async def call(bench: Any, agent: PythonAgent, function: str, *args: Any, **fields: Any) -> Any:
    outcome = await bench.perform(agent, {"call": f"./f.py:{function}", "args": list(args)}, **fields)
    return outcome.output


def play(scene: Scene) -> Any:
    async def whole() -> Any:
        agent = PythonAgent()
        try:
            return await scene(agent)
        finally:
            await agent.close()

    return asyncio.run(whole())


async def timed(bench: Any, agent: PythonAgent, function: str, *args: Any, **fields: Any) -> list[str]:
    with pytest.raises(TimeoutError) as caught:
        async with asyncio.timeout(0.1):
            await call(bench, agent, function, *args, **fields)
    return list(getattr(caught.value.__cause__, "__notes__", []))


@pytest.mark.parametrize(
    ("body", "stays"),
    [
        ("time.sleep(1.5)", True),
        ("while True: pass", False),
        ("while True: time.sleep(0.01)", False),
        (
            "while True:\n        try: await asyncio.sleep(0.01)\n        except asyncio.CancelledError: pass\n"
            "        if time.monotonic() > end: return",
            True,
        ),
    ],
    ids=["blocks", "computes", "blocks in bits", "swallows its cancellation"],
)
def test_x3_an_async_function_that_does_not_want_to_end_holds_up_nobody(
    bench: Any, write: Write, body: str, stays: bool
) -> None:
    write(
        f"import asyncio, time\nasync def f():\n    end = time.monotonic() + 1.5\n    {body}\n"
        "async def g():\n    await asyncio.sleep(0)\n    return 'next'\ndef h(): return 'plain'"
    )

    async def scene(agent: PythonAgent) -> None:
        began = time.monotonic()
        notes = await timed(bench, agent, "f")
        assert ("still runs" in "".join(notes)) is stays
        assert await call(bench, agent, "g", node="other") == "next"
        assert await call(bench, agent, "h", node="plain") == "plain"
        assert time.monotonic() - began < 1.2
        if stays:
            await asyncio.sleep(1)

    play(scene)


def test_x3_the_runner_goes_on_while_an_async_function_blocks(bench: Any, write: Write) -> None:
    write("import time\nasync def f(): time.sleep(0.5)")

    async def scene(agent: PythonAgent) -> int:
        turns = 0
        task = asyncio.create_task(call(bench, agent, "f"))
        while not task.done():
            await asyncio.sleep(0.01)
            turns += 1
        return turns

    assert play(scene) > 20


def test_d4_an_async_call_that_goes_on_is_never_overlapped(bench: Any, write: Write) -> None:
    write(
        "import time\nrunning = []\nmost = []\n"
        "async def f():\n    running.append(1)\n    most.append(len(running))\n    time.sleep(1)\n    running.pop()\n"
        "def g(): return max(most)"
    )

    async def scene(agent: PythonAgent) -> Any:
        await timed(bench, agent, "f", number=1)
        assert "the earlier call" in (await timed(bench, agent, "f", number=2))[0]
        return await call(bench, agent, "g", number=3)

    assert play(scene) == 1


def test_async_functions_share_a_loop_and_what_is_bound_to_it(bench: Any, write: Write) -> None:
    write(
        "import asyncio\nlock = asyncio.Lock()\nrunning = []\n"
        "async def f():\n    async with lock:\n        running.append(1)\n        await asyncio.sleep(0.01)\n"
        "        running.pop()\n        return len(running)\n"
    )

    async def scene(agent: PythonAgent) -> Any:
        return await asyncio.gather(*(call(bench, agent, "f", node=str(n)) for n in range(40)))

    assert play(scene) == [0] * 40


def test_one_that_awaits_nothing_is_called_on_the_runners_loop_once_it_has_shown_to_be_quick(
    bench: Any, write: Write
) -> None:
    write(
        "import threading, time\nmain = threading.main_thread()\n"
        "async def plain(seconds):\n    time.sleep(seconds)\n    return threading.current_thread() is main\n"
        "async def waits():\n    if main is None: await waits()\n    return threading.current_thread() is main\n"
    )

    async def scene(agent: PythonAgent) -> None:
        await call(bench, agent, "plain", 0.01)
        assert not any([await call(bench, agent, "plain", 0) for _ in range(PROVEN)])
        seen = False
        for _ in range(10 * PROVEN):  # a machine that is busy makes a call slow, which starts the count anew
            seen = seen or await call(bench, agent, "plain", 0)
        assert seen
        await call(bench, agent, "plain", 0.01)
        assert not await call(bench, agent, "plain", 0)
        assert not any([await call(bench, agent, "waits") for _ in range(2 * PROVEN)])

    play(scene)


@pytest.mark.parametrize("error", ["SystemExit(3)", "KeyboardInterrupt()", "asyncio.CancelledError()", "ValueError(1)"])
def test_what_an_async_function_raises_is_its_nodes_fault_alone(bench: Any, write: Write, error: str) -> None:
    write(f"import asyncio\nasync def f():\n    await asyncio.sleep(0)\n    raise {error}\nasync def g(): return 1")

    async def scene(agent: PythonAgent) -> Any:
        with pytest.raises(NodeFault) as caught:
            await call(bench, agent, "f")
        assert caught.value.kind is ErrorKind.EXCEPTION
        return await call(bench, agent, "g")

    assert play(scene) == 1


def test_what_a_function_left_on_the_loop_is_cancelled_at_the_runs_end(bench: Any, write: Write) -> None:
    write(
        "import asyncio, pathlib\ntasks = []\n"
        "async def forever(path):\n    try: await asyncio.sleep(60)\n"
        "    finally: pathlib.Path(path).write_text('ended')\n"
        "async def f(path):\n    tasks.append(asyncio.create_task(forever(path)))\n    await asyncio.sleep(0)\n"
    )
    path = Path(bench.root, "end")
    play(lambda agent: call(bench, agent, "f", str(path)))
    assert path.read_text() == "ended"


def test_x3_what_has_ended_is_known_although_the_next_one_blocks_their_loop(bench: Any, write: Write) -> None:
    write(
        "import asyncio, time\nasync def quick():\n    await asyncio.sleep(0)\n"
        "async def blocks(seconds):\n    await asyncio.sleep(0)\n    time.sleep(seconds)\n"
    )

    async def scene(agent: PythonAgent) -> float:
        await call(bench, agent, "quick")
        await call(bench, agent, "blocks", 0)
        quick = [asyncio.ensure_future(call(bench, agent, "quick", node=f"a{number}")) for number in range(3)]
        blocking = asyncio.ensure_future(call(bench, agent, "blocks", 2, node="b"))
        began = time.monotonic()
        await asyncio.wait(quick)
        took = time.monotonic() - began
        await blocking
        assert time.monotonic() - began >= 2
        return took

    assert play(scene) < 1.5


def test_calls_that_begin_together_share_a_wake_up(bench: Any, write: Write) -> None:
    write("import asyncio\nasync def twice(n):\n    await asyncio.sleep(0)\n    return 2 * n\n")

    async def scene(agent: PythonAgent) -> tuple[list[Any], int]:
        await call(bench, agent, "twice", 0)
        loop = agent._loops._homes[0].loop  # type: ignore[union-attr]
        woken, wake = [], loop.call_soon_threadsafe
        loop.call_soon_threadsafe = lambda *args, **more: (woken.append(1), wake(*args, **more))[1]  # type: ignore
        found = await asyncio.gather(*(call(bench, agent, "twice", n, node=f"n{n}") for n in range(100)))
        return found, len(woken)

    found, woken = play(scene)
    assert found == [2 * n for n in range(100)]
    assert woken == 1


def test_a_function_that_stops_its_loop_ends_nothing_but_its_turn(bench: Any, write: Write) -> None:
    write(
        "import asyncio\nasync def stops():\n    asyncio.get_running_loop().stop()\n"
        "    await asyncio.sleep(0.01)\n    return 'went on'\n"
    )

    async def scene(agent: PythonAgent) -> list[Any]:
        async with asyncio.timeout(5):
            return list(await asyncio.gather(call(bench, agent, "stops"), call(bench, agent, "stops")))

    assert play(scene) == ["went on", "went on"]


def test_a_loop_that_a_function_stops_as_the_run_ends_can_be_closed() -> None:
    async def quick() -> str:
        return "done"

    async def scene() -> None:
        loops = Loops("test")
        began = loops.start(quick)
        await began.future
        began.home.closing = True
        began.home.loop.call_soon_threadsafe(began.home.loop.stop)
        began.home.join(5)
        assert began.home.loop.is_closed()
        await loops.close()

    asyncio.run(scene())


def test_a_loop_whose_thread_the_system_did_not_start_is_made_again_for_the_next_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refused(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async def quick() -> str:
        return "done"

    async def scene() -> None:
        loops = Loops("test")
        made: list[Any] = []
        make = asyncio.new_event_loop
        monkeypatch.setattr(asyncio, "new_event_loop", lambda: made.append(make()) or made[-1])
        with monkeypatch.context() as full:
            full.setattr(threading.Thread, "start", refused)
            with pytest.raises(NodeFault) as fault:
                loops.start(quick)
        assert fault.value.kind is ErrorKind.UNAVAILABLE
        assert made[0].is_closed()
        began = loops.start(quick)
        await asyncio.wait_for(began.future, 5)
        assert began.result == "done"
        await loops.close()

    asyncio.run(scene())
