"""Why a result was not found, in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipe_runner.resultcache.entries import Entries, Entry
from pipe_runner.resultcache.key import Parts
from pipe_runner.resultcache.misses import Misses

PARTS = Parts("", "r", "n", "shell 1", "", {}, {}, {})


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (1e9 - 60, "its cached result, of 2001-09-09 01:45:40 UTC, is older than its ttl"),
        (1e9 + 20, "its cached result, of 2001-09-09 01:47:00 UTC, was made later than now by this machine's clock"),
        (1e300, "its cached result, of a time that no calendar has, was made later than now by this machine's clock"),
    ],
)
def test_a_result_that_does_not_count_any_more_says_why(tmp_path: Path, made: float, why: str) -> None:
    entry = Entry(PARTS.digest(), PARTS, "p.yml", "n", "run1", made)
    assert Misses(Entries(tmp_path), "").why("p.yml", "n", PARTS, entry, 1e9) == why
