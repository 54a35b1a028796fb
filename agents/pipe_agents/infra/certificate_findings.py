"""What is wrong with a certificate or a domain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pipe_agents.findings import Finding, Severity, finding
from pipe_agents.infra.common import Look, listed, moment, plural, some

_LOST: Final = ("redemption period", "pending delete")
_HELD: Final = ("client hold", "server hold")


def of_host(look: Look, one: Mapping[str, Any], host: str, why: str | None) -> list[Finding]:
    found = _ending(look, one, ("critical", "high", "medium"))
    subject, evidence = one["source"], _evidence(one)
    if one["trusted"] is False:
        own = one["self_signed"]
        words = "is signed by itself" if own else f"is not trusted by this machine: {why}"
        how = (
            "have it signed by an authority, or name its authority in `ca_file`"
            if own
            else "does the server send the certificates between its own and the authority's?"
        )
        severity: Severity = "medium" if own else "high"
        facts = {**evidence, "trusted": False, "self_signed": own, "reason": why}
        found.append(
            finding("certificate.untrusted", subject, severity, f"the certificate of {subject} {words}", facts, how)
        )
    if one["name_matches"] is False:
        held = ", ".join(one["names"][:5]) or "no name at all"
        summary = f"the certificate of {subject} does not hold for {host}: it holds for {held}"
        facts = {**evidence, "host": host, "names": one["names"][:20]}
        how = "is it the right server? Then its certificate needs this name"
        found.append(finding("certificate.name", subject, "high", summary, facts, how))
    return found


def of_file(look: Look, source: str, certificates: Sequence[Mapping[str, Any]]) -> list[Finding]:
    """Of authorities one finding for all: that some of a bundle have ended harms nobody as long as there are others."""
    found: list[Finding] = []
    over: list[Mapping[str, Any]] = []
    for one in certificates:
        if not one["authority"]:
            found += _ending(look, one, ("high", "high", "medium"))
        elif one["days_left"] < 0:
            over.append(one)
    if over:
        over.sort(key=lambda one: -one["days_left"])
        names = [one["subject"] for one in over]
        total = sum(one["authority"] for one in certificates)
        have = "has" if len(over) == 1 else "have"
        summary = (
            f"{len(over)} of {plural(total, 'authority', 'authorities')} in {source} {have} expired: {listed(names)}"
        )
        evidence = {"expired": len(over), "authorities": total, "subjects": some(names), "last": over[0]["not_after"]}
        how = "update the bundle; if one of them is needed, what it has signed is trusted no longer"
        found.append(finding("certificate.authority", source, "low", summary, evidence, how))
    return found


def _ending(look: Look, one: Mapping[str, Any], severities: tuple[Severity, Severity, Severity]) -> list[Finding]:
    days, subject = one["days_left"], one["source"]
    begins, ends = moment(one["not_before"]), moment(one["not_after"])
    life = (ends - begins) / 86400 if begins is not None and ends is not None else 0
    most = look.thresholds
    soon = min(most["certificate_days"], life / 4) if life > 0 else most["certificate_days"]
    urgent = min(most["certificate_urgent_days"], life / 8) if life > 0 else most["certificate_urgent_days"]
    evidence = {**_evidence(one), "life_days": round(life, 1)}
    which = f"the certificate of {subject}" + (f" ({one['subject']})" if one["subject"] not in subject else "")
    if begins is not None and begins > look.now:
        summary = f"{which} does not hold before {one['not_before']}"
        how = "is the clock of this machine right?"
        return [finding("certificate.not_yet_valid", subject, severities[1], summary, evidence, how)]
    if days < 0:
        summary = f"{which} has expired {_days(-days)} ago, on {one['not_after'][:10]}"
        return [finding("certificate.expired", subject, severities[0], summary, evidence, "renew it now")]
    if days < soon:
        summary = f"{which} expires in {_days(days)}, on {one['not_after'][:10]}"
        severity = severities[1] if days < urgent else severities[2]
        how = "renew it; if that should have happened by itself, look at why it hasn't"
        return [finding("certificate.expires", subject, severity, summary, evidence, how)]
    return []


def _evidence(one: Mapping[str, Any]) -> dict[str, Any]:
    return {key: one[key] for key in ("subject", "issuer", "not_before", "not_after", "days_left")}


def of_domain(look: Look, domain: str, one: Mapping[str, Any] | None) -> list[Finding]:
    """`one`: what the registry says; null where it knows no such domain."""
    if one is None:
        summary = f"the registry knows no domain {domain}: it is not registered"
        return [finding("domain.unregistered", domain, "high", summary, {"registered": False}, "is it written right?")]
    days, found = one["days_left"], []
    evidence = {key: one[key] for key in ("expires", "days_left", "registrar", "status")}
    states = [state.lower() for state in one["status"]]
    lost = [state for state in states if state in _LOST]
    held = [state for state in states if state in _HELD]
    if lost:
        summary = f"the domain {domain} is being given up: its status is {', '.join(lost)}"
        found.append(finding("domain.lost", domain, "critical", summary, evidence, "restore it at its registrar now"))
    elif held:
        summary = f"the domain {domain} is held: its status is {', '.join(held)}, so its names lead nowhere"
        found.append(finding("domain.held", domain, "critical", summary, evidence, "ask its registrar why"))
    if days is not None and not lost:
        if days < 0:
            summary = f"the registration of {domain} has ended {_days(-days)} ago, on {one['expires'][:10]}"
            found.append(finding("domain.expired", domain, "critical", summary, evidence, "renew it now"))
        elif days < look.thresholds["domain_days"]:
            summary = f"the registration of {domain} ends in {_days(days)}, on {one['expires'][:10]}"
            severity: Severity = "high" if days < look.thresholds["domain_days"] / 4 else "medium"
            how = "is it renewed by itself? Some registries tell the new date on the last day only"
            found.append(finding("domain.expires", domain, severity, summary, evidence, how))
    return found


def _days(days: float) -> str:
    if days < 2:
        return f"{days * 24:.0f} h"
    return f"{days:.0f} days"
