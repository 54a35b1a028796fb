"""A model service on loopback, in a process of its own: `python -m bench.answering DIALECT SECONDS`.

Every answer is sent so many seconds after its request has come, in the form of a stream where that is asked for, and at
once. What is measured is who asks, on the same two processors, so it does as little as it can for each. It takes spans
and metrics, too. Prints its address; ends with its stdin.
"""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "servers"))

from model_servers import DIALECTS, Asked, response

_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_STREAM: Final = re.compile(rb'"stream": ?(true|false)')
_TOLD: Final = ("/v1/traces", "/v1/metrics")


class Answers:
    """What a dialect answers, made once for each kind of request."""

    def __init__(self, name: str) -> None:
        dialect: Any = DIALECTS[name]
        self._dialect = dialect
        self._whole: bytes = dialect.answer()
        self._stream = b"".join(part for part in dialect.stream() if isinstance(part, bytes))
        self._known: dict[tuple[str, bytes], bytes] = {}

    def to(self, method: str, path: str, body: bytes) -> bytes:
        said = _STREAM.search(body)
        kind = (path, b"" if said is None else said[1])
        found = self._known.get(kind)
        if found is None:
            streams = self._dialect.is_stream(Asked(method, path, {}, body))
            found = self._known[kind] = self._stream if streams else self._whole
        return found


class Connection(asyncio.Protocol):
    """Requests that come one after the other over one connection."""

    def __init__(self, answers: Answers, seconds: float) -> None:
        self._answers, self._seconds = answers, seconds
        self._loop = asyncio.get_running_loop()
        self._data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        data = self._data + data
        end = data.find(b"\r\n\r\n") + 4
        length = _LENGTH.search(data, 0, end) if end > 3 else None
        if end < 4 or len(data) < end + (size := 0 if length is None else int(length[1])):
            self._data = data
            return
        self._data = data[end + size :]
        method, path, _ = data[: data.index(b"\r\n")].decode().split(" ", 2)
        if path in _TOLD:
            self._send(response())
        else:
            answer = self._answers.to(method, path, data[end : end + size])
            self._loop.call_later(self._seconds, self._send, answer)

    def _send(self, answer: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(answer)


async def serve(name: str, seconds: float) -> None:
    """Answer until stdin ends."""
    loop, answers = asyncio.get_running_loop(), Answers(name)
    server = await loop.create_server(lambda: Connection(answers, seconds), "127.0.0.1", 0, backlog=1024)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], float(sys.argv[2])))
