"""A connection that a server closes while it is used again fails no node, and makes no request that may not be repeated
arrive twice."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpcore2
import pytest

from pipe_agents.http import HttpAgent
from pipe_agents.http_client import MOST_AT_ONCE
from pipe_runner.errors import NodeFault
from pipe_runner.ports import Outcome
from pipe_runner.types import ErrorKind

Serving = Callable[..., "Closing"]


class Closing:
    """A server that answers the first request of each connection, and takes its leave when it reads another one."""

    def __init__(self, *, last_words: bytes = b"", answers: int = 1, hard: bool = False) -> None:
        self.seen: list[str] = []
        self.connections = 0
        self._last_words, self._answers, self._hard = last_words, answers, hard
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                self.connections += 1
                threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            for _ in range(self._answers):
                request = connection.recv(65536)
                if not request:
                    return
                self.seen.append(request.split(b" ")[0].decode())
                connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
            if self._hard:  # unread data makes the system send a reset
                threading.Event().wait(0.2)
            elif connection.recv(65536):
                connection.sendall(self._last_words)

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def closing() -> Iterator[Serving]:
    servers: list[Closing] = []

    def start(**how: Any) -> Closing:
        servers.append(Closing(**how))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def perform(bench: Any, *requests: dict[str, Any]) -> list[Outcome]:
    async def all_of_them() -> list[Outcome]:
        agent = HttpAgent()
        try:
            return [await bench.perform(agent, options) for options in requests]
        finally:
            await agent.close()

    return asyncio.run(all_of_them())


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("hard", [False, True])
def test_a_request_that_may_be_repeated_is_sent_again_over_a_new_connection(
    bench: Any, closing: Serving, method: str, hard: bool
) -> None:
    server = closing(hard=hard)
    outcomes = perform(bench, *[{"url": server.url, "method": method}] * 4)
    assert [outcome.output["body"] for outcome in outcomes if isinstance(outcome.output, dict)] == ["ok"] * 4
    assert server.seen == [method] * 4


@pytest.mark.parametrize("method", ["POST", "PATCH", "PURGE"])
def test_a_request_that_may_not_be_repeated_has_a_connection_of_its_own(
    bench: Any, closing: Serving, method: str
) -> None:
    server = closing()
    perform(bench, {"url": server.url}, *[{"url": server.url, "method": method, "json": {}}] * 3)
    assert server.seen == ["GET"] + [method] * 3
    assert server.connections == 4


def test_a_key_that_the_file_sets_lets_a_post_be_repeated(bench: Any, closing: Serving) -> None:
    server = closing()
    options = {"url": server.url, "method": "POST", "json": {}, "headers": {"idempotency-key": "order-7"}}
    assert len(perform(bench, options, options)) == 2


def test_a_new_connection_that_is_closed_is_a_fault(bench: Any, closing: Serving) -> None:
    server = closing(answers=0)
    with pytest.raises(NodeFault) as caught:
        perform(bench, {"url": server.url})
    assert caught.value.kind is ErrorKind.UNAVAILABLE
    assert server.connections == 1


def test_a_request_is_not_repeated_when_an_answer_had_begun(bench: Any, closing: Serving) -> None:
    server = closing(last_words=b"HTTP/1.1 2")
    with pytest.raises(NodeFault) as caught:
        perform(bench, {"url": server.url}, {"url": server.url})
    assert caught.value.kind is ErrorKind.UNAVAILABLE
    assert server.connections == 1


def test_many_requests_at_once_share_no_pool_that_looks_at_all_of_them(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pools: list[httpcore2.AsyncConnectionPool] = []
    made = httpcore2.AsyncConnectionPool.__init__

    def remembered(self: Any, *args: Any, **more: Any) -> None:
        pools.append(self)
        made(self, *args, **more)

    monkeypatch.setattr(httpcore2.AsyncConnectionPool, "__init__", remembered)
    many = 2 * MOST_AT_ONCE + 10
    seen: list[int] = []

    async def all_of_them() -> None:
        agent, all_there, arrived = HttpAgent(), asyncio.Event(), 0

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal arrived
            while await reader.readline() not in (b"\r\n", b""):
                pass
            arrived += 1
            if arrived == many:
                all_there.set()
            await all_there.wait()
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok")
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=many)
        options = {"url": f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"}
        calls = [asyncio.ensure_future(bench.perform(agent, options)) for _ in range(many)]
        await all_there.wait()
        seen.extend(len(pool.connections) for pool in pools)
        await asyncio.gather(*calls)
        await bench.perform(agent, options)
        await agent.close()
        server.close()

    asyncio.run(asyncio.wait_for(all_of_them(), 30))
    assert seen == [MOST_AT_ONCE, MOST_AT_ONCE, 10]
    assert len(pools) == 3, "when they have ended there is room again"
