"""System calls that fail, or in which the process is killed, by strace."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest


@cache
def strace_works() -> str | None:
    """Why strace can't be used here, or None."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    probe = ["strace", "-f", "-o", "/dev/null", "-e", "inject=getpriority:error=EIO", "true"]
    done = subprocess.run(probe, capture_output=True, text=True)
    return None if done.returncode == 0 else f"strace does not work here: {done.stderr.strip()[-100:]}"


def injecting(tmp_path: Path, fault: str, *paths: Path) -> tuple[str, ...]:
    why = strace_works()
    if why:
        pytest.skip(why)
    only = [word for path in paths for word in ("-P", str(path))]
    return ("strace", "-f", "-qq", "-o", str(tmp_path / "strace.out"), *only, "-e", f"inject={fault}")
