"""The check `tls`: what a server shows for itself, whether that is trusted, and which versions it speaks."""

from __future__ import annotations

import ssl
from hashlib import sha256
from importlib.util import find_spec
from time import monotonic
from typing import Any, Final

from pipe_agents.findings import Finding, finding, unavailable
from pipe_agents.lateness import WHY
from pipe_agents.network import contexts, tls_judged
from pipe_agents.network.certificates import read
from pipe_agents.network.line import Line
from pipe_agents.network.lookup import Book
from pipe_agents.network.settings import Settings
from pipe_agents.network.targets import Host, forbidden
from pipe_agents.network.tls_seen import Seen
from pipe_agents.network.waiting import Late, Stop

_MOST_CHAIN: Final = 10


class Examiner:
    """Shakes hands several times: to see the chain, to have it held against authorities, and for each version."""

    def __init__(self, settings: Settings, book: Book, stop: Stop, now: float) -> None:
        self._settings = settings
        self._book = book
        self._stop = stop
        self._now = now

    def examine(self, target: tuple[Host, int, str, bool]) -> tuple[dict[str, Any] | None, list[Finding]]:
        """What was measured, if there was a server, and what is wrong."""
        seen = Seen(*target)
        found = self._book.find(seen.host)
        if not found.addresses:
            why = f"the host has no address: {found.why}"
            return None, [unavailable("tls", seen.subject, why, "a name that can be looked up, or an address")]
        for address in found.addresses:
            why_not = forbidden(address)
            if why_not is not None:
                needs = "nothing: such addresses are never asked"
                return None, [unavailable("tls", seen.subject, f"{address} is {why_not}", needs)]
        self._look(seen, found.addresses[:6])
        if not seen.connected:
            return seen.measured(self._now), [
                finding(
                    "tls.connect",
                    seen.subject,
                    "high",
                    f"there is no connection to {seen.subject}: {seen.fault}",
                    {"address": seen.address, "why": seen.fault},
                    "See the check `tcp` for this port.",
                )
            ]
        if not seen.silent:  # each version would be waited for as long
            try:
                self._try_versions(seen)
                if seen.own:
                    self._trust(seen)
            except Late:
                self._late(seen)
        return seen.measured(self._now), tls_judged.judge(seen, self._settings.limits, self._now)

    @staticmethod
    def _late(seen: Seen) -> None:
        if not seen.own:
            raise Late
        for version, known in seen.versions.items():
            if known == "untested":
                seen.untested.setdefault(version, WHY)
        if seen.trusted is None:
            seen.distrust = seen.distrust or WHY

    def _line(self, seen: Seen) -> Line:
        assert seen.address is not None
        line = Line(seen.address, seen.port, monotonic() + self._settings.timeout, self._stop)
        line.until = monotonic() + min(self._settings.request_timeout, 2 * self._settings.timeout)
        return line

    def _server_name(self, seen: Seen) -> str | None:
        return None if ":" in seen.name or seen.name.rpartition(".")[2].isdecimal() else seen.name

    def _look(self, seen: Seen, addresses: tuple[str, ...]) -> None:
        context = contexts.looking()
        assert context is not None
        for address in addresses:
            seen.address, began = address, monotonic()
            try:
                line = self._line(seen)
            except (OSError, ValueError) as error:
                seen.fault = f"no connection to {address}: {contexts.words(error)}"
                continue
            seen.connected, seen.fault, seen.connect = True, None, monotonic() - began
            with line:
                line.until = monotonic() + self._settings.request_timeout
                began = monotonic()
                try:
                    secured = line.secure(context, self._server_name(seen))
                except TimeoutError:
                    seen.silent = True
                    seen.fault = f"no TLS handshake within {self._settings.request_timeout:g} s"
                    return
                except (OSError, ValueError) as error:
                    seen.fault = f"no TLS handshake: {contexts.words(error)}"
                    return
                seen.handshake = monotonic() - began
                seen.version = contexts.NAMES.get(secured.version() or "", secured.version())
                cipher = secured.cipher()
                seen.cipher = cipher[0] if cipher else None
                self._read(seen, contexts.sent_chain(secured))
            return

    def _read(self, seen: Seen, chain: list[bytes]) -> None:
        if chain:
            seen.own[sha256(chain[0]).hexdigest()] += 1
        if find_spec("cryptography") is None:
            seen.unread = "the package cryptography is not installed"
            return
        try:
            seen.chain = [read(der) for der in chain[:_MOST_CHAIN]]
        except ValueError as error:
            seen.unread = f"a certificate of it: {error}"

    def _try_versions(self, seen: Seen) -> None:
        if seen.version in seen.versions:
            seen.versions[seen.version] = "offered"
        for version, known in reversed(list(seen.versions.items())):
            if known == "offered":
                continue
            context = contexts.looking(version)
            if context is None:
                seen.untested[version] = f"this machine's OpenSSL ({ssl.OPENSSL_VERSION}) does not speak it"
                continue
            try:
                with self._line(seen) as line:
                    secured = line.secure(context, self._server_name(seen))
                    own = secured.getpeercert(binary_form=True)
                    seen.versions[version] = "offered"
                    if own:
                        seen.own[sha256(own).hexdigest()] += 1
                    if seen.version is None:
                        seen.version, seen.fault = version, None
                        self._read(seen, contexts.sent_chain(secured))
                        seen.own.subtract([sha256(own).hexdigest()] if own else [])
            except TimeoutError:
                seen.untested[version] = "the server gave no answer"
            except ssl.SSLError as error:
                if contexts.lacking(error):
                    seen.untested[version] = f"this machine's OpenSSL ({ssl.OPENSSL_VERSION}) does not allow it"
                else:
                    seen.versions[version] = "not_offered"
            except ConnectionError:
                seen.versions[version] = "not_offered"
            except (OSError, ValueError) as error:
                seen.untested[version] = contexts.words(error)

    def _trust(self, seen: Seen) -> None:
        """Whether the chain leads to an authority that is trusted: OpenSSL decides, without dates and names."""
        context = contexts.trusting(self._settings.ca_file)
        old = seen.version in ("TLS 1.0", "TLS 1.1")
        if old:
            context = contexts.looking(seen.version) or context
            seen.distrust = None
            if context.verify_mode == ssl.CERT_NONE:
                strict = contexts.trusting(self._settings.ca_file)
                context.verify_flags = strict.verify_flags
                context.verify_mode = ssl.CERT_REQUIRED
                if self._settings.ca_file:
                    context.load_verify_locations(cadata=self._settings.ca_file)
                else:
                    context.load_default_certs()
        try:
            with self._line(seen) as line:
                secured = line.secure(context, self._server_name(seen))
                own = secured.getpeercert(binary_form=True)
                if own:
                    seen.own[sha256(own).hexdigest()] += 1
            seen.trusted = True
        except ssl.SSLCertVerificationError as error:
            seen.trusted, seen.distrust = False, contexts.words(error)
        except (OSError, ValueError) as error:
            seen.trusted, seen.distrust = None, contexts.words(error)
