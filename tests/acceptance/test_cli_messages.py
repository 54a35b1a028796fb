"""`pipe emit` and `pipe messages`, inside of a node and outside; what a kill leaves."""

from __future__ import annotations

import json
import signal
from typing import Any

import pytest
from tests.acceptance.test_cli_terminal import Terminal

SAY = """
import os, sys, time
from pipe_runner import here

def say(*pairs):
    for topic, message in pairs:
        here.publish(topic, message)

def many(count):
    with open("acknowledged", "a") as file:
        for number in range(count):
            seq = here.publish("t", number)
            os.write(file.fileno(), f"{seq} {number}\\n".encode())

def hear():
    return [[m.seq, m.attempt, m.message] for m in here.subscribe("t")]
"""
FILE = """version: 1
nodes:
  a: {agent: python, with: {call: "m.py:say", args: [[x.one, 1], [x.two, "text\\u202e"], [y, {k: [1]}]]}}
"""


@pytest.fixture
def pipe(pipe: Any) -> Any:
    pipe.write("m.py", SAY)
    pipe.write("pipe.yml", "version: 1\n")
    return pipe


def test_verbose_messages_stay_above_what_is_drawn(pipe: Any) -> None:
    pipe.write("p.yml", FILE)
    terminal = Terminal(pipe, "run", "p.yml", "-v")
    terminal.wait()
    assert '  message    a: y {"k": [1]}\r\n' in terminal.text


def test_the_messages_of_a_run_are_shown_from_its_log(pipe: Any) -> None:
    pipe.write("p.yml", FILE)
    done = pipe("run", "p.yml", "-v")
    assert done.returncode == 0
    assert '  message    a: y {"k": [1]}\n' in done.stderr
    shown = pipe("messages").stdout.splitlines()
    assert [line[9:] for line in shown] == ["a x.one: 1", "a x.two: text\\u202e", 'a y: {"k":[1]}']
    assert pipe("messages", "x.*", "--output", "value").stdout.splitlines() == ["1", "text\u202e"]
    assert pipe("messages", "x.*", "--output", "value", env={"CI": "1"}).stdout.splitlines() == ["1", "text\\u202e"]
    (first, _, last) = map(json.loads, pipe("messages", "--output", "json", "--run", "latest").stdout.splitlines())
    assert last == {**last, "topic": "y", "node": "a", "message": {"k": [1]}, "attempt": 1}
    assert pipe("messages", "--limit", "1", "--output", "value").stdout == '{"k":[1]}\n'
    since = pipe("messages", "--since", str(first["seq"]), "--output", "json").stdout.splitlines()
    assert [json.loads(line)["topic"] for line in since] == ["x.two", "y"]
    assert len(pipe("messages", "-f").stdout.splitlines()) == 3
    assert 'message    a: y {"k": [1]}' in pipe("logs", "latest").stdout
    assert "messages  3" in pipe("show", "latest").stdout
    assert pipe("report", "latest").returncode == 0
    totals = json.loads(pipe.log().splitlines()[-1])["totals"]
    assert totals["messages"] == 3


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["emit", "a", "1"], "PIPE_BUS and PIPE_BUS_TOKEN are not set"),
        (["emit", "a", "1", "--json", "2"], "can't both be the message"),
        (["emit", "a", "--json", "{"], "this is no JSON"),
        (["emit", "a", "--json", "NaN"], "JSON has no NaN"),
        (["emit", "a", "--json", '{"a": 1, "a": 2}'], 'the key "a" stands twice'),
        (["messages", "--next"], "PIPE_BUS and PIPE_BUS_TOKEN are not set"),
        (["messages", "--next", "-f"], "it takes no --follow"),
        (["messages", "a..b"], "is no pattern"),
        (["messages", "--limit", "x"], "--limit"),
        (["messages", "--limit", "-5"], "--limit: -5 is not between 1 and 100000"),
        (["messages", "--limit", "100001"], "--limit: 100001 is not between 1 and 100000"),
        (["messages", "--since", "-5"], "--since: -5 is not between 0 and "),
        (["messages", "--run", "nothing"], "there is no run 'nothing'"),
    ],
)
@pytest.mark.few(4)
def test_what_cannot_be_is_said_in_words(pipe: Any, words: list[str], said: str) -> None:
    pipe.write("p.yml", FILE)
    pipe("run", "p.yml")
    done = pipe(*words)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_bus_that_is_gone_is_told(pipe: Any) -> None:
    env = {"PIPE_BUS": str(pipe.folder / "nothing"), "PIPE_BUS_TOKEN": "x"}
    done = pipe("emit", "a", env=env)
    assert done.returncode == 2
    assert "the bus can't be reached" in done.stderr


def test_a_kill_loses_nothing_that_was_acknowledged_and_a_resume_sees_it(pipe: Any) -> None:
    pipe.write(
        "p.yml",
        """version: 1
nodes:
  p: {agent: python, with: {call: "m.py:many", args: [400]}}
  c: {agent: python, with: {call: "m.py:hear"}}
""",
    )
    process = pipe.start("run", "p.yml")
    acknowledged = pipe.folder / "acknowledged"
    pipe.until(lambda: acknowledged.exists() and acknowledged.read_bytes().count(b"\n") > 20)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = [tuple(map(int, line.split())) for line in acknowledged.read_text().splitlines()]
    assert len(before) < 400
    done = pipe("resume", "latest", "--output", "json")
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)["nodes"]["c"]["output"]
    first = [(seq, message) for seq, attempt, message in seen if attempt == 1]
    assert first[: len(before)] == before
    assert len(first) - len(before) <= 1  # one was written, and its publisher not told any more
    assert [message for _, attempt, message in seen if attempt == 2] == list(range(400))
    assert [seq for seq, _, _ in seen] == sorted(seq for seq, _, _ in seen)
