"""`agent: findings` in a pipeline: its reports, and what it says where one can't be written."""

from __future__ import annotations

import errno
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipe_agents.findings_report import FindingsAgent
from pipe_runner.testing import FinishedRun, run_pipeline
from pipe_schemas.merging import Merged, MergeOptions

PIPELINE = """\
version: 1
nodes:
  a: {run: "exit 3", output: json, continue_on_error: true}
  b: {run: "cat found.json", output: json}
  all:
    agent: findings
    run_on: always
    with: {results: {a: "{{ nodes.a.output }}", b: "{{ nodes.b.output }}"}, html: report/x.html, markdown: x.md, MORE}
outputs: {worst: "{{ nodes.all.output.severity }}", high: "{{ nodes.all.output.counts.high }}"}
"""


def run(root: Path, more: str = "") -> FinishedRun:
    (root / "found.json").write_text(
        json.dumps([{"check": "disk.full", "subject": "/", "severity": "high", "summary": "99 %"}])
    )
    return run_pipeline(PIPELINE.replace(", MORE", more), root=root)


def test_a_node_that_failed_is_a_blind_spot_of_the_report(tmp_path: Path) -> None:
    done = run(tmp_path)
    assert done.status == "succeeded"
    assert done.outputs == {"worst": "high", "high": 1}
    assert done.output("all")["reports"] == {"markdown": "x.md", "html": "report/x.html"}
    assert "99 %" in (tmp_path / "x.md").read_text()
    assert (tmp_path / "report/x.html").read_text().startswith("<!doctype html>")
    assert [path.name for path in (tmp_path / "report").iterdir()] == ["x.html"]


def test_fail_on_fails_the_node_after_the_report_is_written(tmp_path: Path) -> None:
    done = run(tmp_path, ", fail_on: high")
    error: Any = done.node("all").error
    assert (done.status, error["kind"]) == ("failed", "refused")
    assert (tmp_path / "x.md").is_file()
    assert done.output("all")["counts"]["high"] == 1


def full(root: str, steps: list[str], data: bytes, mark: str) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.skipif(sys.platform == "win32", reason="files are written in another way there")
def test_on_a_full_disk_the_findings_are_told_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipe_agents.merging.writing._write_below", full)
    done = run(tmp_path)
    assert done.status == "succeeded"
    assert done.outputs == {"worst": "high", "high": 1}
    output = done.output("all")
    Merged.model_validate(output)
    assert output["reports"] == {"markdown": None, "html": None}
    assert output["lines"][0] == "HIGH      /: 99 %"
    assert output["lines"][-2:] == [
        "unwritten x.md: No space left on device",
        "unwritten report/x.html: No space left on device",
    ]
    spots = {one["what"]: one for one in output["blind_spots"]}
    assert spots["report.unwritten (x.md)"]["why"] == "No space left on device"
    assert spots["report.unwritten (x.md)"]["needs"] == "room on the disk"
    assert output["counts"]["unavailable"] == 2
    assert "2 reports could not be written" in output["summary"]
    assert not any("report.unwritten" in line for line in output["lines"])


def test_a_report_that_cannot_be_written_costs_no_other_form_of_it(tmp_path: Path) -> None:
    (tmp_path / "x.md").mkdir()
    done = run(tmp_path)
    assert done.status == "succeeded"
    assert done.output("all")["reports"] == {"markdown": None, "html": "report/x.html"}
    assert "x.md" in (tmp_path / "report/x.html").read_text()


@pytest.mark.skipif(sys.platform == "win32", reason="files are written in another way there")
def test_an_earlier_report_that_still_stands_there_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x.md").write_text("of yesterday")
    monkeypatch.setattr("pipe_agents.merging.writing._write_below", full)
    (line,) = [line for line in run(tmp_path).output("all")["lines"] if "x.md" in line]
    assert line == "unwritten x.md: No space left on device; what stands there is an earlier one"
    assert (tmp_path / "x.md").read_text() == "of yesterday"


def test_a_result_that_is_missing_is_told_with_its_reason_on_the_terminal(tmp_path: Path) -> None:
    text = PIPELINE.replace(", MORE", "").replace(
        '{a: "{{ nodes.a.output }}",', '{a: {output: "{{ nodes.a.output }}", error: "{{ nodes.a.error }}"},'
    )
    (tmp_path / "found.json").write_text("[]")
    lines = run_pipeline(text, root=tmp_path).output("all")["lines"]
    assert [line for line in lines if line.startswith("missing")] == ["missing   a: exited with 3"]
    assert not [line for line in lines if line.startswith("unseen")]


def test_an_explanation_that_is_not_there_is_told_on_the_terminal(tmp_path: Path) -> None:
    lines = run(tmp_path, ", explain: true").output("all")["lines"]
    assert "explain   none: no model service is named" in lines


def test_nothing_is_not_fine(tmp_path: Path) -> None:
    output = run_pipeline("version: 1\nnodes:\n  all: {agent: findings, with: {results: {}}}\n", root=tmp_path).output(
        "all"
    )
    assert output["blind_spots"][0]["why"] == "nothing was given to look at"
    assert "missing   results: nothing was given to look at" in output["lines"]


def test_two_forms_have_two_files() -> None:
    with pytest.raises(ValueError, match="give each a name of its own"):
        MergeOptions.model_validate({"results": [], "markdown": "out/x", "html": "out/x"})


def test_must_write_fails_the_node_and_keeps_its_output(tmp_path: Path) -> None:
    (tmp_path / "x.md").mkdir()
    done = run(tmp_path, ", must_write: true")
    error: Any = done.node("all").error
    assert (done.status, error["kind"]) == ("failed", "refused")
    assert "x.md" in error["message"]
    assert done.output("all")["counts"]["high"] == 1
    assert (tmp_path / "report/x.html").is_file()


@given(
    st.fixed_dictionaries(
        {"results": st.sampled_from(([], {}, [None], {"a": None}, "x", [None] * 201))},
        optional={
            "title": st.sampled_from(("x", "", "y" * 201, 1)) | st.text(max_size=5),
            "markdown": st.sampled_from(
                (None, "a/b.md", "../a", "/a", "a//b", ".", "a/..", "c:/x", "a\\..\\b", "x\0", 1)
            ),
            "html": st.sampled_from((None, "a/b.md")) | st.text(max_size=8),
            "explain": st.sampled_from((True, False, "yes", 1, None)),
            "provider": st.sampled_from(([], ["a"], "a", [1])),
            "fail_on": st.sampled_from((None, "high", "info")),
            "window_minutes": st.integers(-1, 5),
            "must_write": st.sampled_from((True, False, 1)),
            "other": st.none(),
        },
    )
)
@settings(max_examples=300)
def test_what_surely_fits_fits(options: dict[str, Any]) -> None:
    if FindingsAgent().surely_fits(options):
        MergeOptions.model_validate(options)


def test_the_usual_options_surely_fit() -> None:
    options = {"results": {"a": None}, "title": "Triage of x", "markdown": "report/t.md", "html": None, "explain": True}
    assert FindingsAgent().surely_fits({**options, "provider": ["openai"]})
