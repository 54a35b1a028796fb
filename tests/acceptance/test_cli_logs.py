"""`pipe logs`: what it prints of logs that are long, cut short, or written by somebody else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest

from pipe_runner.cli import main

TEXT = """version: 1
nodes:
  a: {run: 'echo one; echo two'}
  b: {needs: [a], for_each: {items: [x, y]}, run: echo three}
"""


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    """The log of a run `r` in the working directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p.yml").write_text(TEXT)
    assert main(["run", "p.yml", "--run-id", "r"]) == 0
    capsys.readouterr()
    return tmp_path / ".pipe/runs/r/log.jsonl"


def sealed(event: dict[str, Any], **how: Any) -> bytes:
    body = json.dumps({name: value for name, value in event.items() if name != "crc"}, **how)[:-1]
    return f'{body},"crc":"{crc32(body.encode()):08x}"}}\n'.encode()


def test_what_a_node_printed_comes_before_the_end_of_the_log_is_read(
    log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join([*lines[:-2], b"damage\n", lines[-1]]))
    assert main(["logs", "r", "a"]) == 74
    printed = capsys.readouterr()
    assert printed.out == "one\ntwo\n"
    assert "log damaged at byte" in printed.err


@pytest.mark.parametrize(
    ("node", "hint"), [("b[elsewhere]", "its items: b[0], b[1]"), ("a.b", "its nodes: a, b"), ("c", "its nodes: a, b")]
)
@pytest.mark.parametrize("more", [[], ["-f"], ["--output", "jsonl"]])
def test_a_node_or_an_item_that_the_run_has_not_is_told_with_those_it_has(
    log: Path, capsys: pytest.CaptureFixture[str], node: str, hint: str, more: list[str]
) -> None:
    assert main(["logs", "r", node, *more]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert f"run r has no node {node}" in printed.err
    assert hint in printed.err


def test_jsonl_is_the_log_byte_for_byte_whoever_wrote_it(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    events = [json.loads(line) for line in log.read_bytes().splitlines()]
    for event in events:
        event["newer"] = {"b": 1.50, "a": 1e2}
    log.write_bytes(b"".join(sealed(event) for event in events))
    assert main(["logs", "r", "--output", "jsonl"]) == 0
    assert capsys.readouterr().out.encode() == log.read_bytes()


@pytest.mark.parametrize("odd", [b"\x7f", b"\r"])
def test_s8_jsonl_gives_a_terminal_no_control_byte_that_somebody_put_into_a_line(
    log: Path, capsys: pytest.CaptureFixture[str], odd: bytes
) -> None:
    first, _, rest = log.read_bytes().partition(b"\n")
    body = first[: first.rindex(b',"crc"')].replace(b'"v":1', odd.replace(b"\x7f", b'"x":"\x7f",') + b'"v":1')
    log.write_bytes(body + b',"crc":"%08x"}\n' % crc32(body) + rest)
    assert main(["logs", "r", "--output", "jsonl"]) == 0
    assert odd.decode() not in capsys.readouterr().out


def test_logs_has_a_last_line_that_only_lacks_its_newline_as_show_has(
    log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log.write_bytes(log.read_bytes()[:-1])
    assert main(["show", "r"]) == 0
    assert "status    succeeded" in capsys.readouterr().out
    assert main(["logs", "r"]) == 0
    assert capsys.readouterr().out.endswith(" run r succeeded\n")
