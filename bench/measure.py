"""Times processes: wall clock, CPU and peak memory of a child and of what it waited for; medians of runs in turns."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

Timed = Callable[[], float]


class Failed(Exception):
    """A measured process did not do its work, so there is no figure."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Seconds on the wall, seconds of CPU, peak resident bytes of the largest process among child and descendants."""

    wall: float
    cpu: float
    rss: int


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment that measured processes get: compiled Python files are kept, as they are on a user's machine."""
    env = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE" and not k.startswith("PIPE_")}
    env.update(extra or {})
    return env


def measure(argv: Sequence[str], cwd: Path, env: Mapping[str, str] | None = None, ok: Sequence[int] = (0,)) -> Measured:
    """Run `argv` to its end with its output discarded; raises Failed, with the end of stderr, on another exit code."""
    errors = cwd / ".stderr"
    with open(os.devnull, "r+b") as null, open(errors, "wb") as err:
        started = time.perf_counter()
        child = subprocess.Popen(argv, cwd=cwd, env=clean_environment(env), stdin=null, stdout=null, stderr=err)
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - started
    child.returncode = code = os.waitstatus_to_exitcode(status)
    if code not in ok:
        raise Failed(f"{Path(argv[0]).name} ended with {code}: {errors.read_text(errors='replace')[-400:].strip()}")
    return Measured(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def medians(works: Mapping[str, Timed], times: int, warm_up: bool = True) -> dict[str, float]:
    """The median of each work. They take turns, so that a busy spell of the machine meets all of them."""
    found: dict[str, list[float]] = {name: [] for name in works}
    if warm_up:
        for work in works.values():
            work()
    for _ in range(times):
        for name, work in works.items():
            found[name].append(work())
    return {name: statistics.median(values) for name, values in found.items()}


def processors() -> tuple[int, int] | None:
    """Ticks in which processors were wanted since the machine began, and those of them that its host gave to others;
    None where the system doesn't tell."""
    try:
        with open("/proc/stat", encoding="ascii") as file:
            found = [int(number) for number in file.readline().split()[1:9]]
    except (OSError, ValueError):
        return None
    return (sum(found) - found[3] - found[4], found[7]) if len(found) == 8 else None


def fdatasync_seconds(directory: Path, times: int = 200) -> float:
    """What it costs, in the median, to append a line of 300 bytes to a file here and to make it durable."""
    path = directory / "fdatasync.probe"
    taken = []
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        for _ in range(times):
            started = time.perf_counter()
            os.write(fd, b"x" * 299 + b"\n")
            os.fdatasync(fd)
            taken.append(time.perf_counter() - started)
    finally:
        os.close(fd)
        path.unlink()
    return statistics.median(taken)
