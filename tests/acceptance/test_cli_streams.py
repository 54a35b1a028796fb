"""What becomes of a command whose stdout is full, gone, or of an encoding that doesn't have what is to be said."""

from __future__ import annotations

import builtins
import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest

from pipe_runner.cli import main

TWO = "version: 1\nnodes: {a: {run: echo hi}, b: {run: echo ho}}\n"
PIPE = str(Path(sys.executable).with_name("pipe"))
BUFFERED = pytest.mark.parametrize("unbuffered", ["", "1"])


def to(pipe: Any, stdout: int, *words: str, **env: str) -> tuple[int, str]:
    done = subprocess.run(
        [PIPE, *words], cwd=pipe.folder, env={**pipe.env, **env}, stdout=stdout, stderr=subprocess.PIPE, text=True
    )
    return done.returncode, done.stderr


@BUFFERED
@pytest.mark.parametrize("output", ["jsonl", "json"])
def test_a_full_stdout_is_told_once_and_with_74(pipe: Any, unbuffered: str, output: str) -> None:
    pipe.write("p.yml", TWO)
    with open("/dev/full", "wb") as full:
        code, said = to(pipe, full.fileno(), "run", "p.yml", "-q", "--output", output, PYTHONUNBUFFERED=unbuffered)
    assert (code, said) == (74, "error: cannot write to stdout: No space left on device\n")


@BUFFERED
@pytest.mark.parametrize(
    "words",
    ["--help", "--version", "run --help", "runs", "show latest", "logs latest", "schema", "graph p.yml", "agents"],
)
@pytest.mark.few(5)
def test_a_reader_who_has_gone_away_is_no_fault(pipe: Any, unbuffered: str, words: str) -> None:
    pipe.write("p.yml", TWO)
    assert pipe("run", "p.yml").returncode == 0
    reading, writing = os.pipe()
    os.close(reading)
    try:
        assert to(pipe, writing, *words.split(), PYTHONUNBUFFERED=unbuffered) == (0, "")
    finally:
        os.close(writing)


@BUFFERED
@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("check wrong.yml", 1),
        ("test t.test.yml --junit t.xml", 1),
        ("test t.test.yml --output json --junit t.xml", 1),
        ("eval e.eval.yml --junit e.xml", 1),
        ("lock --check", 1),
        ("providers mine --check", 1),
    ],
)
@pytest.mark.few(3)
def test_a_failure_stays_one_where_the_reader_has_gone_away(pipe: Any, unbuffered: str, words: str, code: int) -> None:
    pipe.write("pipe.yml", "version: 1\nproviders: {mine: {type: openai, base_url: 'http://127.0.0.1:9', model: m}}\n")
    pipe.write("p.yml", "version: 1\nnodes: {a: {run: echo hi}}\noutputs: {o: '{{ nodes.a.output }}'}\n")
    pipe.write("t.test.yml", "version: 1\npipeline: p.yml\ncases: {c: {expect: {outputs: {o: ho}}}}\n")
    pipe.write(
        "e.eval.yml",
        "version: 1\npipeline: p.yml\ncases: [{name: c}]\nsamples: 1\ngraders: {g: {expression: output.o == 'ho'}}\n",
    )
    if words.startswith("check"):
        pipe.write("wrong.yml", "version: 1\nnodes: {a: {}}\n")
    reading, writing = os.pipe()
    os.close(reading)
    try:
        found, said = to(pipe, writing, *words.split(), PYTHONUNBUFFERED=unbuffered)
    finally:
        os.close(writing)
    assert found == code, said
    named = words.rpartition("--junit ")[2]
    assert not named.endswith(".xml") or "<testsuite" in (pipe.folder / named).read_text()


@pytest.mark.parametrize("encoding", ["utf-8:surrogateescape", "ascii:surrogateescape", "utf-8:surrogatepass", "ascii"])
@pytest.mark.few(2)
def test_s11_no_encoding_of_the_streams_is_a_reason_to_fail(pipe: Any, encoding: str) -> None:
    pipe.write("p.yml", "version: 1\nnodes: {a: {run: \"printf '%s' 'é…' && exit 3\"}}\noutputs: {o: \"é\"}\n")
    env = {"PYTHONIOENCODING": encoding}
    assert pipe("run", "p.yml", env=env).returncode == 1
    assert pipe("check", "a\udcff\ud800é.yml".replace("\ud800", ""), env=env).returncode == 2
    pipe.write("wrong.yml", "version: 1\nnodes: {é…: {}}\n")
    assert pipe("check", "wrong.yml", env=env).returncode == 1


def test_an_interrupt_before_the_boundary_stands_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def interrupted(name: str, *more: Any, **others: Any) -> Any:
        if name == "pipe_runner.cli.boundary":
            raise KeyboardInterrupt
        return real(name, *more, **others)

    monkeypatch.setattr(builtins, "__import__", interrupted)
    assert main(["--version"]) == 130


def test_logs_does_not_give_a_terminal_what_a_node_s_name_in_the_log_says(pipe: Any) -> None:
    pipe.write("p.yml", "version: 1\nnodes: {a: {run: echo hi}}\n")
    assert pipe("run", "p.yml").returncode == 0
    path = pipe.folder / ".pipe" / "runs" / pipe.run_id() / "log.jsonl"
    lines = []
    for line in path.read_bytes().splitlines():
        bare = line[: line.rindex(b',"crc"')].replace(b'"node":"a"', b'"node":"a\\u001b]0;x\\u0007"')
        lines.append(bare + b',"crc":"%08x"}' % crc32(bare))
    path.write_bytes(b"\n".join(lines) + b"\n")
    for words in ((), ("a\x1b]0;x\x07",), ("b",)):
        done = pipe("logs", "latest", *words)
        assert "\x1b" not in done.stdout + done.stderr
        assert words == ("b",) or "hi" in done.stdout


class Counting(io.StringIO):
    """Counts what is written to it."""

    writes = 0

    def write(self, text: str) -> int:
        self.writes += 1
        return super().write(text)


def test_logs_writes_lines_together_that_a_node_printed_together(pipe: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pipe.write("p.yml", "version: 1\nnodes: {a: {run: seq 5000}}\n")
    assert pipe("run", "p.yml").returncode == 0
    stdout = Counting()
    monkeypatch.setattr(sys, "stdout", stdout)
    assert main(["logs", "latest", "--state-dir", str(pipe.folder / ".pipe")]) == 0
    assert stdout.getvalue().count("\na | ") == 5000
    assert stdout.writes < 50
