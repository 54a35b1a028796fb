"""What is a finding, how bad it is, and what it carries: by logs in which exactly that was put."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from logs_case import make_large
from logs_reading import NOW, analysed, finding_of, findings, output_of, perform

from pipe_agents.logs.journal import backwards
from pipe_runner.ports import Command, ProcessEnd
from pipe_runner.registry import Registry
from pipe_runner.testing import run_text
from pipe_runner.types import NodeStatus

OOM = "Out of memory: Killed process 77 (java) total-vm:1kB, anon-rss:1kB"
BEGIN = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


def syslog(rows: list[tuple[int, str]]) -> str:
    return "".join(f"{BEGIN + timedelta(seconds=at):%b %d %H:%M:%S} web1 {text}\n" for at, text in rows)


FAILED = "sshd[7]: Failed password for {} from {} port 22 ssh2"
WORKED = "sshd[7]: Accepted password for {} from {} port 22 ssh2"


def attack(tmp_path: Path) -> Path:
    rows = [(number, FAILED.format("root", "192.0.2.1")) for number in range(120)]
    rows += [(200 + number, FAILED.format("invalid user bob", "192.0.2.2")) for number in range(12)]
    rows += [(220, WORKED.format("root", "192.0.2.1")), (230, WORKED.format("alice", "192.0.2.3"))]
    rows += [(240 + number, FAILED.format("alice", "192.0.2.3")) for number in range(3)]
    rows += [(250, WORKED.format("alice", "192.0.2.3"))]
    rows += [(300, "sshd[7]: message repeated 4 times: [ Failed password for root from 192.0.2.1 port 22 ssh2]")]
    path = tmp_path / "auth.log"
    path.write_text(syslog(sorted(rows, key=lambda row: row[0])))
    return path


def test_failed_logins_are_counted_by_source_and_user(tmp_path: Path) -> None:
    attack(tmp_path)
    found = finding_of(tmp_path, "logs.failed_login", paths="auth.log")
    assert found["severity"] == "medium"
    evidence = found["evidence"]
    assert (evidence["failures"], evidence["lines"]) == (139, 136)
    assert [(one["source"], one["failures"]) for one in evidence["sources"]] == [
        ("192.0.2.1", 124),
        ("192.0.2.2", 12),
        ("192.0.2.3", 3),
    ]
    assert evidence["users"][0] == {"name": "root", "count": 124}
    assert (evidence["first_at"], evidence["last_at"]) == ("2026-03-01T12:00:00Z", "2026-03-01T12:05:00Z")
    assert evidence["example"].endswith(FAILED.format("root", "192.0.2.1"))
    assert evidence["line"] == 1


def test_a_login_that_works_after_many_failures_is_high_and_others_are_none(tmp_path: Path) -> None:
    attack(tmp_path)
    found = finding_of(tmp_path, "logs.login_after_failures", paths="auth.log")
    assert (found["severity"], found["subject"]) == ("high", "192.0.2.1")
    assert found["evidence"]["failures_before"] == 120
    assert found["evidence"]["user"] == "root"
    assert found["evidence"]["at"] == "2026-03-01T12:03:40Z"
    assert found["evidence"]["line"] == 133


def test_old_failures_do_not_count_against_a_login(tmp_path: Path) -> None:
    rows = [(number, FAILED.format("root", "192.0.2.1")) for number in range(9)]
    (tmp_path / "a.log").write_text(syslog([*rows, (7200, WORKED.format("root", "192.0.2.1"))]))
    assert "logs.login_after_failures:192.0.2.1" not in findings(tmp_path, paths="a.log")


def test_a_few_failed_logins_are_counted_and_no_finding(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text(syslog([(number, FAILED.format("bob", "192.0.2.1")) for number in range(9)]))
    assert findings(tmp_path, paths="a.log") == {}
    assert analysed(tmp_path, paths="a.log")["logins"]["failures"] == 9


LINES = {
    "sudo_failed": ("medium", "sudo: bob : user NOT in sudoers ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/sh"),
    "new_user": ("medium", "useradd[9]: new user: name=eve, UID=1001, GID=1001, home=/home/eve, shell=/bin/bash"),
    "oom": ("high", "kernel: [5.1] Out of memory: Killed process 77 (java) total-vm:1kB, anon-rss:1kB"),
    "disk_error": ("high", "kernel: [5.1] blk_update_request: I/O error, dev sda, sector 1"),
    "read_only": ("critical", "kernel: [5.1] EXT4-fs (sda1): Remounting filesystem read-only"),
    "not_writable": ("medium", "app[5]: open /srv/a: Read-only file system"),
    "disk_full": ("high", "app[5]: write failed: No space left on device"),
    "panic": ("critical", "kernel: [5.1] Kernel panic - not syncing: Fatal exception"),
    "hung_task": ("medium", "kernel: [5.1] INFO: task x:5 blocked for more than 120 seconds."),
    "segfault": ("medium", "kernel: [5.1] a.out[5]: segfault at 0 ip 00 sp 00 error 4 in a.out[1+1]"),
    "hardware_error": ("high", "kernel: [5.1] mce: [Hardware Error]: Machine check events logged"),
    "certificate": ("low", "app[5]: tls: certificate has expired"),
    "service_failed": ("medium", "systemd[1]: app.service: Failed with result 'exit-code'."),
    "restart_loop": ("high", "systemd[1]: app.service: Start request repeated too quickly."),
    "file_limit": ("high", "app[5]: accept: Too many open files"),
    "connection_limit": ("medium", "kernel: [5.1] nf_conntrack: table full, dropping packet"),
    "out_of_time": ("low", "chronyd[5]: System clock wrong by 5.1 seconds"),
    "break_in": ("medium", "sshd[5]: error: maximum authentication attempts exceeded for root from 192.0.2.1 port 1"),
    "password_changed": ("low", "passwd[5]: pam_unix(passwd:chauthtok): password changed for alice"),
}


@pytest.mark.parametrize("check", LINES)
def test_a_known_pattern_is_found_once_with_its_line(check: str, tmp_path: Path) -> None:
    severity, line = LINES[check]
    (tmp_path / "a.log").write_text(syslog([(0, "cron[1]: a"), (61, line), (90, "cron[1]: b")]))
    found = finding_of(tmp_path, f"logs.{check}", paths="a.log")
    evidence = found["evidence"]
    assert found["severity"] == severity
    assert (evidence["lines"], evidence["line"], evidence["file"]) == (1, 2, str(tmp_path / "a.log"))
    assert evidence["first_at"] == evidence["last_at"] == "2026-03-01T12:01:01Z"
    assert line in evidence["example"]


def test_each_pattern_that_can_be_a_finding_has_a_line_here() -> None:
    from pipe_agents.logs.patterns import PATTERNS

    others = {"failed_login", "invalid_user", "permission_denied"}
    assert {one.check for one in PATTERNS if one.severity != "info"} - others == set(LINES)


def test_an_ordinary_log_has_no_findings(tmp_path: Path) -> None:
    rng = random.Random(1)
    kinds = (
        "cron[1]: job {} done",
        "app[2]: request {} served",
        "sshd[3]: Accepted publickey for deploy from 192.0.2.9 port {}",
    )
    rows = [(number * 5, rng.choice(kinds).format(rng.randrange(1000))) for number in range(3000)]
    (tmp_path / "a.log").write_text(syslog(rows))
    output = output_of(tmp_path, paths="a.log")
    assert output["findings"] == []
    assert output["summary"] == "nothing wrong was found"


def test_a_burst_is_found_with_what_it_is_made_of(tmp_path: Path) -> None:
    rng = random.Random(2)
    rows = [(rng.randrange(7200), "app[1]: served") for _ in range(1200)]
    rows += [(3600 + rng.randrange(60), "app[1]: ERROR cannot reach db") for _ in range(300)]
    (tmp_path / "a.log").write_text(syslog(sorted(rows)))
    output = output_of(tmp_path, paths="a.log")
    bursts = {one["subject"]: one for one in output["findings"] if one["check"] == "logs.burst"}
    assert {name: one["severity"] for name, one in bursts.items()} == {"entries": "low", "errors": "medium"}
    evidence = bursts["errors"]["evidence"]
    assert (evidence["start"], evidence["end"], evidence["count"]) == (
        "2026-03-01T13:00:00Z",
        "2026-03-01T13:01:00Z",
        300,
    )
    assert evidence["template"] == "ERROR cannot reach db"


def test_a_burst_names_the_log_that_it_is_in(tmp_path: Path) -> None:
    (tmp_path / "calm.log").write_text(syslog([(number * 10, "app[1]: served") for number in range(720)]))
    rows = [(3600 + number % 60, f"dpkg: step {'abcdefgh'[number % 8] * 5} of it") for number in range(400)]
    (tmp_path / "busy.log").write_text(syslog(sorted(rows)))
    (found,) = [one for one in output_of(tmp_path, paths="*.log")["findings"] if one["check"] == "logs.burst"]
    assert found["summary"].endswith(f"; in {tmp_path}/busy.log")
    assert found["evidence"]["logs"] == [{"log": f"{tmp_path}/busy.log", "entries": 400}]


def test_a_gap_and_a_log_that_stopped_are_found(tmp_path: Path) -> None:
    now = datetime.fromtimestamp(NOW, UTC)
    at = [now - timedelta(hours=10, minutes=-number) for number in range(120)]
    at += [now - timedelta(hours=5, minutes=-number) for number in range(120)]
    (tmp_path / "a.log").write_text("".join(f"{one:%Y-%m-%dT%H:%M:%SZ} INFO x\n" for one in at))
    found = {one["check"]: one for one in output_of(tmp_path, paths="a.log")["findings"]}
    assert (found["logs.gap"]["severity"], found["logs.stopped"]["severity"]) == ("low", "medium")
    assert found["logs.gap"]["evidence"]["seconds"] == pytest.approx(3 * 3600, abs=120)
    assert found["logs.stopped"]["evidence"]["silent_s"] == pytest.approx(3 * 3600, abs=120)
    assert "logs.stopped" not in str(output_of(tmp_path, paths="a.log", until=now.isoformat())["findings"])


def hourly(counts: dict[str, int], hours: int = 10) -> str:
    rows = []
    for hour in range(hours):
        for text, count in counts.items():
            rows += [(hour * 3600 + number, f"app[1]: {text} {number}") for number in range(count)]
    return syslog(sorted(rows))


def test_the_last_run_tells_what_is_new_and_what_comes_more_often(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text(hourly({"served page": 30, "slow query": 5}))
    earlier = output_of(tmp_path, paths="a.log")
    (tmp_path / "a.log").write_text(hourly({"served page": 31, "slow query": 25, "ERROR lost peer": 2}, hours=5))
    outcome: Any = perform(tmp_path, {"paths": "a.log"}, earlier=earlier)
    found = {one["check"]: one for one in outcome.output["findings"]}
    assert found["logs.new_templates"]["severity"] == "medium"
    assert [one["template"] for one in found["logs.new_templates"]["evidence"]["templates"]] == ["ERROR lost peer <*>"]
    (changed,) = found["logs.rate_changed"]["evidence"]["templates"]
    assert (changed["template"], changed["entries"], changed["earlier_entries"]) == ("slow query <*>", 125, 50)
    assert changed["factor"] == pytest.approx(5, rel=0.3)
    assert outcome.output["measurements"]["baseline"]["run"] == "r0"


def test_a_result_against_itself_has_nothing_new(tmp_path: Path) -> None:
    attack(tmp_path)
    earlier = output_of(tmp_path, paths="auth.log")
    again: Any = perform(tmp_path, {"paths": "auth.log", "baseline": json.loads(json.dumps(earlier))}).output
    assert again["measurements"]["baseline"]["new_templates"] == 0
    assert again["measurements"]["baseline"]["changed_templates"] == 0


def test_a_result_against_one_with_few_of_its_templates_has_nothing_new(tmp_path: Path) -> None:
    rng = random.Random(3)
    kinds = [f"app[1]: step {''.join(rng.choices('ghijk', k=6))} of job {{}} ended" for _ in range(30)]
    rows = [(number, kind.format(number)) for number, kind in enumerate(kinds * 3 + kinds[:3] * 40)]
    (tmp_path / "a.log").write_text(syslog(rows))
    earlier = output_of(tmp_path, paths="a.log", top_templates=2)
    again: Any = perform(tmp_path, {"paths": "a.log"}, earlier=earlier).output
    assert again["measurements"]["baseline"]["new_templates"] == 0
    assert again["measurements"]["baseline"]["changed_templates"] == 0


def test_a_time_out_ends_it_in_a_run(tmp_path: Path) -> None:
    (tmp_path / "tools").mkdir()
    make_large(tmp_path)
    options = "{paths: tools/large.log, max_bytes: 1TiB}"
    text = f"version: 1\nnodes:\n  n: {{agent: log_analysis, timeout: 1s, with: {options}}}\n"
    run = run_text(text, Registry.installed(), root=tmp_path, inputs={})
    assert "timed out after 1 s" in str(run.node("n").error)


@pytest.mark.parametrize(
    "earlier", [None, 1, {}, {"measurements": []}, {"measurements": {"templates": [1, {"template": 2}]}}]
)
def test_an_earlier_output_of_another_shape_does_no_harm(earlier: Any, tmp_path: Path) -> None:
    attack(tmp_path)
    assert perform(tmp_path, {"paths": "auth.log"}, earlier=earlier or {}).status is NodeStatus.SUCCEEDED


def test_a_node_may_fail_on_what_was_found(tmp_path: Path) -> None:
    attack(tmp_path)
    outcome: Any = perform(tmp_path, {"paths": "auth.log", "fail_on": "high"})
    assert outcome.status is NodeStatus.FAILED
    assert outcome.output["severity"] == "high"
    assert perform(tmp_path, {"paths": "auth.log", "fail_on": "critical"}).status is NodeStatus.SUCCEEDED


def test_checks_choose_what_is_looked_for(tmp_path: Path) -> None:
    attack(tmp_path)
    assert findings(tmp_path, paths="auth.log", checks=["kernel", "rates"]) == {}


class Journalctl:
    """Writes what journalctl would."""

    def __init__(self, lines: list[str], stderr: bytes = b"") -> None:
        self.lines, self.stderr = lines, stderr
        self.command: Command | None = None

    async def run(self, command: Command, attempt: Any, emit: Any, masker: Any) -> ProcessEnd:
        self.command = command
        lines = reversed(self.lines) if "--reverse" in command.argv else self.lines
        text = "".join(line + "\n" for line in lines)
        Path(command.env["PIPE_LOGS_FILE"]).write_text(text[: int(command.env["PIPE_LOGS_MOST"])])
        return ProcessEnd(0, None, b"", self.stderr, 0.1)


def entry(at: datetime, priority: str, message: Any, **fields: str) -> str:
    return json.dumps(
        {
            "__REALTIME_TIMESTAMP": str(int(at.timestamp() * 1e6)),
            "PRIORITY": priority,
            "MESSAGE": message,
            "SYSLOG_IDENTIFIER": "app",
            "_PID": "5",
            "_HOSTNAME": "web1",
            **fields,
        }
    )


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")


@pytest.mark.usefixtures("there")
def test_the_journal_is_read_with_its_levels(tmp_path: Path) -> None:
    rows = [entry(BEGIN + timedelta(seconds=number), "6", f"served {number}") for number in range(50)]
    rows += [
        entry(BEGIN, "3", "first line\nsecond line"),
        entry(BEGIN, "4", list(b"bytes \xff")),
        entry(BEGIN, "6", None),
    ]
    launcher = Journalctl([*rows, '{"cut": '])
    options = {"journal": {"units": ["app.service"]}, "since": "2026-03-01T00:00:00Z"}
    output: Any = perform(tmp_path, options, launcher=launcher).output
    assert output["measurements"]["levels"] == {"fatal": 0, "error": 1, "warning": 1, "info": 51, "debug": 0, "none": 0}
    assert output["measurements"]["joined_lines"] == 1
    assert launcher.command is not None
    assert "--unit=app.service" in launcher.command.argv
    assert "--since=@1772323200" in launcher.command.argv
    assert list(tmp_path.glob("journal*")) == []


@pytest.mark.usefixtures("there")
def test_of_a_journal_that_is_too_large_the_newest_part_is_read(tmp_path: Path) -> None:
    rows = [entry(BEGIN + timedelta(minutes=number), "6", f"served {number}") for number in range(5000)]
    launcher = Journalctl([*rows, entry(BEGIN + timedelta(minutes=5000), "2", OOM)])
    output: Any = perform(
        tmp_path, {"journal": True, "max_bytes": 400_000}, launcher=launcher, now=BEGIN.timestamp() + 5000 * 60
    ).output
    assert [one["check"] for one in output["findings"]] == ["logs.oom", "logs.errors", "logs.source"]
    assert output["findings"][-1]["subject"] == "journal"
    assert "only its newest" in output["findings"][-1]["why"]
    assert output["measurements"]["partly_read"] == 1
    assert output["measurements"]["last_at"] == f"{BEGIN + timedelta(minutes=5000):%Y-%m-%dT%H:%M:%SZ}"
    assert output["measurements"]["lines"] > 2000
    assert output["measurements"]["files"][0]["times_back"] == 0


def test_lines_of_a_file_can_be_read_from_its_end(tmp_path: Path) -> None:
    rng = random.Random(4)
    for size in (0, 1, 5, 100):
        rows = [bytes(rng.choices(b"abc", k=rng.randrange(0, 30))) for _ in range(size)]
        (tmp_path / "x").write_bytes(b"".join(row + b"\n" for row in rows))
        for block in (1, 3, 64, 10_000):
            found = [line for piece in backwards(str(tmp_path / "x"), block) for line in piece]
            assert found == [row for row in reversed(rows) if row]


@pytest.mark.usefixtures("there")
def test_a_journal_that_may_not_be_read_is_told(tmp_path: Path) -> None:
    said = b"Hint: You are currently not seeing messages from other users and the system."
    output: Any = perform(tmp_path, {"journal": True}, launcher=Journalctl([entry(BEGIN, "6", "x")], said)).output
    assert [one["status"] for one in output["findings"]] == ["unavailable"]
    output = perform(tmp_path, {"journal": True}, launcher=Journalctl([], b"No journal files were found.")).output
    assert "No journal files" in output["findings"][0]["why"]
    said = b"Journal file system.journal is truncated, ignoring file."
    output = perform(tmp_path, {"journal": True}, launcher=Journalctl([entry(BEGIN, "6", "x")], said)).output
    assert [(one["status"], one["why"]) for one in output["findings"]] == [
        ("unavailable", f"journalctl says: {said.decode()}")
    ]


def test_without_journalctl_the_journal_is_unavailable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    output: Any = perform(tmp_path, {"journal": True, "text": "x"}).output
    assert output["findings"][0]["needs"] == "systemd; or name files with `paths`"


def test_without_drain3_lines_are_grouped_and_that_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "drain3.drain", None)
    attack(tmp_path)
    output = output_of(tmp_path, paths="auth.log")
    (told,) = [one for one in output["findings"] if one["check"] == "logs.templates"]
    assert told["needs"] == "pip install 'pipe-runner[ops]'"
