"""A field that isn't what it has to be is damage, whoever reads the log, also where each checksum is right (D6)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest

from pipe_runner.errors import LogDamaged
from pipe_runner.ports import Event
from pipe_runner.runlog import follow
from pipe_runner.runlog.lines import encode_line
from pipe_runner.runlog.reader import fold_log
from pipe_runner.runlog.shapes import _EVENTS, _PARTS, MOST_DOLLARS
from pipe_runner.spent import COUNTED, MOST
from pipe_runner.stores.scan import DAMAGED, summarise
from pipe_schemas.events import AnyEvent

TS = "2026-11-24T00:00:00.000000Z"
START = {"pipeline": "p", "path": "p.yml", "root": "/", "digest": "d", "inputs": {}, "nodes": {"a": "d"}}
CALL = {"call": "c", "provider": "p", "model": "m", "tokens": {"input": 1, "output": 1}}
WRONG: list[tuple[str, str | None, dict[str, Any]]] = [
    ("model.called", "a", {**CALL, "cost": 1e300}),
    ("model.reserved", "a", {**CALL, "tokens": 1, "cost": 1e300}),
    ("model.called", "a", {**CALL, "tokens": {"input": -5, "output": 1}}),
    ("model.called", "a", {**CALL, "tokens": {"input": 5, "output": None}}),
    ("model.called", "a", {**CALL, "tokens": {"input": 5}}),
    ("model.called", "a", {**CALL, "tokens": {"input": 5, "output": 1, "cached": 0.5}}),
    ("model.called", "a", {**CALL, "tokens": {"input": 5, "output": 1, "audio": -3}}),
    ("model.called", "a", {**CALL, "tokens": 7}),
    ("node.succeeded", "a", {"output": 1, "duration_s": "x"}),
    ("run.finished", None, {"status": "succeeded", "duration_s": "x"}),
    ("run.finished", None, {"status": "succeeded", "duration_s": [1]}),
    ("run.finished", None, {"status": "succeeded", "outputs": "x"}),
    ("run.finished", None, {"status": "succeeded", "outputs_ref": 5}),
    ("run.finished", None, {"status": "failed", "error": "boom"}),
    ("node.failed", "a", {"error": "text"}),
    ("node.failed", "a", {"error": {"kind": 5, "message": 7}}),
    ("node.blocked", "a", {"by": [1, 2]}),
    ("node.succeeded", "a", {"output": 1, "artifacts": 5}),
    ("node.succeeded", "a", {"output_ref": [1]}),
    ("node.waiting", "a", {"message": [1]}),
    ("node.succeeded", "a", {"decided": "me"}),
    ("run.resumed", None, {"rerun": ["a"], "nodes": {"a": 5}}),
]


@pytest.mark.parametrize(("kind", "node", "data"), WRONG)
def test_d6_a_field_of_another_shape_is_damage_for_everybody(
    tmp_path: Path, kind: str, node: str | None, data: dict[str, Any]
) -> None:
    log = tmp_path / "r" / "log.jsonl"
    log.parent.mkdir()
    events = [Event(1, TS, "r", "run.started", None, None, START), Event(2, TS, "r", kind, node, 1, data)]
    log.write_bytes(b"".join(encode_line(event) for event in events))
    with pytest.raises(LogDamaged) as caught:
        fold_log(str(log), "r")
    assert (caught.value.line, f"{kind} does not hold what it must" in str(caught.value)) == (2, True)
    with pytest.raises(LogDamaged):
        list(follow(str(log), lambda: True))
    assert summarise(str(tmp_path), "r").status == DAMAGED


def test_all_kinds_of_tokens_that_are_counted_are_looked_at() -> None:
    assert {"input", "output", *_PARTS} == set(COUNTED)


def test_no_call_costs_more_than_is_counted() -> None:
    assert MOST_DOLLARS == MOST


def test_fields_that_are_looked_at_are_those_of_the_schema() -> None:
    models = {get_args(model.model_fields["event"].annotation)[0]: model for model in get_args(get_args(AnyEvent)[0])}
    for kind, table in _EVENTS.items():
        known = {field.alias or name for name, field in models[kind].model_fields.items()}
        if not kind.startswith("node."):  # ends of nodes share a table
            assert table.keys() <= known, kind
        missing = known - table.keys() - {"v", "seq", "ts", "run", "crc", "event", "node", "attempt"}
        assert missing <= {
            "output",
            "message",
            "ambiguous",
            "free",
            "replayed",
            "failed",
            "bytes",
            "truncated",
        }, kind
