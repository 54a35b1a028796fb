"""A run's result as one JSON object: what `run`, `resume` and `show` print with `--output json`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import groupby, islice
from typing import TYPE_CHECKING, Final

from pipe_runner.reports.pieces import gathered, json_pieces
from pipe_runner.run import NodeState, Run
from pipe_runner.text import ci_safe_json
from pipe_runner.types import Json, ReadBlob

if TYPE_CHECKING:
    from pipe_runner.spent import Spent

_NODES_IN_ONE: Final = 100
"""Nodes that are turned into text at once: a large run is never whole in memory twice."""


def result(run: Run, read_blob: ReadBlob) -> dict[str, Json]:
    """`{run, status, outputs, nodes: {id: {status, output, error, attempts, duration_s}}}`, outputs whole.

    Of nodes that asked models also `usage`."""
    spent = _spent(run)
    return {
        "run": run.id,
        "status": str(run.status),
        "outputs": outputs(run, read_blob),
        "nodes": {node: _node(state, read_blob, spent.get(node)) for node, state in run.nodes.items()},
    }


def outputs(run: Run, read_blob: ReadBlob) -> dict[str, Json]:
    """The run's outputs, also where they were too large for the log."""
    if run.outputs_ref is not None:
        found = read_blob(run.outputs_ref)
        assert isinstance(found, dict)
        return found
    return dict(run.outputs)


def result_text(run: Run, read_blob: ReadBlob) -> Iterator[str]:
    """The result as JSON text, in pieces: ASCII, indented, harmless in any CI's log, and never whole in memory."""
    head = _dumps({"run": run.id, "status": str(run.status), "outputs": dict(run.outputs)})[: -len("\n}")]
    if run.outputs_ref is not None:
        yield from _with_large(head, "outputs", "{}", outputs(run, read_blob), 1)
    else:
        yield head
    yield ',\n  "nodes": {'
    comma, spent = "", _spent(run)
    for large, states in groupby(run.nodes.items(), lambda item: item[1].output_ref is not None):
        while batch := dict(islice(states, 1 if large else _NODES_IN_ONE)):
            text = _dumps({node: _node(state, None, spent.get(node)) for node, state in batch.items()})[
                len("{") : -len("\n}")
            ]
            text = comma + text.replace("\n", "\n  ")
            comma = ","
            if large:
                ((_, state),) = batch.items()
                assert state.output_ref is not None
                yield from _with_large(text, "output", "null", read_blob(state.output_ref), 3)
            else:
                yield text
    yield ("\n  " if comma else "") + "}\n}\n"


def _with_large(text: str, key: str, stands: str, value: Json, level: int) -> Iterator[str]:
    """The text with a large value in place of what stands at the first `key`."""
    before, after = text.split(f'"{key}": {stands}', 1)
    yield f'{before}"{key}": '
    for piece in gathered(json_pieces(value, level)):
        yield ci_safe_json(piece)
    yield after


def _spent(run: Run) -> Mapping[str, Spent]:
    return {} if run.ledger is None else run.ledger.by_node(run.nodes)


def _node(state: NodeState, read_blob: ReadBlob | None, spent: Spent | None = None) -> dict[str, Json]:
    """The node's part; without `read_blob` null stands for a large output."""
    large = read_blob(state.output_ref) if read_blob is not None and state.output_ref is not None else None
    return {
        "status": str(state.status),
        "output": large if state.output_ref is not None else state.output,
        "error": dict(state.error) if state.error is not None else None,
        "attempts": state.attempts,
        "duration_s": state.duration_s,
        **({} if spent is None else {"usage": spent.to_json()}),
    }


def _dumps(value: object) -> str:
    """JSON in which nothing looks like a command to a CI: `##` is written `#\\u0023`."""
    return ci_safe_json(json.dumps(value, indent=2))
