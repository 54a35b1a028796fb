"""What Python code prints, and how it ends: with its attempt, also when it doesn't want to."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from pipe_agents.python import PythonAgent
from pipe_runner.capture import KEPT
from pipe_runner.errors import StorageError
from pipe_runner.types import EventKind

Write = Callable[[str], None]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    return lambda text: (tmp_path / "f.py").write_text(text) and None


async def call(bench: Any, agent: PythonAgent, function: str, *args: Any, **fields: Any) -> Any:
    outcome = await bench.perform(agent, {"call": f"./f.py:{function}", "args": list(args)}, **fields)
    return outcome.output


def run(bench: Any, function: str, *args: Any, **fields: Any) -> Any:
    async def once() -> Any:
        agent = PythonAgent()
        try:
            return await call(bench, agent, function, *args, **fields)
        finally:
            await agent.close()

    return asyncio.run(once())


# ---------------------------------------------------------------- printing


@pytest.mark.parametrize("define", ["def", "async def"])
def test_what_a_function_prints_is_output_of_its_node(
    bench: Any, write: Write, capsys: pytest.CaptureFixture[str], define: str
) -> None:
    write(
        "import sys, logging\n"
        f"{define} f():\n"
        "    print('out')\n    print('err', file=sys.stderr)\n"
        "    sys.stdout.buffer.write(b'bytes\\xff\\n')\n    sys.stdout.writelines(['a\\n', 'b\\n'])\n"
        "    sys.stdout.flush()\n    print(sys.stdout.isatty(), sys.stdout.encoding)\n"
        "    print('no newline', end='')\n"
    )
    run(bench, "f")
    assert bench.printed() == "out\nbytes\ufffd\na\nb\nFalse utf-8\nno newline"
    assert bench.printed("stderr") == "err\n"
    assert capsys.readouterr() == ("", "")


def test_the_streams_are_given_back(bench: Any, write: Write) -> None:
    write("def f(): print('x')")
    before = (sys.stdin, sys.stdout, sys.stderr)
    run(bench, "f")
    assert (sys.stdin, sys.stdout, sys.stderr) == before


@pytest.mark.parametrize("define", ["def", "async def"])
def test_a_function_has_no_standard_input(bench: Any, write: Write, define: str) -> None:
    write(
        "import sys\n"
        f"{define} f():\n"
        "    try: input('name? ')\n    except EOFError: pass\n"
        "    return [sys.stdin.read(), sys.stdin.readline(), list(sys.stdin), sys.stdin.isatty()]\n"
    )
    assert run(bench, "f") == ["", "", [], False]
    assert bench.printed() == "name? "


def test_what_a_file_prints_while_it_is_loaded_is_output_too(
    bench: Any, write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    write("print('loading')\ndef f(): pass")
    run(bench, "f")
    assert bench.printed() == "loading\n"
    assert capsys.readouterr().out == ""


def test_nodes_that_run_together_keep_their_outputs_apart(bench: Any, write: Write) -> None:
    write(
        "import asyncio, time\n"
        "async def a(n):\n    for _ in range(20):\n        print('a', n)\n        await asyncio.sleep(0.001)\n"
        "def t(n):\n    for _ in range(20):\n        print('t', n)\n        time.sleep(0.001)\n"
    )
    texts: dict[str, str] = {}

    async def all_of_them() -> None:
        agent = PythonAgent()

        async def one(function: str, number: int) -> None:
            key = f"{function} {number}"
            context = bench.context(lambda kind, data: texts.update({key: texts.get(key, "") + data["text"]}))
            options = {"call": f"./f.py:{function}", "args": [number]}
            await agent.perform(bench.attempt("python", options, node=key), context)

        await asyncio.gather(*(one(function, number) for function in "at" for number in range(5)))
        await agent.close()

    asyncio.run(all_of_them())
    assert texts == {f"{function} {number}": f"{function} {number}\n" * 20 for function in "at" for number in range(5)}


def test_the_runner_can_print_while_a_function_runs(
    bench: Any, write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    write("import asyncio\nasync def f():\n    print('mine')\n    await asyncio.sleep(0.1)\n    print('mine too')")
    bench.events = _Printing(bench.events)

    async def both() -> None:
        agent = PythonAgent()
        task = asyncio.create_task(call(bench, agent, "f"))
        await asyncio.sleep(0.02)
        print("the runner's")
        await task
        await agent.close()

    asyncio.run(both())
    assert capsys.readouterr().out == "the runner's\nevent\nevent\n"
    assert bench.printed() == "mine\nmine too\n"


class _Printing(list[Any]):
    """A sink that prints each event, as `--output jsonl` does."""

    def append(self, item: Any) -> None:
        print("event")
        super().append(item)


def test_a_thread_of_the_functions_own_does_not_print_among_results(
    bench: Any, write: Write, capfd: pytest.CaptureFixture[str]
) -> None:
    write(
        "import threading\n"
        "def f():\n    t = threading.Thread(target=print, args=['stray'])\n    t.start()\n    t.join()\n"
    )
    run(bench, "f")
    assert capfd.readouterr() == ("", "stray\n")


def test_a_process_that_a_function_starts_does_not_print_among_results(
    bench: Any, write: Write, capfd: pytest.CaptureFixture[str]
) -> None:
    write("import subprocess, sys\ndef f(): subprocess.run(['echo', 'stray'], stdout=sys.stdout, check=True)")
    run(bench, "f")
    assert capfd.readouterr() == ("", "stray\n")


def test_a_runner_without_standard_streams_can_run_functions(tmp_path: Path) -> None:
    import subprocess

    (tmp_path / "f.py").write_text("def f():\n    print('x')\n    return 1")
    script = (
        _SCRIPT
        + """
outcome = asyncio.run(perform())
print('to nowhere')
os._exit(7 if outcome.output == 1 and sys.stdin is None and sys.stdout is None else 1)
"""
    )
    command = ["/bin/sh", "-c", 'exec "$0" -c "$1" "$2" <&- >&- 2>&-', sys.executable, script, str(tmp_path)]
    assert subprocess.run(command, timeout=30).returncode == 7


_SCRIPT = """
import asyncio, os, sys
from pipe_agents.python import PythonAgent
from pipe_runner.masking import NoMasking
from pipe_runner.ports import Attempt, Context

async def perform():
    context = Context(lambda *a: None, None, None, NoMasking(), {}, {}, sys.argv[1])
    attempt = Attempt("r", "n", 1, "python", {"call": "./f.py:f"}, {}, sys.argv[1], "k")
    agent = PythonAgent()
    try:
        return await agent.perform(attempt, context)
    finally:
        await agent.close()
"""


def test_r1_printing_without_end_takes_bounded_room(bench: Any, write: Write) -> None:
    write("def f():\n    line = 'x' * 999\n    for _ in range(100_000): print(line)\n    return 'done'")
    assert run(bench, "f") == "done"
    assert KEPT - 1000 <= len(bench.printed()) <= KEPT
    assert len(bench.events) < 2000


def test_lines_are_told_while_the_function_runs(bench: Any, write: Write) -> None:
    write("import time\ndef f():\n    print('early')\n    time.sleep(0.5)\n    print('late')")

    async def watch() -> list[str]:
        agent = PythonAgent()
        task = asyncio.create_task(call(bench, agent, "f"))
        await asyncio.sleep(0.3)
        early = bench.printed()
        await task
        await agent.close()
        return [early, bench.printed()]

    assert asyncio.run(watch()) == ["early\n", "early\nlate\n"]


def test_s4_a_secret_is_masked_wherever_prints_cut_it(bench: Any, write: Write) -> None:
    write("def f(s):\n    for c in s: print(c, end='', flush=True)\n    print()\n    print('x' + s + 'y')")
    bench.keep("very-secret-value")
    run(bench, "f", "very-secret-value")
    assert "very" not in bench.printed()
    assert "secret" not in bench.printed()
    assert bench.printed().count("***") == 2


def test_d7_a_log_that_cannot_be_written_is_not_the_functions_fault(bench: Any, write: Write) -> None:
    write("import time\ndef f():\n    print('x')\n    time.sleep(0.2)\nasync def g(): print('x')")

    def full(kind: EventKind, data: Mapping[str, Any]) -> None:
        raise StorageError("no space left")

    for function in "fg":

        async def once(function: str = function) -> None:
            agent = PythonAgent()
            context = bench.context(full)
            with pytest.raises(StorageError):
                await agent.perform(bench.attempt("python", {"call": f"./f.py:{function}"}), context)
            await agent.close()

        asyncio.run(once())


# ---------------------------------------------------------------- ends


async def timed(bench: Any, agent: PythonAgent, seconds: float, function: str, *args: Any, **fields: Any) -> list[str]:
    """Performs with a time-out that must strike; gives the notes of the cancellation."""
    with pytest.raises(TimeoutError) as caught:
        async with asyncio.timeout(seconds):
            await call(bench, agent, function, *args, **fields)
    return list(getattr(caught.value.__cause__, "__notes__", []))


def test_x3_an_async_function_is_cancelled(bench: Any, write: Write) -> None:
    write(
        "import asyncio\nseen = []\n"
        "async def f():\n    try: await asyncio.sleep(60)\n    finally: seen.append('cleaned')\n"
        "def g(): return seen"
    )

    async def both() -> Any:
        agent = PythonAgent()
        assert await timed(bench, agent, 0.1, "f") == []
        result = await call(bench, agent, "g")
        await agent.close()
        return result

    assert asyncio.run(both()) == ["cleaned"]


@pytest.mark.parametrize(
    "body",
    [
        "while True: pass",
        "while True: time.sleep(0.01)",
        "while True:\n        try: 1/0\n        except Exception: pass",
    ],
)
def test_x3_python_code_in_a_thread_is_interrupted(bench: Any, write: Write, body: str) -> None:
    write(f"import time\ndef f():\n    {body}\ndef g(): return 'next'")

    async def both() -> Any:
        agent = PythonAgent()
        assert await timed(bench, agent, 0.1, "f") == []
        result = await call(bench, agent, "g")
        await agent.close()
        return result

    start = time.monotonic()
    assert asyncio.run(both()) == "next"
    assert time.monotonic() - start < 2
    assert not [t for t in threading.enumerate() if t.name.startswith("pipe-python") and _busy(t)]


def _busy(thread: threading.Thread) -> bool:
    thread.join(1)
    return thread.is_alive()


def test_d4_a_call_that_cannot_be_stopped_is_never_overlapped(bench: Any, write: Write) -> None:
    write(
        "import time, threading\nrunning = []\nmost = []\n"
        "def f():\n    running.append(1)\n    most.append(len(running))\n    time.sleep(1.5)\n    running.pop()\n"
        "def g(): return max(most)"
    )

    async def attempts() -> tuple[list[str], list[str], Any, Any, float]:
        agent = PythonAgent()
        start = time.monotonic()
        first = await timed(bench, agent, 0.1, "f", number=1)
        after = time.monotonic() - start
        second = await timed(bench, agent, 0.1, "f", number=2)
        other = await call(bench, agent, "g", node="other")
        third = await call(bench, agent, "g", number=3)
        await agent.close()
        return first, second, other, third, after

    first, second, other, most, after = asyncio.run(attempts())
    assert "still runs" in first[0]
    assert "the earlier call" in second[0]
    assert after < 1.2
    assert (other, most) == (1, 1)


def test_what_an_abandoned_call_prints_goes_nowhere(
    bench: Any, write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    write("import time\ndef f():\n    time.sleep(0.9)\n    print('late')\n    time.sleep(0.1)\ndef g(): pass")

    async def both() -> None:
        agent = PythonAgent()
        await timed(bench, agent, 0.1, "f")
        await call(bench, agent, "g")
        await agent.close()

    asyncio.run(both())
    assert capsys.readouterr() == ("", "")
    assert "late" not in bench.printed()


def test_loading_that_hangs_ends_the_attempt_and_not_the_process(bench: Any, write: Write) -> None:
    write("import time\ntime.sleep(1)\ndef f(): return 'loaded'")

    async def both() -> Any:
        agent = PythonAgent()
        start = time.monotonic()
        await timed(bench, agent, 0.1, "f")
        assert time.monotonic() - start < 0.9
        result = await call(bench, agent, "f", number=2)
        await agent.close()
        return result

    assert asyncio.run(both()) == "loaded"


def test_x1_a_thread_that_goes_on_does_not_keep_the_process(tmp_path: Path) -> None:
    import subprocess

    (tmp_path / "f.py").write_text("import time\ndef f(): time.sleep(60)")
    script = (
        _SCRIPT
        + """
async def main():
    try:
        async with asyncio.timeout(0.1):
            await perform()
    except TimeoutError:
        print("timed out")

asyncio.run(main())
"""
    )
    start = time.monotonic()
    ended = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, timeout=30)
    assert (ended.stdout, ended.stderr, ended.returncode) == ("timed out\n", "", 0)
    assert time.monotonic() - start < 10


def test_attempts_cancelled_at_every_moment_leave_the_agent_in_order(bench: Any, write: Write) -> None:
    write("def f():\n    for _ in range(2000): pass\n    return 1\ndef g(): return 2")

    async def many() -> Any:
        agent = PythonAgent()
        await call(bench, agent, "f")
        for step in range(150):
            task = asyncio.create_task(call(bench, agent, "f"))
            await asyncio.sleep(step / 500_000)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        result = await asyncio.gather(*(call(bench, agent, "g", node=str(n)) for n in range(20)))
        await agent.close()
        return result

    before = sys.stdout
    assert asyncio.run(many()) == [2] * 20
    assert sys.stdout is before
