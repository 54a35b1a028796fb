"""A file of nothing but expressions is refused before it costs what R2 doesn't allow."""

from __future__ import annotations

from pathlib import Path

from pipe_runner.compiler import compile_text
from pipe_runner.compiler.report import EXPRESSIONS
from pipe_runner.registry import Registry


def test_r2_too_many_expressions_are_refused_at_the_first_that_is_too_many(tmp_path: Path) -> None:
    text = "version: 1\nnodes:\n  a:\n    argv: [x" + ', "{{1}}"' * (EXPRESSIONS + 1) + "]\n"
    found = compile_text(text, path=str(tmp_path / "p.yml"), root=tmp_path, registry=Registry.installed())
    (fault,) = found.diagnostics
    assert found.plan is None
    assert (fault.code, fault.line) == ("E403", 4)
    line = text.splitlines()[3]
    assert line[fault.column - 1 :].startswith("{{1}}")
