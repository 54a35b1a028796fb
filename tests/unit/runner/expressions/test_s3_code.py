"""S3: where text is code for another interpreter, no value stands in it unless the file says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipe_runner.expressions import compile_argv, compile_shell, evaluate
from pipe_runner.expressions.interpreter_table import CONTAINERS, PROGRAMS, SHELLS, WRAPPERS


def texts(name: str) -> list[str]:
    """One shell text a line, newlines written as `\\n`."""
    lines = (Path(__file__).parent / name).read_text(encoding="utf-8").splitlines()
    return [line.replace("\\n", "\n") if "<<" in line or line.startswith("x=") else line for line in lines]


CODE = texts("code_places.txt")
DATA = texts("data_places.txt")
V = "{{ inputs.v }}"


@pytest.mark.parametrize("text", CODE)
def test_s3_a_value_in_code_is_refused_and_the_way_is_shown(shells: Any, text: str) -> None:
    found = shells.errors(text)
    assert found
    assert {fault.code for fault in found} <= {"E420", "E421"}
    for fault in found:
        assert text.startswith("{{", fault.offset)
        assert "| trust" in str(fault.hint)


@pytest.mark.parametrize("text", CODE)
def test_trust_accepts_the_place_and_is_reported(text: str) -> None:
    _, faults = compile_shell(text.replace(" }}", " | trust }}"))
    assert {fault.code for fault in faults} <= {"W401", "W403", "W405"}
    assert any(fault.code == "W401" for fault in faults)


@pytest.mark.parametrize("text", DATA)
def test_a_value_that_is_data_passes(shells: Any, text: str) -> None:
    assert shells.errors(text) == []


@pytest.mark.parametrize("name", sorted(SHELLS))
def test_every_shell_of_the_list_is_known(shells: Any, name: str) -> None:
    assert shells.errors(f"{name} -c 'echo {V}'")
    assert shells.errors(f"echo {V} | {name}")
    assert shells.errors(f"/usr/bin/{name} <<E\n{V}\nE")
    assert shells.errors(f"{name} -c 'echo \"$1\"' {name} {V}") == []


@pytest.mark.parametrize("name", sorted(PROGRAMS))
def test_every_interpreter_of_the_list_is_known(shells: Any, name: str) -> None:
    program = PROGRAMS[name]
    for option in program.code:
        assert shells.errors(f"{name} {option} 'a {V} b'"), option
    if program.first == "code":
        assert shells.errors(f"{name} 'a {V} b'")
        assert shells.errors(f"{name} 'a' {V}") == []
    if program.stdin:
        assert shells.errors(f"{name} <<E\n{V}\nE")
        assert shells.errors(f"echo '{V}' | {name}")


@pytest.mark.parametrize("name", sorted(WRAPPERS))
def test_every_wrapper_of_the_list_is_looked_through(shells: Any, name: str) -> None:
    operands = " ".join("5" * WRAPPERS[name][2])
    assert shells.errors(f"{name} {operands} sh -c '{V}'")
    assert shells.errors(f"{name} {operands} awk '{V}'")
    assert shells.errors(f"{name} {operands} {V}")


@pytest.mark.parametrize("name", sorted(CONTAINERS))
def test_every_program_that_runs_commands_elsewhere_is_looked_through(shells: Any, name: str) -> None:
    assert shells.errors(f"{name} exec -it box sh -c '{V}'")
    assert shells.errors(f"{name} exec box psql <<E\n{V}\nE")
    assert shells.errors(f"{name} run -e X={V} image {V}") == []


# ---------------------------------------------------------------- argv


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        (["echo", "{{ inputs.v }}"], []),
        (["echo", "a{{ inputs.v }}b", "--x={{ inputs.v }}"], []),
        (["{{ inputs.v }}", "x"], [(0, "E421")]),
        (["./bin/{{ inputs.v }}"], [(0, "E421")]),
        (["{{ inputs.v | trust }}", "x"], [(0, "W401")]),
        (["sh", "-c", "echo {{ inputs.v }}"], [(2, "E420")]),
        (["sh", "-c", 'echo "$1"', "sh", "{{ inputs.v }}"], []),
        (["sudo", "-u", "x", "python3", "-c", "{{ inputs.v }}"], [(5, "E420")]),
        (["ssh", "host", "ls {{ inputs.v }}"], [(2, "E420")]),
        (["awk", "{{ inputs.v }}"], [(1, "E420")]),
        (["find", ".", "-exec", "sh", "-c", "{{ inputs.v }}", ";"], [(5, "E420")]),
        (["env", "X={{ inputs.v }}", "printenv", "X"], []),
        (["echo", "{{ secrets.X }}"], [(1, "E405")]),
        (["docker", "ps", "--format", "{{.Names}}"], [(3, "E407")]),
        (["docker", "ps", "--format", "{% raw %}{{.Names}}{% endraw %}"], []),
        (["echo", "{{ inputs.v | unsafe_raw }}"], [(1, "E425")]),
    ],
)
def test_s3_values_in_argv(items: list[str], expected: list[tuple[int, str]]) -> None:
    assert [(index, fault.code) for index, fault in compile_argv(items)[1]] == expected


def test_arguments_render_to_one_text_each() -> None:
    compiled, faults = compile_argv(
        ["e", "{{ inputs.v }}", "a{{ inputs.v | upper }}{% raw %}{{b}}{% endraw %}", "{% if %} ${#x}"]
    )
    assert faults == []
    assert [evaluate(one, {"inputs": {"v": "x y"}}) for one in compiled] == ["e", "x y", "aX Y{{b}}", "{% if %} ${#x}"]
    assert [evaluate(one, {"inputs": {"v": None}}) for one in compiled[:2]] == ["e", ""]
