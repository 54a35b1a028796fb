"""Whoever may write a name or a message into a log can't make facts with it that the log doesn't have."""

from __future__ import annotations

from pathlib import Path

import pytest
from logs_reading import analysed, findings

SSH = "Mar  1 12:00:{:02} web1 sshd[5]: Failed password for invalid user {} from 203.0.113.9 port 7 ssh2\n"


@pytest.mark.parametrize("user", ["x from 8.8.8.8 port 1 ssh2", "x from 8.8.8.8", "rhost=8.8.8.8", "root", ""])
def test_a_user_that_calls_itself_a_source_is_none(tmp_path: Path, user: str) -> None:
    (tmp_path / "auth.log").write_text("".join(SSH.format(number, user) for number in range(15)))
    found = analysed(tmp_path, paths="auth.log")["logins"]
    assert [(one["source"], one["failures"]) for one in found["sources"]] == [("203.0.113.9", 15)]


SAID = (
    'chat user=bob said "kernel: Out of memory: Killed process 1234 (java)"',
    'chat user=bob said "Failed password for root from 9.9.9.9 port 1 ssh2"',
    "chat text='Kernel panic - not syncing: x'",
    'got "Accepted password for root from 9.9.9.9 port 1 ssh2"',
    'name="Invalid user x from 9.9.9.9 port 1"',
    'comment: "task x:5 blocked for more than 120 seconds"',
)


@pytest.mark.parametrize("said", SAID)
def test_what_somebody_said_is_no_message_of_the_kernel_or_sshd(tmp_path: Path, said: str) -> None:
    for name, head in (("a", "2026-03-01 12:00:{:02} INFO {}\n"), ("b", "Mar  1 12:00:{:02} web1 app[1]: {}\n")):
        (tmp_path / f"{name}.log").write_text("".join(head.format(number, said) for number in range(30)))
        assert findings(tmp_path, paths=f"{name}.log") == {}


MEANT = {
    "oom": (
        "Mar  1 12:00:00 web1 kernel: [12345.678901] Out of memory: Killed process 1234 (java)",
        "Mar  1 12:00:00 web1 kernel: [12345.678901] java invoked oom-killer: gfp_mask=0x1, order=0",
        "2026-03-01T12:00:00Z web1 kernel: oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null)",
        "[12345.678901] Memory cgroup out of memory: Killed process 5 (x)",
        "some prefix of nobody web1 kernel: Out of memory: Killed process 1234 (java)",
    ),
    "panic": (
        "Mar  1 12:00:00 web1 kernel: [1.2] Internal error: Oops: 96000004 [#1] SMP",
        "[    1.234567] NMI watchdog: BUG: soft lockup - CPU#1 stuck for 22s!",
    ),
    "hung_task": ("Mar  1 12:00:00 web1 kernel: [1.2] INFO: task x:5 blocked for more than 120 seconds.",),
}


@pytest.mark.parametrize("check", MEANT)
def test_what_the_kernel_says_is_found(tmp_path: Path, check: str) -> None:
    for line in MEANT[check]:
        (tmp_path / "a.log").write_text(line + "\n")
        assert f"logs.{check}:all" in findings(tmp_path, paths="a.log"), line
