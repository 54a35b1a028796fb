"""Cgroups of both versions, and what their limits mean: on recorded trees, and in a real one where one can be made."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from machine_trees import KERNEL, ROOT, V1, Recorded, severities

from pipe_agents.system import cgroups, mounts

MIB = 2**20
STAT = "inactive_file {}\nactive_file {}\nslab_reclaimable 0"


@pytest.fixture
def here(tmp_path: Path) -> Recorded:
    return Recorded(tmp_path)


def limited(
    here: Recorded,
    path: str = "",
    used: int = 100 * MIB,
    most: str = str(512 * MIB),
    cpu: str = "50000 100000",
    files: tuple[int, int] = (0, 0),
    **stat: int,
) -> None:
    """A cgroup of version 2."""
    told = {"usage_usec": 0, "nr_periods": 100, "nr_throttled": 0, "throttled_usec": 0, **stat}
    here.cgroup(
        path,
        {
            "memory.max": most,
            "memory.current": str(used),
            "memory.stat": STAT.format(*files),
            "memory.events": f"low 0\nhigh 0\nmax 0\noom 0\noom_kill {stat.get('oom_kill', 0)}",
            "memory.swap.max": "0",
            "memory.swap.current": "0",
            "cpu.max": cpu,
            "cpu.stat": "\n".join(f"{name} {value}" for name, value in told.items()),
            "pids.current": "7",
            "pids.max": "100",
            "cgroup.events": "populated 1",
        },
    )


def look(here: Recorded, before: Any = None, seconds: float = 1.0) -> Any:
    return here.look(before or here.read(), "cpu", "memory", "container", "pressure", "limits", seconds=seconds)


def test_version_2_in_a_namespace_of_its_own(here: Recorded) -> None:
    limited(here)
    looked = look(here)
    own = looked.parts["container"]
    assert (own["version"], own["path"], own["effective_cores"]) == ("v2", "/", 0.5)
    assert own["memory"]["limit_bytes"] == 512 * MIB
    assert own["tighter"] == ["cpu", "memory", "pids"]
    assert (looked.parts["cpu"]["usable_cores"], looked.parts["cpu"]["usable_by"]) == (0.5, "container")
    assert looked.parts["memory"]["effective"] == "container"
    assert looked.parts["memory"]["effective_limit_bytes"] == 512 * MIB
    assert looked.parts["memory"]["effective_available_bytes"] == 412 * MIB
    assert {"name": "pids", "subject": "container", "used": 7, "limit": 100, "used_percent": 7.0} in looked.parts[
        "limits"
    ]
    assert [one for one in looked.findings if one["status"] != "unavailable" and one["subject"] == "container"] == []


def test_the_tightest_of_the_cgroups_above_counts(here: Recorded) -> None:
    here.write("proc/self/cgroup", "0::/kubepods.slice/pod1.slice/cri-x.scope\n")
    limited(here, "/kubepods.slice/pod1.slice/cri-x.scope", most="max", cpu="max 100000")
    limited(here, "/kubepods.slice/pod1.slice", used=200 * MIB, most=str(256 * MIB), cpu="150000 100000")
    limited(here, "/kubepods.slice", used=300 * MIB, most=str(8192 * MIB), cpu="400000 100000")
    own = look(here).parts["container"]
    assert own["kind"] == "kubernetes"
    assert (own["memory"]["level"], own["memory"]["limit_bytes"]) == ("/kubepods.slice/pod1.slice", 256 * MIB)
    assert (own["cpu"]["level"], own["effective_cores"]) == ("/kubepods.slice/pod1.slice", 1.5)


def test_a_machine_without_limits_stays_a_machine(here: Recorded) -> None:
    here.write("proc/self/cgroup", "0::/user.slice/session-3.scope\n")
    limited(here, "/user.slice/session-3.scope", most="max", cpu="max 100000")
    looked = look(here)
    own = looked.parts["container"]
    assert own["kind"] is None
    assert own["memory"]["limit_bytes"] is None
    assert own["effective_cores"] == 4
    assert looked.parts["memory"]["effective"] == "machine"
    assert looked.parts["cpu"]["usable_by"] == "machine"


def test_a_limit_above_the_machines_memory_is_none(here: Recorded) -> None:
    limited(here, most=str(1 << 45))
    assert look(here).parts["container"]["memory"]["limit_bytes"] is None


@pytest.mark.parametrize(
    ("used", "files", "severity"),
    [(500, (300, 100), None), (480, (0, 0), "medium"), (500, (0, 0), "high"), (500, (50, 0), None)],
)
def test_files_in_a_container_can_be_given_back(
    here: Recorded, used: int, files: tuple[int, int], severity: str | None
) -> None:
    limited(here, used=used * MIB, files=(files[0] * MIB, files[1] * MIB))
    looked = look(here)
    assert severities(looked.findings).get("memory.available:container") == severity
    assert all(one["status"] == "estimated" for one in looked.findings if one["subject"] == "container")


def test_a_quota_that_holds_up_is_told_and_is_worse_where_it_always_does(here: Recorded) -> None:
    for earlier, severity in ((1, "low"), (50, "medium")):
        limited(here, nr_periods=1000, nr_throttled=10 * earlier)
        before = here.read()
        limited(here, nr_periods=1010, nr_throttled=10 * earlier + 5, usage_usec=500_000, throttled_usec=200_000)
        looked = look(here, before)
        assert severities(looked.findings).get("container.throttled:cpu") == severity
        cpu = looked.parts["container"]["cpu"]
        assert (cpu["throttled_percent"], cpu["used_cores"], cpu["throttled_ms"]) == (50.0, 0.5, 200.0)


def test_kills_are_critical_in_the_window_and_low_before(here: Recorded) -> None:
    limited(here, oom_kill=3)
    before = here.read()
    assert severities(look(here, before).findings)["container.oom:container"] == "low"
    limited(here, oom_kill=4)
    here.write("proc/vmstat", "oom_kill 1\n")
    assert "memory.oom:machine" not in severities(look(here, before).findings)
    assert severities(look(here, before).findings)["container.oom:container"] == "critical"


def test_stalls_of_the_own_cgroup_stand_beside_the_machines(here: Recorded) -> None:
    limited(here)
    here.pressure("memory", full=(30, 30), folder="sys/fs/cgroup/{}.pressure")
    looked = look(here)
    assert severities(looked.findings)["pressure.memory:container"] == "high"
    assert "pressure.memory:machine" not in severities(looked.findings)


def test_stalls_of_the_root_cgroup_are_the_machines_and_not_told_twice(here: Recorded) -> None:
    here.cgroup("", {"cpu.stat": "usage_usec 1"})
    here.pressure("memory", full=(30, 30), folder="sys/fs/cgroup/{}.pressure")
    assert {one["scope"] for one in look(here).parts["pressure"]} == {"machine"}


def version1(here: Recorded, path: str, kills: int = 0) -> None:
    here.mounts(ROOT, KERNEL, V1)
    here.write("proc/self/cgroup", f"11:pids:{path}\n9:memory:{path}\n4:cpu,cpuacct:{path}\n1:name=systemd:{path}\n")
    here.cgroup(path, {
        "memory.limit_in_bytes": str(256 * MIB),
        "memory.usage_in_bytes": str(200 * MIB),
        "memory.memsw.limit_in_bytes": str(300 * MIB),
        "memory.memsw.usage_in_bytes": str(210 * MIB),
        "memory.stat": f"cache 5\ntotal_inactive_file {20 * MIB}\ntotal_active_file {40 * MIB}",
        "memory.oom_control": f"oom_kill_disable 0\nunder_oom 0\noom_kill {kills}",
    }, under="memory")  # fmt: skip
    here.cgroup(path, {
        "cpu.cfs_quota_us": "200000", "cpu.cfs_period_us": "100000", "cpuacct.usage": "5000000000",
        "cpu.stat": "nr_periods 100\nnr_throttled 20\nthrottled_time 3000000000",
    }, under="cpu,cpuacct")  # fmt: skip
    here.cgroup(path, {"pids.current": "95", "pids.max": "100"}, under="pids")
    here.cgroup("", {"memory.limit_in_bytes": "9223372036854771712", "memory.usage_in_bytes": "1"}, under="memory")
    here.cgroup("", {"cpu.cfs_quota_us": "-1", "cpu.cfs_period_us": "100000"}, under="cpu,cpuacct")


def test_version_1_with_limits(here: Recorded) -> None:
    version1(here, "/docker/abc", kills=2)
    before = here.read()
    here.cgroup("/docker/abc", {"cpuacct.usage": "6500000000"}, under="cpu,cpuacct")
    looked = look(here, before)
    own = looked.parts["container"]
    assert (own["version"], own["kind"], own["effective_cores"]) == ("v1", "docker", 2.0)
    assert own["memory"]["limit_bytes"] == 256 * MIB
    assert own["memory"]["available_bytes"] == (56 + 20 + 20) * MIB
    assert (own["memory"]["swap_limit_bytes"], own["memory"]["swap_used_bytes"]) == (44 * MIB, 10 * MIB)
    assert own["cpu"]["used_cores"] == 1.5
    assert own["cpu"]["throttled_ever_percent"] == 20.0
    assert (own["oom_kills"], own["pids"], own["pids_limit"]) == (2, 95, 100)
    found = severities(looked.findings)
    assert found["limits.pids:container"] == "critical"
    assert found["container.oom:container"] == "low"


def test_version_1_as_a_container_sees_it(here: Recorded) -> None:
    """Its own cgroup is mounted, under a path that only the host has."""
    version1(here, "")
    mounted = V1.replace(" / /sys/fs/cgroup/", " /docker/abc /sys/fs/cgroup/")
    here.mounts(ROOT, KERNEL, mounted)
    here.write("proc/self/cgroup", "9:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n")
    here.cgroup("", {"memory.limit_in_bytes": str(256 * MIB), "memory.usage_in_bytes": str(MIB)}, under="memory")
    assert look(here).parts["container"]["memory"]["limit_bytes"] == 256 * MIB
    here.write("proc/self/cgroup", "9:memory:/../../elsewhere\n")
    assert look(here).parts["container"]["memory"]["limit_bytes"] == 256 * MIB


def test_both_versions_side_by_side(here: Recorded) -> None:
    version1(here, "/docker/abc")
    here.mounts(ROOT, KERNEL, V1, "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw")
    here.write("proc/self/cgroup", (here.folder / "proc/self/cgroup").read_text() + "0::/\n")
    own = look(here).parts["container"]
    assert own["version"] == "hybrid"
    assert own["memory"]["limit_bytes"] == 256 * MIB


def test_a_machine_without_cgroups_says_so(here: Recorded) -> None:
    here.mounts(ROOT, KERNEL)
    looked = look(here)
    assert looked.parts["container"] is None
    assert severities(looked.findings)["container:machine"] == "unavailable"


@pytest.mark.parametrize(
    ("content", "count"), [("0-3,8\n", 5), ("7", 1), ("", 0), ("0-", 0), ("3-1", 0), ("0-127", 128), (None, 0)]
)
def test_a_list_of_cores_is_counted(content: str | None, count: int) -> None:
    assert max(0, cgroups.listed(content)) == count


@given(st.text(alphabet="0:/a.,\n", max_size=80), st.text(alphabet="0:/a -rwcgroup2\n", max_size=120))
def test_any_cgroup_file_is_read(own: str, table: str) -> None:
    from pipe_agents.system.trees import Tree

    cgroups.places(own, mounts.parse(table), Tree("/nowhere", "/nowhere"))


INSIDE = """
import json, os, sys, time
from pipe_agents.system import container, machine
from pipe_agents.system.trees import Tree
from pipe_schemas.system_defaults import THRESHOLDS
with open(sys.argv[1] + "/cgroup.procs", "w") as file:
    file.write(str(os.getpid()))
tree, checks = Tree(), ("cpu", "memory", "container")
before, began = machine.read(tree, checks), time.monotonic()
while time.monotonic() < began + 0.8:
    pass
wanted = machine.Wanted(checks, (), (), 3, False, THRESHOLDS)
looked = machine.look(tree, before, machine.read(tree, checks), time.monotonic() - began, wanted, {})
print(json.dumps([looked.parts["container"], [one["check"] for one in looked.findings]]))
"""


def inside(controller: str, *files: tuple[str, str]) -> Any:
    """What a process in a cgroup with a limit is told, where this user may make one: root, on a machine of its own.
    `files`: the limit as version 2 and as version 1 has it."""
    for parent, (name, value) in zip(("/sys/fs/cgroup", f"/sys/fs/cgroup/{controller}"), files, strict=True):
        folder = Path(parent) / f"pipe-test-{os.getpid()}"
        with contextlib.suppress(OSError):
            folder.mkdir()
            if (folder / name).exists():
                (folder / name).write_text(value)
                break
        with contextlib.suppress(OSError):
            folder.rmdir()
    else:
        pytest.skip(f"no cgroup with a limit of {controller} can be made here")
    try:
        done = subprocess.run(
            [sys.executable, "-c", INSIDE, str(folder)], capture_output=True, text=True, timeout=60, check=False
        )
    finally:
        folder.rmdir()
    if done.returncode and "cgroup.procs" in done.stderr:
        pytest.skip("no process can be put into a cgroup here")
    assert done.returncode == 0, done.stderr
    own, checks = json.loads(done.stdout)
    return own, checks, folder.name


def test_a_real_cgroup_with_a_limit_of_memory_is_found() -> None:
    value = str(200 * MIB)
    own, _, name = inside("memory", ("memory.max", value), ("memory.limit_in_bytes", value))
    assert own["memory"]["limit_bytes"] == 200 * MIB
    assert own["memory"]["level"].endswith(name)
    assert 0 < own["memory"]["used_bytes"] < 200 * MIB
    assert "memory" in own["tighter"]


def test_a_real_cgroup_that_is_held_up_by_its_quota_is_found() -> None:
    own, checks, _ = inside("cpu", ("cpu.max", "5000 100000"), ("cpu.cfs_quota_us", "5000"))
    assert own["cpu"]["quota_cores"] == own["effective_cores"] == 0.05
    assert own["cpu"]["periods"] >= 5
    assert own["cpu"]["throttled_percent"] >= 50
    assert "container.throttled" in checks


def test_a_cgroup_whose_files_cannot_be_read_says_so(here: Recorded) -> None:
    looked = look(here)
    assert looked.parts["container"]["memory"] is None
    assert severities(looked.findings)["container:machine"] == "unavailable"
