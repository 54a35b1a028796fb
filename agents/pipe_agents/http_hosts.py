"""Hides a secret that stands in a URL's host: hosts are written in lower case, and in ASCII, which is no form of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from pipe_runner.errors import NodeFault
from pipe_runner.ports import Context, Masker, StreamMasker
from pipe_runner.types import Json

_SHORTEST: Final = 6
"""Characters below which no secret is masked."""


def guarded(options: Mapping[str, Any], context: Context) -> Context:
    """The context, with a masker that hides the secrets of this URL in any case where one isn't all in lower case."""
    url = options.get("url")
    if not isinstance(url, str):
        return context
    found = [s for s in context.secrets.values() if len(s) >= _SHORTEST and s in url and s != s.lower()]
    found += _in_ascii(url, context.secrets.values())
    return context._replace(masker=_HostMasker(context.masker, found)) if found else context


def _in_ascii(url: str, secrets: Iterable[str]) -> list[str]:
    """The host as it is looked up, where its text has letters beyond ASCII and holds a secret."""
    if not any(not s.isascii() and len(s) >= _SHORTEST and s in url for s in secrets):
        return []
    from pipe_agents.http_request import parse_url

    try:
        host = parse_url(url).raw_host.decode("ascii")
    except NodeFault:
        return []
    return [host] if host.startswith("xn--") or ".xn--" in host else []


class _HostMasker:
    """Hides these texts in any case, beside what another masker hides."""

    def __init__(self, inner: Masker, hidden: Iterable[str]) -> None:
        self._inner = inner
        self._hidden = re.compile("|".join(map(re.escape, sorted(hidden, key=len, reverse=True))), re.IGNORECASE)

    def mask_text(self, text: str) -> str:
        return self._inner.mask_text(self._hidden.sub("***", text))

    def mask_json(self, value: Json) -> Json:
        return self._inner.mask_json(self._without(value))

    def stream(self) -> StreamMasker:
        return self._inner.stream()

    def _without(self, value: Json) -> Json:
        if isinstance(value, str):
            return self._hidden.sub("***", value)
        if isinstance(value, list):
            return [self._without(item) for item in value]
        if isinstance(value, dict):
            return {self._hidden.sub("***", key): self._without(item) for key, item in value.items()}
        return value
