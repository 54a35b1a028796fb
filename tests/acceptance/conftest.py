"""The installed command, used as a user uses it: in a directory of its own, as a process of its own.

`pipe(…)` gets a process that was forked from one in which all is imported (`warm.py`), since most of a test would be
imports otherwise; `pipe.start(…)` and `pipe.alone(…)` start the command itself.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

PIPE = str(Path(sys.executable).with_name("pipe"))
PATIENCE = 60
KEPT = ("PATH", "HOME", "TMPDIR", "VIRTUAL_ENV", "PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX")


class Warm:
    """Asks `warm.py` for processes."""

    def __init__(self, folder: Path) -> None:
        self._socket = str(folder / "s")
        self._process: subprocess.Popen[bytes] | None = None

    def _begin(self) -> None:
        Path(self._socket).unlink(missing_ok=True)
        command = [sys.executable, str(Path(__file__).with_name("warm.py")), self._socket, PIPE]
        env = {name: os.environ[name] for name in KEPT if name in os.environ}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**env, "LANG": "C.UTF-8"}, cwd="/"
        )
        assert self._process.stdout and self._process.stdout.readline() == b"ready\n"

    def run(self, argv: list[str], cwd: Path, env: dict[str, str], stdin: str) -> subprocess.CompletedProcess[str]:
        """Like `subprocess.run`."""
        if self._process is None:
            self._begin()
        ends = [os.pipe() for _ in range(3)]
        theirs = [ends[0][0], ends[1][1], ends[2][1]]
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(self._socket)
            request = json.dumps({"argv": argv, "cwd": str(cwd), "env": env}) + "\n"
            socket.send_fds(connection, [request[:1].encode()], theirs)
            connection.sendall(request[1:].encode())
            for fd in theirs:
                os.close(fd)
            os.write(ends[0][1], stdin.encode())
            os.close(ends[0][1])
            with connection.makefile("rb") as answers:
                child = int(answers.readline())
                killer = threading.Timer(PATIENCE, os.kill, (child, signal.SIGKILL))
                killer.start()
                try:
                    out, err = _both(ends[1][0], ends[2][0])
                    code = int(answers.readline())
                finally:
                    killer.cancel()
        return subprocess.CompletedProcess(argv, code, out, err)

    def end(self) -> None:
        """Let it go; the next `run` has another one."""
        process, self._process = self._process, None
        if process is not None:
            assert process.stdin and process.stdout
            process.stdin.close()
            process.stdout.close()
            process.wait(PATIENCE)


def _both(*fds: int) -> list[str]:
    """All that comes from several descriptors."""
    found: dict[int, list[bytes]] = {fd: [] for fd in fds}
    left = set(fds)
    while left:
        for fd in select.select(left, [], [])[0]:
            data = os.read(fd, 65536)
            found[fd].append(data)
            if not data:
                os.close(fd)
                left.remove(fd)
    return [b"".join(found[fd]).decode("utf-8", "surrogateescape") for fd in fds]


@pytest.fixture(scope="session")
def warm(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[Warm | None]:
    if not hasattr(os, "pidfd_open"):
        yield None
        return
    made = Warm(tmp_path_factory.mktemp("w"))
    pytestconfig.pluginmanager.register(made, "warm")  # for tests/conftest.py
    yield made
    made.end()


@dataclass
class Shell:
    """A working directory with the command at hand. `start` gives a process that ends with the test at the latest."""

    folder: Path
    env: dict[str, str]
    warm: Warm | None = None
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def __call__(
        self, *words: str, env: Mapping[str, str] | None = None, cwd: Path | None = None, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        if self.warm is None or len(stdin) > 4096 or any(name.startswith(("PYTHON", "L")) for name in env or ()):
            return self.alone(*words, env=env, cwd=cwd, stdin=stdin)
        return self.warm.run([PIPE, *words], cwd or self.folder, {**self.env, **(env or {})}, stdin)

    def alone(
        self, *words: str, env: Mapping[str, str] | None = None, cwd: Path | None = None, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """The same, started as a user starts it."""
        return subprocess.run(
            [PIPE, *words],
            cwd=cwd or self.folder,
            env={**self.env, **(env or {})},
            input=stdin,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="surrogateescape",
            timeout=PATIENCE,
            check=False,
        )

    def start(self, *words: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [PIPE, *words],
            cwd=self.folder,
            env={**self.env, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.started.append(process)
        return process

    def run_id(self) -> str:
        """The id of the only run."""
        (found,) = os.listdir(self.folder / ".pipe" / "runs")
        return found

    def log(self) -> str:
        """What the log of the only run holds so far."""
        paths = list((self.folder / ".pipe" / "runs").glob("*/log.jsonl"))
        return paths[0].read_text() if paths else ""

    @staticmethod
    def until(condition: Callable[[], object], patience: float = 20.0) -> None:
        """Wait until something is so."""
        end = time.monotonic() + patience
        while not condition():
            assert time.monotonic() < end, "it did not happen in time"
            time.sleep(0.02)


@pytest.fixture
def pipe(tmp_path: Path, warm: Warm | None) -> Iterator[Shell]:
    """`pipe("run", "f.yml")` in an empty directory, without the variables of whoever runs the tests."""
    env = {name: os.environ[name] for name in KEPT if name in os.environ}
    shell = Shell(tmp_path, {**env, "LANG": "C.UTF-8"}, warm)
    yield shell
    for process in shell.started:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=PATIENCE)
