"""A provider type `fake` for tests, found by its entry point where this folder is on the path.

What a prompt says in words like `seconds=0.1 output=50 input=10 status=503 times=2 lost=1` decides how it is answered:
how long it takes, the tokens that it used, an error of that status (the first `times` times), or a connection that is
lost. Each call that arrives is written to the file that `FAKE_MODELS_BOOK` names, before anything else happens: what
the service has taken money for, whatever becomes of its client.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Mapping
from typing import Any

from pydantic import BaseModel

from pipe_runner.models import (
    Finish,
    ModelFault,
    ModelRequest,
    ModelResponse,
    Pieces,
    ProviderSettings,
    Reason,
    Usage,
)


class FakeOptions(BaseModel):
    """It has none."""


class FakeType:
    summary = "Answers by what the prompt says; for tests."

    def options_model(self) -> type[BaseModel]:
        return FakeOptions

    def settings(
        self, name: str, options: Mapping[str, Any], model: str, environ: Mapping[str, str]
    ) -> ProviderSettings:
        return ProviderSettings(name, options, model or "fake-1")

    def open(self, settings: ProviderSettings) -> FakeProvider:
        return FakeProvider()


class FakeProvider:
    def __init__(self) -> None:
        self._times: dict[str, int] = {}

    async def generate(self, request: ModelRequest) -> str:
        return (await self.generate_with_metadata(request)).text

    async def stream(self, request: ModelRequest) -> AsyncIterator[str]:
        yield await self.generate(request)

    async def generate_with_metadata(self, request: ModelRequest, on_piece: Pieces | None = None) -> ModelResponse:
        prompt = request.messages[-1].text
        said = dict(word.split("=", 1) for word in prompt.split() if "=" in word)
        usage = Usage(int(said.get("input", 3)), int(said.get("output", 4)))
        count = self._times[prompt] = self._times.get(prompt, 0) + 1
        fails = "status" in said and count <= int(said.get("times", 10**9))
        if not fails:
            _book({"input": usage.input, "output": usage.output, "prompt": prompt})
        await asyncio.sleep(float(said.get("seconds", 0)))
        if fails:
            raise ModelFault(Reason.UNAVAILABLE, f"the service says {said['status']}", status=int(said["status"]))
        if "lost" in said:
            raise ModelFault(Reason.TIMED_OUT, "the connection was lost")
        return ModelResponse(f"answer to {prompt}", Finish.STOP, usage=usage, model=request.model)

    async def check(self) -> str:
        return "it is there"

    async def close(self) -> None:
        pass


def _book(call: dict[str, Any]) -> None:
    book = os.environ.get("FAKE_MODELS_BOOK")
    if book:
        fd = os.open(book, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        try:
            os.write(fd, json.dumps(call).encode() + b"\n")
        finally:
            os.close(fd)
