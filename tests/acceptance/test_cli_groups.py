"""`concurrency.group`: of the runs of one group, one is under way at a time."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

FILE = """version: 1
inputs: {target: {type: string, default: staging}, hold: {type: boolean, default: false}}
concurrency: {group: "deploy {{ inputs.target }}"CANCEL}
nodes:
  work:
    run: |
      echo begin >> order
      if test {{ inputs.hold }} = true; then sleep 60; fi
      echo end >> order
finally: {clean: {run: echo clean >> order}}
"""


def log(pipe: Any, run: str) -> list[dict[str, Any]]:
    path = pipe.folder / ".pipe" / "runs" / run / "log.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def began(pipe: Any, run: str) -> bool:
    return any(event["event"] == "node.started" for event in log(pipe, run))


def files(pipe: Any, more: str = "") -> None:
    pipe.write("p.yml", FILE.replace("CANCEL", more))


def held(pipe: Any, run: str = "one") -> Any:
    """A run that has the group and keeps it."""
    process = pipe.start("run", "p.yml", "--run-id", run, "-i", "hold=true")
    pipe.until(lambda: began(pipe, run))
    return process


def test_a_run_waits_for_the_other_one_of_its_group_and_says_for_which(pipe: Any) -> None:
    files(pipe)
    one = held(pipe)
    two = pipe.start("run", "p.yml", "--run-id", "two")
    pipe.until(lambda: log(pipe, "two"))
    assert pipe("run", "p.yml", "-i", "target=other").returncode == 0, "another group waits for nobody"
    assert not began(pipe, "two")
    one.send_signal(signal.SIGINT)
    assert one.wait(timeout=20) == 130
    _, told = two.communicate(timeout=20)
    assert two.returncode == 0, told
    assert "waits for run one, which has the group `deploy staging`" in told
    assert (pipe.folder / "order").read_text().split()[-3:] == ["begin", "end", "clean"]


def test_d8_a_group_is_never_stale(pipe: Any) -> None:
    files(pipe)
    one = held(pipe)
    one.kill()
    one.wait(timeout=20)
    assert pipe("run", "p.yml").returncode == 0


STUBBORN = """version: 1
inputs: {n: {type: string}, times: {type: integer, default: 8}}
concurrency: {group: h}
nodes:
  a: {run: "trap '' TERM; for i in $(seq {{ inputs.times }}); do echo {{ inputs.n }} >> acts; sleep 0.1; done"}
"""


@pytest.mark.parametrize("killed", ["runner", "runner and wardens"])
@pytest.mark.parametrize("waits", [True, False])
@pytest.mark.few(1)
def test_d4_the_next_run_of_a_group_waits_until_a_killed_one_does_not_act_any_more(
    pipe: Any, waits: bool, killed: str
) -> None:
    pipe.write("h.yml", STUBBORN)
    one = pipe.start("run", "h.yml", "--run-id", "one", "-i", "n=1", "-i", "times=200")
    pipe.until(lambda: (pipe.folder / "acts").exists())
    two = pipe.start("run", "h.yml", "--run-id", "two", "-i", "n=2") if waits else None
    if two is not None:
        pipe.until(lambda: log(pipe, "two"))
    wardens = [int(p) for path in Path(f"/proc/{one.pid}/task").glob("*/children") for p in path.read_text().split()]
    assert wardens
    for pid in [one.pid, *(wardens if killed == "runner and wardens" else ())]:
        os.kill(pid, signal.SIGKILL)
    two = two or pipe.start("run", "h.yml", "--run-id", "two", "-i", "n=2")
    assert two.wait(timeout=20) == 0
    acts = (pipe.folder / "acts").read_text().split()
    assert acts == sorted(acts)
    assert acts.count("2") == 8


def test_d8_a_killed_run_of_a_group_is_gone_on_with(pipe: Any) -> None:
    pipe.write("h.yml", STUBBORN)
    one = pipe.start("run", "h.yml", "--run-id", "one", "-i", "n=1")
    pipe.until(lambda: (pipe.folder / "acts").exists())
    one.kill()
    both = [pipe.start("resume", "one"), pipe.start("run", "h.yml", "--run-id", "two", "-i", "n=2")]
    assert [process.wait(timeout=30) for process in both] == [0, 0]
    acts = "".join((pipe.folder / "acts").read_text().split())
    assert acts.strip("1") in ("2" * 8, "") or acts.endswith("2" * 8)
    assert "212" not in acts and acts.count("2") == 8


def test_x1_a_run_that_waits_for_its_group_ends_with_a_signal_and_runs_nothing(pipe: Any) -> None:
    files(pipe)
    held(pipe)
    two = pipe.start("run", "p.yml", "--run-id", "two")
    pipe.until(lambda: log(pipe, "two"))
    two.send_signal(signal.SIGTERM)
    assert two.wait(timeout=10) == 143
    assert not began(pipe, "two")
    assert log(pipe, "two")[-1]["status"] == "cancelled"
    assert (pipe.folder / "order").read_text() == "begin\n", "its handlers would have met the other run"


def test_a_run_that_waits_can_be_cancelled_from_elsewhere(pipe: Any) -> None:
    files(pipe)
    held(pipe)
    two = pipe.start("run", "p.yml", "--run-id", "two")
    pipe.until(lambda: log(pipe, "two"))
    assert pipe("cancel", "two").stdout == "run two cancelled\n"
    assert two.wait(timeout=10) == 130


def test_cancel_in_progress_asks_the_other_run_to_stop(pipe: Any) -> None:
    files(pipe, ", cancel_in_progress: true")
    one = held(pipe)
    done = pipe("run", "p.yml", "--run-id", "two")
    assert done.returncode == 0, done.stderr
    assert "waits for run one, which has the group `deploy staging`; it is asked to stop" in done.stderr
    assert one.wait(timeout=20) == 130
    assert (pipe.folder / "order").read_text().split() == ["begin", "clean", "begin", "end", "clean"]


@pytest.mark.parametrize("cancels", ["all", "the newest"])
@pytest.mark.few(1)
def test_a_later_run_that_cancels_is_the_last_one_that_acts(pipe: Any, cancels: str) -> None:
    text = (
        "version: 1\ninputs: {n: {type: integer}}\nconcurrency: {group: g, cancel_in_progress: true}\n"
        """nodes: {deploy: {run: "trap '' TERM; sleep 1.5; echo deployed {{ inputs.n }} >> dep"}}\n"""
    )
    pipe.write("new.yml", text)
    pipe.write("old.yml", text if cancels == "all" else text.replace(", cancel_in_progress: true", ""))
    one = pipe.start("run", "old.yml", "--run-id", "one", "-i", "n=1")
    pipe.until(lambda: began(pipe, "one"))
    two = pipe.start("run", "old.yml", "--run-id", "two", "-i", "n=2")
    pipe.until(lambda: log(pipe, "two"))
    time.sleep(0.3)
    assert two.poll() is None
    three = pipe("run", "new.yml", "--run-id", "three", "-i", "n=3")
    assert three.returncode == 0, three.stderr
    _, told = two.communicate(timeout=20)
    assert (one.wait(timeout=20), two.returncode) == (130, 130)
    assert "is cancelled by a later run, which wants the group `g`" in told
    assert log(pipe, "two")[-1]["status"] == "cancelled"
    assert (pipe.folder / "dep").read_text().split() == ["deployed", "1", "deployed", "3"]


def test_a_later_run_that_does_not_cancel_lets_those_that_wait_act(pipe: Any) -> None:
    files(pipe)
    one = held(pipe)
    others = [pipe.start("run", "p.yml", "--run-id", run) for run in ("two", "three")]
    pipe.until(lambda: log(pipe, "two") and log(pipe, "three"))
    one.send_signal(signal.SIGINT)
    assert [other.wait(timeout=20) for other in others] == [0, 0]


def test_a_group_without_a_name_fails_the_run(pipe: Any) -> None:
    pipe.write(
        "p.yml",
        "version: 1\ninputs: {g: {type: string, default: ''}}\nconcurrency: {group: '{{ inputs.g }}'}\n"
        "nodes: {a: {run: echo hi}}\n",
    )
    done = pipe("run", "p.yml")
    assert done.returncode == 1
    assert "concurrency.group: its name is empty" in done.stderr


def test_a_run_that_waits_for_a_person_does_not_keep_its_group(pipe: Any) -> None:
    pipe.write(
        "p.yml",
        "version: 1\nconcurrency: {group: g}\nnodes: {a: {agent: approval, with: {message: Go?}}}\n",
    )
    assert pipe("run", "p.yml").returncode == 75
    assert pipe("run", "p.yml").returncode == 75
