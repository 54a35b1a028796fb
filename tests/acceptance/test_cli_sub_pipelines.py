"""Pipelines that run pipelines, as a user meets them: run, looked at, tested, killed, gone on with."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

MAIN = """version: 1
inputs: {env: {type: string, default: staging}}
nodes:
  first: {run: echo first}
  deploy:
    pipeline: parts/deploy.yml
    with: {env: "{{ inputs.env }}"}
    needs: [first]
  after: {run: "echo after {{ nodes.deploy.output.where }}"}
outputs: {where: "{{ nodes.deploy.output.where }}"}
"""
DEPLOY = """version: 1
inputs: {env: {type: string, enum: [staging, production]}}
nodes:
  build: {run: "echo build >> ../trace; echo built for {{ inputs.env }}", cwd: parts}
  test: {pipeline: deeper/test.yml, with: {what: "{{ nodes.build.output }}"}}
finally: {clean: {run: echo clean}}
outputs: {where: "{{ nodes.test.output.said }}"}
"""
TEST = """version: 1
inputs: {what: {type: string}}
nodes: {unit: {run: "echo tested: {{ inputs.what }}"}}
outputs: {said: "{{ nodes.unit.output }}"}
"""
ALL = ["first", "deploy", "deploy.build", "deploy.test", "deploy.test.unit", "deploy.clean", "after"]


@pytest.fixture
def project(pipe: Any) -> Any:
    pipe.write("pipe.yml", "")
    pipe.write("main.yml", MAIN)
    pipe.write("parts/deploy.yml", DEPLOY)
    pipe.write("parts/deeper/test.yml", TEST)
    return pipe


def result(done: Any) -> Any:
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


def test_its_nodes_are_seen_wherever_nodes_are(project: Any) -> None:
    done = project("run", "main.yml", "-i", "env=production", "--output", "json", "--run-id", "r")
    assert done.returncode == 0, done.stderr
    told = result(done)
    assert told["outputs"] == {"where": "tested: built for production"}
    assert list(told["nodes"]) == ALL
    assert told["nodes"]["deploy"]["output"] == {"where": "tested: built for production"}
    assert told["nodes"]["deploy.test.unit"]["output"] == "tested: built for production"
    assert "  succeeded  deploy.test.unit (" in done.stderr
    assert "r succeeded in" in done.stderr.splitlines()[-1]
    assert "7 succeeded" in done.stderr.splitlines()[-1]
    shown = project("show", "r").stdout
    assert all(f"\n{name} " in shown for name in ALL)
    assert result(project("show", "r", "--output", "json")) == told
    assert project("logs", "r", "deploy.build").stdout == "built for production\n"
    assert "deploy.test.unit | tested: built for production\n" in project("logs", "r", "deploy").stdout
    assert project("report", "r", "-o", "report.html").returncode == 0
    page = (project.folder / "report.html").read_text()
    assert "deploy.test.unit" in page
    assert "parts/deeper/test.yml:3" in page


def test_plan_graph_and_a_dry_run_show_what_it_runs(project: Any) -> None:
    planned = result(project("plan", "main.yml", "--output", "json"))
    assert [node["id"] for node in planned["nodes"]] == ALL
    assert planned["waves"][1:4] == [["deploy"], ["deploy.build"], ["deploy.test"]]
    assert {n["id"]: n["needs"] for n in planned["nodes"]}["after"] == ["deploy"]
    graph = project("graph", "main.yml").stdout
    assert "deploy.test.unit  echo tested" in graph
    assert project("graph", "main.yml", "--format", "mermaid").stdout.count("-->") >= 5
    for format in ("dot", "svg"):
        assert "deploy.test.unit" in project("graph", "main.yml", "--format", format).stdout
    dry = project("run", "main.yml", "--dry-run").stdout
    assert "deploy.build (shell) parts/deploy.yml:4, after deploy" in dry
    assert "nothing was started" in dry
    only = result(project("plan", "main.yml", "--only", "deploy.build", "--output", "json"))
    assert [node["id"] for node in only["nodes"]] == ["first", "deploy", "deploy.build"]


def test_a_plan_says_what_it_can_of_the_nodes_inside(project: Any) -> None:
    project.write("main.yml", MAIN.replace("    needs: [first]", "    needs: [first]\n    when: inputs.env == 'x'"))
    told = result(project("plan", "main.yml", "--output", "json"))
    verdicts = {node["id"]: node["verdict"] for node in told["nodes"]}
    assert verdicts == {**dict.fromkeys(ALL, "skipped"), "first": "runs"}


def test_only_takes_names_from_inside(project: Any) -> None:
    told = result(project("run", "main.yml", "--only", "deploy.build", "--output", "json"))
    assert list(told["nodes"]) == ["first", "deploy", "deploy.build"]
    done = project("run", "main.yml", "--only", "deploy.biuld")
    assert done.returncode == 2
    assert "did you mean deploy.build?" in done.stderr


def test_a_failure_inside_is_told_with_its_file_and_its_last_lines(project: Any) -> None:
    project.write("parts/deeper/test.yml", TEST.replace("echo tested", "echo broken >&2; exit 9 #"))
    done = project("run", "main.yml", "--run-id", "r", "--junit", "junit.xml")
    assert done.returncode == 1
    assert "parts/deeper/test.yml:3: deploy.test.unit failed: exited with 9\n    | broken\n" in done.stderr
    assert "main.yml:5: deploy failed: deploy.test failed: deploy.test.unit failed: exited with 9" in done.stderr
    assert 'failures="3"' in (project.folder / "junit.xml").read_text()
    assert project("resume", "r").returncode == 1
    project.write("parts/deeper/test.yml", TEST)
    done = project("resume", "r", "--output", "json")
    assert done.returncode == 0, done.stderr
    assert result(done)["nodes"]["deploy.build"]["attempts"] == 1
    assert (project.folder / "trace").read_text() == "build\n"


def test_a_kept_plan_notices_that_a_file_inside_has_changed(project: Any) -> None:
    for text in ("one", "two", "one"):
        path = project.write("parts/deeper/test.yml", TEST.replace("tested:", text))
        os.utime(path, (1_000_000_000, 1_000_000_000))  # size and time say nothing
        told = result(project("run", "main.yml", "--output", "json"))
        assert told["outputs"]["where"].startswith(text)
    assert list((project.folder / ".pipe" / "cache" / "plans").iterdir())


def test_faults_of_all_files_are_told_at_their_places(project: Any) -> None:
    project.write("parts/deeper/test.yml", TEST.replace("inputs.what", "inputs.waht"))
    project.write("main.yml", MAIN.replace("output.where", "output.wher").replace("with: {env", "with: {enf"))
    done = project("check", "main.yml", "--format", "json")
    assert done.returncode == 1
    found = {(one["file"], one["line"], one["code"]) for one in json.loads(done.stdout)}
    assert ("parts/deeper/test.yml", 3, "E308") in found
    assert {("main.yml", 7, "E804"), ("main.yml", 7, "E805")} & found == {("main.yml", 7, "E804")}, (
        "one slip, told once"
    )
    notes = next(one["notes"] for one in json.loads(done.stdout) if one["code"] == "E308")
    assert [(note["file"], note["line"]) for note in notes] == [("parts/deploy.yml", 5), ("main.yml", 6)]
    assert project("run", "main.yml").returncode == 2


def test_s9_no_file_outside_the_root_is_read(project: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside: Path = tmp_path_factory.mktemp("outside")
    (outside / "secret.yml").write_text("version: 1\nnodes: {a: {run: echo}}\n# text-of-the-file\n")
    (project.folder / "parts" / "link.yml").symlink_to(outside / "secret.yml")
    (project.folder / "linked").symlink_to(outside)
    os.mkfifo(project.folder / "parts" / "pipe.yml")
    for name in ("parts/link.yml", "linked/secret.yml", str(outside / "secret.yml"), "parts/pipe.yml", "parts"):
        project.write("main.yml", f"version: 1\nnodes: {{d: {{pipeline: {name}}}}}\n")
        done = project("check", "main.yml")
        assert done.returncode == 1
        assert "E601" in done.stdout or "E602" in done.stdout
        assert "text-of-the-file" not in done.stdout + done.stderr


def test_cases_mock_it_whole_or_node_by_node(project: Any) -> None:
    project.write(
        "main.test.yml",
        """version: 1
cases:
  whole:
    mock: {first: {output: x}, deploy: {output: {where: there}}, after: {output: done}}
    expect:
      outputs: {where: there}
      nodes: {deploy: {options: {env: staging}}, deploy.build: skipped, deploy.test.unit: skipped}
  by node:
    inputs: {env: production}
    mock: {first: {output: x}, deploy.build: {output: it}, deploy.test: {output: {said: fine}}}
    expect:
      outputs: {where: fine}
      nodes:
        deploy.test: {options: {what: it}}
        deploy.build: {command: 'echo build >> ../trace; echo built for "production"', cwd: parts}
        after: {output: after fine}
  fails inside:
    run: [deploy.clean]
    mock: {"*": {output: x}, deploy.test.unit: {error: {kind: timeout}}}
    expect:
      status: failed
      nodes: {deploy: {error: {kind: timeout}}, deploy.clean: succeeded, after: blocked}
  nothing may run:
    run: [deploy]
    mock: {first: {output: x}, after: {output: x}}
    expect: {outputs: {where: "tested: built for staging"}}
""",
    )
    done = project("test", "main.test.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 passed" in done.stdout


def test_cases_name_nodes_that_there_are(project: Any) -> None:
    project.write("main.yml", MAIN.replace("    needs: [first]", "    for_each: {items: [1]}").replace(".where", ""))
    project.write(
        "main.test.yml",
        "version: 1\ncases:\n  a:\n    mock: {deploy.biuld: {output: 1}, 'deploy[0].build': {output: x}}\n"
        "    expect: {nodes: {deploy.build: succeeded, 'deploy[0].build': succeeded}}\n",
    )
    done = project("check", "main.test.yml")
    assert done.stdout.count("E701") == 2, done.stdout
    assert "did you mean `deploy.build`?" in done.stdout
    assert "say of which: `deploy[KEY].build`" in done.stdout


SLOW = """version: 1
nodes:
  a: {run: "echo a >> trace"}
  b: {run: "echo b >> trace; test -e go || exec sleep 60", needs: a}
  c: {run: "echo c >> trace", needs: b}
finally: {f: {run: "echo f >> trace"}}
outputs: {c: "{{ nodes.b.attempts }}"}
"""
OUTER = """version: 1
nodes:
  x: {run: "echo x >> trace"}
  s: {pipeline: slow.yml, needs: x}
  each: {pipeline: slow.yml, needs: s, for_each: {items: [1, 2], key: "k{{ item }}", max_parallel: 1}}
  y: {run: "echo y >> trace", needs: each}
"""


def started(pipe: Any, node: str) -> Any:
    return lambda: f'"event":"node.started","node":"{node}"' in pipe.log()


def test_d1_d3_a_killed_run_goes_on_inside_and_does_nothing_twice(pipe: Any) -> None:
    pipe.write("slow.yml", SLOW)
    pipe.write("main.yml", OUTER)
    process = pipe.start("run", "main.yml")
    pipe.until(started(pipe, "s.b"))
    pipe.until(lambda: (pipe.folder / "trace").read_text() == "x\na\nb\n")
    process.send_signal(signal.SIGKILL)
    process.wait()
    shown = result(pipe("show", "latest", "--output", "json"))["nodes"]
    assert (shown["s"]["status"], shown["s.a"]["status"], shown["s.b"]["status"]) == ("running", "succeeded", "running")
    process = pipe.start("resume", "latest")
    pipe.until(lambda: pipe.log().count('"event":"node.started","node":"s.b"') == 2)
    pipe.until(lambda: (pipe.folder / "trace").read_text() == "x\na\nb\nb\n")
    process.send_signal(signal.SIGKILL)
    process.wait()
    (pipe.folder / "go").touch()
    done = pipe("resume", "latest", "--output", "json")
    assert done.returncode == 0, done.stderr
    assert (pipe.folder / "trace").read_text().split() == [*"xabbbcf", *"abcf", *"abcf", "y"]
    told = result(done)["nodes"]
    assert {name: node["status"] for name, node in told.items()} == dict.fromkeys(told, "succeeded")
    assert [told[name]["attempts"] for name in ("s", "s.a", "s.b", "s.c")] == [3, 1, 3, 1]


def test_d1_a_killed_run_goes_on_inside_the_items_of_a_repeated_one(pipe: Any) -> None:
    pipe.write("slow.yml", SLOW.replace("test -e go ||", "test -e go || test $PIPE_NODE = 'each[k1].b' ||"))
    pipe.write("main.yml", OUTER.replace("  s: {pipeline: slow.yml, needs: x}\n", "").replace("needs: s", "needs: x"))
    process = pipe.start("run", "main.yml")
    pipe.until(started(pipe, "each[k2].b"))
    pipe.until(lambda: (pipe.folder / "trace").read_text().endswith("a\nb\n"))
    process.send_signal(signal.SIGKILL)
    process.wait()
    (pipe.folder / "go").touch()
    done = pipe("resume", "latest")
    assert done.returncode == 0, done.stderr
    assert (pipe.folder / "trace").read_text().split() == ["x", *"abcf", *"abbcf", "y"]


def test_x1_signals_reach_inside_and_its_finally_runs(pipe: Any) -> None:
    pipe.write("slow.yml", SLOW)
    pipe.write("main.yml", OUTER)
    process = pipe.start("run", "main.yml")
    pipe.until(started(pipe, "s.b"))
    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    assert process.wait(timeout=20) == 130
    assert time.monotonic() - began < 10
    told = result(pipe("show", "latest", "--output", "json"))
    statuses = {name: node["status"] for name, node in told["nodes"].items()}
    assert told["status"] == "cancelled"
    assert (statuses["s"], statuses["s.b"], statuses["s.c"], statuses["s.f"]) == (
        "cancelled",
        "cancelled",
        "cancelled",
        "succeeded",
    )
    (pipe.folder / "go").touch()
    assert pipe("resume", "latest").returncode == 0


def test_x1_a_second_signal_kills_what_runs_inside_at_once(pipe: Any) -> None:
    pipe.write("slow.yml", SLOW.replace("exec sleep 60", "{ trap '' TERM; sleep 60 & wait; wait; }"))
    pipe.write("main.yml", OUTER)
    process = pipe.start("run", "main.yml")
    pipe.until(started(pipe, "s.b"))
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=20) == 130
    assert time.monotonic() - began < 4
    told = result(pipe("show", "latest", "--output", "json"))["nodes"]
    assert (told["s"]["status"], told["s.f"]["status"]) == ("cancelled", "cancelled")


@pytest.mark.parametrize("end", ["0", "1"])
def test_what_show_prints_of_repeated_ones_is_what_run_printed(pipe: Any, end: str) -> None:
    pipe.write(
        "s.yml",
        "version: 1\ninputs: {k: {type: string}}\nnodes:\n"
        "  slow: {run: sleep 0.2}\n  left: {run: echo, when: inputs.k == 'z'}\n  quick: {run: echo}\n"
        f"  last: {{needs: slow, run: exit {end}}}\n  never: {{needs: last, run: echo}}\n",
    )
    pipe.write(
        "p.yml", "version: 1\nnodes:\n  d: {for_each: {items: [x, y]}, pipeline: s.yml, with: {k: '{{ item }}'}}\n"
    )
    done = pipe("run", "p.yml", "--output", "json", "--junit", "run.xml")
    assert done.returncode == int(end)
    assert pipe("show", "latest", "--output", "json", "--junit", "show.xml").stdout == done.stdout
    assert (pipe.folder / "show.xml").read_text() == (pipe.folder / "run.xml").read_text()
