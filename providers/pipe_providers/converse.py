"""The client of Bedrock: botocore signs, our own wire sends; one client per run, one try per call."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pipe_providers.answers import Read
from pipe_providers.asking import Asked, HttpProvider, Reading
from pipe_providers.aws_helpers import Helpers
from pipe_providers.bounds import MOST
from pipe_providers.converse_words import Streamed, asked, whole
from pipe_providers.eventstream import Messages
from pipe_providers.faults import hiding
from pipe_providers.framing import loaded
from pipe_providers.given import host_of
from pipe_providers.signing import METHODS, Signed, Signer
from pipe_providers.threads import Threads
from pipe_providers.turns import Turns
from pipe_runner.models import ModelFault, ModelRequest, ProviderSettings, Reason, nothing_sent
from pipe_schemas.durations import parse_duration

if TYPE_CHECKING:
    from pipe_providers.wire import Answer

T = TypeVar("T")
_READY: Final = 60.0
"""Seconds in which a client may be made, with the keys that it needs."""
_PATIENCE: Final = 3.0
"""Seconds that new keys are waited for where the old ones are good for a while."""
_SIGNING: Final = 4
"""Threads in which botocore signs, which asks for keys now and then."""
_LARGE: Final = 256 * 1024
"""Characters of a request that are not packed and signed on the event loop."""


class BedrockProvider(HttpProvider):
    """Converse in one region."""

    streams = "eventstream"

    def __init__(self, settings: ProviderSettings) -> None:
        said = settings.options
        self._said = said
        url = said.get("endpoint_url")
        self.where = f"provider {settings.name} ({host_of(url) if url else 'bedrock in ' + said['region']})"
        self._threads = Threads(_SIGNING, f"pipe-{settings.name}")
        self._helpers, self._turns = Helpers(), Turns()
        self.headers: dict[bytes, Mapping[str, Any]] = {}
        """Of messages of streams, as they came."""
        self._lock = threading.Lock()
        self._signer: Signer | None = None
        self._ca_bundle = ""
        self._signing: dict[tuple[str, str], asyncio.Future[Signed | Exception]] = {}
        self._closed = False
        super().__init__(settings, None, parse_duration(said["timeout"]))

    def asked(self, request: ModelRequest, *, stream: bool) -> Asked:
        """The path is the operation's name: where it is, botocore says."""
        words = asked(request, self._said, stream=stream)
        if not words["messages"]:
            raise ModelFault(Reason.REFUSED, f"{self.where} can't be asked nothing: the prompt is empty", sent=False)
        return Asked("ConverseStream" if stream else "Converse", words)

    def whole(self, request: ModelRequest, data: Mapping[str, Any]) -> Read:
        return whole(self.where, request, self._said, data)

    def reading(self, request: ModelRequest) -> Reading:
        return _Reading(self, request)

    async def check(self) -> str:
        if not self._settings.model:
            message = f"{self.where} can be asked about a model only: set `model` of the provider in pipe.yml"
            raise ModelFault(Reason.NOT_FOUND, message, sent=False)
        return await self.check_a_word(self.where)

    def warm(self) -> None:
        """Have everything read and made that takes longer than many an answer. Asks nobody for credentials: without
        keys of its own the client that is made is thrown away."""
        import pipe_providers.aws_faults
        import pipe_providers.wire  # noqa: F401
        from pipe_providers.aws_client import for_botocore, read_models

        if not (self._said.get("access_key") and self._said.get("secret_key")):
            read_models(for_botocore(self._settings))
        elif model := self._settings.model:  # with an example of what will be asked, too
            words = {"modelId": model, "messages": [{"role": "user", "content": [{"text": "."}]}]}
            for operation in METHODS:
                self._sign(operation, words, large=False)
        else:
            self._made()

    async def close(self) -> None:
        self._closed = True
        self._threads.close()
        self._helpers.close()
        await super().close()

    async def _send(self, request: ModelRequest, *, stream: bool) -> Answer:
        now = asyncio.get_running_loop().time
        seconds = self._timeout if request.timeout is None else min(request.timeout, self._timeout)
        try:
            await self._turns.take()  # the first is on its way before all are signed
            operation, words = self.asked(request, stream=stream)
            ready = self._signer is not None
            deadline = now() + (seconds if ready else max(self._timeout, _READY))
            signed = await self._signed(operation, words, request, deadline)
        except asyncio.CancelledError as cancelled:
            from pipe_providers.aws_faults import no_keys

            nothing_sent(cancelled, no_keys(self.where))
            raise
        if not ready:  # the client was made before the call's time began
            deadline = now() + seconds
        if self._closed:
            raise self._ended()
        if request.traceparent:
            signed.headers["traceparent"] = request.traceparent  # not signed, as nothing that may change on its way is
        wire, body = self._wire, signed.body
        return await wire.send(signed.path, body, deadline, extra=signed.headers, model=request.model)

    async def _signed(self, operation: str, words: dict[str, Any], request: ModelRequest, until: float) -> Signed:
        """The request, signed: at once after botocore's example, else in a thread. Who needs the same example waits
        for it, and then for botocore where none can be followed."""
        key, large = (operation, request.model), _size(request) > _LARGE
        done = None if large else self._follow(operation, words)
        there = None if large else self._signing.get(key)
        if done is None and there is not None:
            done = self._follow_still(operation, words)
        if done is None and there is not None:
            found = await self._waited(there, until)
            if isinstance(found, Exception):
                fault = self._fault(found)
                if fault.reason is not Reason.REFUSED:  # which was about that request only
                    raise ModelFault(fault.reason, fault.message, sent=False)
            done = self._follow(operation, words)
        if done is None:
            work = self._threads.run(partial(self._sign, operation, words, large=large))
            if not large and key not in self._signing:
                self._signing[key] = work
                work.add_done_callback(lambda _: self._signing.pop(key, None))
            if not large and self._follow_still(operation, words) is not None:
                await asyncio.wait({work}, timeout=_PATIENCE)
                done = None if work.done() else self._follow_still(operation, words)
            if done is None:
                done = await self._waited(work, until)
        if isinstance(done, Exception):
            raise self._fault(done)
        return done

    async def _waited(self, work: asyncio.Future[T], until: float) -> T:
        """What a thread gives, in time; it goes on for others where nobody waits any more."""
        if self._closed:
            raise self._ended()
        await asyncio.wait({work}, timeout=max(until - asyncio.get_running_loop().time(), 0))
        if not work.done():
            from pipe_providers.aws_faults import late

            raise late(self.where)
        return work.result()

    def _follow(self, operation: str, words: dict[str, Any]) -> Signed | Exception | None:
        if self._signer is None or self._opened is None:
            return None
        try:
            return self._signer.follow(operation, words)
        except Exception as error:
            return error

    def _follow_still(self, operation: str, words: dict[str, Any]) -> Signed | Exception | None:
        """With keys that are good for a while, so that who gives others holds up nobody."""
        try:
            return None if self._signer is None else self._signer.follow_still(operation, words)
        except Exception as error:
            return error

    def _sign(self, operation: str, words: dict[str, Any], *, large: bool) -> Signed | Exception:
        """In a thread."""
        from pipe_providers.aws_client import wire_to

        try:
            signer = self._made()
            signed = (signer.follow(operation, words) if large else None) or signer.sign(operation, words)
            with self._lock:
                if self._opened is None:
                    most, insecure = self._said["threads"], self._said.get("insecure") is True
                    self._opened = wire_to(signed.address, self.where, signer.hide, self._ca_bundle, most, insecure)
                self._opened.hide = signer.hide
            return signed
        except Exception as error:
            return error

    def _made(self) -> Signer:
        """Who signs, with the client, which the first thread makes that needs it: reading its model takes a while."""
        from pipe_providers.aws_client import client_of, for_botocore

        with self._lock:
            if self._signer is None:
                client, credentials, self._ca_bundle = client_of(for_botocore(self._settings), self._helpers)
                self._signer = Signer(client, credentials, self._settings)
            return self._signer

    def _fault(self, error: Exception) -> ModelFault:
        from pipe_providers.aws_faults import of_signing

        hide = hiding(self._settings.secrets, self._settings.mask) if self._signer is None else self._signer.hide
        return of_signing(error, self.where, hide)

    def _ended(self) -> ModelFault:
        return ModelFault(Reason.UNAVAILABLE, f"{self.where} is closed: the run has ended", sent=False)


class _Reading:
    """Reads one streamed answer."""

    def __init__(self, provider: BedrockProvider, request: ModelRequest) -> None:
        self._provider = provider
        self._messages = Messages(provider.headers)
        self._streamed = Streamed(provider.where, request, provider._said, MOST)
        self._begun = False
        self.ended = False

    @property
    def held(self) -> int:
        return self._messages.held

    def feed(self, data: bytes) -> Iterator[str]:
        messages = self._messages.feed(data)
        wrong = False
        while not wrong:
            piece, message = "", None
            try:
                message = next(messages, None)
                if message is not None and message.headers.get(":message-type") == "event":
                    name = str(message.headers[":event-type"])
                    self._begun = True
                    piece = self._streamed.take({name: loaded(message.payload)})
                    self.ended = self._streamed.whole
            except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
                wrong = True
            if message is None and not wrong:
                return
            if message is not None and message.headers.get(":message-type") in ("exception", "error"):
                from pipe_providers.aws_faults import of_message

                provider = self._provider
                hide, begun = provider._wire.hide, self._begun
                raise of_message(provider.where, message.headers, message.payload, hide, begun=begun)
            if piece:
                yield piece
        where = self._provider.where
        raise ModelFault(Reason.INVALID_OUTPUT, f"{where} gave an answer that can't be used: it is none of Converse")

    def rest(self) -> Iterable[str]:
        self.ended = self._streamed.stopped
        return ()

    def read(self) -> Read:
        return self._streamed.read()


def _size(request: ModelRequest) -> int:
    """Characters of what is asked, about."""
    return sum(
        len(message.text) + sum(len(one.data) for one in message.media) + len(str(message.thought or ""))
        for message in request.messages
    )
