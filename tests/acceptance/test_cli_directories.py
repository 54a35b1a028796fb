"""`pipe check DIR` finds the files that are ours."""

from __future__ import annotations

from typing import Any

import pytest

GOOD = "version: 1\nnodes: {a: {run: echo}}\n"


@pytest.mark.parametrize(
    ("text", "ours"),
    [
        ("version: 1\nformatters: {}\nhandlers: {}\nroot: {level: INFO}\n", False),
        ("version: 1\nmetadata: {}\npackage:\n- name: python\n", False),
        ("kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\nnodes:\n  - role: worker\n", False),
        ("kind: A\napiVersion: a/v1\nnodes: {a: b}\n", False),
        ("nodes:\n# hosts\n- address: a\n", False),
        ("nodes: 3\n", False),
        ("nodes:\n  - a\nversion: 1\n", True),
        ("nodes: {}\n", True),
        ("nodes:\n  a: {runs: x}\n", True),
        ("version: 1\n", True),
        ("version: 1\nnode: {a: {run: x}}\n", True),
        ("version: 1\nndoes: {a: {run: x}}\n", True),
        ("version: 1\nnods: {a: {run: x}}\n", True),
        ("version: 1\nmodels: {a: b}\nnotes: b\n", False),
        ("version: 1\nenv: {variables: {A: b}}\nfrontend: {phases: {build: {commands: [x]}}}\n", False),
        ("version: 1\nname: x\ninputs: {a: {type: string}}\noutputs: {}\n", True),
        ("version: 1\nname: x\nfinally: {a: {run: x}}\nbuild: {}\n", True),
        ("version: 1\njobs: {a: {run: x}}\n", True),
        ("version: 1\ninclude: [{file: nothere.yml}]\n", True),
    ],
)
def test_check_of_a_directory_leaves_alone_what_is_clearly_for_another_program(
    pipe: Any, text: str, ours: bool
) -> None:
    pipe.write("good.yml", GOOD)
    pipe.write("other.yml", text)
    assert pipe("check", ".").returncode == (1 if ours else 0)
    assert pipe("check", "other.yml").returncode == 1


def test_r2_a_ruler_of_hashes_under_nodes_takes_no_time(pipe: Any) -> None:
    pipe.write("ours.yml", f"nodes:\n{'#' * 80}\n  a: {{run: x}}\n")
    pipe.write("other.yml", f"nodes:\n{'#' * 80}\n# hosts\n\n- address: a\n")
    assert "in 1 file" in pipe("check", ".").stderr
