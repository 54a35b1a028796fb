"""The client of Bedrock: boto3 in threads of our own, one client per run, one try per call."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from functools import cache
from time import monotonic
from typing import Any, Final, TypeVar

from pipe_providers import cutting
from pipe_providers.answers import Halves, Read, clean, declined
from pipe_providers.aws_faults import fault_of, gave_up
from pipe_providers.bounds import MOST, MOST_STREAMED
from pipe_providers.converse_words import Streamed, asked, events, whole
from pipe_providers.cutting import Call, Sender
from pipe_providers.faults import excerpt, hiding
from pipe_providers.given import host_of
from pipe_providers.threads import Handed, Threads
from pipe_runner.models import (
    Message,
    ModelFault,
    ModelRequest,
    ModelResponse,
    Pieces,
    ProviderSettings,
    Reason,
)
from pipe_schemas.durations import parse_duration

T = TypeVar("T")
_END: Final = object()
_READY: Final = 60.0


@cache
def _loader(path: str) -> Any:
    """Keeps the models of AWS's services, which take a while to read and never change, for all clients."""
    from botocore.loaders import create_loader

    return create_loader(path or None)


class BedrockProvider:
    """Converse in one region."""

    def __init__(self, settings: ProviderSettings) -> None:
        said = settings.options
        self._settings, self._said = settings, said
        self._timeout = parse_duration(said["timeout"])
        self._threads = Threads(said["threads"], f"pipe-{settings.name}")
        self._sender: Sender | None = None
        self._client: Any = None
        self._lock = threading.Lock()
        self._calls: set[Call] = set()
        self._closed = False
        url = said.get("endpoint_url")
        self.where = f"provider {settings.name} ({host_of(url) if url else 'bedrock in ' + said['region']})"
        self.hide = hiding(settings.secrets)

    def __repr__(self) -> str:
        return f"BedrockProvider({self._settings.name!r})"

    async def generate(self, request: ModelRequest) -> str:
        return declined(self.where, await self.generate_with_metadata(request)).text

    async def stream(self, request: ModelRequest) -> AsyncIterator[str]:
        found: list[ModelResponse] = []
        async with aclosing(self._pieces(request, found)) as pieces:
            async for piece in pieces:
                yield piece
        declined(self.where, found[0])

    async def generate_with_metadata(self, request: ModelRequest, on_piece: Pieces | None = None) -> ModelResponse:
        if on_piece is not None:
            found: list[ModelResponse] = []
            async with aclosing(self._pieces(request, found)) as pieces:
                async for piece in pieces:
                    on_piece(piece)
            return found[0]
        words = asked(request, self._said, stream=False)
        await self._ready(request)
        began = monotonic()
        call = Call(MOST, self._seconds(request), request.traceparent)

        def perform() -> Read:
            return whole(self.where, request, self._said, self._made().converse(**words))

        read = await self._through(call, perform, request)
        return self._told(request, read, began)

    async def check(self) -> str:
        model = self._settings.model
        if not model:
            message = f"{self.where} can be asked about a model only: set `model` of the provider in pipe.yml"
            raise ModelFault(Reason.NOT_FOUND, message, sent=False)
        request = ModelRequest(model, (Message("user", "Say yes."),), max_tokens=8, timeout=30)
        answer = await self.generate_with_metadata(request)
        tokens = answer.usage.input + answer.usage.output if answer.usage else "no"
        return f"{self.where} answers: {model} was asked a word, for {tokens} tokens"

    def warm(self) -> None:
        """Import boto3 and read AWS's models, for a client that is thrown away: it takes longer than many an answer. Asks
        nobody for credentials."""
        core = self._session()
        keys = {"aws_access_key_id": "none", "aws_secret_access_key": "none"}
        endpoint = self._said.get("endpoint_url")
        core.create_client("bedrock-runtime", region_name=self._said["region"], endpoint_url=endpoint, **keys)
        import boto3  # noqa: F401

    async def close(self) -> None:
        self._closed = True
        for call in list(self._calls):
            call.give_up()
        self._threads.close()
        if self._sender is not None:
            self._sender.close()

    def _seconds(self, request: ModelRequest) -> float:
        return self._timeout if request.timeout is None else min(request.timeout, self._timeout)

    async def _ready(self, request: ModelRequest) -> None:
        """Make the client before a call's time begins."""
        if self._client is None:
            await self._through(Call(MOST, max(self._timeout, _READY)), self._made, request)

    async def _through(self, call: Call, perform: Callable[[], T], request: ModelRequest) -> T:
        """What a thread gives, in time; it is let go of at once where nobody waits for it any more."""
        if self._closed:
            raise ModelFault(Reason.UNAVAILABLE, f"{self.where} is closed: the run has ended", sent=False)

        def performed() -> T | ModelFault:
            fault: ModelFault
            cutting.begin(call)
            try:
                return perform()
            except Exception as error:
                fault = fault_of(error, call, self.where, self.hide, request.model)
            finally:
                cutting.begin(None)
            return fault

        self._calls.add(call)
        future = self._threads.run(performed)
        late = False
        found: T | ModelFault | None = None
        try:
            async with asyncio.timeout(max(call.ends - monotonic(), 0)):
                found = await future
        except TimeoutError:
            late = True
        finally:
            self._calls.discard(call)
            if not future.done() or future.cancelled():
                call.give_up()
        if late:
            raise gave_up(self.where, call)
        if isinstance(found, ModelFault):
            raise found
        return found  # type: ignore[return-value]

    async def _pieces(self, request: ModelRequest, found: list[ModelResponse]) -> AsyncGenerator[str, None]:
        words = asked(request, self._said, stream=True)
        await self._ready(request)
        began, first = monotonic(), None
        call = Call(MOST_STREAMED, self._seconds(request), request.traceparent)
        queue, halves = asyncio.Queue[Any](), Halves()
        given = Handed(asyncio.get_running_loop(), queue.put_nowait)

        def perform() -> Read:
            answer = self._made().converse_stream(**words)
            reading = Streamed(self.where, request, self._said, MOST)
            reading.request_id = answer["ResponseMetadata"].get("RequestId")
            try:
                for event in events(answer["stream"]):
                    if piece := reading.take(event):
                        given.give(piece)
            finally:
                answer["stream"].close()
            return reading.read(call.read)

        async def whole_of_it() -> Read:
            try:
                return await self._through(call, perform, request)
            finally:
                queue.put_nowait(_END)

        performing = asyncio.ensure_future(whole_of_it())
        try:
            while (piece := await queue.get()) is not _END:
                first = monotonic() - began if first is None else first
                if shown := halves.piece(piece):
                    yield shown
            read = await performing
        finally:
            if not performing.done():
                performing.cancel()
        found.append(self._told(request, read, began, first))

    def _told(self, request: ModelRequest, read: Read, began: float, first: float | None = None) -> ModelResponse:
        usage = read.usage
        return ModelResponse(
            clean(read.text),
            read.finish,
            read.tool_calls,
            usage,
            None if usage is None else self._settings.cost_of(request.model, usage),
            self._settings.name,
            read.model or request.model,
            excerpt(read.request_id, self.hide)[:100] if read.request_id else None,
            monotonic() - began,
            first,
        )

    def _made(self) -> Any:
        """The client, made by the first thread that needs it: reading its model takes a while, and may find that
        there are no keys."""
        with self._lock:
            if self._client is None:
                self._sender, self._client = self._make()
            return self._client

    def _session(self) -> Any:
        from botocore.session import Session

        said, core = self._said, Session()
        core.register_component("data_loader", _loader(core.get_config_variable("data_path") or ""))
        for name, variable in (("config_file", "AWS_CONFIG_FILE"), ("credentials_file", "AWS_SHARED_CREDENTIALS_FILE")):
            if said.get(name) and os.environ.get(variable) != said[name]:
                core.set_config_variable(name, said[name])
        return core

    def _make(self) -> tuple[Sender, Any]:
        import boto3
        from botocore.config import Config

        said, core = self._said, self._session()
        keys: dict[str, Any] = {}
        if said.get("access_key") and os.environ.get("AWS_ACCESS_KEY_ID") != said["access_key"]:
            keys = {"aws_access_key_id": said["access_key"], "aws_secret_access_key": str(said.get("secret_key") or "")}
            keys["aws_session_token"] = said.get("session_token")
        elif not said.get("access_key") and said.get("profile"):
            core.set_config_variable("profile", said["profile"])
        maker = boto3.Session(botocore_session=core, region_name=said["region"], **keys)
        known = maker.get_credentials()
        if known is not None:
            frozen = known.get_frozen_credentials()
            secrets = [frozen.secret_key, frozen.token]
            self.hide = hiding([*self._settings.secrets, *(one for one in secrets if one)])
        config = Config(retries={"total_max_attempts": 1, "mode": "standard"}, max_pool_connections=said["threads"])
        client = maker.client("bedrock-runtime", endpoint_url=said.get("endpoint_url"), config=config)
        sender = Sender(said["threads"], core.get_config_variable("ca_bundle") or True)
        client.meta.events.register("before-send.bedrock-runtime", sender)
        return sender, client
