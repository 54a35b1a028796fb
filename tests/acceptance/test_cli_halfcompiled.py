"""What is told where Python kept a compiled file only in part."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

COMMAND = "version: 1\nnodes:\n  a: {run: echo hello}\n"


@pytest.mark.parametrize(
    ("module", "words"),
    [("cli/history", ("runs",)), ("pipe_agents/shell", ("agents", "shell")), ("pipe_runner/errors", ("runs",))],
    ids=["ours", "plugin", "before all others"],
)
def test_a_compiled_file_that_is_cut_short_is_told_with_the_folder_to_remove(
    pipe: Any, tmp_path: Path, module: str, words: tuple[str, ...]
) -> None:
    pipe.write("pipe.yml", "{}\n")
    kept = tmp_path / "kept"
    env = {"PYTHONPYCACHEPREFIX": str(kept), "PYTHONDONTWRITEBYTECODE": ""}
    assert pipe.alone(*words, env=env).returncode == 0
    (compiled,) = kept.glob(f"**/{module}.cpython-*.pyc")
    whole = compiled.read_bytes()
    compiled.write_bytes(whole[:16] + b"\xff" * 400)
    done = pipe.alone(*words, env=env)
    assert done.returncode == 74, done.stderr
    assert f"can't read what it has kept in {compiled}" in done.stderr
    compiled.write_bytes(whole[:500])
    done = pipe.alone(*words, env=env)
    assert done.returncode == 74, done.stderr
    assert f"only the beginning of {compiled}, as on a full disk" in done.stderr
    assert "Traceback" not in done.stderr and "reinstall" not in done.stderr
    hint = f"rm -r {compiled.parent}"
    assert hint in done.stderr
    shutil.rmtree(compiled.parent)
    assert pipe.alone(*words, env=env).returncode == 0
