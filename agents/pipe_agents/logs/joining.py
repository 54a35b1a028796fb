"""Lines that go on with the line before them: stack traces of Java, Python, Go and PHP, and what is indented."""

from __future__ import annotations

import re
from typing import Final

_TRACE: Final = re.compile(
    rb"(?:Caused by: |Suppressed: |\.\.\. \d+ more|goroutine \d+ \[|created by |exit status \d"
    rb"|#\d{1,4} (?:\{main\}|\[internal function\]|.{1,300}\(\d{1,6}\): )|Stack trace:|\[stacktrace\]|\"\}\s*$"
    rb"|Traceback \(most recent call last\):"
    rb"|During handling of the above exception|The above exception was the direct cause|\[signal SIG)"
)
_GO_FRAME: Final = re.compile(rb"[\w./*()\[\]-]{1,200}\(.{0,200}\)$")
_ENDING: Final = re.compile(
    rb"(?:[A-Za-z_][\w.$]{0,200}(?:Error|Exception|Warning|Exit|Interrupt|Fault|Failure|Throwable))(?::|$)"
)

JOIN_NO, JOIN_YES, JOIN_AFTER = range(3)
"""`JOIN_AFTER`: it belongs to the line before it only if that one goes on with something, too."""


def joins(line: bytes) -> int:
    """Whether a line without a head goes on with the one before it."""
    if line[:1] in (b" ", b"\t") and line.strip():
        return JOIN_YES
    if _TRACE.match(line):
        return JOIN_NO if line.startswith(b"Traceback") else JOIN_YES
    if _ENDING.match(line) or line[:2] in (b"})", b"}") or (line.endswith(b")") and _GO_FRAME.match(line[:600])):
        return JOIN_AFTER
    return JOIN_NO
