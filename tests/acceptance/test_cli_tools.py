"""MCP servers with the installed command: whatever ends the runner, no server outlives it."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import plain_mcp
import pytest
from model_servers import OPENAI, Said, Service

if TYPE_CHECKING:
    from conftest import Shell

SERVER = str(Path(plain_mcp.__file__).resolve())
PIPELINE = """
version: 1
nodes:
  a: {agent: llm, provider: service, with: {prompt: x, tools: ["mcp:plain/echo"]}}
"""


@pytest.fixture
def started(pipe: Shell, service: Service) -> Any:
    """Starts a run whose model waits, its server being there; gives the run's process."""

    def start(how: str, *words: str) -> Any:
        wants = Said(pieces=(), calls=[("1", "echo", {"text": "hi"})], finish="tool_calls")
        service.decides(lambda asked: OPENAI.either(wants)(asked) if len(service.asked) == 1 else [60.0])
        project(pipe, service, how)
        process = pipe.start("run", "p.yml", *words, env=OPENAI.environ("some-key-0123456789"))
        pipe.until(lambda: servers(pipe.folder))
        return process

    return start


def project(pipe: Shell, service: Service, how: str) -> None:
    provider = {"type": "openai", "model": "m", **OPENAI.options(service.url)}
    server = {"command": [sys.executable, SERVER, how], "env": {"MARK": str(pipe.folder)}}
    written = {"version": 1, "providers": {"service": provider}, "mcp_servers": {"plain": server}}
    pipe.write("pipe.yml", json.dumps(written))
    pipe.write("p.yml", PIPELINE)


def servers(folder: Path) -> list[int]:
    """The processes of the server, and what they have started, that are alive."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                environment = Path(f"/proc/{name}/environ").read_bytes()
                state = Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()[0]
            except OSError:
                continue
            if f"MARK={folder}".encode() in environment.split(b"\0") and state not in "ZX":
                found.append(int(name))
    return found


def gone_within(folder: Path, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while servers(folder) and time.monotonic() < end:
        time.sleep(0.05)
    return not servers(folder)


@pytest.mark.skipif(not os.path.exists("/proc/self/environ"), reason="looks for processes in /proc")
@pytest.mark.parametrize("how", ["hangs", "stays", "forks"])
@pytest.mark.few(1)
def test_x2_no_server_is_alive_five_seconds_after_the_runner_was_killed(pipe: Shell, started: Any, how: str) -> None:
    process = started(how)
    time.sleep(0.3)
    os.kill(process.pid, signal.SIGKILL)
    process.wait(20)
    assert gone_within(pipe.folder, 5)


@pytest.mark.skipif(not os.path.exists("/proc/self/environ"), reason="looks for processes in /proc")
@pytest.mark.parametrize("how", ["hangs", "forks"])
@pytest.mark.few(1)
def test_x1_a_stopped_run_ends_its_servers(pipe: Shell, started: Any, how: str) -> None:
    process = started(how, "--grace", "400ms")
    time.sleep(0.3)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130
    assert time.monotonic() - began < 6
    assert servers(pipe.folder) == []


def test_a_run_of_an_unchanged_file_finds_its_server_and_a_replay_needs_none(pipe: Shell, service: Service) -> None:
    wants = Said(pieces=(), calls=[("1", "echo", {"text": "hi"})], finish="tool_calls")

    def choose(asked: Any) -> Any:
        answered = any(role == "tool" for role, _ in OPENAI.heard(asked.data)["messages"])
        return OPENAI.either(Said(pieces=("done",)) if answered else wants)(asked)

    service.decides(choose)
    project(pipe, service, "good")
    env = OPENAI.environ("some-key-0123456789")
    assert pipe("run", "p.yml", env=env).returncode == 0
    done = pipe("run", "p.yml", "--record", "kept", "--output", "json", env=env)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["outputs"] == {}
    project(pipe, service, "exits")
    asked = len(service.asked)
    again = pipe("run", "p.yml", "--replay", "kept", "--output", "json", env={})
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["nodes"]["a"]["output"] == "done"
    assert len(service.asked) == asked


def test_what_a_server_offers_is_shown_with_what_pins_it(pipe: Shell, service: Service) -> None:
    project(pipe, service, "good")
    here = pipe("tools")
    assert here.returncode == 0
    assert f"mcp:plain  {sys.executable} {SERVER} good\n" in here.stdout
    told = json.loads(pipe("tools", "plain", "--output", "json").stdout)
    assert [tool["name"] for tool in told["tools"]][:2] == ["echo", "environment"]
    shown = pipe("tools", "plain").stdout
    assert f"mcp:plain/echo  Says it back.\n  {told['tools'][0]['digest']}\n" in shown
    assert shown.endswith(f"digest of all: {told['digest']}\n")


def test_a_server_that_can_not_be_asked_says_why(pipe: Shell, service: Service) -> None:
    project(pipe, service, "exits")
    done = pipe("tools", "plain")
    assert done.returncode == 1
    assert "MCP server plain can't be opened: it ended with exit code 3" in done.stderr
    assert "no database" in done.stderr
    assert pipe("tools", "plian").returncode == 2


def test_a_lock_with_tools_holds_every_run_to_them_and_says_which_has_changed(pipe: Shell, service: Service) -> None:
    project(pipe, service, "good")
    service.decides(OPENAI.either(Said(pieces=("done",))))
    env = OPENAI.environ("some-key-0123456789")
    bare = pipe("lock", env=env)
    assert bare.returncode == 0
    assert "not pinned: the tools of plain; `pipe lock --tools` asks for them" in bare.stderr
    assert pipe("lock", "--tools", env=env).returncode == 0
    told = json.loads(pipe("tools", "plain", "--output", "json").stdout)
    lock = pipe.folder / "pipe.lock"
    data = json.loads(lock.read_text())
    assert data["mcp_servers"]["plain"]["tools"] == {tool["name"]: tool["digest"] for tool in told["tools"]}
    text = lock.read_text()
    assert pipe("lock", env=env).returncode == 0
    assert lock.read_text() == text
    assert pipe("lock", "--check", "--tools", env=env).returncode == 0
    assert pipe("check", ".").returncode == 0
    assert pipe("run", "p.yml", "--frozen", env=env).returncode == 0
    data["mcp_servers"]["plain"]["tools"]["echo"] = "sha256:" + "0" * 64
    lock.write_text(json.dumps(data))
    check = pipe("lock", "--check", "--tools", env=env)
    assert check.returncode == 1
    assert "E611 the tools of the MCP server plain are not those of pipe.lock: echo (changed)" in check.stdout
    asked = len(service.asked)
    done = pipe("run", "p.yml", env=env)
    assert done.returncode == 1
    assert "the tool echo of MCP server plain has changed: pipe.lock pins" in done.stderr
    assert len(service.asked) == asked


def test_a_server_that_can_not_be_asked_leaves_the_lock_as_it_is(pipe: Shell, service: Service) -> None:
    project(pipe, service, "exits")
    done = pipe("lock", "--tools")
    assert done.returncode == 1
    assert "MCP server plain can't be opened" in done.stderr
    assert not (pipe.folder / "pipe.lock").exists()
