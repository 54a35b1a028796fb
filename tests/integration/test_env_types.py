"""A value of `env:` that is one whole expression keeps its type where expressions read it; commands get its text."""

from __future__ import annotations

import pytest

from pipe_runner.testing import run_pipeline

TEXT = """
version: 1
inputs: {x: {type: integer, default: 1}, l: {type: array, default: [1, 2]}, o: {type: boolean, default: false}}
env: {A: "{{ inputs.x }}", B: 1, L: "{{ inputs.l }}", O: "{{ inputs.o }}", T: "n{{ inputs.x }}"}
nodes:
  a: {when: "env.A == 1 and env.B == 1 and env.L[1] == 2 and not env.O", run: 'echo "$A" "$L" "$O" "$T"'}
  b: {run: "printf %s {{ env.A + 1 }}"}
"""


def test_a_whole_expression_keeps_its_type() -> None:
    done = run_pipeline(TEXT)
    assert {name: node.status for name, node in done.run.nodes.items()} == {"a": "succeeded", "b": "succeeded"}
    assert done.run.nodes["a"].output == "1 [1,2] false n1"
    assert done.run.nodes["b"].output == "2"


@pytest.mark.parametrize("value", ['"1"', '"{{ inputs.x }} "'])
def test_text_stays_text(value: str) -> None:
    done = run_pipeline(TEXT.replace("B: 1,", f"B: {value},"))
    assert done.run.nodes["a"].status == "skipped"
