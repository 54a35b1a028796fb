"""Presets of agents in pipe.yml, as the commands take them."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

PROJECT = """version: 1
agents:
  hello:
    description: Greets somebody.
    agent: shell
    with: {run: 'echo "Hello, $NAME!"'}
    env: {NAME: world}
  louder: {agent: hello, with: {run: 'echo "HELLO, $NAME!"'}, timeout: 5s}
"""
FILE = """version: 1
nodes:
  a: {agent: hello}
  b: {agent: louder, env: {NAME: Ada}}
  c: {run: echo c}
outputs: {a: "{{ nodes.a.output }}", b: "{{ nodes.b.output }}"}
"""


@pytest.fixture
def project(pipe: Any) -> Any:
    pipe.write("pipe.yml", PROJECT)
    pipe.write("p.yml", FILE)
    return pipe


def outputs(done: Any) -> dict[str, str]:
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout)["outputs"]
    return found


def test_nodes_run_as_their_preset_says_and_a_kept_plan_notices_a_change_of_it(project: Any) -> None:
    for _ in range(2):
        assert outputs(project("run", "p.yml", "--output", "json")) == {"a": "Hello, world!", "b": "HELLO, Ada!"}
    assert len(list((project.folder / ".pipe" / "cache" / "plans").iterdir())) == 1
    project.write("pipe.yml", PROJECT.replace("NAME: world", "NAME: there"))
    assert outputs(project("run", "p.yml", "--output", "json"))["a"] == "Hello, there!"


def test_d11_a_resume_after_a_change_of_a_preset_runs_its_nodes_again(project: Any) -> None:
    project.write("p.yml", FILE.replace("echo c", "'false'"))
    assert project("run", "p.yml").returncode == 1
    project.write("pipe.yml", PROJECT.replace("HELLO,", "HI,"))
    done = project("resume", "latest")
    events = [json.loads(line) for line in project.log().splitlines()]
    assert sorted(e["node"] for e in events if e["event"] == "node.started" and e["attempt"] > 1) == ["b", "c"]
    assert "b" in done.stderr


def test_agents_lists_presets_and_describes_one(project: Any) -> None:
    listed = re.sub(" {2,}", "  ", project("agents").stdout)
    assert "hello  preset of shell: Greets somebody." in listed
    assert "louder  preset of shell" in listed
    assert "python" in listed
    one = project("agents", "louder").stdout
    assert one.startswith("louder (preset of shell, through hello)\n")
    assert '    run: echo "HELLO, $NAME!"\n' in one
    assert "  timeout: 5s\n" in one
    described = json.loads(project("agents", "louder", "--output", "json").stdout)
    assert described == {
        "name": "louder",
        "preset_of": "shell",
        "through": ["hello"],
        "summary": "",
        "with": {"run": 'echo "HELLO, $NAME!"'},
        "env": {"NAME": "world"},
        "secrets": [],
        "timeout": "5s",
    }
    assert "did you mean 'louder'?" in project("agents", "lauder").stderr
    assert "hello" in [one["name"] for one in json.loads(project("agents", "--output", "json").stdout)]


def test_a_preset_that_cannot_be_used_is_told_by_every_command(project: Any) -> None:
    project.write("pipe.yml", PROJECT + "  shell: {agent: python}\n  gone: {agent: nobody}\n")
    checked = project("check", "pipe.yml")
    assert checked.returncode == 1
    assert "pipe.yml:9:3: E509 `shell` is the name of an agent" in checked.stdout
    assert "pipe.yml:10:17: E501 there is no agent `nobody`" in checked.stdout
    assert project("run", "p.yml").returncode == 2
    assert "gone  preset that can't be used" in re.sub(" {2,}", "  ", project("agents").stdout)
    assert "the preset 'gone' can't be used" in project("agents", "gone").stderr
    found = {one["name"]: one for one in json.loads(project("doctor", "--output", "json").stdout)}
    assert found["pipe.yml"]["status"] == "fail"


def test_a_check_of_a_folder_checks_options_of_presets_that_nobody_uses(project: Any) -> None:
    project.write("pipe.yml", PROJECT + "  unused: {agent: python, with: {cal: 'a:b'}}\n")
    done = project("check", ".")
    assert done.returncode == 1
    assert "pipe.yml:9:34: E503 agent `python` has no option `cal`" in done.stdout
    assert project("run", "p.yml").returncode == 0, "it is nobody's fault but its own"


def test_cases_and_plan_see_what_the_preset_has_made_of_a_node(project: Any) -> None:
    project.write(
        "p.test.yml",
        """version: 1
cases:
  it greets:
    run: [a]
    mock: {"*": {output: x}}
    expect: {nodes: {a: {command: 'echo "Hello, $NAME!"', env: {NAME: world}, output: "Hello, world!"}}}
""",
    )
    done = project("test", "p.test.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    nodes = {node["id"]: node for node in json.loads(project("plan", "p.yml", "--output", "json").stdout)["nodes"]}
    assert nodes["b"]["timeout_s"] == 5
    assert nodes["a"]["agent"] == "shell"
    assert "Hello, $NAME" in project("graph", "p.yml").stdout


def test_a_warning_of_a_preset_is_told_once_with_the_file_that_has_it(pipe: Any) -> None:
    pipe.write("pipe.yml", "version: 1\nagents: {far: {agent: http, with: {url: 'http://10.0.0.1/'}}}\n")
    pipe.write("sub/s.yml", "version: 1\nnodes: {c: {agent: far}}\n")
    pipe.write("sub/p.yml", "version: 1\nnodes: {a: {agent: far}, b: {agent: far}, s: {pipeline: s.yml}}\n")
    for command in ("run", "plan"):
        told = pipe(command, "sub/p.yml").stderr
        assert told.count("pipe.yml:2:41: W605 ") == told.count("W605") == 1, command
