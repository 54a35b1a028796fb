"""The README's words about the command are true; its two commands themselves are run by .ci/run."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pipe_runner.cli.table import COMMANDS

REPOSITORY = Path(__file__).resolve().parents[2]
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")


def printed(name: str) -> str:
    """The command behind a marker, found as .ci/run finds it."""
    found = re.search(rf"<!-- command: {name} -->\n```sh\n(.*?)```", README, re.DOTALL)
    assert found is not None, name
    return found[1]


def test_the_two_commands_are_one_line_each_and_make_their_own_environment() -> None:
    for name in ("run", "test"):
        command = printed(name)
        assert command.count("\n") == 1
        assert command.startswith("python3 -m venv .venv && .venv/bin/pip install ")
    assert "pipe run pipelines/triage.yml" in printed("run")
    assert ".venv/bin/pytest" in printed("test")


def test_the_pipeline_in_the_readme_is_about_ten_lines_and_runs(tmp_path: Path) -> None:
    text = re.search(r"```yaml\n(.*?)```", README, re.DOTALL)
    assert text is not None
    assert text[1].count("\n") <= 12
    (tmp_path / "pipe.yml").write_text("")
    (tmp_path / "readme.yml").write_text(text[1])
    (tmp_path / "test_one.py").write_text("")
    git = ["git", "-c", "user.name=Ada, Countess", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"]
    try:
        subprocess.run([*git, "init", "-q"], cwd=tmp_path, check=True)
    except FileNotFoundError:
        pytest.skip("git is not installed")
    subprocess.run([*git, "add", "."], cwd=tmp_path, check=True)
    subprocess.run([*git, "commit", "-q", "-m", "first"], cwd=tmp_path, check=True)
    done = subprocess.run(
        [sys.executable, "-m", "pipe_runner", "run", "readme.yml", "--output", "json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["outputs"] == {"report": "1 test files by Ada, Countess"}


def test_the_commands_that_are_not_there_are_named() -> None:
    missing = {command.name for command in COMMANDS if not command.target}
    line = re.search(r"^- `pipe serve`.* are refused\.$", README, re.MULTILINE | re.DOTALL)
    assert line is not None
    named = {word.removeprefix("pipe ") for word in re.findall(r"`([a-z ]+)`", line[0])}
    assert missing - {"providers"} == named


def test_the_exit_codes_are_those_of_the_command() -> None:
    rows = re.findall(r"^\| ([\d, ]+) \|", README.partition("## Exit codes")[2], re.MULTILINE)
    codes = {int(code) for row in rows for code in row.split(",")}
    assert codes == {0, 1, 2, 3, 4, 74, 75, 129, 130, 143}
