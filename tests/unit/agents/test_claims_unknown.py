"""What could not be measured: a claim that rests on it holds only where it says just that."""

from __future__ import annotations

import pytest

from pipe_agents.claims import held
from pipe_agents.findings import finding, unavailable

DISK = finding("disk.full", "/var", "critical", "/var is 97.3 % full", {"used_percent": 97.3})
BLIND = unavailable("containers", "docker", "there is no socket", "docker")
BY_ID = {one["id"]: one for one in (DISK, BLIND)}
D, U = BY_ID

HOLDS = [
    ("Containers could not be looked at.", [U]),
    ("It is unknown whether the containers are healthy.", [U]),
    ("Docker was not measured, because there is no socket.", [U]),
    ("Nothing is known about the containers.", [U]),
    ("The state of the containers can't be determined without docker.", [U]),
    ("No containers could be checked.", [U]),
    ("There is no data on containers.", [U]),
    ("The disk is full, and containers could not be checked.", [D, U]),
]

FAILS = [
    ("All containers are healthy, there is no problem with them.", [U]),
    ("There are no unhealthy containers.", [U]),
    ("Containers are fine, not the cause.", [U]),
    ("No containers are failing.", [U]),
    ("Containers could not be looked at, but they are healthy.", [U]),
    ("Containers are not the cause, although they were not checked.", [U]),
    ("Containers were not measured and keep crashing.", [U]),
    ("Containers are not running.", [U]),
    ("Docker cannot start.", [U]),
    ("Containers run without problems.", [U]),
    ("No issue with containers is known.", [U]),
    ("Unknown containers are running.", [U]),
    ("Could containers be the cause? They are not.", [U]),
    ("It is not known to fail.", [U]),
    ("The disk is full, and all containers are healthy.", [D, U]),
    ("Crashing containers could not be looked at.", [U]),
    ("Containers could not be checked; there is no load.", [U]),
    ("The disk is full, and containers are crashing.", [D, U]),
]


@pytest.mark.parametrize(("text", "ids"), HOLDS)
def test_what_says_just_that_is_supported(text: str, ids: list[str]) -> None:
    assert held({"text": text, "findings": ids}, BY_ID)["doubt"] is None


@pytest.mark.parametrize(("text", "ids"), FAILS)
def test_what_says_more_is_marked(text: str, ids: list[str]) -> None:
    assert "could not be measured" in str(held({"text": text, "findings": ids}, BY_ID)["doubt"])
