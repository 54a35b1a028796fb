"""`pipe lock` and `--frozen`: what a project was tested with is written down, and nothing else runs."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import plain_mcp

if TYPE_CHECKING:
    from conftest import Shell

PIPELINE = """\
version: 1
nodes:
  seen: {run: "touch ran"}
  ask:
    agent: llm
    provider: openai
    when: nodes.seen.status == "failed"
    with: {model: gpt-4o, prompt: "What of {{ nodes.seen.output }}?"}
  inner: {pipeline: parts/inner.yml}
"""
INNER = """\
version: 1
nodes:
  ask: {agent: llm, provider: ollama, when: "false", with: {model: "llama3.2:3b", prompt: Hello}}
"""


def write(folder: Path) -> None:
    (folder / "parts").mkdir()
    (folder / "pipe.yml").write_text("version: 1\n")
    (folder / "p.yml").write_text(PIPELINE)
    (folder / "parts" / "inner.yml").write_text(INNER)


def test_a_project_is_locked_checked_and_run_frozen(pipe: Shell, tmp_path: Path) -> None:
    write(tmp_path)
    done = pipe("lock")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "pipe.lock: 2 pipelines, 2 nodes that ask models",
        "  alias: p.yml: ask asks gpt-4o of openai, which may lead elsewhere tomorrow",
    ]
    text = (tmp_path / "pipe.lock").read_text()
    data = json.loads(text)
    assert data["pipelines"]["p.yml"]["nodes"]["ask"]["models"] == [
        {"alias": True, "model": "gpt-4o", "provider": "openai", "type": "openai"}
    ]
    assert set(data["pipelines"]) == {"p.yml", "parts/inner.yml"}
    assert pipe("lock", "--check").returncode == 0
    assert pipe("check", ".").returncode == 0
    assert pipe("run", "p.yml", "--frozen").returncode == 0
    assert pipe("lock").returncode == 0
    assert (tmp_path / "pipe.lock").read_text() == text


def test_a_comment_and_another_node_change_nothing(pipe: Shell, tmp_path: Path) -> None:
    write(tmp_path)
    pipe("lock")
    file = tmp_path / "p.yml"
    file.write_text("# of today\n" + file.read_text().replace("touch ran", "touch ran more") + "# the end\n")
    assert pipe("run", "p.yml", "--frozen").returncode == 0


def test_a_frozen_run_starts_nothing_where_a_sub_pipeline_differs(pipe: Shell, tmp_path: Path) -> None:
    write(tmp_path)
    pipe("lock")
    (tmp_path / "parts" / "inner.yml").write_text(INNER.replace("Hello", "Good morning"))
    for told in (pipe("run", "p.yml", "--frozen"), pipe("run", "p.yml", "--frozen", "--dry-run")):
        assert told.returncode == 2
        assert "parts/inner.yml:3:" in told.stderr and "E611 `prompt` of ask has changed" in told.stderr
        assert told.stdout == ""
    assert not (tmp_path / "ran").exists() and not (tmp_path / ".pipe" / "runs").exists()
    check = pipe("lock", "--check")
    assert check.returncode == 1
    assert "E611" in check.stdout and "1 difference from pipe.lock" in check.stderr
    assert pipe("run", "p.yml").returncode == 0


def test_a_resume_is_refused_as_well(pipe: Shell, tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "p.yml").write_text(PIPELINE + "  bad: {run: test -f good}\n")
    pipe("lock")
    assert pipe("run", "p.yml").returncode == 1
    (tmp_path / "good").touch()
    file = tmp_path / "p.yml"
    file.write_text(file.read_text().replace("gpt-4o", "gpt-4.1"))
    told = pipe("resume", "latest", "--frozen")
    assert told.returncode == 2 and "p.yml:8:12: E611 ask asks gpt-4.1 of openai" in told.stderr
    pipe("lock", "p.yml")
    assert pipe("resume", "latest", "--frozen").returncode == 0


def test_without_a_lock_or_a_place_in_it_a_frozen_run_is_refused(pipe: Shell, tmp_path: Path) -> None:
    write(tmp_path)
    told = pipe("run", "p.yml", "--frozen")
    assert told.returncode == 2 and "p.yml:1:1: E612 the project has no pipe.lock" in told.stderr
    assert pipe("lock", "--check").returncode == 1
    assert not (tmp_path / "pipe.lock").exists()
    pipe("lock", "parts/inner.yml")
    told = pipe("run", "p.yml", "--frozen")
    assert told.returncode == 2 and "E612 p.yml is not in pipe.lock" in told.stderr


def test_the_environment_says_it_and_says_no(pipe: Shell, tmp_path: Path) -> None:
    write(tmp_path)
    pipe.env["PIPE_FROZEN"] = "1"
    assert pipe("run", "p.yml").returncode == 2
    pipe.env["PIPE_FROZEN"] = "0"
    assert pipe("run", "p.yml").returncode == 0
    assert pipe("run", "p.yml", "--frozen").returncode == 2
    pipe.env["PIPE_FROZEN"] = "perhaps"
    told = pipe("run", "p.yml")
    assert told.returncode == 2 and "PIPE_FROZEN" in told.stderr


def test_one_pipeline_is_locked_and_the_others_stay(pipe: Shell, tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "other.yml").write_text(INNER)
    pipe("lock")
    (tmp_path / "other.yml").write_text(INNER.replace("Hello", "Bye"))
    (tmp_path / "p.yml").write_text(PIPELINE.replace("What of", "Why"))
    pipe("lock", "p.yml")
    told = pipe("lock", "--check")
    assert "other.yml" in told.stdout and "p.yml:" not in told.stdout
    (tmp_path / "other.yml").unlink()
    told = pipe("lock", "--check")
    assert told.returncode == 1 and "other.yml is in pipe.lock, and no pipeline of the project" in told.stdout
    pipe("lock")
    assert "other.yml" not in (tmp_path / "pipe.lock").read_text()


def test_a_pipeline_with_faults_and_a_lock_with_faults_write_nothing(pipe: Shell, tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "pipe.lock").write_text('{"version": 1, "pipelines": []}')
    told = pipe("lock")
    assert told.returncode == 2 and "pipe.lock:1:" in told.stderr
    assert pipe("run", "p.yml", "--frozen").returncode == 2
    (tmp_path / "pipe.lock").unlink()
    (tmp_path / "wrong.yml").write_text("version: 1\nnodes: {a: {rum: x}}\n")
    told = pipe("lock")
    assert told.returncode == 2 and "wrong.yml:2:" in told.stderr
    assert not (tmp_path / "pipe.lock").exists()


def test_a_task_that_a_model_chooses_for_is_locked(pipe: Shell, tmp_path: Path) -> None:
    (tmp_path / "pipe.yml").write_text("version: 1\n")
    node = "{agent: auto, provider: ollama, with: {task: is the disk full, by: model, model: a}}"
    (tmp_path / "p.yml").write_text(f"version: 1\nnodes: {{e: {node}}}\n")
    assert "1 node that asks models" in pipe("lock").stdout
    (tmp_path / "p.yml").write_text(f"version: 1\nnodes: {{e: {node.replace('is the disk full', 'stop the disk')}}}\n")
    done = pipe("run", "p.yml", "--frozen")
    assert done.returncode == 2 and "E611" in done.stderr


def test_a_lock_that_cannot_be_read_says_the_way_out(pipe: Shell) -> None:
    pipe.write("p.yml", "version: 1\nnodes: {a: {run: echo}}\n")
    pipe.write("pipe.lock", "{\n")
    done = pipe("lock", "p.yml")
    assert done.returncode == 2
    assert "pipe.lock:2:1: E101" in done.stderr
    assert "remove it, and the same command makes it anew" in done.stderr
    (pipe.folder / "pipe.lock").unlink()
    assert pipe("lock", "p.yml").returncode == 0


def test_pins_that_differ_say_which_command_writes_them_anew(pipe: Shell, tmp_path: Path) -> None:
    server = {"command": [sys.executable, str(Path(plain_mcp.__file__).resolve())]}
    pipe.write("pipe.yml", json.dumps({"version": 1, "mcp_servers": {"plain": server}}))
    node = '{agent: llm, provider: ollama, with: {model: m, prompt: x, tools: ["mcp:plain/echo"]}}'
    pipe.write("p.yml", f"version: 1\nnodes: {{a: {node}}}\n")
    done = pipe("lock", "--tools")
    assert done.returncode == 0, done.stderr
    lock = tmp_path / "pipe.lock"
    data = json.loads(lock.read_text())
    data["mcp_servers"]["plain"]["tools"]["echo"] = "sha256:" + "0" * 64
    lock.write_text(json.dumps(data))
    done = pipe("lock", "--tools", "--check")
    assert done.returncode != 0
    assert "E611" in done.stdout + done.stderr
    assert "`pipe lock --tools` writes their pins" in done.stdout + done.stderr
    assert pipe("lock", "--tools").returncode == 0
    assert pipe("lock", "--tools", "--check").returncode == 0


def test_what_pipe_lock_would_take_out_is_a_difference(pipe: Shell, tmp_path: Path) -> None:
    write(tmp_path)
    pipe("lock")
    (tmp_path / "parts" / "inner.yml").write_text(INNER.replace("ollama", "openai"))
    pipe("lock", "p.yml")
    told = pipe("lock", "--check")
    assert told.returncode == 1
    assert "E611 the provider ollama is in pipe.lock, and no node asks it" in told.stdout
    pipe("lock")
    assert pipe("lock", "--check").returncode == 0
