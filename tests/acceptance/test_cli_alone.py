"""Every command starts from nothing; other tests have it from a process in which all is imported already."""

from __future__ import annotations

from typing import Any

TEXT = """
version: 1
nodes:
  a: {run: echo hello}
  b: {agent: python, with: {call: "f.py:f"}, needs: [a]}
  c: {agent: approval, with: {message: well?}, needs: [b]}
  d: {run: 'echo {{ nodes.a.output }}', when: nodes.a.output == "hello"}
  e: {run: exit 1, effect: once}
"""
CASES = """
version: 1
cases:
  x:
    mock: {a: {output: hello}, b: {output: 1}, e: {output: x}}
    expect: {nodes: {d: {status: failed}}}
"""
COMMANDS = {
    "run p.yml": 75,
    "check .": 0,
    "plan p.yml": 0,
    "graph p.yml --format svg": 0,
    "runs": 0,
    "show latest": 0,
    "logs latest": 0,
    "report latest": 0,
    "approve latest c": 0,
    "settle latest e --done": 0,
    "resume latest --output json": 0,
    "cancel latest": 2,
    "test . -k x": 1,
    "agents http": 0,
    "schema": 0,
    "init new": 0,
    "doctor": 0,
    "--help": 0,
}


def test_every_command_starts_by_itself(pipe: Any) -> None:
    pipe.write("pipe.yml", "{}\n")
    pipe.write("f.py", "def f():\n    return 1\n")
    pipe.write("p.yml", TEXT)
    pipe.write("p.test.yml", CASES)
    for command, code in COMMANDS.items():
        done = pipe.alone(*command.split())
        assert done.returncode == code, (command, done.stdout, done.stderr)
        assert "Traceback" not in done.stderr
