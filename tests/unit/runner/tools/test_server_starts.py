"""MCP servers that are started and never answer: neither the end of a node nor a stop waits for them (X1, X2)."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import anyio
import pytest

from pipe_runner.compiler import compile_text
from pipe_runner.engine import RunSettings, open_run
from pipe_runner.registry import Registry
from pipe_runner.runlog import read_log
from pipe_runner.testing import FakeProvider, FinishedRun

MUTE = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
with open(f"pid-{os.getpid()}.tmp", "w") as file:
    file.write(str(os.getpid()))
os.rename(file.name, file.name[:-4])
time.sleep(300)
"""
"""Leaves a child in a session of its own; both ignore TERM and the end of their stdin."""
NODE = "a: {agent: llm, provider: fake, MOREwith: {prompt: x, tools: ['mcp:mute/x']}}"


class Ended(NamedTuple):
    run: FinishedRun
    seconds: float
    """From the moment at which `a` failed, or the run was stopped, to its end."""
    started: list[int]
    """Processes of the server."""


def perform(
    root: Path,
    more: str = "",
    *,
    top: str = "",
    grace: float = 60.0,
    server: Any = None,
    stop: Callable[[], bool] | None = None,
    stops: int = 1,
) -> Ended:
    entry = server or {"command": [sys.executable, "-c", MUTE]}
    (root / "pipe.yml").write_text(json.dumps({"version": 1, "mcp_servers": {"mute": entry}}))
    registry = Registry.installed()
    registry.providers.register("fake", FakeProvider("nobody asks"))
    text = f"version: 1\n{top}nodes:\n  {NODE.replace('MORE', more)}\n"
    plan = compile_text(text, path=str(root / "p.yml"), root=root, registry=registry)
    assert plan.plan is not None, plan.diagnostics
    active = open_run(plan.plan, {}, RunSettings(state_dir=root / ".pipe", grace=grace), registry=registry)
    began = 0.0

    async def do() -> Any:
        nonlocal began
        loop = asyncio.get_running_loop()

        def look() -> None:
            nonlocal began
            if stop is not None and stop():
                began = time.monotonic()
                for _ in range(stops):
                    active.stop("SIGINT")
            elif stop is None and "a" in active.run.nodes and active.run.nodes["a"].error is not None:
                began = time.monotonic()
            else:
                loop.call_later(0.02, look)

        look()
        return await active.perform()

    run = anyio.run(do)
    took = time.monotonic() - began
    finished = FinishedRun(run, list(read_log(active.rundir.log_path).events), root, root / ".pipe")
    return Ended(finished, took, [int(file.read_text()) for file in root.glob("pid-*[0-9]")])


def is_started(root: Path) -> Callable[[], bool]:
    return lambda: len(list(root.glob("pid-*[0-9]"))) == 2


def gone(pids: list[int]) -> bool:
    return not any(os.path.exists(f"/proc/{pid}") for pid in pids)


@pytest.fixture
def silent() -> Iterator[tuple[str, Callable[[], bool]]]:
    """The address of a service that takes what comes and never answers, and whether somebody has come."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        found.listen()
        found.setblocking(False)
        there: list[socket.socket] = []

        def came() -> bool:
            try:
                there.append(found.accept()[0])
            except BlockingIOError:
                return False
            return True

        yield f"http://127.0.0.1:{found.getsockname()[1]}/mcp", came
        for one in there:
            one.close()


def test_x2_the_end_of_a_node_whose_time_was_up_waits_for_no_server_that_hangs_in_its_start(tmp_path: Path) -> None:
    ended = perform(tmp_path, "timeout: 4s, ")
    error = ended.run.node("a").error
    assert error is not None and error["kind"] == "timeout"
    assert ended.seconds < 2
    assert len(ended.started) == 2 and gone(ended.started)


@pytest.mark.slow
def test_x2_the_time_of_a_run_is_kept_although_a_server_hangs_in_its_start(tmp_path: Path) -> None:
    ended = perform(tmp_path, top="budget: {max_time: 4s}\n", grace=0.5)
    end = ended.run.events[-1].data
    assert end["error"]["kind"] == "run_timeout"
    assert float(end["duration_s"]) < 4 + 0.5 + 2
    assert len(ended.started) == 2 and gone(ended.started)


def test_x1_who_waits_for_a_server_to_start_is_ended_by_a_stop_at_once(tmp_path: Path) -> None:
    ended = perform(tmp_path, stop=is_started(tmp_path))
    assert (ended.run.status, ended.run.node("a").status) == ("cancelled", "cancelled")
    assert ended.seconds < 2
    assert gone(ended.started)


def test_x1_a_second_signal_waits_for_no_server_that_hangs_in_its_start(tmp_path: Path) -> None:
    ended = perform(tmp_path, stop=is_started(tmp_path), stops=2)
    assert ended.run.status == "cancelled"
    assert ended.seconds < 2
    assert gone(ended.started)


def test_x1_a_stop_waits_for_no_address_that_never_answers(
    tmp_path: Path, silent: tuple[str, Callable[[], bool]]
) -> None:
    url, came = silent
    ended = perform(tmp_path, server={"url": url}, stop=came)
    assert ended.run.status == "cancelled"
    assert ended.seconds < 2
