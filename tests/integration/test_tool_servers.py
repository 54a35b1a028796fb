"""MCP servers that not we wrote: of PyPI and npm, over stdio and over streamable HTTP."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import anyio
import mcp_there
import pytest
from looking import results
from model_servers.standins import NotThere

from pipe_runner.compiler import compile_text
from pipe_runner.engine import RunSettings, open_run
from pipe_runner.registry import Registry
from pipe_runner.testing import Answer, FakeProvider


def there(find: Any, name: str) -> list[str]:
    try:
        found: list[str] = find(name)
    except NotThere as reason:
        pytest.skip(str(reason))
    return found


def ask(root: Path, server: dict[str, Any], tools: Sequence[str], *script: Any) -> tuple[Any, FakeProvider]:
    """The node, and the model, of a run in which the model wants these tools of the server `s`."""
    (root / "pipe.yml").write_text(json.dumps({"version": 1, "mcp_servers": {"s": server}}))
    model = FakeProvider(*script)
    registry = Registry.installed()
    registry.providers.register("fake", model)
    listed = ", ".join(f'"mcp:s/{tool}"' for tool in tools)
    node = f"{{agent: llm, provider: fake, timeout: 60s, with: {{prompt: x, tools: [{listed}]}}}}"
    compilation = compile_text(f"version: 1\nnodes: {{a: {node}}}\n", path="p.yml", root=root, registry=registry)
    assert compilation.plan is not None, compilation.diagnostics
    active = open_run(compilation.plan, {}, RunSettings(state_dir=root / ".pipe"), registry=registry)
    return anyio.run(active.perform).nodes["a"], model


def test_the_time_is_asked_of_a_server_of_pypi(tmp_path: Path) -> None:
    server = {"command": there(mcp_there.of_python, "mcp-server-time")}
    wrong = Answer(tools=[("convert_time", {"source_timezone": "UTC", "time": "12:00", "target_timezone": "Nowhere"})])
    right = Answer(
        tools=[("convert_time", {"source_timezone": "UTC", "time": "12:00", "target_timezone": "Asia/Tokyo"})]
    )
    node, model = ask(tmp_path, server, ["convert_time"], wrong, right, "21:00")
    assert (node.output, node.error) == ("21:00", None)
    failed, given = results(model)
    assert failed.failed
    assert "Nowhere" in failed.text
    assert not given.failed
    assert "21:00" in given.text


def test_git_is_asked_in_the_directory_that_pipe_yml_gives(tmp_path: Path) -> None:
    server = {"command": [*there(mcp_there.of_python, "mcp-server-git"), "--repository", "repo"]}
    repo = tmp_path / "repo"
    repo.mkdir()
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    for words in (
        ["init", "-q"],
        ["-c", "user.name=A", "-c", "user.email=a@b", "commit", "-qm", "One", "--allow-empty"],
    ):
        subprocess.run(["git", *words], cwd=repo, env=env, check=True)
    asks = Answer(tools=[("git_log", {"repo_path": str(repo)})])
    node, model = ask(tmp_path, server, ["git_log"], asks, "done")
    assert node.error is None
    assert "One" in results(model)[0].text


def test_a_server_of_npm_shows_what_is_no_text_by_name(tmp_path: Path) -> None:
    server = {"command": [*there(mcp_there.of_node, "mcp-server-everything"), "stdio"]}
    asks = Answer(tools=[("echo", {"message": "hallo"}), ("get-tiny-image", {}), ("get-sum", {"a": 2, "b": "x"})])
    node, model = ask(tmp_path, server, ["echo", "get-tiny-image", "get-sum"], asks, "done")
    assert node.error is None
    echo, image, wrong = results(model)
    assert "hallo" in echo.text
    assert "[an image, image/png, " in image.text
    assert wrong.failed


def test_files_are_read_within_the_directory_that_the_server_was_given(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.txt").write_text("inside")
    server = {"command": [*there(mcp_there.of_node, "mcp-server-filesystem"), str(tmp_path / "data")]}
    asks = Answer(
        tools=[
            ("read_text_file", {"path": str(tmp_path / "data" / "a.txt")}),
            ("read_text_file", {"path": str(tmp_path / "pipe.yml")}),
        ]
    )
    node, model = ask(tmp_path, server, ["read_text_file"], asks, "done")
    assert node.error is None
    inside, outside = results(model)
    assert "inside" in inside.text
    assert outside.failed


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """A server of npm that speaks streamable HTTP."""
    command = there(mcp_there.of_node, "mcp-server-everything")
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PORT": str(port)}
    with open(tmp_path / "server.log", "wb") as log:
        process = subprocess.Popen([*command, "streamableHttp"], env=env, stdout=log, stderr=log)
    end = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            break
        except OSError:
            assert process.poll() is None, (tmp_path / "server.log").read_text()
            assert time.monotonic() < end
            time.sleep(0.05)
    yield f"http://127.0.0.1:{port}/mcp"
    process.kill()
    process.wait()


def test_a_server_is_reached_over_http(tmp_path: Path, address: str) -> None:
    asks = Answer(tools=[("echo", {"message": "hallo"})])
    node, model = ask(tmp_path, {"url": address, "headers": {"X-Who": "me"}}, ["echo"], asks, asks, "done")
    assert node.error is None
    assert all("hallo" in message.text for message in results(model))


def test_an_address_where_nobody_listens_is_a_sentence(tmp_path: Path) -> None:
    node, _ = ask(tmp_path, {"url": "http://127.0.0.1:9/mcp"}, ["echo"], "done")
    assert node.error["kind"] == "tool"
    assert node.error["message"].startswith("MCP server s can't be opened: ")
