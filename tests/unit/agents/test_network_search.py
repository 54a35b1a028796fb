"""`network_diagnostics`: names are asked for with the domains of `search` in the order in which the C library asks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from dns_server import DnsServer

from pipe_agents.network.naming import Asker, Heard
from pipe_agents.network.resolvconf import parse
from pipe_agents.network.targets import Resolver
from pipe_agents.network.waiting import Stop

ZONE: dict[str, Any] = {
    "web.b.test": {"A": ["10.1.0.1"]},
    "db.prod.corp.test": {"A": ["10.1.0.2"]},
    "app.test": {"A": ["10.1.0.3"], "AAAA": ["fd00::3"]},
    "app.test.corp.test": {"A": ["10.1.0.4"]},
}


@pytest.fixture
def server() -> Iterator[DnsServer]:
    made = DnsServer(ZONE)
    yield made
    made.close()


def heard(server: DnsServer, name: str, conf: str, origin: str = "system") -> Heard:
    stop = Stop()
    try:
        asker = Asker(2.0, stop, parse(conf))
        resolver = Resolver("127.0.0.1", server.port, origin)
        return asker.ask_all([name], [resolver], lambda _: ["A", "AAAA"])[name]
    finally:
        stop.leave()


@pytest.mark.parametrize(
    ("name", "conf", "names"),
    [
        ("web", "search a.test b.test", ["web.a.test", "web.b.test", "web"]),
        ("a.b", "search a.test b.test", ["a.b", "a.b.a.test", "a.b.b.test"]),
        ("a.b", "search a.test\noptions ndots:2", ["a.b.a.test", "a.b"]),
        ("a.b.c", "search a.test\noptions ndots:2", ["a.b.c", "a.b.c.a.test"]),
        ("a.b", "nameserver 10.0.0.1", ["a.b"]),
    ],
)
def test_the_order_is_that_of_the_c_library(name: str, conf: str, names: list[str]) -> None:
    assert parse(conf).names(name) == names


def test_a_name_with_dots_is_found_with_a_domain_where_it_is_not_there_as_it_is(server: DnsServer) -> None:
    found = heard(server, "db.prod", "search a.test corp.test")
    assert found.addresses == ("10.1.0.2",)
    assert {one.name for said in found.answers.values() for one in said} == {"db.prod.corp.test"}


def test_a_name_that_is_there_as_it_is_is_asked_for_with_no_domain(server: DnsServer) -> None:
    assert heard(server, "app.test", "search corp.test").addresses == ("10.1.0.3", "fd00::3")


def test_a_name_that_is_nowhere_is_said_not_to_exist_as_it_was_written(server: DnsServer) -> None:
    for name, conf in (("no.where", "search a.test corp.test"), ("nowhere", "search a.test")):
        found = heard(server, name, conf)
        assert {(one.status, one.name) for said in found.answers.values() for one in said} == {("nxdomain", name)}


def test_a_resolver_that_the_options_name_is_asked_for_the_name_alone(server: DnsServer) -> None:
    assert heard(server, "db.prod", "search corp.test", "option").addresses == ()
