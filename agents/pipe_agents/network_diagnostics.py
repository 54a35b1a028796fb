"""`agent: network_diagnostics`: names, ports, times, routes, HTTP, TLS and this machine's network, as findings."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from pipe_runner.errors import NodeFault
from pipe_runner.ports import AgentDescription, Attempt, Capability, Context, Outcome
from pipe_runner.types import EventKind, JsonObject

if TYPE_CHECKING:
    from pydantic import BaseModel

    from pipe_agents.network.waiting import Stop
    from pipe_agents.threads import Threads


_CAPABILITIES: Final = (
    Capability(
        "network.dns",
        "Asks resolvers for records of a name and compares their answers.",
        (
            "dns", "resolve", "resolver", "name server", "nameserver", "nxdomain", "servfail", "lookup", "domain",
            "record", "records", "mx", "cname", "hostname", "name resolution", "does not resolve",
        ),
    ),
    Capability(
        "network.tcp",
        "Finds out which TCP ports are open, refused or silent.",
        (
            "port", "ports", "open", "closed", "connect", "connection", "connection refused", "firewall", "filtered",
            "reach", "reachable", "unreachable", "listening", "tcp", "scan", "blocked", "timeout", "timed out",
        ),
    ),
    Capability(
        "network.latency",
        "Measures the time to a host, its spread, and loss.",
        (
            "latency", "slow", "ping", "round trip", "rtt", "jitter", "packet loss", "loss", "delay", "lag", "host",
            "up", "down", "alive", "network",
        ),
    ),
    Capability(
        "network.route",
        "Follows the way to a host, hop by hop.",
        ("route", "traceroute", "tracert", "hop", "hops", "path", "mtr", "gateway", "router", "way to"),
    ),
    Capability(
        "network.http",
        "Fetches URLs: status, redirects, and the time of each part.",
        (
            "http", "https", "url", "website", "web site", "page", "status code", "redirect", "redirects",
            "first byte", "ttfb", "endpoint", "health check", "web server", "site", "respond",
        ),
    ),
    Capability(
        "network.tls",
        "Looks at certificates and at the versions of TLS that a server offers.",
        (
            "tls", "ssl", "certificate", "certificates", "cert", "expire", "expires", "expiry", "self-signed",
            "handshake", "chain", "cipher", "x509", "san",
        ),
    ),
    Capability(
        "network.local",
        "Lists this machine's interfaces, routes, name servers and listening sockets.",
        (
            "interface", "interfaces", "network card", "ip address", "default gateway", "routes", "routing table",
            "resolv.conf", "sockets", "listening sockets", "listeners", "time_wait", "retransmits",
        ),
    ),
)  # fmt: skip


_GRACE: Final = 0.15
"""Seconds in which what is late has come to its end."""
_MOMENT: Final = 0.5
"""Seconds in which threads that were stopped have ended."""


class NetworkAgent:
    """Measures in threads of its own, which end soon when nobody waits any more."""

    name = "network_diagnostics"
    version = "1"

    def __init__(self) -> None:
        self._threads: Threads | None = None

    def describe(self) -> AgentDescription:
        return AgentDescription(
            summary="Measures names, ports, latency, routes, HTTP, TLS and this machine's network; gives findings.",
            capabilities=_CAPABILITIES,
            asks_models=True,
        )

    def may_ask(self, options: JsonObject) -> bool:
        from pipe_agents.findings import explains

        return explains(options)

    def options_model(self) -> type[BaseModel]:
        from pipe_schemas.network import NetworkOptions

        return NetworkOptions

    def output_schema(self, options: JsonObject) -> JsonObject:
        from pipe_schemas.network_measured import NetworkResult

        return NetworkResult.model_json_schema()

    async def perform(self, attempt: Attempt, context: Context) -> Outcome:
        arrived = monotonic()
        from pipe_agents.explaining import finished
        from pipe_agents.findings import result
        from pipe_agents.lateness import seconds_to_measure
        from pipe_agents.network.performing import Checks
        from pipe_agents.network.settings import Settings
        from pipe_agents.network.telling import summary
        from pipe_agents.network.trust import authorities
        from pipe_agents.network.waiting import Stop

        options: Any = attempt.options
        began_ns, began = context.clock.now_ns(), context.clock.monotonic()
        stop = Stop()
        say = partial(_say, context, asyncio.get_running_loop(), stop)
        seconds = seconds_to_measure(attempt.timeout)
        until = None if seconds is None else arrived + seconds
        begun: list[Checks] = []

        def work() -> Any:
            begun.append(Checks(authorities(Settings.read(options), attempt.root), stop, say, began_ns / 1e9, until))
            return begun[0].run()

        try:
            measurements, findings = await self._called(work, stop, until, lambda: begun[0].given() if begun else None)
        except NodeFault as fault:
            raise NodeFault(fault.kind, context.masker.mask_text(fault.message)) from None
        given: Any = context.masker.mask_json(
            result(
                self.name,
                findings,
                measurements,
                began_ns=began_ns,
                seconds=context.clock.monotonic() - began,
                summary=summary(findings, measurements),
            )
        )
        return await finished(given, attempt, context)

    async def close(self) -> None:
        """Let the threads go; at the end of the run."""
        threads, self._threads = self._threads, None
        if threads is not None:
            threads.close()

    async def _called(self, function: Any, stop: Stop, until: float | None, by_now: Callable[[], Any]) -> Any:
        """What it gives. Where its time is up and something in it hangs all the same, what there is `by_now`."""
        from pipe_agents.threads import Threads

        if self._threads is None:
            self._threads = Threads("pipe-network")

        def work() -> Any:
            try:
                return function()
            finally:
                stop.leave()

        call = self._threads.start(work)
        try:
            if until is not None and not await call.ended(until - monotonic()):
                stop.set_late()
                if not await call.ended(_GRACE) and (given := by_now()) is not None:
                    stop.set()
                    return given
            await call.ended()
        except asyncio.CancelledError:
            stop.set()
            await call.ended(_MOMENT)
            raise
        if call.error is not None:
            raise call.error
        return call.result


def _say(context: Context, loop: asyncio.AbstractEventLoop, stop: Stop, text: str) -> None:
    """A line for who watches; from a thread. Nothing once the attempt is over."""
    line = context.masker.mask_text(text) + "\n"

    def emit() -> None:
        if not stop.is_set:
            context.emit(EventKind.NODE_OUTPUT, {"stream": "stdout", "text": line})

    try:
        loop.call_soon_threadsafe(emit)
    except RuntimeError:  # the loop is gone
        pass
