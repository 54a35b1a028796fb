"""The rows of the table: each does its work and the floor's or the peer's in turns, and gives the ratio."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from bench import files
from bench.calls import calls
from bench.logs import logs
from bench.measure import Failed, Measured, clean_environment, fdatasync_seconds, measure, medians
from bench.peers import Peers, run_commands, run_functions

MICRO = 1e6
MIB = 2**20
NODE, NODE_GOAL, LINK = 4, 2, 6
"""Bound and goal for a node, and what one of a chain may take beside its fdatasync, in nodes of the bare loop: 40, 20
and 60 µs where that takes 10."""


@dataclass(frozen=True, slots=True)
class Beside:
    """Another figure of the same row: a floor, a peer, or a part of our own time."""

    name: str
    text: str
    ratio: float | None = None
    """Ours divided by it."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. `value` is compared with `at_most` and `goal`; all three in `unit` ("×" for ratios)."""

    work: str
    ours: str
    value: float
    at_most: float
    goal: float | None
    unit: str
    against: str
    beside: list[Beside] = field(default_factory=list)
    more_is_better: bool = False
    goal_text: str = ""

    @property
    def holds(self) -> bool:
        return self.value >= self.at_most if self.more_is_better else self.value <= self.at_most


@dataclass(slots=True)
class Bench:
    """What every row needs: the command, a scratch directory, the peers, and how thorough to be."""

    pipe: str
    scratch: Path
    peers: Peers
    quick: bool

    def scaled(self, count: int) -> int:
        return max(count // 10, 1) if self.quick else count

    def times(self, count: int) -> int:
        return max(count // 3, 1) if self.quick else count

    def directory(self, name: str) -> Path:
        path = self.scratch / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    def run(self, path: Path, *flags: str, forget: bool = False) -> Measured:
        """`pipe run` of an unchanged file; `forget` removes the compiled plan first. Old runs are cleared away."""
        self.forget_runs(path)
        if forget:
            shutil.rmtree(path.parent / ".pipe", ignore_errors=True)
        return measure([self.pipe, "run", "--quiet", *flags, str(path)], path.parent)

    @staticmethod
    def forget_runs(path: Path) -> None:
        """Clear away the runs of that file's project."""
        shutil.rmtree(path.parent / ".pipe" / "runs", ignore_errors=True)

    def span(self, path: Path) -> float:
        """Seconds between the first and the last event of the newest run of that file's project."""
        from datetime import datetime

        (log,) = (path.parent / ".pipe" / "runs").glob("*/log.jsonl")
        lines = log.read_bytes().splitlines()
        first, last = (datetime.fromisoformat(json.loads(line)["ts"]) for line in (lines[0], lines[-1]))
        return (last - first).total_seconds()


def _python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def _seconds(value: float) -> str:
    return f"{value:.2f} s" if value >= 1 else f"{value * 1000:.1f} ms"


def echo(bench: Bench) -> list[Row]:
    """One echo node of an unchanged file, as a whole process."""
    path = files.echo(bench.directory("echo"))
    floor = _python("import anyio; anyio.run(anyio.sleep, 0)")
    works = {
        "pipe": lambda: bench.run(path).wall,
        "anyio": lambda: measure(floor, path.parent).wall,
        "python": lambda: measure(_python("pass"), path.parent).wall,
    }
    for name in ("make", "ninja", "go-task", "just", "dagu"):
        if name in bench.peers.found:
            works[name] = run_commands(bench.peers.found[name], bench.directory("echo-peers"), 1, 1)
    found = medians(works, bench.times(21))
    ours = found.pop("pipe")
    labels = {"anyio": 'python -c "import anyio; anyio.run(anyio.sleep, 0)"', "python": "python -c pass"}
    beside = [Beside(labels.get(n, f"{n}, one `true`"), _seconds(v), ours / v) for n, v in found.items()]
    ratio = ours / found["anyio"]
    return [Row("one echo node, unchanged file, whole process", _seconds(ours), ratio, 1.6, 1.25, "×", "anyio", beside)]


def commands(bench: Bench) -> list[Row]:
    """Thousands of `true` commands through the shell, two at a time, with the full log."""
    count = bench.scaled(5000)
    path = files.commands(bench.directory("commands"), count, 2)
    cpu: dict[str, list[float]] = {name: [] for name in ("pipe", "ninja", "make", "bare")}

    def timed(name: str, argv: list[str]) -> Callable[[], float]:
        def once() -> float:
            bench.forget_runs(path)
            found = measure(argv, path.parent, {"PYTHONPATH": str(Path(__file__).resolve().parent.parent)})
            cpu[name].append(found.cpu)
            return found.wall

        return once

    works = {
        "pipe": timed("pipe", [bench.pipe, "run", "--quiet", str(path)]),
        "bare": timed("bare", [sys.executable, "-m", "bench.bare_commands", str(count)]),
    }
    for name in ("ninja", "make"):
        if name in bench.peers.found:
            peers = bench.directory("commands-peers")
            works[name] = run_commands(bench.peers.found[name], peers, count, 2, cpu[name])
    found = medians(works, bench.times(5))
    ours = found.pop("pipe")
    labels = {"bare": "a loop in Python that starts them and takes their ends, without log, output and warden"}
    beside = [Beside(labels.get(n, f"{n} -j2"), _seconds(v), ours / v) for n, v in found.items()]
    used = {name: median(seconds) / count * MICRO for name, seconds in cpu.items() if seconds}
    beside += [
        Beside(
            f"CPU for each, commands included: {labels.get(n, n)}",
            f"{v:.0f} µs (ours {used['pipe']:.0f})",
            used["pipe"] / v,
        )
        for n, v in used.items()
        if n != "pipe"
    ]
    for name, share in (("go-task", 10), ("just", 1), ("dagu", 50)):
        if name in bench.peers.found:
            fewer = max(count // share, 1)
            try:
                work = run_commands(bench.peers.found[name], bench.directory("commands-peers"), fewer, 2)
                each = medians({name: work}, bench.times(3))[name] / fewer
                beside.append(Beside(f"{name} ({fewer} of them)", f"{each * MICRO:.0f} µs each", ours / count / each))
            except Failed as error:
                bench.peers.missing[f"{name}, {fewer} commands"] = str(error)
    if "ninja" not in found:
        raise Failed("ninja is missing, so there is nothing to compare with")
    label = f"{count} independent `true` commands through sh, parallelism 2, full log"
    goal_text = f"1.0 × make -j2; measured {ours / found['make']:.2f} ×" if "make" in found else ""
    text = f"{_seconds(ours)}, {ours / count * MICRO:.0f} µs each"
    return [Row(label, text, ours / found["ninja"], 1.2, None, "×", "ninja -j2", beside, goal_text=goal_text)]


def bare_loop(directory: Path, count: int) -> float:
    """Seconds for each node of a loop that does nothing but what a plain log needs (`bench/bare.py`)."""
    command = [sys.executable, "-m", "bench.bare", str(directory), str(count)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def functions(bench: Bench) -> list[Row]:
    """Thousands of functions that do nothing, durable, beyond the start of a run with one of them."""
    count = bench.scaled(10000)
    many = files.noops(bench.directory("noops"), count)
    one = files.noops(bench.directory("noop"), 1)
    spans: list[float] = []

    def timed() -> float:
        wall = bench.run(many).wall
        spans.append(bench.span(many))
        return wall

    works = {"many": timed, "one": lambda: bench.run(one).wall, "bare": lambda: bare_loop(many.parent, count)}
    found = medians(works, bench.times(5))
    each = (found["many"] - found["one"]) / (count - 1) * MICRO
    inside = sorted(spans)[len(spans) // 2] / count * MICRO
    floor = found["bare"] * MICRO
    beside = [
        Beside("a bare loop with a plain log, which says how quick this machine is", f"{floor:.1f} µs", each / floor),
        Beside("of that, between the first and the last event", f"{inside:.1f} µs"),
    ]
    awaiting = files.awaiting(bench.directory("awaiting"), count)
    items = files.each(bench.directory("each"), count)
    more = medians(
        {"awaiting": lambda: bench.run(awaiting).wall, "items": lambda: bench.run(items).wall}, bench.times(3)
    )
    for label, name in (("functions that await something", "awaiting"), ("the same as items of one for_each", "items")):
        other = (more[name] - found["one"]) / (count - 1) * MICRO
        beside.append(Beside(label, f"{other:.1f} µs", each / other))
    for name, share in (("langgraph", 10), ("luigi", 20), ("prefect", 100)):
        if name in bench.peers.found:
            fewer = max(count // share, 1)
            try:
                seconds = run_functions(bench.peers.found[name], bench.directory("functions-peers"), fewer)
                text = f"{seconds * MICRO:.0f} µs"
                beside.append(Beside(f"{name} ({fewer} of them)", text, each / (seconds * MICRO)))
            except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
                tail = str(error.stderr or error).strip().splitlines()[-1][:120]
                bench.peers.missing[f"{name}, {fewer} functions"] = tail
    work = f"{count} async no-op Python nodes, full log, durable, per node beyond the start"
    return [Row(work, f"{each:.1f} µs", each / floor, NODE, NODE_GOAL, "×", "a bare loop", beside)]


def chain(bench: Bench) -> list[Row]:
    """A chain in which every success is durable before the next node starts."""
    count = bench.scaled(1000)
    path = files.chain(bench.directory("chain"), count)
    one = files.noops(bench.directory("noop"), 1)
    sync: list[float] = []

    def floor() -> float:
        sync.append(fdatasync_seconds(path.parent, count))
        return sync[-1]

    works = {
        "chain": lambda: bench.run(path).wall,
        "one": lambda: bench.run(one).wall,
        "sync": floor,
        "bare": lambda: bare_loop(path.parent, 10 * count),
    }
    found = medians(works, bench.times(5))
    ours = found["chain"] - found["one"]
    allowed = count * (found["sync"] + LINK * found["bare"])
    beside = [
        Beside(f"{count} × (fdatasync alone + {LINK} nodes of the bare loop)", _seconds(allowed), ours / allowed),
        Beside("fdatasync alone, here", f"{found['sync'] * MICRO:.0f} µs"),
        Beside("the bare loop, here", f"{found['bare'] * MICRO:.1f} µs"),
    ]
    work = f"chain of {count} of them, each durable before the next, beyond the start"
    against = f"fdatasync + {LINK} nodes of a bare loop, for each"
    return [Row(work, _seconds(ours), ours / allowed, 1.5, None, "×", against, beside)]


CSAFE = """
import sys, time, yaml
text = open(sys.argv[1]).read()
started = time.perf_counter()
yaml.load(text, yaml.CSafeLoader)
print(time.perf_counter() - started)
"""


def check(bench: Bench) -> list[Row]:
    """`pipe check` of a long file, nothing cached, against PyYAML's C loader on the same file."""
    count = bench.scaled(10000)
    path = files.project(bench.directory("check"), count)

    def checked() -> float:
        shutil.rmtree(path.parent / ".pipe", ignore_errors=True)
        return measure([bench.pipe, "check", str(path)], path.parent).wall

    def loaded() -> float:
        command = [*_python(CSAFE), str(path)]
        done = subprocess.run(command, env=clean_environment(), capture_output=True, text=True, check=True)
        return float(done.stdout)

    found = medians({"check": checked, "load": loaded}, bench.times(5))
    ratio = found["check"] / found["load"]
    beside = [Beside("yaml.load(text, CSafeLoader), without its process's start", _seconds(found["load"]), ratio)]
    work = f"`pipe check` of a {count}-node file ({path.stat().st_size / MIB:.1f} MiB), nothing cached, whole process"
    return [Row(work, _seconds(found["check"]), ratio, 0.8, 0.4, "×", "yaml.load(CSafeLoader)", beside)]


def size(bench: Bench) -> list[Row]:
    """Time for each node at ten times the size, and memory."""
    small, large = bench.scaled(10000), bench.scaled(100000)
    one = files.noops(bench.directory("noop"), 1)
    a = files.noops(bench.directory("noops"), small)
    b = files.noops(bench.directory("noops-many"), large)
    cold = bench.run(a, forget=True)
    peaks: list[int] = []

    def timed() -> float:
        found = bench.run(a)
        peaks.append(found.rss)
        return found.wall

    works = {"one": lambda: bench.run(one).wall, "small": timed, "large": lambda: bench.run(b).wall}
    found = medians(works, bench.times(3))
    each_small = (found["small"] - found["one"]) / small
    each_large = (found["large"] - found["one"]) / large
    beside = [Beside(f"at {small} nodes", f"{each_small * MICRO:.1f} µs", each_large / each_small)]
    warm = max(peaks) / MIB
    memory = [Beside("the first run, which compiles the file", f"{cold.rss / MIB:.0f} MiB")]
    return [
        Row(
            f"time per node at {large} nodes against {small}",
            f"{each_large * MICRO:.1f} µs",
            each_large / each_small,
            1.2,
            None,
            "×",
            f"at {small}",
            beside,
        ),
        Row(f"memory at {small} nodes", f"{warm:.0f} MiB", max(warm, cold.rss / MIB), 150, None, "MiB", "", memory),
    ]


def flood(bench: Bench) -> list[Row]:
    """One node that prints a gigabyte."""
    total = bench.scaled(10**9)
    path = files.flood(bench.directory("flood"), total)
    shell = files.flood(bench.directory("flood"), total).read_text().split("run: ", 1)[1].rstrip("}\n").strip("'\"")
    pipes = ["/bin/sh", "-c", f"{shell.replace(chr(39) * 2, chr(39))} | cat > /dev/null"]
    peaks: list[int] = []

    def timed() -> float:
        found = bench.run(path)
        peaks.append(found.rss)
        return found.wall

    found = medians({"pipe": timed, "cat": lambda: measure(pipes, path.parent).wall}, bench.times(3))
    rate = total / 1e6 / found["pipe"]
    beside = [
        Beside("the same command into cat", f"{total / 1e6 / found['cat']:.0f} MB/s", found["pipe"] / found["cat"]),
        Beside("peak memory of the largest process", f"{max(peaks) / MIB:.0f} MiB"),
    ]
    work = f"{total / 1e9:g} GB of stdout from one node, whole process"
    return [Row(work, f"{rate:.0f} MB/s", rate, 100, None, "MB/s", "", beside, more_is_better=True)]


ROWS: dict[str, Callable[[Bench], list[Row]]] = {
    "echo": echo,
    "commands": commands,
    "functions": functions,
    "chain": chain,
    "check": check,
    "size": size,
    "flood": flood,
    "calls": calls,
    "logs": logs,
}
