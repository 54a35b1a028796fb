"""What user code in this process writes past Python: by a process that it starts, a C library, or `os.write`.

Such text goes to the descriptors 1 and 2, where the runner's results and words go. It may hold secrets, and would stand
in the middle of a result. So both lead into pipes as soon as functions run; the runner's own streams keep the real
ones.
"""

from __future__ import annotations

import codecs
import fcntl
import io
import os
import select
import sys
import threading
from array import array
from collections.abc import Hashable
from contextlib import suppress
from termios import FIONREAD
from typing import TYPE_CHECKING, Any, ClassVar, Final

from pipe_runner.errors import NodeFault
from pipe_runner.executors.own import Own
from pipe_runner.executors.reasons import no_pipe
from pipe_runner.text import ci_safe, printable
from pipe_runner.types import ErrorKind, EventKind

if TYPE_CHECKING:
    import asyncio
    from queue import SimpleQueue

    from pipe_runner.ports import Emit, Masker

KEPT: Final = 64 * 1024
"""Characters that are kept of one attempt, and of all that can't be told apart; the rest is dropped."""
QUICK: Final = 50e-6
"""Seconds in which no process can have been started: nobody looks whether such an attempt has left something."""

_READ: Final = 64 * 1024
_SET_PIPE_SIZE: Final = 1031
_GET_PIPE_SIZE: Final = 1032
_WIDE: Final = 1024 * 1024
_USUAL: Final = 64 * 1024
"""Bytes that a pipe holds whose size can't be known."""
_LOOKS: Final = 0.1
"""Seconds between two looks whether a pipe is nearly full: who writes to a full one waits, and it may be the loop."""
_SOON: Final = 0.002
"""Seconds until the next one where it was."""
_PRIVATE: Final = 10
"""The real descriptors are kept from here on upwards."""
_LAST_WORDS: Final = 1.0
"""Seconds that are waited for somebody who doesn't read the runner's stderr."""
_ONE: Final = threading.Lock()
"""Held by the one run of this process that has the descriptors."""


class Strays:
    """Takes the descriptors, and passes on what comes: as output of the one attempt that runs, else to stderr.

    Which of several attempts wrote something can't be known. Lives on one asyncio loop; where another run of this
    process has the descriptors already, they stay with it.
    """

    last: ClassVar[Strays | None] = None
    """Those of this process's last run, which has ended, until another one takes them over, or the process ends."""

    def __init__(self, masker: Masker) -> None:
        self._masker = masker
        self.running: dict[Hashable, Emit] = {}
        """The attempts that run, each with what writes its events."""
        self._room: dict[Hashable, int] = {}
        self._pipes: dict[int, _Pipe] = {}
        self._poll = select.poll()
        self._waits = False
        """Something was read of which the end of the line has not come."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._words: SimpleQueue[bytes | None] | None = None
        self._speaker: threading.Thread | None = None
        self._over = threading.Event()
        self._relief: threading.Thread | None = None
        self._own = Own()
        self._spoken_to = False
        """A thread of an earlier run still writes to the real stderr."""

    def take(self) -> None:
        """Have the descriptors lead here; again does nothing. Raises NodeFault where the system has no room for it."""
        if self._pipes or sys.stdout is None or sys.stderr is None:
            return
        before, Strays.last = Strays.last, None
        if before is None and not _ONE.acquire(blocking=False):
            return
        from asyncio import get_running_loop

        self._loop = get_running_loop()
        taken: dict[int, _Pipe] = {}
        if before is not None:
            self._own, taken, self._spoken_to = before._own, before._pipes, before._speaks()
        self._own.take()
        try:
            for number, name in ((1, "stdout"), (2, "stderr")):
                pipe = self._pipes[number] = _Pipe(number, name, self._masker, taken.get(number))
                self._poll.register(pipe.fd, select.POLLIN)
                self._loop.add_reader(pipe.fd, self._readable, pipe)
        except OSError as error:
            for number, pipe in taken.items():
                if number not in self._pipes:
                    pipe.let_go(busy=False)
            self.close()
            raise NodeFault(ErrorKind.UNAVAILABLE, no_pipe(error.errno or 0, "what functions print")) from error
        relief = threading.Thread(target=self._relieve, daemon=True)
        with suppress(RuntimeError):  # the system has no thread for it
            relief.start()
            self._relief = relief

    def _relieve(self) -> None:
        """Keep room in the pipes, also while the loop is held by code that writes to them."""
        loop = self._loop
        assert loop is not None
        while not self._over.wait(_LOOKS):
            for pipe in self._pipes.values():
                while pipe.relieve() and not self._over.is_set():
                    with suppress(RuntimeError):  # the loop is closed
                        loop.call_soon_threadsafe(self._readable, pipe)
                    self._over.wait(_SOON)

    def leave(self, key: Hashable, seconds: float) -> None:
        """An attempt is over, after so many seconds: what it left in the pipes is passed on first."""
        if seconds > QUICK and (self._waits or self._poll.poll(0)):
            self._drain()
        del self.running[key]
        if self._room:
            self._room.pop(key, None)

    def close(self, *, busy: bool = False, last: bool = False) -> None:
        """Give the descriptors back; again does nothing. `busy`: user code still runs, so they lead nowhere instead;
        and so they do after the `last` run of the process, of whose code threads may be left, or what runs at exit."""
        if self._loop is None:
            return
        for pipe in self._pipes.values():
            pipe.let_go(busy=busy or last)
        self._over.set()
        if self._relief is not None:
            self._relief.join()
        self._drain()
        for pipe in self._pipes.values():
            self._loop.remove_reader(pipe.fd)
            os.close(pipe.fd)
        if self._words is not None:
            self._words.put(None)
            if self._speaker is None:
                self._speak(self._words, self._pipes[2].real)
            else:
                self._speaker.join(_LAST_WORDS)
        self._loop = None
        self._own.give_back_exit(busy=busy)
        if last and not busy:
            Strays.last = self
        elif not busy:
            self._give_back()

    def restore(self) -> None:
        """The process is somebody's who goes on with it: it has its streams and descriptors again."""
        Strays.last = None
        for pipe in self._pipes.values():
            pipe.let_go(busy=False)
        self._give_back()

    def hush(self) -> None:
        """All is said: what Python code prints at the process's end goes nowhere, as the descriptors do."""
        self._own.hush()

    def _give_back(self) -> None:
        for pipe in self._pipes.values():
            if not self._speaks():
                os.close(pipe.real)
        self._pipes = {}
        self._own.give_back()
        _ONE.release()

    def _speaks(self) -> bool:
        return self._spoken_to or (self._speaker is not None and self._speaker.is_alive())

    def _readable(self, pipe: _Pipe) -> None:
        self._waits = True
        text = pipe.read()
        if text:
            self._pass_on(pipe, text)
        if pipe.ahead and self._loop is not None:
            self._loop.call_soon(self._readable, pipe)

    def _drain(self) -> None:
        """Pass on all that is in the pipes now; what ends without a newline waits while another attempt may go on."""
        for pipe in self._pipes.values():
            for _ in range(2 * _WIDE // _READ):
                text = pipe.read()
                if text is None:
                    break
                self._pass_on(pipe, text)
            if pipe.waits and len(self.running) <= 1:
                self._pass_on(pipe, pipe.rest())
        self._waits = any(pipe.waits for pipe in self._pipes.values())

    def _pass_on(self, pipe: _Pipe, text: str) -> None:
        if not text:
            return
        if len(self.running) != 1:
            self._say(self._within(None, text))
            return
        ((key, emit),) = self.running.items()
        text = self._within(key, text)
        if text:
            with suppress(Exception):  # a log that can't be written stops the run by the next event of its own
                emit(EventKind.NODE_OUTPUT, {"stream": pipe.name, "text": text})

    def _within(self, key: Hashable, text: str) -> str:
        room = self._room.get(key, KEPT)
        self._room[key] = room - len(text)
        return text[: max(room, 0)]

    def _say(self, text: str) -> None:
        """A line for each on the real stderr, harmless for terminals and CIs; by a thread: nobody may be reading."""
        lines = [f"functions: {ci_safe(printable(line, tabs=True))}\n" for line in text.splitlines()]
        if not lines:
            return
        if self._words is None:
            from queue import SimpleQueue

            self._words = SimpleQueue()
            speaker = threading.Thread(target=self._speak, args=(self._words, self._pipes[2].real), daemon=True)
            with suppress(RuntimeError):  # the system has no thread for it: they wait for the end
                speaker.start()
                self._speaker = speaker
        self._words.put("".join(lines).encode("utf-8", "backslashreplace"))

    def _speak(self, words: SimpleQueue[bytes | None], fd: int) -> None:
        while (data := words.get()) is not None:
            with suppress(OSError):
                while data:
                    data = data[os.write(fd, data) :]


class _Pipe:
    """The pipe into which a descriptor leads. `real` is where it led before."""

    def __init__(self, number: int, name: str, masker: Masker, before: _Pipe | None = None) -> None:
        self.name = name
        self._number = number
        self._masker = masker
        self._stream = masker.stream()
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._line = ""
        self.waits = False
        """Something was read of which the end of the line has not come."""
        self._lock = threading.Lock()
        self.ahead = bytearray()
        """What was taken out of the pipe since it was nearly full."""
        self._gap = False
        """There was more of it than is kept: what came after it is dropped."""
        self.real: int
        self._own: list[io.FileIO]
        self.fd, write = os.pipe()
        try:
            os.set_blocking(self.fd, False)
            self._room = _USUAL
            with suppress(OSError):  # who has many pipes already gets them small
                self._room = fcntl.fcntl(write, _GET_PIPE_SIZE)
                self._room = fcntl.fcntl(write, _SET_PIPE_SIZE, _WIDE)
            if before is not None:
                self.real, self._own = before.real, before._own
            else:
                self.real = fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, _PRIVATE)
                self._own = _own_files(number)
                for file in self._own:
                    _lead(file, self.real)
            os.dup2(write, number)
        except OSError:
            os.close(self.fd)
            raise
        finally:
            os.close(write)

    def read(self) -> str | None:
        """Whole lines of what is there now, masked; None when there is nothing."""
        with self._lock:
            data = bytes(self.ahead[:_READ])
            del self.ahead[:_READ]
            if not data and self._gap:
                self._gap = False
                for _ in range(1 + self._room // _READ):
                    self._take()
            data = data or self._take()
        if not data:
            return None
        self.waits = True
        text = self._line + self._decoder.decode(self._stream.feed(data))
        whole, newline, self._line = text.rpartition("\n")
        if len(self._line) > _READ:
            whole, newline, self._line = text, "", ""
        return whole + newline

    def _take(self) -> bytes:
        try:
            return os.read(self.fd, _READ)
        except BlockingIOError:
            return b""

    def relieve(self) -> bool:
        """Make room where little is left, from another thread than the loop's; whether that was so."""
        waiting = array("i", [0])
        fcntl.ioctl(self.fd, FIONREAD, waiting)
        if waiting[0] < self._room // 2:
            return False
        with self._lock:
            for _ in range(1 + self._room // _READ):  # not until it is empty: who writes may be as quick
                data = self._take()
                self._gap = self._gap or len(self.ahead) >= _WIDE
                if not self._gap:
                    self.ahead += data
        return True

    def rest(self) -> str:
        text = self._line + self._decoder.decode(self._stream.flush(), final=True)
        self._stream = self._masker.stream()
        self._line, self.waits = "", False
        return text

    def let_go(self, *, busy: bool) -> None:
        """Let the descriptor lead to where it led before, or nowhere; what is in the pipe can still be read."""
        if busy:
            null = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
            os.dup2(null, self._number)
            os.close(null)
            return
        os.dup2(self.real, self._number)
        for file in self._own:
            _lead(file, self._number)


def _own_files(number: int) -> list[io.FileIO]:
    """The files at the bottom of Python's standard streams that write to this descriptor."""
    found: dict[int, io.FileIO] = {}
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        buffer: Any = getattr(stream, "buffer", None)
        raw = getattr(buffer, "raw", buffer)
        if isinstance(raw, io.FileIO) and not raw.closed and raw.fileno() == number:
            found[id(raw)] = raw
    return list(found.values())


def _lead(file: io.FileIO, fd: int) -> None:
    """Have an open file write to another descriptor: whoever holds the stream above it goes on with it."""
    name = file.name
    file.__init__(fd, "wb", closefd=False)  # type: ignore[misc]
    file.name = name
