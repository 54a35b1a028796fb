"""Lines that speak of errors and have none: `0 errors`, `failed=0`, `error=null`."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Final

FAILURES: Final = (
    r"\b(errors?|fail(ed|s|ing|ures?)?|fatal|exceptions?|panic(ked)?|crash(ed|es)?|refused|denied|timed out"
    r"|traceback|unable to)\b"
)
"""Words by which a line speaks of a failure."""

_SPEAKS: Final = re.compile(FAILURES.encode(), re.IGNORECASE)
_MANY: Final = rb"errors|failures|exceptions|warnings|crashes|(?:error|failure|exception|warning)\(s\)"
_KIND: Final = rb"(?:fatal|critical|new|total|unexpected|test|compile|compiler|lint|hard|soft)[ ]+"
_ENDS: Final = rb"(?=\\?[\"']?\s*(?:[,;.)\]}|\\]|$|and\b|in\b|after\b|[\w.-]+[\"']?\s*[:=]))"


def _counting(number: bytes) -> re.Pattern[bytes]:
    """A count before its word; before one that may also say what number something has; after its word."""
    return re.compile(
        rb"(?<![\w./#-])(?<!\d[,:])" + number + rb"[ ]+(?:" + _KIND + rb")?(?:" + _MANY + rb")(?!\w)(?!\s*[:=])"
        rb"|(?:[,;(|]\s*|\b(?:and|with|passed|ok)\s+)" + number +
        rb"[ ]+(?:error|failure|exception|warning|failed|fatal|crashed)(?!\w)" + _ENDS +
        rb"|(?<![a-z])(?:errors?|fail(?:ed|ures?|s)?|exceptions?|fatal|warnings?|crash(?:es|ed)?)"
        rb"(?:[_ ](?:count|total))?\\?[\"']?\s*[:=]\s*[\"']?" + number + rb"(?![\w])(?![.,:]\d)" + _ENDS,
        re.IGNORECASE,
    )  # fmt: skip


_NONE: Final = _counting(rb"0")
_SOME: Final = _counting(rb"\d{1,18}")
_FIELD: Final = rb"(?:err(?:ors?)?|fail(?:ed|ures?|s)?|exceptions?|fatal|panic(?:ked)?|crash(?:ed)?|denied|refused)"
_EMPTY: Final = (
    rb"\s*(?:(?:\\{0,3}[\"'])?(?:null|none|nil|<nil>|false|undefined)|\\{0,3}\"\\{0,3}\"|''|\[\]|\{\})" + _ENDS
)
_FIELDS: Final = re.compile(
    rb"(?<![\w-])" + _FIELD + rb"(?:\s*=" + _EMPTY + rb"|=(?=\s*(?:$|[,;&}]|[\w.-]+=)))"
    rb"|(?:[\"']" + _FIELD + rb"\\{0,3}[\"']|(?<=[,;{(])\s?" + _FIELD + rb")\s*[:=]" + _EMPTY,
    re.IGNORECASE,
)
"""A field for an error that says there is none: `"error": null`, `failed=false`, `err=`; not a line `Error: null`."""
_MARKS: Final = (b"\0", b"\1")


def without_zeros(message: bytes) -> bytes:
    """The message without what it counts none of."""
    return _NONE.sub(b"", message) if b"0" in message and _may(message) else message


def without_empty(message: bytes) -> bytes:
    """The message without fields for errors that say there is none."""
    return _FIELDS.sub(b"", message) if _may(message) else message


def _may(message: bytes) -> bool:
    """Whether one of the words is there, before a pattern that takes a hundred times longer looks for them."""
    low = message.lower()
    return (b"err" in low or b"fail" in low or b"exception" in low or b"warning" in low or b"fatal" in low) or (
        b"crash" in low or b"panic" in low or b"denied" in low or b"refused" in low
    )


def speaks(message: bytes) -> bool:
    return _SPEAKS.search(message) is not None


def counts(message: bytes, shape: bytes) -> bool:
    """Whether lines of this shape, which is without digits, count errors: some of them may count none."""
    return not shape.endswith(_MARKS) and _SOME.search(message) is not None


def apart(lines: Sequence[bytes], shapes: Sequence[bytes], counting: Collection[bytes]) -> list[bytes]:
    """Shapes by which those that count none are others than those that count some."""
    return [
        shape if shape not in counting else shape + _MARKS[without_zeros(line) == line]
        for line, shape in zip(lines, shapes, strict=True)
    ]
