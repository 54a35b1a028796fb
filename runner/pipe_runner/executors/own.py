"""What is this process's own, and user code may change: its streams by name, and its end."""

from __future__ import annotations

import io
import os
import sys
import threading
from contextlib import suppress
from errno import EAGAIN
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class Own:
    """Keeps them as they are for the runner."""

    def __init__(self) -> None:
        self._ours: dict[str, Any] = {}

    def take(self) -> None:
        """To be done before the descriptors lead elsewhere; again, for another run, it is its end alone."""
        self._exit = os._exit
        if not self._ours:
            self._take_streams()
        us = os.getpid()

        def end(status: int) -> NoReturn:
            if os.getpid() == us:  # else a fork of ours ends, which may
                raise SystemExit(f"os._exit({status!r})")
            self._exit(status)

        os._exit = end

    def _take_streams(self) -> None:
        self._streams = {name: getattr(sys, name) for name in ("stdout", "stderr", "__stdout__", "__stderr__")}
        ours = {id(sys.stderr): _Ours(sys.stderr, 2), id(sys.stdout): _Ours(sys.stdout, 1)}
        self._ours = {name: ours.get(id(stream), stream) for name, stream in self._streams.items()}
        for name, stream in self._ours.items():
            setattr(sys, name, stream)

    def give_back(self) -> None:
        for name, stream in self._streams.items():
            setattr(sys, name, stream)

    def give_back_exit(self, *, busy: bool) -> None:
        """`busy`: code still runs, which shall not end the process. It may have taken the streams away."""
        for name, stream in self._ours.items():
            if not busy or getattr(sys, name) is None:
                setattr(sys, name, stream)
        if not busy:
            os._exit = self._exit

    def hush(self) -> None:
        for stream in self._ours.values():
            if isinstance(stream, _Ours):
                stream.hush()


class Whole(io.FileIO):
    """Writes all of what it is given. It has no lock: Python aborts where a thread is left in a buffer's at its end."""

    def write(self, data: ReadableBuffer, /) -> int:
        view = memoryview(data).cast("B")
        done = 0
        while done < len(view):
            written: int | None = super().write(view[done:])
            if written is None:  # it doesn't block, and nobody reads it now
                raise BlockingIOError(EAGAIN, os.strerror(EAGAIN), done)
            done += written
        return done


class _Ours:
    """A standard stream of the thread that makes it. What others print goes to the descriptor, as if by a process: a
    thread may be left of a function's, and the runner's streams carry results and show no secret."""

    def __init__(self, stream: TextIO, number: int) -> None:
        self._stream, self._owner = stream, threading.get_ident()
        file = Whole(number, "w", closefd=False)
        self._others = io.TextIOWrapper(file, encoding="utf-8", errors="backslashreplace", line_buffering=True)

    def hush(self) -> None:
        with suppress(OSError, ValueError):  # nobody reads it, or it was closed
            self._stream.flush()
        self._owner = 0

    def __getattr__(self, name: str) -> Any:
        ours = threading.get_ident() == self._owner or name in ("fileno", "isatty")
        return getattr(self._stream if ours else self._others, name)
