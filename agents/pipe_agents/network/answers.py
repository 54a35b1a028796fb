"""An HTTP/1.1 answer, read piece by piece from a server that may send anything: lines and bytes are bounded."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from pipe_agents.network.texts import bounded

_MOST_HEAD: Final = 65536
_MOST_FIELDS: Final = 200
_MOST_INTERIM: Final = 8
_STATUS: Final = re.compile(rb"HTTP/1\.[01] ([1-5][0-9][0-9])(?: [^\r\n]*)?\Z")
_NAME: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
_CHUNK: Final = re.compile(rb"([0-9a-fA-F]{1,8})[ \t]*(?:;[^\r\n]*)?\Z")


class Wrong(Exception):
    """What came is no HTTP answer, or not all of one."""


@dataclass
class Answer:
    """The head of an answer, and how much body came."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    """The first of each name, in lower case."""
    repeated: set[str] = field(default_factory=set)
    """Names that came more than once, with different values."""
    bytes: int = 0
    cut: bool = False
    fault: str | None = None
    """Why the body is not whole."""


class Reader:
    """Reads one answer; `more` gives the next bytes, and nothing at the end."""

    def __init__(self, more: Callable[[], bytes], most: int) -> None:
        self._more = more
        self._most = most
        self._data = b""
        self.answer = Answer()

    def head(self) -> Answer:
        """The status and the fields; raises Wrong."""
        for _ in range(_MOST_INTERIM):
            self._status()
            self._fields()
            if self.answer.status >= 200 or self.answer.status == 101:
                return self.answer
            self.answer = Answer()
        raise Wrong("more than 8 interim answers (1xx) came before the answer itself")

    def _status(self) -> None:
        line = self._line("the status line")
        match = _STATUS.match(line)
        if match is None:
            kind = "a TLS record" if line[:1] == b"\x15" else repr(bounded(line[:80].decode("latin-1"), 80))
            raise Wrong(f"what came is no HTTP answer: it begins with {kind}")
        self.answer.status = int(match[1])

    def _fields(self) -> None:
        for _ in range(_MOST_FIELDS):
            line = self._line("a header field")
            if not line:
                return
            name, colon, value = line.partition(b":")
            if not colon or _NAME.match(name) is None:
                raise Wrong(f"a header field is none: {bounded(line[:80].decode('latin-1'), 80)!r}")
            key, text = name.decode("ascii").lower(), value.strip(b" \t").decode("latin-1")
            if self.answer.headers.setdefault(key, text) != text:
                self.answer.repeated.add(key)
        raise Wrong(f"the answer has more than {_MOST_FIELDS} header fields")

    def body(self) -> Answer:
        """Read and count the body; what is wrong with it becomes `fault`."""
        answer = self.answer
        try:
            if answer.status in (204, 304) or answer.status < 200:
                return answer
            coding = answer.headers.get("transfer-encoding", "").lower()
            length = answer.headers.get("content-length")
            if coding and length is not None:
                answer.fault = "it has both Content-Length and Transfer-Encoding, which servers read differently"
            if coding.rpartition(",")[2].strip() == "chunked":
                self._chunks()
            elif coding or length is None:
                self._rest()
            else:
                self._counted(length)
        except Wrong as error:
            answer.fault = str(error)
        return answer

    def _counted(self, text: str) -> None:
        if not (text.isascii() and text.isdecimal() and len(text) <= 18) or "content-length" in self.answer.repeated:
            raise Wrong(f"its Content-Length is no number, or several: {bounded(text, 60)!r}")
        length = int(text)
        self._take(length)
        if self.answer.bytes < length and not self.answer.cut:
            raise Wrong(f"Content-Length is {length}, and the connection ended after {self.answer.bytes} bytes")

    def _chunks(self) -> None:
        while True:
            line = self._line("the size of a chunk")
            match = _CHUNK.match(line)
            if match is None:
                raise Wrong(f"the size of a chunk is no number: {bounded(line[:40].decode('latin-1'), 40)!r}")
            size, before = int(match[1], 16), self.answer.bytes
            if size == 0:
                break
            self._take(size)
            if self.answer.cut:
                return
            if self.answer.bytes - before < size:
                raise Wrong(f"the connection ended within a chunk, after {self.answer.bytes} bytes of the body")
            if self._line("the end of a chunk"):
                raise Wrong("a chunk is longer than it says")
        for _ in range(_MOST_FIELDS):
            if not self._line("a field behind the body"):
                return
        raise Wrong("too many fields behind the body")

    def _rest(self) -> None:
        while not self.answer.cut and (self._data or self._fill()):
            self._count(len(self._data))

    def _take(self, size: int) -> None:
        left = size
        while left and not self.answer.cut and (self._data or self._fill()):
            taken = min(left, len(self._data))
            self._count(taken)
            left -= taken

    def _count(self, taken: int) -> None:
        room = self._most - self.answer.bytes
        if taken > room:
            self.answer.cut = True
            taken = room
        self.answer.bytes += taken
        self._data = self._data[taken:]

    def _line(self, what: str) -> bytes:
        while True:
            end = self._data.find(b"\n")
            if max(end, 0) > _MOST_HEAD or (end < 0 and len(self._data) > _MOST_HEAD):
                raise Wrong(f"{what} is longer than {_MOST_HEAD} bytes")
            if end >= 0:
                line, self._data = self._data[:end], self._data[end + 1 :]
                return line.removesuffix(b"\r")
            if not self._fill():
                if not self._data and what == "the status line":
                    raise Wrong("the connection was closed without an answer")
                raise Wrong(f"the connection was closed within {what}")

    def _fill(self) -> bool:
        data = self._more()
        self._data += data
        return bool(data)
