"""Times what starting commands costs by itself: the launcher and its warden, beside ninja and make with the same ones.

`python -m bench.processes [--count 5000] [--parallel 2] [--times 3] [--only launcher|agent]`. No log, no scheduler.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path

from bench import files
from bench.measure import Failed, measure
from bench.peers import Peer, Peers

from pipe_agents.shell import ShellAgent, base_environment
from pipe_runner.executors.pool import Pool
from pipe_runner.masking import NoMasking
from pipe_runner.ports import Attempt, Command, Context
from pipe_runner.testing import FakeClock
from pipe_runner.types import NodeStatus


def attempt(node: str, root: str) -> Attempt:
    return Attempt("bench", node, 1, "shell", {"script": "true"}, {}, root, f"bench/{node}", timeout=600)


async def through_launcher(count: int, parallel: int, folder: str) -> float:
    """Seconds for `count` commands through the launcher alone; the warden's end included, its start not."""
    processes = Pool("bench", f"{folder}/warden.lock")
    env, masker, left = base_environment(os.environ), NoMasking(), iter(range(count))
    command = Command(("/bin/sh", "-e", "-c", "true"), env, folder)

    async def work() -> None:
        for number in left:
            end = await processes.run(command, attempt(f"n{number}", folder), lambda *_: None, masker)
            if end.exit_code != 0:
                raise Failed(repr(end))

    processes.start()
    began = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(parallel)))
    await processes.close()
    return time.perf_counter() - began


async def through_agent(count: int, parallel: int, folder: str) -> float:
    """The same with the shell agent before it."""
    processes = Pool("bench", f"{folder}/warden.lock")
    agent, left = ShellAgent(), iter(range(count))
    context = Context(lambda *_: None, processes, FakeClock(), NoMasking(), {}, {}, folder)

    async def work() -> None:
        for number in left:
            outcome = await agent.perform(attempt(f"n{number}", folder), context)
            if outcome.status is not NodeStatus.SUCCEEDED:
                raise Failed(repr(outcome))

    processes.start()
    began = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(parallel)))
    await processes.close()
    return time.perf_counter() - began


def cpu() -> tuple[float, float]:
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime, children.ru_utime + children.ru_stime


def ours(kind: str, count: int, parallel: int) -> tuple[float, float]:
    """Seconds on the wall and CPU seconds of this process."""
    with tempfile.TemporaryDirectory() as folder:
        before = cpu()
        work = through_launcher if kind == "launcher" else through_agent
        wall = asyncio.run(work(count, parallel, folder))
        return wall, cpu()[0] - before[0]


def peer(found: Peer, folder: Path, count: int, parallel: int) -> float:
    place = folder / found.name
    if found.name == "ninja":
        files.ninja_commands(place, count)
        (place / ".ninja_log").unlink(missing_ok=True)
    else:
        files.make_commands(place, count)
    return measure([*found.command, "-j", str(parallel), "all"], place).wall


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.processes")
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--parallel", type=int, default=2)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--only", choices=["launcher", "agent"])
    options = parser.parse_args()
    walls: dict[str, list[float]] = {}
    own: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as name:
        peers = Peers(Path(name), install=False)
        peers.look_for_all()
        for _ in range(options.times):
            for kind in [options.only] if options.only else ["launcher", "agent"]:
                wall, used = ours(kind, options.count, options.parallel)
                walls.setdefault(kind, []).append(wall)
                own.setdefault(kind, []).append(used)
            for system in () if options.only else ("ninja", "make"):
                if system in peers.found:
                    took = peer(peers.found[system], Path(name), options.count, options.parallel)
                    walls.setdefault(system, []).append(took)
    for kind, seconds in walls.items():
        middle = statistics.median(seconds)
        line = f"{kind:10} {middle / options.count * 1e6:7.0f} us a command"
        if kind in own:
            line += f", of which this process {statistics.median(own[kind]) / options.count * 1e6:.0f} us of CPU"
        line += "".join(
            f", {middle / statistics.median(walls[system]):.2f} x {system}"
            for system in ("ninja", "make")
            if system in walls and system != kind
        )
        sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    main()
