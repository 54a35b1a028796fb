"""Speaks with an MCP server over its stdin and stdout: a process under the run's warden, which ends with the run."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

from pipe_runner.ports import Attempt, Command, Emit, Masker, ProcessEnd
from pipe_runner.tools.answers import NO_MCP
from pipe_runner.tools.heard import refusal, unreadable
from pipe_runner.tools.settings import ServerSettings

Launch = Callable[[Command, Attempt, Emit, Masker, tuple[int, ...]], Coroutine[Any, Any, ProcessEnd]]
"""Runs a command, which gets these descriptors as stdout, stderr and stdin, and ends it when it is cancelled."""

LONGEST: Final = 16 * 2**20
"""Bytes of one message."""
TAIL: Final = 4096
"""Bytes that are kept of what it writes to stderr."""
LEAVES: Final = 1.0
"""Seconds that it gets to end by itself when its stdin is closed."""
SEEN: Final = 16 * 1024
SHOWN: Final = 200
"""Bytes that are looked at of what is no message, and characters that are shown of it."""
LAST_WORDS: Final = 0.2
"""Seconds that its end is waited for when it has closed its stdout, so that the reason can be told."""


class ServerProcess:
    """One server that was started. `gone` says how it ended, for people; None while it goes on."""

    def __init__(self, settings: ServerSettings, launch: Launch, attempt: Attempt, masker: Masker) -> None:
        self._settings, self._launch, self._attempt, self._masker = settings, launch, attempt, masker
        self.gone: str | None = None
        self.odd: str | None = None
        """What it wrote to stdout that is no message, its beginning."""
        self.leaves = LEAVES
        """Seconds that it gets to end by itself."""
        self._tail = b""

    @property
    def tail(self) -> str:
        """The end of what it wrote to stderr, masked."""
        text = self._tail.decode("utf-8", "replace").strip()
        return "".join(c if c.isprintable() or c in "\n\t" else "·" for c in text)

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Any]:
        """The streams of its messages, in and out, as the package `mcp` has them."""
        import anyio

        out, err, stdin, fds = _pipes()
        try:
            reader = await _reader(out, LONGEST)
            errors = await _reader(err, TAIL)
            writer = await _writer(stdin)
        except BaseException:
            for fd in fds:
                os.close(fd)
            raise
        env = dict(self._settings.env)
        command = Command(self._settings.command, env, self._settings.cwd)
        process = asyncio.create_task(self._launch(command, self._attempt, _no_events, self._masker, fds))
        process.add_done_callback(lambda done: self._not_started(done, reader[0]))
        told, heard = anyio.create_memory_object_stream[Any](0)
        said, to_say = anyio.create_memory_object_stream[Any](0)
        listening = asyncio.create_task(self._keep(errors[0]))
        reading = asyncio.create_task(self._read(reader[0], told, process))
        writing = asyncio.create_task(self._write(to_say, writer))
        try:
            yield heard, said
        finally:
            for stream in (heard, said, told, to_say):
                stream.close()
            writer.close()
            await _ended(process, self.leaves)
            for task in (reading, writing, listening):
                task.cancel()
            await asyncio.wait({reading, writing, listening})
            for transport in (reader[1], errors[1]):
                transport.close()

    async def _read(self, reader: asyncio.StreamReader, told: Any, process: asyncio.Task[ProcessEnd]) -> None:
        import anyio
        from mcp.shared.message import SessionMessage
        from mcp_types import jsonrpc_message_adapter

        try:
            while line := await reader.readline():
                if not line.strip():
                    continue
                try:
                    message = SessionMessage(jsonrpc_message_adapter.validate_json(line, by_name=False))
                except ValueError:
                    refused = refusal(line)
                    if refused is not None:
                        await told.send(SessionMessage(refused))
                        continue
                    if unreadable(line):
                        self.gone = f"it {NO_MCP}: a message that can't be read"
                        process.cancel()
                        break
                    self.odd = self._masker.mask_text(line[:SEEN].decode("utf-8", "replace").strip())[:SHOWN]
                    await asyncio.sleep(0)  # others have their turn, however much of it there is
                    continue
                await told.send(message)
            else:
                await asyncio.wait({process}, timeout=LAST_WORDS)
                self.gone = self._how(process)
        except ValueError:
            self.gone = f"it sent a message of more than {LONGEST // 2**20} MiB"
            process.cancel()
        except (anyio.ClosedResourceError, anyio.BrokenResourceError):
            return
        told.close()

    async def _write(self, to_say: Any, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):  # its end shows at its stdout
            async for message in to_say:
                text = message.message.model_dump_json(by_alias=True, exclude_unset=True)
                writer.write(text.encode("utf-8", "replace") + b"\n")
                await writer.drain()

    async def _keep(self, errors: asyncio.StreamReader) -> None:
        masked = self._masker.stream()  # before the beginning is cut off, which may cut a secret in two
        try:
            while data := await errors.read(TAIL):
                self._tail = (self._tail + masked.feed(data))[-TAIL:]
        finally:
            self._tail = (self._tail + masked.flush())[-TAIL:]

    def _not_started(self, process: asyncio.Task[ProcessEnd], reader: asyncio.StreamReader) -> None:
        """Nobody has our pipes: their end must be told."""
        if not process.cancelled() and process.exception() is not None:
            reader.feed_eof()

    def _how(self, process: asyncio.Task[ProcessEnd]) -> str:
        if not process.done() or process.cancelled():
            return "it closed its stdout"
        error = process.exception()
        if error is not None:
            return str(error)
        end = process.result()
        sentence = end.not_found or end.unavailable
        if sentence is not None:
            return sentence
        if end.signal is not None:
            return f"it was ended by signal {end.signal}"
        return "what watches over it died" if end.lost else f"it ended with exit code {end.exit_code}"


async def _ended(process: asyncio.Task[ProcessEnd], leaves: float) -> None:
    """Wait `leaves` seconds for its end, and end it; also where who waits is cancelled."""
    from anyio import CancelScope

    with CancelScope(shield=True):
        await asyncio.wait({process}, timeout=leaves)
        process.cancel()
        await asyncio.wait({process})
    if not process.cancelled():
        process.exception()


def _pipes() -> tuple[int, int, int, tuple[int, int, int]]:
    """Our ends of stdout, stderr and stdin, and those of the server."""
    made: list[int] = []
    try:
        for _ in range(3):
            made += os.pipe()
    except OSError:
        for fd in made:
            os.close(fd)
        raise
    out, its_out, err, its_err, its_in, stdin = made
    return out, err, stdin, (its_out, its_err, its_in)


async def _reader(fd: int, limit: int) -> tuple[asyncio.StreamReader, asyncio.ReadTransport]:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=limit, loop=loop)
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader, loop=loop), os.fdopen(fd, "rb", buffering=0)
    )
    return reader, transport


async def _writer(fd: int) -> asyncio.StreamWriter:
    loop = asyncio.get_running_loop()
    protocol = asyncio.streams.FlowControlMixin(loop=loop)
    transport, _ = await loop.connect_write_pipe(lambda: protocol, os.fdopen(fd, "wb", buffering=0))
    return asyncio.StreamWriter(transport, protocol, None, loop)


def _no_events(kind: Any, data: Any) -> None:
    """What it prints is no output of a node."""
