"""Hides secrets in what nodes print and return: every form that a secret takes on its way through shells and formats.

Text is searched as bytes for all forms at once, and every stretch that any of them covers becomes `***`; so the result
doesn't depend on the order of the secrets, nor on where a stream was cut.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from threading import Lock
from typing import Any, Final

from pipe_runner.ports import StreamMasker
from pipe_runner.types import Json

MASK: Final = b"***"
SHORTEST: Final = 6
"""Characters below which a secret is not masked: it would hide too much that is none."""
ADDED: Final = 32
"""Secrets that came while the run went on and are hidden still: those that were fetched before them have expired."""

_FILLER: Final = b"\1"
"""Stands behind the end of a line that two characters write."""
_ENDS: Final = b"\r\n" + _FILLER
_EMPTY_LINES: Final = tuple(
    one + filler + two for one, two in ((b"\n", b"\n"), (b"\n", b"\r"), (b"\r", b"\r")) for filler in (b"", _FILLER)
)
_LONGEST_END: Final = 4
"""Bytes of the longest end of a line."""


class NoMasking:
    """The Masker for a run without secrets; costs nothing."""

    def mask_text(self, text: str) -> str:
        return text

    def mask_json(self, value: Json) -> Json:
        return value

    def stream(self) -> StreamMasker:
        return _Nothing()


class _Nothing:
    def feed(self, data: bytes) -> bytes:
        return data

    def flush(self) -> bytes:
        return b""


class SecretMasker:
    """The Masker for these secrets, by name, and for those that come while the run goes on; those shorter than 6
    characters are left as they are."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self._given = [value for value in secrets.values() if len(value) >= SHORTEST]
        self._values = self._given
        self._adding = Lock()
        self._look()

    def add(self, secret: str) -> None:
        """From now on hide this one, too, also in streams that have begun. Any thread may say so."""
        with self._adding:
            if len(secret) >= SHORTEST and secret not in self._values:
                self._values = [*self._given, *self._values[len(self._given) :][1 - ADDED :], secret]
                self._look()

    def _look(self) -> None:
        values = self._values
        raw = text = _Finder(values, "surrogateescape")
        if any(not value.isascii() and _has_surrogates(value) for value in values):
            text = _Finder(values, "surrogatepass")
        self._raw, self._text = raw, text

    def mask_text(self, text: str) -> str:
        """The text with every form hidden; the text itself if it holds none."""
        if not self._values:
            return text
        data = text.encode("utf-8", "surrogatepass")
        spans = self._text.spans(data)
        return _replace(data, spans).decode("utf-8", "surrogatepass") if spans else text

    def mask_json(self, value: Json) -> Json:
        """The value with every form hidden in strings, keys and numbers; a number that holds a secret becomes text.

        Gives the value itself if it holds none, and never changes it.
        """
        if isinstance(value, str):
            return self.mask_text(value)
        if not self._values:
            return value
        texts = "\0\n".join(_texts(value))  # each begins a line
        if not self._text.spans(texts.encode("utf-8", "surrogatepass")):
            return value
        return self._mask_containers(value)

    def stream(self) -> StreamMasker:
        return _Stream(self)

    def _mask_containers(self, value: Json) -> Json:
        root: list[Any] = [value]
        pending: list[Any] = [root]
        while pending:
            container = pending.pop()
            items: Iterable[tuple[Any, Any]]
            items = list(container.items()) if isinstance(container, dict) else enumerate(container)
            for key, child in items:
                new: Any = child
                if isinstance(child, dict):
                    new = self._mask_keys(child)
                    pending.append(new)
                elif isinstance(child, list):
                    new = list(child)
                    pending.append(new)
                elif isinstance(child, str):
                    new = self.mask_text(child)
                elif child is not None and child is not True and child is not False:
                    masked = self.mask_text(repr(child))
                    new = child if masked == repr(child) else masked
                container[key] = new
        masked_value: Json = root[0]
        return masked_value

    def _mask_keys(self, value: Mapping[str, Any]) -> dict[str, Any]:
        masked: dict[str, Any] = {}
        for key, child in value.items():
            name = self.mask_text(key)
            while name in masked:  # two keys that hold secrets stay two
                name += "*"
            masked[name] = child
        return masked


class _Finder:
    """Finds every stretch of a text that some form covers, also one that a tool cut into lines."""

    def __init__(self, secrets: Iterable[str], errors: str) -> None:
        from pipe_runner.secret_dumps import Dumps
        from pipe_runner.secret_forms import cut_forms, forms, shown_forms
        from pipe_runner.secret_needles import Needles

        values = list(secrets)
        self._forms = Needles(forms(value, errors) for value in values)
        self._cut = Needles(cut_forms(value, errors) for value in values)
        self._dumps = Dumps(piece for value in values for piece in shown_forms(value, errors))
        self._reach = self._cut.longest * (1 + _LONGEST_END)
        self._shortest = min(self._forms.shortest, self._cut.shortest, self._dumps.shortest)

    def spans(self, data: bytes) -> list[tuple[int, int]]:
        """Start and end of each stretch to hide, in order; stretches that meet are one."""
        if len(data) < self._shortest:
            return []
        found = self._forms.spans(data)
        if _may_end_lines(data) and self._cut.may_hold(_without_ends(data)):
            text = _Joined(data)
            for start, end in self._cut.spans(text.joined):
                found += text.stretches(start, end)
        found += self._dumps.spans(data)
        return _merged(found)

    def hold(self, data: bytes) -> int:
        """The first index from which all of the rest may be the beginning of a form; the length if there is none."""
        at = min(self._forms.hold(data), self._dumps.hold(data))
        away = max(0, len(data) - self._reach)
        tail = data[away:]
        if _may_end_lines(tail):
            text = _Joined(tail.removesuffix(b"\\"))  # with what comes it may end a line
            begin = self._cut.hold(text.joined)
            if begin < len(text.joined):
                at = min(at, away + text.stretches(begin, begin + 1)[0][0])
        return at


class _Joined:
    """A text without the ends of its lines: line feed, carriage return, both, and these as a string of JSON has them.

    Empty lines part what is around them, so that the beginning of a form is never without bound.
    """

    def __init__(self, data: bytes) -> None:
        text = data
        if b"\\" in data:
            text = text.replace(_FILLER, b"\0").replace(b"\\n", b"\n" + _FILLER).replace(b"\\r", b"\r" + _FILLER)
        elif _FILLER in data:
            text = text.replace(_FILLER, b"\0")
        for empty in _EMPTY_LINES:
            text = text.replace(empty, b"\0" * len(empty))
        self._text = text
        self.joined = text.translate(None, _ENDS)
        self._left_out: tuple[list[int], list[int]] | None = None

    def stretches(self, start: int, end: int) -> list[tuple[int, int]]:
        """Where in the text a stretch of the joined one is, line by line."""
        if self._left_out is None:
            self._left_out = self._ends()
        places, before = self._left_out
        found: list[tuple[int, int]] = []
        at = bisect_right(places, start)
        while start < end:
            stop = min(end, places[at]) if at < len(places) else end
            shift = before[at]
            if stop > start:
                found.append((start + shift, stop + shift))
            start, at = stop, at + 1
        return found

    def _ends(self) -> tuple[list[int], list[int]]:
        """Where in the joined text something was left out, and how much before each, and in all."""
        places: list[int] = []
        before = [0]
        for end in re.finditer(b"[%b]+" % _ENDS, self._text):
            places.append(end.start() - before[-1])
            before.append(before[-1] + len(end[0]))
        return places, before


class _Stream:
    """Masks a stream. `_held` is the end of what came, not given out since a form may begin in it; `_hidden` is what is
    known of it to be hidden, by forms that began before it too; `_masked`: what was given out ends with a mask."""

    def __init__(self, masker: SecretMasker) -> None:
        self._masker = masker
        self._held = b""
        self._hidden: list[tuple[int, int]] = []
        self._masked = False

    def feed(self, data: bytes) -> bytes:
        if not data:
            return b""
        text = self._held + data if self._held else data
        return self._give(text, self._masker._raw.hold(text) if self._masker._values else len(text))

    def flush(self) -> bytes:
        return self._give(self._held, len(self._held))

    def _give(self, text: bytes, cut: int) -> bytes:
        spans = self._masker._raw.spans(text) if self._masker._values else []
        if self._hidden:
            spans = _merged(self._hidden + spans)
        self._held = text[cut:]
        if not spans:
            self._masked = self._masked and not cut
            return text[:cut]
        self._hidden = [(max(0, start - cut), end - cut) for start, end in spans if end > cut]
        parts: list[bytes] = []
        masked = self._masked
        at = 0
        for start, end in spans:
            if start >= cut:
                break
            if start > at or not masked:
                parts += (text[at:start], MASK)
            at = end
            masked = True
        if at < cut:
            parts.append(text[at:cut])
            masked = False
        self._masked = masked
        return b"".join(parts)


def _may_end_lines(data: bytes) -> bool:
    return b"\n" in data or b"\\" in data or b"\r" in data


def _without_ends(data: bytes) -> bytes:
    """The text with nothing where a line ends, also where `_Joined` parts it: what isn't here isn't there either."""
    if b"\\" in data:
        data = data.replace(b"\\n", b"").replace(b"\\r", b"")
    return data.translate(None, b"\r\n") if b"\r" in data else data.replace(b"\n", b"")


def _merged(found: list[tuple[int, int]]) -> list[tuple[int, int]]:
    if len(found) < 2:
        return found
    found.sort()
    merged = [found[0]]
    for start, end in found:
        last_start, last_end = merged[-1]
        if start <= last_end:
            if end > last_end:
                merged[-1] = (last_start, end)
        else:
            merged.append((start, end))
    return merged


def _replace(data: bytes, spans: list[tuple[int, int]]) -> bytes:
    parts: list[bytes] = []
    at = 0
    for start, end in spans:
        parts += (data[at:start], MASK)
        at = end
    parts.append(data[at:])
    return b"".join(parts)


def _texts(value: Json) -> Iterable[str]:
    """Every string, key and number below a value, as text."""
    pending: list[Any] = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, dict):
            yield from item
            pending.extend(item.values())
        elif isinstance(item, list):
            pending.extend(item)
        elif item is not None and item is not True and item is not False:
            yield repr(item)


def _has_surrogates(text: str) -> bool:
    return any("\ud800" <= char <= "\udfff" for char in text)
