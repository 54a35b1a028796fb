"""Texts that read as a reference, and are text since they stand in no `{{ }}`."""

from __future__ import annotations

from typing import Any, Final

from pipe_runner.compiler.report import Report
from pipe_runner.expressions.plain import NODE_FIELDS, PLAIN, plain_path
from pipe_runner.types import Path_

_LONGEST: Final = 200
"""Characters of such a text, at most; a longer one is meant as text."""


def tell_bare(value: Any, path: Path_, report: Report) -> None:
    """Warn of each text in the value that names an input, or a field of a node, of the same file, and nothing else."""
    if isinstance(value, str):
        if is_bare(value, report):
            message = f"`{value}` is text here: only a condition is an expression without braces"
            report.add("W513", message, path, hint=f'write "{{{{ {value} }}}}"')
    elif isinstance(value, dict):
        for key, item in value.items():
            tell_bare(item, (*path, key), report)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            tell_bare(item, (*path, index), report)


def is_bare(text: str, report: Report) -> bool:
    """Whether a text is nothing but such a reference."""
    if not text.startswith(("nodes.", "inputs.")) or len(text) > _LONGEST:
        return False
    if PLAIN.fullmatch(text) is None or (found := plain_path(text)) is None:
        return False
    data: Any = report.document.data
    known = data.get(found[0]) if isinstance(data, dict) else None
    there = isinstance(known, dict) and len(found) > 1 and found[1] in known
    return there and (found[0] == "inputs" or (len(found) > 2 and found[2] in NODE_FIELDS))
