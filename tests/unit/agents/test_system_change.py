"""Against an earlier measurement: growth, restarts, listeners, counters, and starts of the machine between."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from machine_trees import severities

from pipe_agents.system.comparing import Before, compare, fits
from pipe_schemas.system import Change
from pipe_schemas.system_defaults import THRESHOLDS

GIB, MIB = 2**30, 2**20
NOW = 1_700_000_000.0


def process(pid: int = 7, rss: int = GIB, name: str = "app", started: float = 5.0) -> dict[str, Any]:
    return {"pid": pid, "name": name, "started_s": started, "rss_bytes": rss}


def disk(used: int = 50 * GIB, **other: Any) -> dict[str, Any]:
    return {"path": "/", "source": "/dev/sda1", "judged": True, "read_only": False, "total_bytes": 100 * GIB,
            "used_bytes": used, "free_bytes": 100 * GIB - used, "errors": 0, **other}  # fmt: skip


def watched(*pids: int, listeners: list[str] | None = None) -> dict[str, Any]:
    return {"pattern": "web", "count": len(pids), "pids": list(pids), "starts_s": [float(p) for p in pids],
            "listeners": listeners}  # fmt: skip


def machine(**parts: Any) -> dict[str, Any]:
    """What is compared of the measurements."""
    return {
        "host": {"name": "here", "boot_id": "one", "booted_at": None, "uptime_s": 10.0},
        "cpu": None,
        "disks": [disk()],
        "memory": {"effective_available_bytes": 8 * GIB, "oom_kills": 0},
        "container": None,
        "devices": [{"name": "sda", "read_bytes": 100, "write_bytes": 5}],
        "interfaces": [{"name": "eth0", "rx_bytes": 10, "tx_bytes": 10, "rx_errors": 0, "tx_errors": 0, "rx_drops": 0}],
        "processes": {"top_memory": [process()], "top_cpu": [], "top_open_files": [], "watched": [watched(1, 2)]},
        **parts,
    }


def output(measurements: Any, hours: float) -> dict[str, Any]:
    at = datetime.fromtimestamp(NOW - hours * 3600, UTC).isoformat().replace("+00:00", "Z")
    return {"agent": "system_monitoring", "measured_at": at, "measurements": measurements}


def compared(before: Any, now: Any, hours: float = 2.0) -> Any:
    given = output(before, hours)
    assert fits(given)
    changed = compare(Before("baseline", None, given), now, NOW, THRESHOLDS)
    Change.model_validate(changed.measured)
    return changed


def test_nothing_that_changed_is_nothing() -> None:
    changed = compared(machine(), machine())
    assert changed.findings == []
    assert changed.measured["compared"] is True
    assert changed.measured["counters"] == []
    assert changed.measured["disks"][0]["used_bytes_per_h"] == 0.0


@pytest.mark.parametrize(
    ("grown", "hours", "severity"),
    [
        (2 * GIB, 2.0, None),
        (6 * GIB, 2.0, "medium"),
        (30 * GIB, 2.0, "high"),
        (30 * GIB, 0.1, None),
        (2 * GIB, 0.2, None),
        (20 * GIB, 0.2, "high"),
        (GIB // 4, 0.2, None),
        (-9 * GIB, 2.0, None),
    ],
)
def test_a_disk_that_will_be_full_soon(grown: int, hours: float, severity: str | None) -> None:
    changed = compared(machine(), machine(disks=[disk(50 * GIB + grown)]), hours)
    assert severities(changed.findings).get("disk.filling:/") == severity
    assert all(one["status"] == "estimated" for one in changed.findings)
    assert changed.measured["disks"][0]["used_bytes"] == grown


def test_time_until_full_is_the_free_space_over_the_growth() -> None:
    changed = compared(machine(), machine(disks=[disk(60 * GIB)]))
    assert changed.measured["disks"][0]["hours_until_full"] == 8.0


def test_a_disk_of_another_size_is_another_one() -> None:
    assert compared(machine(), machine(disks=[disk(90 * GIB, total_bytes=200 * GIB)])).measured["disks"] == []


def test_a_disk_that_became_read_only() -> None:
    changed = compared(machine(), machine(disks=[disk(read_only=True)]))
    assert severities(changed.findings) == {"disk.became_readonly:/": "critical"}


@pytest.mark.parametrize(
    ("rss", "other", "severity"),
    [
        (GIB + 100 * MIB, {}, None),
        (GIB + 270 * MIB, {}, "low"),
        (3 * GIB // 2, {}, "low"),
        (3 * GIB, {}, "medium"),
        (3 * GIB, {"started": 6.0}, None),
        (3 * GIB, {"name": "other"}, None),
    ],
)
def test_memory_of_the_same_process(rss: int, other: dict[str, Any], severity: str | None) -> None:
    now = machine(memory={"effective_available_bytes": 10 * GIB, "oom_kills": 0})
    now["processes"]["top_memory"] = [process(rss=rss, **other)]
    changed = compared(machine(), now)
    assert severities(changed.findings).get("processes.growth:app (7)") == severity
    if severity is not None:
        assert changed.measured["processes"][0]["rss_bytes_per_h"] == (rss - GIB) / 2


def test_watched_processes_that_were_started_again_or_listen_elsewhere() -> None:
    before, now = machine(), machine()
    before["processes"]["watched"] = [watched(1, 2, listeners=["tcp 0.0.0.0:80", "tcp 0.0.0.0:443"])]
    now["processes"]["watched"] = [watched(3, 4, listeners=["tcp 0.0.0.0:80", "tcp 127.0.0.1:9000"])]
    changed = compared(before, now)
    assert severities(changed.findings) == {
        "processes.restarted:web": "low",
        "processes.listener_vanished:web": "high",
        "processes.listener_new:web": "info",
    }
    now["processes"]["watched"] = [watched(2, 9, listeners=None)]
    assert compared(before, now).findings == []
    now["processes"]["watched"] = [watched()]
    assert compared(before, now).findings == []


def test_counters_that_went_on_are_told_and_those_that_began_again_are_not() -> None:
    now = machine(memory={"effective_available_bytes": 8 * GIB, "oom_kills": 3})
    now["interfaces"][0] |= {"rx_errors": 40, "tx_bytes": 2}
    changed = compared(machine(), now)
    assert changed.measured["counters"] == [
        {"name": "network.eth0.rx_errors", "by": 40, "per_h": 20.0},
        {"name": "memory.oom_kills", "by": 3, "per_h": 1.5},
    ]
    assert severities(changed.findings) == {"memory.oom_since:machine": "high"}


def test_over_a_start_of_the_machine_nothing_is_compared() -> None:
    now = machine(disks=[disk(99 * GIB)])
    now["host"]["boot_id"] = "two"
    changed = compared(machine(), now)
    assert severities(changed.findings) == {"host.rebooted:machine": "low"}
    assert (changed.measured["rebooted"], changed.measured["compared"]) == (True, False)
    assert changed.measured["disks"] == changed.measured["processes"] == changed.measured["counters"] == []


@pytest.mark.parametrize(("name", "hours"), [("there", 2.0), ("here", -1.0)])
def test_another_machine_and_the_future_are_not_compared(name: str, hours: float) -> None:
    before = machine()
    before["host"]["name"] = name
    changed = compared(before, machine(disks=[disk(99 * GIB)]), hours)
    assert changed.findings == []
    assert changed.measured["compared"] is False
    assert changed.measured["why_not"]


def test_without_an_id_of_the_start_only_disks_are_compared() -> None:
    before = machine()
    before["host"]["boot_id"] = None
    changed = compared(before, machine())
    assert changed.measured["rebooted"] is None
    assert changed.measured["disks"]
    assert changed.measured["processes"] == changed.measured["counters"] == []


@pytest.mark.parametrize(
    "given",
    [None, 1, {}, {"agent": "shell"}, {"agent": "system_monitoring"}, output({}, 1), output({"host": 1}, 1),
     {**output(machine(), 1), "measured_at": "yesterday"}, {**output(machine(), 1), "measured_at": 5}],
)  # fmt: skip
def test_what_is_no_output_of_this_agent_is_known(given: Any) -> None:
    assert not fits(given)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.data())
def test_a_baseline_that_was_edited_is_compared_as_far_as_it_goes(data: st.DataObject) -> None:
    before: Any = copy.deepcopy(machine())
    spots: list[tuple[Any, Any]] = [(before, name) for name in before if name != "host"]
    spots += [(before["disks"][0], name) for name in before["disks"][0]]
    spots += [(before["processes"], name) for name in before["processes"]]
    spots += [(before["processes"]["watched"][0], name) for name in before["processes"]["watched"][0]]
    spots += [(before["processes"]["top_memory"][0], name) for name in before["processes"]["top_memory"][0]]
    spots += [(before["host"], name) for name in before["host"]]
    where, name = data.draw(st.sampled_from(spots))
    where[name] = data.draw(JSON)
    compared(before, machine(disks=[disk(60 * GIB)]))
