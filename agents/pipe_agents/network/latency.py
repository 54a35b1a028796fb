"""The check `latency`: how long it takes to a host and back, how much that varies, and what is lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pipe_agents.findings import Finding, Severity, finding, unavailable
from pipe_agents.network import icmp
from pipe_agents.network.connecting import Connector
from pipe_agents.network.numbers import spread
from pipe_agents.network.probing import Probed, by_connecting, by_echo
from pipe_agents.network.settings import USUAL_PORTS
from pipe_agents.network.targets import Host
from pipe_agents.network.waiting import Stop

NEEDS_ICMP: Final = "CAP_NET_RAW, or a range in the sysctl net.ipv4.ping_group_range that holds this user's group"


def measure(
    host: Host, address: str, ports: Sequence[Mapping[str, Any]], settings: Any, stop: Stop
) -> tuple[dict[str, Any] | None, list[Finding]]:
    """Probe one address. `ports`: what the check `tcp` has found; an open one serves where ICMP is not allowed."""
    findings: list[Finding] = []
    try:
        probed = by_echo(address, settings.probes, settings.interval, settings.timeout, stop)
        if probed.times:
            return _measured(probed), _judged(host, probed, settings.limits)
        silent: Probed | None = probed
    except icmp.NotAllowed as error:
        silent = None
        findings.append(unavailable("latency.icmp", host.name, f"{error}; TCP is used instead", NEEDS_ICMP))
    except OSError as error:
        silent = None
        findings.append(unavailable("latency.icmp", host.name, error.strerror or str(error), "a way to this address"))
    port = _port(address, ports, settings, stop)
    if port is None:
        if silent is not None:
            return _measured(silent), findings + _judged(host, silent, settings.limits)
        why = "no TCP port of it gives an answer either"
        return None, [*findings, unavailable("latency", host.name, why, "a port that answers, under `ports`")]
    probed = by_connecting(address, port, settings.probes, settings.interval, settings.timeout, stop)
    if silent is not None:
        findings.append(_echo_is_silent(host, silent, port))
    return _measured(probed), findings + _judged(host, probed, settings.limits)


def _port(address: str, ports: Sequence[Mapping[str, Any]], settings: Any, stop: Stop) -> int | None:
    """A port that answers, at best one that is open."""
    known = [one for one in ports if one["address"] == address]
    for state in ("open", "refused"):
        for one in known:
            if one["state"] == state:
                return int(one["port"])
    if known:
        return None
    wanted = list(settings.ports[:10]) or list(USUAL_PORTS)
    tried = Connector(settings.concurrency, settings.timeout, stop).run((address, port) for port in wanted)
    answered = sorted(
        (one.state != "open", wanted.index(one.port), one.port) for one in tried if one.seconds is not None
    )
    return answered[0][2] if answered else None


def _measured(probed: Probed) -> dict[str, Any]:
    times = [probed.times[number] for number in sorted(probed.times)]
    return {
        "method": probed.method,
        "address": probed.address,
        "port": probed.port,
        "probes": probed.sent,
        "answers": len(times),
        "refused": probed.refused,
        "unreachable": len(probed.unreachable),
        "duplicates": probed.duplicates,
        "loss_percent": round(100 * probed.lost / probed.sent, 3) if probed.sent else 0.0,
        **spread([1000 * seconds for seconds in times]),
    }


def _judged(host: Host, probed: Probed, limits: Mapping[str, float]) -> list[Finding]:
    measured = _measured(probed)
    how = "echo requests" if probed.method == "icmp" else f"TCP connections to port {probed.port}"
    evidence = {key: value for key, value in measured.items() if value is not None}
    findings = []
    loss = measured["loss_percent"]
    if probed.why is not None:
        evidence["why"] = probed.why
    if loss > limits["loss_percent"] or (loss and not probed.times):
        severity: Severity = "high" if loss >= 20 else "medium" if loss >= 5 else "low"
        words = f"{probed.lost} of {probed.sent} {how} to {host.name} had no answer ({loss:g} %)"
        if probed.why is not None and probed.unreachable:
            words += f": {probed.why}"
        advice = "Measure from another machine to see on which side it is lost, and look at the route (check `route`)."
        if not probed.times and probed.method == "icmp":
            advice = "The host is down, there is no way to it, or a firewall drops echo requests: name a TCP port that "
            advice += "should be open, to tell these apart."
        findings.append(finding("latency.loss", host.name, severity, words, evidence, advice))
    if probed.times and measured["median_ms"] > limits["latency_ms"]:
        findings.append(
            finding(
                "latency.high",
                host.name,
                "medium",
                f"{host.name} answers after {measured['median_ms']:g} ms (median of {len(probed.times)} {how})",
                {**evidence, "threshold_ms": limits["latency_ms"]},
                "Distance, a detour or a full line: compare with the minimum, and with other hosts at the same place.",
            )
        )
    if measured["jitter_ms"] is not None and measured["jitter_ms"] > limits["jitter_ms"]:
        findings.append(
            finding(
                "latency.jitter",
                host.name,
                "low",
                f"the time to {host.name} changes by {measured['jitter_ms']:g} ms from one probe to the next",
                {**evidence, "threshold_ms": limits["jitter_ms"]},
                "A line or machine that is busy: measure longer, with more probes.",
            )
        )
    return findings


def _echo_is_silent(host: Host, probed: Probed, port: int) -> Finding:
    return finding(
        "latency.no_echo",
        host.name,
        "info",
        f"{host.name} answers TCP port {port} but none of {probed.sent} echo requests: something drops ICMP",
        {"probes": probed.sent, "answers": 0, "tcp_port": port},
        "Usual where a firewall drops ICMP; then paths with a smaller MTU fail as well, if all of ICMP is dropped.",
    )
