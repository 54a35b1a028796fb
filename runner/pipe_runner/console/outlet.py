"""Writes text to a stream from a thread of its own: a reader that is slow, or gone, can't hold up a run."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final, TextIO

_PAUSE: Final = 0.05
"""Seconds between two writes, so that many lines share one."""
_TICK: Final = 0.5
_PIECES: Final = 20_000
_CHARACTERS: Final = 16 << 20


class Backlog:
    """Text that waits to be written, at most so many pieces and characters. Lines that come while it is full are
    counted and left out, and that is told behind what waits."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._size = 0
        self._left_out = 0
        self._lock = threading.RLock()  # a handler of a signal may come between and put a line

    def put(self, text: str) -> None:
        with self._lock:
            if len(self._pieces) >= _PIECES or self._size >= _CHARACTERS:
                self._left_out += text.count("\n")
                return
            self._pieces.append(text)
            self._size += len(text)

    def take(self) -> str:
        with self._lock:
            pieces, left_out = self._pieces, self._left_out
            self._pieces, self._size, self._left_out = [], 0, 0
        if left_out:
            pieces.append(f"… {left_out} lines left out: nobody read them in time\n")
        return "".join(pieces)


class Outlet:
    """Text goes in by `put`, from any thread, and out in order. Errors of the stream end it silently.

    What a reader doesn't take in time is counted and left out. Where the system has no thread for it, text waits for
    `close`. `tick` is called twice a second from the writing thread,
    and may `put`.
    """

    def __init__(self, stream: TextIO, *, tick: Callable[[], None] | None = None) -> None:
        self._stream = stream
        self._tick = tick
        self._waiting = Backlog()
        self._something = threading.Event()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self.broken = False

    def put(self, text: str) -> None:
        if self.broken:
            return
        self._waiting.put(text)
        if self._thread is None:
            thread = threading.Thread(target=self._work, name="outlet", daemon=True)
            with suppress(RuntimeError):
                thread.start()
                self._thread = thread
        if not self._something.is_set():
            self._something.set()

    def close(self) -> None:
        """Write what is left; waits for a reader that is slow."""
        self._closing.set()
        self._something.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self._write()

    def _work(self) -> None:
        while not self._closing.is_set():
            found = self._something.wait(_TICK if self._tick is not None else None)
            if found:
                self._something.clear()
                self._write()
                self._closing.wait(_PAUSE)
            if self._tick is not None and not self._closing.is_set():
                try:
                    self._tick()
                except Exception:
                    self._tick = None  # a line less is no reason for anything

    def _write(self) -> None:
        text = self._waiting.take()
        if not text or self.broken:
            return
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            self.broken = True
