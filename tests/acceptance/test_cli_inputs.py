"""The inputs that a user gives on the command line."""

from __future__ import annotations

from typing import Any

FILE = """version: 1
inputs: {n: {type: integer}, m: {type: boolean}, must: {}}
nodes: {a: {run: echo}}
"""


def test_every_wrong_input_is_told_at_once(pipe: Any) -> None:
    pipe.write("p.yml", FILE)
    done = pipe("run", "p.yml", "-i", "n=x", "-i", "m=7", "-i", "zz=1", "-i", "q")
    assert done.returncode == 2
    for said in ("input `n` is", "input `m` is", "-i zz: ", "-i q: ", "input `must` is not given", "-i must=…"):
        assert said in done.stderr


def test_a_wrong_input_is_not_said_to_be_missing(pipe: Any) -> None:
    pipe.write("p.yml", FILE)
    done = pipe("run", "p.yml", "-i", "n=x", "-i", "m=true", "-i", "must")
    assert done.returncode == 2
    assert "not given" not in done.stderr
    assert "write `-i must=…`" in done.stderr


def test_an_empty_run_id_is_refused(pipe: Any) -> None:
    pipe.write("p.yml", "version: 1\nnodes: {a: {run: echo}}\n")
    done = pipe("run", "p.yml", "--run-id", "")
    assert (done.returncode, "--run-id is empty" in done.stderr) == (2, True)


def test_a_retry_without_a_wait_begins_at_once(pipe: Any) -> None:
    pipe.write(
        "p.yml", "version: 1\nnodes: {a: {run: 'test $PIPE_ATTEMPT = 3', retry: {max_attempts: 3, delay: 0s}}}\n"
    )
    done = pipe("run", "p.yml")
    assert done.returncode == 0, done.stderr
    assert '"delay_s":0' in pipe.log()
