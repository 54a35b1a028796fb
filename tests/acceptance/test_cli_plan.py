"""`pipe plan`, as a user meets it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
FILE = """\
version: 1
name: release
inputs: {target: {type: string, default: staging}}
secrets: {TOKEN: {from: env}, KEY: {from: file, key: /etc/hostname}}
concurrency: 2
nodes:
  build: {run: sleep 0.2}
  test: {needs: [build], run: sleep 0.1}
  lint: {run: "true"}
  deploy: {needs: [test], secrets: [TOKEN, KEY], when: inputs.target == "prod", run: touch ran}
  page: {when: nodes.lint.exit_code > 0, run: touch ran}
finally: {clean: {run: "true"}}
"""


def test_it_tells_order_waves_decisions_and_secrets_and_starts_nothing(pipe: Any) -> None:
    pipe.write("f.yml", FILE)
    done = pipe("plan", "f.yml")
    assert (done.returncode, done.stderr) == (0, "")
    text = done.stdout
    assert text.startswith("release: would run 5 nodes of 6, at most 2 at a time; nothing was started\n")
    rows = text.partition("AFTER\n")[2].partition("\n\n")[0].splitlines()
    assert [row.split()[2] for row in rows] == ["build", "test", "lint", "page", "clean"]
    assert "  1. 2 nodes: build, lint" in text
    assert "3 nodes, by number of nodes: no run of this file has times" in text
    assert '  deploy: when inputs.target == "prod" (inputs.target = "staging")' in text
    assert "  page: when nodes.lint.exit_code > 0" in text
    assert "  TOKEN from env TOKEN (not set): deploy" in text
    assert "  KEY from file /etc/hostname: deploy" in text
    assert "  TOKEN from env TOKEN (not set): deploy" in pipe("plan", "f.yml", env={"TOKEN": ""}).stdout
    assert "(not set)" not in pipe("plan", "f.yml", "-i", "target=prod", env={"TOKEN": "sesame-4711"}).stdout
    assert sorted(os.listdir(pipe.folder)) == ["f.yml"]


def test_it_estimates_from_earlier_runs(pipe: Any) -> None:
    pipe.write("f.yml", FILE)
    assert pipe("run", "f.yml", env={"TOKEN": "sesame-4711"}).returncode == 0
    told = json.loads(pipe("plan", "f.yml", "--output", "json").stdout)
    assert told["longest_path"]["nodes"] == ["build", "test", "clean"]
    assert 0.3 < told["longest_path"]["duration_s"] <= told["estimate"]["duration_s"] < 3
    assert told["estimate"]["runs"] == 1 and told["estimate"]["unknown"] == ["page"]
    assert told["waves"] == [["build", "lint"], ["test", "page"], ["clean"]]
    assert told["useful_concurrency"] == 2
    deploy = next(node for node in told["nodes"] if node["id"] == "deploy")
    assert (deploy["verdict"], deploy["values"], deploy["wave"]) == ("skipped", {"inputs.target": "staging"}, None)
    text = pipe("plan", "f.yml", "--only", "test").stdout
    assert "would run 2 nodes of 6" in text and "by the times of the last run" in text
    assert "estimated time: 0." in text and "if every condition holds" not in text
    assert "parallelism: none" in text


def test_s8_nothing_in_a_file_reaches_the_terminal_or_a_ci(pipe: Any) -> None:
    pipe.write(
        "f.yml",
        'version: 1\nname: "::error::n\\e[31m\\u202e##[error]x"\ninputs: {x: {type: string, default: "::error::\\e"}}\n'
        "nodes: {a: {when: \"inputs.x == '##[error]'\", run: echo}, b: {run: echo}}\n",
    )
    for output in ("text", "json"):
        done = pipe("plan", "f.yml", "--output", output)
        assert done.returncode == 0
        assert not {"\x1b", "\u202e"} & set(done.stdout)
        assert "##[" not in done.stdout
        assert not any(line.lstrip().startswith("::") for line in done.stdout.splitlines())


def test_faults_and_wrong_words_exit_with_2(pipe: Any) -> None:
    pipe.write("bad.yml", "version: 1\nnodes: {a: {rum: x}}\n")
    done = pipe("plan", "bad.yml")
    assert (done.returncode, done.stdout) == (2, "") and "bad.yml:2:" in done.stderr
    pipe.write("f.yml", FILE)
    assert "did you mean build?" in pipe("plan", "f.yml", "--only", "biuld").stderr
    assert pipe("plan", "f.yml", "-i", "targt=x").returncode == 2
    assert pipe("plan", "f.yml", "--concurrency", "0").returncode == 2
    assert pipe("plan", "none.yml").returncode == 2


AUDIT = """
import sys
from pipe_runner.cli import main
def hook(event, args):
    if event == "open" and isinstance(args[0], str):
        print("OPEN", args[0], file=sys.stderr)
    elif event in ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "socket.connect"):
        print("BAD", event, args, file=sys.stderr)
sys.argv[1:] = ["plan", "warm.yml"]
main()  # everything is imported once, before anybody listens
sys.addaudithook(hook)
sys.argv[1:] = ["plan", "f.yml", "-i", "target=prod"]
sys.exit(main())
"""


def test_s1_it_runs_nothing_connects_nowhere_and_opens_nothing_outside(pipe: Any) -> None:
    pipe.write("pipe.yml", "limits: {output: 1MiB}\n")
    pipe.write(
        "warm.yml",
        "version: 1\ninputs: {x: {type: integer, default: 1}}\nnodes: {a: {when: inputs.x == 1, run: echo}}\n",
    )
    pipe.write("evil.py", "open('ran', 'w')\n")
    pipe.write("f.yml", FILE.replace("finally:", '  bad: {agent: python, with: {call: "evil.py:main"}}\nfinally:'))
    assert pipe("run", "warm.yml").returncode == 0
    done = subprocess.run(
        [sys.executable, "-c", AUDIT], cwd=pipe.folder, env=pipe.env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines()
    assert not [line for line in lines if line.startswith("BAD")]
    opened = {line.removeprefix("OPEN ") for line in lines if line.startswith("OPEN")}
    assert any(path.endswith("log.jsonl") for path in opened)
    compiled = pipe.env.get("PYTHONPYCACHEPREFIX", sys.prefix)
    ours = (str(pipe.folder), sys.prefix, sys.base_prefix, str(REPOSITORY), compiled)
    assert {path for path in opened if not os.path.abspath(pipe.folder / path).startswith(ours)} == set()
    assert not {path for path in opened if "evil" in path}
    assert not (pipe.folder / "ran").exists()


def test_handlers_of_a_sub_pipeline_are_told_as_such_and_stand_in_the_order_in_which_they_run(pipe: Any) -> None:
    pipe.write(
        "s.yml",
        "version: 1\nnodes:\n  a: {run: echo a}\n  b: {run: echo b, needs: a}\n"
        "on_failure: {u: {run: echo u}}\nfinally: {f: {run: echo f}}\n",
    )
    pipe.write(
        "p.yml",
        "version: 1\nnodes:\n  d: {pipeline: s.yml}\n  e: {needs: d, run: echo e}\nfinally: {z: {pipeline: s.yml}}\n",
    )
    done = pipe("plan", "p.yml")
    rows = {line.split()[2]: line.split() for line in done.stdout.splitlines()[3:14]}
    assert [rows[node][5] for node in ("d.u", "d.f", "z", "z.a", "z.u", "z.f")] == [
        "on_failure",
        "finally",
        "finally",
        "finally",
        "on_failure",
        "finally",
    ]
    assert int(rows["d.u"][1]) < int(rows["d.f"][1]) < int(rows["e"][1])
    assert "  d.u: if d fails\n" in done.stdout
    assert "d → d.a → d.b → d.f → e → z → z.a → z.b → z.f\n" in done.stdout, "a run is taken to succeed"
    told = {node["id"]: node["phase"] for node in json.loads(pipe("plan", "p.yml", "--output", "json").stdout)["nodes"]}
    assert (told["d.a"], told["d.u"], told["d.f"], told["z.a"]) == ("nodes", "on_failure", "finally", "finally")


def test_the_times_of_the_longest_path_add_up_to_its_time(pipe: Any) -> None:
    pipe.write(
        "m.yml",
        "version: 1\nnodes:\n  a: {matrix: {x: [1, 2, 3]}, run: sleep 0.3}\n  b: {needs: a, run: sleep 0.1}\n",
    )
    pipe("run", "m.yml", "--concurrency", "1")
    lines = pipe("plan", "m.yml").stdout.splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("longest path: "))
    steps = [float(step.split()[1].removesuffix("s")) for step in lines[at + 1].split(" → ")]
    whole = float(lines[at].split()[2].removesuffix("s"))
    assert sum(steps) == pytest.approx(whole, abs=0.02)
    took = json.loads(pipe("show", "latest", "--output", "json").stdout)["nodes"]["a"]["duration_s"]
    assert steps[0] < took - 0.5, "its items run side by side"


def test_an_optional_input_need_not_be_given(pipe: Any) -> None:
    pipe.write(
        "f.yml", 'version: 1\ninputs: {x: {type: string, required: false}}\nnodes: {a: {run: "echo {{ inputs.x }}"}}\n'
    )
    done = pipe("plan", "f.yml", "--output", "json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["inputs"] == {"x": None}
