"""A log that somebody edited, with the right crc on each line, is damage that is told; never an error of ours, nor a
reason to begin a run again whose nodes have acted."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest

from pipe_runner.cli import main

TEXT = "version: 1\nnodes:\n  a: {run: 'echo x >> acted'}\n  b: {needs: [a], run: 'exit 1'}\n"
Change = Callable[[list[dict[str, Any]]], Any]


def _set(at: int, **fields: Any) -> Change:
    return lambda events: events[at].update(fields)


def _without(at: int, name: str) -> Change:
    return lambda events: events[at].pop(name)


def _first_gone(events: list[dict[str, Any]]) -> None:
    del events[0]
    for event in events:
        event["seq"] -= 1


def _started_again(events: list[dict[str, Any]]) -> None:
    events.append({**events[0], "seq": len(events) + 1})


CHANGES: dict[str, Change] = {
    "without its first event": _first_gone,
    "with a second beginning": _started_again,
    "inputs that are a list": _set(0, inputs=[1]),
    "only that is a text": _set(0, only="a"),
    "a digest that is a number": _set(0, digest=3),
    "without the path": _without(0, "path"),
    "without the root": _without(0, "root"),
    "without the nodes": _without(0, "nodes"),
    "without the inputs": _without(0, "inputs"),
    "a time that is none": _set(1, ts="yesterday"),
    "a month that is none": _set(2, ts="2026-13-01T00:00:00.000000Z"),
}


def sealed(event: dict[str, Any]) -> bytes:
    body = json.dumps({name: value for name, value in event.items() if name != "crc"}, separators=(",", ":"))[:-1]
    return f'{body},"crc":"{crc32(body.encode()):08x}"}}\n'.encode()


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.few(5)
def test_d2_an_edited_log_is_damage_for_all_who_read_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p.yml").write_text(TEXT)
    assert main(["run", "p.yml"]) == 1
    (log,) = (tmp_path / ".pipe/runs").glob("*/log.jsonl")
    events = [json.loads(line) for line in log.read_bytes().splitlines()]
    CHANGES[name](events)
    log.write_bytes(b"".join(map(sealed, events)))
    capsys.readouterr()
    for words in (["resume"], ["resume", "--explain"]):
        assert main([*words, log.parent.name]) == 74, words
        assert "log.jsonl" in capsys.readouterr().err, words
    for words in (["show"], ["show", "--output", "json"], ["logs"]):
        assert main([*words, log.parent.name]) in (0, 74), words  # they tell what can be told
    assert (tmp_path / "acted").read_text() == "x\n"


@pytest.mark.parametrize("words", [["cancel", "r"], ["approve", "r", "a"], ["settle", "r", "a", "--again"]])
def test_d2_nothing_is_written_into_a_log_that_lacks_its_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p.yml").write_text("version: 1\nnodes:\n  a: {agent: approval, with: {message: ok}}\n")
    assert main(["run", "p.yml", "--run-id", "r"]) == 75
    log = tmp_path / ".pipe/runs/r/log.jsonl"
    events = [json.loads(line) for line in log.read_bytes().splitlines()]
    _first_gone(events)
    log.write_bytes(b"".join(map(sealed, events)))
    before = log.read_bytes()
    capsys.readouterr()
    assert main(words) == 74
    assert "doesn't begin with a run.started" in capsys.readouterr().err
    assert log.read_bytes() == before
