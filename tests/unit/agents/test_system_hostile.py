"""What /proc and /sys say may be anything: the result keeps its shape, and its bounds."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from machine_trees import KERNEL, ROOT, V1, V2, Recorded

from pipe_agents.system.disks import Space
from pipe_schemas.findings import Finding
from pipe_schemas.system import Measurements
from pipe_schemas.system_defaults import CHECKS

NUMBERS = ("0", "-1", "9" * 18, "18446744073709551615", "9" * 40, "1.5", "nan", "1e999", "٣", "", "max")
JUNK = st.one_of(
    st.sampled_from(NUMBERS),
    st.text(max_size=40),
    st.text(alphabet="0123456789 :/-\n\\,.=()abc", max_size=120),
)


@pytest.fixture(scope="module")
def rich(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A machine that has something of everything."""
    folder = tmp_path_factory.mktemp("rich")
    here = Recorded(folder)
    here.mounts(ROOT, KERNEL, V1, V2.replace("/sys/fs/cgroup ", "/sys/fs/cgroup/unified "))
    here.write("proc/self/cgroup", "3:memory:/a\n2:cpu,cpuacct:/a\n1:pids:/a\n0::/a\n")
    for name in ("memory.limit_in_bytes", "memory.usage_in_bytes", "memory.memsw.limit_in_bytes"):
        here.cgroup("/a", {name: "1000000"}, under="memory")
    here.cgroup("/a", {"memory.stat": "total_inactive_file 5\ntotal_active_file 5", "memory.oom_control": "oom_kill 1"},
                under="memory")  # fmt: skip
    here.cgroup("/a", {"cpu.cfs_quota_us": "5000", "cpu.cfs_period_us": "10000", "cpuacct.usage": "5",
                       "cpu.stat": "nr_periods 5\nnr_throttled 5\nthrottled_time 5"}, under="cpu,cpuacct")  # fmt: skip
    here.cgroup("/a", {"pids.current": "9", "pids.max": "10"}, under="pids")
    here.process(10, "app", argv=["python3", "x.py", "--token=1"])
    here.process(11, "dead", "Z")
    here.write("proc/10/limits", "Max open files            100   4096   files\n")
    here.write("proc/10/fd/x", "")
    here.write("proc/diskstats", "   8       0 sda 9 0 9 9 0 0 0 0 1 9 9 0 0 0 0 0 0\n")
    here.write("proc/net/dev", "  eth0: 1 2 3 4 0 0 0 0 5 6 7 8 0 0 0 0\n")
    here.write("proc/net/snmp", "Tcp: OutSegs RetransSegs CurrEstab\nTcp: 1000 900 4\n")
    for name, value in {"flags": "0x1003", "carrier": "1", "speed": "1000"}.items():
        here.write(f"sys/class/net/eth0/{name}", value)
    here.write("sys/class/hwmon/hwmon0/temp1_input", "99000")
    here.write("sys/class/hwmon/hwmon0/temp1_crit", "98000")
    here.write("sys/fs/ext4/sda1/errors_count", "2")
    here.write("proc/sys/fs/file-nr", "9 0 10")
    here.write("proc/sys/kernel/pid_max", "301")
    here.write("proc/sys/fs/inotify/max_user_instances", "2")
    here.write("etc/fstab", "/dev/sda1 / ext4 rw 0 1\n")
    return folder


def files(folder: Path) -> Iterator[Path]:
    yield from sorted(path for path in folder.rglob("*") if path.is_file())


def measured(here: Recorded, change: Any) -> None:
    before = here.read()
    change()
    names = ("name", "kernel", "boot_id", "uptime_s", "booted_at", "clock_synchronised", "clock_error_ms")
    host = dict.fromkeys(names)
    looked = here.look(before, processes=("app", "none"), arguments=True, asked=lambda path: Space(10, 9, 1, 10, 1))
    given = {"platform": "linux", "window_s": 1.0, "checks": list(CHECKS), "host": host, **looked.parts}
    Measurements.model_validate(json.loads(json.dumps(given, allow_nan=False)))
    for one in looked.findings:
        Finding.model_validate(json.loads(json.dumps(one, allow_nan=False)))


def test_a_machine_that_has_everything_fits(rich: Path, tmp_path: Path) -> None:
    shutil.copytree(rich, tmp_path / "m")
    here = Recorded.__new__(Recorded)
    vars(here).update(vars(Recorded(tmp_path / "other")))
    point(here, tmp_path / "m")
    measured(here, lambda: None)


def point(here: Recorded, folder: Path) -> None:
    from pipe_agents.system.trees import Tree

    here.folder = folder
    here.tree = Tree(str(folder / "proc"), str(folder / "sys"), str(folder / "etc"), str(folder))


def changed(rich: Path, tmp_path: Path, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(list(files(rich))), label="file")
    old = path.read_text()
    words = old.split(" ")
    if data.draw(st.booleans(), label="one word"):
        words[data.draw(st.integers(0, len(words) - 1))] = data.draw(JUNK)
        new = " ".join(words)
    else:
        new = data.draw(JUNK)
    here = Recorded(tmp_path / "other")
    point(here, rich)
    try:
        measured(here, lambda: path.write_text(new))
        measured(here, lambda: path.write_text(old))
    finally:
        path.write_text(old)


SHARED = (HealthCheck.function_scoped_fixture, HealthCheck.too_slow)


@settings(max_examples=25, suppress_health_check=SHARED)
@given(st.data())
def test_any_file_may_say_anything(rich: Path, tmp_path: Path, data: st.DataObject) -> None:
    changed(rich, tmp_path, data)


@pytest.mark.slow
@pytest.mark.timeout(600)
@settings(max_examples=1500, suppress_health_check=SHARED)
@given(st.data())
def test_any_file_may_say_anything_for_long(rich: Path, tmp_path: Path, data: st.DataObject) -> None:
    changed(rich, tmp_path, data)
