"""The check `http`: a URL is fetched as a browser would begin to, and each part of the time is taken."""

from __future__ import annotations

import ssl
from collections.abc import Collection, Mapping
from time import monotonic
from typing import Any, Final

from pipe_agents.findings import Finding, unavailable
from pipe_agents.network import contexts, web_judged
from pipe_agents.network.answers import Reader, Wrong
from pipe_agents.network.line import Line
from pipe_agents.network.lookup import Book
from pipe_agents.network.settings import Settings
from pipe_agents.network.targets import Place, forbidden, place_of
from pipe_agents.network.texts import shown_url
from pipe_agents.network.waiting import Stop
from pipe_agents.network.web_seen import Fetch, Step, joined

REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_FIRST_TRIES: Final = 3.0
"""Seconds for each address but the last."""
_LATE: Final[Mapping[str | None, str]] = {
    "connect": "there was no connection",
    "tls": "the TLS handshake was not done",
    "answer": "there was no answer",
    "slow_body": "the answer did not end",
    None: "it was not done",
}


def _other(place: Place) -> Place:
    """The same by http in place of https, or the other way round."""
    name = f"[{place.host.name}]" if ":" in place.host.name else place.host.name
    return place_of(f"{'http' if place.scheme == 'https' else 'https'}://{name}:{place.port}{place.target}")


class Fetcher:
    """Fetches URLs; each with its own end in time."""

    def __init__(self, settings: Settings, book: Book, stop: Stop, covered: Collection[tuple[str, int]]) -> None:
        self._settings = settings
        self._book = book
        self._stop = stop
        self._covered = covered
        """Hosts and ports whose certificates the check `tls` looks at."""
        self._strict = contexts.trusting(settings.ca_file, names=True, dates=True)

    def fetch(self, place: Place) -> tuple[dict[str, Any], list[Finding]]:
        """What was measured, and what is wrong."""
        fetch = Fetch(place)
        self._follow(fetch)
        if self._settings.guessed and fetch.redirects == 0 and fetch.kind in ("tls", "answer"):
            other = Fetch(_other(place))
            self._follow(other)
            if other.steps[0].status is not None:
                fetch = other
        return fetch.measured(), self._judged(fetch)

    def _judged(self, fetch: Fetch) -> list[Finding]:
        last = fetch.steps[-1]
        if last.forbidden is not None:
            needs = "nothing: such addresses are never asked"
            return [unavailable("http", shown_url(last.place.url), last.forbidden, needs)]
        return web_judged.judge(fetch, self._settings.limits, self._covered)

    def _follow(self, fetch: Fetch) -> None:
        until = monotonic() + self._settings.request_timeout
        place, seen = fetch.place, {fetch.place.url}
        while True:
            step = Step(place)
            known = any(before.place.host == place.host for before in fetch.steps)
            fetch.steps.append(step)
            self._request(step, until, known)
            if step.fault is not None or step.answer is None:
                fetch.fault, fetch.kind = step.fault or step.forbidden, step.during
                return
            location = step.answer.headers.get("location")
            if step.status not in REDIRECTS:
                return
            if location is None:
                fetch.fault, fetch.kind = f"it answers {step.status}, a redirect, without saying where to", "redirect"
                return
            try:
                place = place_of(joined(place.url, location))
            except ValueError as error:
                fetch.fault = f"it redirects to {shown_url(location)}, which can't be fetched: {error}"
                fetch.kind = "redirect"
                return
            if place.url.partition("#")[0] in seen:
                fetch.fault = f"its redirects lead in a circle: {shown_url(place.url)} comes again"
                fetch.kind = "redirect_loop"
                return
            if fetch.redirects >= self._settings.max_redirects:
                fetch.fault = f"there are more than {self._settings.max_redirects} redirects"
                fetch.kind = "redirects"
                return
            seen.add(place.url.partition("#")[0])

    def _request(self, step: Step, until: float, known: bool) -> None:
        """One request and its answer; what goes wrong becomes the step's fault. `known`: its host was looked up."""
        found = self._book.find(step.place.host)
        if step.place.host.address is None:
            step.phases["dns"] = 0.0 if known else (found.ms or 0.0) / 1000
        if not found.addresses:
            step.fault, step.during = f"the host has no address: {found.why}", "dns"
            return
        for address in found.addresses:
            why = forbidden(address)
            if why is not None:
                step.address, step.forbidden = address, f"{address} is {why}"
                return
        line = self._connected(step, found.addresses, until)
        if line is None:
            return
        with line:
            try:
                secure = self._secured(step, line) if step.place.scheme == "https" else None
                if secure is not None:  # its certificate is wrong: told, and looked behind
                    with secure:
                        self._exchange(step, secure)
                elif step.fault is None:
                    self._exchange(step, line)
            except TimeoutError:
                step.fault = f"{_LATE[step.during]} within {self._settings.request_timeout:g} s"
            except (Wrong, OSError, ValueError) as error:
                step.fault = str(error) if isinstance(error, Wrong) else contexts.words(error)

    def _connected(self, step: Step, addresses: tuple[str, ...], until: float) -> Line | None:
        step.during = "connect"
        addresses = addresses[:6]
        for number, address in enumerate(addresses):
            step.address = address
            began = monotonic()
            last = number == len(addresses) - 1
            patience = min(
                until, began + (self._settings.timeout if last else min(_FIRST_TRIES, self._settings.timeout))
            )
            try:
                line = Line(address, step.place.port, patience, self._stop)
            except TimeoutError:
                step.fault = f"no connection to {address} within {patience - began:.1f} s"
            except OSError as error:
                step.fault = f"no connection to {address}: {contexts.words(error)}"
            else:
                step.fault, line.until = None, until
                step.phases["connect"] = step.phases.get("connect", 0.0) + monotonic() - began
                return line
            step.phases["connect"] = step.phases.get("connect", 0.0) + monotonic() - began
            step.passed_over[address] = step.fault
        return None

    def _secured(self, step: Step, line: Line) -> Line | None:
        """Shake hands. Gives another connection, which trusts everybody, where the certificate is not right."""
        step.during = "tls"
        host, began = step.place.host, monotonic()
        try:
            secured = line.secure(self._strict, host.name)
        except ssl.SSLCertVerificationError as error:
            step.certificate, step.certificate_fault = False, contexts.words(error)
        else:
            step.phases["tls"] = monotonic() - began
            step.certificate, step.tls = True, contexts.NAMES.get(secured.version() or "")
            return None
        context = contexts.looking()
        assert context is not None
        assert step.address is not None
        other = Line(step.address, step.place.port, line.until, self._stop)
        try:
            began = monotonic()
            secured = other.secure(context, None if host.address is not None else host.name)
        except BaseException:
            other.socket.close()
            raise
        step.phases["tls"] = monotonic() - began
        step.tls = contexts.NAMES.get(secured.version() or "")
        return other

    def _exchange(self, step: Step, line: Line) -> None:
        step.during = "answer"
        place = step.place
        head = (
            f"GET {place.target} HTTP/1.1\r\nHost: {place.field}\r\nUser-Agent: pipe-runner network_diagnostics\r\n"
            "Accept: */*\r\nAccept-Encoding: identity\r\nConnection: close\r\n\r\n"
        )
        sent = monotonic()
        line.send(head.encode("ascii", "replace"))
        first: list[float] = []

        def more() -> bytes:
            data = line.read()
            if not first:
                first.append(monotonic())
            return data

        reader = Reader(more, self._settings.max_bytes)
        try:
            step.answer = reader.head()
            answer = reader.body()
            if answer.fault is not None:
                step.fault, step.during = answer.fault, "body"
        except TimeoutError:
            step.during = "slow_body" if step.answer is not None else "answer"
            raise
        finally:
            ended = monotonic()
            step.phases["first_byte"] = (first[0] if first else ended) - sent
            if first:
                step.phases["transfer"] = ended - first[0]
