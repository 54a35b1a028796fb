"""Who decided on a node, when and why stands in `show` and in `logs`, and is told who decides again."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from pipe_runner.runlog import RunDir, RunLock

APPROVAL = """version: 1
nodes:
  release: {agent: approval, with: {message: "Release?"}}
  act: {effect: once, run: 'test -e ready'}
"""
WHEN = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"


def test_an_approval_is_told_with_its_person_and_its_reason(pipe: Any) -> None:
    pipe.write("p.yml", APPROVAL.replace("  act: {effect: once, run: 'test -e ready'}\n", ""))
    assert pipe("run", "p.yml").returncode == 75
    run = pipe.run_id()
    assert pipe("approve", run, "release", "--by", "ada", "--reason", "it is tested").returncode == 0
    assert re.search(rf"approved   release: by ada, {WHEN}: it is tested", pipe("logs", run).stdout)
    assert re.search(rf"approved +release +ada +{WHEN} +it is tested", pipe("show", run).stdout)
    again = pipe("approve", run, "release", "--by", "bob")
    assert again.returncode == 2
    assert re.search(rf"release was approved already, by ada, {WHEN}: it is tested", again.stderr)
    assert "says what waits" not in again.stderr
    assert pipe("resume", run).returncode == 0
    assert "the run has succeeded" in pipe("reject", run, "release").stderr


def test_what_may_run_again_is_no_retry(pipe: Any) -> None:
    pipe.write("p.yml", APPROVAL.replace('  release: {agent: approval, with: {message: "Release?"}}\n', ""))
    assert pipe("run", "p.yml").returncode != 0
    run = pipe.run_id()
    assert pipe("settle", run, "act", "--again", "--by", "ada", "--reason", "nothing was done").returncode == 0
    text = pipe("logs", run).stdout
    assert re.search(rf"settled    act: may run again, by ada, {WHEN}: nothing was done", text)
    assert "retrying" not in text
    assert re.search(rf"settled: may run again +act +ada +{WHEN} +nothing was done", pipe("show", run).stdout)
    pipe.write("ready", "")
    assert pipe("resume", run).returncode == 0
    assert "nothing was done" in pipe("show", run).stdout


def test_what_took_effect_and_what_was_rejected(pipe: Any) -> None:
    pipe.write("p.yml", APPROVAL)
    assert pipe("run", "p.yml").returncode != 0
    run = pipe.run_id()
    assert pipe("settle", run, "act", "--done", "--by", "ada").returncode == 0
    assert pipe("reject", run, "release", "--by", "bob", "--reason", "not today").returncode == 0
    text = pipe("logs", run).stdout
    assert re.search(rf"settled    act: it took effect, by ada, {WHEN}\n", text)
    assert re.search(rf"rejected   release: by bob, {WHEN}: not today\n", text)
    again = pipe("settle", run, "act", "--done")
    assert re.search(rf"act was settled already \(it took effect\), by ada, {WHEN}", again.stderr)


def test_hints_name_the_state_directory_that_was_told(pipe: Any) -> None:
    pipe.write("p.yml", APPROVAL.replace("  act: {effect: once, run: 'test -e ready'}\n", ""))
    pipe("run", "p.yml", "--state-dir", "my st")
    (runs,) = (pipe.folder / "my st" / "runs").iterdir()
    run = runs.name
    wrong = pipe("settle", run, "release", "--done", "--state-dir", "my st")
    assert (
        f"`pipe approve {run} release --state-dir 'my st'`, or `pipe reject {run} release --state-dir" in wrong.stderr
    )
    assert pipe("approve", run, "release", "--state-dir", "my st").returncode == 0
    again = pipe("approve", run, "release", "--state-dir", "my st")
    assert f"`pipe resume {run} --state-dir 'my st'` goes on" in again.stderr


def test_a_run_that_somebody_only_decides_on_is_cancelled(pipe: Any) -> None:
    pipe.write("p.yml", APPROVAL.replace("  act: {effect: once, run: 'test -e ready'}\n", ""))
    assert pipe("run", "p.yml").returncode == 75
    rundir = RunDir.open(pipe.folder / ".pipe", pipe.run_id())
    with RunLock.acquire(rundir):
        process = pipe.start("cancel", "latest")
        pipe.until(lambda: Path(rundir.cancel_path).exists())
    assert process.communicate(timeout=30)[0] == f"run {pipe.run_id()} cancelled\n"
    assert json.loads(pipe.log().splitlines()[-1])["status"] == "cancelled"


def test_a_run_that_has_succeeded_takes_no_decision_since_nothing_goes_on_from_it(pipe: Any) -> None:
    node = "{for_each: {items: [1, 2], min_success: 1}, run: 'test {{ item }} = 1', effect: once}"
    pipe.write("p.yml", f"version: 1\nnodes: {{n: {node}}}\n")
    assert pipe("run", "p.yml", "--run-id", "r").returncode == 0
    log = pipe.folder / ".pipe/runs/r/log.jsonl"
    before = log.read_bytes()
    for word in ("--done", "--again"):
        done = pipe("settle", "r", "n[1]", word)
        assert done.returncode == 2
        assert "run r has succeeded with n[1] as it is: nothing goes on from it" in done.stderr
    assert log.read_bytes() == before
