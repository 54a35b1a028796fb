"""Findings about names, from what all resolvers said of them."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from pipe_agents.findings import Finding, Severity, finding
from pipe_agents.http_policy import Reach, reach_of
from pipe_agents.network.lookup import Found
from pipe_agents.network.naming import Heard
from pipe_agents.network.queries import Said


def judge(heard: Heard, found: Found | None, *, used: bool, family: str = "any") -> list[Finding]:
    """Findings about one name. `used`: other checks need its addresses, of this family."""
    findings = _of_name(heard, found, used)
    findings += [one for record in _records(heard) for one in _compared(heard, record)]
    if found is not None:
        findings += _system(heard, found, family)
    return findings


def agree(heard: Heard) -> bool | None:
    """Whether all that answered say the same; null with fewer than two."""
    compared = False
    for record in _records(heard):
        said = [one for one in heard.of(record).values() if one.answered]
        compared = compared or len(said) > 1
        if len({_content(one) for one in said}) > 1:
            return False
    return True if compared else None


def _records(heard: Heard) -> list[str]:
    return list(dict.fromkeys(one.type for said in heard.answers.values() for one in said))


def _content(said: Said) -> tuple[Any, ...]:
    return (said.status, *said.records)


def _of_name(heard: Heard, found: Found | None, used: bool) -> list[Finding]:
    said = [one for many in heard.answers.values() for one in many]
    answered = [one for one in said if one.answered]
    if not answered or heard.name == ".":
        return []
    findings: list[Finding] = []
    elsewhere = found is not None and found.source == "system"
    # A resolver says of the alias itself that it is there, whatever it leads to.
    beyond = [one for one in answered if one.type != "CNAME" or one.status != "ok"]
    if beyond and all(one.status == "nxdomain" for one in beyond):
        cnames = next((one.cnames for one in beyond if one.cnames), None)
        cnames = cnames or next((one.records for one in answered if one.type == "CNAME" and one.records), None)
        if cnames:
            return [_dangling(heard, cnames)]
        severity: Severity = "low" if elsewhere else "high"
        more = "; the system has an address from elsewhere, as /etc/hosts" if elsewhere else ""
        return [
            finding(
                "dns.nxdomain",
                heard.name,
                severity,
                f"the name {heard.name} does not exist in DNS (NXDOMAIN){more}",
                {"resolvers": [str(resolver) for resolver in heard.answers], "asked_for": answered[0].name},
                "See whether the name is written right and whether it is in the zone; a new one may be hidden for as "
                "long as the zone's negative TTL.",
            )
        ]
    both = [one for one in answered if one.type in ("A", "AAAA")]
    asked = {one.type for one in both}
    if used and asked == {"A", "AAAA"} and all(one.status in ("no_data", "nxdomain") for one in both) and not elsewhere:
        findings.append(
            finding(
                "dns.no_address",
                heard.name,
                "high",
                f"the name {heard.name} exists in DNS and has no address: neither A nor AAAA",
                {"resolvers": [str(resolver) for resolver in heard.answers], "cnames": both[0].cnames},
                "Add the record, or use the name that has one.",
            )
        )
    circle = next((one for one in answered if one.why), None)
    if circle is not None:
        findings.append(
            finding(
                "dns.loop",
                heard.name,
                "high",
                f"the aliases of {heard.name} lead in a circle: {' → '.join(circle.cnames[:6])}",
                {"cnames": circle.cnames},
                "Mend the CNAME records.",
            )
        )
    return findings


def _dangling(heard: Heard, cnames: list[str]) -> Finding:
    return finding(
        "dns.dangling",
        heard.name,
        "high",
        f"{heard.name} is an alias for {cnames[-1]}, which does not exist",
        {"cnames": cnames, "rcode": "NXDOMAIN"},
        "Mend the CNAME or what it names. One that leads to a name which somebody else can take is a danger.",
    )


def _compared(heard: Heard, record: str) -> list[Finding]:
    said = {resolver: one for resolver, one in heard.of(record).items() if one.answered}
    if len({_content(one) for one in said.values()}) < 2:
        return []
    shown = {
        str(resolver): one.records if one.status == "ok" else [one.status.upper().replace("_", " ")]
        for resolver, one in said.items()
    }
    some = [one for one in said.values() if one.status == "ok"]
    sets = [set(one.records) for one in some]
    severity: Severity = "medium"
    advice = (
        "Find out which is right: compare with the zone's own servers (NS), and look for old caches and split views."
    )
    if 0 < len(some) < len(said):
        severity = "high"
    elif sets and set.intersection(*sets):
        severity = "low"
        advice = "They have some in common: servers may give parts of a list in turn, or one has an old copy."
    elif record in ("A", "AAAA") and sets and all(_public(text) for one in sets for text in one):
        severity = "low"
        advice = (
            "All are public addresses: networks that spread content do this on purpose; else compare with the zone."
        )
    elif not some:
        severity = "low"
    parts = "; ".join(f"{resolver}: {', '.join(texts[:4])}" for resolver, texts in list(shown.items())[:4])
    return [
        finding(
            "dns.disagree",
            f"{heard.name} {record}",
            severity,
            f"resolvers give different answers for {heard.name} {record}: {parts}",
            {"type": record, "answers": shown, "ttl_s": {str(r): one.ttl for r, one in said.items()}},
            advice,
        )
    ]


def _public(text: str) -> bool:
    try:
        return reach_of(ip_address(text)) is Reach.PUBLIC
    except ValueError:
        return False


def _system(heard: Heard, found: Found, family: str) -> list[Finding]:
    """What programs on this machine get, beside what the resolvers say."""
    said = [text for text in heard.addresses if family == "any" or (":" in text) == (family == "ipv6")]
    if found.source in ("none", "resolver") and said:
        return [
            finding(
                "dns.system",
                heard.name,
                "high",
                f"DNS has {', '.join(said[:4])} for {heard.name}, but this machine finds no address: {found.why}",
                {"dns": said[:100], "system": [], "why": found.why, "ms": found.ms},
                "See /etc/resolv.conf and /etc/nsswitch.conf: programs on this machine ask somebody else.",
            )
        ]
    if found.source == "system" and said and not set(said) & set(found.addresses):
        return [
            finding(
                "dns.system",
                heard.name,
                "medium",
                f"programs on this machine get {', '.join(found.addresses[:4])} for {heard.name}, while DNS says "
                f"{', '.join(said[:4])}",
                {"dns": said[:100], "system": list(found.addresses[:100]), "ms": found.ms},
                "See /etc/hosts and /etc/nsswitch.conf, and which resolver this machine asks.",
            )
        ]
    return []
