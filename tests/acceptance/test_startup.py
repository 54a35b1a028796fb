"""What a start of `pipe` imports; imports are most of what a small run costs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {
    "boto3", "click", "httpx2", "importlib.metadata", "jinja2", "networkx", "opentelemetry", "pipe_runner.engine.unrun",
    "pydantic", "rich", "yaml",
}  # fmt: skip

TRACED = """
import atexit, os, sys
out = os.environ["LOADED"]
atexit.register(lambda: open(out, "w").write("\\n".join(sys.modules)))
from pipe_runner.cli import main
sys.exit(main())
"""


def loaded(directory: Path, *words: str) -> set[str]:
    """The modules that a command has imported when it ends."""
    out = directory / "loaded"
    out.unlink(missing_ok=True)
    done = subprocess.run(
        [sys.executable, "-c", TRACED, *words],
        cwd=directory,
        env={"PATH": "/usr/bin:/bin", "LOADED": str(out)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(out.read_text().split())


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "pipe.yml").write_text("limits: {output: 1MiB}\n")
    (tmp_path / "f.py").write_text("def f(x):\n    return x\n")
    return tmp_path


@pytest.mark.few(2)
@pytest.mark.parametrize(
    "nodes",
    [
        "{a: {run: echo hello}}",
        "{a: {argv: [echo, hello], output: lines}}",
        '{a: {agent: python, with: {call: "f.py:f", args: [1]}}}',
        """{a: {run: echo hello}, b: {run: 'echo "{{ nodes.a.output | upper }}"', when: nodes.a.output == "hello"}}""",
    ],
    ids=["run", "argv", "python", "references"],
)
def test_an_unchanged_file_runs_without_what_compiling_needs(project: Path, nodes: str) -> None:
    (project / "p.yml").write_text(f"version: 1\nnodes: {nodes}\n")
    first = loaded(project, "run", "p.yml")
    assert {"pydantic", "yaml"} <= first
    assert sorted(HEAVY & loaded(project, "run", "p.yml")) == []


def test_a_change_is_seen(project: Path) -> None:
    (project / "p.yml").write_text("version: 1\nnodes: {a: {run: echo one}}\n")
    loaded(project, "run", "p.yml")
    (project / "p.yml").write_text("version: 1\nnodes: {a: {run: echo two}}\n")
    assert {"pydantic", "yaml"} <= loaded(project, "run", "p.yml")
    (project / "pipe.yml").write_text("limits: {output: 2MiB}\n")
    assert {"pydantic", "yaml"} <= loaded(project, "run", "p.yml")


@pytest.mark.parametrize("words", [["runs"], ["show", "latest"], ["logs", "latest"]], ids=" ".join)
def test_looking_at_runs_compiles_nothing(project: Path, words: list[str]) -> None:
    (project / "p.yml").write_text("version: 1\nnodes: {a: {run: echo hello}}\n")
    loaded(project, "run", "p.yml")
    assert sorted(loaded(project, *words) & {"yaml", "pydantic", "networkx", "jinja2", "boto3", "opentelemetry"}) == []


@pytest.mark.parametrize("command", ["check", "plan"])
def test_checking_and_planning_need_no_event_loop_and_no_client(project: Path, command: str) -> None:
    (project / "p.yml").write_text("version: 1\nnodes: {a: {run: echo hello}}\n")
    found = loaded(project, command, "p.yml")
    assert sorted(found & {"asyncio", "anyio", "httpx2", "boto3", "opentelemetry", "rich"}) == []
