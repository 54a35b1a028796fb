"""The shell agent: which command it makes of its options, and which outcome of its end."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from shutil import which
from typing import Any

import pydantic
import pytest

from pipe_agents.shell import ShellAgent, base_environment
from pipe_runner.errors import NodeFault
from pipe_runner.ports import Command, Outcome, ProcessEnd
from pipe_runner.types import DEFAULT_PATH, ErrorKind, NodeStatus


def ended(stdout: bytes = b"", code: int | None = 0, **fields: Any) -> ProcessEnd:
    values: dict[str, Any] = {"signal": None, "stderr_tail": b"", "duration": 0.1, **fields}
    return ProcessEnd(exit_code=code, stdout=stdout, **values)


# ---------------------------------------------------------------- the command


def test_a_script_goes_to_sh_and_a_failing_command_ends_it(play_shell: Any) -> None:
    assert play_shell(script="a\nb").command.argv == ("/bin/sh", "-e", "-c", "a\nb")


@pytest.mark.parametrize("shell", ["sh", "bash", ["dash", "-c"]])
@pytest.mark.parametrize("script", ["-x", "+x", "--help"])
def test_a_script_is_never_taken_for_options_of_the_shell(play_shell: Any, shell: Any, script: str) -> None:
    argv = play_shell(shell=shell, script=script).command.argv
    assert argv[-1] == f" {script}"
    if which(argv[0]) is not None:
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert done.returncode == 127 and f"{script}: " in done.stderr


def test_bash_fails_for_any_part_of_a_pipe(play_shell: Any) -> None:
    assert play_shell(shell="bash").command.argv == (
        "bash",
        "--noprofile",
        "--norc",
        "-e",
        "-o",
        "pipefail",
        "-c",
        "true",
    )


def test_python_is_the_one_on_the_path_else_our_own(play_shell: Any, tmp_path: Path) -> None:
    python = tmp_path / "python3"
    python.write_text("")
    python.chmod(0o755)
    argv = play_shell(shell="python", script="1", environ={"PATH": str(tmp_path)}).command.argv
    assert argv == (str(python), "-u", "-c", "1")
    assert play_shell(shell="python", environ={"PATH": "/nowhere"}).command.argv[0] == sys.executable


def test_a_list_takes_text_after_an_option_that_wants_it_and_else_a_file(play_shell: Any) -> None:
    seen: list[str] = []

    def look(command: Command) -> None:
        path = next(Path(word.removeprefix("--file=")) for word in command.argv if word.endswith(".script"))
        assert path.stat().st_mode & 0o777 == 0o600
        seen.append(path.read_text())

    for words in (["perl", "-e"], ["bash", "-ec"], ["node", "--eval"], ["pwsh", "-Command"]):
        assert play_shell(shell=words, script="x y").command.argv == (*words, "x y")
    for words in (["bash", "-eu"], ["bash", "-e"], ["/usr/bin/env", "deno", "run"]):
        argv = play_shell(shell=words, script="x y", during=look).command.argv
        assert argv[:-1] == tuple(words)
    argv = play_shell(shell=["tool", "--file={0}", "-c"], script="x y", during=look).command.argv
    assert (argv[0], argv[2]) == ("tool", "-c")
    assert seen == ["x y"] * 4


def test_files_of_an_attempt_are_gone_when_it_is_over(play_shell: Any, bench: Any) -> None:
    play_shell(shell=["bash", "-eu"], script="x", variables={"PIPE_V1": "v" * 10})
    play_shell(variables={"PIPE_V1": "v" * 200_000}, script="echo ${PIPE_V1}")
    assert os.listdir(bench.root) == []


def test_argv_is_taken_as_it_is(play_shell: Any) -> None:
    assert play_shell(argv=["echo", "", "$x", "{{"]).command.argv == ("echo", "", "$x", "{{")


def test_s4_the_environment_is_a_short_list_then_env_then_secrets_then_what_the_runner_sets(
    play_shell: Any, bench: Any
) -> None:
    bench.secrets = {"TOKEN": "s3cret-value", "B": "secret wins"}
    environ = {"PATH": "/p", "LC_ALL": "C", "TZ": "UTC", "AWS_SECRET_ACCESS_KEY": "x", "PYTHONPATH": "y", "HOME": "/h"}
    fields = {"env": {"A": "1", "B": "2", "PIPE_NODE": "forged", "HOME": "/mine"}, "traceparent": "00-ab-cd-01"}
    env = dict(play_shell(environ=environ, fields={**fields, "number": 2}).command.env)
    assert env.pop("PIPE_OUTPUT") == os.path.join(bench.root, "n.2.output")
    assert env == {
        "PATH": "/p",
        "LC_ALL": "C",
        "TZ": "UTC",
        "HOME": "/mine",
        "A": "1",
        "B": "secret wins",
        "TOKEN": "s3cret-value",
        "PIPE_RUN_ID": "r1",
        "PIPE_NODE": "n",
        "PIPE_ATTEMPT": "2",
        "PIPE_IDEMPOTENCY_KEY": "key-1",
        "TRACEPARENT": "00-ab-cd-01",
    }


def test_a_path_is_always_set() -> None:
    assert base_environment({}) == {"PATH": DEFAULT_PATH}


def test_nodes_with_odd_names_get_files_of_their_own(play_shell: Any) -> None:
    names = ["a/../b", "a/../c", "probe[1]", "probe[2]", "x" * 300]
    paths = {play_shell(fields={"node": name}).command.env["PIPE_OUTPUT"] for name in names}
    assert len(paths) == len(names)
    assert all(".." not in path and len(os.path.basename(path)) < 100 for path in paths)


def test_variables_travel_in_the_environment(play_shell: Any) -> None:
    command = play_shell(script='echo "${PIPE_V1}"', variables={"PIPE_V1": "a'\"$(id)\n", "PIPE_V2": ""}).command
    assert command.argv[-1] == 'echo "${PIPE_V1}"'
    assert (command.env["PIPE_V1"], command.env["PIPE_V2"]) == ("a'\"$(id)\n", "")


@pytest.mark.parametrize("value", ["0", "-12", "+7", "010", "9" * 30])
def test_in_arithmetic_an_integer_passes(play_shell: Any, value: str) -> None:
    assert play_shell(variables={"PIPE_V1": value}, integers=["PIPE_V1"]).command.env["PIPE_V1"] == value


@pytest.mark.parametrize("value", ["", " 1", "1\n", "1.5", "a[$(id)]", "x", "0x10", "1e3", "--1", "١"])
def test_in_arithmetic_all_else_fails_the_node(play_shell: Any, value: str) -> None:
    with pytest.raises(NodeFault, match="only integers pass") as fault:
        play_shell(variables={"PIPE_V1": value}, integers=["PIPE_V1"])
    assert fault.value.kind is ErrorKind.TEMPLATE


def test_raw_values_are_pasted_and_do_not_travel(play_shell: Any) -> None:
    command = play_shell(script="ls \0PIPE_V1\0", variables={"PIPE_V1": "-l | wc"}, raw=["PIPE_V1"]).command
    assert command.argv[-1] == "ls -l | wc"
    assert "PIPE_V1" not in command.env


def test_a_value_with_a_nul_fails_with_a_way_out(play_shell: Any) -> None:
    with pytest.raises(NodeFault, match="NUL") as fault:
        play_shell(variables={"PIPE_V1": "a\0b"})
    assert fault.value.kind is ErrorKind.TEMPLATE and "stdin" in fault.value.message


def test_large_values_stay_out_of_the_environment_also_when_only_together(play_shell: Any) -> None:
    values = {f"PIPE_V{i}": "x" * 90_000 for i in range(1, 21)}
    command = play_shell(variables={**values, "PIPE_V21": "small", "PIPE_V22": "é" * 60_000}).command
    assert command.env["PIPE_V21"] == "small" and "PIPE_V22" not in command.env
    assert 3 <= sum(name in command.env for name in values) <= 5
    assert "\n" not in command.argv[-1], "the lines of the script keep their numbers"


def test_a_program_that_knows_no_variables_gets_no_file(play_shell: Any) -> None:
    with pytest.raises(NodeFault, match="too large for the environment of perl"):
        play_shell(shell=["perl", "-e"], variables={"PIPE_V1": "x" * 200_000})
    with pytest.raises(NodeFault, match="too large for an argument"):
        play_shell(shell=["perl", "-e"], script="x" * 200_000)


def test_stdin_is_text_and_nothing_otherwise(play_shell: Any) -> None:
    assert play_shell().command.stdin is None
    assert play_shell(stdin="é\0\n").command.stdin == "é\0\n".encode()
    assert play_shell(stdin="").command.stdin == b""


def test_s9_the_working_directory_stays_in_the_root_links_resolved(play_shell: Any, bench: Any) -> None:
    root = Path(bench.root)
    (root / "sub" / "deep").mkdir(parents=True)
    (root / "inside").symlink_to("sub/deep")
    (root / "outside").symlink_to("/")
    (root / "file").write_text("")
    assert play_shell().command.cwd == bench.root
    assert play_shell(cwd=".").command.cwd == bench.root
    assert play_shell(cwd="inside").command.cwd == str(root / "sub" / "deep")
    assert play_shell(cwd="sub/../sub").command.cwd == str(root / "sub")
    for cwd in ("..", "/", "outside", "outside/etc", "sub/../..", f"{bench.root}x"):
        with pytest.raises(NodeFault, match="outside the project's root") as fault:
            play_shell(cwd=cwd)
        assert fault.value.kind is ErrorKind.REFUSED
    for cwd, why in {"nowhere": "is not there", "file": "is not a directory"}.items():
        with pytest.raises(NodeFault, match=why) as fault:
            play_shell(cwd=cwd)
        assert fault.value.kind is ErrorKind.NOT_FOUND


# ---------------------------------------------------------------- how it ended


@pytest.mark.parametrize(
    ("end", "status", "kind", "message"),
    [
        (ended(code=None, signal=11), "failed", ErrorKind.SIGNAL, "ended by SIGSEGV"),
        (ended(code=None, signal=40), "failed", ErrorKind.SIGNAL, "ended by signal 40"),
        (ended(code=None, signal=15, timed_out=True), "failed", ErrorKind.TIMEOUT, "timed out after 2 s"),
        (ended(code=0, timed_out=True), "failed", ErrorKind.TIMEOUT, "timed out after 2 s"),
        (ended(code=None, signal=9, stopped=True), "cancelled", ErrorKind.CANCELLED, "the run was stopped"),
        (ended(code=143, stopped=True), "cancelled", ErrorKind.CANCELLED, "the run was stopped"),
        (ended(code=4, stopped=True), "failed", ErrorKind.EXIT, "exited with 4"),
        (ended(code=None, not_found="x was not found"), "failed", ErrorKind.NOT_FOUND, "x was not found"),
        (ended(code=None, unavailable="no more"), "failed", ErrorKind.UNAVAILABLE, "no more"),
        (ended(code=None, lost=True), "failed", ErrorKind.LOST, "nobody knows how it ended"),
        (ended(code=None), "failed", ErrorKind.LOST, "it could not be ended"),
    ],
)
def test_each_end_has_its_kind(play_shell: Any, end: ProcessEnd, status: str, kind: ErrorKind, message: str) -> None:
    outcome = play_shell(end, fields={"timeout": 2.0}).outcome
    assert outcome.status == status
    assert outcome.error.kind is kind
    assert outcome.error.message.startswith(message)


def test_x1_a_command_that_ends_well_when_stopped_has_succeeded(play_shell: Any) -> None:
    assert play_shell(ended(b"saved\n", stopped=True)).outcome == Outcome(NodeStatus.SUCCEEDED, "saved", exit_code=0)


def test_what_no_program_can_be_given_is_a_fault_of_the_values(play_shell: Any) -> None:
    outcome = play_shell(ended(code=None, not_found="too much"), argv=["echo", "x" * 200_000]).outcome
    assert outcome.error.kind is ErrorKind.TEMPLATE
    assert outcome.error.message.startswith("the argument 1 is too large")
    outcome = play_shell(ended(code=None, not_found="NUL"), argv=["echo"], fields={"env": {"A": "\0"}}).outcome
    assert outcome.error.message == "A holds a NUL character, which no program can be given"
    outcome = play_shell(ended(code=None, not_found="NUL"), argv=["echo", "\ud83d"]).outcome
    assert outcome.error.kind == "template"
    assert outcome.error.message.startswith("the argument 1 holds half a character (the surrogate U+D83D), which")
    with pytest.raises(NodeFault, match=r"^stdin holds half a character \(the surrogate U\+D83D\), which") as raised:
        play_shell(argv=["cat"], stdin="a\ud83d")
    assert raised.value.kind is ErrorKind.TEMPLATE


# ---------------------------------------------------------------- what it declares


def test_it_declares_what_it_gives() -> None:
    agent = ShellAgent({})
    assert agent.output_schema({"output": "text"}) == agent.output_schema({}) == {"type": "string"}
    assert agent.output_schema({"output": "lines"}) == {"type": "array", "items": {"type": "string"}}
    assert agent.output_schema({"output": "json"}) == {}
    assert agent.output_schema({"output": "file"}) == {"type": "object"}
    assert agent.describe().runs_processes


def test_options_are_closed_and_name_one_command() -> None:
    model = ShellAgent({}).options_model()
    options = model.model_validate({"script": "x", "shell": ["bash", "-eu"], "variables": {"PIPE_V1": "a"}})
    assert options.model_dump(exclude_defaults=True) == {
        "script": "x",
        "shell": ["bash", "-eu"],
        "variables": {"PIPE_V1": "a"},
    }
    for wrong in (
        {},
        {"script": "x", "argv": ["y"]},
        {"argv": []},
        {"script": "x", "shel": "sh"},
        {"script": "x", "shell": "zsh"},
    ):
        with pytest.raises(pydantic.ValidationError):
            model.model_validate(wrong)
