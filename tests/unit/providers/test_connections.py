"""One exchange over one connection: what goes out, and what becomes of the connection."""

from __future__ import annotations

import asyncio
import inspect
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path

import aiohttp.client_proto
import aiohttp.http_parser
import pytest
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ClientRequest
from aiohttp.connector import Connection
from aiohttp.http_parser import RawResponseMessage
from made_certificates import Authority
from model_servers import Service, chunked, response

from pipe_providers.wire import Wire
from pipe_runner.models import ModelFault


def ask(
    service: Service, *bodies: bytes, headers: Mapping[str, str] = {}, extra: Mapping[str, str] = {}
) -> list[bytes]:
    """What the service answers, one after the other."""

    async def main() -> list[bytes]:
        wire = Wire("the service", service.url, headers, {}, str)
        found = []
        try:
            for body in bodies:
                answer = await wire.send("/ask", body, asyncio.get_running_loop().time() + 10, extra=extra)
                try:
                    found.append(await answer.whole())
                finally:
                    answer.close()
        finally:
            await wire.close()
        return found

    return asyncio.run(main())


def test_the_client_library_has_the_parts_that_are_used_though_it_does_not_promise_them() -> None:
    """Where this fails, a version of aiohttp has changed one of them: `connections.py` has to go with it, or
    pyproject.toml to keep that version out."""
    loop = asyncio.new_event_loop()
    handler = ResponseHandler(loop)
    parts: dict[object, tuple[str, ...]] = {
        handler: ("_reading_paused", "transport", "is_connected", "read"),
        Connection: ("protocol", "transport", "release", "close"),
        aiohttp.StreamReader: ("read_nowait", "readany", "at_eof"),
        ClientRequest: ("is_ssl", "connection_key"),
        RawResponseMessage: ("code", "headers", "version"),
    }
    options: dict[Callable[..., object], tuple[str, ...]] = {
        ResponseHandler.resume_reading: ("resume_parser",),
        ResponseHandler.set_response_params: ("read_until_eof", "auto_decompress", "max_field_size"),
        ClientRequest.__init__: ("method", "url", "headers", "loop", "proxy"),
        aiohttp.TCPConnector.connect: ("req", "traces", "timeout"),
    }
    missing = [f"{whose!r}.{name}" for whose, names in parts.items() for name in names if not hasattr(whose, name)]
    missing += [
        f"{name} of {called.__qualname__}"
        for called, names in options.items()
        for name in names
        if name not in inspect.signature(called).parameters
    ]
    if "self._factory(" not in inspect.getsource(aiohttp.TCPConnector) + inspect.getsource(aiohttp.BaseConnector):
        missing.append("TCPConnector._factory, which makes what is behind a connection")
    loop.close()
    assert missing == [], f"aiohttp {aiohttp.__version__} lacks what connections.py uses: {', '.join(missing)}"


def test_a_connection_is_used_again_and_each_request_has_its_own_length_and_headers() -> None:
    service = Service()
    service.answers(response({"said": 1}), response({"said": 2}))
    headers = {"X-Own": "of all", "x-changed": "of all"}
    assert ask(service, b"{}", b'{"a": 1}', headers=headers, extra={"X-Changed": "of one"}) == [
        b'{"said": 1}',
        b'{"said": 2}',
    ]
    assert service.connections == 1
    assert [one.body for one in service.asked] == [b"{}", b'{"a": 1}']
    for one in service.asked:
        assert one.headers["x-own"] == "of all"
        assert one.headers["x-changed"] == "of one"
        assert one.headers["content-type"] == "application/json"
        assert one.headers["host"] == f"127.0.0.1:{service.port}"
    service.close()


def test_a_header_of_two_lines_is_not_sent() -> None:
    service = Service()
    for wrong in ("a\r\nX-Other: b", "a\nb", "a\rb", "a\0b"):
        for given in ({"headers": {"X-Own": wrong}}, {"extra": {"X-Own": wrong}}):
            with pytest.raises(ModelFault) as raised:
                ask(service, b"{}", **given)
            assert "a\n" not in raised.value.message
            assert not raised.value.sent
    assert service.asked == []
    service.close()


@pytest.mark.parametrize("over_tls", [False, True])
def test_what_is_declined_before_all_of_it_was_sent_is_told_by_its_status(over_tls: bool, tmp_path: Path) -> None:
    authority = Authority()
    theirs = authority.issue().server(tmp_path) if over_tls else None
    ours = ssl.create_default_context(cadata=authority.pem) if over_tls else None

    async def main() -> tuple[ModelFault, int]:
        connections, over = 0, asyncio.Event()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal connections
            connections += 1
            await reader.readuntil(b"\r\n\r\n")
            writer.write(response({"error": {"message": "that is too much"}}, 413))
            await writer.drain()
            await over.wait()
            writer.transport.abort()

        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=theirs)
        address = f"http{'s' if over_tls else ''}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        wire = Wire("the service", address, {}, {}, str, tls=ours)
        try:
            with pytest.raises(ModelFault) as raised:
                await wire.send("/ask", b" " * 30_000_000, asyncio.get_running_loop().time() + 10)
            with pytest.raises(ModelFault):
                await wire.send("/ask", b"{}", asyncio.get_running_loop().time() + 10)
        finally:
            await wire.close()
            over.set()
            await asyncio.sleep(0.05)
            server.close()
        return raised.value, connections

    fault, connections = asyncio.run(main())
    assert fault.status == 413
    assert "that is too much" in fault.message
    assert connections == 2


def test_an_answer_that_nobody_asked_for_is_given_to_nobody() -> None:
    async def main() -> list[bytes]:
        late = asyncio.Event()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"{}")
            writer.write(response("right"))
            await late.wait()
            writer.write(response("wrong"))
            await reader.read()
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        wire = Wire("the service", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", {}, {}, str)
        found = []
        for _ in range(2):
            answer = await wire.send("/ask", b"{}", asyncio.get_running_loop().time() + 10)
            found.append(await answer.whole())
            answer.close()
            late.set()
            await asyncio.sleep(0.1)  # the loop reads it
        await wire.close()
        server.close()
        return found

    assert asyncio.run(main()) == [b"right", b"right"]


@pytest.mark.parametrize("parser", ["HttpResponseParser", "HttpResponseParserPy"])
def test_a_chunk_that_is_none_is_a_fault_whichever_parser_the_library_has(
    parser: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aiohttp.client_proto, "HttpResponseParser", getattr(aiohttp.http_parser, parser))
    service = Service()
    service.answers([*chunked([b"begun"], "text/plain", end=False), 0.1, b"no size\r\n"])
    with pytest.raises(ModelFault, match="broke off after 5 bytes"):
        ask(service, b"{}")
    service.close()
