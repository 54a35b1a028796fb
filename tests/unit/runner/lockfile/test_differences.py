"""What `--frozen` says of differences, to the letter: each folder of `err_lock` has its output in `told.txt`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipe_runner.compiler import compile_file
from pipe_runner.lockfile.contents import Contents
from pipe_runner.lockfile.differences import Differences
from pipe_runner.lockfile.files import read_lock
from pipe_runner.registry import Registry
from pipe_runner.reports.diagnostics import render

DATA = Path(__file__).parents[3] / "data" / "err_lock"


@pytest.mark.parametrize("folder", sorted(DATA.iterdir()), ids=lambda folder: folder.name)
def test_differences_give_their_golden_output(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    registry = Registry.installed()
    plan = compile_file("p.yml", root=folder, registry=registry).plan
    assert plan is not None
    faults = Differences(read_lock(str(folder))).of(plan, Contents(registry, {}).of(plan))
    found = render(faults, "text")
    golden = folder / "told.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(found, encoding="utf-8")
    assert found == golden.read_text(encoding="utf-8")
    assert str(folder) not in found
