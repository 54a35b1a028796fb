"""Recorded machines: /proc, /sys and /etc of others, written below a folder, for tests of `pipe_agents.system`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pipe_agents.system import disks, machine
from pipe_agents.system.trees import Tree
from pipe_schemas.system_defaults import CHECKS, THRESHOLDS

MEMINFO = {"MemTotal": 16000000, "MemFree": 500000, "MemAvailable": 12000000, "Buffers": 100000, "Cached": 11000000,
           "SReclaimable": 300000, "Shmem": 50000, "SwapTotal": 2000000, "SwapFree": 2000000, "Dirty": 100,
           "CommitLimit": 10000000, "Committed_AS": 5000000}  # fmt: skip
"""A healthy machine: nearly nothing is free, and nearly all of it can be had."""
ROOT = "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro"
KERNEL = """\
23 22 0:21 / /proc rw,nosuid shared:2 - proc proc rw
24 22 0:22 / /sys rw,nosuid shared:3 - sysfs sysfs rw"""
V2 = "25 24 0:23 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw,nsdelegate"
V1 = """\
31 24 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
39 31 0:36 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids"""
PSI = """\
some avg10={0:.2f} avg60={0:.2f} avg300={1:.2f} total={2}
full avg10={3:.2f} avg60={3:.2f} avg300={4:.2f} total={2}
"""


class Recorded:
    """One machine; what it says can be written anew between two readings."""

    def __init__(self, folder: Path, cores: int = 4) -> None:
        self.folder = folder
        self.tree = Tree(str(folder / "proc"), str(folder / "sys"), str(folder / "etc"), str(folder))
        self.cores = cores
        self.stat()
        self.loads(0.5, 0.5, 0.5)
        self.meminfo()
        self.write("proc/vmstat", "pswpin 0\npswpout 0\noom_kill 0\n")
        self.write("proc/uptime", "100000.00 350000.00\n")
        self.mounts(ROOT, KERNEL, V2)
        self.write("proc/self/cgroup", "0::/\n")
        for resource in ("cpu", "memory", "io"):
            self.pressure(resource)

    def write(self, path: str, text: str) -> None:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def stat(self, **ticks: int) -> None:
        """Ticks of each core; those of all are their sum."""
        names = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal", "guest", "guest_nice")
        each = [ticks.get(name, 0) for name in names]
        lines = ["cpu  " + " ".join(str(n * self.cores) for n in each)]
        lines += [f"cpu{core} " + " ".join(map(str, each)) for core in range(self.cores)]
        self.write("proc/stat", "\n".join([*lines, "intr 5 0 1", "ctxt 1000", "btime 1700000000", "processes 50",
                                           "procs_running 2", "procs_blocked 0"]) + "\n")  # fmt: skip

    def loads(self, *averages: float) -> None:
        """For one core each."""
        told = " ".join(f"{one * self.cores:.2f}" for one in averages)
        self.write("proc/loadavg", f"{told} 2/300 4242\n")

    def meminfo(self, **kib: int | None) -> None:
        info = {**MEMINFO, **kib}
        self.write("proc/meminfo", "".join(f"{n}:  {v} kB\n" for n, v in info.items() if v is not None))

    def pressure(self, resource: str, some: tuple[float, float] = (0, 0), full: tuple[float, float] = (0, 0),
                 total: int = 0, folder: str = "proc/pressure/{}") -> None:  # fmt: skip
        self.write(folder.format(resource), PSI.format(some[0], some[1], total, full[0], full[1]))

    def mounts(self, *lines: str) -> None:
        self.write("proc/self/mountinfo", "\n".join(lines) + "\n")

    def cgroup(self, path: str, values: Mapping[str, str], under: str = "") -> None:
        for name, value in values.items():
            self.write(f"sys/fs/cgroup/{under}{path}/{name}", value + "\n")

    def process(self, pid: int, name: str = "app", state: str = "S", ticks: int = 0, start: int = 1000,
                parent: int = 1, pages: int = 100, flags: int = 0, argv: Iterable[str] = ()) -> None:  # fmt: skip
        fields = [state, parent, pid, pid, 0, -1, flags, 0, 0, 0, 0, ticks, 0, 0, 0, 20, 0, 1, 0, start, 10**6, pages]
        self.write(f"proc/{pid}/stat", f"{pid} ({name}) " + " ".join(map(str, fields)) + " 0 0 0\n")
        self.write(f"proc/{pid}/cmdline", "".join(word + "\0" for word in argv))
        (self.folder / f"proc/{pid}/fd").mkdir(exist_ok=True)

    def read(self, *checks: str) -> machine.Reading:
        return machine.read(self.tree, checks or CHECKS)

    def look(
        self,
        before: machine.Reading,
        *checks: str,
        seconds: float = 1.0,
        asked: disks.Ask = disks.ask,
        paths: tuple[str, ...] = (),
        processes: tuple[str, ...] = (),
        arguments: bool = False,
        **limits: Any,
    ) -> machine.Looked:
        wanted = machine.Wanted(checks or CHECKS, paths, processes, 10, arguments, {**THRESHOLDS, **limits})
        host = machine.reading_host(self.tree, 10**18)
        return machine.look(self.tree, before, self.read(*checks), seconds, wanted, host, asked=asked)


def severities(findings: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """By id; what could not be measured says so."""
    return {one["id"]: one["severity"] if one["status"] != "unavailable" else "unavailable" for one in findings}
