"""`agent: system_monitoring`: measures this machine, its processes and the container it runs in."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from pipe_runner.errors import NodeFault
from pipe_runner.ports import AgentDescription, Attempt, Capability, Context, Outcome
from pipe_runner.types import ErrorKind, EventKind, JsonObject

if TYPE_CHECKING:
    from pydantic import BaseModel

    from pipe_agents.findings import Finding
    from pipe_agents.system.comparing import Before
    from pipe_agents.system.trees import Tree

CAPABILITIES: Final = (
    Capability(
        "system.cpu",
        "CPU by core and by kind of time, load against cores, clock rates",
        ("cpu", "processor", "core", "load", "load average", "busy", "slow machine", "sluggish machine",
         "machine feels sluggish", "steal", "overloaded"),
    ),
    Capability(
        "system.memory",
        "available memory, swap and its traffic, processes that were killed for want of memory",
        ("memory", "ram", "swap", "swapping", "out of memory", "oom", "free memory", "memory usage", "leak"),
    ),
    Capability(
        "system.disk",
        "space and inodes of each file system, which can't be written to, when one will be full",
        ("disk", "disk space", "disk usage", "full", "filesystem", "file system", "inodes", "no space left", "mount",
         "read-only", "storage", "partition", "filled up", "fill", "used up"),
    ),
    Capability(
        "system.io",
        "requests, bytes and waiting times of block devices",
        ("io", "i/o", "iowait", "disk latency", "slow disk", "throughput", "iops", "block device", "disk activity"),
    ),
    Capability(
        "system.network",
        "traffic, errors and drops of the network interfaces of this machine, TCP retransmissions",
        ("interface", "network interface", "packet drops", "dropped packets", "nic", "bandwidth", "traffic",
         "interface errors", "retransmits"),
    ),
    Capability(
        "system.processes",
        "which processes use most CPU, memory and files; zombies; whether named ones are there",
        ("process", "processes", "top", "zombie", "running", "pid", "using most cpu", "using memory", "hogging",
         "open files", "is running"),
    ),
    Capability(
        "system.limits",
        "how much of the limits on files, threads, pids, inotify and conntrack is used",
        ("limit", "limits", "ulimit", "too many open files", "file descriptors", "threads", "inotify", "conntrack"),
    ),
    Capability(
        "system.pressure",
        "how long tasks stood still for want of CPU, memory or I/O (PSI)",
        ("pressure", "psi", "stall", "stalled", "contention", "starved"),
    ),
    Capability(
        "system.container",
        "limits of the cgroup, throttling and kills in it",
        ("cgroup", "container limit", "throttled", "throttling", "cpu quota", "memory limit", "oomkilled"),
    ),
    Capability(
        "system.temperature",
        "temperatures of the machine's sensors",
        ("temperature", "hot", "heat", "overheating", "thermal", "sensor", "fan"),
    ),
)  # fmt: skip


class SystemMonitoringAgent:
    """Reads the kernel's counters twice, `window` apart, and says what is wrong by rules that look at more than one."""

    name = "system_monitoring"
    version = "1"

    def __init__(self, tree: Tree | None = None, platform: str = sys.platform) -> None:
        self._tree = tree
        self._platform = platform

    def describe(self) -> AgentDescription:
        return AgentDescription(
            summary="Measures this machine: CPU, memory, disks, I/O, network, processes, limits, container, "
            "temperature, and what changed since the last run.",
            capabilities=CAPABILITIES,
            asks_models=True,
        )

    def may_ask(self, options: JsonObject) -> bool:
        from pipe_agents.findings import explains

        return explains(options)

    def options_model(self) -> type[BaseModel]:
        from pipe_schemas.system import SystemOptions

        return SystemOptions

    def output_schema(self, options: JsonObject) -> JsonObject:
        from pipe_schemas.system import SystemResult

        return SystemResult.model_json_schema()

    async def perform(self, attempt: Attempt, context: Context) -> Outcome:
        arrived = monotonic()
        from anyio import to_thread

        from pipe_agents.explaining import finished
        from pipe_agents.findings import result
        from pipe_agents.lateness import seconds_to_measure, too_late
        from pipe_agents.system.comparing import compare
        from pipe_agents.system.telling import sentence
        from pipe_schemas.durations import parse_duration
        from pipe_schemas.system_defaults import WINDOW

        options: Any = attempt.options
        wanted = _wanted(options)
        time = seconds_to_measure(attempt.timeout)
        until = None if time is None else arrived + time
        earlier, late = None, until is not None
        with suppress(TimeoutError):
            async with asyncio.timeout(None if time is None else time / 4):
                earlier = await to_thread.run_sync(_before, options, context, abandon_on_cancel=True)
                late = False
        began_ns, began = context.clock.now_ns(), context.clock.monotonic()
        window = parse_duration(options.get("window", WINDOW))

        def say(line: str) -> None:
            context.emit(EventKind.NODE_OUTPUT, {"stream": "stdout", "text": context.masker.mask_text(line) + "\n"})

        linux = self._platform.startswith("linux")
        measure = _Linux(self._tree, wanted, began_ns) if linux else _Elsewhere(wanted, options)
        if until is not None:
            window = min(window, max(0.05, round(0.7 * (until - monotonic()), 2)))
        if window >= 2:
            say(f"measuring for {window:g} s")
        first = context.clock.monotonic()
        await to_thread.run_sync(measure.first, abandon_on_cancel=True)
        await context.clock.sleep(window)
        seconds = context.clock.monotonic() - first
        lines: list[str] = []
        try:
            async with asyncio.timeout(None if until is None else max(0.05, until - monotonic())) as ending:
                parts, found, host = await to_thread.run_sync(
                    measure.second, seconds, lines.append, abandon_on_cancel=True
                )
        except TimeoutError:
            if not ending.expired():
                raise
            parts, found, host = measure.by_now()
        if late:
            found = [*found, too_late("change", "machine")]
        for line in lines:
            say(line)
        measurements: dict[str, Any] = {
            "platform": self._platform,
            "window_s": round(seconds, 3),
            "checks": list(wanted.checks),
            "host": host,
            **parts,
        }
        if earlier is not None:
            changed = compare(earlier, measurements, began_ns / 1e9, wanted.limits)
            measurements["change"] = changed.measured
            found = [*found, *changed.findings]
            say(f"compared with {changed.measured['at'] if changed.measured else 'nothing'}")
        output = result(
            self.name,
            found,
            measurements,
            began_ns=began_ns,
            seconds=context.clock.monotonic() - began,
            summary=sentence(found, measurements),
        )
        masked: Any = context.masker.mask_json(output)
        return await finished(masked, attempt, context)


class _Linux:
    """Both readings from below a tree."""

    def __init__(self, tree: Tree | None, wanted: Any, now_ns: int) -> None:
        from pipe_agents.system.trees import Tree

        self._tree = tree or Tree()
        self._wanted = wanted
        self._now_ns = now_ns
        self._before: Any = None
        self._progress: Any = None

    def first(self) -> None:
        from pipe_agents.system import machine

        self._progress = machine.Progress()
        self._progress.host = machine.reading_host(self._tree, self._now_ns)
        self._before = machine.read(self._tree, self._wanted.checks)

    def second(self, seconds: float, say: Any) -> tuple[dict[str, Any], list[Finding], dict[str, Any]]:
        from pipe_agents.system import hosts, machine
        from pipe_schemas.system_defaults import CHECKS

        host = self._progress.host = machine.reading_host(self._tree, self._now_ns)
        after = machine.read(self._tree, self._wanted.checks)
        looked = machine.look(
            self._tree, self._before, after, seconds, self._wanted, host, say, progress=self._progress
        )
        # Who asks for a part of the machine wants nothing of the rest.
        rest = hosts.judged(host) if self._wanted.checks == CHECKS else []
        return looked.parts, [*looked.findings, *rest], host

    def by_now(self) -> tuple[dict[str, Any], list[Finding], dict[str, Any]]:
        """What there is when the time is up and something hangs."""
        looked = self._progress.by_now(self._wanted.checks)
        return looked.parts, looked.findings, self._progress.host


class _Elsewhere:
    """Both readings through psutil."""

    def __init__(self, wanted: Any, options: Mapping[str, Any]) -> None:
        self._wanted = wanted
        self._options = {**options, "top": wanted.top}
        self._before: Any = None

    def first(self) -> None:
        from pipe_agents.system import portable

        try:
            self._before = portable.read(self._wanted.checks)
        except ImportError:
            raise NodeFault(
                ErrorKind.NOT_FOUND,
                "measuring this system needs packages that are not installed: pip install 'pipe-runner[ops]'",
            ) from None

    def second(self, seconds: float, say: Any) -> tuple[dict[str, Any], list[Finding], dict[str, Any]]:
        from pipe_agents.system import machine, portable

        after = portable.read(self._wanted.checks)
        parts, found = portable.measured(
            self._before, after, seconds, self._wanted.checks, self._options, self._wanted.limits
        )
        say(f"measured {', '.join(name for name, part in parts.items() if isinstance(part, dict | list))}")
        return {**dict.fromkeys(machine.PARTS), **parts}, found, portable.host()

    def by_now(self) -> tuple[dict[str, Any], list[Finding], dict[str, Any]]:
        """Nothing, when the time is up and something hangs: psutil gives all or nothing."""
        from pipe_agents.system import machine, portable

        looked = machine.Progress().by_now(self._wanted.checks)
        return looked.parts, looked.findings, portable.host()


def _wanted(options: Mapping[str, Any]) -> Any:
    from pipe_agents.system.machine import Wanted
    from pipe_schemas.durations import parse_size
    from pipe_schemas.system_defaults import CHECKS, THRESHOLDS, TOP

    given = options.get("thresholds") or {}
    limits = {
        name: parse_size(value) if isinstance(value := given.get(name, default), str) else value
        for name, default in THRESHOLDS.items()
    }
    asked = options.get("checks") or CHECKS
    paths = tuple(options.get("paths") or ())
    relative = next((path for path in paths if not path.startswith("/") and sys.platform != "win32"), None)
    if relative is not None:
        raise NodeFault(
            ErrorKind.REFUSED, f"paths: `{relative[:200]}` is not absolute; write where it is from the root"
        )
    return Wanted(
        tuple(name for name in CHECKS if name in asked),
        paths,
        tuple(options.get("processes") or ()),
        options.get("top", TOP),
        bool(options.get("arguments", False)),
        limits,
    )


def _before(options: Mapping[str, Any], context: Context) -> Before | None:
    """`baseline` stands over what the last run gave. Of the two only what is given by hand is the user's fault."""
    from pipe_agents.system.comparing import Before, fits

    given = options.get("baseline")
    if given is not None:
        if not fits(given):
            raise NodeFault(
                ErrorKind.REFUSED,
                "baseline is no output of agent system_monitoring: give the whole output of an earlier run's node",
            )
        return Before("baseline", None, given)
    if not options.get("compare", True) or context.earlier is None:
        return None
    earlier = context.earlier()
    if earlier is None or not fits(earlier.output):
        return None
    output: Any = earlier.output
    return Before("earlier", earlier.run, output)
