"""`ollama`: models on one's own machines, by Ollama's native API."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from pipe_providers.given import Given

if TYPE_CHECKING:
    from pydantic import BaseModel

    from pipe_runner.models import Provider, ProviderSettings

ADDRESS: Final = "http://127.0.0.1:11434"
PORT: Final = 11434
DEFAULT_TIMEOUT: Final = "10m"
_INTERFACE: Final = re.compile(
    r"(?<=[^/])/(?:api/chat|v1(?:/chat/completions)?|(?:(?<=:11434/)|(?<=ollama\.com/))api)\Z"
)
"""What stands behind the address in those of interfaces: its own, and OpenAI's."""


class OllamaType:
    """Makes providers of this kind; nothing heavy is imported before one is opened."""

    summary = "Ollama, on this machine or another; needs no key."

    def options_model(self) -> type[BaseModel]:
        from pipe_schemas.providers import OllamaOptions

        return OllamaOptions

    def settings(
        self, name: str, options: Mapping[str, Any], model: str, environ: Mapping[str, str]
    ) -> ProviderSettings:
        given = Given(name, options, environ)
        given.take("base_url", "OLLAMA_HOST", default=ADDRESS)
        if given.sources["base_url"] == "OLLAMA_HOST":
            given.put("base_url", address(environ["OLLAMA_HOST"]), "OLLAMA_HOST")
        url = given.url()
        if url is not None and (found := _INTERFACE.search(url)):
            own = url[: found.start()]
            given.lacks(f"`base_url` ({given.sources['base_url']}) is Ollama's own address, without {found[0]}: {own}")
        given.headers()
        for option in ("timeout", "insecure", "keep_alive", "think", "options", "truncate"):
            given.take(option, default=DEFAULT_TIMEOUT if option == "timeout" else None)
        if url is not None:
            given.proxy(url)
            given.over_tls_only(url, given.sends_key)
        return given.done(model)

    def open(self, settings: ProviderSettings) -> Provider:
        from pipe_providers.ollama_chat import OllamaProvider

        return OllamaProvider(settings)


def address(host: str) -> str:
    """The address of OLLAMA_HOST, which may be `host`, `host:port`, `:port`, an IPv6 address, or a URL with a path.

    Without a port it is 11434, or that of https. A server that listens everywhere is asked on loopback.
    """
    host = host.strip().strip("\"'")
    scheme, found, rest = host.partition("://")
    if not found:
        scheme, rest = "http", host
    authority, slash, path = rest.partition("/")
    user, at, place = authority.rpartition("@")
    if place.count(":") > 1 and not place.startswith("["):
        name, port = f"[{place}]", ""
    else:
        name, colon, port = place.rpartition(":")
        if not colon or place.endswith("]"):
            name, port = place, ""
    if name in ("", "0.0.0.0", "[::]"):
        name = "[::1]" if name == "[::]" else "127.0.0.1"
    if not port:
        port = {"https": "443", "http": "80"}.get(scheme, str(PORT)) if found else str(PORT)
    return f"{scheme}://{user}{at}{name}:{port}{slash}{path}".rstrip("/")
