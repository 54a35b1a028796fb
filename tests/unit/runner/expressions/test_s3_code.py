"""S3: where text is code for another interpreter, no value stands in it unless the file says so."""

from __future__ import annotations

import shutil
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


OPTIONS = {
    "perl": ("perl -e 'print \"<$ARGV[0]>\"' {{ inputs.v }}", ["-esystem('touch CANARY')", "-Mstrict", "--"]),
    "perl in quotes": ('perl -e \'print "<$ARGV[0]>"\' "{{ inputs.v }}" a', ["-esystem('touch CANARY')", "-h"]),
    "python": ("python3 -c 'import sys; print(end=f\"<{sys.argv[1]}>\")' {{ inputs.v }}", ["-c", "-h", "-mthis"]),
    "sh": ('sh -c \'printf "<%s>" "$1"\' sh {{ inputs.v }}', ["-c", "--", "-x"]),
    "awk": ('X={{ inputs.v }} awk \'BEGIN { printf "<%s>", ENVIRON["X"] }\'', ["-f", "\\n"]),
    "node": ("node -e 'process.stdout.write(`<${process.argv[1]}>`)' {{ inputs.v }}", ["-e", "--version"]),
    "ruby": ("ruby -e 'print \"<#{ARGV[0]}>\"' {{ inputs.v }}", ["-e", "--version"]),
    "php": ("php -r 'print \"<$argv[1]>\";' {{ inputs.v }}", ["-r", "--version"]),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_s3_the_way_by_argument_takes_values_that_look_like_options(shells: Any, name: str, tmp_path: Path) -> None:
    text, values = OPTIONS[name]
    assert shells.errors(text) == []
    if shutil.which(text.split("{{")[0].split("'")[0].split()[0].split("=")[-1] or name) is None:
        pytest.skip(f"no {name} here")
    for value in values:
        assert shells.run(text, value, "sh", str(tmp_path)) == f"<{value}>".encode()
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "text",
    [
        "sed s/a/b/ {{ inputs.v }}", "ssh {{ inputs.v }} uptime", "scp a {{ inputs.v }}", "psql {{ inputs.v }} -c 'x'",
        "git clone {{ inputs.v }}", "rsync -a {{ inputs.v }} b", "script -q {{ inputs.v }}",
    ],
)  # fmt: skip
def test_a_value_that_could_be_an_option_with_code_is_a_warning(text: str) -> None:
    assert [fault.code for fault in compile_shell(text)[1]] == ["W406"]
    assert compile_shell(text.replace("{{", "-- {{"))[1] == []


def test_s3_two_values_in_a_test_could_be_an_operator_and_a_name() -> None:
    assert [fault.code for fault in compile_shell("[ {{ inputs.a }} {{ inputs.b }} ]")[1]] == ["E424"]
    assert compile_shell("[ {{ inputs.a }} = {{ inputs.b }} ] && [ -n {{ inputs.a }} ]")[1] == []
