"""What the providers that speak HTTP share: one question, an answer whole or in pieces, and what is known of it."""

from __future__ import annotations

import asyncio
import json
import re
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping
from contextlib import aclosing
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from pipe_providers.answers import Halves, Read, clean, declined
from pipe_providers.bounds import MOST, MOST_STREAMED
from pipe_providers.faults import excerpt
from pipe_providers.framing import loaded
from pipe_runner.models import (
    Message,
    ModelFault,
    ModelRequest,
    ModelResponse,
    Pieces,
    ProviderSettings,
    Reason,
    Thought,
)
from pipe_schemas.encoding import json_encoder

if TYPE_CHECKING:
    from pipe_providers.wire import Answer, Wire

_CHECK: Final = 30.0
_ROOM: Final = 1000
"""Tokens that a model may take to say a word: some think before, and fail where there is no room; others refuse less
than 16."""
_UNLISTED: Final = (Reason.NOT_FOUND, Reason.INVALID_OUTPUT, Reason.CREDENTIALS)
"""Why there may be no list where there is a model."""
_encode: Final = json_encoder(separators=(",", ":"), default=dict)


class Asked(NamedTuple):
    """A request in the words of one service."""

    path: str
    body: dict[str, Any]


class Reading(Protocol):
    """Reads one streamed answer."""

    ended: bool
    """Whether the service has said that this is all."""

    def feed(self, data: bytes) -> Iterable[str]:
        """The pieces of text in these bytes, up to where it raises ModelFault."""
        ...

    def rest(self) -> Iterable[str]:
        """The pieces that the end of the stream brings."""
        ...

    @property
    def held(self) -> int:
        """Bytes that wait for their end."""
        ...

    def read(self) -> Read:
        """All of the answer."""
        ...


class HttpProvider(ABC):
    """A provider over one `Wire`, which may be known before a call is sent only."""

    streams = "text/event-stream"
    """In the content type of an answer that is streamed."""
    begins = re.compile(rb"(?:\xef\xbb\xbf)?(?:data|event|id|retry|error)?:")
    """How a stream begins, whatever its server calls it."""

    def __init__(self, settings: ProviderSettings, wire: Wire | None, timeout: float) -> None:
        self._settings, self._opened, self._timeout = settings, wire, timeout

    @property
    def _wire(self) -> Wire:
        assert self._opened is not None
        return self._opened

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._settings.name!r})"

    @abstractmethod
    def asked(self, request: ModelRequest, *, stream: bool) -> Asked: ...

    @abstractmethod
    def whole(self, request: ModelRequest, data: Mapping[str, Any]) -> Read:
        """An answer that came at once. Raises ModelFault, KeyError, TypeError, ValueError."""
        ...

    @abstractmethod
    def reading(self, request: ModelRequest) -> Reading: ...

    @abstractmethod
    async def check(self) -> str: ...

    async def generate(self, request: ModelRequest) -> str:
        answer = await self.generate_with_metadata(request)
        return declined(self._wire.where, answer).text

    async def stream(self, request: ModelRequest) -> AsyncIterator[str]:
        found: list[ModelResponse] = []
        async with aclosing(self._pieces(request, found)) as pieces:
            async for piece in pieces:
                yield piece
        declined(self._wire.where, found[0])

    async def generate_with_metadata(self, request: ModelRequest, on_piece: Pieces | None = None) -> ModelResponse:
        if on_piece is not None:
            found: list[ModelResponse] = []
            async with aclosing(self._pieces(request, found)) as pieces:
                async for piece in pieces:
                    on_piece(piece)
            return found[0]
        began = monotonic()
        answer = await self._send(request, stream=False)
        return self._told(request, answer, await self._whole(request, answer), began)

    async def _whole(self, request: ModelRequest, answer: Answer) -> Read:
        """An answer that isn't streamed."""
        try:
            body = await answer.whole()
        finally:
            answer.close()
        read, fault = None, None
        try:
            data = loaded(body)
            if not isinstance(data, dict):
                raise TypeError
            read = self.whole(request, data)
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
            no_json = isinstance(error, json.JSONDecodeError | UnicodeDecodeError)
            fault = self._wire.broken(answer, "it is no JSON" if no_json else "its JSON has another shape")
        if read is None:
            assert fault is not None
            raise fault
        return read

    async def close(self) -> None:
        if self._opened is not None:
            await self._opened.close()

    async def check_models(self, path: str, many: str, name: str) -> str:
        """Ask for the list of models, which costs nothing, and say whether the provider's own is in it."""
        where, wanted = self._wire.where, self._settings.model
        answer = await self._wire.send(path, None, asyncio.get_running_loop().time() + min(self._timeout, _CHECK))
        body = await answer.whole()
        answer.close()
        names: list[str] | None = None
        try:
            names = [str(one[name]) for one in json.loads(body)[many] or ()]
        except (ValueError, TypeError, LookupError, RecursionError):
            pass
        if names is None:
            raise self._wire.broken(answer, "it is no list of models")
        told = f"{where} answers, with {len(names)} model{'' if len(names) == 1 else 's'}"
        if wanted and not {wanted, f"{wanted}:latest"}.intersection(names):
            there = excerpt(", ".join(names[:5]), self._wire.hide) or "none"
            raise ModelFault(Reason.NOT_FOUND, f"{told}, but none is called {wanted!r}; there is {there}")
        return f"{told}; {wanted} is among them" if wanted else told

    async def check_key(self, path: str) -> None:
        """Ask what the service knows of the key; raises ModelFault where it is wrong."""
        answer = await self._wire.send(path, None, asyncio.get_running_loop().time() + min(self._timeout, _CHECK))
        await answer.whole()
        answer.close()

    async def check_listed_or_asked(self, path: str, many: str, name: str) -> str:
        """The same, and a model that isn't in the list is asked a word: some servers have no list, what Azure and
        gateways call their deployments and routes is in none, and some keys may ask models and not list them."""
        try:
            return await self.check_models(path, many, name)
        except ModelFault as fault:
            if not self._settings.model or fault.reason not in _UNLISTED:
                raise
            listed = fault
        try:
            return await self.check_a_word(self._wire.where)
        except ModelFault as fault:
            told = fault.reason is not Reason.NOT_FOUND or listed.reason is Reason.CREDENTIALS
            raise (fault if told else listed) from None

    async def check_a_word(self, where: str) -> str:
        """Ask the provider's own model one word, as nodes do, and say how many tokens that took."""
        model = self._settings.model
        request = ModelRequest(model, (Message("user", "Say yes."),), max_tokens=_ROOM, timeout=_CHECK)
        answer = await self.generate_with_metadata(request, lambda _: None)
        tokens = answer.usage.input + answer.usage.output if answer.usage else "no"
        return f"{where} answers: {model} was asked a word, for {tokens} tokens"

    async def _send(self, request: ModelRequest, *, stream: bool) -> Answer:
        asked = self.asked(request, stream=stream)
        seconds = self._timeout if request.timeout is None else min(request.timeout, self._timeout)
        deadline = asyncio.get_running_loop().time() + seconds
        extra = {"traceparent": request.traceparent} if request.traceparent else {}
        body = _encode(asked.body).encode()
        return await self._wire.send(asked.path, body, deadline, extra=extra, model=request.model)

    async def _pieces(self, request: ModelRequest, found: list[ModelResponse]) -> AsyncGenerator[str, None]:
        """The pieces as they arrive; the whole answer is put into `found` at the end."""
        began, first, size = monotonic(), None, 0
        answer = await self._send(request, stream=True)
        reading, halves = self.reading(request), Halves()
        try:
            if not await self._is_stream(answer):
                whole = await self._whole(request, answer)
                if whole.text:
                    yield clean(whole.text)
                found.append(self._told(request, answer, whole, began))
                return
            ended = False
            while not ended:
                data = await answer.read()
                for piece in reading.feed(data) if data else reading.rest():
                    first = monotonic() - began if first is None else first
                    size += len(piece)
                    if shown := halves.piece(piece):
                        yield shown
                ended = reading.ended or not data
                if max(reading.held, size) > MOST:
                    raise self._wire.too_large(MOST)
                if answer.bytes > MOST_STREAMED:
                    raise self._wire.too_large(MOST_STREAMED)
            if not reading.ended and answer.bytes == 0 and answer.framed:
                raise self._wire.broken(answer, "it is empty")
            if not reading.ended:
                raise ModelFault(
                    Reason.UNAVAILABLE,
                    f"{self._wire.where} broke off after {answer.bytes} bytes of its answer, before its end",
                    request_id=_request_id(answer),
                )
            await answer.drain()
        finally:
            answer.close()
        read: Read | None = None
        try:
            read = reading.read()
        except (ValueError, TypeError, LookupError, AttributeError):
            pass
        if read is None:
            message = f"{self._wire.where} gave an answer that can't be used: its JSON has another shape"
            raise ModelFault(Reason.INVALID_OUTPUT, message, request_id=_request_id(answer))
        found.append(self._told(request, answer, read, began, first))

    async def _is_stream(self, answer: Answer) -> bool:
        """Whether an answer comes in pieces, or whole of a server that knows no streams. Raises ModelFault for one of
        neither kind: a page that some gateway shows, for one."""
        kind, start = answer.headers.get("content-type", ""), await answer.start()
        if self.begins.match(start):
            return True
        if start.startswith(b"{"):
            return False
        if not kind or self.streams in kind.lower():
            return True
        if "json" in kind.lower():
            return False
        raise self._wire.broken(answer, f"it is of type {excerpt(kind, self._wire.hide).partition(';')[0][:60]!r}")

    def _told(
        self, request: ModelRequest, answer: Answer, read: Read, began: float, first: float | None = None
    ) -> ModelResponse:
        usage, settings = read.usage, self._settings
        cost = read.cost
        if cost is None and usage is not None:
            cost = settings.cost_of(request.model, usage)
        said = _request_id(answer) or read.request_id
        thought = Thought(settings.name, request.model, read.thought) if read.thought and read.tool_calls else None
        return ModelResponse(
            clean(read.text),
            read.finish,
            read.tool_calls,
            usage,
            cost,
            settings.name,
            read.model or request.model,
            excerpt(said, self._wire.hide)[:100] if said else None,
            monotonic() - began,
            first,
            thought,
        )


def _request_id(answer: Answer) -> str | None:
    return answer.headers.get("x-request-id") or answer.headers.get("x-amzn-requestid")
