"""Makes this interpreter as much like one on macOS as the standard library bears; `test_macos.py` starts it.

There is no /proc, no pidfd, no subreaper, no fdatasync, and `ps` shows environments. In wardens, too, which are started
through the program `like_macos` that the test makes.
"""

from __future__ import annotations

import builtins
import io
import os
import sys
from typing import Any

SHIM = os.environ.get("LIKE_MACOS", "")
"""What stands for `sys.executable`; empty in a warden."""


def _hidden(path: Any) -> bool:
    return isinstance(path, str | bytes) and (os.fsdecode(path) + "/").startswith("/proc/")


def _without_proc(function: Any) -> Any:
    def call(path: Any, *rest: Any, **more: Any) -> Any:
        if _hidden(path):
            raise FileNotFoundError(2, "No such file or directory", path)
        return function(path, *rest, **more)

    return call


if SHIM:
    import asyncio  # noqa: F401
    import ctypes  # noqa: F401
    import multiprocessing  # noqa: F401
    import selectors
    import shutil
    import socket  # noqa: F401
    import subprocess
    import tempfile
    import time
    from importlib import import_module

    import_module("anyio._backends._asyncio")
    import_module("zoneinfo")
    selectors.DefaultSelector = selectors.PollSelector  # type: ignore[misc,assignment]
    subprocess._USE_VFORK = False  # type: ignore[attr-defined]
    shutil._USE_CP_SENDFILE = False  # type: ignore[attr-defined]
    tempfile._O_TMPFILE_WORKS = False  # type: ignore[attr-defined]
    sys.executable = SHIM
    del time.CLOCK_BOOTTIME

for name in ("open", "listdir", "stat", "lstat", "readlink", "scandir", "access"):
    setattr(os, name, _without_proc(getattr(os, name)))
builtins.open = io.open = _without_proc(io.open)
for name in (
    "pidfd_open", "P_PIDFD", "fdatasync", "memfd_create", "MFD_CLOEXEC", "posix_fadvise", "posix_fallocate", "eventfd",
    "copy_file_range", "splice", "pipe2", "sched_getaffinity", "sched_setaffinity", "getrandom", "O_PATH",
    "setresuid", "getresuid", "waitid", "preadv", "pwritev",
):  # fmt: skip
    if hasattr(os, name):
        delattr(os, name)
if hasattr(os, "process_cpu_count"):  # from Python 3.13 on; it is made for what this system has
    os.process_cpu_count = os.cpu_count
sys.platform = "darwin"
