"""For the contract of providers: one of each kind, opened onto a server that answers as a test wants."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest
from model_servers import Asked, Dialect, Service, response

from pipe_runner.models import Message, ModelFault, ModelRequest, ModelResponse, Provider, ProviderSettings
from pipe_runner.registry import ProviderTypes

KEY = "canary/+key=0123456789-abcdef"
REQUEST = ModelRequest(model="m", messages=(Message("system", "Be brief."), Message("user", "Say hello, ünï ☃.")))
T = TypeVar("T")


@dataclass
class ProviderBench:
    """One kind of provider over one server."""

    dialect: Dialect
    service: Service
    url: str = ""

    def settings(self, model: str = "", **options: Any) -> ProviderSettings:
        kind = ProviderTypes()[self.dialect.name]
        given = {**self.dialect.options(self.url or self.service.url), **options}
        kind.options_model().model_validate(given)
        settings = kind.settings("mine", given, model, self.dialect.environ(KEY))
        assert settings.missing is None
        return settings._replace(cost_of=lambda model, usage: (usage.input + usage.output) / 1000)

    def open(self, model: str = "", **options: Any) -> Provider:
        return ProviderTypes()[self.dialect.name].open(self.settings(model, **options))

    def use(self, what: Callable[[Provider], Awaitable[T]], model: str = "", **options: Any) -> T:
        async def used() -> T:
            provider = self.open(model, **options)
            try:
                return await what(provider)
            finally:
                await provider.close()

        return asyncio.run(used())

    def ask(self, request: ModelRequest = REQUEST, *, streamed: bool = False, **options: Any) -> ModelResponse:
        pieces = [].append if streamed else None
        return self.use(lambda provider: provider.generate_with_metadata(request, pieces), **options)

    def fault(self, request: ModelRequest = REQUEST, *, streamed: bool = False, **options: Any) -> ModelFault:
        """The fault that asking gives; no trace of the key is in it or behind it."""
        with pytest.raises(ModelFault) as raised:
            self.ask(request, streamed=streamed, **options)
        fault = raised.value
        assert fault.__cause__ is None
        assert fault.__context__ is None
        assert KEY not in f"{fault!r} {fault.message} {fault.request_id}"
        assert fault.message.startswith("provider mine (")
        return fault

    def lists(self, asked: Asked) -> list[bytes]:
        """A list of models, or an answer to one who would rather ask a model."""
        if "models" in asked.path:
            return [response({"data": [{"id": "m-1"}], "object": "list"})]
        if "tags" in asked.path:
            return [response({"models": [{"name": "m-1:latest"}]})]
        return [self.dialect.answer()]

    @property
    def heard(self) -> dict[str, Any]:
        return self.dialect.heard(self.service.asked[-1].data)


@pytest.fixture
def provider_bench() -> type[ProviderBench]:
    return ProviderBench
