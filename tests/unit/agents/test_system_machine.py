"""CPU, memory, pressure, network, devices and temperatures, on recorded machines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from machine_trees import Recorded, severities

from pipe_agents.system import cpu, devices, links, memory, pressure


@pytest.fixture
def here(tmp_path: Path) -> Recorded:
    return Recorded(tmp_path)


def busy(here: Recorded, **ticks: int) -> Any:
    before = here.read("cpu")
    here.stat(**ticks)
    return here.look(before, "cpu")


def test_shares_of_cpu_time_are_of_the_window_and_count_guests_once(here: Recorded) -> None:
    total = busy(here, user=60, system=10, idle=20, iowait=5, steal=5, guest=40).parts["cpu"]["total"]
    assert total == {
        "user": 20.0, "nice": 0.0, "system": 10.0, "idle": 20.0, "iowait": 5.0, "irq": 0.0, "softirq": 0.0,
        "steal": 5.0, "guest": 40.0, "busy": 75.0,
    }  # fmt: skip


def test_a_counter_that_goes_back_spoils_nothing() -> None:
    before, after = (0, 0, 0, 0, 90, 0, 0, 0, 0, 0), (50, 0, 0, 50, 80, 0, 0, 0, 0, 0)
    shares = cpu.shares(before, after)
    assert shares is not None
    assert shares["busy"] == 50.0
    assert shares["iowait"] == 0.0


def test_a_window_without_a_tick_says_nothing(here: Recorded) -> None:
    looked = busy(here)
    assert looked.parts["cpu"]["total"] is None
    assert severities(looked.findings) == {"cpu.busy:machine": "unavailable"}


@given(st.text(max_size=400))
def test_any_text_of_proc_stat_is_read(text: str) -> None:
    cpu.stat(text)
    memory.meminfo(text)
    pressure.parse(text)
    links.parse(text)
    links.table(text)
    devices.parse(text)


def test_a_machine_of_128_cores_is_told_core_by_core(tmp_path: Path) -> None:
    here = Recorded(tmp_path, cores=128)
    for core in range(128):
        here.write(f"sys/devices/system/cpu/cpu{core}/cpufreq/scaling_cur_freq", f"{2_000_000 + core * 1000}\n")
        here.write(f"sys/devices/system/cpu/cpu{core}/cpufreq/cpuinfo_max_freq", "3500000\n")
    before = here.read("cpu")
    here.stat(user=50, idle=50)
    looked = here.look(before, "cpu").parts["cpu"]
    assert looked["cores"] == len(looked["by_core"]) == 128
    assert [one["core"] for one in looked["by_core"]] == list(range(128))
    assert looked["frequency"]["cores_read"] == 16
    assert looked["frequency"]["limit_mhz"] == 3500.0
    assert looked["load1_per_core"] == 0.5


@pytest.mark.parametrize(
    ("loads", "severity"),
    [
        ((0.5, 0.5, 0.5), None),
        ((1.5, 0.5, 0.2), "low"),
        ((9.0, 1.0, 0.2), "low"),
        ((3.0, 2.5, 2.1), "medium"),
        ((9.0, 9.0, 9.0), "high"),
    ],
)
def test_a_busy_second_is_judged_by_the_minutes_before_it(
    here: Recorded, loads: tuple[float, ...], severity: str | None
) -> None:
    here.loads(*loads)
    assert severities(busy(here, user=100).findings).get("cpu.busy:machine") == severity


def test_load_without_busy_cores_means_waiting(here: Recorded) -> None:
    here.loads(4, 4, 3)
    assert severities(busy(here, idle=60, iowait=30, user=10).findings) == {"cpu.load:machine": "medium"}
    here.loads(9, 1, 1)
    before = here.read("cpu")
    here.stat(idle=200, user=10, iowait=30)
    assert severities(here.look(before, "cpu").findings) == {}


def test_steal_and_heat_are_told(here: Recorded) -> None:
    for core in range(2):
        here.write(f"sys/devices/system/cpu/cpu{core}/thermal_throttle/core_throttle_count", "3\n")
    before = here.read("cpu")
    here.stat(user=50, idle=20, steal=30)
    here.write("sys/devices/system/cpu/cpu1/thermal_throttle/core_throttle_count", "5\n")
    looked = here.look(before, "cpu")
    assert severities(looked.findings) == {"cpu.steal:machine": "medium", "cpu.throttled:machine": "low"}
    assert looked.parts["cpu"]["throttles"] == 8


def remembered(here: Recorded, **kib: int | None) -> Any:
    before = here.read("memory")
    here.meminfo(**kib)
    return here.look(before, "memory")


def test_memory_that_holds_files_is_no_fault(here: Recorded) -> None:
    looked = remembered(here, MemFree=100000, MemAvailable=13000000)
    assert looked.findings == []
    assert looked.parts["memory"]["available_percent"] == 81.2
    assert looked.parts["memory"]["cache_bytes"] == (11000000 + 100000 + 300000 - 50000) * 1024


@pytest.mark.parametrize(
    ("available", "stalls", "severity"),
    [(1700000, 0, None), (1500000, 0, "medium"), (1500000, 30, "high"), (700000, 0, "high"), (700000, 30, "critical")],
)
def test_too_little_memory_is_worse_where_tasks_stand_still_for_it(
    here: Recorded, available: int, stalls: float, severity: str | None
) -> None:
    here.pressure("memory", full=(stalls, 0))
    found = severities(remembered(here, MemAvailable=available).findings)
    assert found.get("memory.available:machine") == severity


def test_ten_gigabytes_are_enough_whatever_the_percentage(here: Recorded) -> None:
    found = remembered(here, MemTotal=1_000_000_000, MemAvailable=10_000_000).findings
    assert found == []


def test_an_old_kernel_without_available_gives_an_estimate(here: Recorded) -> None:
    looked = remembered(here, MemAvailable=None, MemFree=100000, Cached=400000, Buffers=0, SReclaimable=0)
    assert looked.parts["memory"]["available_estimated"] is True
    (one,) = looked.findings
    assert (one["check"], one["status"], one["severity"]) == ("memory.available", "estimated", "high")


def test_swap_counts_by_what_is_read_back(here: Recorded) -> None:
    assert remembered(here, SwapFree=0).findings == []
    before = here.read("memory")
    here.write("proc/vmstat", f"pswpin {20 * 256}\npswpout 0\noom_kill 0\n")
    looked = here.look(before, "memory")
    assert looked.parts["memory"]["swap"]["in_bytes_per_s"] == 20 * 2**20
    assert severities(looked.findings) == {"memory.swapping:machine": "low"}
    assert severities(remembered(here, SwapFree=0, MemAvailable=2000000).findings) == {
        "memory.swap_full:machine": "medium"
    }


def test_a_kill_in_the_window_is_high_and_an_old_one_is_only_counted(here: Recorded) -> None:
    here.write("proc/vmstat", "oom_kill 7\n")
    before = here.read("memory")
    assert here.look(before, "memory").findings == []
    here.write("proc/vmstat", "oom_kill 8\n")
    looked = here.look(before, "memory")
    assert severities(looked.findings) == {"memory.oom:machine": "high"}
    assert looked.parts["memory"]["oom_kills"] == 8


@pytest.mark.parametrize(
    ("resource", "some", "full", "severity"),
    [
        ("cpu", (45, 45), (0, 0), None),
        ("cpu", (90, 10), (0, 0), None),
        ("cpu", (60, 60), (0, 0), "low"),
        ("cpu", (90, 85), (0, 0), "medium"),
        ("memory", (50, 50), (5, 5), None),
        ("memory", (50, 5), (15, 5), "medium"),
        ("memory", (50, 50), (15, 15), "high"),
        ("memory", (99, 99), (60, 30), "critical"),
        ("io", (50, 5), (15, 5), "low"),
        ("io", (50, 50), (15, 15), "medium"),
        ("io", (99, 99), (60, 30), "high"),
    ],
)
def test_stalls_are_judged_over_minutes(
    here: Recorded, resource: str, some: tuple[float, float], full: tuple[float, float], severity: str | None
) -> None:
    here.pressure(resource, some, full)
    found = severities(here.look(here.read("pressure"), "pressure").findings)
    assert found.get(f"pressure.{resource}:machine") == severity


def test_stalls_of_the_window_are_measured_and_not_judged(here: Recorded) -> None:
    before = here.read("pressure")
    here.pressure("io", total=900_000)
    looked = here.look(before, "pressure", seconds=1.0)
    (io,) = [one for one in looked.parts["pressure"] if one["resource"] == "io"]
    assert io["some"]["window"] == 90.0
    assert looked.findings == []


def test_a_kernel_that_counts_no_stalls_says_so(here: Recorded) -> None:
    for resource in pressure.RESOURCES:
        (here.folder / f"proc/pressure/{resource}").unlink()
    looked = here.look(here.read("pressure"), "pressure")
    assert looked.parts["pressure"] is None
    (one,) = looked.findings
    assert one["status"] == "unavailable"
    assert "psi=1" in one["needs"]


DEV = """\
Inter-|   Receive  |  Transmit
 face |bytes    packets errs drop …|bytes …
  eth0: {} {} {} {}    0    0     0          0         {} {} {} {}  0    0    0     0       0          0
"""


def network(here: Recorded, **went: int) -> Any:
    names = ("rx", "rx_packets", "rx_errors", "rx_drops", "tx", "tx_packets", "tx_errors", "tx_drops")
    old = dict.fromkeys(names, 5000)
    here.write("proc/net/dev", DEV.format(*old.values()))
    here.write("proc/net/snmp", "Tcp: OutSegs RetransSegs CurrEstab\nTcp: 1000 900 4\n")
    here.write("proc/net/netstat", "TcpExt: ListenOverflows\nTcpExt: 50\n")
    before = here.read("network")
    here.write("proc/net/dev", DEV.format(*(old[name] + went.get(name, 0) for name in names)))
    sent, again = 1000 + went.get("segments", 0), 900 + went.get("again", 0)
    here.write("proc/net/snmp", f"Tcp: OutSegs RetransSegs CurrEstab\nTcp: {sent} {again} 4\n")
    here.write("proc/net/netstat", f"TcpExt: ListenOverflows\nTcpExt: {50 + went.get('overflows', 0)}\n")
    return here.look(before, "network")


def test_old_errors_of_an_interface_are_shown_and_not_judged(here: Recorded) -> None:
    looked = network(here, rx=1000, rx_packets=100)
    (one,) = looked.parts["interfaces"]
    assert (one["rx_errors"], one["errors_per_s"], one["rx_bytes_per_s"]) == (5000, 0.0, 1000.0)
    assert looked.findings == []


@pytest.mark.parametrize(
    ("went", "found"),
    [
        ({"rx_packets": 10000, "rx_errors": 5}, {}),
        ({"rx_packets": 1000, "rx_errors": 1}, {}),
        ({"rx_packets": 1000, "rx_errors": 5}, {"network.errors:eth0": "low"}),
        ({"rx_packets": 1000, "rx_errors": 50}, {"network.errors:eth0": "medium"}),
        ({"rx_packets": 1000, "tx_errors": 200}, {"network.errors:eth0": "high"}),
        ({"rx_packets": 5, "rx_drops": 9}, {}),
        ({"rx_packets": 1000, "rx_drops": 20}, {"network.drops:eth0": "low"}),
        ({"rx_packets": 1000, "rx_drops": 200}, {"network.drops:eth0": "medium"}),
        ({"segments": 50, "again": 40}, {}),
        ({"segments": 1000, "again": 60}, {"network.retransmits:tcp": "low"}),
        ({"segments": 1000, "again": 200}, {"network.retransmits:tcp": "medium"}),
        ({"overflows": 3}, {"network.listen_overflows:tcp": "low"}),
        ({"overflows": 30}, {"network.listen_overflows:tcp": "medium"}),
    ],
)
def test_what_went_wrong_in_the_window_is_judged(here: Recorded, went: dict[str, int], found: dict[str, str]) -> None:
    assert severities(network(here, **went).findings) == found


def test_what_an_interface_is_comes_from_sys(here: Recorded) -> None:
    for name, value in {"flags": "0x1003", "carrier": "0", "speed": "-1", "device/x": ""}.items():
        here.write(f"sys/class/net/eth0/{name}", value + "\n")
    (one,) = network(here).parts["interfaces"]
    assert (one["up"], one["carrier"], one["physical"], one["speed_mbit"]) == (True, False, True, None)


DISK = "   8       0 sda {reads} 0 {sectors} {ms} 0 0 0 0 {flight} {busy} {queue} 0 0 0 0 0 0\n"
PARTITION = "   8       1 sda1 9 0 9 9 0 0 0 0 0 9 9 0 0 0 0 0 0\n   7       0 loop0 9 0 9 9 0 0 0 0 0 9 9\n"


def device(here: Recorded, seconds: float = 1.0, flight: int = 0, **went: int) -> Any:
    here.write("sys/class/block/sda1/partition", "1\n")
    old = {"reads": 100, "sectors": 800, "ms": 50, "busy": 100, "queue": 100}
    here.write("proc/diskstats", DISK.format(flight=flight, **old) + PARTITION)
    before = here.read("io")
    new = {name: old[name] + went.get(name, 0) for name in old}
    here.write("proc/diskstats", DISK.format(flight=flight, **new) + PARTITION)
    return here.look(before, "io", seconds=seconds)


def test_a_device_is_measured_over_the_window(here: Recorded) -> None:
    looked = device(here, reads=50, sectors=2000, ms=500, busy=300, queue=500)
    (one,) = looked.parts["devices"]
    assert (one["name"], one["reads_per_s"], one["read_bytes_per_s"], one["wait_ms"]) == ("sda", 50.0, 1024000.0, 10.0)
    assert (one["busy_percent"], one["queue"], one["read_bytes"]) == (30.0, 0.5, 2800 * 512)
    assert looked.findings == []


def test_a_slow_device_is_low_unless_all_tasks_wait_for_it(here: Recorded) -> None:
    went = {"reads": 30, "ms": 9000, "busy": 950}
    assert severities(device(here, **went).findings) == {"io.slow:sda": "low"}
    here.pressure("io", full=(40, 40))
    assert severities(device(here, **went).findings) == {"io.slow:sda": "medium"}
    assert device(here, reads=5, ms=5000, busy=950).findings == []
    assert device(here, reads=5000, ms=9000, busy=1000).findings == []


def test_a_device_that_ends_no_request_is_stuck(here: Recorded) -> None:
    assert severities(device(here, flight=4, busy=1000).findings) == {"io.stuck:sda": "low"}
    assert severities(device(here, 10.0, flight=4, busy=10000).findings) == {"io.stuck:sda": "medium"}
    assert severities(device(here, 30.0, flight=4, busy=30000).findings) == {"io.stuck:sda": "high"}


def test_temperatures_have_the_limits_of_their_sensors(here: Recorded) -> None:
    place = "sys/class/hwmon/hwmon0"
    here.write(f"{place}/name", "coretemp\n")
    for number, (now, high, critical) in enumerate([(50, 80, 100), (85, 80, 100), (96, 80, 100), (101, 80, 100)], 1):
        here.write(f"{place}/temp{number}_input", f"{now}000\n")
        here.write(f"{place}/temp{number}_max", f"{high}000\n")
        here.write(f"{place}/temp{number}_crit", f"{critical}000\n")
        here.write(f"{place}/temp{number}_label", f"Core {number}\n")
    here.write("sys/class/hwmon/hwmon1/name", "odd\n")
    here.write("sys/class/hwmon/hwmon1/temp1_input", "-128000\n")
    here.write("sys/class/hwmon/hwmon2/name", "nvme\n")
    here.write("sys/class/hwmon/hwmon2/temp1_input", "92000\n")
    looked = here.look(here.read(), "temperature")
    assert len(looked.parts["temperatures"]) == 5
    assert severities(looked.findings) == {
        "temperature.high:coretemp Core 2": "low",
        "temperature.high:coretemp Core 3": "medium",
        "temperature.high:coretemp Core 4": "critical",
        "temperature.high:nvme temp1": "medium",
    }


def test_thermal_zones_stand_in_where_there_is_no_hwmon(here: Recorded) -> None:
    zone = "sys/class/thermal/thermal_zone0"
    for name, value in {
        "type": "cpu",
        "temp": "61000",
        "trip_point_0_type": "critical",
        "trip_point_0_temp": "90000",
    }.items():
        here.write(f"{zone}/{name}", value + "\n")
    looked = here.look(here.read(), "temperature")
    assert looked.parts["temperatures"] == [{"name": "cpu", "celsius": 61.0, "high": None, "critical": 90.0}]


def test_a_machine_without_sensors_says_so(here: Recorded) -> None:
    looked = here.look(here.read(), "temperature")
    assert looked.parts["temperatures"] is None
    assert severities(looked.findings) == {"temperature:machine": "unavailable"}


def test_who_did_it_is_named_and_a_busy_processor_is_told_once(here: Recorded) -> None:
    here.loads(3, 3, 3)
    here.pressure("cpu", some=(90, 90))
    here.process(10, "burner", ticks=5, pages=10)
    here.process(11, "holder", ticks=5, pages=10**6)
    before = here.read("cpu", "memory", "pressure")
    here.process(10, "burner", ticks=95, pages=10)
    here.stat(user=100)
    here.meminfo(MemAvailable=100000)
    looked = here.look(before, "cpu", "memory", "pressure")
    found = {one["check"]: one for one in looked.findings}
    assert set(found) == {"cpu.busy", "memory.available"}
    assert found["cpu.busy"]["evidence"]["most_cpu"] == ["burner (10): 90 % of a core"]
    assert found["cpu.busy"]["evidence"]["waited_for_cpu_percent_60s"] == 90.0
    assert found["cpu.busy"]["summary"].endswith(
        "; 310 % of a core by no process that is seen here, of the rest most by burner (10): 90 % of a core"
    )
    assert found["memory.available"]["summary"].endswith("; most by holder (11): 3.8 GiB")
    assert looked.parts["processes"] is None


def test_what_went_to_other_machines_of_the_host_is_no_time_of_processes_that_are_not_seen(here: Recorded) -> None:
    here.loads(3, 3, 3)
    here.process(10, "burner", ticks=5, pages=10)
    before = here.read("cpu", "processes")
    here.process(10, "burner", ticks=95, pages=10)
    here.stat(user=25, steal=75)
    looked = here.look(before, "cpu", "processes")
    found = {one["check"]: one for one in looked.findings}
    assert found["cpu.busy"]["summary"].endswith("; most by burner (10): 90 % of a core")
    assert looked.parts["processes"]["unseen_cpu_percent"] == 10.0
