"""What is said of each wrong file in tests/data/yaml, word for word; `PIPE_GOLDEN=write` writes it anew."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipe_runner.codes import CODES
from pipe_runner.loader import load
from pipe_runner.reports.diagnostics import render, summary

FOLDER = Path(__file__).resolve().parents[3] / "data" / "yaml"
FILES = sorted(FOLDER.glob("*.yml"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_wrong_file_is_explained(file: Path) -> None:
    _, faults = load(file, shown_as=file.name)
    told = f"{render(faults, 'text')}{summary(faults, files=1)}\n"
    golden = file.with_suffix(".txt")
    if os.environ.get("PIPE_GOLDEN") == "write":
        golden.write_text(told, encoding="utf-8", newline="\n")
    assert told == golden.read_text(encoding="utf-8")
    assert faults


def test_every_golden_text_has_its_file() -> None:
    assert {file.stem for file in FOLDER.glob("*.txt")} == {file.stem for file in FILES}


def test_every_code_of_reading_has_an_example() -> None:
    bounds = {"E113", "E116", "E118", "E119", "E121"}  # test_bounds shows them: their files would be large
    shown = "\n".join(file.read_text(encoding="utf-8") for file in FOLDER.glob("*.txt"))
    for code in CODES:
        assert not code.startswith("E1") or code in bounds or f": {code} " in shown
