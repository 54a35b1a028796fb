"""What a regular expression costs to compile, told before it is: a short one may stand for a large machine (R2)."""

from __future__ import annotations

import re
from typing import Final

LARGEST: Final = 200_000
"""Cost of one pattern; about a microsecond each."""
_TOGETHER: Final = 800_000
"""Cost of all patterns of a file."""
_EACH: Final = 50
_UNICODE_CLASS: Final = 400
"""`\\w` knows every letter of Unicode."""
_COUNT: Final = re.compile(r"\{\s*(\d{1,9})\s*(?:(,)\s*(\d{0,9})\s*)?\}")
_BRACES: Final = re.compile(r"\{[^{}]*\}")
_SPACED: Final = re.compile(r"\(\?[a-zA-Z]*x")
_CLASSES: Final = frozenset("wWdDsSpP")


class Patterns:
    """Adds up what the patterns of one file cost."""

    def __init__(self) -> None:
        self._spent = 0
        self.too_many = False
        """True: no further pattern is looked at, and the file is refused."""

    def fault(self, pattern: str) -> str | None:
        """Why a pattern can't be used, as the end of a sentence; None: it can."""
        from pipe_schemas.patterns import matches

        if self.too_many:
            return None
        price = cost(pattern)
        if price > LARGEST:
            return "it is too large, all its repetitions counted"
        self._spent += _EACH + price
        if self._spent > _TOGETHER:
            self.too_many = True
            return "the patterns of this file are too large together, all their repetitions counted"
        try:
            matches(pattern, "")
        except ValueError as error:
            return str(error)
        return None


def cost(pattern: str) -> int:
    """About how many microseconds it takes to compile a pattern: its atoms, each as often as it is repeated."""
    spaced = _SPACED.search(pattern) is not None
    outer: list[int] = []  # what stands before each open group
    total = last = 0
    at, end = 0, len(pattern)
    while at < end:
        char = pattern[at]
        if spaced and (char.isspace() or char == "#"):
            newline = pattern.find("\n", at) if char == "#" else at
            at = end if newline < 0 else newline + 1
            continue
        count = _COUNT.match(pattern, at) if char == "{" else None
        if count is not None:
            times = int(count[3]) if count[3] else int(count[1]) + (count[2] is not None)
            total += last * max(times, 1) - last
            last = last * max(times, 1)
            at = count.end()
        elif char == "(":
            outer.append(total)
            total, last, at = 0, 0, at + 1
        elif char == ")":
            last = total + 1
            total = (outer.pop() if outer else 0) + last
            at += 1
        elif char in "*+?|":
            total += 1
            at += 1
        else:
            last, at = _class(pattern, at) if char == "[" else _atom(pattern, at)
            total += last
        if total > LARGEST * 1000:
            break
    return total + sum(outer)


def _atom(pattern: str, at: int) -> tuple[int, int]:
    """The cost of the character or escape here, and where it ends."""
    if pattern[at] != "\\":
        return (3 if pattern[at] == "." else 1), at + 1
    escaped = pattern[at + 1 : at + 2]
    at += 2
    braces = _BRACES.match(pattern, at) if escaped in ("p", "P", "x", "u", "U") else None
    if escaped in ("p", "P") and braces is None:  # `\pL`
        at += 1
    return (_UNICODE_CLASS if escaped in _CLASSES else 1), braces.end() if braces else at


def _class(pattern: str, at: int) -> tuple[int, int]:
    """The cost of a class in brackets, others inside it counted, and where it ends."""
    depth, total = 0, 1
    while at < len(pattern):
        char = pattern[at]
        if char == "[":
            depth += 1
            at += 1
            if pattern[at : at + 1] == "^":
                at += 1
            if pattern[at : at + 1] == "]":  # which stands for itself here
                at += 1
        elif char == "]":
            depth -= 1
            at += 1
            if not depth:
                break
        else:
            more, at = _atom(pattern, at)
            total += more
    return total, at
