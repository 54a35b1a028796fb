"""What is told where a word of the command line, or a file that it leads to, can't be taken; and how words go on."""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

GOOD = "version: 1\nnodes:\n  a: {run: echo hi}\n"
BAD = "version: 1\nnodes:\n  a: {rum: echo hi}\n"
_BOUND_TO_DROP = 24  # PR_CAPBSET_DROP
_READS_ALL = (1, 2)  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH


@pytest.fixture
def closed(tmp_path: Path) -> Iterator[Path]:
    """A project with a folder and a file that nobody may read."""
    for name, text in (("good.yml", GOOD), ("bad.yml", BAD), ("locked/a.yml", BAD), ("below/secret.yml", GOOD)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "pipe.yml").write_text("{}\n")
    (tmp_path / "locked").chmod(0)
    (tmp_path / "below" / "secret.yml").chmod(0)
    yield tmp_path
    (tmp_path / "locked").chmod(0o755)


def without_rights(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Perform `pipe …` as somebody who is held to what permissions say, root too."""
    libc = ctypes.CDLL(None)

    def drop() -> None:
        for right in _READS_ALL:
            libc.prctl(_BOUND_TO_DROP, right, 0, 0, 0)

    command = [sys.executable, "-m", "pipe_runner", *words]
    return subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True, preexec_fn=drop)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux takes single rights from root")
def test_check_of_a_directory_tells_what_it_could_not_read_and_everything_else(closed: Path) -> None:
    done = without_rights(closed, "check", ".", "--format", "json")
    assert done.returncode == 1, done.stderr
    found = {(fault["file"], fault["code"]) for fault in json.loads(done.stdout)}
    assert found == {("bad.yml", "E201"), ("below/secret.yml", "E602")}
    assert "warning: locked can't be read: Permission denied; what is in it is left out" in done.stderr
    named = without_rights(closed, "check", "locked")
    assert (named.returncode, named.stderr) == (2, "error: locked can't be read: Permission denied\n")
    assert without_rights(closed, "check", "below/secret.yml").returncode == 2


def test_an_option_without_its_value_names_the_command_that_it_is_of(pipe: Any) -> None:
    done = pipe("run", "p.yml", "-i")
    assert done.returncode == 2
    assert done.stderr.startswith("error: `pipe run`: ")
    assert "`pipe run --help`" in done.stderr


def test_an_option_cut_short_is_told_whole_and_a_file_named_twice_is_checked_once(pipe: Any) -> None:
    pipe.write("p.yml", GOOD)
    assert "did you mean --concurrency?" in pipe("run", "p.yml", "--conc", "3").stderr
    twice = pipe("check", ".", "p.yml", "./p.yml", str(pipe.folder / "p.yml"))
    assert (twice.returncode, twice.stderr) == (0, "no faults in 1 file\n")


def test_a_file_whose_name_begins_with_a_dash_is_told_how_to_be_written(pipe: Any) -> None:
    pipe.write("-my file.yml", GOOD)
    done = pipe("run", "-my file.yml")
    assert done.returncode == 2
    assert "write './-my file.yml'" in done.stderr
    assert pipe("run", "./-my file.yml").returncode == 0
    other = pipe("run", "--conc", "--", "-my file.yml")
    assert "did you mean --concurrency?" in other.stderr, "where it is no option that stands there"


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("pipe run h", "file"),
        ("pipe check pipe", "file"),
        ("pipe graph h.yml -o o", "file"),
        ("pipe init d", "dir"),
        ("pipe run h.yml --record d", "dir"),
    ],
)
def test_a_shell_completes_files_where_files_are_named(tmp_path: Path, words: str, kind: str) -> None:
    assert completed(tmp_path, words) == [f"{kind},{words.split()[-1]}"]


@pytest.mark.parametrize("words", ["pipe show 2026", "pipe resume --state-dir .pipe 2026", "pipe approve 2026"])
def test_a_shell_completes_the_ids_of_runs_the_newest_first(tmp_path: Path, words: str) -> None:
    assert completed(tmp_path, words) == []
    for run in ("20260101-000000-abcde", "20260202-000000-abcde", "nightly"):
        (tmp_path / ".pipe/runs" / run).mkdir(parents=True)
    assert completed(tmp_path, words) == ["plain,20260202-000000-abcde", "plain,20260101-000000-abcde"]
    assert completed(tmp_path, "pipe logs la") == ["plain,latest"]


def completed(folder: Path, words: str) -> list[str]:
    asked = {"_PIPE_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split()) - 1)}
    done = subprocess.run(
        [sys.executable, "-m", "pipe_runner"],
        cwd=folder,
        check=True,
        capture_output=True,
        env={**os.environ, **asked},
    )
    return done.stdout.decode().split()


def test_a_pipeline_named_without_its_ending_is_told_whole(pipe: Any) -> None:
    pipe.write("deploy.yml", GOOD)
    done = pipe("run", "deploy")
    assert done.returncode == 2
    assert f"hint: did you mean {pipe.folder}/deploy.yml?" in done.stderr
    assert "counts from where you are" in pipe("run", "other").stderr
