"""The models of events say what a run writes, field by field."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel, TypeAdapter

from pipe_runner.testing import run_pipeline
from pipe_runner.types import EventKind
from pipe_schemas.events import AnyEvent

EVENTS: TypeAdapter[Any] = TypeAdapter(AnyEvent)
FILE = """
version: 1
inputs: {x: {default: hi}}
nodes:
  a: {run: "echo {{ inputs.x }}; echo err >&2"}
  b: {run: exit 3, retry: {max_attempts: 2, delay: 1ms}, continue_on_error: true}
  c: {run: echo, when: nodes.a.output == 'x'}
  d: {run: echo, needs: [c]}
  e: {run: "false"}
  f: {run: echo, needs: [e]}
  large: {run: yes | head -c 100000}
  slow: {run: sleep 5, timeout: 100ms}
  wrong: {run: echo, when: nodes.a.output | int}
on_failure: {tell: {run: echo}}
finally: {clean: {run: echo}}
"""


@pytest.fixture(scope="module")
def lines() -> list[str]:
    finished = run_pipeline(FILE)
    (log,) = Path(finished.state_dir).glob("runs/*/log.jsonl")
    return log.read_text(encoding="ascii").splitlines()


def test_every_line_of_a_run_is_what_its_model_says(lines: list[str]) -> None:
    seen = set()
    for line in lines:
        event: BaseModel = EVENTS.validate_json(line)
        assert not event.model_extra, f"{json.loads(line)['event']}: fields that no model has"
        seen.add(json.loads(line)["event"])
    assert seen == {
        "run.started",
        "node.started",
        "node.output",
        "node.retrying",
        "node.succeeded",
        "node.failed",
        "node.skipped",
        "node.blocked",
        "run.finished",
    }


def test_every_kind_of_event_has_a_model() -> None:
    models = get_args(get_args(AnyEvent)[0])
    named = {get_args(model.model_fields["event"].annotation)[0] for model in models}
    assert named == {str(kind) for kind in EventKind}
