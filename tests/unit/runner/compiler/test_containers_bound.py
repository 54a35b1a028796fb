"""R2: wrappers of wrappers are looked through once for each word, not once for each way that leads to it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def test_r2_containers_in_containers_cost_no_more_for_each_one_than_a_few(compiled: Callable[[str], Any]) -> None:
    def seconds(count: int) -> float:
        began = time.process_time()
        compiled(f"nodes:\n  a: {{run: '{'docker sudo ' * count} true {{{{ run.id }}}}'}}\n")
        return time.process_time() - began

    seconds(1)
    assert seconds(14) < 20 * seconds(7) + 0.1
