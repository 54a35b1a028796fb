"""`agent: findings`: a report takes the place of nothing that the project, git or the runner lives by."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from pipe_agents.findings_report import FindingsAgent
from pipe_agents.merging.writing import Unwritten, write
from pipe_runner.testing import FinishedRun, run_pipeline
from pipe_schemas.merging import MergeOptions

KEPT = ("pipe.yml", "PIPE.yml", "sub/pipe.yml", ".git/config", ".git", "sub/.git/x.md", ".pipe/index.db", ".Pipe/x.md")
PIPELINE = """\
version: 1
inputs: {md: {type: string}, page: {type: string, default: "x.html"}}
nodes:
  all:
    agent: findings
    with: {results: {a: []}, markdown: "{{ inputs.md }}", html: "{{ inputs.page }}"}
"""


def run(root: Path, md: str, page: str = "x.html", **more: Any) -> FinishedRun:
    return run_pipeline(PIPELINE, root=root, inputs={"md": md, "page": page}, **more)


@pytest.mark.parametrize("path", KEPT)
def test_s9_no_report_stands_where_the_project_or_the_runner_keeps_its_own(path: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="a path of a file of its own"):
        MergeOptions.model_validate({"results": [], "markdown": path})
    assert not FindingsAgent().surely_fits({"results": [], "html": path})
    with pytest.raises(Unwritten, match="no report is written there") as raised:
        write(str(tmp_path), path, "x")
    assert raised.value.refused
    assert list(tmp_path.iterdir()) == []


def test_s9_a_rendered_path_over_the_project_s_file_is_refused_and_costs_no_other_form(tmp_path: Path) -> None:
    (tmp_path / "pipe.yml").write_text("version: 1\n")
    done = run(tmp_path, "pipe.yml")
    error: Any = done.node("all").error
    assert (done.status, error["kind"]) == ("failed", "refused")
    assert (tmp_path / "pipe.yml").read_text() == "version: 1\n"


def test_s9_the_state_directory_is_refused_whatever_its_name(tmp_path: Path) -> None:
    (tmp_path / "kept" / "runs").mkdir(parents=True)
    state = str(tmp_path / "kept")
    for path in ("kept/x.md", "kept/runs/x.md"):
        with pytest.raises(Unwritten, match="kept is the runner's own"):
            write(str(tmp_path), path, "x", state)
    write(str(tmp_path), "other/x.md", "x", state)
    write(state, "x.md", "x", state)
    assert os.listdir(tmp_path / "kept" / "runs") == []


def test_two_rendered_forms_with_one_path_are_refused(tmp_path: Path) -> None:
    done = run(tmp_path, "same.md", "same.md")
    error: Any = done.node("all").error
    assert (done.status, error["kind"]) == ("failed", "refused")
    assert "same" in error["message"]


def test_names_that_a_file_system_takes_for_one_are_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "samefile", lambda one, other: str(one).lower() == str(other).lower())
    done = run(tmp_path, "same.x", "SAME.x")
    assert (done.status, done.output("all")["reports"]) == ("failed", {"markdown": "same.x", "html": None})
    assert not (tmp_path / "SAME.x").exists()
