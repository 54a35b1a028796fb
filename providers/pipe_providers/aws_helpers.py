"""Programs that give keys (`credential_process`), which end with the run that has need of them (X2)."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
from typing import Any, Final

_WATCH: Final = """
import os, select, signal, sys
told, tell = os.pipe()
os.set_blocking(tell, False)
signal.signal(signal.SIGCHLD, lambda number, frame: None)
signal.set_wakeup_fd(tell)
null = os.open(os.devnull, os.O_RDONLY)
pid = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, null, 0)])
while True:
    if 0 in select.select([0, told], [], [])[0]:
        os.killpg(0, signal.SIGKILL)
    os.read(told, 4096)
    ended, status = os.waitpid(pid, os.WNOHANG)
    if ended:
        os._exit(os.waitstatus_to_exitcode(status) & 255)
"""
"""Starts a program in its own group, and ends that group when its stdin ends: with the runner, whatever ends that."""


class Helpers:
    """Starts them, each in a session of its own, and ends those that run still."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: list[tuple[subprocess.Popen[bytes], int]] = []
        """Each with what it is to outlive by nothing: a descriptor that is open as long as this process is there."""
        self._closed = False

    def start(self, argv: list[str], **pipes: Any) -> subprocess.Popen[bytes]:
        """As botocore does it; nobody is there to answer a prompt."""
        if not hasattr(os, "posix_spawnp") or not sys.executable:
            return self._keep(subprocess.Popen(argv, stdin=subprocess.DEVNULL, start_new_session=True, **pipes), -1)
        if shutil.which(argv[0]) is None:
            raise FileNotFoundError(2, "there is no such program", argv[0])
        ends, lives = os.pipe()
        try:
            watched = [sys.executable, "-I", "-S", "-c", _WATCH, *argv]
            program = subprocess.Popen(watched, stdin=ends, start_new_session=True, **pipes)
        except BaseException:
            os.close(lives)
            raise
        finally:
            os.close(ends)
        return self._keep(program, lives)

    def _keep(self, program: subprocess.Popen[bytes], lives: int) -> subprocess.Popen[bytes]:
        with self._lock:
            ended = [number for one, number in self._running if one.returncode is not None]
            self._running = [(one, number) for one, number in self._running if one.returncode is None]
            self._running.append((program, lives))
            closed = self._closed
        _let_go(ended)
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
            self._closed, running, self._running = True, self._running, []
        for program, _ in running:
            _end(program)
        _let_go([lives for _, lives in running])


def _let_go(descriptors: list[int]) -> None:
    for fd in descriptors:
        if fd >= 0:
            os.close(fd)


def _end(program: subprocess.Popen[bytes]) -> None:
    if program.returncode is not None:
        return  # its number may be another one's
    with contextlib.suppress(OSError):
        if hasattr(os, "killpg"):
            os.killpg(program.pid, signal.SIGKILL)
        else:
            program.kill()
