"""Finds secrets in the dumps of `xxd`, `hexdump` and `od`, whose lines begin with addresses.

What a dump tells is read back as the bytes that it shows, so it doesn't matter at which of them a line begins.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable
from typing import Final, NamedTuple

from pipe_runner.secret_forms import LONGEST, Forms
from pipe_runner.secret_needles import Needles

_ANY: Final = re.compile(rb"\n0[0-9A-Fa-f]{5}")
_LINE: Final = re.compile(rb"\n(0[0-9A-Fa-f]{5,15}:?) ([^\n]*)")
_BEGUN: Final = re.compile(rb"0[0-9A-Fa-f]{0,15}(?::?(?: [^\n]*)?)?")
"""What may become such a line."""
_LONGEST_LINE: Final = 400
_WIDTH: Final = 20
"""Characters of a dump for one byte: at most, with usual options."""
_XXD: Final = re.compile(rb"((?:[0-9a-fA-F]{2,32} )*[0-9a-fA-F]{2,32})(?:  .*)?", re.DOTALL)
_BITS: Final = re.compile(rb"(?:[01]{8} ?)+")
_PAIRS: Final = re.compile(rb" *((?:[0-9a-f]{2} {1,2})*[0-9a-f]{2})(?: +[|>].*)? *\r?", re.DOTALL)
_WORDS: Final = re.compile(
    rb" *((?:[0-9a-f]{4} +)*[0-9a-f]{4}|(?:[0-9a-f]{8} +)*[0-9a-f]{8}|(?:[0-9a-f]{16} +)*[0-9a-f]{16}) *\r?"
)
_OCTAL: Final = re.compile(rb" *((?:[0-7]{6} +)*[0-7]{6}|(?:[0-7]{3} )*[0-7]{3}) *\r?")
_CELLS: Final = re.compile(rb"(?:  [ -~]| \\[0abfnrtv]|[0-7]{3})(?:   [ -~]|  \\[0abfnrtv]| [0-7]{3})*")
_CELL: Final = re.compile(rb"(?:\A| ) ?(?: ([ -~])|(\\[0abfnrtv])|([0-7]{3}))")
_ESCAPES: Final = dict(zip(b"0abfnrtv", b"\0\a\b\f\n\r\t\v", strict=True))


class _Shown(NamedTuple):
    """Lines that stand one below the other: the bytes that they show, and of each line where those begin among these,
    where the line begins in the text, and where what tells of them begins and ends."""

    data: bytearray
    lines: list[tuple[int, int, int, int]]


class Dumps:
    """Looks for these values in dumps."""

    def __init__(self, values: Iterable[bytes]) -> None:
        self._values = Needles([Forms({value: {value} for value in values}, {})])
        self.shortest = self._values.shortest  # a dump is longer than what it shows
        self._reach = _WIDTH * min(self._values.longest, LONGEST) + _LONGEST_LINE

    def spans(self, data: bytes) -> list[tuple[int, int]]:
        """Start and end of all that tells of a value: what stands behind the address, to the end of the line."""
        if not data.startswith(b"0") and _ANY.search(data) is None:
            return []
        found: list[tuple[int, int]] = []
        for shown in _read(data):
            begins = [line[0] for line in shown.lines]
            for start, end in self._values.spans(bytes(shown.data)):
                for _, _, begin, stop in shown.lines[bisect_right(begins, start) - 1 : bisect_right(begins, end - 1)]:
                    found.append((begin, stop))
        return found

    def hold(self, data: bytes) -> int:
        """The first index from which a value may begin in lines of a dump, the last of which may go on."""
        size = len(data)
        last = data.rfind(b"\n") + 1
        if last < size:
            if data[last : last + 1] != b"0" or size - last > _LONGEST_LINE or not _BEGUN.fullmatch(data, last):
                return size
        elif not last or data[data.rfind(b"\n", 0, last - 1) + 1 : last][:1] != b"0":
            return size
        away = data.find(b"\n", max(0, last - self._reach), last) + 1 if last > self._reach else 0
        shown = next(reversed(_read(data[away:last])), None)
        if shown is None or away + shown.lines[-1][3] < last - 2:
            return last
        at = self._values.hold(bytes(shown.data))
        if at == len(shown.data):
            return last
        line = shown.lines[bisect_right([line[0] for line in shown.lines], at) - 1]
        return away + line[1]


def _read(text: bytes) -> list[_Shown]:
    """All dumps in a text."""
    found: list[_Shown] = []
    end = -1
    for line in _LINE.finditer(b"\n" + text):
        data = _bytes(line[2], named=line[1].endswith(b":")) if len(line[2]) < _LONGEST_LINE else b""
        if not data:
            continue
        if not found or line.start() != end:
            found.append(_Shown(bytearray(), []))
        shown, end = found[-1], line.end()
        shown.lines.append((len(shown.data), line.start(), line.start(2) - 1, end - 1))
        shown.data.extend(data)
    return found


def _bytes(text: bytes, *, named: bool) -> bytes:
    """What one line shows behind its address; nothing where it is no line of a dump. xxd has a colon there."""
    if named:
        shown = _XXD.fullmatch(text)
        if shown is None:
            return b""
        if _BITS.fullmatch(shown[1]):
            return bytes(int(each, 2) for each in shown[1].split())
        return _of_hex(shown[1])
    if (shown := _PAIRS.fullmatch(text)) is not None:
        return _of_hex(shown[1])
    if (shown := _WORDS.fullmatch(text)) is not None:
        return b"".join(_of_hex(word)[::-1] for word in shown[1].split())
    if (shown := _OCTAL.fullmatch(text)) is not None:
        words = shown[1].split()
        size = 1 if len(words[0]) == 3 else 2
        return b"".join((int(word, 8) & (256**size - 1)).to_bytes(size, "little") for word in words)
    if _CELLS.fullmatch(text.removesuffix(b"\r")) is not None:
        return b"".join(_of_cell(cell) for cell in _CELL.finditer(text))
    return b""


def _of_hex(digits: bytes) -> bytes:
    text = digits.replace(b" ", b"").decode("ascii")
    return bytes.fromhex(text[: len(text) // 2 * 2])


def _of_cell(cell: re.Match[bytes]) -> bytes:
    if cell[1] is not None:
        return cell[1]
    return bytes([_ESCAPES[cell[2][1]] if cell[2] is not None else int(cell[3], 8) & 255])
