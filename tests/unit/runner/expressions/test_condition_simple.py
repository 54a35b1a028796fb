"""Simple conditions are read by one pattern, and exactly as they are read in full."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipe_runner.expressions import compile_condition
from pipe_runner.expressions.condition_simple import simple_condition

PATHS = ["inputs.x", "nodes.a.output", "nodes.a.output.deep.er", "nodes.a.status", "nodes.a", "nodes.a.bogus", "env.A"]
PATHS += [
    "run.id",
    "run.nothing",
    "run.status",
    "inputs",
    "secrets.S",
    "other",
    "item",
    "nodes.a.output[0]",
    "not inputs.x",
]
SIGNS = ["==", "!=", "<", "<=", ">", ">=", "in", "is", "=", "=<"]
VALUES = [
    "0",
    "5",
    "010",
    "-1",
    "2.5",
    "'x'",
    '"a b"',
    "''",
    "true",
    "false",
    "none",
    "True",
    "inputs.y",
    "'it''s'",
    "'{{'",
]
SPACES = ["", " ", "  "]


@settings(max_examples=1500, deadline=None)
@given(
    st.sampled_from(PATHS),
    st.sampled_from(SIGNS),
    st.sampled_from(VALUES),
    st.lists(st.sampled_from(SPACES), min_size=4, max_size=4),
)
def test_what_is_read_as_simple_is_what_reading_in_full_gives(
    path: str, sign: str, value: str, spaces: list[str]
) -> None:
    text = f"{spaces[0]}{path}{spaces[1]}{sign}{spaces[2]}{value}{spaces[3]}"
    simple = simple_condition(text)
    if simple is not None:
        assert (simple, []) == compile_condition(text)


@pytest.mark.parametrize(
    "text", ["nodes.a.status == 'succeeded'", "nodes.count.output > 0", 'inputs.depth!="full"', "inputs.x == true"]
)
def test_common_conditions_are_simple(text: str) -> None:
    assert simple_condition(text) is not None


@pytest.mark.parametrize(
    "text",
    ["inputs.x", "inputs.x == y", "{{ inputs.x == 1 }}", "inputs.x == 1 and inputs.y == 2", "secrets.S == 'x'", ""],
)
def test_everything_else_is_read_in_full(text: str) -> None:
    assert simple_condition(text) is None


def test_a_file_with_simple_templates_is_compiled_without_jinja2() -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom pipe_runner.compiler import compile_text\n"
        "from pipe_runner.registry import Registry\n"
        'text = \'version: 1\\nnodes:\\n  a: {run: echo}\\n  b: {run: "echo {{ nodes.a.output }}", '
        'when: nodes.a.output == "x", env: {A: "{{ nodes.a.status }}"}}\\n\'\n'
        "assert compile_text(text, root=Path('/nowhere'), registry=Registry.installed()).plan\n"
        "assert 'jinja2' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
