"""What functions write past Python, by a process or a descriptor: masked, and never among the results (S4, S8)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipe_runner.testing import run_pipeline

SECRET = "s3cr3t-T0ken+val/ue"
TOOLS = """
import os, subprocess, sys, threading, time
def starts(secret):
    subprocess.run(["echo", "run " + secret])
    os.system(f"echo system '{secret}' >&2")
    os.write(1, b"written " + secret.encode() + b"\\n")
    subprocess.run(["echo", "given " + secret], stdout=sys.stdout)
    print("begun with " + secret, file=sys.__stdout__)
    subprocess.run(["printf", "no newline"])
def pieces(secret):
    for char in secret:
        os.write(1, char.encode())
        time.sleep(0.01)
    os.write(1, b"\\n")
def thread(secret):
    t = threading.Thread(target=print, args=["thread " + secret])
    t.start()
    t.join()
def forked(secret):
    import multiprocessing
    child = multiprocessing.get_context("fork").Process(target=print, args=["forked " + secret])
    child.start()
    child.join()
def hostile():
    os.write(1, b"\\x1b]0;title\\x07 ::error::x \\xff\\n")
def much():
    subprocess.run(["head", "-c", "3000000", "/dev/zero"])
def side(secret, seconds):
    subprocess.run(["echo", "side " + secret])
    time.sleep(seconds)
def forgets():
    sys.stdout = sys.stderr = sys.__stdout__ = None
def moves():
    import io
    sys.stdout, sys.stderr = io.StringIO(), io.StringIO()
def exits():
    os._exit(0)
def exits_in_a_fork():
    child = os.fork()
    if not child:
        os._exit(7)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
def remains(secret):
    import atexit
    def talk():
        while True:
            print("thread " + secret)
            os.write(1, b"written " + secret.encode() + b"\\n")
            time.sleep(0.001)
    threading.Thread(target=talk, daemon=True).start()
    atexit.register(print, "exit " + secret)
    atexit.register(os.write, 2, b"exit " + secret.encode())
def babbles(secret):
    def talk():
        while True:
            print("thread " + secret)
    threading.Thread(target=talk, daemon=True).start()
def layers(secret):
    import io
    sys.stdout = io.TextIOWrapper(sys.stdout.buffer, encoding="utf-8")
    print("through a layer " + secret)
def detaches(secret):
    import io
    sys.stdout = io.TextIOWrapper(sys.stdout.detach(), encoding="utf-8")
    print("through a layer " + secret)
def buffers(secret):
    import io
    sys.stdout = io.TextIOWrapper(io.BufferedWriter(sys.stdout.buffer))
    print("through two layers " + secret)
def lasts(secret):
    while True:
        try:
            time.sleep(0.001)
            subprocess.run(["echo", "late " + secret])
        except BaseException:
            pass
"""


def pipeline(*calls: str, more: str = "") -> str:
    nodes = "".join(
        f"  n{number}:\n    agent: python\n    secrets: [TOKEN]\n"
        f"    with: {{call: 'tools.py:{function}', args: [{args}]}}\n{more}"
        for number, (function, _, args) in enumerate(call.partition(" ") for call in calls)
    )
    return f"version: 1\nsecrets: {{TOKEN: {{from: env}}}}\nnodes:\n{nodes}outputs: {{done: 'yes'}}\n"


TOKEN = "'{{ secrets.TOKEN }}'"


def run(project: Path, text: str, *words: str) -> subprocess.CompletedProcess[str]:
    return command(project, text, "run", "p.yml", "--run-id", "r1", *words)


def command(project: Path, text: str, *words: str) -> subprocess.CompletedProcess[str]:
    (project / "p.yml").write_text(text)
    (project / "tools.py").write_text(TOOLS)
    code = "import sys; from pipe_runner.cli import main; sys.exit(main())"
    return subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=project,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "TOKEN": SECRET},
    )


def printed(project: Path, stream: str = "stdout") -> str:
    events = map(json.loads, (project / ".pipe/runs/r1/log.jsonl").read_text().splitlines())
    return "".join(e["text"] for e in events if e["event"] == "node.output" and e["stream"] == stream)


@pytest.mark.parametrize("output", ["json", "text", "jsonl"])
def test_s4_what_a_functions_processes_print_is_masked_output_of_its_node(tmp_path: Path, output: str) -> None:
    done = run(tmp_path, pipeline(f"starts {TOKEN}"), "--output", output)
    assert done.returncode == 0, done.stderr
    assert SECRET not in done.stdout + done.stderr
    if output == "json":
        assert json.loads(done.stdout)["outputs"] == {"done": "yes"}
    elif output == "text":
        assert done.stdout == "done: yes\n"
    else:
        assert all(json.loads(line)["run"] == "r1" for line in done.stdout.splitlines())
    assert sorted(printed(tmp_path).splitlines()) == ["begun with ***", "no newline", "run ***", "written ***"]
    assert printed(tmp_path, "stderr") == "system ***\ngiven ***\n"


@pytest.mark.parametrize("call", ["pieces", "thread", "forked"])
def test_s4_also_when_it_comes_in_pieces_or_from_a_thread_or_a_fork(tmp_path: Path, call: str) -> None:
    done = run(tmp_path, pipeline(f"{call} {TOKEN}"))
    assert done.returncode == 0, done.stderr
    assert SECRET[:6] not in done.stdout + done.stderr
    assert "***\n" in printed(tmp_path) + printed(tmp_path, "stderr")


def test_s4_side_by_side_it_is_said_on_stderr_masked_since_nobody_knows_whose_it_is(tmp_path: Path) -> None:
    done = run(tmp_path, pipeline(f"side {TOKEN}, 1", f"side {TOKEN}, 1"), "--output", "json", "--quiet")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["outputs"] == {"done": "yes"}
    assert SECRET not in done.stderr
    assert done.stderr.count("functions: side ***\n") + printed(tmp_path).count("side ***\n") == 2
    assert "functions: side ***\n" in done.stderr


def test_s8_control_bytes_of_a_functions_process_reach_no_terminal(tmp_path: Path) -> None:
    done = run(tmp_path, pipeline("hostile", f"side {TOKEN}, 1", "hostile"))
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout + done.stderr


def test_r1_a_process_that_prints_much_is_neither_held_up_nor_kept(tmp_path: Path) -> None:
    done = run(tmp_path, pipeline("much"))
    assert done.returncode == 0, done.stderr
    assert len(printed(tmp_path)) == 64 * 1024


def test_s4_a_function_that_does_not_end_prints_nothing_when_the_run_has_ended(tmp_path: Path) -> None:
    done = run(tmp_path, pipeline(f"lasts {TOKEN}", more="    timeout: 500ms\n"), "--output", "json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["status"] == "failed"
    assert SECRET not in done.stderr


@pytest.mark.parametrize("output", ["json", "text", "jsonl"])
def test_s4_what_is_left_of_functions_writes_into_no_result(tmp_path: Path, output: str) -> None:
    done = run(tmp_path, pipeline(f"remains {TOKEN}"), "--output", output)
    assert done.returncode == 0, done.stderr
    assert SECRET not in done.stdout + done.stderr
    assert "exit ***" not in done.stderr
    if output == "json":
        assert json.loads(done.stdout)["outputs"] == {"done": "yes"}
    elif output == "text":
        assert done.stdout == "done: yes\n"
    else:
        assert all(json.loads(line)["run"] == "r1" for line in done.stdout.splitlines())


def test_a_thread_that_prints_on_and_on_does_not_abort_the_end_of_the_process(tmp_path: Path) -> None:
    for number in range(5):
        done = command(tmp_path, pipeline(f"babbles {TOKEN}"), "run", "p.yml", "--run-id", f"r{number}", "--quiet")
        assert done.returncode == 0, number


def test_s4_what_is_left_of_functions_writes_into_no_result_of_tests(tmp_path: Path) -> None:
    case = f"{{run: all, secrets: {{TOKEN: {SECRET}}}, expect: {{status: succeeded}}}}"
    (tmp_path / "p.test.yml").write_text(f"version: 1\ncases:\n  one: {case}\n  two: {case}\n")
    done = command(tmp_path, pipeline(f"remains {TOKEN}"), "test", "p.test.yml", "--output", "json")
    assert done.returncode == 0, done.stderr
    assert SECRET not in done.stdout + done.stderr
    assert json.loads(done.stdout)["passed"] == 2


@pytest.mark.parametrize("function", ["layers", "detaches", "buffers"])
def test_s4_what_goes_through_a_layer_that_a_function_put_on_its_stdout_is_in_no_result(
    tmp_path: Path, function: str
) -> None:
    done = run(tmp_path, pipeline(f"{function} {TOKEN}"), "--output", "json")
    assert SECRET not in done.stdout + done.stderr
    assert json.loads(done.stdout)["outputs"] == {"done": "yes"}
    if function != "buffers":
        assert printed(tmp_path) == "through a layer ***\n"


def test_a_program_that_calls_the_command_has_its_streams_again(tmp_path: Path) -> None:
    (tmp_path / "p.yml").write_text(pipeline(f"side {TOKEN}, 0"))
    (tmp_path / "tools.py").write_text(TOOLS)
    code = (
        "import os, sys; from pipe_runner.cli import main; before = sys.stdout, sys.__stderr__\n"
        "for run in ('r1', 'r2'):\n"
        "    assert main(['run', 'p.yml', '--run-id', run, '--quiet']) == 0\n"
        "    assert (sys.stdout, sys.__stderr__) == before\n"
        "    print('printed', flush=True); os.write(1, b'written\\n'); os.write(2, b'said\\n')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "TOKEN": SECRET},
    )
    assert (done.stdout, done.stderr) == ("done: yes\nprinted\nwritten\n" * 2, "said\n" * 2)
    assert printed(tmp_path) == "side ***\n"


def test_a_run_inside_of_another_program_gives_its_streams_back(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tools.py").write_text(TOOLS)
    done = run_pipeline(pipeline(f"side {TOKEN}, 0"), root=tmp_path, environ={"TOKEN": SECRET})
    assert done.status == "succeeded"
    os.write(1, b"out ")
    print("print")
    subprocess.run(["sh", "-c", "echo process; echo err >&2"], check=True)
    sys.stdout.flush()
    assert capfd.readouterr() == ("out print\nprocess\n", "err\n")


def test_a_runner_without_standard_streams_runs_functions_that_print(tmp_path: Path) -> None:
    (tmp_path / "p.yml").write_text(pipeline(f"starts {TOKEN}"))
    (tmp_path / "tools.py").write_text(TOOLS)
    code = "import sys; from pipe_runner.cli import main; sys.exit(main())"
    command = ["/bin/sh", "-c", 'exec "$0" -c "$1" run p.yml --run-id r1 <&- >&- 2>&-', sys.executable, code]
    done = subprocess.run(command, cwd=tmp_path, timeout=30, env={**os.environ, "TOKEN": SECRET}, check=False)
    assert done.returncode == 0
    assert "run ***\n" in printed(tmp_path)


@pytest.mark.parametrize("call", ["forgets", "moves"])
@pytest.mark.parametrize("output", ["json", "text"])
def test_a_function_that_puts_something_in_the_place_of_the_streams_takes_no_result_away(
    tmp_path: Path, call: str, output: str
) -> None:
    done = run(tmp_path, pipeline(call, call), "--output", output)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == "done: yes\n" if output == "text" else json.loads(done.stdout)["outputs"] == {"done": "yes"}


def test_d1_a_function_that_ends_the_process_fails_its_node_and_the_run_goes_on(tmp_path: Path) -> None:
    done = run(tmp_path, pipeline("exits", "exits_in_a_fork"), "--output", "json")
    assert done.returncode == 1, done.stderr
    nodes = json.loads(done.stdout)["nodes"]
    assert nodes["n0"]["error"]["kind"] == "exception"
    assert nodes["n0"]["error"]["message"] == "the function ended the interpreter: SystemExit(os._exit(0))"
    assert nodes["n1"]["output"] == 7
