"""Who reads a run may be slow, and who stops one may come late: neither decides how it ends."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

PIPE = str(Path(sys.executable).with_name("pipe"))


def talking(timeout: str) -> str:
    """Four nodes of which each prints what the log keeps of one, 64 KiB, and more: as much as a pipe takes."""
    line = f"{{timeout: {timeout}, run: \"while :; do printf '%01000d' 0; sleep 0.001; done\"}}"
    return "version: 1\nnodes:\n" + "".join(f"  a{number}: {line}\n" for number in range(4))


LATE = """
version: 1
nodes:
  a: {run: echo done}
finally:
  clean: {run: "echo began; sleep 2; echo cleaned > cleaned"}
"""


def stalled(pipe: Any, *words: str) -> subprocess.Popen[bytes]:
    """The command, with a stdout that nobody reads."""
    process = subprocess.Popen(
        [PIPE, *words], cwd=pipe.folder, env=pipe.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    pipe.started.append(process)
    return process


def finished(pipe: Any) -> bool:
    return '"event":"run.finished"' in pipe.log()


def test_x3_a_reader_of_jsonl_who_stalls_holds_up_no_timeout(pipe: Any) -> None:
    pipe.write("f.yml", talking("500ms"))
    process = stalled(pipe, "run", "f.yml", "--output", "jsonl", "--quiet")
    pipe.until(lambda: finished(pipe))
    told = {line["node"]: line for line in map(json.loads, pipe.log().splitlines()) if line["event"] == "node.failed"}
    assert {line["error"]["kind"] for line in told.values()} == {"timeout"}
    assert len(told) == 4
    assert process.poll() is None, "it waits for its reader"
    stdout, _ = process.communicate(timeout=30)
    assert stdout.decode() == pipe.log()
    assert process.returncode == 1


def test_x1_what_is_stopped_while_its_reader_stalls_ends_in_time(pipe: Any) -> None:
    pipe.write("f.yml", talking("60s"))
    process = stalled(pipe, "run", "f.yml", "--output", "jsonl", "--grace", "400ms", "--quiet")
    pipe.until(lambda: len(pipe.log()) > 150_000)
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=15) == 143
    assert time.monotonic() - began < 4
    assert finished(pipe)


def test_what_could_not_be_written_to_stdout_is_told(pipe: Any) -> None:
    pipe.write("f.yml", "version: 1\nnodes:\n  a: {run: echo x}\n")
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [PIPE, "run", "f.yml", "--output", "jsonl"],
            cwd=pipe.folder,
            env=pipe.env,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 74
    assert "cannot write to stdout: No space left on device" in done.stderr


@pytest.mark.few(1)
@pytest.mark.parametrize("how", ["signal", "cancel"])
def test_a_first_stop_during_finally_is_told_and_changes_nothing(pipe: Any, how: str) -> None:
    pipe.write("f.yml", LATE)
    process = pipe.start("run", "f.yml")
    pipe.until(lambda: "began" in pipe.log())
    if how == "signal":
        process.send_signal(signal.SIGTERM)
    else:
        assert pipe("cancel", "latest").stdout == f"run {pipe.run_id()} succeeded\n"
    _, stderr = process.communicate(timeout=15)
    assert process.returncode == 0
    assert "`finally` runs, and is let to its end; once more kills it" in stderr
    assert (pipe.folder / "cleaned").exists()
    assert json.loads(pipe.log().splitlines()[-1])["status"] == "succeeded"


def test_a_second_signal_during_finally_kills_it(pipe: Any) -> None:
    pipe.write("f.yml", LATE.replace("sleep 2", "sleep 60"))
    process = pipe.start("run", "f.yml")
    pipe.until(lambda: "began" in pipe.log())
    process.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=5)
    assert process.returncode == 143
    assert json.loads(pipe.log().splitlines()[-1])["status"] == "cancelled"


def test_what_a_stop_does_is_told(pipe: Any) -> None:
    pipe.write("f.yml", "version: 1\nnodes:\n  a: {run: 'echo began; sleep 60'}\n")
    process = pipe.start("run", "f.yml", "--grace", "2s")
    pipe.until(lambda: "began" in pipe.log())
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=15)
    assert "SIGINT: nothing new starts, and what runs has 2 s to end; once more kills it" in stderr
