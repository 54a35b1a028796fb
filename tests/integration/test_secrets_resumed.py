"""S4 after a resume: what a node that is done left behind stays hidden, also when only others run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SECRET = "sekret-of-the-first-node"
PIPELINE = """
version: 1
secrets: {TOK: {from: env}}
nodes:
  leaves: {run: 'printf %s "$TOK" > left', secrets: [TOK]}
  prints: {needs: [leaves], run: 'cat left; cat left >&2; test -e mended'}
"""


def pipe(folder: Path, *words: str, secret: str | None = SECRET) -> subprocess.CompletedProcess[str]:
    env = {k: v for k, v in os.environ.items() if k != "TOK"} | ({} if secret is None else {"TOK": secret})
    command = [sys.executable, "-m", "pipe_runner", *words, "--output", "json"]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)


def test_s4_a_resume_hides_the_secrets_of_nodes_that_do_not_run_again(tmp_path: Path) -> None:
    (tmp_path / "p.yml").write_text(PIPELINE)
    first = pipe(tmp_path, "run", "p.yml")
    assert first.returncode == 1, first.stderr
    (tmp_path / "mended").touch()
    done = pipe(tmp_path, "resume", "latest")
    assert done.returncode == 0, done.stderr
    (log,) = (tmp_path / ".pipe" / "runs").glob("*/log.jsonl")
    assert SECRET not in log.read_text() + first.stdout + first.stderr + done.stdout + done.stderr


def test_s4_a_resume_needs_no_secret_that_nobody_asks_for_any_more(tmp_path: Path) -> None:
    (tmp_path / "p.yml").write_text(PIPELINE)
    assert pipe(tmp_path, "run", "p.yml").returncode == 1
    (tmp_path / "mended").touch()
    assert pipe(tmp_path, "resume", "latest", secret=None).returncode == 0
