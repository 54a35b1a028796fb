"""Findings about a server's TLS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipe_agents.findings import Finding, Severity, finding, unavailable
from pipe_agents.lateness import NEEDS, WHY
from pipe_agents.network.certificates import WEAK_HASHES, Certificate, stamp, weak
from pipe_agents.network.local import OPS
from pipe_agents.network.numbers import ms
from pipe_agents.network.tls_seen import Seen


def judge(seen: Seen, limits: Mapping[str, float], now: float) -> list[Finding]:
    """What is wrong with one server. `now`: seconds since 1970."""
    where = seen.subject
    if not seen.own and not seen.sure:
        return [unavailable("tls", where, f"the port is open, but there is {seen.fault}", "a port that speaks TLS")]
    if not seen.own:
        return [
            finding(
                "tls.failed",
                where,
                "high",
                f"{where} accepts connections, but there is {seen.fault or 'no certificate'}",
                {"why": seen.fault, "address": seen.address, "versions": seen.versions},
                "See whether this port speaks TLS from the first byte (STARTTLS is not tried), and the server's log.",
            )
        ]
    found = []
    if seen.unread is not None:
        found.append(
            unavailable("tls.certificate", where, seen.unread, OPS if "package" in seen.unread else "a sound one")
        )
    for number, certificate in enumerate(seen.chain):
        found += _dates(seen, certificate, limits, now, own=number == 0)
        found += _strength(seen, certificate, own=number == 0)
    return found + _trust(seen) + _versions(seen) + _several(seen) + _pace(seen, limits)


def _dates(seen: Seen, one: Certificate, limits: Mapping[str, float], now: float, *, own: bool) -> list[Finding]:
    where, days = seen.subject, one.days_left(now)
    whose = f"the certificate of {where}" if own else f"{one.subject} in the chain of {where}"
    subject = where if own else f"{where} {one.subject}"
    evidence = {
        "days_left": days,
        "not_before": stamp(one.not_before),
        "not_after": stamp(one.not_after),
        "subject": one.subject,
        "issuer": one.issuer,
    }
    renew = "Renew it, and have the server load it. If it renews by itself: see the log of what does."
    if now < one.not_before:
        ahead = round((one.not_before - now) / 86400, 1)
        words = f"{whose} is not valid yet: it begins in {ahead:g} days ({stamp(one.not_before)})"
        advice = "Compare the clocks of this machine and of who made it; else wait, or use the one before."
        return [finding("tls.not_yet_valid", subject, "high", words, evidence, advice)]
    if days < 0:
        words = f"{whose} expired {-days:.1f} days ago ({stamp(one.not_after)})"
        return [finding("tls.expired", subject, "critical", words, evidence, renew)]
    if not own and one.self_signed:  # a root that was sent along: clients use their own copy
        return []
    life = (one.not_after - one.not_before) / 86400
    soon, urgent = limits["certificate_days"], limits["certificate_critical_days"]
    if life <= 2 * soon:  # it is renewed every few days, and near its end for most of its life
        soon, urgent = min(soon, life / 4), min(urgent, life / 8)
    if days < soon:
        severity: Severity = "high" if days < urgent else "medium"
        words = f"{whose} expires in {days:.1f} days ({stamp(one.not_after)})"
        threshold = {"threshold_days": round(soon, 3), "life_days": round(life, 1)}
        return [finding("tls.expires_soon", subject, severity, words, {**evidence, **threshold}, renew)]
    return []


def _strength(seen: Seen, one: Certificate, *, own: bool) -> list[Finding]:
    subject = seen.subject if own else f"{seen.subject} {one.subject}"
    found = []
    reason = weak(one)
    if reason is not None:
        found.append(
            finding(
                "tls.weak_key",
                subject,
                "high" if own else "medium",
                f"the certificate {one.subject} of {seen.subject} has {reason}",
                {"key": one.key, "key_bits": one.key_bits},
                "Make a new one: RSA from 2048 bits, or an elliptic curve from 256. Many clients refuse this.",
            )
        )
    if one.hash in WEAK_HASHES and not one.self_signed:  # nobody checks a root's own signature
        found.append(
            finding(
                "tls.weak_signature",
                subject,
                "high" if own else "medium",
                f"the certificate {one.subject} of {seen.subject} is signed with {one.hash.upper()}",
                {"signature": one.signature, "hash": one.hash},
                "Have it signed anew with SHA-256. Clients of today refuse this.",
            )
        )
    return found


def _trust(seen: Seen) -> list[Finding]:
    where, found = seen.subject, []
    chain = [one.subject for one in seen.chain]
    if seen.chain and seen.name_matches is False:
        own = seen.chain[0]
        names = [*own.names, *own.addresses]
        shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "") or "no name at all"
        found.append(
            finding(
                "tls.wrong_name",
                where,
                "high",
                f"the certificate of {where} is not for {seen.name}: it is for {shown}",
                {"server_name": seen.name, "names": own.measured(0)["names"], "subject": own.subject},
                "Reach the server by one of these names (option server_name), or put the name into the certificate.",
            )
        )
    if seen.trusted is None:
        why = seen.distrust or "no second handshake"
        needs = NEEDS if why == WHY else "a server that takes part in a second handshake"
        found.append(unavailable("tls.trust", where, why, needs))
    elif not seen.trusted:
        found.append(_untrusted(seen, chain))
    return found


def _untrusted(seen: Seen, chain: list[str]) -> Finding:
    where = seen.subject
    evidence = {"why": seen.distrust, "chain": chain, "chain_length": len(chain)}
    if seen.chain and seen.chain[0].self_signed:
        words = f"the certificate of {where} is signed by itself: no authority vouches for it"
        advice = "Use one from an authority; or name this one under ca_file, if it is meant."
        return finding("tls.self_signed", where, "high", words, evidence, advice)
    last = seen.chain[-1] if seen.chain else None
    if last is not None and not last.self_signed and seen.distrust and "local issuer" in seen.distrust:
        words = f"the chain of {where} leads to no authority that is trusted here: {last.issuer} is missing"
        advice = (
            "Have the server send the certificates in between (the full chain). If the authority is your own, name its "
        )
        advice += "certificate under ca_file."
        return finding("tls.incomplete_chain", where, "high", words, {**evidence, "missing": last.issuer}, advice)
    words = f"the certificate of {where} is not trusted here: {seen.distrust}"
    advice = "If the authority is your own, name its certificate under ca_file; else see who issued this."
    return finding("tls.untrusted", where, "high", words, evidence, advice)


def _versions(seen: Seen) -> list[Finding]:
    where, found = seen.subject, []
    offered = [version for version, state in seen.versions.items() if state == "offered"]
    old = [version for version in offered if version in ("TLS 1.0", "TLS 1.1")]
    if offered and not set(offered) - set(old) and not {"TLS 1.2", "TLS 1.3"} & set(seen.untested):
        found.append(
            finding(
                "tls.only_old_versions",
                where,
                "high",
                f"{where} speaks only {' and '.join(old)}, which clients of today refuse",
                {"versions": seen.versions},
                "Switch on TLS 1.2 and 1.3.",
            )
        )
    elif old:
        found.append(
            finding(
                "tls.old_versions",
                where,
                "low",
                f"{where} still offers {' and '.join(old)}",
                {"versions": seen.versions},
                "Switch them off (RFC 8996), unless old clients need them.",
            )
        )
    if seen.untested:
        by_reason: dict[str, list[str]] = {}
        for version, why in seen.untested.items():
            by_reason.setdefault(why, []).append(version)
        for why, versions in by_reason.items():
            needs = (
                "an OpenSSL that speaks it" if "OpenSSL" in why else NEEDS if why == WHY else "a server that answers"
            )
            found.append(unavailable("tls.versions", f"{where} {', '.join(versions)}", why, needs))
    return found


def _several(seen: Seen) -> list[Finding]:
    different: dict[str, Any] = {digest: times for digest, times in seen.own.items() if times > 0}
    if len(different) < 2:
        return []
    return [
        finding(
            "tls.varies",
            seen.subject,
            "medium",
            f"{seen.subject} showed {len(different)} different certificates in {sum(different.values())} handshakes",
            {"certificates_sha256": different},
            "Servers behind one address that were not renewed together, or different ones for old and new clients.",
        )
    ]


def _pace(seen: Seen, limits: Mapping[str, float]) -> list[Finding]:
    if seen.handshake is None or ms(seen.handshake) <= limits["tls_ms"]:
        return []
    return [
        finding(
            "tls.slow",
            seen.subject,
            "medium",
            f"a TLS handshake with {seen.subject} took {ms(seen.handshake):g} ms",
            {"handshake_ms": ms(seen.handshake), "threshold_ms": limits["tls_ms"]},
            "See `latency`: a handshake takes one or two ways there and back, and the server's CPU.",
        )
    ]
