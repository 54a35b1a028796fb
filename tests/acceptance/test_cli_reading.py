"""`pipe check`, `graph`, `schema`, `agents`, `init`, `doctor`, help and usage errors, as a user meets them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipe_runner.errors import Unsupported

PIPE = str(Path(sys.executable).with_name("pipe"))
GOOD = "version: 1\nnodes:\n  a: {run: echo hi}\n  b: {run: 'echo {{ nodes.a.output }}'}\n"
BAD = "version: 1\nnodes:\n  a: {rum: echo hi}\n  b: {run: 'echo {{ nodes.c.output }}'}\n"


def test_check_tells_every_fault_on_stdout_and_a_summary_on_stderr(pipe: Any) -> None:
    pipe.write("bad.yml", BAD)
    done = pipe("check", "bad.yml")
    assert done.returncode == 1
    first = done.stdout.splitlines()[0]
    assert first.startswith("bad.yml:3:") and " E" in first
    assert "bad.yml:4:" in done.stdout
    assert "^" in done.stdout
    assert "hint:" in done.stdout
    assert "errors in 1 file" in done.stderr
    assert pipe("check", "bad.yml", "-q").stderr == ""


def test_check_of_good_files_is_silent_on_stdout(pipe: Any) -> None:
    pipe.write("good.yml", GOOD)
    done = pipe("check", "good.yml")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "no faults in 1 file\n")


def test_check_of_a_directory_takes_pipelines_and_pipe_yml_and_nothing_else(pipe: Any) -> None:
    pipe.write("good.yml", GOOD)
    pipe.write("sub/bad.yaml", BAD)
    pipe.write("pipe.yml", "limits: {outputt: 1MiB}\n")
    pipe.write("mkdocs.yml", "site_name: x\nnav: []\n")
    pipe.write("compose.yml", "version: '3'\nservices: {}\n")
    pipe.write("short.yml", "{version: 1, nodes: {a: {run: 'true'}}}\n")
    pipe.write("good.test.yml", "tests: []\nnodes: {}\n")
    pipe.write(".hidden/bad.yml", BAD)
    pipe.write("node_modules/bad.yml", BAD)
    done = pipe("check", ".", "--format", "json")
    assert done.returncode == 1
    assert {fault["file"] for fault in json.loads(done.stdout)} == {"sub/bad.yaml", "pipe.yml"}
    assert "in 4 files" in done.stderr
    assert set(json.loads(done.stdout)[0]) == {"file", "line", "column", "code", "severity", "message", "hint"}


@pytest.mark.parametrize("form", ["json", "gitlab", "sarif"])
def test_check_gives_json_in_the_forms_of_ci_systems(pipe: Any, form: str) -> None:
    pipe.write("bad.yml", BAD)
    assert json.loads(pipe("check", "bad.yml", "--format", form).stdout)
    pipe.write("good.yml", GOOD)
    json.loads(pipe("check", "good.yml", "--format", form).stdout)


def test_check_gives_workflow_commands_for_github(pipe: Any) -> None:
    pipe.write("bad.yml", BAD)
    lines = pipe("check", "bad.yml", "--format", "github").stdout.splitlines()
    assert lines and all(line.startswith("::error file=bad.yml,line=") for line in lines)


def test_a_path_that_is_not_there_exits_with_2_and_says_what_is_near(pipe: Any) -> None:
    pipe.write("deploy.yml", GOOD)
    done = pipe("check", "deplyo.yml")
    assert done.returncode == 2
    assert "did you mean deploy.yml?" in done.stderr
    (pipe.folder / "empty").mkdir()
    assert pipe("check", "empty").returncode == 2
    assert pipe("run", "none.yml").returncode == 2
    assert pipe("graph", "none.yml").returncode == 2


def test_s11_a_working_directory_that_is_gone_is_told(pipe: Any) -> None:
    for command in ("run f.yml", "check f.yml", "runs", "show latest", "doctor", "init"):
        script = f"mkdir gone; cd gone; rmdir ../gone; exec {PIPE} {command}"
        done = subprocess.run(["/bin/sh", "-c", script], cwd=pipe.folder, env=pipe.env, capture_output=True, text=True)
        assert done.returncode in (2, 74), (command, done.stderr)
        assert "bug in pipe-runner" not in done.stderr and "Traceback" not in done.stderr


@pytest.mark.few(2)
@pytest.mark.parametrize(
    "name", ["pipe.fifo", "folder.yml", "\udcff.yml", "a\x1b[31m.yml"], ids=["fifo", "folder", "bytes", "escape"]
)
def test_s11_odd_files_are_told_and_never_a_traceback(pipe: Any, name: str) -> None:
    path = os.fsencode(pipe.folder / name)
    if name == "pipe.fifo":
        os.mkfifo(path)
    elif name == "folder.yml":
        os.mkdir(path)
    else:
        with open(path, "w") as file:
            file.write(BAD)
    for command in ("check", "run", "graph"):
        done = subprocess.run(
            [PIPE, command, os.fsencode(name)], cwd=pipe.folder, env=pipe.env, capture_output=True, timeout=30
        )
        assert done.returncode in (1, 2), (command, done.stderr)
        assert b"Traceback" not in done.stderr + done.stdout
        assert b"bug in pipe-runner" not in done.stderr
        assert b"\x1b" not in done.stderr + done.stdout


def test_graph_draws_in_every_form(pipe: Any) -> None:
    pipe.write("good.yml", GOOD)
    assert "a" in pipe("graph", "good.yml").stdout
    assert (
        pipe("graph", "good.yml", "--format", "mermaid").stdout.lstrip().startswith(("graph", "flowchart", "%%", "---"))
    )
    assert "digraph" in pipe("graph", "good.yml", "--format", "dot").stdout
    assert pipe("graph", "good.yml", "--format", "svg", "-o", "g.svg").stdout == ""
    assert (pipe.folder / "g.svg").read_text().startswith("<svg")
    pipe.write("bad.yml", BAD)
    done = pipe("graph", "bad.yml")
    assert (done.returncode, done.stdout) == (2, "")
    assert "bad.yml:3:" in done.stderr


def test_schema_prints_json_schemas_by_name(pipe: Any) -> None:
    assert json.loads(pipe("schema").stdout) == json.loads(pipe("schema", "pipeline").stdout)
    assert json.loads(pipe("schema", "event").stdout)["$schema"]
    done = pipe("schema", "pipelin")
    assert done.returncode == 2 and "did you mean pipeline?" in done.stderr


def test_agents_are_listed_and_described_with_their_options(pipe: Any) -> None:
    ours = ["approval", "auto", "findings", "http", "infrastructure", "infrastructure_action", "llm", "log_analysis"]
    ours += ["network_diagnostics", "python", "shell", "system_monitoring"]
    assert [line.split()[0] for line in pipe("agents").stdout.splitlines()] == ours
    assert "url (string, required)" in pipe("agents", "http").stdout
    told = json.loads(pipe("agents", "shell", "--output", "json").stdout)
    assert told["name"] == "shell" and "script" in told["options"]["properties"]
    assert [one["name"] for one in json.loads(pipe("agents", "--output", "json").stdout)] == ours
    done = pipe("agents", "shel")
    assert done.returncode == 2 and "did you mean 'shell'?" in done.stderr


def test_init_writes_a_pipeline_that_runs_and_never_overwrites(pipe: Any) -> None:
    done = pipe("init", "new")
    assert (done.returncode, done.stdout) == (0, "next: cd new && pipe run hello.yml\n")
    ran = pipe("run", "hello.yml", "-i", "who=you", cwd=pipe.folder / "new")
    assert ran.returncode == 0
    assert ran.stdout.startswith("report: Hello, you! There are ")
    assert pipe("check", "new").returncode == 0
    pipe.write("new/hello.yml", "mine")
    assert "kept  new/hello.yml" in pipe("init", "new").stderr
    assert (pipe.folder / "new" / "hello.yml").read_text() == "mine"
    assert pipe("init", "new/hello.yml").returncode == 2


def test_doctor_fails_where_runs_cannot_be_kept(pipe: Any) -> None:
    pipe.write("file", "")
    done = pipe("doctor", "--state-dir", "/proc/none")
    assert done.returncode == 1
    assert "fail  state directory" in done.stdout
    assert "why: every run keeps its log there" in done.stdout


# ---------------------------------------------------------------- help and usage


def test_help_lists_every_command_that_is_there_and_names_those_that_are_not(pipe: Any) -> None:
    text = pipe("--help").stdout
    for name in (
        "run",
        "check",
        "graph",
        "schema",
        "resume",
        "runs",
        "show",
        "logs",
        "cancel",
        "agents",
        "init",
        "doctor",
    ):
        assert f"\n  {name} " in text
        own = pipe(name, "--help")
        assert own.returncode == 0 and "Usage: pipe " + name in own.stdout
    assert "Not in this version: serve" in text
    assert pipe("--version").stdout == "pipe 0.1.0\n"


@pytest.mark.parametrize("name", ["serve"])
def test_commands_of_later_versions_are_refused_with_2(pipe: Any, name: str) -> None:
    done = pipe(name, "x", "--flag")
    assert (done.returncode, done.stdout) == (2, "")
    assert f"`pipe {name}` is not available in this version" in done.stderr


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["rnu", "x.yml"], "did you mean `pipe run`?"),
        (["hello.yml"], "did you mean `pipe run hello.yml`?"),
        (["show", "latest", "--ouput", "json"], "did you mean --output?"),
        (["resume", "latest", "--run-id", "x"], "`pipe resume --help` shows how it is used"),
        (["run"], "`pipe run --help`"),
    ],
)
def test_a_mistake_is_answered_with_what_was_meant(pipe: Any, words: list[str], hint: str) -> None:
    done = pipe(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert hint in done.stderr


@pytest.mark.parametrize("command", ["show", "logs", "resume", "cancel"])
def test_a_run_that_is_not_there_exits_with_2(pipe: Any, command: str) -> None:
    done = pipe(command, "latest")
    assert done.returncode == 2 and done.stderr.startswith("error: there are no runs")
    pipe.write("good.yml", GOOD)
    pipe("run", "good.yml", "-q")
    assert pipe(command, "zzz").returncode == 2
    assert pipe("logs", "latest", "bb").returncode == 2


def test_no_runs_are_an_empty_list(pipe: Any) -> None:
    assert json.loads(pipe("runs", "--output", "json").stdout) == []
    assert "no runs" in pipe("runs").stderr


def test_reading_commands_change_nothing(pipe: Any) -> None:
    """`show`, `logs` and `runs` leave a torn log as it is; only the index may be written."""
    pipe.write("good.yml", GOOD)
    pipe("run", "good.yml", "-q")
    (log,) = (pipe.folder / ".pipe" / "runs").glob("*/log.jsonl")
    log.write_bytes(log.read_bytes() + b'{"v":1,"seq":99,"torn')
    before = {path: path.read_bytes() for path in log.parent.rglob("*") if path.is_file()}
    for words in (["show", "latest"], ["logs", "latest"], ["runs"], ["show", "latest", "--output", "json"]):
        assert pipe(*words).returncode == 0
    assert {path: path.read_bytes() for path in log.parent.rglob("*") if path.is_file()} == before


def test_d6_a_damaged_log_is_an_error_with_its_place_and_exits_with_74(pipe: Any) -> None:
    pipe.write("good.yml", GOOD)
    pipe("run", "good.yml", "-q")
    (log,) = (pipe.folder / ".pipe" / "runs").glob("*/log.jsonl")
    log.write_bytes(log.read_bytes().replace(b"node.started", b"node.startEd", 1))
    for command in ("show", "resume", "logs"):
        done = pipe(command, log.parent.name)
        assert done.returncode == 74, command
        assert "log damaged at byte" in done.stderr
        assert "Traceback" not in done.stderr


def test_a_bug_of_ours_exits_with_3_and_a_report_without_values(pipe: Any) -> None:
    code = (
        "import sys; from pipe_runner.cli import boundary\n"
        "def broken(words): raise RuntimeError('hunter2 is the password')\n"
        "sys.exit(boundary.guarded(broken, []))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=pipe.folder)
    assert done.returncode == 3
    assert "Please report it" in done.stderr and "builtins.RuntimeError" in done.stderr
    assert "hunter2" not in done.stderr and "Traceback" not in done.stderr


def test_windows_is_told_why_a_run_does_not_work(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from pipe_runner.cli import app

    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(Unsupported, match="does not work on Windows"):
        app.main(["run", "good.yml"])
    assert app.main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("words", [["check", "good.yml"], ["graph", "good.yml"], ["schema", "event"]])
def test_reading_needs_nothing_that_only_unix_has(pipe: Any, words: list[str]) -> None:
    pipe.write("good.yml", GOOD)
    code = (
        "import sys\n"
        "for name in ('fcntl', 'resource', 'termios', 'tty', 'pty', 'pwd', 'grp'): sys.modules[name] = None\n"
        "from pipe_runner.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], cwd=pipe.folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


EVIL = """
version: 1
secrets: {S: {from: file, key: /etc/passwd}, T: {from: env, key: HOME}}
nodes:
  a: {agent: python, with: {call: "evil.py:main"}}
  b: {agent: python, with: {call: "/etc/hostname:main"}}
  c: {run: "cat /etc/passwd; echo $(id) {{ nodes.a.output }}", cwd: /etc}
  d: {agent: http, with: {url: "http://127.0.0.1:9/"}, secrets: [S, T]}
  e: {pipeline: ../../outside.yml}
  f: {run: 'cat <<< "{{ nodes.c.output }}"', cwd: ../..}
  g: {agent: auto, with: {task: is the disk of web01 full}}
include: [{file: /etc/passwd}]
"""
WATCH = """
import os, sys
seen = []
def hook(event, args):
    if event in ('open', 'os.listdir', 'os.scandir', 'import', 'os.exec', 'os.posix_spawn', 'os.fork', 'os.system',
                 'subprocess.Popen', 'socket.connect', 'socket.getaddrinfo', 'socket.gethostbyname'):
        seen.append((event, args[0]))
sys.addaudithook(hook)
from pipe_runner.cli import main
code = main(sys.argv[1:])
for event, what in list(seen):
    if event in ('open', 'os.listdir', 'os.scandir') and not isinstance(what, int):
        print('OPENED', os.path.realpath(os.fsdecode(what)), file=sys.stderr)
    elif event == 'import':
        print('IMPORTED', what, file=sys.stderr)
    elif not isinstance(what, int):
        print('DID', event, what, file=sys.stderr)
"""


@pytest.mark.parametrize("command", ["check", "graph"])
def test_s1_reading_a_file_runs_nothing_connects_nowhere_and_opens_nothing_outside(pipe: Any, command: str) -> None:
    pipe.write("pipe.yml", "version: 1\n")
    pipe.write("evil.py", "open('/tmp/evil-was-here', 'w')\ndef main(): pass\n")
    pipe.write("evil.yml", EVIL)
    done = subprocess.run(
        [sys.executable, "-c", WATCH, command, "evil.yml"],
        cwd=pipe.folder,
        env=pipe.env,
        capture_output=True,
        text=True,
    )
    told = [
        line.split(" ", 1) for line in done.stderr.splitlines() if line.startswith(("OPENED ", "DID ", "IMPORTED "))
    ]
    repository = Path(__file__).resolve().parents[2]
    compiled = pipe.env.get("PYTHONPYCACHEPREFIX", sys.prefix)
    ours = [str(pipe.folder), sys.prefix, sys.base_prefix, compiled, str(repository), "/dev/null"]
    ours.append(os.path.dirname(os.__file__))
    assert [what for verb, what in told if verb == "OPENED" and not what.startswith(tuple(ours))] == []
    assert [what for verb, what in told if verb == "DID"] == []
    assert ["IMPORTED", "evil"] not in told
    assert not os.path.exists("/tmp/evil-was-here")


# ---------------------------------------------------------------- start-up


def imported(pipe: Any, *words: str) -> set[str]:
    code = (
        "import sys, atexit; sys.argv[0] = 'pipe'\n"
        "from pipe_runner.cli import main\n"
        "code = main(sys.argv[1:])\n"
        "sys.stderr.write('\\nMODULES ' + ' '.join(sys.modules))\n"
        "sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words], cwd=pipe.folder, env=pipe.env, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return set(done.stderr.rpartition("MODULES ")[2].split())


def test_a_run_of_an_unchanged_file_imports_nothing_that_is_heavy(pipe: Any) -> None:
    pipe.write("good.yml", GOOD)
    imported(pipe, "run", "good.yml")
    found = imported(pipe, "run", "good.yml")
    heavy = {
        "yaml",
        "pydantic",
        "networkx",
        "jinja2",
        "rich",
        "click",
        "httpx2",
        "boto3",
        "opentelemetry",
        "importlib.metadata",
    }
    assert not found & heavy
    assert not [name for name in found if name.startswith(("pipe_runner.loader", "pipe_runner.compiler."))]


def test_usage_errors_and_help_import_no_engine(pipe: Any) -> None:
    found = imported(pipe, "--version")
    assert not [name for name in found if name.startswith(("pipe_runner.engine", "asyncio", "anyio"))]


def test_a_file_that_is_not_there_is_held_against_near_names_only(pipe: Any) -> None:
    pipe.write("other.yml", GOOD)
    pipe.write("hello.yml", GOOD)
    assert "did you mean" not in pipe("check", "nothere").stderr
    assert "did you mean hello.yml?" in pipe("check", "helo.yml").stderr
    assert "did you mean hello.yml?" in pipe("check", "hello").stderr
    assert "did you mean hello.yml?" in pipe("check", "ello.yml").stderr
