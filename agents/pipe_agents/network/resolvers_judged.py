"""Findings about resolvers: one for each and each kind of fault, whatever the number of names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pipe_agents.findings import Finding, Severity, finding
from pipe_agents.network.naming import Heard
from pipe_agents.network.numbers import ms
from pipe_agents.network.queries import Said
from pipe_agents.network.targets import Resolver

_SAYS: Final[Mapping[str, str]] = {
    "timeout": "gave no answer",
    "unreachable": "can't be reached",
    "servfail": "failed to find out (SERVFAIL)",
    "refused": "refuses to answer (REFUSED)",
    "error": "answered with an error",
    "lame": "is neither a resolver nor the zone's server",
    "malformed": "answered with something that is no answer",
}
_ADVICE: Final[Mapping[str, str]] = {
    "timeout": "See whether it runs and whether UDP and TCP port 53 get through; programs wait for it at each look-up, "
    "so take it out of resolv.conf if it is gone.",
    "unreachable": "Nothing listens there, or there is no way to it: see whether the DNS server runs.",
    "servfail": "The resolver could not get an answer from the zone's servers, or DNSSEC does not hold: ask those "
    "servers directly, and look at the resolver's log.",
    "refused": "It does not serve this client: see its access list, and whether it is the right server for the name.",
    "error": "See the server's version and log.",
    "lame": "Ask a resolver, or have this server load the zone.",
    "malformed": "Something on the way changes or damages DNS, or the server is broken; if only long answers fail, TCP "
    "port 53 is closed.",
}
_MOST_NAMES: Final = 100


def judge(heard: Sequence[Heard], limits: Mapping[str, float]) -> list[Finding]:
    """Findings about every resolver that was asked for these names."""
    resolvers = list(dict.fromkeys(resolver for one in heard for resolver in one.answers))
    return [found for resolver in resolvers for found in (*_faults(heard, resolver), *_pace(heard, resolver, limits))]


def _faults(heard: Sequence[Heard], resolver: Resolver) -> list[Finding]:
    findings = []
    for status, words in _SAYS.items():
        bad = {one.name: [s for s in one.answers.get(resolver, ()) if s.status == status] for one in heard}
        hit = [one for one in heard if bad[one.name]]
        if not hit:
            continue
        alone = [one for one in hit if len(bad[one.name]) == len(one.answers[resolver]) and not _other(one, resolver)]
        severity: Severity = "high" if alone else "medium"
        said = [s for one in hit for s in bad[one.name]]
        if status == "malformed" and all(s.truncated for s in said):
            words = "has an answer that is too long for UDP, and gives none over TCP"
        types = list(dict.fromkeys(s.type for s in said))
        whole = all(len(bad[one.name]) == len(one.answers[resolver]) for one in hit)
        rest = "; another one answers" if whole and not alone else ""
        findings.append(
            finding(
                f"dns.{status}",
                str(resolver),
                severity,
                f"the resolver {resolver} {words} for {_names(hit)} ({', '.join(types)}){rest}",
                {
                    "names": [one.name for one in hit[:_MOST_NAMES]],
                    "types": types,
                    "answered_types": sorted({s.type for one in hit for s in one.answers[resolver] if s.answered}),
                    "questions": len(said),
                    "tries": max(s.tries for s in said),
                    "why": next((s.why for s in said if s.why), None),
                },
                _ADVICE[status],
            )
        )
    return findings


def _other(heard: Heard, resolver: Resolver) -> bool:
    """Whether another one says something of the name."""
    return any(said.answered for other, many in heard.answers.items() if other != resolver for said in many)


def _names(heard: Sequence[Heard]) -> str:
    first = "the root" if heard[0].name == "." else heard[0].name
    more = len(heard) - 1
    return f"{first} and {more} more name{'' if more == 1 else 's'}" if more else first


def _pace(heard: Sequence[Heard], resolver: Resolver, limits: Mapping[str, float]) -> list[Finding]:
    said: list[Said] = [one for name in heard for one in name.answers.get(resolver, ())]
    where, findings = str(resolver), []
    once = [one for one in said if one.answered and one.seconds is not None and not one.lost]
    slow = sorted((one for one in once if _ms(one) > limits["dns_ms"]), key=_ms, reverse=True)
    if slow:
        evidence: dict[str, Any] = {
            "threshold_ms": limits["dns_ms"],
            "slowest_ms": _ms(slow[0]),
            "slow": [{"name": one.name, "type": one.type, "ms": _ms(one)} for one in slow[:_MOST_NAMES]],
            "questions": len(said),
        }
        findings.append(
            finding(
                "dns.slow",
                where,
                "medium",
                f"the resolver {resolver} took {_ms(slow[0]):g} ms for {slow[0].name} ({slow[0].type})",
                evidence,
                "A first look-up may be slow where the answer isn't cached: measure again. If it stays slow, look at "
                "the resolver's load and at the servers that it asks.",
            )
        )
    again = [one for one in said if one.lost and one.answered]
    if again:
        findings.append(
            finding(
                "dns.retried",
                where,
                "low",
                f"the resolver {resolver} answered {len(again)} of {len(said)} questions only when asked again",
                {"asked_again": len(again), "questions": len(said)},
                "Datagrams are lost on the way, or the resolver is overloaded: look at loss between here and there.",
            )
        )
    strange = sum(one.ignored for one in said)
    if strange and any(one.status != "malformed" for one in said if one.ignored):
        findings.append(
            finding(
                "dns.forged",
                where,
                "medium",
                f"{strange} datagrams from {resolver} were no answer to what was asked (wrong id or question)",
                {"ignored": strange, "questions": len(said)},
                "Late answers, a broken server, or somebody who guesses answers: look at the traffic with tcpdump.",
            )
        )
    return findings


def _ms(said: Said) -> float:
    return ms(said.seconds or 0.0)
