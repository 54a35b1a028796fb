"""What registries say of domains, by RDAP (RFC 9082, 9083, 9224): over HTTPS, never by whois."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

from pipe_agents.infra.api import Answer, Api
from pipe_agents.infra.common import Look, Unreached, mapping, moment, objects, shown, stamp, text_or_none

BOOTSTRAP: Final = "https://data.iana.org/rdap/dns.json"
_REDIRECTS: Final = 3
_LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")


class Rdap:
    """Asks for the domains of one attempt; knows the registries once it has asked for them."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self._apis: dict[str, Api] = {}
        self._registries: dict[str, str] | None = None
        self._lock = asyncio.Lock()

    async def __aenter__(self) -> Rdap:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for api in self._apis.values():
            await api.__aexit__(kind, error, trace)

    async def domain(self, said: str) -> dict[str, Any] | None:
        """What the registry knows; null where it knows no such domain. Raises Unreached."""
        name = said.rstrip(".").lower()
        try:
            name = name if name.isascii() else name.encode("idna").decode("ascii")
        except UnicodeError:
            raise Unreached("its name can't be written in ASCII", "a domain's name") from None
        base = self._look.options["rdap_url"] or await self._registry(name)
        answer = await self._get(f"{base.rstrip('/')}/domain/{name}")
        if answer.status == 404:
            if name.count(".") > 1:
                why = "its registry knows no such domain; it may be a name within one"
                raise Unreached(why, "the domain as it was registered, as `example.com` for `www.example.com`")
            return None
        value = mapping(answer.value)
        if answer.status != 200 or not value:
            said_of = f": {answer.said}" if answer.said else ""
            raise Unreached(f"{_host(base)} answered with status {answer.status}{said_of}", "a registry that answers")
        expires = next(
            (moment(e.get("eventDate")) for e in objects(value.get("events")) if e.get("eventAction") == "expiration"),
            None,
        )
        if expires is None:
            raise Unreached("its registry does not tell when it ends", "its registrar, who knows")
        status = value.get("status")
        return {
            "domain": shown(said, 253),
            "expires": stamp(expires),
            "days_left": round((expires - self._look.now) / 86400, 3),
            "registrar": _registrar(value),
            "status": [shown(one, 100) for one in status[:20]] if isinstance(status, list) else [],
        }

    async def _registry(self, name: str) -> str:
        async with self._lock:
            if self._registries is None:
                answer = await self._get(BOOTSTRAP)
                if answer.status != 200:
                    raise Unreached(f"{_host(BOOTSTRAP)} answered with status {answer.status}", "`rdap_url`")
                self._registries = registries(answer.value)
        labels = name.split(".")
        for number in range(1, len(labels)):
            found = self._registries.get(".".join(labels[number:]))
            if found is not None:
                return found
        raise Unreached(f"the registry of .{labels[-1]} has no RDAP", "a look at its registrar")

    async def _get(self, url: str) -> Answer:
        for _ in range(_REDIRECTS + 1):
            parts = urlsplit(url)
            if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
                raise Unreached(f"{_host(url)} is not asked over HTTPS", "an https:// URL")
            origin = f"{parts.scheme}://{parts.netloc}"
            api = self._apis.get(origin)
            if api is None:
                api = self._apis[origin] = Api(origin, _host(url), self._look.timeout)
            answer = await api.get(parts.path + (f"?{parts.query}" if parts.query else ""))
            if answer.status not in (301, 302, 303, 307, 308) or not answer.location:
                return answer
            url = urljoin(url, answer.location)
        raise Unreached(f"{_host(url)} redirects too often", "`rdap_url`")


def registries(value: Any) -> dict[str, str]:
    """The bootstrap of IANA: which server knows which top level."""
    found: dict[str, str] = {}
    services = mapping(value).get("services")
    for service in services if isinstance(services, list) else []:
        if not isinstance(service, list) or len(service) < 2 or not all(isinstance(part, list) for part in service[:2]):
            continue
        urls = [url for url in service[1] if isinstance(url, str) and url.startswith("https://")]
        for name in service[0]:
            if urls and isinstance(name, str):
                found.setdefault(name.lower(), urls[0])
    return found


def _registrar(value: Mapping[str, Any]) -> str | None:
    for entity in objects(value.get("entities")):
        roles = entity.get("roles")
        card = entity.get("vcardArray")
        if not isinstance(roles, list) or "registrar" not in roles or not isinstance(card, list) or len(card) < 2:
            continue
        for line in card[1] if isinstance(card[1], list) else []:
            if isinstance(line, list) and len(line) > 3 and line[0] == "fn":
                return text_or_none(line[3], 200)
    return None


def _host(url: str) -> str:
    return shown(urlsplit(url).netloc.rpartition("@")[2], 255)
