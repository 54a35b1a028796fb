"""`pipe test` as a user meets it: what it finds, says, writes, and exits with."""

from __future__ import annotations

import json
import re
import signal
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PIPELINE = """version: 1
inputs: {name: {default: world}}
nodes:
  greet: {run: "echo hello {{ inputs.name }}"}
  page: {when: inputs.name == "nobody", run: echo nobody is here}
outputs: {said: "{{ nodes.greet.output }}"}
"""
RIGHT = """version: 1
cases:
  greets the world: {expect: {outputs: {said: hello world}}}
  greets Ada: {inputs: {name: Ada}, expect: {outputs: {said: hello Ada}}}
"""
WRONG = (
    RIGHT
    + """  greets nobody:
    inputs: {name: nobody}
    expect:
      outputs: {said: nothing}
"""
)


def write(pipe: Any, tests: str = RIGHT) -> None:
    pipe.write("p.yml", PIPELINE)
    pipe.write("p.test.yml", tests)


def test_cases_that_pass_have_a_line_each_and_the_missed_branches_follow(pipe: Any) -> None:
    write(pipe)
    done = pipe("test")
    assert (done.returncode, done.stderr) == (0, "")
    shown = re.sub(r"\d+\.\d+s", "TIME", done.stdout)
    assert shown == (
        "p.test.yml\n"
        "  ok      greets the world  TIME\n"
        "  ok      greets Ada  TIME\n"
        "2 passed in 1 file, TIME\n"
        "coverage of p.yml: 67% (2 of 3 branches)\n"
        "  p.yml:5: page had no true condition\n"
    )


def test_a_case_that_fails_says_where_what_was_expected_and_what_there_was(pipe: Any) -> None:
    write(pipe, WRONG)
    done = pipe("test", "-q", "p.yml")
    assert done.returncode == 1
    assert re.sub(r"\d+\.\d+s", "TIME", done.stdout) == (
        "p.test.yml\n"
        "  failed  greets nobody  TIME\n"
        "    p.test.yml:8:23: outputs.said\n"
        '      expected  "nothing"\n'
        '      got       "hello nobody"\n'
        "2 passed, 1 failed in 1 file, TIME\n"
    )


def test_long_values_are_told_as_a_difference_of_lines(pipe: Any) -> None:
    pipe.write("p.yml", "version: 1\nnodes:\n  a: {run: seq 1 9}\n  b: {run: seq 1 40, output: lines}\n")
    lines = "".join(f"{n}\\n" for n in range(1, 9))
    pipe.write(
        "p.test.yml",
        f'version: 1\ncases:\n  it: {{expect: {{nodes: {{a: {{output: "{lines}ten"}}, b: {{output: []}}}}}}}}\n',
    )
    done = pipe("test", "-q")
    assert "expected (-) and got (+)\n         8\n        -ten\n        +9\n" in done.stdout
    assert '        -[]\n        +[\n        +  "1",\n' in done.stdout
    assert len(done.stdout.splitlines()) < 45


def test_json_is_one_object_with_cases_reasons_and_coverage(pipe: Any) -> None:
    write(pipe, WRONG)
    done = pipe("test", "--output", "json")
    told = json.loads(done.stdout)
    assert done.returncode == 1
    assert (told["passed"], told["failed"]) == (2, 1)
    last = told["cases"][2]
    assert (last["file"], last["line"], last["name"], last["status"]) == ("p.test.yml", 5, "greets nobody", "failed")
    assert last["failures"] == [
        {"line": 8, "column": 23, "what": "outputs.said", "expected": "nothing", "got": "hello nobody"}
    ]
    assert told["coverage"] == {
        "percent": 100.0,
        "pipelines": [{"file": "p.yml", "percent": 100.0, "branches": 3, "covered": 3, "missed": []}],
    }


def test_junit_has_a_suite_for_each_file(pipe: Any) -> None:
    write(pipe, WRONG)
    pipe.write("sub/q.test.yml", RIGHT.replace("version: 1", "version: 1\npipeline: ../p.yml"))
    pipe.write("pipe.yml", "")
    assert pipe("test", "--junit", "tests.xml").returncode == 1
    root = ET.fromstring((pipe.folder / "tests.xml").read_text())
    assert (root.get("tests"), root.get("failures")) == ("5", "1")
    assert [suite.get("name") for suite in root] == ["p.test.yml", "sub/q.test.yml"]
    (failure,) = root.iter("failure")
    assert failure.get("message") == "p.test.yml:8:23: outputs.said"
    assert 'expected  "nothing"' in (failure.text or "")


def test_k_chooses_cases_by_their_names(pipe: Any) -> None:
    write(pipe, WRONG)
    assert "1 passed in" in pipe("test", "-k", "ada").stdout
    assert "1 passed in" in pipe("test", "-k", "greets*world").stdout
    none = pipe("test", "-k", "Grace")
    assert none.returncode == 2
    assert "no case has such a name" in none.stderr


def test_too_little_coverage_fails(pipe: Any) -> None:
    write(pipe)
    assert pipe("test", "--min-coverage", "66").returncode == 0
    done = pipe("test", "--min-coverage", "67")
    assert done.returncode == 1
    assert "66.7% of the branches were taken, and --min-coverage asks for 67%" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere"], "there is no file nowhere"),
        (["empty"], "there is no file of tests in empty"),
        (["p.yml"], "p.yml is no file of tests, and there is no p.test.yml"),
        (["--min-coverage", "all"], "--min-coverage all"),
        (["--junit", "no/such/folder/x.xml"], "--junit"),
    ],
)
def test_what_can_not_be_tested_is_wrong_usage(pipe: Any, words: list[str], said: str) -> None:
    pipe.write("p.yml", PIPELINE)
    (pipe.folder / "empty").mkdir()
    done = pipe("test", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


def test_nothing_runs_while_any_file_has_a_fault_and_all_faults_are_told(pipe: Any) -> None:
    pipe.write("a.yml", "version: 1\nnodes: {a: {run: touch ran}}\n")
    pipe.write("a.test.yml", "version: 1\ncases: {it: {}}\n")
    pipe.write("b.yml", "version: 1\nnodes: {b: {run: echo}}\n")
    pipe.write("b.test.yml", "version: 1\ncases: {it: {mock: {bb: {}}, expct: {}}}\n")
    pipe.write("c.yml", "version: 1\nnodes: {c: {rnu: echo}}\n")
    pipe.write("c.test.yml", "version: 1\ncases: {it: {}}\n")
    done = pipe("test")
    assert (done.returncode, done.stdout) == (2, "")
    for place in ("b.test.yml:2:21: E701", "b.test.yml:2:30: E201", "c.test.yml:1:1: E702", "c.yml:2:13: E201"):
        assert place in done.stderr
    assert not (pipe.folder / "ran").exists()


def test_check_knows_files_of_tests_and_reads_them_only(pipe: Any) -> None:
    write(pipe, RIGHT.replace("outputs", "outptus"))
    done = pipe("check", ".")
    assert done.returncode == 1
    assert done.stdout.count("did you mean `outputs`?") == 2
    assert "2 errors in 2 files" in done.stderr
    write(pipe)
    assert pipe("check", "p.test.yml").returncode == 0


def test_what_others_call_tests_is_nobody_s_business(pipe: Any) -> None:
    write(pipe)
    pipe.write("docker-compose.test.yml", "version: '3'\nservices: {sut: {build: .}}\n")
    assert "2 passed in 1 file" in pipe("test").stdout
    assert "in 2 files" in pipe("check", ".").stderr


def test_a_warning_goes_to_stderr_and_the_cases_run(pipe: Any) -> None:
    write(pipe, "version: 1\ncases: {it: {mock: {greet: {output: [1]}}}}\n")
    done = pipe("test")
    assert done.returncode == 0
    assert "W701" in done.stderr


def test_a_signal_ends_the_case_and_no_other_begins(pipe: Any) -> None:
    pipe.write("p.yml", "version: 1\nnodes: {a: {run: 'touch began; sleep 60'}}\nfinally: {f: {run: touch ended}}\n")
    pipe.write("p.test.yml", "version: 1\ncases: {one: {}, two: {}}\n")
    process = pipe.start("test")
    pipe.until(lambda: (pipe.folder / "began").exists())
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "interrupted" in stderr
    assert "two" not in stdout
    assert (pipe.folder / "ended").exists()


def test_names_and_values_give_no_command_to_a_terminal_or_a_ci(pipe: Any) -> None:
    pipe.write("p.yml", "version: 1\nnodes: {a: {run: echo}}\n")
    pipe.write(
        "p.test.yml",
        'version: 1\ncases: {"\\e[31m::error::x": {mock: {a: {output: "##[group]\\e"}}, expect: {nodes: {a: skipped}}},'
        ' "b": {mock: {a: {output: "::x"}}, expect: {nodes: {a: {output: "##[y"}}}}}\n',
    )
    for words in ([], ["--output", "json"]):
        done = pipe("test", *words)
        assert done.returncode == 1
        assert "\x1b" not in done.stdout
        assert "##[" not in done.stdout
        assert not re.search(r"^\s*::", done.stdout, re.M)


@pytest.mark.slow
def test_a_thousand_cases_take_less_than_a_minute(pipe: Any) -> None:
    pipe.write(
        "p.yml",
        "version: 1\ninputs: {n: {type: integer}}\nnodes:\n"
        "  a: {run: 'echo {{ inputs.n }}', output: json, retry: {max_attempts: 3, delay: 1h}}\n"
        "  b: {when: nodes.a.output > 500, run: 'echo {{ nodes.a.output }}'}\n"
        "outputs: {a: '{{ nodes.a.output }}'}\n",
    )
    cases = "".join(
        f"  case {n}: {{inputs: {{n: {n}}}, mock: {{a: [{{error: {{}}}}, {{output: {n}}}], b: {{output: x}}}}, "
        f"expect: {{outputs: {{a: {n}}}, nodes: {{b: {'succeeded' if n > 500 else 'skipped'}}}}}}}\n"
        for n in range(1000)
    )
    pipe.write("p.test.yml", f"version: 1\ndefaults: {{run: none}}\ncases:\n{cases}")
    began = time.monotonic()
    done = pipe("test", "-q")
    assert done.returncode == 0, done.stdout[-2000:]
    assert "1000 passed" in done.stdout
    assert time.monotonic() - began < 60  # about 3 s where nobody else works


def test_the_examples_pass_their_tests(pipe: Any) -> None:
    done = pipe("test", str(REPOSITORY / "pipelines"), cwd=REPOSITORY)
    assert done.returncode == 0, done.stdout
    assert "failed" not in done.stdout.splitlines()[-1]


def test_the_page_on_testing_is_true(pipe: Any) -> None:
    text = (REPOSITORY / "docs" / "testing.md").read_text(encoding="utf-8")
    pipeline, first, *others = re.findall(r"^```yaml\n(.*?)^```$", text, re.M | re.S)
    pipe.write("release.yml", pipeline)
    pipe.write("release.test.yml", first)
    for number, tests in enumerate(others):
        pipe.write(f"{number}.test.yml", tests)
    done = pipe("test", "--min-coverage", "100")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert pipe("check", ".").stdout == ""


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
@pytest.mark.parametrize("how", ["forked", "pooled", "bare"])
def test_what_a_function_leaves_behind_ends_with_its_case(pipe: Any, how: str) -> None:
    pipe.write(
        "tools.py",
        """import multiprocessing, os, subprocess, sys, threading, time
def forked():
    pid = os.fork()
    if not pid:
        time.sleep(60)
        os._exit(0)
    return pid
def pooled():
    pool = multiprocessing.get_context("fork").Pool(2)
    sys.modules["kept"] = pool
    return pool.apply(os.getpid)
def bare():
    return subprocess.Popen(["sleep", "60"], env={}).pid
def first(how):
    with open("pid", "w") as file:
        file.write(str(globals()[how]()))
def second():
    with open("pid") as file:
        stat = f"/proc/{file.read()}/stat"
    started = subprocess.run(["true"]).returncode == 0
    return {"started": started, "left": os.path.exists(stat) and ") Z " not in open(stat).read()}
""",
    )
    pipe.write(
        "p.yml",
        "version: 1\ninputs: {how: {default: forked}}\nnodes:\n"
        "  first:\n    when: inputs.how != 'none'\n    agent: python\n"
        "    with: {call: 'tools.py:first', args: ['{{ inputs.how }}']}\n"
        "  second: {when: inputs.how == 'none', agent: python, with: {call: 'tools.py:second'}}\n",
    )
    pipe.write(
        "p.test.yml",
        f"version: 1\ncases:\n  leaves: {{inputs: {{how: {how}}}}}\n"
        "  looks:\n    inputs: {how: none}\n    expect: {nodes: {second: {output: {started: true, left: false}}}}\n",
    )
    done = pipe("test")
    assert done.returncode == 0, done.stdout + done.stderr


def test_an_item_that_only_the_defaults_mock_is_a_warning_where_no_case_had_it(pipe: Any) -> None:
    pipe.write(
        "p.yml",
        "version: 1\ninputs: {ports: {type: array, default: [22]}}\n"
        'nodes: {e: {for_each: {items: "{{ inputs.ports }}", key: "{{ item }}"}, run: echo}}\n',
    )
    pipe.write(
        "p.test.yml",
        "version: 1\ndefaults:\n  mock: {'e[22]': {output: a}, 'e[443]': {output: b}, 'e[4433]': {output: c}}\n"
        "cases: {one: {}, two: {inputs: {ports: [443]}}}\n",
    )
    done = pipe("test")
    assert done.returncode == 0
    assert done.stderr == "warning: p.test.yml:3:55: e[4433] is mocked, and no case had such an item\n"
    assert pipe("test", "-k", "one").stderr == ""


def test_an_item_that_a_case_mocks_and_that_there_is_not_fails_it(pipe: Any) -> None:
    pipe.write("p.yml", "version: 1\nnodes: {e: {for_each: {items: [1]}, run: echo x > real}}\n")
    pipe.write("p.test.yml", "version: 1\ncases:\n  it:\n    mock: {'e[1]': {output: a}}\n")
    done = pipe("test", "--junit", "out.xml")
    assert done.returncode == 1
    assert "p.test.yml:4:12: e[1] is mocked, and there was no such item" in done.stdout
    assert ET.parse(pipe.folder / "out.xml").getroot().get("failures") == "1"
    pipe.write("p.test.yml", "version: 1\ncases:\n  it:\n    mock: {'e[1': {output: a}}\n")
    assert pipe("test").returncode == 2
    assert "p.test.yml:4:12: E701" in pipe("check", "p.test.yml").stdout
