"""Values that would choose what runs: refused, unless the file says with `| trust` that they may (S3)."""

from __future__ import annotations

import re
from typing import Final

from pipe_runner.compiler.report import Report
from pipe_runner.expressions.compile import compile_value
from pipe_runner.types import Path_

_HOLE: Final = re.compile(r"\{\{.*?\}\}|\{%(?![-+]?\s*(?:end|el)).*?%\}", re.DOTALL)
_TRUST: Final = re.compile(r"\|\s*trust\s*(?=[-+]?\}\}\Z)")
_WHY: Final = "the value chooses which function runs"


def chosen_function(text: str, path: Path_, report: Report) -> str:
    """The text of `call:` without `| trust`, every character in its place; reports what is not trusted."""
    bare = _HOLE.sub(lambda found: _TRUST.sub(lambda trust: " " * len(trust[0]), found[0]), text)
    if compile_value(bare)[0].kind == "literal":  # nothing but {% raw %}, or a fault that is told with the value
        return bare
    for hole in _HOLE.finditer(text):
        start, length = hole.start(), len(hole[0])
        if _TRUST.search(hole[0]):
            report.add("W401", f"`| trust`: {_WHY}", path, offset=start, length=length)
            continue
        hint = "write the function's name, and give it the value in `args` or `kwargs`; `| trust` lets the value choose"
        report.add("E421", _WHY, path, offset=start, length=length, hint=hint)
    return bare
