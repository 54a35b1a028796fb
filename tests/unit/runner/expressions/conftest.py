"""Runs what a shell text was compiled to, as the shell agent does."""

from __future__ import annotations

import os
import subprocess
from typing import Any

import pytest

from pipe_runner.expressions import Fault, compile_shell, evaluate, value_to_text

HOSTILE = [
    "plain", "", " a  b\t", "a\nb\n\n", "'", '"', "\\", "\\n\\\\'", "`touch CANARY`$(touch CANARY)${HOME}$HOME$((1+1))",
    "a[$(touch CANARY)]", "; touch CANARY & touch CANARY | touch CANARY > CANARY\ntouch CANARY\n",
    "'; touch CANARY; '\"; touch CANARY; \"", "*", "[a-z]?*", "~", "-n", "--", "!!# c", "{a,b}{{ x }}{% raw %}%s%n",
    "E\nEOF\ntouch CANARY\nE", "é☃𝄞\udcff\udc80\x01\x7f\r", "=a=b", "x) esac } ]] )) fi done", "0",
]  # fmt: skip
"""Values that mean something to some shell somewhere; a lone surrogate is a byte that isn't UTF-8."""


class Shells:
    """Shells to run compiled texts in, and values to try."""

    hostile = HOSTILE

    def errors(self, text: str) -> list[Fault]:
        return [fault for fault in compile_shell(text)[1] if fault.code.startswith("E")]

    def run(self, text: str, value: Any, shell: str = "sh", cwd: str | None = None) -> bytes:
        """Standard output of the text with `inputs.v` as given, `u` unset and `s` set."""
        compiled, faults = compile_shell(text)
        assert not [fault for fault in faults if fault.code.startswith("E")], faults
        scope = {"inputs": {"v": value}}
        env = {b"PATH": os.environb[b"PATH"], b"LC_ALL": b"C.UTF-8", b"s": b"set"}
        for name, expression in compiled.environment:
            env[name.encode()] = self.as_bytes(value_to_text(evaluate(expression, scope)))
        script = self.as_bytes(value_to_text(evaluate(compiled.script, scope)))
        done = subprocess.run(
            [shell, "-e", "-c", script], env=env, cwd=cwd, capture_output=True, check=False, timeout=20
        )
        return done.stdout

    def as_bytes(self, text: str) -> bytes:
        return text.encode("utf-8", "surrogateescape")


@pytest.fixture(scope="session")
def shells() -> Shells:
    return Shells()
