"""Writes the files that are measured: pipelines of a given size, and the same work for make, ninja and the others."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path


def place(directory: Path, name: str, text: str) -> Path:
    """Write a file into a directory of its own, which is a project's root, and return it."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "pipe.yml").write_text("{}\n")
    path = directory / name
    path.write_text(text)
    return path


def pipeline(nodes: Iterable[str], head: str = "") -> str:
    return f"version: 1\n{head}nodes:\n" + "".join(f"  {node}\n" for node in nodes)


def echo(directory: Path) -> Path:
    return place(directory, "echo.yml", pipeline(["hello: {run: echo hello}"]))


def commands(directory: Path, count: int, parallel: int) -> Path:
    """Independent nodes that each start `true` through a shell."""
    nodes = (f't{i:05}: {{run: "true"}}' for i in range(count))
    return place(directory, f"commands{count}.yml", pipeline(nodes, f"concurrency: {parallel}\n"))


NOOP = "async def noop():\n    return None\n"


def noops(directory: Path, count: int) -> Path:
    """Independent nodes that each await a function which does nothing."""
    place(directory, "noop.py", NOOP)
    nodes = (f'n{i:06}: {{agent: python, with: {{call: "noop.py:noop"}}}}' for i in range(count))
    return place(directory, f"noops{count}.yml", pipeline(nodes))


AWAITING = "import asyncio\nasync def noop():\n    await asyncio.sleep(0)\n"


def awaiting(directory: Path, count: int) -> Path:
    """Functions that wait for something: they are awaited on a loop of their own, apart from the runner's."""
    path = noops(directory, count)
    place(directory, "noop.py", AWAITING)
    return path


def each(directory: Path, count: int) -> Path:
    """The same functions as items of one node, over a list that another node makes."""
    place(directory, "noop.py", NOOP + f"def numbers():\n    return list(range({count}))\n")
    node = "  n: {for_each: {items: '{{ nodes.list.output }}'}, agent: python, with: {call: 'noop.py:noop'}}"
    return place(
        directory, f"each{count}.yml", pipeline(["  list: {agent: python, with: {call: 'noop.py:numbers'}}", node])
    )


def chain(directory: Path, count: int) -> Path:
    """Nodes of which each waits for the one before it."""
    place(directory, "noop.py", NOOP)
    call = 'agent: python, with: {call: "noop.py:noop"}'
    nodes = (
        f"c{i:05}: {{{call}{f', needs: [c{i - 1:05}]' if i else ''}}}"
        for i in range(count)
    )  # fmt: skip
    return place(directory, f"chain{count}.yml", pipeline(nodes))


def project(directory: Path, count: int, width: int = 100) -> Path:
    """A file as people write them, only long: commands with references, environments, time-outs and retries."""
    lines = ["version: 1", "inputs:", "  name: {type: string, default: world}", "nodes:"]
    for i in range(count):
        lines += [f"  build_{i:05}:"]
        if i < width:
            lines += ['    run: echo "{{ inputs.name }}"']
        else:
            lines += [f'    run: echo "{{{{ nodes.build_{i - width:05}.output }}}} {i}"']
            lines += [f"    needs: [build_{i - width:05}]"]
        lines += ["    timeout: 90s", "    env: {LEVEL: '1', STAGE: build}"]
        if i % 4 == 0:
            lines += ["    retry: {max_attempts: 3, delay: 2s}"]
    return place(directory, f"project{count}.yml", "\n".join(lines) + "\n")


def flood(directory: Path, size: int) -> Path:
    """One node that prints `size` bytes of text."""
    run = f"yes 'a line of text as programs print them, sixty characters long' | head -c {size}"
    return place(directory, "flood.yml", pipeline([f"flood: {{run: {run!r}}}".replace("\\'", "''")]))


# ---------------------------------------------------------------- the same for others


def ninja_commands(directory: Path, count: int) -> Path:
    builds = "".join(f"build o{i}: t\n" for i in range(count))
    everything = " ".join(f"o{i}" for i in range(count))
    return place(directory, "build.ninja", f"rule t\n  command = true\n{builds}build all: phony {everything}\n")


def make_commands(directory: Path, count: int) -> Path:
    names = " ".join(f"t{i}" for i in range(count))
    return place(directory, "Makefile", f".PHONY: all {names}\nall: {names}\n{names}:\n\t@true\n")


def task_commands(directory: Path, count: int) -> Path:
    tasks = "".join(f"  t{i}: {{silent: true, cmds: [/bin/sh -c true]}}\n" for i in range(count))
    names = ", ".join(f"t{i}" for i in range(count))
    return place(directory, "Taskfile.yml", f'version: "3"\ntasks:\n  all: {{deps: [{names}]}}\n{tasks}')


def just_commands(directory: Path, count: int) -> Path:
    recipes = "".join(f"t{i}:\n    @true\n" for i in range(count))
    names = " ".join(f"t{i}" for i in range(count))
    return place(directory, "justfile", f"[parallel]\nall: {names}\n{recipes}")


def dagu_commands(directory: Path, count: int, parallel: int) -> Path:
    steps = "".join(f'  - {{name: t{i}, command: "true"}}\n' for i in range(count))
    return place(directory, "commands.yaml", f"type: graph\nmaxActiveSteps: {parallel}\nsteps:\n{steps}")


LUIGI = '''\
"""Prints seconds per task that does nothing, beyond the start."""
import logging, sys, time
import luigi

logging.disable(logging.CRITICAL)
count = int(sys.argv[1])


class Noop(luigi.Task):
    number = luigi.IntParameter()
    done = False

    def run(self):
        self.done = True

    def complete(self):
        return self.done


tasks = [Noop(number=i) for i in range(count)]
started = time.perf_counter()
assert luigi.build(tasks, local_scheduler=True, workers=1, log_level="CRITICAL")
print((time.perf_counter() - started) / count)
'''

PREFECT = '''\
"""Prints seconds per task that does nothing, beyond the start."""
import asyncio, sys, time
from prefect import flow, task

count = int(sys.argv[1])


@task
async def noop(number):
    return None


@flow
async def run():
    await noop(-1)
    started = time.perf_counter()
    await asyncio.gather(*(noop(i) for i in range(count)))
    return (time.perf_counter() - started) / count


print(asyncio.run(run()))
'''

LANGGRAPH = '''\
"""Prints seconds per node that does nothing, all in one super-step, with a checkpoint in memory."""
import asyncio, sys, time
from typing import TypedDict
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph

count = int(sys.argv[1])


class State(TypedDict):
    value: int


async def noop(state):
    return None


graph = StateGraph(State)
for i in range(count):
    graph.add_node(f"n{i}", noop)
    graph.add_edge(START, f"n{i}")
    graph.add_edge(f"n{i}", END)
app = graph.compile(checkpointer=InMemorySaver())
started = time.perf_counter()
asyncio.run(app.ainvoke({"value": 0}, {"configurable": {"thread_id": "1"}}))
print((time.perf_counter() - started) / count)
'''
