"""Logs as well-known programs write them: each line's level, and that it has a time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from logs_reading import analysed, findings

from pipe_agents.logs.journal import line_of

LOGS = {
    "mysql": (
        "2026-03-01T12:00:00.123456Z 0 [Warning] [MY-010068] [Server] CA certificate ca.pem is self signed.",
        "2026-03-01T12:00:01.123456Z 9 [ERROR] [MY-012592] [InnoDB] Operating system error number 2.",
        "2026-03-01T12:00:02.123456Z 0 [Note] [MY-010308] [Server] Skipping generation of SSL certificates.",
    ),
    "envoy": (
        "[2026-03-01 12:00:00.123][1][warning][config] [source/x.cc:1] gRPC config stream closed",
        "[2026-03-01 12:00:01.123][1][error][main] [source/x.cc:1] bad",
        "[2026-03-01 12:00:02.123][1][info][main] [source/server/server.cc:390] initializing epoch 0",
    ),
    "tomcat": (
        "01-Mar-2026 12:00:00.123 WARNING [main] org.apache.catalina.core.StandardContext.setPath A path must begin so",
        "01-Mar-2026 12:00:01.123 SEVERE [main] org.apache.catalina.core.StandardContext.startInternal It did not",
        "01-Mar-2026 12:00:02.123 INFO [main] org.apache.catalina.startup.VersionLoggerListener.log Apache Tomcat",
    ),
    "php": (
        "[01-Mar-2026 12:00:00 UTC] PHP Warning:  Undefined variable $x in /var/www/a.php on line 3",
        "[01-Mar-2026 12:00:01 UTC] PHP Fatal error:  Uncaught Error: no foo() in /var/www/a.php:4",
        "Stack trace:",
        "#0 /var/www/b.php(12): foo()",
        "#1 {main}",
        "  thrown in /var/www/a.php on line 4",
        "[01-Mar-2026 12:00:02 UTC] PHP Notice:  Undefined index: y in /var/www/a.php on line 3",
    ),
    "php_elsewhere": (
        "[01-Mar-2026 13:00:00 Europe/Vienna] PHP Warning:  Undefined variable $x in /var/www/a.php on line 3",
        "[01-Mar-2026 13:00:01 Europe/Vienna] PHP Parse error:  syntax error in /var/www/a.php:4",
        "[01-Mar-2026 13:00:02 Europe/Vienna] PHP Notice:  Undefined index: y in /var/www/a.php on line 3",
    ),
    "laravel": (
        '[2026-03-01 12:00:01] production.ERROR: SQLSTATE[HY000] [2002] Connection refused {"exception":"[object] (x)',
        "[stacktrace]",
        *(f"#{number} /var/www/vendor/laravel/Connection.php({number}): Pdo->query()" for number in range(40)),
        "#40 {main}",
        '"} ',
        "[2026-03-01 12:00:02] production.WARNING: hm",
        "[2026-03-01 12:00:02] production.INFO: hello",
    ),
    "zerolog": (
        "2026-03-01T12:00:00Z WRN hm",
        "2026-03-01T12:00:01Z ERR Unable to obtain ACME certificate for domains",
        "2026-03-01T12:00:02Z INF Traefik version 3.0.0",
    ),
    "bind": (
        "01-Mar-2026 12:00:00.123 general: warning: zone x/IN: hm",
        "01-Mar-2026 12:00:01.123 general: error: zone x/IN: loading from master file failed: file not found",
        "01-Mar-2026 12:00:02.123 general: info: managed-keys-zone: loaded serial 0",
    ),
    "unbound": (
        "[1772366400] unbound[1:0] warning: hm",
        "[1772366401] unbound[1:0] error: SSL_read syscall: Connection reset by peer",
        "[1772366402] unbound[1:0] info: start of service (unbound 1.17.1).",
    ),
    "github": (
        "2026-03-01T12:00:00.1234567Z ##[warning]Node.js 16 actions are deprecated.",
        "2026-03-01T12:00:01.1234567Z ##[error]Process completed with exit code 1.",
        "2026-03-01T12:00:02.1234567Z ##[info]done",
    ),
    "a_service": (
        "2026-03-01T12:00:00Z WARN db: slow",
        "2026-03-01T12:00:01Z ERROR db: connection refused",
        "2026-03-01T12:00:02Z INFO http: listening",
    ),
    "a_service_in_brackets": (
        "2026-03-01T12:00:00Z [WARN] db: slow",
        "2026-03-01T12:00:01Z [error] db: connection refused",
        "2026-03-01T12:00:02Z [INFO] http: listening",
    ),
    "a_script": (
        "2026-03-01T12:00:00Z WARNING: db: slow",
        "2026-03-01T12:00:01Z ERROR: db: connection refused",
        "2026-03-01T12:00:02Z info: http: listening",
    ),
    "a_script_in_brackets": (
        "Mar  1 12:00:00 [WARN]: db: slow",
        "Mar  1 12:00:01 [ERROR]: db: connection refused",
        "Mar  1 12:00:02 [info]: http: listening",
    ),
    "machines_called_like_levels": (
        "2026-03-01T12:00:00Z info app[1]: WARNING slow",
        "2026-03-01T12:00:01Z info app[1]: ERROR bad",
        "2026-03-01T12:00:02Z ERRORS-1 app[1]: INFO started",
    ),
    "asterisk": (
        "[Mar  1 12:00:00] WARNING[123]: x.c:1 y: hm",
        "[Mar  1 12:00:01] ERROR[123]: x.c:1 y: bad",
        "[Mar  1 12:00:02] NOTICE[123]: chan_sip.c:1 z: registered",
    ),
}
TIMELESS = {
    "serilog": ("[12:00:00 WRN] hm", "[12:00:01 ERR] bad", "[12:00:02 INF] started"),
    "aspnet": (
        "warn: Microsoft.X[3]",
        "      hm",
        "fail: Microsoft.AspNetCore.Server.Kestrel[13]",
        "      System.Exception: boom",
        "         at Program.Main() in /x.cs:line 3",
        "info: Microsoft.Hosting.Lifetime[14]",
        "      Now listening on: http://localhost:5000",
    ),
    "logrus": ("WARN[0000] hm", "ERRO[0001] bad", "INFO[0002] started                port=80"),
}


@pytest.mark.parametrize("program", LOGS)
def test_lines_of_well_known_programs_have_their_levels_and_times(program: str, tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("\n".join(LOGS[program]) + "\n")
    zone = "Europe/Vienna" if "Europe/Vienna" in LOGS[program][0] else "UTC"
    found = analysed(tmp_path, paths="a.log", timezone=zone)
    assert {level: count for level, count in found["levels"].items() if count} == {"error": 1, "warning": 1, "info": 1}
    assert (found["untimed_entries"], found["last_at"]) == (0, "2026-03-01T12:00:02Z")


@pytest.mark.parametrize("program", TIMELESS)
def test_lines_without_a_date_have_their_levels(program: str, tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("\n".join(TIMELESS[program]) + "\n")
    found = analysed(tmp_path, paths="a.log")
    assert {level: count for level, count in found["levels"].items() if count} == {"error": 1, "warning": 1, "info": 1}


@pytest.mark.parametrize(
    "line",
    ["Sun Nov 24 10:00:01 2024 us=1 hello", "Sun Nov 24 10:00:01 UTC 2024 hello", "Nov 24 10:00:01.123456 2024 hello"],
)
def test_no_time_has_another_year_than_the_one_behind_it(line: str, tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text(f"{line}\n" * 3)
    assert analysed(tmp_path, paths="a.log")["first_at"] in (None, "2024-11-24T10:00:01Z")


PRINTED = [
    ("ERROR: cannot connect to db", "error"),
    ("2026-03-01 12:00:00,123 WARNING app: slow", "warning"),
    ("E0301 12:00:00.123456    1 x.go:1] bad", "error"),
    ('time="2026-03-01T12:00:00Z" level=error msg="bad"', "error"),
    ("INFO started", "info"),
    ("started", "info"),
    ("water level=3", "info"),
    ("Parse: 3 files in 20 ms", "info"),
    ("(root) CMD (grep -c ERROR /var/log/app.log)", "info"),
    ("bob : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/usr/bin/grep FATAL /var/log/app.log", "info"),
    ("fail - 0 of 20 checks", "info"),
    ("fail: 0, pass: 20", "info"),
]


@pytest.mark.parametrize(("message", "level"), PRINTED)
def test_what_a_service_prints_has_the_level_that_it_names(message: str, level: str, tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text(f"<30>1 2026-03-01T12:00:00Z web1 app 7 - - {message}\n")
    (tmp_path / "b.log").write_text(json.dumps({"PRIORITY": "6", "MESSAGE": message}) + "\n")
    for name in ("a.log", "b.log"):
        levels = analysed(tmp_path, paths=name, timezone="UTC")["levels"]
        assert {one: count for one, count in levels.items() if count} == {level: 1}


def test_a_priority_other_than_info_is_the_level(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("<27>1 2026-03-01T12:00:00Z web1 app 7 - - INFO said\n")
    assert analysed(tmp_path, paths="a.log")["levels"]["error"] == 1


@pytest.mark.parametrize(
    ("message", "level"),
    [
        ("listening on 8080", "none"),
        ("INFO listening on 8080", "info"),
        ("ERROR bad", "error"),
        ("Traceback (most recent call last):", "none"),
    ],
)
def test_what_a_container_prints_on_stderr_is_no_error_by_that(message: str, level: str, tmp_path: Path) -> None:
    said = {"__REALTIME_TIMESTAMP": "1772366400000000", "PRIORITY": "3", "MESSAGE": message, "CONTAINER_NAME": "web"}
    (tmp_path / "a.log").write_text(json.dumps(said) + "\n")
    line = line_of(json.dumps(said).encode())
    assert line is not None
    (tmp_path / "b.log").write_bytes(line + b"\n")
    for name in ("a.log", "b.log"):
        levels = analysed(tmp_path, paths=name)["levels"]
        assert {one: count for one, count in levels.items() if count} == {level: 1}


def test_a_traceback_alone_is_something_found(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text('Traceback (most recent call last):\n  File "a.py", line 1\nValueError: bad\n')
    assert [one["check"] for one in findings(tmp_path, paths="a.log").values()] == ["logs.words"]


HEROKU = [
    ('heroku[router]: at=error code=H12 desc="Request timeout" method=GET path="/" status=503', "error"),
    ('heroku[router]: at=info method=GET path="/error" host=app.example status=200', "info"),
    ("heroku[web.1]: Error R14 (Memory quota exceeded)", "error"),
    ("app[web.1]: we meet at=home", "none"),
]


@pytest.mark.parametrize(("message", "level"), HEROKU)
def test_the_levels_of_heroku_are_read(message: str, level: str, tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text(f"2026-03-01T12:00:00.123456+00:00 {message}\n")
    levels = analysed(tmp_path, paths="a.log")["levels"]
    assert {one: count for one, count in levels.items() if count} == {level: 1}
