"""The campaign of kills: what was durable stays, nothing is done twice, no process remains."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]

pytestmark = [
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the campaign looks into /proc"),
    pytest.mark.skipif(shutil.which("flock") is None, reason="the campaign's nodes use flock(1)"),
]


def campaign(kills: int) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "bench.kills", "--kills", str(kills), "--json"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout, done.stderr
    figures: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == 0, f"{figures}\n{done.stderr}"
    return figures


@pytest.mark.timeout(300)
def test_d1_d3_d4_x2_d8_ten_kills_at_random_instants() -> None:
    figures = campaign(10)
    assert figures["kills"] == 10
    assert figures["longest_until_all_was_gone_s"] < 5


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_d1_d3_d4_x2_d8_three_hundred_kills_at_random_instants() -> None:
    figures = campaign(300)
    assert figures["kills"] == 300
    assert figures["durable_when_killed"] > 0
    assert figures["interrupted_attempts"] > 0
