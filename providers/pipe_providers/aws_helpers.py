"""Programs that give keys (`credential_process`), which end with the run that has need of them (X2)."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from typing import Any


class Helpers:
    """Starts them, each in a session of its own, and ends those that run still."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: list[subprocess.Popen[bytes]] = []
        self._closed = False

    def start(self, argv: list[str], **pipes: Any) -> subprocess.Popen[bytes]:
        """As botocore does it; nobody is there to answer a prompt."""
        program = subprocess.Popen(argv, stdin=subprocess.DEVNULL, start_new_session=True, **pipes)
        with self._lock:
            self._running = [one for one in self._running if one.returncode is None] + [program]
            closed = self._closed
        if closed:
            _end(program)
        return program

    def watch(self, core: Any) -> None:
        """Have botocore's session start its programs here, also for the source of a role's keys."""
        from botocore.exceptions import UnknownCredentialError

        chain = core.get_component("credential_provider")
        with contextlib.suppress(UnknownCredentialError):
            chain.get_provider("custom-process")._popen = self.start
        with contextlib.suppress(UnknownCredentialError, AttributeError):
            builder = chain.get_provider("assume-role")._profile_provider_builder
            make = builder._create_process_provider

            def made(*given: Any, **named: Any) -> Any:
                provider = make(*given, **named)
                provider._popen = self.start
                return provider

            builder._create_process_provider = made

    def close(self) -> None:
        with self._lock:
            self._closed, running = True, self._running
        for program in running:
            _end(program)


def _end(program: subprocess.Popen[bytes]) -> None:
    if program.returncode is not None:
        return  # its number may be another one's
    with contextlib.suppress(OSError):
        if hasattr(os, "killpg"):
            os.killpg(program.pid, signal.SIGKILL)
        else:
            program.kill()
