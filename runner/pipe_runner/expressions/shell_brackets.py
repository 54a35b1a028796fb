"""Finds the bracket that closes another, which tells arithmetic from two subshells."""

from __future__ import annotations


class Brackets:
    """The brackets of a shell text. What one search passes is remembered, so that no part is read again and again."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._closing: dict[tuple[int, int], int] = {}
        """Where the bracket before a place is closed, by the place and the limit of the search; -1: nowhere."""
        self._last_hole = text.rfind("}}")

    def closes_twice(self, position: int, limit: int) -> bool:
        """Whether `((`, which ends before `position`, is closed by `))`: arithmetic, not two subshells."""
        if (position, limit) not in self._closing:
            self._search(position, limit)
        closing = self._closing[position, limit]
        return closing >= 0 and self._text.startswith("))", closing)

    def _search(self, position: int, limit: int) -> None:
        text = self._text
        opened = [position]
        while position < limit and opened:
            character = text[position]
            if character == "(":
                opened.append(position + 1)
            elif character == ")":
                self._closing[opened.pop(), limit] = position
            elif character == "\\":
                position += 1
            elif character in "'\"":
                closing = text.find(character, position + 1, limit)
                position = limit if closing < 0 else closing
            elif character == "{" and position < self._last_hole and text.startswith("{{", position):
                closing = text.find("}}", position, limit)
                position = position if closing < 0 else closing + 1
            position += 1
        for place in opened:
            self._closing[place, limit] = -1
