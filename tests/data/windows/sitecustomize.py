"""Makes this interpreter as much like one on Windows as the standard library bears; `test_cli_windows.py` starts it.

What is imported here is imported as it is on this system: the libraries have Windows in their own tests.
"""

from __future__ import annotations

import asyncio
import ctypes  # noqa: F401
import json
import os
import selectors
import shutil
import socket
import ssl  # noqa: F401
import subprocess  # noqa: F401
import sys
import tempfile
import warnings
from importlib import import_module, metadata  # noqa: F401
from typing import Any

for library in (
    "anyio._backends._asyncio",
    "click",
    "httpcore2",
    "httpx2",
    "jinja2",
    "networkx",
    "pydantic.main",
    "yaml",
    "pydantic.root_model",
    "zoneinfo",
):
    import_module(library)

tempfile.gettempdir()  # found once, by what is about to change
asyncio.new_event_loop().close()  # so is which kind of loop it is, from Python 3.14 on
_open, _read, _write = os.open, os.read, os.write
_rename, _replace, _unlink = os.rename, os.replace, os.unlink
_socketpair = socket.socketpair
_as_text: set[int] = set()
BINARY, NOINHERIT = 1 << 30, 1 << 29


def _opened(path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
    if dir_fd is not None:
        raise NotImplementedError("dir_fd unavailable on this platform")
    if os.path.isdir(path):
        raise PermissionError(13, "Permission denied", path)
    fd = _open(path, flags & ~(BINARY | NOINHERIT), mode)
    (_as_text.discard if flags & BINARY else _as_text.add)(fd)
    return fd


def _bytes_read(fd: int, count: int) -> bytes:
    assert fd not in _as_text, "read without O_BINARY: ends at ^Z, and its line ends change"
    return _read(fd, count)


def _bytes_written(fd: int, data: Any) -> int:
    assert fd not in _as_text, "written without O_BINARY: its line ends change"
    return _write(fd, data)


def _refuse_open(path: Any) -> None:
    """Windows keeps a file in its place while somebody has it open."""
    real = os.path.realpath(path)
    for fd in os.listdir("/proc/self/fd"):
        try:
            if os.readlink(f"/proc/self/fd/{fd}") == real:
                raise PermissionError(13, "The process cannot access the file: it is being used", path)
        except FileNotFoundError:
            continue


def _renamed(source: Any, target: Any, **how: Any) -> None:
    if os.path.lexists(target):
        raise FileExistsError(17, "Cannot create a file when that file already exists", target)
    _replaced(source, target, **how)


def _replaced(source: Any, target: Any, **how: Any) -> None:
    assert not how, "dir_fd unavailable on this platform"
    _refuse_open(source)
    _refuse_open(target)
    _replace(source, target)


def _unlinked(path: Any, **how: Any) -> None:
    assert not how, "dir_fd unavailable on this platform"
    _refuse_open(path)
    _unlink(path)


def _pair(family: int = socket.AF_UNIX, kind: int = socket.SOCK_STREAM, protocol: int = 0) -> Any:
    """Windows makes it of two connections; asyncio has one to wake itself."""
    return _socketpair(family, kind, protocol)


def _not_there(*_: Any, **__: Any) -> Any:
    raise NotImplementedError


os.open, os.read, os.write = _opened, _bytes_read, _bytes_written
os.rename, os.replace, os.unlink, os.remove = _renamed, _replaced, _unlinked, _unlinked
os.symlink = _not_there
socket.socketpair = _pair  # type: ignore[assignment]
os.supports_dir_fd = os.supports_fd = os.supports_follow_symlinks = set()  # type: ignore[assignment]
shutil._use_fd_functions = False  # type: ignore[attr-defined]
if hasattr(shutil, "_rmtree_impl"):  # from Python 3.14 on
    shutil._rmtree_impl = shutil._rmtree_unsafe
for loop in (
    asyncio.SelectorEventLoop,
    asyncio.BaseEventLoop,
):  # the one of Windows has none of these; asyncio needs the others itself
    for name in ("add_reader", "add_writer", "add_signal_handler"):
        setattr(loop, name, _not_there)
asyncio.SelectorEventLoop.subprocess_exec = _not_there  # type: ignore[method-assign]

absent: dict[str, list[str]] = json.loads(os.environ.pop("ABSENT"))
for module in absent.pop("*"):
    sys.modules[module] = None  # type: ignore[assignment]
for module, names in absent.items():
    for name in names:
        if hasattr(sys.modules[module], name):
            delattr(sys.modules[module], name)
os.O_BINARY, os.O_NOINHERIT = BINARY, NOINHERIT  # type: ignore[misc]
if hasattr(os, "process_cpu_count"):  # from Python 3.13 on; it is made for what this system has
    os.process_cpu_count = os.cpu_count

selectors.DefaultSelector = selectors.SelectSelector  # type: ignore[misc]

sys.platform = "win32"
for stream in (sys.stdout, sys.stderr):
    stream.reconfigure(encoding="cp1252", newline="\r\n")  # type: ignore[union-attr]
warnings.filterwarnings("error", category=EncodingWarning, module="pipe_")
