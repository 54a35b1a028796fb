"""`pipe graph` of a file whose texts want to be obeyed."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.mark.parametrize("form", ["text", "mermaid", "dot", "svg"])
def test_s8_a_graph_holds_nothing_that_a_terminal_or_a_ci_obeys(pipe: Any, form: str) -> None:
    pipe.write(
        "g.yml", 'version: 1\nname: "::error::n\\e[31m\\u202e##[error]x"\nnodes: {a: {run: "echo ##[error]y"}}\n'
    )
    done = pipe("graph", "g.yml", "--format", form)
    assert done.returncode == 0
    assert not {"\x1b", "\u202e"} & set(done.stdout)
    assert "##[" not in done.stdout
    assert not any(line.lstrip().startswith("::") for line in done.stdout.splitlines())
