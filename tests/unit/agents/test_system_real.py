"""What is done to this machine on purpose is found; and the agent as a whole, in pipelines, here and as elsewhere."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from machine_trees import severities

from pipe_agents.system_monitoring import SystemMonitoringAgent
from pipe_runner.engine.clock import SystemClock
from pipe_runner.errors import NodeFault
from pipe_runner.ports import Earlier, Outcome
from pipe_runner.testing import run_pipeline
from pipe_runner.types import ErrorKind, NodeStatus
from pipe_schemas.system import SystemResult

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads Linux's /proc")
MIB = 2**20

DEEDS = {
    "burns_cpu.py": "print(flush=True)\nwhile True: pass\n",
    "holds_memory.py": "held = b'x' * (100 << 20)\nprint(flush=True)\nimport time; time.sleep(600)\n",
    "opens_files.py": (
        "import time\nheld = [open('/dev/null') for _ in range(300)]\nprint(flush=True)\ntime.sleep(600)\n"
    ),
    "leaves_zombie.py": (
        "import os, time\nchild = os.fork()\nif not child: os._exit(0)\n"
        "os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)\nprint(child, flush=True)\ntime.sleep(600)\n"
    ),
    "listens.py": (
        "import socket, time\nheld = socket.create_server(('127.0.0.1', 0))\n"
        "print(held.getsockname()[1], flush=True)\ntime.sleep(600)\n"
    ),
}


OWN = f"{os.getpid()}_"
"""Begins the names of what is started here: other workers start the same."""


class Done:
    """The processes that were started, and what the agent made of them."""

    def __init__(self, folder: Path) -> None:
        self.started: dict[str, subprocess.Popen[str]] = {}
        self.said: dict[str, str] = {}
        for name, text in DEEDS.items():
            (folder / f"{OWN}{name}").write_text(text)
            one = subprocess.Popen(
                [sys.executable, str(folder / f"{OWN}{name}"), "hunter2"], stdout=subprocess.PIPE, text=True
            )
            assert one.stdout is not None
            self.started[name] = one
            self.said[name] = one.stdout.readline().strip()

    def pid(self, name: str) -> int:
        return self.started[name].pid

    def end(self) -> None:
        for one in self.started.values():
            one.kill()
            one.wait()
            assert one.stdout is not None
            one.stdout.close()


def perform(bench: Any, options: Mapping[str, Any], agent: Any = None, **context: Any) -> Outcome:
    given = bench.context()._replace(clock=SystemClock(), **context)
    return asyncio.run((agent or SystemMonitoringAgent()).perform(bench.attempt("system_monitoring", options), given))


def output_of(outcome: Outcome) -> Any:
    assert outcome.status is NodeStatus.SUCCEEDED, outcome
    SystemResult.model_validate(outcome.output)
    return outcome.output


@pytest.fixture(scope="module")
def deeds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Done]:
    done = Done(tmp_path_factory.mktemp("deeds"))
    yield done
    done.end()


@pytest.fixture(scope="module")
def told(deeds: Done) -> Any:
    from pipe_runner.masking import NoMasking
    from pipe_runner.ports import Attempt, Context

    launcher: Any = None
    names = [OWN + name for name in sorted(DEEDS)]
    options = {"window": "500ms", "top": 100, "checks": ["cpu", "processes", "limits"], "processes": names,
               "thresholds": {"zombies": 1}}  # fmt: skip
    attempt = Attempt("r", "n", 1, "system_monitoring", options, {}, "/", "key")
    context = Context(lambda kind, data: None, launcher, SystemClock(), NoMasking(), {}, {}, "/")
    return output_of(asyncio.run(SystemMonitoringAgent().perform(attempt, context)))


def processes(told: Any, name: str) -> dict[int, Any]:
    return {one["pid"]: one for one in told["measurements"]["processes"][name]}


def watched(told: Any, name: str) -> Any:
    return next(one for one in told["measurements"]["processes"]["watched"] if one["pattern"] == OWN + name)


@linux
def test_a_process_that_burns_cpu_leads_those_that_do_not(told: Any, deeds: Done) -> None:
    ours = [pid for pid in processes(told, "top_cpu") if pid in {one.pid for one in deeds.started.values()}]
    assert ours[0] == deeds.pid("burns_cpu.py")
    share = processes(told, "top_cpu")[ours[0]]["cpu_percent"]
    assert 2 <= share <= 110
    assert told["measurements"]["cpu"]["total"]["busy"] >= share / (os.cpu_count() or 1) * 0.5
    assert watched(told, "burns_cpu.py")["cpu_percent"] == share


@linux
def test_a_process_that_holds_memory_is_found_with_what_it_holds(told: Any, deeds: Done) -> None:
    one = processes(told, "top_memory")[deeds.pid("holds_memory.py")]
    assert 100 * MIB <= one["rss_bytes"] <= 140 * MIB
    assert one["script"].endswith("holds_memory.py")
    assert "hunter2" not in repr(told)


@linux
def test_a_process_with_hundreds_of_open_files_is_found(told: Any, deeds: Done) -> None:
    one = processes(told, "top_open_files")[deeds.pid("opens_files.py")]
    assert 300 <= one["open_files"] <= 310
    assert watched(told, "opens_files.py")["open_files"] == one["open_files"]
    import resource

    assert one["open_files_limit"] in (resource.getrlimit(resource.RLIMIT_NOFILE)[0], None)


@linux
def test_a_zombie_is_found_with_its_parent(told: Any, deeds: Done) -> None:
    zombies = {one["pid"]: one for one in told["measurements"]["processes"]["zombies"]}
    one = zombies[int(deeds.said["leaves_zombie.py"])]
    assert one["parent"] == deeds.pid("leaves_zombie.py")
    assert severities(told["findings"])["processes.zombies:machine"] == "low"


@linux
def test_where_a_watched_process_listens_is_found(told: Any, deeds: Done) -> None:
    assert watched(told, "listens.py")["listeners"] == [f"tcp 127.0.0.1:{deeds.said['listens.py']}"]


@linux
def test_nothing_watched_is_missing(told: Any) -> None:
    assert not [one for one in told["findings"] if one["check"] == "processes.missing"]


@linux
def test_a_process_near_its_limit_of_files_is_found(bench: Any) -> None:
    text = (
        "import resource, time\nresource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))\n"
        "held = [open('/dev/null') for _ in range(95)]\nprint(flush=True)\ntime.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE) as one:
        assert one.stdout is not None
        one.stdout.readline()
        try:
            told = output_of(perform(bench, {"checks": ["limits"], "window": "10ms"}))
        finally:
            one.kill()
    (found,) = [f for f in told["findings"] if f["subject"].endswith(f"({one.pid})")]
    assert (found["check"], found["severity"]) == ("limits.open_files", "high")
    assert found["evidence"]["limit"] == 100


@linux
def test_traffic_over_loopback_is_counted(bench: Any) -> None:
    async def both() -> Outcome:
        server = socket.create_server(("127.0.0.1", 0))
        client = socket.create_connection(server.getsockname())
        peer = server.accept()[0]
        context = bench.context()._replace(clock=SystemClock())
        attempt = bench.attempt("system_monitoring", {"checks": ["network"], "window": "300ms"})
        task = asyncio.ensure_future(SystemMonitoringAgent().perform(attempt, context))
        await asyncio.sleep(0.1)
        for _ in range(64):
            client.sendall(bytes(65536))
            received = 0
            while received < 65536:
                received += len(peer.recv(65536))
        outcome = await task
        for one in (server, client, peer):
            one.close()
        return outcome

    told = output_of(asyncio.run(both()))
    lo = next((one for one in told["measurements"]["interfaces"] if one["name"] == "lo"), None)
    if lo is None:
        pytest.skip("no interface called lo")
    assert lo["rx_bytes_per_s"] * told["measurements"]["window_s"] >= 64 * 65536


@linux
def test_what_the_last_run_gave_is_compared_with_and_a_baseline_stands_over_it(bench: Any) -> None:
    options = {"checks": ["memory", "disk"], "window": "10ms"}
    first = output_of(perform(bench, options))
    earlier = Earlier("run-7", first["measured_at"], first)
    second = output_of(perform(bench, options, earlier=lambda: earlier))
    assert second["measurements"]["change"]["run"] == "run-7"
    assert second["measurements"]["change"]["source"] == "earlier"
    assert second["measurements"]["change"]["compared"] is True
    third = output_of(perform(bench, {**options, "baseline": first}, earlier=lambda: earlier))
    assert third["measurements"]["change"]["source"] == "baseline"
    for change in ({"compare": False}, {}):
        told = output_of(perform(bench, {**options, **change}, earlier=(lambda: earlier) if change else lambda: None))
        assert told["measurements"]["change"] is None


@linux
def test_what_the_last_run_gave_in_another_shape_is_left_aside(bench: Any) -> None:
    told = output_of(perform(bench, {"checks": ["memory"], "window": "10ms"}, earlier=lambda: Earlier("r", "", "text")))
    assert told["measurements"]["change"] is None


@pytest.mark.parametrize(
    ("options", "words"),
    [({"baseline": {"agent": "llm"}}, "baseline is no output"), ({"paths": ["var/log"]}, "is not absolute")],
)
def test_what_cannot_be_done_fails_with_a_sentence(bench: Any, options: dict[str, Any], words: str) -> None:
    with pytest.raises(NodeFault, match=words) as raised:
        perform(bench, {"window": "10ms", **options})
    assert raised.value.kind is ErrorKind.REFUSED


@linux
def test_it_says_what_it_does(bench: Any) -> None:
    output_of(perform(bench, {"window": "10ms"}))
    printed = bench.printed()
    for check in ("cpu", "memory", "disk", "io", "network", "processes", "limits", "pressure", "container"):
        assert f"{check}: " in printed


@linux
def test_it_runs_in_a_pipeline_whose_readers_are_checked() -> None:
    finished = run_pipeline(
        """
        version: 1
        nodes:
          machine:
            agent: system_monitoring
            with: {checks: [memory, disk], window: 10ms, thresholds: {memory_enough_bytes: 4GiB}}
        outputs: {total: "{{ nodes.machine.output.measurements.memory.total_bytes }}"}
        """
    )
    assert finished.status == "succeeded"
    assert finished.outputs["total"] == os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def test_a_reader_of_what_it_never_gives_is_found_before_the_run() -> None:
    from pipe_runner.errors import InvalidPipeline

    with pytest.raises(InvalidPipeline):
        run_pipeline(
            "version: 1\nnodes: {m: {agent: system_monitoring}}\n"
            'outputs: {x: "{{ nodes.m.output.measurements.memory.free }}"}'
        )


def test_elsewhere_psutil_tells_what_it_can_and_the_rest_is_unavailable(bench: Any) -> None:
    """As on macOS: the same shape, through psutil."""
    options = {"window": "50ms", "top": 5, "processes": ["python*", "pytest*", "no-such-thing"]}
    told = output_of(perform(bench, options, SystemMonitoringAgent(platform="darwin")))
    measured = told["measurements"]
    assert measured["cpu"]["cores"] >= 1
    assert measured["memory"]["available_bytes"] > 0
    assert measured["processes"]["count"] > 1
    assert measured["disks"]
    assert measured["container"] is measured["pressure"] is measured["limits"] is None
    found = severities(told["findings"])
    for check in ("pressure", "limits", "container", "io", "temperature"):
        assert found[f"{check}:machine"] == "unavailable"
    assert found["processes.missing:no-such-thing"] == "high"
    assert "processes.missing:python*" not in found or "processes.missing:pytest*" not in found


def test_elsewhere_without_psutil_it_says_what_to_install(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psutil", None)
    with pytest.raises(NodeFault, match=r"pip install 'pipe-runner\[ops\]'"):
        perform(bench, {"window": "10ms"}, SystemMonitoringAgent(platform="win32"))


@linux
def test_where_nothing_is_wrong_the_summary_has_the_numbers(bench: Any) -> None:
    options = {"checks": ["memory", "disk"], "window": "10ms", "paths": ["/"], "thresholds": {
        "memory_available_percent": 0, "memory_available_low_percent": 0, "disk_enough_bytes": 1,
        "inodes_used_percent": 100}}  # fmt: skip
    told = output_of(perform(bench, options))
    if told["severity"] != "info":
        pytest.skip(f"something is wrong with this machine: {told['summary']}")
    assert "of memory available, / " in told["summary"]
    assert not [one for one in told["findings"] if one["check"].startswith("host.")]


@linux
def test_what_was_not_measured_is_not_called_fine(bench: Any, tmp_path: Path) -> None:
    from machine_trees import Recorded

    agent = SystemMonitoringAgent(Recorded(tmp_path).tree)
    told = output_of(perform(bench, {"checks": ["temperature"], "window": "10ms"}, agent))
    assert told["summary"] == "nothing could be measured: there is no sensor"
    told = output_of(perform(bench, {"checks": ["disk"], "paths": ["/proc"], "window": "10ms"}))
    assert severities(told["findings"]) == {"disk.space:/proc": "unavailable"}
