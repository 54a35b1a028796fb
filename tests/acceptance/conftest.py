"""The installed command, used as a user uses it: in a directory of its own, as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

PIPE = str(Path(sys.executable).with_name("pipe"))
PATIENCE = 60


@dataclass
class Shell:
    """A working directory with the command at hand. `start` gives a process that ends with the test at the latest."""

    folder: Path
    env: dict[str, str]
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def __call__(
        self, *words: str, env: Mapping[str, str] | None = None, cwd: Path | None = None, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
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
def pipe(tmp_path: Path) -> Iterator[Shell]:
    """`pipe("run", "f.yml")` in an empty directory, without the variables of whoever runs the tests."""
    kept = ("PATH", "HOME", "TMPDIR", "VIRTUAL_ENV", "PYTHONDONTWRITEBYTECODE")
    env = {name: os.environ[name] for name in kept if name in os.environ}
    shell = Shell(tmp_path, {**env, "LANG": "C.UTF-8"})
    yield shell
    for process in shell.started:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=PATIENCE)
