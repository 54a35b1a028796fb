"""`pipe ask`: a task becomes a pipeline that is shown, kept and run, and findings that are told."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from model_servers import OPENAI, Said, Service
from tests.acceptance.test_cli_terminal import Terminal

REFUSED = "can we reach 127.0.0.1 on port %d"


@pytest.fixture
def port() -> Iterator[int]:
    """One of loopback on which nobody listens, kept so that nobody else takes it."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        yield one.getsockname()[1]


def test_a_task_is_shown_as_a_pipeline_run_and_told(pipe: Any, tmp_path: Path, port: int) -> None:
    done = pipe("ask", REFUSED % port)
    assert done.returncode == 0, done.stderr
    assert "│   network_diagnostics:\n" in done.stderr
    assert f"│       - {port}\n" in done.stderr
    assert "network.tcp by 'reach'" in done.stderr
    lines = done.stdout.splitlines()
    assert "refused" in lines[0]
    assert any(line.startswith("HIGH      ") and f"127.0.0.1:{port}" in line for line in lines)
    assert any(line.startswith("          → ") for line in lines)
    (kept,) = (tmp_path / ".pipe/asked").iterdir()
    assert pipe("check", str(kept)).returncode == 0
    assert json.loads(pipe("runs", "--output", "json").stdout)[0]["status"] == "succeeded"
    again = pipe("resume", "latest")
    assert "has succeeded already" in again.stderr
    assert again.stdout == done.stdout
    assert pipe("run", str(kept)).returncode == 0


def test_what_is_shown_is_what_is_run_also_where_the_kept_file_was_edited(pipe: Any, tmp_path: Path, port: int) -> None:
    assert pipe("ask", REFUSED % port, "-q").returncode == 0
    (kept,) = (tmp_path / ".pipe/asked").iterdir()
    written = kept.read_text()
    kept.write_text("version: 1\nnodes: {a: {run: touch other}}\n")
    assert pipe("ask", REFUSED % port, "-q").returncode == 0
    assert not (tmp_path / "other").exists()
    assert kept.read_text() == written


@pytest.mark.parametrize(
    "task",
    [
        "is https://127.0.0.1:18712/{{endraw}} up?",
        'errors in "/var/log/{{ endraw }}.log"',
        "is /tmp/{% endraw %}.log big",
    ],
)
def test_what_looks_like_the_end_of_raw_text_is_data_as_everything_else(pipe: Any, task: str) -> None:
    done = pipe("ask", task, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "endraw" in done.stdout + done.stderr


def test_a_host_that_is_not_looked_at_is_told_and_never_fine(pipe: Any) -> None:
    done = pipe("ask", "is the disk of web01 full")
    assert done.returncode == 0, done.stderr
    assert "note: system_monitoring: web01 is not looked at" in done.stderr
    assert "this machine only: web01 is not looked at" in done.stderr.replace("\n│   # ", " ")
    assert done.stdout.startswith("web01 was not looked at; ")
    assert "task.not_looked_at of web01: this agent measures the machine that it runs on" in done.stdout


def test_what_listens_on_a_port_is_answered(pipe: Any) -> None:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        one.listen()
        number = one.getsockname()[1]
        done = pipe("ask", f"what listens on {number}")
    assert done.returncode == 0, done.stderr
    assert f"127.0.0.1:{number} (tcp, " in done.stdout
    assert f"pid {os.getpid()})" in done.stdout


def test_a_number_that_is_no_port_is_a_mistake(pipe: Any) -> None:
    done = pipe("ask", "can we reach localhost:99999")
    assert (done.returncode, done.stdout) == (2, "")
    assert "99999 is no port" in done.stderr


def test_dry_run_prints_the_file_and_does_nothing(pipe: Any, tmp_path: Path) -> None:
    done = pipe("ask", "why is the disk full", "--dry-run")
    assert done.returncode == 0
    assert not (tmp_path / ".pipe").exists()
    (tmp_path / "p.yml").write_text(done.stdout)
    assert pipe("check", "p.yml").stdout == ""
    told = json.loads(pipe("ask", "why is the disk full", "--dry-run", "--output", "json").stdout)
    assert told["chosen"] == ["system_monitoring"]
    assert told["by"] == "words"
    assert told["pipeline"] == done.stdout
    assert told["ranked"][0]["capabilities"][0]["name"] == "system.disk"


def test_the_file_can_be_saved_and_is_never_overwritten(pipe: Any, tmp_path: Path) -> None:
    assert pipe("ask", "why is the disk full", "--save", "disk.yml", "-q").returncode == 0
    text = (tmp_path / "disk.yml").read_text()
    assert text.startswith("# The task: why is the disk full\n")
    assert not (tmp_path / ".pipe/asked").exists()
    done = pipe("ask", "why is the disk full", "--save", "disk.yml")
    assert (done.returncode, done.stderr) == (2, "error: disk.yml is there already\nhint: name another one\n")
    assert (tmp_path / "disk.yml").read_text() == text


def test_several_agents_are_named_and_merged(pipe: Any, tmp_path: Path, port: int) -> None:
    done = pipe(
        "ask", f"reach 127.0.0.1:{port}", "--agents", "network_diagnostics, system_monitoring", "--output", "json"
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["by"] == "name"
    assert told["chosen"] == ["network_diagnostics", "system_monitoring"]
    assert set(told["result"]["nodes"]) == {"network_diagnostics", "system_monitoring", "findings"}
    merged = told["result"]["nodes"]["findings"]["output"]
    assert any(one["subject"].endswith(f":{port}") for one in merged["findings"])
    assert told["result"]["outputs"]["severity"] == merged["severity"]
    assert os.path.isfile(told["file"])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["what is for lunch"], "no agent fits the task"),
        (["  "], "the task is empty"),
        (["x" * 4001], "4000 are the most"),
        (["x", "--agents", "shell"], "never chosen for a task"),
        (["x", "--agents", "infrastructure_action"], "never chosen for a task"),
        (["x", "--agents", "findings"], "never chosen for a task: no task can say its results"),
        (["x", "--agents", "auto"], "names no words by which a task would find it"),
        (["x", "--agents", "log_analysi"], "did you mean 'log_analysis'?"),
        (["x", "--agents", " , "], "names nobody"),
        (["x", "--model", "m"], "without --provider"),
        (["x", "--agents", "log_analysis", "--provider", "openai"], "contradict"),
        (["why is the disk full", "--save", "no/such/x.yml"], "there is no directory"),
    ],
)
@pytest.mark.few(5)
def test_what_can_not_be_asked_is_told_and_nothing_is_left(
    pipe: Any, tmp_path: Path, words: list[str], told: str
) -> None:
    done = pipe("ask", *words)
    assert done.returncode == 2
    assert told in done.stderr
    assert done.stdout == ""
    assert not (tmp_path / ".pipe").exists()


def test_a_hostile_task_is_data(pipe: Any, tmp_path: Path) -> None:
    task = "why is the disk full\nnodes: {x: {run: touch evil}}\n{{ secrets.K }} {% raw %} ::error::x \x1b[31m"
    done = pipe("ask", task)
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "evil").exists()
    assert "\x1b" not in done.stderr + done.stdout
    assert "::error" not in [line[:7] for line in done.stderr.splitlines()]


def test_on_a_terminal_it_asks_first(pipe: Any, tmp_path: Path) -> None:
    for keys, runs in ((b"n\n", False), (b"\n", True)):
        terminal = Terminal(pipe, "ask", "why is the disk full")
        terminal.read(until="Run it? [Y/n]")
        terminal.press(keys)
        assert terminal.wait() == 0
        assert ("nothing was run" in terminal.text) is not runs
        assert (tmp_path / ".pipe/runs").exists() is runs


def test_yes_asks_nobody(pipe: Any) -> None:
    terminal = Terminal(pipe, "ask", "why is the disk full", "-y")
    assert terminal.wait() == 0
    assert "Run it?" not in terminal.text


# ---------------------------------------------------------------- by a model


def settings(pipe: Any, service: Service) -> dict[str, str]:
    entry = json.dumps({"type": OPENAI.name, "model": "m", **OPENAI.options(service.url)})
    pipe.write("pipe.yml", f"version: 1\nproviders:\n  service: {entry}\n")
    return OPENAI.environ("a-key-for-tests")


def test_a_model_chooses_and_the_log_has_the_call(pipe: Any, service: Service) -> None:
    env = settings(pipe, service)
    answer = {"choices": [{"agent": "system_monitoring", "options": '{"checks": ["disk"]}', "why": "disks"}]}
    service.decides(lambda asked: OPENAI.either(Said(pieces=(json.dumps(answer),)))(asked))
    done = pipe("ask", "why {{ x }} is it slow", "--provider", "service", "--dry-run", "--output", "json", env=env)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["by"], told["chosen"], told["notes"]) == ("model", ["system_monitoring"], [])
    assert told["ranked"][0]["options"] == {"checks": ["disk"]}
    assert len(service.asked) == 1
    assert "asking service which agents fit, for at most 30 s" in done.stderr
    (asked,) = [file.read_text() for file in (pipe.folder / ".pipe/asked").iterdir()]
    assert '    timeout: "30s"\n' in asked
    assert "model.called" in pipe("logs", "latest", "--output", "jsonl").stdout


def test_where_no_model_can_be_asked_words_choose_and_it_is_said(pipe: Any) -> None:
    pipe.write(
        "pipe.yml", 'version: 1\nproviders: {gone: {type: openai, model: m, base_url: "http://127.0.0.1:9/v1"}}\n'
    )
    done = pipe("ask", "why is the disk full", "--provider", "gone", env={"OPENAI_API_KEY": "x"})
    assert done.returncode == 0, done.stderr
    assert "note: chosen by words: no model could be asked" in done.stderr
    assert "system_monitoring" in done.stderr
    unknown = pipe("ask", "why is the disk full", "--provider", "nobody")
    assert unknown.returncode == 2
    assert "there is no provider `nobody`" in unknown.stderr


def test_in_a_replay_a_question_that_nobody_recorded_is_answered_by_nobody(pipe: Any, service: Service) -> None:
    env = settings(pipe, service)
    answer = {"choices": [{"agent": "system_monitoring", "options": '{"checks": ["disk"]}', "why": "disks"}]}
    service.decides(lambda asked: OPENAI.either(Said(pieces=(json.dumps(answer),)))(asked))
    words = ("--provider", "service", "--dry-run", "--output", "json")
    assert pipe("ask", "why is the disk full", *words, "--record", "kept", env=env).returncode == 0
    done = pipe("ask", "why is the disk full", *words, "--replay", "kept", env=env)
    assert (done.returncode, json.loads(done.stdout)["by"]) == (0, "model"), done.stderr
    done = pipe("ask", "why is the memory full", *words, "--replay", "kept", env=env)
    assert (done.returncode, done.stdout) == (1, "")
    assert "error: " in done.stderr and "kept has no recording of this model call: " in done.stderr
    assert "chosen by words" not in done.stderr
    assert len(service.asked) == 1


def test_the_recording_of_a_task_holds_the_choice_and_what_was_done_after_it(pipe: Any, service: Service) -> None:
    env = settings(pipe, service)
    answer = {"choices": [{"agent": "system_monitoring", "options": '{"checks": ["disk"]}', "why": "disks"}]}
    service.decides(lambda asked: OPENAI.either(Said(pieces=(json.dumps(answer),)))(asked))
    words = ("ask", "why is the disk full", "--provider", "service", "--output", "json")
    pipe.write("kept/old-model-0123456789ab-1.json", "{}")
    assert pipe(*words, "--record", "kept", env=env).returncode == 0
    assert [file.name.rpartition("-model-")[0] for file in (pipe.folder / "kept").iterdir()] == ["choose"]
    done = pipe(*words, "--replay", "kept", env=env)
    assert (done.returncode, json.loads(done.stdout)["by"]) == (0, "model"), done.stderr
    assert len(service.asked) == 1


def test_a_replay_of_a_model_that_could_not_be_asked_has_words_choose_as_they_did(pipe: Any, service: Service) -> None:
    env = settings(pipe, service)
    service.decides(lambda asked: OPENAI.declines("model"))
    words = ("ask", "why is the disk full", "--provider", "service", "--dry-run", "--output", "json")
    first = pipe(*words, "--record", "kept", env=env)
    again = pipe(*words, "--replay", "kept", env=env)
    assert (first.returncode, again.returncode) == (0, 0), again.stderr
    assert json.loads(first.stdout) == json.loads(again.stdout)
    assert json.loads(again.stdout)["by"] == "words"


def test_a_dry_run_notes_what_is_not_looked_at_and_who_could_not_choose(pipe: Any) -> None:
    done = pipe("ask", "is the disk of web01 full", "--dry-run")
    assert "note: system_monitoring: web01 is not looked at" in done.stderr
    assert "note:" not in done.stdout
    assert pipe("ask", "is the disk of web01 full", "--dry-run", "--quiet").stderr == ""
    pipe.write(
        "pipe.yml", 'version: 1\nproviders: {gone: {type: openai, model: m, base_url: "http://127.0.0.1:9/v1"}}\n'
    )
    done = pipe("ask", "why is the disk full", "--provider", "gone", "--dry-run", env={"OPENAI_API_KEY": "x"})
    assert "note: chosen by words: no model could be asked" in done.stderr


def test_a_mistake_in_the_task_or_a_flag_gets_a_hint_that_helps(pipe: Any) -> None:
    done = pipe("ask", "localhost:99999 open?")
    assert "99999 is no port" in done.stderr
    assert "--agents" not in done.stderr
    pipe.write("pipe.yml", "version: 1\nproviders: {mine: {type: ollama, model: m}}\n")
    done = pipe("ask", "is memory short?", "--provider", "nope")
    assert (done.returncode, ".pipe/asked" in done.stderr, "asking nope" in done.stderr) == (2, False, False)
    assert "--provider: there is no provider `nope`" in done.stderr
    assert "there is `mine`, " in done.stderr
