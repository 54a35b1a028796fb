"""Where no level can be read, lines that speak of failures are not told as fine."""

from __future__ import annotations

from pathlib import Path

import pytest
from logs_reading import findings

LINE = "2026-03-01 12:00:0{} host app[12]: {}\n"


@pytest.mark.parametrize("said", ["error request failed", "… failed to connect to db", "connection refused by peer"])
def test_lines_without_a_level_that_speak_of_failures_are_told_as_an_estimate(tmp_path: Path, said: str) -> None:
    (tmp_path / "a.log").write_text("".join(LINE.format(second, said) for second in range(3)))
    found = findings(tmp_path, paths=["a.log"])
    assert set(found) == {"logs.words:all"}
    one = found["logs.words:all"]
    assert (one["severity"], one["status"], one["evidence"]["entries"]) == ("low", "estimated", 3)
    assert one["evidence"]["file"].endswith("a.log") and said in one["evidence"]["example"]


@pytest.mark.parametrize("said", ["request done", "no failures were seen"])
def test_lines_that_speak_of_none_are_fine(tmp_path: Path, said: str) -> None:
    (tmp_path / "a.log").write_text("".join(LINE.format(second, said) for second in range(3)))
    assert findings(tmp_path, paths=["a.log"]) == {}
