"""Programs of others that stand in for model services: found where `tests/servers/install.sh` puts them."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

FIXTURES: list[dict[str, Any]] = [
    {
        "match": {"userMessage": "weather"},
        "response": {"toolCalls": [{"name": "weather", "arguments": {"place": "Köln"}}]},
    },
    {"match": {"userMessage": "severity"}, "response": {"content": '{"severity": "low"}'}},
    {"match": {"userMessage": "hello"}, "response": {"content": "Hello wörld, this is a somewhat longer answer ☃."}},
]


class NotThere(Exception):
    """A stand-in isn't installed; says what to do."""


def folder() -> Path:
    said = os.environ.get("PIPE_TEST_SERVERS")
    if said:
        return Path(said)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pipe-runner" / "servers"


def _whole(name: str) -> bool:
    """Its installation came to its end."""
    return any(folder().glob(f"{name}-*.there"))


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextlib.contextmanager
def _running(argv: list[str], port: int, env: Mapping[str, str], cwd: Path, patience: float) -> Iterator[str]:
    """The program's address while it runs; it is ended with everything that it started."""
    with open(cwd / f"{port}.log", "wb") as log:
        process = subprocess.Popen(
            argv, cwd=cwd, env={**env, "PATH": os.environ["PATH"], "HOME": str(cwd)}, stdout=log, stderr=log
        )
    try:
        deadline = time.monotonic() + patience
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            if process.poll() is not None or time.monotonic() > deadline:
                told = (cwd / f"{port}.log").read_text(errors="replace")[-2000:]
                raise RuntimeError(f"{argv[0]} did not start: {told}")
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def aimock(cwd: Path, fixtures: list[dict[str, Any]] = FIXTURES, *flags: str) -> Iterator[str]:
    """Speaks OpenAI, Ollama and Bedrock (whose text streams it gets wrong)."""
    node, program = shutil.which("node"), folder() / "node_modules/.bin/llmock"
    if node is None or not _whole("aimock") or not program.exists():
        raise NotThere("no stand-in for OpenAI and Ollama here: `bash tests/servers/install.sh` installs it, with npm")
    port = _free_port()
    (cwd / "fixtures.json").write_text(json.dumps({"fixtures": fixtures}))
    argv = [node, str(program.resolve()), "-p", str(port), "-f", str(cwd / "fixtures.json"), *flags]
    with _running(argv, port, {}, cwd, 30) as url:
        yield url


@contextlib.contextmanager
def ministack(cwd: Path, behind: str) -> Iterator[str]:
    """Speaks Bedrock; what is to be said it asks an OpenAI-compatible server `behind` it."""
    program = folder() / "python/bin/ministack"
    if not _whole("ministack") or not program.exists():
        raise NotThere("no stand-in for Bedrock here: `bash tests/servers/install.sh` installs it")
    port = _free_port()
    env = {"BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port), "MINISTACK_BEDROCK_PROXY_URL": behind}
    with _running([str(program)], port, env, cwd, 60) as url:
        yield url
