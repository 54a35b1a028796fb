"""What `pipe check` says of wrong presets, to the letter: each folder of `err_presets` has its output in `told.txt`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipe_runner.compiler import compile_file
from pipe_runner.compiler.project import load_project
from pipe_runner.registry import Registry
from pipe_runner.reports.diagnostics import render

DATA = Path(__file__).parents[3] / "data" / "err_presets"


@pytest.mark.parametrize("folder", sorted(DATA.iterdir()), ids=lambda folder: folder.name)
def test_wrong_presets_give_their_golden_output(
    folder: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    if (folder / "p.yml").exists():
        diagnostics = compile_file("p.yml", root=folder, registry=registry).diagnostics
    else:
        diagnostics = load_project(folder, registry, deep=True)[1]
    found = render(diagnostics, "text")
    golden = folder / "told.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(found, encoding="utf-8")
    assert found == golden.read_text(encoding="utf-8")
    assert str(folder) not in found
