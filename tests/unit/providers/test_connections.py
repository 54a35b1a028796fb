"""One exchange over one connection: what goes out, and what becomes of the connection."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest
from model_servers import Service, response

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
                found.append(await answer.whole())
                answer.close()
        finally:
            await wire.close()
        return found

    return asyncio.run(main())


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


def test_what_is_declined_before_all_of_it_was_sent_is_told_by_its_status() -> None:
    async def main() -> tuple[ModelFault, int]:
        connections, over = 0, asyncio.Event()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal connections
            connections += 1
            await reader.readuntil(b"\r\n\r\n")
            writer.write(response({"error": {"message": "that is too much"}}, 413))
            await writer.drain()
            await over.wait()
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        wire = Wire("the service", f"http://127.0.0.1:{port}", {}, {}, str)
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
