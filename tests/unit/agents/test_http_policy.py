"""Which addresses the http agent may reach."""

from __future__ import annotations

import asyncio
from ipaddress import ip_address
from typing import Any

import pytest

from pipe_agents.http import HttpAgent
from pipe_agents.http_network import CheckedNetwork
from pipe_agents.http_policy import HttpRules, Reach, literal, reach_of
from pipe_agents.threads import Threads
from pipe_runner.errors import NodeFault
from pipe_runner.types import ErrorKind

PUBLIC = """
1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.1 168.63.129.15
169.253.255.255 169.255.0.0 172.15.255.255 172.32.0.0 191.255.255.255 192.0.1.0 192.0.3.0 192.167.255.255 192.169.0.0
198.17.255.255 198.20.0.0 198.51.99.255 203.0.112.255 203.0.114.0 223.255.255.255
2606:4700:4700::1111 2001:4860:4860::8888 2a00:1450:4001::1 2400:cb00::1 3ffe::1
::ffff:8.8.8.8 64:ff9b::8.8.8.8 2002:0808:0808::1
"""
LOOPBACK = "127.0.0.1 127.0.0.53 127.255.255.254 ::1 ::ffff:127.0.0.1 ::ffff:7f00:1"
PRIVATE = """
10.0.0.0 10.255.255.255 172.16.0.1 172.31.255.255 192.168.0.1 192.168.255.255 100.64.0.1 100.127.255.255
100.100.100.200 192.0.0.1 192.0.0.192 192.0.2.1 192.88.99.1 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.7
fc00::1 fd00:ec2::254 fdff::1 2001:db8::1 2001::1 2001:0:4136:e378:8000:63bf:3fff:fdd2 2001:10::1 3fff::1
64:ff9b:1::8.8.8.8 64:ff9b:1::10.0.0.1 ::ffff:10.0.0.1 ::ffff:192.168.1.1 64:ff9b::10.0.0.1 64:ff9b::127.0.0.1
2002:0a00:0001::1 2002:7f00:0001::1 2002:c0a8:0101:: ::ffff:0:10.0.0.1 ::10.0.0.1 ::127.0.0.1
2a00:1450:4001::5efe:10.0.0.1 2a00:1450:4001::200:5efe:192.168.0.1
"""
LINK_LOCAL = """
169.254.169.254 169.254.0.1 169.254.170.2 168.63.129.16 fe80::1 febf::1 ::ffff:169.254.169.254 64:ff9b::169.254.169.254
2002:a9fe:a9fe::1 ::169.254.169.254 2a00:1450:4001::5efe:169.254.169.254 fe80::5efe:8.8.8.8
"""
NEVER = """
0.0.0.0 0.0.0.1 0.255.255.255 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255 :: ff02::1 ff0e::1 ::ffff:0.0.0.0
::ffff:224.0.0.1 64:ff9b::0.0.0.0 2002:0000:0000::1 2002:e000:0001::1 100::1 4000::1 5f00::1 8000::1 e000::1 fec0::1
0200::1 1fff::1
"""
TABLE = [
    (address, reach)
    for reach, addresses in (
        (Reach.PUBLIC, PUBLIC),
        (Reach.LOOPBACK, LOOPBACK),
        (Reach.PRIVATE, PRIVATE),
        (Reach.LINK_LOCAL, LINK_LOCAL),
        (Reach.NEVER, NEVER),
    )
    for address in addresses.split()
]


@pytest.mark.parametrize(("address", "reach"), TABLE)
def test_every_address_is_known_for_what_it_leads_to(address: str, reach: Reach) -> None:
    assert reach_of(ip_address(address)) is reach


@pytest.mark.parametrize(("address", "reach"), TABLE)
def test_s3_without_policy_only_public_addresses_and_loopback_are_reached(address: str, reach: Reach) -> None:
    allowed = HttpRules().refusal("example.com", ip_address(address)) is None
    assert allowed == (reach in (Reach.PUBLIC, Reach.LOOPBACK))


@pytest.mark.parametrize(("address", "reach"), TABLE)
def test_s3_a_public_redirect_reaches_public_addresses_only(address: str, reach: Reach) -> None:
    allowed = HttpRules().refusal("example.com", ip_address(address), redirected_from_public=True) is None
    assert allowed == (reach is Reach.PUBLIC)


@pytest.mark.parametrize("address", NEVER.split())
def test_no_policy_allows_what_is_no_unicast_address(address: str) -> None:
    rules = HttpRules.parse({"http": {"allow": ["0.0.0.0/0", "::/0", "example.com", "*.com"]}})
    assert rules.refusal("example.com", ip_address(address)) is not None


def rules(*allow: str) -> HttpRules:
    return HttpRules.parse({"http": {"allow": list(allow)}})


@pytest.mark.parametrize(
    ("allow", "host", "address", "allowed"),
    [
        ("10.0.0.0/8", "x", "10.1.2.3", True),
        ("10.0.0.0/8", "x", "::ffff:10.1.2.3", True),
        ("10.0.0.0/8", "x", "11.0.0.1", True),
        ("10.0.0.0/8", "x", "192.168.0.1", False),
        ("10.1.2.3", "x", "10.1.2.3", True),
        ("10.1.2.3", "x", "10.1.2.4", False),
        ("fd00::/8", "x", "fd12::1", True),
        ("[fd12::1]", "x", "fd12::1", True),
        ("169.254.169.254", "x", "169.254.169.254", True),
        ("build.internal", "build.internal", "10.0.0.1", True),
        ("build.internal", "BUILD.internal.", "10.0.0.1", True),
        ("build.internal", "evil.build.internal", "10.0.0.1", False),
        ("build.internal", "build.internal.evil.com", "10.0.0.1", False),
        ("build.internal", "build.internal", "169.254.169.254", False),
        ("*.internal", "build.internal", "192.168.3.4", True),
        ("*.internal", "a.b.internal", "192.168.3.4", True),
        ("*.internal", "internal", "192.168.3.4", False),
        ("*.internal", "xinternal", "192.168.3.4", False),
        ("*.internal", "x", "192.168.3.4", False),
    ],
)
def test_policy_allows_networks_and_names(allow: str, host: str, address: str, allowed: bool) -> None:
    assert (rules(allow).refusal(host, ip_address(address)) is None) == allowed


@pytest.mark.parametrize(
    "policy",
    [
        {"http": []},
        {"http": {"allowed": []}},
        {"http": {"allow": "10.0.0.0/8"}},
        {"http": {"allow": [10]}},
        {"http": {"allow": ["10.0.0.0/99"]}},
        {"http": {"allow": ["https://example.com"]}},
        {"http": {"allow": ["ex ample"]}},
        {"http": {"allow": ["bücher.example"]}},
        {"http": {"allow": [""]}},
        {"http": {"allow": ["*"]}},
        {"http": {"proxy": 3}},
    ],
)
def test_a_policy_of_another_shape_refuses_instead_of_being_guessed(policy: dict[str, Any]) -> None:
    with pytest.raises(NodeFault) as caught:
        HttpRules.parse(policy)
    assert caught.value.kind is ErrorKind.REFUSED
    assert "pipe.yml" in caught.value.message


def test_a_policy_that_says_nothing_of_http_is_the_default() -> None:
    assert HttpRules.parse({}) == HttpRules.parse({"http": None}) == HttpRules()


UNUSUAL = """
2130706433 0x7f000001 0x7f.1 127.1 127.0.1 010.0.0.1 0177.0.0.1 1.2.3.4. 1.2.3.256 1.2.3.4.5 example.123 example.0x1f 0x
fe80::1%eth0 ::1%1 fe80::1%25lo
"""


@pytest.mark.parametrize("host", UNUSUAL.split())
def test_s3_addresses_in_unusual_forms_are_refused(host: str) -> None:
    with pytest.raises(NodeFault) as caught:
        literal(host)
    assert caught.value.kind is ErrorKind.REFUSED


@pytest.mark.parametrize("host", ["example.com", "localhost", "1password.com", "a.0x1g", "xn--9ca.com", "3.example"])
def test_names_are_no_addresses(host: str) -> None:
    assert literal(host) is None


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "::ffff:1.2.3.4"])
def test_addresses_in_their_usual_form_are_addresses(host: str) -> None:
    assert str(literal(host)) == str(ip_address(host))


@pytest.mark.parametrize(
    ("url", "policy", "told"),
    [
        ("http://10.0.0.7/", {}, "10.0.0.7 is a private address, which is not reached"),
        ("http://[::ffff:10.0.0.7]/", {}, "[::ffff:10.0.0.7] is a private address, which is not reached"),
        ("http://10.0.0.7/", {"http": {"allow": ["10.0.0.0/8"]}}, None),
        ("http://10.0.0.7/", {"http": {"proxy": "http://proxy.example:3128"}}, None),
        ("http://internal.example/", {}, None),
        ("http://127.0.0.1/", {}, None),
        ("http://[::1/", {}, None),
        ("http://10.0.0.7/", {"http": 3}, None),
    ],
)
def test_what_is_refused_is_known_before_the_run_where_the_url_has_an_address(
    url: str, policy: dict[str, Any], told: str | None
) -> None:
    assert HttpAgent().refusal({"url": url}, policy) == told


@pytest.mark.parametrize("host", ["10.0.0.7", "::ffff:10.0.0.7", "::ffff:a00:7", "fd00:0::1"])
def test_what_is_refused_in_the_run_is_told_in_the_same_words(host: str) -> None:
    shown = f"[{host}]" if ":" in host else host
    network = CheckedNetwork(HttpRules(), Threads("t"), redirected_from_public=False, trusted=False)
    with pytest.raises(NodeFault) as caught:
        asyncio.run(network.connect_tcp(host, 80))
    assert caught.value.message.partition(";")[0] == HttpAgent().refusal({"url": f"http://{shown}/"}, {})
