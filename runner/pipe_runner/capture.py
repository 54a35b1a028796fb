"""What Python code of functions and plugins prints during an attempt becomes `node.output` events, not output of the
runner."""

from __future__ import annotations

import asyncio
import codecs
import contextvars
import io
import os
import sys
import threading
from collections.abc import Container, Iterable, Iterator
from contextlib import contextmanager, suppress
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, TextIO

from pipe_runner.types import EventKind

if TYPE_CHECKING:
    from pipe_runner.executors.strays import Strays
    from pipe_runner.ports import Emit, Masker, StreamMasker

KEPT: Final = 64 * 1024
"""Characters of an attempt's printed text that become events; the rest is dropped."""
_DELAY: Final = 0.05
"""Seconds that printed text may wait to share an event with what follows."""

CURRENT: Final[contextvars.ContextVar[Capture | None]] = contextvars.ContextVar("pipe_capture", default=None)
"""The attempt whose code is running here; threads and tasks that the agent starts inherit it."""


class Capture:
    """Collects what one attempt prints, in any thread, and emits it on the loop.

    Most attempts print nothing: what only printed text needs stands in the class until there is some.
    """

    _room = KEPT
    _scheduled = False
    _streams: dict[str, _Stream] | None = None
    _fault: BaseException | None = None
    open = True

    def __init__(self, emit: Emit, masker: Masker) -> None:
        self._emit = emit
        self._masker = masker
        self._pending: list[tuple[str, str]] = []
        self._loop = asyncio.get_running_loop()

    def write(self, stream: str, text: str) -> None:
        """Take printed text; from any thread. Text after the attempt's end, or beyond `KEPT`, is dropped."""
        if self._room <= 0 or not self.open or not text:
            return
        self._pending.append((stream, text[: self._room]))
        self._room -= len(text)
        if self._scheduled:
            return
        self._scheduled = True
        if asyncio._get_running_loop() is self._loop:
            self._schedule()
        else:
            try:
                self._loop.call_soon_threadsafe(self._schedule, context=contextvars.Context())
            except RuntimeError:  # the loop is closed: nobody reads events any more
                self.open = False

    def close(self) -> None:
        """Emit what is left; on the loop, outside of the attempt's context. Raises what `emit` raised."""
        if self._pending or self._streams:
            self._drain()
            for name, stream in (self._streams or {}).items():
                self._send(name, stream.rest())
        self.open = False
        if self._fault is not None:
            raise self._fault

    def _schedule(self) -> None:
        # A context of its own: sinks print from inside `emit`, and that is not the node's output.
        self._loop.call_later(_DELAY, self._drain, context=contextvars.Context())

    def _drain(self) -> None:
        if not self.open:
            return
        self._scheduled = False
        pending, self._pending = self._pending, []
        texts: dict[str, list[str]] = {}
        for name, text in pending:
            texts.setdefault(name, []).append(text)
        streams = self._streams = self._streams or {}
        for name, parts in texts.items():
            stream = streams.get(name)
            if stream is None:
                stream = streams[name] = _Stream(self._masker.stream())
            self._send(name, stream.lines("".join(parts)))

    def _send(self, name: str, text: str) -> None:
        if not text or self._fault is not None:
            return
        try:
            self._emit(EventKind.NODE_OUTPUT, {"stream": name, "text": text})
        except Exception as error:  # a log that can't be written ends the attempt, not a callback of the loop
            self._fault = error


class _Stream:
    """Masks the text of one stream and gives it out in whole lines."""

    __slots__ = ("_decoder", "_line", "_masker")

    def __init__(self, masker: StreamMasker) -> None:
        self._masker = masker
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._line = ""

    def lines(self, text: str) -> str:
        masked = self._masker.feed(text.encode("utf-8", "replace"))
        whole, newline, self._line = (self._line + self._decoder.decode(masked)).rpartition("\n")
        return whole + newline

    def rest(self) -> str:
        text = self._line + self._decoder.decode(self._masker.flush(), final=True)
        self._line = ""
        return text


class Routes:
    """Stands in for sys.stdin, sys.stdout and sys.stderr while any attempt runs Python code; gives them back after."""

    def __init__(self) -> None:
        self._users = 0
        self._lock = threading.Lock()
        self._owners: set[int] = set()
        self._stdin: _NoInput | None = None
        self._stdout: _Routed | None = None
        self._stderr: _Routed | None = None
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forked)

    def enter(self) -> None:
        with self._lock:
            self._users += 1
            self._owners.add(threading.get_ident())
            if self._users > 1:
                return
            out, err = self._stdout, self._stderr
            if out is None or err is None or out.original is not sys.stdout or err.original is not sys.stderr:
                strays = _strays()
                err = self._stderr = _Routed("stderr", sys.stderr, strays, self._owners)
                out = self._stdout = _Routed("stdout", sys.stdout, strays, self._owners)
            self._put(out)
            self._put(err)
            if self._stdin is None or self._stdin.original is not sys.stdin:
                self._stdin = _NoInput(sys.stdin)
            sys.stdin = self._stdin

    def leave(self) -> None:
        """Undo one `enter`; whoever replaced the streams in between keeps them."""
        with self._lock:
            self._users = max(self._users - 1, 0)
            if self._users > 0 or self._stdin is None or self._stdout is None or self._stderr is None:
                return
            self._give_back(self._stdout)
            self._give_back(self._stderr)
            if sys.stdin is self._stdin:
                sys.stdin = self._stdin.original

    def settle(self) -> None:
        """Have what an attempt has printed come to it, at its end and in its context, where code has put a text layer
        of its own on top of ours (`io.TextIOWrapper(sys.stdout.buffer)`), which keeps some of it."""
        for stream in (sys.stdout, sys.stderr):
            if type(stream) is io.TextIOWrapper:
                with suppress(Exception):  # it was closed, or taken apart
                    if isinstance(stream.buffer, _Bytes):
                        stream.flush()

    def _forked(self) -> None:
        """In a process that user code forked, nobody emits events: what it prints goes to the descriptors."""
        if self._users and self._stdout is not None and self._stderr is not None:
            for fd, stream in ((1, self._stdout), (2, self._stderr)):
                stream.original = _plain(fd)
                self._give_back(stream)

    def _put(self, stream: _Routed) -> None:
        """Also where Python keeps what it began with (`sys.__stdout__`), which code takes to get around others."""
        for name in (stream.name, f"__{stream.name}__"):
            if getattr(sys, name) is stream.original:
                setattr(sys, name, stream)

    def _give_back(self, stream: _Routed) -> None:
        for name in (stream.name, f"__{stream.name}__"):
            if getattr(sys, name) is stream:
                setattr(sys, name, stream.original)


def _strays() -> TextIO | None:
    """Descriptor 2 itself, not the runner's stream on top of it: while functions run the executor watches it."""
    if sys.stderr is None:
        return None
    return _plain(2)


def _plain(fd: int) -> TextIO:
    return open(fd, "w", buffering=1, closefd=False, encoding="utf-8", errors="backslashreplace")


class _Routed(io.TextIOBase):
    """A standard stream that goes to the attempt in whose context it is written to.

    A thread that user code started by itself has no such context: what it prints goes where the processes print that
    user code starts, since the runner's own streams carry results and show no secret.
    """

    encoding = "utf-8"
    errors = "replace"

    def __init__(self, name: str, original: TextIO | None, strays: TextIO | None, owners: Container[int]) -> None:
        self.name = name
        self.original = original
        self._strays = strays
        self._owners = owners

    def write(self, text: str) -> int:
        capture = CURRENT.get()
        if capture is not None:
            if not isinstance(text, str):
                raise TypeError(f"write() argument must be str, not {type(text).__name__}")
            capture.write(self.name, text)
            return len(text)
        outside = self._outside()
        return len(text) if outside is None else outside.write(text)

    def writelines(self, lines: Iterable[str]) -> None:  # type: ignore[override]
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        if CURRENT.get() is None and (outside := self._outside()) is not None:
            outside.flush()

    def isatty(self) -> bool:
        return CURRENT.get() is None and self.original is not None and self.original.isatty()

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        """For processes that user code starts with this stream as theirs: not where results go."""
        stream = self.original if CURRENT.get() is None else self._strays
        if stream is None:
            raise io.UnsupportedOperation("fileno")
        return stream.fileno()

    def close(self) -> None:
        """Do nothing: it isn't the caller's to close."""

    def detach(self) -> Any:
        return self.buffer

    def past(self, text: str) -> None:
        """Written by code whose attempt is over: it goes where its processes and threads print."""
        if self._strays is not None:
            self._strays.write(text)

    @property
    def buffer(self) -> Any:
        if CURRENT.get() is not None:
            return _Bytes(self)
        return getattr(self._outside(), "buffer")  # noqa: B009 - there may be no stream at all

    def __getattr__(self, name: str) -> Any:
        return getattr(self.original, name)

    def _outside(self) -> TextIO | None:
        return self.original if threading.get_ident() in self._owners else self._strays


class _Bytes(io.RawIOBase):
    """`sys.stdout.buffer` inside an attempt."""

    def __init__(self, text: _Routed) -> None:
        self._text = text

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        raw = bytes(data)
        write = self._text.past if CURRENT.get() is None else self._text.write
        write(raw.decode("utf-8", "replace"))
        return len(raw)


class _NoInput(io.TextIOBase):
    """sys.stdin, empty for attempts: the terminal belongs to the runner."""

    def __init__(self, original: TextIO | None) -> None:
        self.original = original

    def read(self, size: int | None = -1) -> str:
        if self.original is None or CURRENT.get() is not None:
            return ""
        return self.original.read(-1 if size is None else size)

    def readline(self, size: int = -1) -> str:  # type: ignore[override]
        if self.original is None or CURRENT.get() is not None:
            return ""
        return self.original.readline(size)

    def readable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return CURRENT.get() is None and self.original is not None and self.original.isatty()

    def close(self) -> None:
        """Do nothing: it isn't the caller's to close."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self.original, name)


ROUTES: Final = Routes()
"""One for the process, as the standard streams are."""


@contextmanager
def captured(emit: Emit, masker: Masker, strays: Strays | None = None) -> Iterator[None]:
    """What code prints in this context, and in tasks and threads that it starts, goes to `emit`; with `strays` also
    what its processes print. On the loop; raises what `emit` raised."""
    capture, began, gone = Capture(emit, masker), monotonic(), False
    if strays is not None:
        strays.running[capture] = emit
    ROUTES.enter()
    token = CURRENT.set(capture)
    try:
        yield
    except GeneratorExit:  # it was left behind, and its loop has ended: nobody hears it any more
        gone = True
        raise
    finally:
        if not gone:
            ROUTES.settle()
            CURRENT.reset(token)
        ROUTES.leave()
        if not gone:
            if strays is not None:
                strays.leave(capture, monotonic() - began)
            capture.close()
