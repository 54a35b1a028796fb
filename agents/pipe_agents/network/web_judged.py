"""Findings about URLs that were fetched."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from pipe_agents.findings import Finding, Severity, finding
from pipe_agents.network.numbers import ms
from pipe_agents.network.texts import shown_url
from pipe_agents.network.web_seen import Fetch, Step

_CHECKS: Final[Mapping[str, tuple[str, Severity, str]]] = {
    "dns": ("http.unknown_host", "high", "See whether the name is right, and the check `dns` for it."),
    "connect": ("http.connect", "high", "See the check `tcp` for this port: whether it runs, and what is in the way."),
    "tls": ("http.tls", "high", "See the check `tls` for this host and port."),
    "answer": ("http.no_answer", "high", "The server took the request and gave no answer that is HTTP: see its log."),
    "body": ("http.broken_body", "high", "The server or a proxy cuts or changes its answers: see the log of each."),
    "slow_body": ("http.slow_body", "high", "The answer begins and does not end: see what the server waits for."),
    "redirect": ("http.redirect", "high", "Mend the Location that the server sends."),
    "redirect_loop": ("http.redirect_loop", "high", "Two rules redirect to each other, often http and https behind a "
                      "proxy: see which header tells the server what the client used."),
    "redirects": ("http.redirects", "medium", "Shorten the chain, or raise max_redirects."),
}  # fmt: skip


def judge(fetch: Fetch, limits: Mapping[str, float], covered: Collection[tuple[str, int]]) -> list[Finding]:
    """What is wrong with one URL. `covered`: hosts and ports whose certificates somebody else tells of."""
    found = []
    if fetch.fault is not None:
        found.append(_fault(fetch))
    last = fetch.steps[-1]
    if fetch.fault is None and last.status is not None and last.status >= 400:
        found.append(_status(fetch, last))
    found += [
        _certificate(step)
        for step in fetch.steps
        if step.certificate_fault is not None and (step.place.host.name, step.place.port) not in covered
    ]
    if fetch.fault is None:
        found += _times(fetch, limits)
        found += [_passed_over(step) for step in fetch.steps if step.passed_over]
    return found + _downgrade(fetch)


def _evidence(fetch: Fetch) -> dict[str, Any]:
    measured = fetch.measured()
    shown = {name: value for name, value in measured["phases_ms"].items() if value is not None}
    return {
        "status": measured["status"],
        "redirects": measured["redirects"],
        "bytes": measured["bytes"],
        "phases_ms": shown,
        "address": fetch.steps[-1].address,
    }


def _fault(fetch: Fetch) -> Finding:
    check, severity, advice = _CHECKS[fetch.kind or "answer"]
    url = shown_url(fetch.place.url)
    last = shown_url(fetch.steps[-1].place.url)
    where = f" (after {_redirects(fetch)}, at {last})" if fetch.redirects else ""
    evidence = {**_evidence(fetch), "fault": fetch.fault}
    if fetch.redirects:
        evidence["way"] = [shown_url(step.place.url) for step in fetch.steps[:20]]
    return finding(check, url, severity, f"{url}: {fetch.fault}{where}", evidence, advice)


def _redirects(fetch: Fetch) -> str:
    return "1 redirect" if fetch.redirects == 1 else f"{fetch.redirects} redirects"


def _status(fetch: Fetch, last: Step) -> Finding:
    url = shown_url(fetch.place.url)
    assert last.status is not None
    severity: Severity = "high" if last.status >= 500 else "medium"
    advice = (
        "The server itself failed, or what stands behind a proxy does: see their logs at this time."
        if last.status >= 500
        else "The path may be wrong, or the URL wants a login: ask for one that answers 200 without."
    )
    if last.status == 429:
        advice = "It is asked too often: see who does, and the header Retry-After."
    after = f" after {_redirects(fetch)}" if fetch.redirects else ""
    return finding("http.status", url, severity, f"{url} answers {last.status}{after}", _evidence(fetch), advice)


def _certificate(step: Step) -> Finding:
    where = f"{step.place.host.name}:{step.place.port}"
    return finding(
        "http.certificate",
        where,
        "high",
        f"the certificate of {where} is refused: {step.certificate_fault}",
        {"why": step.certificate_fault, "tls": step.tls, "address": step.address},
        "See the check `tls` for its dates, names and chain.",
    )


def _passed_over(step: Step) -> Finding:
    where = f"{step.place.host.name}:{step.place.port}"
    return finding(
        "http.address",
        where,
        "medium",
        f"{where} answers at {step.address}, but not at {', '.join(step.passed_over)}, which is tried before",
        {"answers": step.address, "passed_over": step.passed_over, "connect_ms": ms(step.phases.get("connect", 0.0))},
        "Take the address out of DNS, or mend the service there: clients wait for it, or fail.",
    )


def _times(fetch: Fetch, limits: Mapping[str, float]) -> list[Finding]:
    url, found = shown_url(fetch.place.url), []
    advice = {
        "dns": "See the check `dns`: which resolver is slow, or doesn't answer.",
        "connect": "See the checks `tcp` and `latency`: packets may be lost, or the first addresses don't answer.",
        "tls": "See `latency`; a handshake takes one or two ways there and back, and the server's CPU.",
        "first_byte": "The server works on the answer for so long, beyond the way there and back: see its log and "
        "what it waits for.",
    }
    slow = False
    for name, check in (
        ("dns", "dns_ms"),
        ("connect", "connect_ms"),
        ("tls", "tls_ms"),
        ("first_byte", "first_byte_ms"),
    ):
        worst = max(fetch.steps, key=lambda step: step.phases.get(name, 0.0))
        taken = ms(worst.phases.get(name, 0.0))
        if taken > limits[check]:
            slow = True
            at = shown_url(worst.place.url)
            found.append(
                finding(
                    f"http.slow_{name}",
                    url,
                    "medium",
                    f"{at}: {name.replace('_', ' ')} took {taken:g} ms of {ms(sum(worst.phases.values())):g} ms",
                    {**_evidence(fetch), "ms": taken, "threshold_ms": limits[check]},
                    advice[name],
                )
            )
    total = ms(sum(fetch.seconds.values()))
    if total > limits["total_ms"] and not slow:
        found.append(
            finding(
                "http.slow",
                url,
                "medium",
                f"{url} took {total:g} ms for {fetch.measured()['bytes']} bytes",
                {**_evidence(fetch), "ms": total, "threshold_ms": limits["total_ms"]},
                "See which phase takes most of it; `transfer` is the size of the answer by the speed of the line.",
            )
        )
    return found


def _downgrade(fetch: Fetch) -> list[Finding]:
    for before, after in zip(fetch.steps, fetch.steps[1:], strict=False):
        if before.place.scheme == "https" and after.place.scheme == "http":
            return [
                finding(
                    "http.downgrade",
                    shown_url(fetch.place.url),
                    "medium",
                    f"{shown_url(before.place.url)} redirects from https to {shown_url(after.place.url)}",
                    {"from": shown_url(before.place.url), "to": shown_url(after.place.url)},
                    "Redirect to https: what follows can be read and changed on the way.",
                )
            ]
    return []
