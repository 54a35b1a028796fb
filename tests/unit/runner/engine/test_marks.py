"""A run with functions leaves its process's environment as it was."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipe_runner.engine.marks import Marks
from pipe_runner.testing import run_pipeline


def test_a_run_inside_another_gives_back_the_variables_that_mark_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIPE_RUN_ID", "outer")
    monkeypatch.delenv("PIPE_RUN_DIR", raising=False)
    (tmp_path / "t.py").write_text("import os\ndef f():\n    return os.environ['PIPE_RUN_ID']\n")
    ran = run_pipeline("version: 1\nnodes: {a: {agent: python, with: {call: 't.py:f'}}}\n", root=tmp_path)
    assert ran.output("a") == ran.run.id
    assert (os.environ["PIPE_RUN_ID"], os.environ.get("PIPE_RUN_DIR")) == ("outer", None)


def test_of_several_runs_in_one_process_the_last_to_begin_marks_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIPE_RUN_ID", "outer")
    first, second = Marks({"PIPE_RUN_ID": "1"}), Marks({"PIPE_RUN_ID": "2"})
    assert os.environ["PIPE_RUN_ID"] == "2"
    second.close()
    assert os.environ["PIPE_RUN_ID"] == "1"
    third = Marks({"PIPE_RUN_ID": "3"})
    first.close()
    first.close()
    assert os.environ["PIPE_RUN_ID"] == "3"
    third.close()
    assert os.environ["PIPE_RUN_ID"] == "outer"
