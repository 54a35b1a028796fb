"""`infrastructure`: what it says of services is what systemd said, and no more."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from infra_servers import Ops, one, told
from infra_servers.units import NOT_BOOTED, Systemctl, failed, not_found, unit

from pipe_agents.infra import systemd
from pipe_agents.infra.services import scripts_of


@pytest.fixture
def ops(tmp_path: Path) -> Ops:
    return Ops(tmp_path, {"PATH": f"{tmp_path}/bin:/usr/bin:/bin"})


@pytest.fixture
def systemctl(tmp_path: Path) -> Systemctl:
    return Systemctl(tmp_path / "bin")


@pytest.mark.parametrize("version", [219, 252, 255])
def test_what_failed_is_told_with_its_code_in_each_version(ops: Ops, systemctl: Systemctl, version: int) -> None:
    systemctl.says(
        unit("ssh.service", version, Names="ssh.service sshd.service"),
        failed("web.service", version, code=3),
        unit("idle.service", version, ActiveState="inactive", SubState="dead", MainPID="0"),
        version=str(version),
        state="degraded",
    )
    output = ops.look(checks=["services"])
    assert told(output) == {"service.failed:web.service": "high"}
    finding = one(output, "service.failed:web.service")
    assert (finding["evidence"]["exit_code"], finding["evidence"]["result"]) == (3, "exit-code")
    assert finding["evidence"]["seconds_in_state"] == 400
    assert "down for 7 min: exit code 3" in finding["summary"]
    measured = output["measurements"]["services"]
    assert {key: measured[key] for key in ("total", "active", "failed", "inactive", "state", "version")} == {
        "total": 3, "active": 1, "failed": 1, "inactive": 1, "state": "degraded", "version": str(version),
    }  # fmt: skip
    web, *others = measured["services"]
    assert (web["name"], web["since"], web["pid"]) == ("web.service", "2026-09-21T14:06:40Z", None)
    assert web["restarts"] == (None if version == 219 else 0)
    assert {service["memory_bytes"] for service in others} == {None}
    assert {service["memory_limit_bytes"] for service in others} == {None}


def test_what_must_be_there_is_missed(ops: Ops, systemctl: Systemctl) -> None:
    systemctl.says(
        unit("ssh.service", Names="ssh.service sshd.service"),
        failed("db.service"),
        unit("cron.service", ActiveState="inactive", SubState="dead", UnitFileState="disabled"),
        unit("old.service", LoadState="masked", ActiveState="inactive", UnitFileState="masked"),
        not_found("nginx.service"),
    )
    output = ops.look(checks=["services"], services=["sshd", "nginx", "db.service", "cron", "old"])
    assert told(output) == {
        "service.failed:db.service": "critical",
        "service.inactive:cron.service": "high",
        "service.masked:old.service": "high",
        "service.missing:nginx.service": "high",
    }
    assert "is inactive for 7 min, and is not enabled" in one(output, "service.inactive:cron.service")["summary"]
    assert "-- *.service" in systemctl.asked()[-1]
    assert systemctl.asked()[-1].endswith("sshd.service nginx.service db.service cron.service old.service")


def test_what_is_started_when_it_is_needed_is_not_missed(ops: Ops, systemctl: Systemctl) -> None:
    down = {"ActiveState": "inactive", "SubState": "dead", "MainPID": "0"}
    systemctl.says(
        unit("renew.service", **down, Type="oneshot", ExecMainCode="1"),
        unit("never.service", **down, Type="oneshot"),
        unit("docker.service", **down, TriggeredBy="docker.socket"),
        unit("docker.socket", SubState="listening"),
        unit("cups.service", **down, TriggeredBy="cups.socket"),
        unit("cups.socket", ActiveState="inactive", SubState="dead"),
        unit("ended.service", **down, ExecMainCode="1"),
    )
    wanted = ["renew", "never", "docker", "cups", "ended"]
    assert told(ops.look(checks=["services"], services=wanted)) == {
        "service.inactive:cups.service": "high",
        "service.inactive:ended.service": "high",
        "service.inactive:never.service": "high",
    }


def test_restarts_loops_dependencies_and_memory(ops: Ops, systemctl: Systemctl) -> None:
    loop = {"ActiveState": "activating", "SubState": "auto-restart", "Result": "exit-code"}
    systemctl.says(
        unit("loop.service", **loop, NRestarts="57", ExecMainCode="1", ExecMainStatus="7"),
        unit("often.service", NRestarts="5"),
        unit("seldom.service", NRestarts="4"),
        unit(
            "killed.service",
            ActiveState="failed",
            SubState="failed",
            Result="oom-kill",
            ExecMainCode="2",
            ExecMainStatus="9",
        ),
        failed("once.service", Type="oneshot"),
        failed("srv-data.mount"),
        failed("tick.timer"),
        unit("app.service", Requires="srv-data.mount", Wants="once.service"),
        unit("soft.service", Wants="once.service"),
        unit("fat.service", MemoryCurrent=str(95 * 2**20), MemoryMax=str(100 * 2**20)),
        unit("slim.service", MemoryCurrent=str(80 * 2**20), MemoryMax=str(100 * 2**20)),
        unit("stale.service", NeedDaemonReload="yes"),
    )
    output = ops.look(checks=["services"])
    assert told(output) == {
        "service.restart_loop:loop.service": "high",
        "service.failed:killed.service": "high",
        "unit.failed:srv-data.mount": "high",
        "service.dependency:app.service": "medium",
        "service.failed:once.service": "medium",
        "service.memory:fat.service": "medium",
        "service.restarts:often.service": "medium",
        "unit.failed:tick.timer": "medium",
        "service.stale:systemd": "low",
    }
    assert "57 restarts, last exit code 7" in one(output, "service.restart_loop:loop.service")["summary"]
    assert "oom-kill, by SIGKILL" in one(output, "service.failed:killed.service")["summary"]
    needs = one(output, "service.dependency:app.service")
    assert "requires what has failed: srv-data.mount; and wants once.service" in needs["summary"]
    assert needs["suggestion"] == "systemctl status srv-data.mount"
    assert one(output, "service.memory:fat.service")["evidence"]["memory_percent"] == 95
    assert output["measurements"]["services"]["failed_units"] == [
        "killed.service", "once.service", "srv-data.mount", "tick.timer",
    ]  # fmt: skip


def test_maintenance_is_critical(ops: Ops, systemctl: Systemctl) -> None:
    systemctl.says(unit("a.service"), state="maintenance")
    assert told(ops.look(checks=["services"])) == {"system.state:systemd": "critical"}


def test_without_systemd_nothing_is_claimed(ops: Ops, systemctl: Systemctl) -> None:
    systemctl.put("stderr", NOT_BOOTED)
    ops.env["PATH"] = f"{systemctl.folder}:/nowhere"
    output = ops.look(checks=["services"])
    assert output["measurements"]["services"] is None
    assert told(output) == {"services:systemd": "unavailable"}
    assert output["findings"][0]["why"] == "this system was not booted with systemd"


def test_what_is_not_here_and_was_not_asked_for_is_one_finding(ops: Ops) -> None:
    ops.env["PATH"] = "/nowhere"
    ops.env["XDG_RUNTIME_DIR"] = "/nowhere"
    ops.env["DOCKER_HOST"] = ""
    output = ops.look()
    (finding,) = output["findings"]
    assert finding["status"] == "unavailable"
    assert finding["check"] == "infrastructure"
    assert "there is no program systemctl here" in finding["why"]
    assert "kubeconfig" in finding["why"]


def test_a_bus_that_refuses_is_told_although_nobody_asked(ops: Ops, systemctl: Systemctl) -> None:
    systemctl.put("stderr", "Failed to connect to bus: Permission denied\n")
    output = ops.look()
    assert "Permission denied" in one(output, "services:systemd")["why"]


def test_a_systemctl_that_hangs_is_not_waited_for(ops: Ops, systemctl: Systemctl) -> None:
    systemctl.put("slow", "")
    output = ops.look(checks=["services"], timeout=0.3)
    assert one(output, "services:systemd")["why"] == "systemctl gave no answer within 0.3 s"


def test_scripts_are_believed_where_they_say_something(ops: Ops, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin/service"
    program.write_text("#!/bin/sh\nprintf ' [ - ]  cron\\n [ ? ]  hwclock.sh\\n [ + ]  ssh\\n'\n")
    program.chmod(0o755)
    ops.env["PATH"] = f"{tmp_path}/bin"
    output = ops.look(checks=["services"], services=["ssh", "cron", "hwclock.sh", "nginx"])
    assert told(output) == {
        "service.missing:nginx": "high",
        "service.inactive:cron": "high",
        "service.inactive:hwclock.sh": "unavailable",
    }
    assert one(output, "service.inactive:cron")["status"] == "estimated"
    measured = output["measurements"]["services"]
    assert (measured["manager"], measured["total"], measured["active"], measured["inactive"]) == ("sysv", 3, 1, 1)


def test_hostile_texts_are_bounded(ops: Ops, systemctl: Systemctl) -> None:
    name = "x" * 240 + ".service"
    systemctl.says(failed(name, Description="\x1b[31m" + "d" * 100_000), "Description=no id\n", "=\n\nrubbish\n")
    output = ops.look(checks=["services"])
    (service,) = output["measurements"]["services"]["services"]
    assert service["name"] == name
    assert len(service["description"]) < 300


def test_many_units_are_counted_and_the_list_is_bounded(ops: Ops, systemctl: Systemctl) -> None:
    systemctl.says(*(unit(f"s{number}.service") for number in range(1500)), failed("z.service"))
    measured = ops.look(checks=["services"])["measurements"]["services"]
    assert (measured["total"], measured["active"], len(measured["services"])) == (1501, 1500, 1000)
    assert measured["services"][0]["name"] == "z.service"


@given(st.text(alphabet="=\n Idabc\x00é", max_size=60))
def test_any_text_is_read_as_units(text: str) -> None:
    for found in systemd.blocks(text):
        assert found
        assert all(key.isidentifier() for key in found)
    scripts_of(text)
