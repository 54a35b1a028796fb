"""Reads bash's `$'…'`, in which backslashes write any character, and `$"…"`, which is translated."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pipe_runner.expressions.shell_lexer import ShellLexer
    from pipe_runner.expressions.shell_model import Word

_ESCAPED: Final = re.compile(
    r"\\(?:x([0-9A-Fa-f]{1,2})|u([0-9A-Fa-f]{1,4})|U([0-9A-Fa-f]{1,8})|([0-7]{1,3})|c(.)|(.))", re.DOTALL
)
_LETTERS: Final = dict(zip("abeEfnrtv", "\a\b\x1b\x1b\f\n\r\t\v", strict=True))
_LAST: Final = 0x10FFFF
_MARKS: Final = str.maketrans("\x00\x01", "  ")
"""Characters that stand for something else in the text of a word."""


def dollar_quotes(scan: ShellLexer, word: Word) -> str:
    """`$'…'` or `$"…"`, which stands here; gives its text."""
    closing = scan.text[scan.position + 1]
    kind = "$" + closing + "…" + closing
    scan.position += 2
    word.quoted = True
    known = len(scan.holes)
    pieces: list[str] = []
    if closing == '"':
        scan.double(word, pieces)
    while closing == "'" and scan.position < scan.limit and not scan.at(closing):
        begun = scan.position
        if scan.at_hole():
            word.holes.append(scan.hole("single"))
            continue
        scan.position += 2 if scan.at("\\") else 1
        pieces.append(scan.text[begun : scan.position])
    scan.position += closing == "'"
    for hole in scan.holes[known:]:
        if hole not in word.nested:
            hole.refuse("E422", f"a value can't stand in {kind}, which not every shell reads", "use \"…\" or '…'")
    text = "".join(pieces)
    return text if closing == '"' else _ESCAPED.sub(_meant, text).translate(_MARKS)


def _meant(found: re.Match[str]) -> str:
    """The character that a backslash and what stands behind it write."""
    for digits, base in zip(found.groups()[:4], (16, 16, 16, 8), strict=True):
        if digits is not None:
            number = int(digits, base)
            return chr(number) if number <= _LAST else ""
    if found[5] is not None:
        return chr(ord(found[5]) & 31)
    return _LETTERS.get(found[6], found[6])
