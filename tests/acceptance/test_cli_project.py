"""The project's file, pipe.yml, as `check`, `doctor` and `run` take it."""

from __future__ import annotations

import json
from typing import Any

import pytest


def test_doctor_and_check_tell_what_is_wrong_in_pipe_yml(pipe: Any) -> None:
    pipe.write("pipe.yml", "executor: docker\npolicy: {http: {allow: ['a b']}}\n")
    pipe.write("p.yml", "version: 1\nnodes: {a: {run: echo}}\n")
    found = {one["name"]: one for one in json.loads(pipe("doctor", "--output", "json").stdout)}
    assert found["pipe.yml"]["status"] == "fail"
    for said in (found["pipe.yml"]["found"], pipe("check", "pipe.yml").stdout):
        assert "there is no executor `docker`" in said
        assert "'a b' is neither a network" in said
    assert pipe("run", "p.yml").returncode == 2


def test_init_says_of_git_only_what_is_so_and_how_to_enter_any_folder(pipe: Any) -> None:
    done = pipe("init", "--", "-d")
    assert done.returncode == 0
    assert "git" not in done.stderr
    assert done.stdout == "next: cd ./-d && pipe run hello.yml\n"
    (pipe.folder / ".git").mkdir()
    assert "git ignores .pipe/" in pipe("init", "other").stderr


def test_init_says_that_a_folder_within_a_project_is_one_of_its_own(pipe: Any) -> None:
    assert "project" not in pipe("init").stderr
    said = f"this folder is now a project of its own, apart from that of {pipe.folder.resolve() / 'pipe.yml'}\n"
    assert said in pipe("init", "within/it").stderr
    assert said not in pipe("init", "within/it").stderr


def test_a_state_directory_that_cannot_be_made_is_told_with_what_helps(pipe: Any) -> None:
    pipe.write("p.yml", "version: 1\nnodes: {a: {run: echo}}\n")
    done = pipe("run", "p.yml", "--state-dir", "/dev/null/x")
    assert done.returncode == 74
    assert "--state-dir" in done.stderr
    assert "resume" not in done.stderr


def test_a_state_directory_that_is_a_file_is_not_said_to_be_missing(pipe: Any) -> None:
    pipe.write("notes", "x\n")
    done = pipe("runs", "--state-dir", "notes")
    assert done.returncode == 2
    assert f"--state-dir: {pipe.folder.resolve() / 'notes'} is no directory\n" in done.stderr
    assert "makes one" not in done.stderr


@pytest.mark.parametrize("command", ["run", "plan", "graph"])
def test_the_projects_file_is_no_pipeline_and_says_so(pipe: Any, command: str) -> None:
    pipe.write("pipe.yml", "limits: {output: 1MiB}\n")
    done = pipe(command, "pipe.yml")
    assert done.returncode == 2
    assert "pipe.yml:1:1: E209 this is the project's file, which holds no pipeline" in done.stderr
    assert done.stderr.count("pipe.yml:1:1") == 1
    assert pipe("check", "pipe.yml").returncode == 0


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("help",), "write `pipe --help`"),
        (("help", "run"), "write `pipe run --help`"),
        (("help", "nothing"), "write `pipe --help`"),
        (("version",), "write `pipe --version`"),
    ],
)
def test_words_that_are_flags_here_are_known(pipe: Any, words: tuple[str, ...], hint: str) -> None:
    done = pipe(*words)
    assert done.returncode == 2
    assert f"hint: {hint}\n" in done.stderr
