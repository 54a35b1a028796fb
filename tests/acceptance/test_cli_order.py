"""`latest` and `pipe runs` after the clock was set back."""

from __future__ import annotations

import json
import os
import time
from typing import Any


def test_c3_latest_is_the_run_that_began_last_after_the_clock_was_set_back(pipe: Any) -> None:
    pipe.write("f.yml", "version: 1\nnodes: {a: {run: 'true'}}\n")
    runs = pipe.folder / ".pipe" / "runs"
    ahead = time.time() + 3600
    assert pipe("run", "f.yml", "--run-id", "z").returncode == 0
    os.utime(runs, (ahead, ahead))  # as where z was made an hour from now
    for run in ("y", "b", "x"):
        assert pipe("run", "f.yml", "--run-id", run).returncode == 0
        assert json.loads(pipe("show", "latest", "--output", "json").stdout)["run"] == run
    listed = json.loads(pipe("runs", "--output", "json").stdout)
    assert [one["run"] for one in listed] == ["x", "b", "y", "z"]
    assert "order" not in listed[0]
    started = [json.loads((runs / run / "log.jsonl").read_text().splitlines()[0]) for run in ("z", "y", "b", "x")]
    orders = [event.get("order") for event in started]
    assert orders[0] is None and orders[1:] == sorted(orders[1:])
    assert all(event["ts"] < order for event, order in zip(started[1:], orders[1:], strict=True))
    os.unlink(pipe.folder / ".pipe" / "index.db")
    assert json.loads(pipe("runs", "--output", "json").stdout) == listed
