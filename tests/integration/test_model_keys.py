"""A call whose time is up before anything of it was sent says what it waited for, and costs nothing (V1, V3)."""

from __future__ import annotations

import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio
import pytest
from model_servers import Service

from pipe_runner.compiler import compile_text
from pipe_runner.engine import RunSettings, open_run
from pipe_runner.registry import Registry
from pipe_runner.runlog import read_log

pytestmark = pytest.mark.usefixtures("nothing_of_this_machine")

NODE = "a: {agent: llm, provider: P, timeout: 2s, with: {model: m, prompt: x}}"


def perform(root: Path, provider: str, providers: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The error of the only node, and what the log says of its only call."""
    (root / "pipe.yml").write_text(f"version: 1\nproviders:\n  {providers}\n")
    registry = Registry.installed()
    text = f"version: 1\nbudget: {{max_tokens: 100000}}\nnodes:\n  {NODE.replace('P', provider)}\n"
    plan = compile_text(text, path=str(root / "p.yml"), root=root, registry=registry)
    assert plan.plan is not None, plan.diagnostics
    settings = RunSettings(state_dir=root / ".pipe", record=str(root / "rec"))
    active = open_run(plan.plan, {}, settings, registry=registry)
    run = anyio.run(active.perform)
    assert run.ledger is not None
    assert run.ledger.total.tokens == 0
    (told,) = [event.data for event in read_log(active.rundir.log_path).events if event.event == "model.called"]
    error = run.nodes["a"].error
    assert error is not None
    (kept,) = (root / "rec").glob("*.json")
    assert '"sent": false' in kept.read_text()
    return error, told


def test_a_call_that_waits_for_keys(tmp_path: Path, service: Service) -> None:
    script = tmp_path / "keys.py"
    script.write_text("import time\ntime.sleep(8)\n")
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws/config").write_text(f"[default]\ncredential_process = {sys.executable} {script}\n")
    error, told = perform(tmp_path, "bedrock", f'bedrock: {{region: us-east-1, endpoint_url: "{service.url}"}}')
    assert error["kind"] == "unavailable"
    assert "no keys came within the time" in error["message"]
    assert (told["free"], told["error"]["kind"]) == (True, "unavailable")
    assert "no keys came within the time" in told["error"]["message"]
    assert "ambiguous" not in told
    assert service.asked == []


def test_a_call_that_finds_no_connection(tmp_path: Path) -> None:
    """A listener whose queue is full."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        held = [socket.socket() for _ in range(4)]
        for one in held:
            one.setblocking(False)
            one.connect_ex(address)
        error, told = perform(
            tmp_path, "local", f'local: {{type: openai, base_url: "http://127.0.0.1:{address[1]}/v1"}}'
        )
        for one in held:
            one.close()
    assert error["kind"] == "unavailable"
    assert "no connection within the time" in error["message"]
    assert (told["free"], told["error"]["kind"]) == (True, "unavailable")
