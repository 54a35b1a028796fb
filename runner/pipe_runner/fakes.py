"""A model service for tests, which says what a script says; `pipe_runner.testing` has it for others."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from pipe_runner.models import Finish, ModelRequest, ModelResponse, Pieces, ProviderSettings, ToolCall, Usage
from pipe_runner.types import Json

if TYPE_CHECKING:
    from pydantic import BaseModel

SOME_USAGE: Final = Usage(10, 5)


@dataclass(frozen=True)
class Answer:
    """What a fake model says once: text (or a value, as JSON), tools to call as (name, arguments), how, and how long it
    takes."""

    text: Json = ""
    tools: Sequence[tuple[str, Mapping[str, Json]]] = ()
    pieces: Sequence[str] = ()
    """The text as it is streamed; all at once by default."""
    delay: float = 0.0
    """Seconds before the answer, and before each of its pieces."""
    finish: Finish | None = None
    usage: Usage | None = SOME_USAGE
    cost: float | None = 0.001


Said: TypeAlias = "Answer | Json | BaseException"
"""An answer, a text, a value that is answered as JSON, or what is raised."""


class FakeProvider:
    """A model service that says what a script says, turn by turn, the last turn again and again; or what a function
    says to a request; `done` without any. `requests` are all that it was asked. It is a provider type and its client
    in one."""

    summary = "Says what a test wants."

    def __init__(
        self,
        *script: Said | Callable[[ModelRequest], Said],
        model: str = "fake-1",
        secrets: Sequence[str] = (),
        price: float | None = 0.001,
    ) -> None:
        """`price`: US dollars of a call whose answer doesn't say what it cost; None: nobody knows."""
        self.requests: list[ModelRequest] = []
        self.running = 0
        self.most = 0
        """The largest number of requests that were in flight at once."""
        self.cancelled = 0
        self.closed = False
        self._script = script or ("done",)
        self._model, self._secrets, self._price = model, tuple(secrets), price

    def options_model(self) -> type[BaseModel]:
        from pydantic import BaseModel, ConfigDict

        class Options(BaseModel):
            model_config = ConfigDict(extra="allow")

        return Options

    def settings(
        self, name: str, options: Mapping[str, Any], model: str, environ: Mapping[str, str]
    ) -> ProviderSettings:
        return ProviderSettings(name, options, model or self._model, self._secrets, cost_of=lambda m, u: self._price)

    def open(self, settings: ProviderSettings) -> FakeProvider:
        return self

    async def generate(self, request: ModelRequest) -> str:
        return (await self.generate_with_metadata(request)).text

    async def stream(self, request: ModelRequest) -> AsyncIterator[str]:
        pieces: list[str] = []
        await self.generate_with_metadata(request, pieces.append)
        for piece in pieces:
            yield piece

    async def generate_with_metadata(self, request: ModelRequest, on_piece: Pieces | None = None) -> ModelResponse:
        import anyio

        self.requests.append(request)
        number = len(self.requests)
        said = self._script[min(number, len(self._script)) - 1]
        said = said(request) if callable(said) else said
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            answer = said if isinstance(said, Answer) else Answer("" if isinstance(said, BaseException) else said)
            await anyio.sleep(answer.delay)
            if isinstance(said, BaseException):
                raise said
            text = "".join(answer.pieces) or _as_text(answer.text)
            for piece in answer.pieces or [text]:
                if answer.pieces:
                    await anyio.sleep(answer.delay)
                if on_piece is not None and piece:
                    on_piece(piece)
        except anyio.get_cancelled_exc_class():
            self.cancelled += 1
            raise
        finally:
            self.running -= 1
        calls = tuple(ToolCall(f"call-{number}-{n}", name, args) for n, (name, args) in enumerate(answer.tools, 1))
        finish = answer.finish or (Finish.TOOL_CALLS if calls else Finish.STOP)
        return ModelResponse(
            text, finish, calls, answer.usage, answer.cost, "fake", request.model, f"request-{number}", answer.delay
        )

    async def check(self) -> str:
        return "a fake is always there"

    async def close(self) -> None:
        self.closed = True


def _as_text(value: Json) -> str:
    import json

    return value if isinstance(value, str) else json.dumps(value)
