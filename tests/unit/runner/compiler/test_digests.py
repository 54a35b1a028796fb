"""A node's digest says whether the node changed: by its content, and by nothing else."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pipe_runner.plan import Plan

Planned = Callable[[str], Plan]


FILE = """
env: {LEVEL: "1"}
secrets: {TOKEN: {from: env}}
defaults: {timeout: 10m}
nodes:
  a: {run: echo a, env: {X: "1", Y: "2"}, retry: 3, needs: [b, c]}
  b: {run: echo b}
  c: {agent: python, with: {call: "m:f", kwargs: {x: 1, y: 2}}, secrets: [TOKEN]}
"""


def digests(planned: Planned, text: str) -> dict[str, str]:
    return {node.id: node.digest for node in planned(text).nodes}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("nodes:", "# a comment\nnodes:"),
        ("echo b}", "echo b}   # why"),
        ("echo b}", "'echo b'}"),
        ("echo b}", "echo b, description: why}"),
        ("echo b}", "echo b, x-note: why}"),
        (
            '{run: echo a, env: {X: "1", Y: "2"}, retry: 3, needs: [b, c]}',
            '{needs: [c, b], retry: {max_attempts: 3}, env: {Y: "2", X: "1"}, run: echo a}',
        ),
        ("kwargs: {x: 1, y: 2}", "kwargs: {y: 2, x: 1}"),
        ("nodes:", "description: what it is for\nnodes:"),
        ("nodes:", "concurrency: 3\nfail_fast: true\nnodes:"),
        ("nodes:", "outputs: {x: 1}\nnodes:"),
    ],
)
def test_d11_what_is_not_content_changes_no_digest(planned: Planned, old: str, new: str) -> None:
    assert old in FILE
    assert digests(planned, FILE.replace(old, new)) == digests(planned, FILE)


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        ("echo b", "echo c", {"b"}),
        ("echo b}", "echo b, timeout: 5s}", {"b"}),
        ("echo b}", "echo b, when: true == true}", {"b"}),
        ('X: "1"', 'X: "2"', {"a"}),
        ("retry: 3", "retry: 4", {"a"}),
        ("y: 2", "y: 3", {"c"}),
        ("from: env", "from: file, key: f", {"c"}),
        ("timeout: 10m", "timeout: 20m", {"a", "b", "c"}),
        ('LEVEL: "1"', 'LEVEL: "2"', {"a", "b", "c"}),
    ],
)
def test_d11_a_change_of_content_changes_exactly_the_digests_it_concerns(
    planned: Planned, old: str, new: str, changed: set[str]
) -> None:
    assert old in FILE
    before, after = digests(planned, FILE), digests(planned, FILE.replace(old, new))
    assert {id for id in before if before[id] != after[id]} == changed


def test_d11_a_default_that_a_node_overrides_does_not_change_it(planned: Planned) -> None:
    text = "defaults: {timeout: 10m}\nnodes: {a: {run: echo, timeout: 5s}, b: {run: echo}}\n"
    before, after = digests(planned, text), digests(planned, text.replace("10m", "20m"))
    assert before["a"] == after["a"]
    assert before["b"] != after["b"]
