"""The run log's own lines on stdout, as they are written."""

from __future__ import annotations

import os
import threading
from errno import EAGAIN
from typing import Final, TextIO
from zlib import crc32

from pipe_runner.ports import Event
from pipe_runner.runlog.lines import CRC_LENGTH, decode_line, encode_line
from pipe_runner.runlog.rundir import RunDir

_PAUSE: Final = 0.02
"""Seconds between two looks at the log, so that many lines share one."""
_PIECE: Final = 1 << 18


class JsonlConsole:
    """A sink that passes the log's lines on: none is left out, and a reader that is slow holds nothing up.

    An event only says that there is more; a thread of its own takes the lines from the log, where they wait for as long
    as the reader does. `state_dir` is where the run's directory lies. `error` is why the stream took nothing more; a
    reader who has gone away is none.
    """

    def __init__(self, stream: TextIO, state_dir: str, *, commands_matter: bool) -> None:
        self._stream = stream
        self._state_dir = state_dir
        self._harmless = commands_matter
        self._more = threading.Event()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self.error: OSError | None = None

    def accept(self, event: Event) -> None:
        if self._thread is None and self.error is None:
            path = RunDir.open(self._state_dir, event.run).log_path
            # The log ends with this event's line, since a sink is told what is written already.
            start = os.stat(path).st_size - len(encode_line(event))
            thread = threading.Thread(target=self._work, args=(path, start), name="jsonl", daemon=True)
            try:
                thread.start()
            except RuntimeError as error:
                self.error = OSError(EAGAIN, str(error))
                return
            self._thread = thread
        if not self._more.is_set():
            self._more.set()

    def close(self) -> None:
        """Wait until the reader has taken every line."""
        self._closing.set()
        self._more.set()
        if self._thread is not None:
            self._thread.join()

    def _work(self, path: str, offset: int) -> None:
        try:
            with open(path, "rb") as log:
                while True:
                    self._more.wait()
                    self._more.clear()
                    last = self._closing.is_set()
                    offset = self._pass_on(log.fileno(), offset)
                    if last:
                        return
                    self._closing.wait(_PAUSE)
        except BrokenPipeError:
            return  # the reader has seen enough
        except OSError as error:
            self.error = error
        except ValueError:
            return  # the stream is closed

    def _pass_on(self, log: int, offset: int) -> int:
        """Print all whole lines from `offset` on; gives the offset behind them."""
        size = _PIECE
        while piece := os.pread(log, size, offset):
            whole = piece.rfind(b"\n") + 1
            if not whole and len(piece) < size:
                break
            size = _PIECE if whole else size * 2
            text = piece[:whole].decode("ascii")
            self._stream.write(_harmless(text) if self._harmless and "##" in text else text)
            offset += whole
        self._stream.flush()
        return offset


def shown_line(line: bytes, *, harmless: bool) -> str:
    """A whole line of a log, which is given without its newline; with a crc of its own where it is written otherwise,
    since a terminal would act on it, or, with `harmless`, a CI that finds `##[` in it."""
    text = line.decode("ascii")
    if not text.isprintable():  # a tab between two tokens, say, or DEL
        text = encode_line(decode_line(line))[:-1].decode("ascii")
    return _harmless(f"{text}\n") if harmless else f"{text}\n"


def _harmless(lines: str) -> str:
    """The same JSON, line by line, without a `##` that a CI might take for the beginning of a command."""
    return "".join(_without_marks(line) if "##" in line else line for line in lines.splitlines(keepends=True))


def _without_marks(line: str) -> str:
    text = line[: -CRC_LENGTH - 1].replace("##", "#\\u0023")
    return f'{text},"crc":"{crc32(text.encode()):08x}"}}\n'
