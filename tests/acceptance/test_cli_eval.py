"""`pipe eval`: the example runs from its recordings; verdicts are exit codes, JSON and JUnit."""

from __future__ import annotations

import json
import shutil
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

if TYPE_CHECKING:
    from conftest import Shell

EXAMPLE = Path(__file__).resolve().parents[2] / "pipelines" / "evals"
PIPELINE = """\
version: 1
inputs: {word: {type: string}}
nodes: {shout: {run: "printf %s {{ inputs.word }} | tr a-z A-Z"}}
outputs: {said: "{{ nodes.shout.output }}"}
"""
EVAL = """\
version: 1
cases:
  - {name: one, inputs: {word: abc}, expected: ABC}
  - {name: two, inputs: {word: x}, expected: X}
samples: 2
graders: {same: {expression: output.said == expected}}
"""


def test_the_example_runs_from_its_recordings(pipe: Shell, tmp_path: Path) -> None:
    shutil.copytree(EXAMPLE, tmp_path / "evals")
    (tmp_path / "pipe.yml").write_text("version: 1\n")
    assert pipe("check", ".").returncode == 0
    done = pipe("eval", "evals/ticket.eval.yml", "--replay", "evals/recordings", "--junit", "eval.xml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[0].startswith("failed  slow-images.2  severity: ")
    assert done.stdout.splitlines()[-1].startswith("passed: 18 of 19 samples (94.74 %, ")
    suite = ET.parse(tmp_path / "eval.xml").getroot()[0]
    assert [test.get("name") for test in suite][-1] == "overall"
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("5", "0", "0")


def test_what_makes_missing_recordings_is_told_from_where_the_user_stands(pipe: Shell, tmp_path: Path) -> None:
    shutil.copytree(EXAMPLE, tmp_path / "evals")
    (tmp_path / "pipe.yml").write_text("version: 1\n")
    (tmp_path / "here" / "none").mkdir(parents=True)
    done = pipe("eval", "../evals/ticket.eval.yml", "--replay", "none", cwd=tmp_path / "here")
    assert done.returncode == 4, done.stdout + done.stderr
    assert "make them with `pipe eval ../evals/ticket.eval.yml --record none`" in done.stdout


def test_a_prompt_without_its_recordings_is_undecided(pipe: Shell, tmp_path: Path) -> None:
    shutil.copytree(EXAMPLE, tmp_path / "evals")
    file = tmp_path / "evals" / "ticket.yml"
    file.write_text(file.read_text().replace("You sort", "You really sort"))
    done = pipe("eval", "evals/ticket.yml", "--replay", "evals/recordings", "--output", "json")
    assert done.returncode == 4, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert (told["result"], told["not_graded"], told["stopped"]) == ("undecided", 5, "the samples can't be graded")
    why = told["cases"][0]["samples"][0]["why"]
    assert "has no recording of this model call" in why
    assert "; make them with `pipe eval evals/ticket.eval.yml --record evals/recordings`" in why


def test_too_few_good_samples_are_exit_code_1(pipe: Shell, tmp_path: Path) -> None:
    (tmp_path / "p.yml").write_text(PIPELINE)
    (tmp_path / "p.eval.yml").write_text(EVAL.replace("expected: X", "expected: Y"))
    done = pipe("eval", "p.eval.yml", "--junit", "eval.xml")
    assert done.returncode == 1
    assert 'failed  two.1  same: output.said is "X", expected is "Y"' in done.stdout
    overall = ET.parse(tmp_path / "eval.xml").getroot()[0][-1]
    assert overall.find("failure") is not None


def test_samples_are_runs_apart_from_others(pipe: Shell, tmp_path: Path) -> None:
    (tmp_path / "p.yml").write_text(PIPELINE)
    (tmp_path / "p.eval.yml").write_text(EVAL)
    done = pipe("eval", "p.eval.yml", "--output", "json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["passed"] == told["graded"] == 4
    assert json.loads((tmp_path / told["runs"] / "result.json").read_text()) == told
    assert pipe("runs").stdout == ""
    shown = pipe("show", "one.2", "--state-dir", told["runs"])
    assert shown.returncode == 0 and "ABC" in shown.stdout


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("version: 1\n", "E202"),
        (EVAL.replace("output.said", "output"), None),
        (EVAL.replace("word: x", "wrod: x"), "E703"),
    ],
)
def test_faults_are_told_before_anything_runs(pipe: Shell, tmp_path: Path, text: str, code: str | None) -> None:
    (tmp_path / "p.yml").write_text(PIPELINE)
    (tmp_path / "p.eval.yml").write_text(text)
    check = pipe("check", ".")
    assert check.returncode == (1 if code else 0)
    if code:
        done = pipe("eval", "p.eval.yml")
        assert done.returncode == 2 and code in done.stderr and code in check.stdout
        assert not (tmp_path / ".pipe").exists()


@pytest.mark.parametrize(("name", "hint"), [("q.yml", "`q.eval.yml`"), ("q.eval.yml", "let it be `q.yml`")])
def test_a_pipeline_that_is_no_evaluation_is_one_error(pipe: Shell, tmp_path: Path, name: str, hint: str) -> None:
    (tmp_path / name).write_text(PIPELINE)
    done = pipe("eval", name)
    assert done.returncode == 2
    assert done.stderr.count(": E") == 1
    assert "E208 this is a pipeline, and no evaluation" in done.stderr
    assert hint in done.stderr


def test_runs_that_cannot_be_opened_are_told_once(pipe: Shell, tmp_path: Path) -> None:
    text = PIPELINE.replace("nodes: {shout: {", "secrets: {KEY: {from: env}}\nnodes: {shout: {secrets: [KEY], ")
    (tmp_path / "p.yml").write_text(text)
    (tmp_path / "p.eval.yml").write_text(EVAL)
    done = pipe("eval", "p.eval.yml")
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.count("KEY") and done.stderr.startswith("error: ")
    pipe.env["KEY"] = "a-secret-value"
    assert pipe("eval", "p.eval.yml").returncode == 0


def test_a_signal_stops_all_samples(pipe: Shell, tmp_path: Path) -> None:
    (tmp_path / "p.yml").write_text(PIPELINE.replace("printf", "touch begun-$PIPE_RUN_ID; sleep 30; printf"))
    (tmp_path / "p.eval.yml").write_text(EVAL)
    running = pipe.start("eval", "p.eval.yml")
    deadline = time.monotonic() + 60
    while len(list(tmp_path.glob("begun-*"))) < 4 and time.monotonic() < deadline:
        time.sleep(0.05)
    running.send_signal(signal.SIGTERM)
    assert running.wait(20) == 143
    logs = list(tmp_path.glob(".pipe/evals/*/runs/*/log.jsonl"))
    assert len(logs) == 4
    assert all(json.loads(log.read_text().splitlines()[-1])["status"] == "cancelled" for log in logs)


def test_what_was_graded_before_a_signal_is_told(pipe: Shell, tmp_path: Path) -> None:
    (tmp_path / "p.yml").write_text(
        "version: 1\ninputs: {word: {type: string}}\n"
        "nodes: {shout: {run: 'if [ -e first ]; then sleep 60; fi; touch first; echo {{ inputs.word }}'}}\n"
        "outputs: {said: '{{ nodes.shout.output }}'}\n"
    )
    (tmp_path / "p.eval.yml").write_text(
        "version: 1\ncases: [{name: one, inputs: {word: a}, expected: a}, {name: two, inputs: {word: b}}]\n"
        "samples: 3\nconcurrency: 1\n"
        "graders: {same: {expression: output.said == expected}}\n"
    )
    running = pipe.start("eval", "p.yml", "--output", "json", "--junit", "eval.xml", "--grace", "1s")
    while not list(tmp_path.glob(".pipe/evals/*/runs/two.1/log.jsonl")):
        time.sleep(0.02)
    running.send_signal(signal.SIGINT)
    stdout, _ = running.communicate(timeout=60)
    told = json.loads(stdout)
    assert running.returncode == 130
    assert (told["result"], told["cases"][0]["passed"]) == ("undecided", 1)
    suite = ET.parse(tmp_path / "eval.xml").getroot()[0]
    assert [[one.tag for one in test] for test in suite] == [[], ["skipped"], ["error"]]
    assert [suite.get(count) for count in ("tests", "failures", "errors", "skipped")] == ["3", "0", "1", "1"]
    assert suite[1][0].get("message", "").startswith("no sample was graded: ")
    assert len(list(tmp_path.glob(".pipe/evals/*/result.json"))) == 1


@pytest.mark.parametrize(
    ("spoils", "graded"),
    [("rm -r rec; touch rec", 2), ("mkdir -p $(echo .pipe/evals/*)/result.json", 4)],
    ids=["a run", "the end"],
)
def test_d7_what_was_graded_is_told_where_something_can_t_be_kept(
    pipe: Shell, tmp_path: Path, spoils: str, graded: int
) -> None:
    (tmp_path / "p.yml").write_text(
        PIPELINE.replace('run: "', f'run: "[ {{{{ inputs.word }}}} = abc ] || {{ {spoils}; }}; ')
    )
    (tmp_path / "p.eval.yml").write_text(EVAL.replace("samples: 2", "samples: 2\nconcurrency: 1\nearly_stop: false"))
    done = pipe("eval", "p.eval.yml", "--record", "rec", "--output", "json", "--junit", "eval.xml")
    assert done.returncode == 74
    assert json.loads(done.stdout)["graded"] == graded
    assert "what was graded until then is told" in done.stderr
    assert ET.parse(tmp_path / "eval.xml").getroot()[0][-1].get("name") == "overall"
