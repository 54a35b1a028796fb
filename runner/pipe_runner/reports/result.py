"""A run's result as one JSON object: what `run`, `resume` and `show` print with `--output json`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any, Final

from pipe_runner.run import NodeState, Run
from pipe_runner.types import Json

ReadBlob = Callable[[Mapping[str, Any]], Json]
"""Gives the output that an `output_ref` stands for; raises StorageError."""

_NODES_IN_ONE: Final = 100
"""Nodes that are turned into text at once: a large run is never whole in memory twice."""


def result(run: Run, read_blob: ReadBlob) -> dict[str, Json]:
    """`{run, status, outputs, nodes: {id: {status, output, error, attempts, duration_s}}}`, outputs whole."""
    return {
        "run": run.id,
        "status": str(run.status),
        "outputs": outputs(run, read_blob),
        "nodes": {node: _node(state, read_blob) for node, state in run.nodes.items()},
    }


def outputs(run: Run, read_blob: ReadBlob) -> dict[str, Json]:
    """The run's outputs, also where they were too large for the log."""
    if run.outputs_ref is not None:
        found = read_blob(run.outputs_ref)
        assert isinstance(found, dict)
        return found
    return dict(run.outputs)


def result_text(run: Run, read_blob: ReadBlob) -> Iterator[str]:
    """The result as JSON text, in pieces that end with a line end: ASCII, indented, harmless in any CI's log."""
    head = {"run": run.id, "status": str(run.status), "outputs": outputs(run, read_blob)}
    yield _dumps(head)[: -len("\n}")] + ',\n  "nodes": {'
    items = iter(run.nodes.items())
    first = True
    while batch := dict(islice(items, _NODES_IN_ONE)):
        text = _dumps({node: _node(state, read_blob) for node, state in batch.items()})[len("{") : -len("\n}")]
        yield ("" if first else ",") + text.replace("\n", "\n  ")
        first = False
    yield ("" if first else "\n  ") + "}\n}\n"


def _node(state: NodeState, read_blob: ReadBlob) -> dict[str, Json]:
    return {
        "status": str(state.status),
        "output": read_blob(state.output_ref) if state.output_ref is not None else state.output,
        "error": dict(state.error) if state.error is not None else None,
        "attempts": state.attempts,
        "duration_s": state.duration_s,
    }


def _dumps(value: object) -> str:
    """JSON in which nothing looks like a command to a CI: `##` is written `#\\u0023`."""
    return json.dumps(value, indent=2).replace("##", "#\\u0023")
