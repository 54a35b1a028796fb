"""A model's claims are held against the findings that they name."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipe_agents.claims import held
from pipe_agents.findings import finding, unavailable

FOUND = [
    finding(
        "disk.full",
        "/var",
        "critical",
        "/var is 97.3 % full",
        {"used_percent": 97.3, "free_bytes": 2_147_483_648, "inodes": 12_345, "share": 0.412},
        "Free space below /var/log",
    ),
    finding(
        "tls.expired",
        "shop.example:443",
        "high",
        "the certificate expired 3 days ago",
        {"expired_days": 3, "not_after": "2026-11-25T00:00:00Z", "handshake_ms": 12.4, "names": ["shop.example"]},
    ),
    finding("service.restarts", "app.service", "medium", "app.service restarted 12 times", {"by_code": {"137": 12}}),
    unavailable("temperature", "cpu", "there is no sensor", "a sensor"),
]
FOUND.append(finding("x.y", "z", "medium", "more"))
BY_ID = {one["id"]: one for one in FOUND}
DISK, TLS, APP, TEMPERATURE, _ = BY_ID


def doubt(text: str, *ids: str) -> str | None:
    claim = held({"text": text, "findings": list(ids)}, BY_ID)
    assert claim["supported"] is (claim["doubt"] is None)
    found: str | None = claim["doubt"]
    return found


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("The file system /var is nearly full, at 97 %.", [DISK]),
        ("/var is 97.3% full, with 2 GB left.", [DISK]),
        ("About 2,147 MB are free on /var.", [DISK]),
        ("2.1 GB or 2 GiB are free.", [DISK]),
        ("2147483648 bytes are free, and 12,345 inodes.", [DISK]),
        ("A share of 41 % is used.", [DISK]),
        ("The certificate of shop.example expired 3 days ago, on 2026-11-25.", [TLS]),
        ("It expired 72 hours ago.", [TLS]),
        ("The handshake took 12 ms, 0.0124 s to be exact.", [TLS]),
        ("Port 443 of shop.example shows an old certificate.", [TLS]),
        ("app.service restarted 12 times with code 137.", [APP]),
        ("Both of these 2 findings matter.", [DISK, TLS]),
        ("There are 2 medium ones, and 3 in all.", [APP, DISK, "x.y:z"]),
        ("The temperature could not be measured.", [TEMPERATURE]),
        ("The disk fills up.", [DISK]),
        ("Free space below /var/log first.", [DISK]),
    ],
)
def test_what_findings_say_is_supported(text: str, ids: list[str]) -> None:
    assert doubt(text, *ids) is None


@pytest.mark.parametrize(
    ("text", "ids", "why"),
    [
        ("The disk is full.", [], "it names no finding"),
        ("The disk is full.", ["disk.full:/"], "there is no finding disk.full:/"),
        ("The disk is full.", [DISK, "x"], "there is no finding x"),
        ("/var is 98 % full.", [DISK], "no finding that it names has the number 98 %"),
        ("/var is 99.9 % full.", [DISK], "has the number 99.9 %"),
        ("3 GB are left.", [DISK], "has the number 3 GB"),
        ("2 TB are left.", [DISK], "has the number 2 TB"),
        ("It expired 4 days ago.", [TLS], "has the number 4 days"),
        ("It expired 3 weeks ago.", [TLS], "has the number 3 weeks"),
        ("It expired on 2026-11-24.", [TLS], "has the number 2026-11-24"),
        ("The handshake took 12 s.", [TLS], "has the number 12 s"),
        ("It restarted 400 times.", [APP], "has the number 400"),
        ("The certificate of db.example expired.", [TLS], "is about db.example"),
        ("10.0.0.7 refuses.", [TLS], "is about 10.0.0.7"),
        ("nginx.service is down.", [APP], "is about nginx.service"),
        ("/home is full.", [DISK], "is about /home"),
        ("app.service can't write.", [DISK], "is about app.service"),
        ("The CPU is cool.", [TEMPERATURE], "could not be measured"),
    ],
)
def test_what_no_finding_says_is_marked_with_the_reason(text: str, ids: list[str], why: str) -> None:
    assert why in str(doubt(text, *ids))


def test_a_claim_is_bounded_and_names_each_finding_once() -> None:
    claim = held({"text": "x" * 5000, "findings": [DISK] * 500}, BY_ID)
    assert (len(claim["text"]), claim["findings"]) == (1000, [DISK])


@given(st.integers(1, 10**12))
def test_a_number_is_its_own_rounding(number: int) -> None:
    one = finding("a.b", "x", "low", "s", {"free_bytes": number})
    for text in (
        f"{number} bytes",
        f"{number:,} bytes",
        f"{number}",
        f"{number / 1e9:.1f} GB" if number > 10**9 else "x",
    ):
        claim: Any = held({"text": f"There are {text} left.", "findings": [one["id"]]}, {one["id"]: one})
        assert claim["supported"], (number, text, claim)


@given(st.text(max_size=60))
def test_any_text_is_held_against_findings(text: str) -> None:
    claim = held({"text": text, "findings": [DISK]}, BY_ID)
    assert isinstance(claim["supported"], bool)


@pytest.mark.parametrize("text", ["All is fine.", "There are no problems.", "The sensor is healthy."])
def test_a_summary_of_nothing_measured_tells_nothing_as_fine(text: str) -> None:
    blind = {TEMPERATURE: BY_ID[TEMPERATURE]}
    assert not held({"text": text, "findings": [TEMPERATURE]}, blind, of_all=True)["supported"]
    said = {"text": "The temperature could not be measured.", "findings": [TEMPERATURE]}
    assert held(said, blind, of_all=True)["supported"]
