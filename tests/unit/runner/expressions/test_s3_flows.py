"""S3: values that go through functions, parameters, pipes and descriptors of a script are followed to code."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from pipe_runner.errors import ExpressionFault
from pipe_runner.expressions import compile_shell
from pipe_runner.expressions.shelltext import weighed_shell

HOLE = "{{ inputs.v }}"
EVIL = ["touch CANARY", "a[$(touch${IFS}CANARY)]", "$(touch CANARY)", "./evil", "($(touch CANARY))"]


def texts(name: str) -> list[str]:
    """One shell text a line with `X` where the value stands, newlines written as `\\n`."""
    lines = (Path(__file__).parent / name).read_text(encoding="utf-8").splitlines()
    return [line.replace("\\n", "\n") if "<<" in line else line for line in lines]


FLOWS = texts("flow_places.txt")
PLAIN = texts("plain_flows.txt")


@pytest.mark.parametrize("text", FLOWS)
def test_s3_a_value_on_its_way_into_code_is_refused_or_must_be_an_integer(
    shells: Any, text: str, tmp_path: Path
) -> None:
    template = text.replace("X", HOLE)
    compiled, faults = compile_shell(template)
    if not [fault for fault in faults if fault.code in ("E420", "E421")]:
        assert faults == []
        assert [mode for _, _, mode in compiled.variables] == ["integer"]
        shells.run(template, 7, "bash", str(tmp_path))
        for value in EVIL:
            with pytest.raises(ExpressionFault, match="shell arithmetic takes an integer"):
                shells.run(template, value, "bash", str(tmp_path))
    trusted, faults = compile_shell(template.replace(" }}", " | trust }}"))
    assert {fault.code for fault in faults} == {"W401"}
    assert [mode for _, _, mode in trusted.variables] == ["text"]


@pytest.mark.slow
@pytest.mark.parametrize("text", [text for text in FLOWS if "f > >(" not in text])
def test_what_is_refused_is_a_way_in(text: str, tmp_path: Path) -> None:
    if shutil.which("bash") is None:
        pytest.skip("no bash here")
    for name in ("evil", "evil.sh"):
        (tmp_path / name).write_text("touch CANARY\n", encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    for value in EVIL:
        program = text.replace("X", f"'{value}'" if "$x" in text or "<<" not in text else value)
        subprocess.run(
            ["bash", "-c", program + "\nsleep 0.2; :"],
            cwd=tmp_path,
            env={**os.environ, "PIPE_V1": value},
            capture_output=True,
            check=False,
            timeout=20,
        )
        if (tmp_path / "CANARY").exists():
            return
    pytest.fail("nothing was run")


@pytest.mark.parametrize("text", PLAIN)
def test_values_that_go_ordinary_ways_pass(shells: Any, text: str) -> None:
    compiled, faults = compile_shell(text.replace("X", HOLE))
    assert faults == []
    assert {mode for _, _, mode in compiled.variables} == {"text"}


def test_what_is_said_of_a_value_is_the_same_in_every_process() -> None:
    text = "IFS=. read -r a b c d e <<< {{ inputs.v }}; echo $((a + 1)) $((b + 1)) $((c + 1)) $((d + 1)) $((e + 1))"
    code = f"from pipe_runner.expressions.shelltext import compile_shell as c; print(c({text!r})[1])"
    environ = [{**os.environ, "PYTHONHASHSEED": str(seed)} for seed in range(5)]
    told = {subprocess.check_output([sys.executable, "-c", code], env=each) for each in environ}
    assert len(told) == 1


def test_a_text_in_which_too_many_commands_are_put_together_is_told_the_way() -> None:
    more = "; ".join(f'for i in 1 2; do set -- -{letter} "$i" "$@"; done' for letter in "abcd")
    *_, fault = compile_shell(f'{more}; docker run "$@" {HOLE}')[1]
    assert (fault.code, "args+=(" in (fault.hint or "")) == ("E403", True)
    assert weighed_shell(f'{more}; docker run "$@" {HOLE}')[2] < 10_000  # told before they are looked at
    array = more.replace("set -- ", "args+=(").replace('"$i" "$@"', '"$i")')
    assert compile_shell(f'args=(); {array}; docker run "${{args[@]}}" {HOLE}')[1] == []


def test_r2_calls_with_words_of_the_text_are_told_apart_in_bounded_time() -> None:
    functions = "".join(f'f{number}() {{ g "$1"; }}; ' for number in range(600))
    calls = "".join(f"n=$(f{number} 3); (( n )); " for number in range(600))
    _, faults, work = weighed_shell(functions + "g() { " + 'echo "$1"; ' * 1000 + "}; " + calls + f"f1 {HOLE}")
    assert {fault.code for fault in faults} <= {"E420"}
    assert work < 300_000


def test_r2_a_variable_with_options_of_ssh_that_is_set_again_and_again_is_looked_at_once() -> None:
    few, many = (f'o="-i $K"; ssh $o {HOLE}; ' * count for count in (200, 1600))
    times = []
    for text in (few, many):
        begun = time.process_time()
        compile_shell(text)
        times.append(time.process_time() - begun)
    assert times[1] < 30 * times[0]
