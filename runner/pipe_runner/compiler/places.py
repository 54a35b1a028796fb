"""Where nodes and inputs stand in the file: read off the indentation, since looking places up costs a second parse."""

from __future__ import annotations

import re
from typing import Final

from pipe_runner.loader import Document

_TOP: Final = re.compile(r"^(nodes|on_failure|finally|inputs):[ \t]*(?:#[^\n]*)?$", re.MULTILINE)
_NEXT_TOP: Final = re.compile(r"^[^\s#]", re.MULTILINE)
_FIRST: Final = re.compile(r"\n(?:[ \t]*(?:#[^\n]*)?\n)*( +)[^\s#]")


def positions(document: Document, key: str, names: list[str]) -> list[tuple[int, int]]:
    """Line and column, from 1, of each of these names, which are the keys of the map `key` of the file."""
    if not names:
        return []
    found = _by_indentation(document.text, key, names)
    if found is not None:
        return found
    return [(position.line, position.column) for position in document.positions((key,), names)]


def _by_indentation(text: str, owner: str, names: list[str]) -> list[tuple[int, int]] | None:
    """None where the file isn't a plain block, one key a line, in exactly this order."""
    if "\r" in text:
        return None
    start = next((m for m in _TOP.finditer(text) if m[1] == owner), None)
    if start is None:
        return None
    following = _NEXT_TOP.search(text, start.end())
    end = following.start() if following else len(text)
    first = _FIRST.match(text, start.end())
    if first is None or first.end() > end:
        return None
    indent = len(first[1])
    key = re.compile(rf"^ {{{indent}}}([A-Za-z_][A-Za-z0-9_]*):(?=[ \n]|\Z)", re.MULTILINE)
    matches = list(key.finditer(text, start.end(), end))
    if [m[1] for m in matches] != names:
        return None
    positions = []
    line, at = text.count("\n", 0, start.end()) + 1, start.end()
    for m in matches:
        line += text.count("\n", at, m.start())
        at = m.start()
        positions.append((line, indent + 1))
    return positions
