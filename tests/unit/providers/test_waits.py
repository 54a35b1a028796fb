"""A wait that a service asks for is read in every form in which services say it."""

from __future__ import annotations

import pytest
from multidict import CIMultiDict

from pipe_providers.waits import retry_after

NOW = 1_800_000_000.0  # Fri, 15 Jan 2027 08:00:00 GMT


@pytest.mark.parametrize(
    ("headers", "text", "seconds"),
    [
        ({"Retry-After": "7"}, "", 7),
        ({"Retry-After": " 0.5 "}, "", 0.5),
        ({"retry-after": "0"}, "", 0),
        ({"Retry-After": "-5"}, "", 0),
        ({"Retry-After": "Fri, 15 Jan 2027 08:01:30 GMT"}, "", 90),
        ({"Retry-After": "Friday, 15-Jan-27 08:01:30 GMT"}, "", 90),
        ({"Retry-After": "Fri, 15 Jan 2027 07:00:00 GMT"}, "", 0),
        ({"Retry-After": "2027-01-15T08:00:05Z"}, "", 5),
        ({"Retry-After": "1800000042"}, "", 42),
        ({"Retry-After": "1m30s"}, "", 90),
        ({"Retry-After-Ms": "1500"}, "", 1.5),
        ({"retry-after-ms": "250", "retry-after": "9"}, "", 0.25),
        ({"x-ms-retry-after-ms": "100"}, "", 0.1),
        ({"x-ratelimit-reset-requests": "1s"}, "", 1),
        ({"x-ratelimit-reset-requests": "1s", "x-ratelimit-reset-tokens": "6m0s"}, "", 360),
        (
            {
                "x-ratelimit-reset-requests": "1s",
                "x-ratelimit-remaining-requests": "0",
                "x-ratelimit-reset-tokens": "6m0s",
                "x-ratelimit-remaining-tokens": "149984",
            },
            "",
            1,
        ),
        ({"x-ratelimit-reset-tokens": "120ms"}, "", 0.12),
        ({"x-ratelimit-reset-tokens": "1h2m3.5s"}, "", 3723.5),
        ({"x-ratelimit-reset": "1800000042"}, "", 42),
        ({"x-ratelimit-reset": "1800000042000"}, "", 42),
        ({"ratelimit-reset": "13"}, "", 13),
        ({"x-ratelimit-reset": "2027-01-15T08:00:20+00:00"}, "", 20),
        ({}, "Rate limit reached. Please try again in 1.242s. Visit …", 1.242),
        ({}, "Please try again in 20ms.", 0.02),
        ({}, "Please retry after 6 seconds.", 6),
        ({}, "try again in 2 minutes", 120),
        ({}, "Please try again in 6m0s.", 360),
        ({}, "try again in 1m30.5s", 90.5),
        ({}, "Please try again in 1h2m3s.", 3723),
        ({}, "Please retry in 2h", 7200),
        ({}, "wait 7.2 hours", 25920),
        ({}, "try again in 2 hours", 7200),
        ({}, "Try again in 1 hour, 2 minutes and 3 seconds.", 3723),
        ({}, "try again in 1 day", 86400),
        ({}, "please wait 30 before the next call", 30),
        ({}, "try again in " + "9" * 400, None),
        ({"Retry-After": "soon"}, "please retry in 3s", 3),
        ({"Retry-After": "nan"}, "", None),
        ({"Retry-After": "1e400"}, "", None),
        ({"Retry-After": "9" * 400}, "", None),
        ({"Retry-After": "٣"}, "", None),
        ({"x-ratelimit-reset-tokens": ""}, "", None),
        ({}, "no", None),
    ],
)
def test_v2_a_wait_is_read_in_every_form(headers: dict[str, str], text: str, seconds: float | None) -> None:
    found = retry_after(CIMultiDict(headers), text, NOW)
    assert found == (None if seconds is None else pytest.approx(seconds))


def test_a_date_is_held_against_the_service_s_own_clock() -> None:
    headers = {"Date": "Fri, 01 Jan 2010 00:00:00 GMT", "Retry-After": "Fri, 01 Jan 2010 00:00:30 GMT"}
    assert retry_after(CIMultiDict(headers)) == 30


def test_what_the_service_says_at_length_is_read_in_no_time() -> None:
    assert retry_after(CIMultiDict({"Retry-After": "1" * 10**5}), "try again in " * 10**5, NOW) is None
