"""The check `local`: interfaces, routes, name servers, sockets and counters of this machine."""

from __future__ import annotations

import sys
from collections import Counter
from typing import Any, Final

from pipe_agents.findings import Finding, finding, unavailable
from pipe_agents.network import proc, resolvconf
from pipe_agents.network.texts import MOST_ENTRIES, bounded

_PERCENT: Final = 0.1
_FEW: Final = 100
"""Errors below which nothing is said."""
OPS: Final = "pip install 'pipe-runner[ops]'"


def measure() -> tuple[dict[str, Any], list[Finding]]:
    """All of it, and what is wrong with it."""
    findings: list[Finding] = []
    linux = sys.platform.startswith("linux")
    measured: dict[str, Any] = {
        "interfaces": [],
        "routes": None,
        "default_gateways": None,
        "resolv_conf": None,
        "listening": None,
        "listening_count": None,
        "sockets": None,
        "counters": None,
    }
    try:
        import psutil
    except ImportError:
        findings += [
            unavailable(f"local.{what}", "this machine", "the package psutil is not installed", OPS)
            for what in ("interfaces", "sockets")
        ]
    else:
        measured["interfaces"] = _interfaces(psutil)
        _sockets(psutil, measured, findings)
    if linux:
        _linux(measured, findings)
    else:
        why = f"routes and counters are read from /proc, which {sys.platform} does not have"
        findings.append(unavailable("local.routes", "this machine", why, "Linux"))
    conf = resolvconf.read()
    if conf is None:
        findings.append(unavailable("local.resolv_conf", resolvconf.PATH, "it can't be read", "that file"))
    else:
        measured["resolv_conf"] = conf.measured()
        findings += _judge_names(conf)
    return measured, findings + _judge_interfaces(measured["interfaces"])


def _interfaces(psutil: Any) -> list[dict[str, Any]]:
    import socket

    addresses, states = psutil.net_if_addrs(), psutil.net_if_stats()
    traffic = psutil.net_io_counters(pernic=True, nowrap=False) or {}
    found = []
    for name in sorted(set(addresses) | set(states))[:MOST_ENTRIES]:
        state, count = states.get(name), traffic.get(name)
        own = addresses.get(name, ())
        macs = [one.address for one in own if one.family == psutil.AF_LINK]
        speed = getattr(state, "speed", 0)
        found.append(
            {
                "name": bounded(name, 60),
                "up": bool(state and state.isup),
                "addresses": [
                    _with_length(one.address, one.netmask)
                    for one in own
                    if one.family in (socket.AF_INET, socket.AF_INET6)
                ][:100],
                "mac": bounded(macs[0], 60) if macs else None,
                "speed_mbit": speed if 0 < speed < 10_000_000 else None,
                "mtu": getattr(state, "mtu", None),
                "received_bytes": getattr(count, "bytes_recv", None),
                "sent_bytes": getattr(count, "bytes_sent", None),
                "received_packets": getattr(count, "packets_recv", None),
                "sent_packets": getattr(count, "packets_sent", None),
                "receive_errors": getattr(count, "errin", None),
                "send_errors": getattr(count, "errout", None),
                "receive_drops": getattr(count, "dropin", None),
                "send_drops": getattr(count, "dropout", None),
            }
        )
    return found


def _with_length(address: str, mask: str | None) -> str:
    from ipaddress import ip_address

    plain = address.partition("%")[0]
    if not mask:
        return bounded(plain, 60)
    try:
        return f"{plain}/{bin(int(ip_address(mask))).count('1')}"
    except ValueError:
        return bounded(plain, 60)


def _sockets(psutil: Any, measured: dict[str, Any], findings: list[Finding]) -> None:
    try:
        connections = psutil.net_connections(kind="inet")
    except (psutil.Error, OSError) as error:
        why = bounded(str(error) or type(error).__name__, 200)
        findings.append(unavailable("local.sockets", "this machine", why, "the rights to list sockets, as root has"))
        return
    states = Counter(one.status for one in connections if one.type == 1)
    measured["sockets"] = {name.lower(): count for name, count in sorted(states.items())}
    waiting: dict[tuple[str, str, int], int | None] = {}
    for one in connections:
        tcp = one.type == 1
        if not one.laddr or (one.status != "LISTEN" if tcp else one.raddr):
            continue
        key = ("tcp" if tcp else "udp", str(one.laddr[0]), int(one.laddr[1]))
        if key not in waiting or waiting[key] is None:
            waiting[key] = one.pid
    measured["listening_count"] = len(waiting)
    names: dict[int, str | None] = {}
    measured["listening"] = [
        {
            "protocol": protocol,
            "address": address,
            "port": port,
            "pid": waiting[(protocol, address, port)],
            "process": _process(psutil, waiting[(protocol, address, port)], names),
        }
        for protocol, address, port in sorted(waiting)[:MOST_ENTRIES]
    ]
    blind = sum(pid is None for pid in waiting.values())
    if blind:
        findings.append(
            unavailable(
                "local.owners",
                "listening sockets",
                f"{blind} of {len(waiting)} listening sockets show no process: it is "
                + ("the kernel's or another container's" if _is_root() else "another user's"),
                "to run where those processes are" if _is_root() else "root",
            )
        )


def _is_root() -> bool:
    import os

    return hasattr(os, "geteuid") and os.geteuid() == 0


def _process(psutil: Any, pid: int | None, names: dict[int, str | None]) -> str | None:
    if pid is None:
        return None
    if pid not in names:
        try:
            names[pid] = bounded(psutil.Process(pid).name(), 100)
        except (psutil.Error, OSError):
            names[pid] = None
    return names[pid]


def _linux(measured: dict[str, Any], findings: list[Finding]) -> None:
    ipv4, ipv6 = proc.text_of("/proc/net/route"), proc.text_of("/proc/net/ipv6_route")
    if ipv4 is None and ipv6 is None:
        findings.append(unavailable("local.routes", "this machine", "/proc/net can't be read", "/proc/net"))
    else:
        measured["routes"] = proc.routes(ipv4, ipv6)
        default = [route for route in measured["routes"] if route["destination"] in ("0.0.0.0/0", "::/0")]
        gateways = [f"{route['gateway'] or 'direct'} ({route['interface']})" for route in default]
        measured["default_gateways"] = gateways
        if not default:
            findings.append(
                finding(
                    "local.no_default_route",
                    "this machine",
                    "medium",
                    "this machine has no default route: only its own networks can be reached",
                    {"routes": len(measured["routes"]), "default_routes": 0},
                    "Fine for a container without network; else bring the interface up, or add a route by a gateway.",
                )
            )
    counted = proc.counters(proc.text_of("/proc/net/snmp"), proc.text_of("/proc/net/netstat"))
    measured["counters"] = counted or None
    findings += _judge_counters(counted)
    findings += _judge_tables(
        proc.number_of("/proc/sys/net/netfilter/nf_conntrack_count"),
        proc.number_of("/proc/sys/net/netfilter/nf_conntrack_max"),
        (measured["sockets"] or {}).get("time_wait", 0),
        proc.text_of("/proc/sys/net/ipv4/ip_local_port_range", 100),
    )


def _judge_names(conf: resolvconf.ResolvConf) -> list[Finding]:
    if not conf.nameservers:
        return [
            finding(
                "local.no_nameserver",
                resolvconf.PATH,
                "medium",
                f"{resolvconf.PATH} names no name server: names are looked up on this machine itself",
                {"nameservers": 0},
                "Name one, unless a resolver runs on this machine.",
            )
        ]
    if len(conf.nameservers) > resolvconf.USED:
        return [
            finding(
                "local.nameservers",
                resolvconf.PATH,
                "low",
                f"{resolvconf.PATH} names {len(conf.nameservers)} name servers, of which {resolvconf.USED} are used",
                {"nameservers": list(conf.nameservers[:20]), "used": resolvconf.USED},
                "Take out those that are not needed.",
            )
        ]
    return []


def _judge_interfaces(interfaces: list[dict[str, Any]]) -> list[Finding]:
    findings = []
    for one in interfaces:
        for way, packets in (("receive", "received_packets"), ("send", "sent_packets")):
            bad, all_ = one[f"{way}_errors"], one[packets]
            if bad and all_ and bad >= _FEW and 100 * bad / all_ >= _PERCENT:
                percent = round(100 * bad / all_, 3)
                findings.append(
                    finding(
                        "local.errors",
                        one["name"],
                        "medium",
                        f"{percent:g} % of what {one['name']} {way}s had errors, since it came up",
                        {f"{way}_errors": bad, packets: all_, "percent": percent},
                        "A cable, a plug, a wrong duplex setting or a driver: see `ethtool -S`.",
                    )
                )
            lost = one[f"{way}_drops"]
            if lost and all_ and lost >= _FEW and 100 * lost / (all_ + lost) >= 1:
                percent = round(100 * lost / (all_ + lost), 3)
                findings.append(
                    finding(
                        "local.drops",
                        one["name"],
                        "low",
                        f"{percent:g} % of what {one['name']} {way}s was dropped, since it came up",
                        {f"{way}_drops": lost, packets: all_, "percent": percent},
                        "Small buffers, a busy machine, or packets that nobody here wants: see whether it grows.",
                    )
                )
    return findings


def _judge_counters(counted: dict[str, int]) -> list[Finding]:
    sent, again = counted.get("segments_sent", 0), counted.get("segments_sent_again", 0)
    if sent < 10_000 or 100 * again / sent < 5:
        return []
    percent = round(100 * again / sent, 2)
    return [
        finding(
            "local.retransmits",
            "tcp",
            "low",
            f"{percent:g} % of the TCP segments that this machine sent were sent again, since it started",
            {"segments_sent": sent, "segments_sent_again": again, "percent": percent},
            "Packets are lost somewhere: measure loss to the hosts that matter.",
        )
    ]


def _judge_tables(tracked: int | None, most: int | None, time_wait: int, ports: str | None) -> list[Finding]:
    findings = []
    if tracked is not None and most and tracked >= 0.9 * most:
        findings.append(
            finding(
                "local.conntrack",
                "nf_conntrack",
                "high",
                f"the firewall tracks {tracked} of at most {most} connections: new ones are dropped when it is full",
                {"count": tracked, "max": most, "percent": round(100 * tracked / most, 1)},
                "Raise net.netfilter.nf_conntrack_max, and find out who opens so many.",
            )
        )
    range_ = [int(part) for part in (ports or "").split() if part.isdecimal() and part.isascii()]
    if len(range_) == 2 and range_[1] >= range_[0]:
        free = range_[1] - range_[0] + 1
        if time_wait >= 0.8 * free:
            findings.append(
                finding(
                    "local.ports",
                    "tcp",
                    "medium",
                    f"{time_wait} sockets are in TIME_WAIT, of {free} ports that connections from here can have",
                    {"time_wait": time_wait, "ports": free},
                    "Use connections again (keep-alive, a pool), or widen net.ipv4.ip_local_port_range.",
                )
            )
    return findings
