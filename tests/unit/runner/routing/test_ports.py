"""Ports that a task names: with a host or without one, in ranges, and such as there are none."""

from __future__ import annotations

from typing import Any

import pytest

from pipe_runner.registry import Registry
from pipe_runner.routing import cards_of
from pipe_runner.routing.entities import entities, of_role
from pipe_runner.routing.scores import given, scored

CARDS = cards_of(Registry.installed())


@pytest.mark.parametrize(
    ("task", "ports"),
    [
        ("is port 1 open", [1]),
        ("is port 22 open", [22]),
        ("connection refused to redis on 6379", [6379]),
        ("what listens on 8080 here", [8080]),
        ("are ports 80 and 443 open", [80, 443]),
    ],
)
def test_a_port_without_a_host_is_one_of_this_machine(task: str, ports: list[int]) -> None:
    best, *_ = scored(task, CARDS).chosen(1)
    assert best.agent == "network_diagnostics"
    assert (best.options["host"], best.options["ports"]) == ("localhost", ports)
    assert best.unseen == ()
    assert "localhost" in best.why


def test_without_a_port_no_host_is_made_up() -> None:
    best, *_ = scored("dns is broken", CARDS).chosen(1)
    assert "host" not in best.options


@pytest.mark.parametrize(
    ("task", "ports"),
    [
        ("are ports 80, 443 and 8080-8090 open on web01", ["80", "443", "8080-8090"]),
        ("ports 8000 to 8010 of db.internal", ["8000-8010"]),
        ("port 22 or 2222", ["22", "2222"]),
        ("ports 1\u20131024 on 10.0.0.1", ["1-1024"]),
        ("ports 80/443", ["80", "443"]),
        ("ports 80 through 90", ["80-90"]),
        ("port range 8000-8010 on db.internal", ["8000-8010"]),
        ("3 ports open on 10.0.0.1 port 22", ["22"]),
    ],
)
def test_ranges(task: str, ports: list[str]) -> None:
    assert of_role(entities(task)[0], "ports") == ports


def test_a_range_is_asked_for_as_one() -> None:
    best, *_ = scored("are ports 80, 443 and 8080-8090 open on web01", CARDS).chosen(1)
    assert best.options["ports"] == [80, 443, "8080-8090"]


@pytest.mark.parametrize(
    ("task", "wrong"),
    [
        ("can we reach localhost:99999", "99999"),
        ("is port 70000 open on web01", "70000"),
        ("is port 0 open", "0"),
        ("is https://shop.example.com:80800/ up", "80800"),
        ("are ports 9000-8000 open", "9000-8000"),
        ("are ports 80-70000 open", "80-70000"),
        ("reach 10.0.0.1:65536", "65536"),
        ("reach [2001:db8::1]:65536", "65536"),
    ],
)
@pytest.mark.parametrize("named", [False, True])
def test_what_is_no_port_is_said_and_nothing_else_looked_at(task: str, wrong: str, named: bool) -> None:
    routing: Any = given(task, CARDS, ["network_diagnostics"]) if named else scored(task, CARDS)
    assert routing.chosen(4) == ()
    assert f"{wrong} is no port" in routing.refusal()
    assert "65535" in routing.refusal()


@pytest.mark.parametrize(
    "task", ["load at 99999 requests", "is 10.0.0.1 up for 99999 seconds", "errors on 70000 hosts"]
)
def test_a_large_number_that_is_called_no_port_is_none(task: str) -> None:
    assert "is no port" not in scored(task, CARDS).refusal()
    assert of_role(entities(task)[0], "ports") == []
