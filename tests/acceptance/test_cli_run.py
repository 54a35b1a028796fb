"""`pipe run` and what follows from it, as a user meets them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

ONE = "version: 1\nnodes:\n  a: {run: echo hi}\noutputs: {said: '{{ nodes.a.output }}'}\n"
FAILING = """
version: 1
nodes:
  good: {run: "echo fine"}
  bad:
    run: |
      echo working
      echo "no such host" >&2
      test -e flag
  after: {run: "echo {{ nodes.bad.output }}"}
outputs: {x: "{{ nodes.after.output }}"}
"""


def test_results_go_to_stdout_and_progress_to_stderr_with_the_id_first_and_the_status_last(pipe: Any) -> None:
    pipe.write("one.yml", ONE)
    done = pipe("run", "one.yml")
    assert (done.returncode, done.stdout) == (0, "said: hi\n")
    lines = done.stderr.splitlines()
    assert lines[0] == f"run {pipe.run_id()}: one, 1 node"
    assert re.fullmatch(rf"run {pipe.run_id()} succeeded in \d+\.\d\ds: 1 succeeded", lines[-1])
    assert "\x1b" not in done.stderr


def test_output_json_is_one_object_of_the_contract_and_show_prints_it_again(pipe: Any) -> None:
    pipe.write("f.yml", FAILING)
    done = pipe("run", "f.yml", "--output", "json")
    assert done.returncode == 1
    found = json.loads(done.stdout)
    assert set(found) == {"run", "status", "outputs", "nodes"}
    assert found["status"] == "failed"
    assert {node: state["status"] for node, state in found["nodes"].items()} == {
        "good": "succeeded",
        "bad": "failed",
        "after": "blocked",
    }
    assert set(found["nodes"]["bad"]) == {"status", "output", "error", "attempts", "duration_s"}
    assert found["nodes"]["bad"]["error"]["kind"] == "exit"
    assert pipe("show", "latest", "--output", "json").stdout == done.stdout
    assert pipe("show", found["run"][:-1], "--output", "json").stdout == done.stdout


def test_output_json_has_large_outputs_whole(pipe: Any) -> None:
    pipe.write("big.yml", "version: 1\nnodes:\n  a: {run: 'head -c 300000 /dev/zero | tr \"\\\\0\" x'}\n")
    done = pipe("run", "big.yml", "--output", "json")
    assert json.loads(done.stdout)["nodes"]["a"]["output"] == "x" * 300_000
    assert pipe("show", "latest", "--output", "json").stdout == done.stdout


def test_output_jsonl_is_the_log(pipe: Any) -> None:
    pipe.write("one.yml", ONE)
    done = pipe("run", "one.yml", "--output", "jsonl")
    assert done.stdout == pipe.log()
    assert [json.loads(line)["seq"] for line in done.stdout.splitlines()] == list(range(1, done.stdout.count("\n") + 1))
    assert pipe("logs", "latest", "--output", "jsonl").stdout == done.stdout


def test_a_failed_run_ends_with_node_place_error_last_lines_and_the_command_to_go_on(pipe: Any) -> None:
    pipe.write("f.yml", FAILING)
    done = pipe.alone("run", "f.yml")
    assert done.returncode == 1
    _, _, end = done.stderr.partition("\n\n")
    lines = end.splitlines()
    assert lines[0].startswith("f.yml:5: bad failed: ")
    assert lines[1:3] == ["    | working", "    | no such host"]
    assert f"go on with: pipe resume {pipe.run_id()}" in lines
    assert lines[-1].startswith(f"run {pipe.run_id()} failed in ")


def test_resume_runs_what_is_not_done_says_why_and_then_has_nothing_to_do(pipe: Any) -> None:
    pipe.write("f.yml", FAILING)
    pipe("run", "f.yml")
    pipe.write("flag", "")
    done = pipe("resume", "latest")
    assert (done.returncode, done.stdout) == (0, "x: working\n")
    assert done.stderr.splitlines()[0] == f"run {pipe.run_id()}: resumed, 2 nodes of 3 to run"
    assert "  again      bad: failed" in done.stderr
    assert "  again      after: blocked" in done.stderr
    before = pipe.log()
    again = pipe("resume", pipe.run_id(), "--output", "json")
    assert again.returncode == 0
    assert "nothing to do" in again.stderr
    assert json.loads(again.stdout)["outputs"] == {"x": "working"}
    assert pipe.log() == before


def test_d11_a_changed_node_and_what_needs_it_run_again_and_a_comment_changes_nothing(pipe: Any) -> None:
    pipe.write("f.yml", FAILING)
    pipe("run", "f.yml")
    pipe.write("flag", "")
    pipe.write("f.yml", FAILING.replace("echo fine", "echo finer") + "# a comment\n")
    done = pipe("resume", "latest", "--explain")
    assert "good: changed" in done.stderr
    assert "bad: failed" in done.stderr


def test_a_reader_who_goes_away_does_not_end_a_run(pipe: Any) -> None:
    pipe.write("two.yml", "version: 1\nnodes:\n  a: {run: sleep 0.5}\n  b: {run: 'touch done', needs: [a]}\n")
    process = pipe.start("run", "two.yml", "--output", "jsonl", "-v")
    process.stdout.close()
    process.stderr.close()
    assert process.wait(20) == 0
    assert (pipe.folder / "done").exists()
    process.stdout, process.stderr = None, None


@pytest.mark.parametrize("closed", [0, 1, 2])
def test_a_run_with_a_closed_standard_stream_writes_its_log_and_nothing_into_it(pipe: Any, closed: int) -> None:
    import subprocess

    pipe.write("one.yml", ONE)
    redirect = f"exec {closed}{'<' if closed == 0 else '>'}&-; exec {pipe_path()} run one.yml"
    done = subprocess.run(["/bin/sh", "-c", redirect], cwd=pipe.folder, env=pipe.env, capture_output=True, timeout=30)
    assert done.returncode == 0
    events = [json.loads(line)["event"] for line in pipe.log().splitlines()]
    assert events[0] == "run.started" and events[-1] == "run.finished"


def pipe_path() -> str:
    import sys

    return str(Path(sys.executable).with_name("pipe"))


def test_a_full_stdout_is_an_error_and_not_silence(pipe: Any) -> None:
    import subprocess

    pipe.write("one.yml", ONE)
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [pipe_path(), "run", "one.yml"], cwd=pipe.folder, env=pipe.env, stdout=full, stderr=subprocess.PIPE
        )
    assert done.returncode == 74
    assert b"cannot write to stdout" in done.stderr


# ---------------------------------------------------------------- flags


def test_settings_come_from_flag_then_environment_then_pipe_yml_then_default(pipe: Any) -> None:
    pipe.write("one.yml", ONE)
    pipe.write("pipe.yml", "version: 1\ndefaults: {durability: os}\n")

    def durability(*flags: str, **env: str) -> str:
        done = pipe("run", "one.yml", "--output", "jsonl", *flags, env=env)
        return str(json.loads(done.stdout.splitlines()[0])["durability"])

    assert durability() == "os"
    assert durability() == "os"  # from the kept plan, too
    assert durability(PIPE_DURABILITY="full") == "full"
    assert durability("--durability", "os", PIPE_DURABILITY="full") == "os"
    assert durability(PIPE_DURABILITY="") == "os"


def test_the_state_directory_is_where_flag_or_variable_say(pipe: Any) -> None:
    pipe.write("one.yml", ONE)
    pipe("run", "one.yml", "--state-dir", "here")
    pipe("run", "one.yml", env={"PIPE_STATE_DIR": str(pipe.folder / "there")})
    assert len(os.listdir(pipe.folder / "here" / "runs")) == 1
    assert len(os.listdir(pipe.folder / "there" / "runs")) == 1
    assert not (pipe.folder / ".pipe").exists()
    assert "1/1" in pipe("runs", "--state-dir", "here").stdout


def test_the_command_to_go_on_finds_the_run_also_from_elsewhere(pipe: Any) -> None:
    pipe.write("project/f.yml", FAILING)
    elsewhere = pipe.folder / "elsewhere"
    elsewhere.mkdir()
    done = pipe("run", "../project/f.yml", cwd=elsewhere)
    (command,) = re.findall(r"go on with: pipe (.*)", done.stderr)
    pipe.write("project/flag", "")
    assert pipe(*command.split(), cwd=elsewhere).returncode == 0


def test_a_pipeline_that_runs_pipe_is_not_taken_for_its_node(pipe: Any) -> None:
    """PIPE_RUN_ID and PIPE_OUTPUT of the outer run are told to its nodes, and mean nothing to the inner one."""
    pipe.write("inner.yml", ONE)
    pipe.write("outer.yml", f"version: 1\nnodes:\n  a: {{run: '{pipe_path()} run -q inner.yml --state-dir inner'}}\n")
    done = pipe("run", "outer.yml", "--output", "json")
    assert json.loads(done.stdout)["nodes"]["a"]["output"] == "said: hi"


def test_only_runs_a_node_and_what_it_needs_and_shows_what_it_selected(pipe: Any) -> None:
    pipe.write("f.yml", FAILING.replace("test -e flag", "true"))
    done = pipe("run", "f.yml", "--only", "after", "--output", "json")
    assert set(json.loads(done.stdout)["nodes"]) == {"bad", "after"}
    assert "(--only after: bad, after)" in done.stderr.splitlines()[0]
    wrong = pipe("run", "f.yml", "--only", "afte")
    assert wrong.returncode == 2 and "did you mean after?" in wrong.stderr


def test_a_dry_run_shows_the_commands_in_order_and_starts_nothing(pipe: Any) -> None:
    pipe.write("f.yml", FAILING)
    done = pipe("run", "f.yml", "--dry-run")
    assert done.returncode == 0
    assert "would run 3 nodes of 3" in done.stdout
    assert done.stdout.index("bad (shell)") < done.stdout.index("after (shell)")
    assert '$ echo "${PIPE_V1}"' in done.stdout
    assert "PIPE_V1={{ nodes.bad.output }}" in done.stdout
    assert not (pipe.folder / ".pipe" / "runs").exists()
    told = json.loads(pipe("run", "f.yml", "--dry-run", "--output", "json", "--only", "after").stdout)
    assert [node["id"] for node in told["nodes"]] == ["bad", "after"]


def test_quietly_too_both_streams_of_a_failed_node_are_told(pipe: Any) -> None:
    pipe.write("q.yml", "version: 1\nnodes: {t: {run: 'echo 1 failed; echo a warning >&2; exit 1'}}\n")
    told = pipe("run", "q.yml", "-q").stderr
    assert "    | 1 failed\n    | a warning\n\n" in told


def test_what_items_printed_that_failed_is_told(pipe: Any) -> None:
    text = "version: 1\nnodes:\n  t: {for_each: {items: [a, b, c, d, e]}, run: 'echo boom {{ item }} >&2; exit 3'}\n"
    pipe.write("m.yml", text)
    done = pipe("run", "m.yml", "--junit", "out.xml", "--concurrency", "1")
    assert "\nm.yml:3: t failed: 5 of 5 items failed: t[0], t[1], t[2], t[3], t[4]\n    t[0]: exited" in done.stderr
    assert "    t[0]: exited with 3\n    | boom a\n    t[1]: exited with 3\n    | boom b\n" in done.stderr
    assert "    … and 2 more items, which `pipe show" in done.stderr
    told = ET.parse(pipe.folder / "out.xml").findtext(".//testcase[@name='t']/system-err")
    assert told is not None
    assert "t[4]: exited with 3\nboom e" in told


def test_junit_has_a_case_for_each_node(pipe: Any) -> None:
    pipe.write("f.yml", FAILING)
    done = pipe("run", "f.yml", "--junit", "out.xml")
    assert done.returncode == 1
    suite = ET.parse(pipe.folder / "out.xml").getroot().find("testsuite")
    assert suite is not None
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("3", "1", "1")
    assert pipe("run", "f.yml", "--junit", "no/such/out.xml").returncode == 2


def test_inputs_are_parsed_by_their_type_and_the_flag_stands_over_the_file(pipe: Any) -> None:
    pipe.write(
        "in.yml",
        "version: 1\ninputs:\n  ports: {type: array, items: {type: integer}}\n  name: {type: string, default: x}\n"
        "nodes:\n  a: {run: 'echo {{ inputs.ports | length }} {{ inputs.name }}'}\n"
        "outputs: {a: '{{ nodes.a.output }}'}\n",
    )
    pipe.write("some.yml", "ports: [1, 2, 3]\nname: no\n")
    pipe.write("some.json", '{"ports": [1]}')
    assert pipe("run", "in.yml", "-i", "ports=[80, 443]").stdout == "a: 2 x\n"
    assert pipe("run", "in.yml", "--inputs", "some.yml").stdout == "a: 3 no\n"
    assert pipe("run", "in.yml", "--inputs", "some.json", "-i", "name=[y]").stdout == "a: 1 [y]\n"
    for words in (["-i", "ports=x"], ["-i", "port=[]"], ["-i", "ports"], [], ["--inputs", "none.yml"]):
        done = pipe("run", "in.yml", *words)
        assert done.returncode == 2, words
        assert done.stderr.startswith("error: "), words


@pytest.mark.parametrize(
    "words",
    [
        ["--record", ""],
        ["--replay", "d"],
        ["--executor", "dask"],
        ["--concurrency", "0"],
        ["--concurrency", "many"],
        ["--grace", "10"],
        ["--grace", "soon"],
        ["--durability", "none"],
        ["--run-id", "../x"],
        ["--state-dir", ""],
        ["-q", "-v"],
        ["--output", "xml"],
        ["--ouput", "json"],
        ["more.yml"],
    ],
)
@pytest.mark.few(6)
def test_what_is_wrong_or_not_here_is_said_and_exits_with_2(pipe: Any, words: list[str]) -> None:
    pipe.write("one.yml", ONE)
    done = pipe("run", "one.yml", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr
    assert not (pipe.folder / ".pipe" / "runs").exists()


def test_a_run_id_is_taken_once(pipe: Any) -> None:
    pipe.write("one.yml", ONE)
    assert pipe("run", "one.yml", "--run-id", "mine").returncode == 0
    again = pipe("run", "one.yml", "--run-id", "mine")
    assert again.returncode == 2 and "there is a run mine already" in again.stderr


def test_a_faulty_file_is_told_on_stderr_as_check_tells_it(pipe: Any) -> None:
    pipe.write("bad.yml", "version: 1\nnodes:\n  a: {rum: echo}\n")
    done = pipe("run", "bad.yml")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(pipe("check", "bad.yml").stdout)


def test_quiet_says_nothing_of_a_good_run_and_verbose_says_what_nodes_print(pipe: Any) -> None:
    pipe.write("one.yml", ONE)
    assert pipe("run", "one.yml", "-q").stderr == ""
    assert "  a | hi\n" in pipe("run", "one.yml", "-v").stderr


def test_s8_data_gives_no_command_to_a_ci_and_no_control_byte_to_a_terminal(pipe: Any) -> None:
    pipe.write(
        "evil.yml",
        "version: 1\nnodes:\n  a:\n    run: |\n"
        "      printf '::error::boo\\n##[group]x\\n\\033]0;t\\007\\n\\342\\200\\256'; exit 1\n"
        "    continue_on_error: true\n"
        "outputs: {a: '{{ nodes.a.output }}'}\n",
    )
    env = {"GITHUB_ACTIONS": "true", "CI": "true"}
    for words in (
        ["run", "evil.yml", "-v"],
        ["run", "evil.yml", "--output", "json"],
        ["run", "evil.yml", "--output", "jsonl"],
        ["logs", "latest"],
        ["logs", "latest", "a"],
        ["show", "latest"],
        ["runs"],
    ):
        done = pipe(*words, env=env)
        text = done.stdout + done.stderr
        assert "##[" not in text, words
        assert not [line for line in text.splitlines() if line.lstrip().startswith("::")], words
        assert not [c for c in text if (ord(c) < 32 and c not in "\n\t") or c in "\x7f\u202e"], words


def test_a_copied_run_goes_on_in_the_project_that_it_lies_in(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    (first / "p.yml").write_text('version: 1\nnodes:\n  a: {run: "echo a >> eff; test -e go"}\n')
    command = [sys.executable, "-m", "pipe_runner"]
    subprocess.run([*command, "run", "p.yml", "--run-id", "r"], cwd=first, check=False, capture_output=True)
    shutil.copytree(first, second)
    (second / "go").touch()
    done = subprocess.run([*command, "resume", "r"], cwd=second, check=False, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert (first / "eff").read_text() == "a\n"
    assert (second / "eff").read_text() == "a\na\n"


@pytest.mark.parametrize("text", ["1e999", "[1e999]", '{"a": -1e999}'])
def test_s11_a_number_beyond_all_bounds_is_refused_before_anything_begins(pipe: Any, text: str) -> None:
    kind = {"1": "number", "[": "array", "{": "object"}[text[0]]
    pipe.write("p.yml", f"version: 1\ninputs: {{x: {{type: {kind}}}}}\nnodes: {{a: {{run: 'true'}}}}\n")
    given = pipe("run", "p.yml", "-i", f"x={text}")
    assert given.returncode == 2 and "input `x`" in given.stderr, given.stderr
    pipe.write("in.json", f'{{"x": {text}}}')
    read = pipe("run", "p.yml", "--inputs", "in.json")
    assert read.returncode == 2 and "too large for a number" in read.stderr, read.stderr


def test_d6_another_runs_log_is_shown_to_nobody(pipe: Any) -> None:
    pipe.write("one.yml", ONE)
    assert pipe("run", "one.yml").returncode == 0
    runs = pipe.folder / ".pipe" / "runs"
    (runs / pipe.run_id()).rename(runs / "moved")
    for command in ("show", "logs"):
        done = pipe(command, "moved")
        assert done.returncode == 74 and "belongs to run" in done.stderr, (command, done)
    assert pipe("logs", "moved", "--output", "jsonl").returncode == 74
