"""Settings, dry runs, doctor's findings and the error boundary, each on its own."""

from __future__ import annotations

import io
import os
import re
from math import inf
from pathlib import Path

import pytest

from pipe_runner.cli import boundary, machine
from pipe_runner.cli.preview import written
from pipe_runner.cli.settings import duration, folders, run_settings, said, state_dir, whole
from pipe_runner.cli.words import Given
from pipe_runner.errors import LogDamaged, PipeError, UsageError
from pipe_runner.types import Durability

NOTHING = Given(
    {"grace": None, "durability": None, "concurrency": None, "state_dir": None, "cache_domain": None, "explain": False}
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("250ms", 0.25), ("90s", 90), ("10m", 600), ("1h30m", 5400), ("1d", 86400), ("0", 0), ("1.5s", 1.5)],
)
def test_a_duration_has_a_unit(text: str, seconds: float) -> None:
    assert duration(text, "--grace") == seconds


@pytest.mark.parametrize("text", ["10", "s", "-1s", "1 s", "", "1s ", "ten", "1y", "9" * 50 + "s", "367d"])
def test_anything_else_is_no_duration(text: str) -> None:
    with pytest.raises(UsageError, match="--grace"):
        duration(text, "--grace")


@pytest.mark.parametrize("text", ["1s1h", "1s1s", "1000000000000d"])
def test_a_flag_takes_the_durations_that_a_file_takes(text: str) -> None:
    with pytest.raises(UsageError, match="is not a duration"):
        duration(text, "--grace")


def test_an_age_may_be_longer_than_a_year() -> None:
    assert duration("380000d", "--older-than", inf) == 380000 * 86400


@pytest.mark.parametrize("text", ["1.5", "x", "", "1_0", "٣", "9999999999"])
def test_a_whole_number_has_digits_only(text: str) -> None:
    with pytest.raises(UsageError):
        whole(text, "--limit")


def test_flag_beats_variable_beats_pipe_yml_beats_default() -> None:
    flag = Given(
        {
            "grace": "1s",
            "durability": "os",
            "concurrency": "2",
            "cache_domain": "pr",
            "explain": True,
            "state_dir": None,
        }
    )
    env = {"PIPE_GRACE": "2s", "PIPE_DURABILITY": "full", "PIPE_CONCURRENCY": "3", "PIPE_CACHE_DOMAIN": "main"}
    project = {"grace": 3.0, "durability": "os"}
    first = run_settings(flag, "s", project, environ=env)
    second = run_settings(NOTHING, "s", project, environ=env)
    third = run_settings(NOTHING, "s", project, environ={})
    fourth = run_settings(NOTHING, "s", {}, environ={"PIPE_GRACE": ""})
    assert (first.grace, first.durability, first.concurrency) == (1.0, Durability.OS, 2)
    assert (second.grace, second.durability, second.concurrency) == (2.0, Durability.FULL, 3)
    assert (third.grace, third.durability, third.concurrency) == (3.0, Durability.OS, None)
    assert [one.cache_domain for one in (first, second, third)] == ["pr", "main", ""]
    assert (first.explain, second.explain) == (True, False)
    assert (fourth.grace, fourth.durability) == (10.0, Durability.FULL)


def test_a_grace_of_nothing_in_pipe_yml_is_not_the_default() -> None:
    assert run_settings(NOTHING, "s", {"grace": 0.0}, environ={}).grace == 0.0


def test_a_folder_of_recordings_counts_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pipe.yml").write_text("version: 1\n")
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path / "sub")
    assert folders(Given({"record": "kept", "replay": None})) == (str(tmp_path / "sub" / "kept"), None)


def test_what_a_wrong_variable_says_is_told_with_its_name() -> None:
    for text, words in (
        ("-1", "-1 is not between 1 and 10000"),
        ("10001", "10001 is not between 1 and 10000"),
        ("99999999999", "99999999999 is not between 1 and 10000"),
        ("9" * 5000, f"{'9' * 40}… is not between 1 and 10000"),
        ("x", "'x' is not a whole number between 1 and 10000"),
        ("1.5", "'1.5' is not a whole number between 1 and 10000"),
    ):
        with pytest.raises(UsageError, match=f"PIPE_CONCURRENCY: {re.escape(words)}$"):
            run_settings(NOTHING, "s", {}, environ={"PIPE_CONCURRENCY": text})
    with pytest.raises(UsageError, match="PIPE_CONCURRENCY: 0 is not between"):
        run_settings(NOTHING, "s", {}, environ={"PIPE_CONCURRENCY": "0"})
    with pytest.raises(UsageError, match="PIPE_CACHE_DOMAIN: 'a/b' can't name a domain"):
        run_settings(NOTHING, "s", {}, environ={"PIPE_CACHE_DOMAIN": "a/b"})
    with pytest.raises(UsageError, match="PIPE_DURABILITY"):
        run_settings(NOTHING, "s", {}, environ={"PIPE_DURABILITY": "some"})


def test_the_state_directory_is_absolute_wherever_it_was_said() -> None:
    assert state_dir(NOTHING, "/project", {}) == "/project/.pipe"
    assert state_dir(NOTHING, "/project", {"PIPE_STATE_DIR": "x"}) == os.path.join(os.getcwd(), "x")
    assert said(Given({"state_dir": "y"}), "state_dir", {"PIPE_STATE_DIR": "x"}) == ("y", "--state-dir")


def test_a_dry_run_writes_templates_as_the_file_has_them() -> None:
    template = {"$": {"k": "reference", "s": "nodes.a.output", "b": [], "r": [], "w": True}}
    text = {"$text": {"k": "text", "s": "x {{ item }}", "b": [], "r": [], "w": False}}
    data = {"a": template, "b": [text, 1, None], "c": {"$map": [["$d", template]]}}
    assert written(data) == {
        "a": "{{ nodes.a.output }}",
        "b": ["x {{ item }}", 1, None],
        "c": {"$d": "{{ nodes.a.output }}"},
    }


# ---------------------------------------------------------------- doctor


def test_doctor_finds_a_slow_disk_and_one_that_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = str(tmp_path / "not" / "there")
    assert machine.sync(state).status == "ok"
    monkeypatch.setattr(machine, "_SLOW_SYNC", 0.0)
    slow = machine.sync(state)
    assert slow.status == "warn" and "--durability os" in slow.do

    def refuse(fd: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fdatasync", refuse)
    assert machine.sync(state).status == "fail"
    assert list(tmp_path.iterdir()) == []


def test_doctor_finds_locks_that_do_not_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl

    assert machine.locks(str(tmp_path)).status == "ok"
    monkeypatch.setattr(fcntl, "flock", lambda *args: None)
    assert machine.locks(str(tmp_path)).status == "fail"


def test_doctor_finds_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert machine.git().status == machine.bash().status == "warn"
    assert machine.shell().status == "ok"


def test_doctor_says_whether_a_process_that_empties_its_environment_is_caught() -> None:
    assert "empty their environment" in machine.subreaper().found


# ---------------------------------------------------------------- the boundary


def test_every_explained_fault_has_its_exit_code_and_its_hint(capsys: pytest.CaptureFixture[str]) -> None:
    def broken(words: list[str]) -> int:
        raise LogDamaged("x/log.jsonl", 5, 2, "crc")

    assert boundary.guarded(broken, []) == 74
    assert capsys.readouterr().err.startswith("error: x/log.jsonl: log damaged at byte 5 (line 2): crc\nhint: ")


def test_a_fault_inside_of_a_group_is_found(capsys: pytest.CaptureFixture[str]) -> None:
    def broken(words: list[str]) -> int:
        raise ExceptionGroup("tasks", [ValueError("x"), ExceptionGroup("inner", [PipeError("the cause")])])

    assert boundary.guarded(broken, []) == 1
    assert capsys.readouterr().err == "error: the cause\n"


def test_an_interrupt_exits_with_130(capsys: pytest.CaptureFixture[str]) -> None:
    def broken(words: list[str]) -> int:
        raise KeyboardInterrupt

    assert boundary.guarded(broken, []) == 130


def test_s8_an_error_s_data_is_shown_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    def broken(words: list[str]) -> int:
        raise UsageError("no \x1b[2J file\n::error::x ##[y]", hint="\u202e")

    boundary.guarded(broken, [])
    assert capsys.readouterr().err == "error: no \\x1b[2J file\n\\x3a:error::x \\x23#[y]\nhint: \\u202e\n"


def test_a_crash_report_has_places_and_types_and_no_words(capsys: pytest.CaptureFixture[str]) -> None:
    def broken(words: list[str]) -> int:
        secret = "hunter2"
        try:
            raise KeyError(secret)
        except KeyError as error:
            raise RuntimeError(secret) from error

    assert boundary.guarded(broken, ["--password", "hunter2"]) == 3
    text = capsys.readouterr().err
    assert "builtins.RuntimeError" in text and "builtins.KeyError" in text and "in broken" in text
    assert "hunter2" not in text


def test_colours_need_a_terminal_and_nobody_against_it(monkeypatch: pytest.MonkeyPatch) -> None:
    class Tty(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert boundary.colours(Tty())
    assert not boundary.colours(io.StringIO())
    for unknown in ("dumb", ""):
        monkeypatch.setenv("TERM", unknown)
        assert not boundary.colours(Tty())
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    assert not boundary.colours(Tty())
