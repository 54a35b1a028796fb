"""S3 as an attacker sees it: what would run a value, or let it choose what runs, is refused; what is tame passes."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pipe_runner.errors import ExpressionFault
from pipe_runner.expressions import compile_shell, evaluate

HOLE = "{{ inputs.v }}"
EVIL = [
    "touch CANARY", "./evil", "$(touch CANARY)", "a[$(touch${IFS}CANARY)]", "($(touch CANARY))", ".", "`",
    "-v a[$(touch${IFS}CANARY)]", "-va[$(touch${IFS}CANARY)]", "-exec touch CANARY ;", "1 touch CANARY",
    "-c touch${IFS}CANARY", "-c alias.x=!./evil x", "\ntouch CANARY\n", "PATH=.", ";touch CANARY;",
]  # fmt: skip


def texts(name: str) -> list[str]:
    """One shell text a line with `X` where the value stands, newlines written as `\\n`."""
    lines = (Path(__file__).parent / name).read_text(encoding="utf-8").splitlines()
    return [line.replace("\\n", "\n") if "<<" in line else line for line in lines]


def scripts() -> list[str]:
    """Scripts as they stand in files of CI, with `X` where a value stands."""
    return (Path(__file__).parent / "ci_scripts.txt").read_text(encoding="utf-8").rstrip("\n").split("\n----\n")


ELSEWHERE = re.compile(r"(?:\A|[;|&{(]|\bdo\b|\w=\()\s*(docker|kubectl|ssh|sudo)\b")
"""Programs that need another machine, a service or rights to run what they are given."""
ATTACKS = texts("attack_places.txt")
TAME = texts("tame_places.txt")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory in which a program waits to be chosen."""
    for name in ("evil", "run.sh", "ls"):
        (tmp_path / name).write_text("#!/bin/sh\ntouch CANARY\n", encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    (tmp_path / "a").write_text("1\n2\n", encoding="utf-8")
    return tmp_path


def run(text: str, value: str, shell: str, place: Path) -> None:
    """Run a text with a value, its faults aside."""
    compiled, _ = compile_shell(text)
    env = {**os.environ, "HOME": str(place), "PIPE_X": ""}
    for name, expression in compiled.environment:
        env[name] = str(evaluate(expression, {"inputs": {"v": value}}))
    script = str(evaluate(compiled.script, {"inputs": {"v": value}}))
    subprocess.run(
        [shell, "-c", script],
        env=env,
        cwd=place,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=20,
    )


@pytest.mark.parametrize("text", ATTACKS)
def test_s3_a_way_in_is_refused_or_takes_an_integer(text: str) -> None:
    compiled, faults = compile_shell(text.replace("X", HOLE))
    refused = [fault for fault in faults if fault.code in ("E420", "E421")]
    if not refused:
        assert "integer" in {mode for _, _, mode in compiled.variables}
    for fault in refused:
        assert "| trust" in str(fault.hint)
    trusted, faults = compile_shell(text.replace("X", "{{ inputs.v | trust }}"))
    assert {fault.code for fault in faults} <= {"W401", "W403", "W405", "W406"}
    assert "W401" in {fault.code for fault in faults}
    assert {mode for _, _, mode in trusted.variables} == {"text"}


@pytest.mark.slow
@pytest.mark.parametrize("text", ATTACKS)
def test_what_is_refused_is_a_way_in(text: str, place: Path) -> None:
    if shutil.which("bash") is None:
        pytest.skip("no bash here")
    if (found := ELSEWHERE.search(text)) is not None:
        pytest.skip(f"{found[1]} runs nothing here")
    for value in EVIL:
        run(text.replace("X", "{{ inputs.v | trust }}"), value, "bash", place)
        if (place / "CANARY").exists():
            return
    pytest.fail("nothing was run")


@pytest.mark.parametrize("text", ['f() { test "$@"; }; f -v X', 'c=(read -r); "${c[@]}" X', 'c=unset; "$c" X'])
def test_s3_a_value_is_no_name_in_a_command_that_stands_in_variables(shells: Any, text: str) -> None:
    assert [fault.code for fault in shells.errors(text.replace("X", HOLE))] == ["E424"]


@pytest.mark.parametrize("text", TAME)
def test_what_is_tame_passes(text: str) -> None:
    compiled, faults = compile_shell(text.replace("X", HOLE))
    assert [fault for fault in faults if fault.code.startswith("E")] == []
    assert {mode for _, _, mode in compiled.variables} == {"text"}


@pytest.mark.parametrize("text", scripts())
def test_scripts_as_they_stand_in_ci_pass(text: str) -> None:
    _, faults = compile_shell(text.replace("X", HOLE))
    assert [fault for fault in faults if fault.code.startswith("E")] == []


def test_a_place_is_warned_of_once() -> None:
    _, faults = compile_shell('f() { "$@"; "$@"; }; f git clone {{ inputs.v }}; f git clone {{ inputs.v }}')
    assert [fault.code for fault in faults] == ["W406", "W406"]
    assert compile_shell("echo {{ inputs.v }} | xargs tar cf b")[1] == []


def test_a_name_that_means_itself_is_read() -> None:
    assert compile_shell('x={{ inputs.v }}; declare -n l="${l[@]}"')[1] == []


def test_commands_in_variables_have_a_bound(shells: Any) -> None:
    text = 'f() { sudo "$@" "$@"; };' + f"f {'a ' * 100}{HOLE};" * 500
    assert {fault.code for fault in shells.errors(text)} == {"E403"}


@pytest.mark.parametrize("value", EVIL)
def test_s3_an_integer_is_asked_for_where_a_test_calculates(value: str) -> None:
    compiled, faults = compile_shell("n={{ inputs.v }}; [ $n -gt 5 ]")
    assert faults == []
    ((_, expression, _),) = compiled.variables
    with pytest.raises(ExpressionFault, match="shell arithmetic takes an integer"):
        evaluate(expression, {"inputs": {"v": value}})
