"""Puts values into the text of a URL so that none of them changes what the file says of it: above all, its host.

A value that is the whole URL, or its beginning, is taken as it is: then the file says that it comes from there.
Anywhere else it is encoded (path, query, user name) or must look like what stands in its place (scheme, host, port).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from pipe_runner.errors import ExpressionFault
from pipe_runner.expressions import Compiled, evaluate
from pipe_runner.expressions.plain import look_up
from pipe_runner.expressions.statements import Renderer
from pipe_runner.expressions.values import shorten, value_to_text
from pipe_runner.types import Json

_MARKER: Final = re.compile("(\x00pipe-secret:[A-Za-z_][A-Za-z0-9_]*\x00)")
_PATH_SAFE: Final = "/:@!$&'()*+,;=~"
_HOST: Final = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?\Z")
_LABEL: Final = re.compile(r"[A-Za-z0-9-]+\Z")
_PORT: Final = re.compile(r":[0-9]*\Z")
_GOES_ON: Final = re.compile(r"[A-Za-z0-9-]*\.[A-Za-z0-9]")
_SCHEME_END: Final = re.compile(r"[^/?#]*?://")


class Inserted(str):
    """Text that a value gave, between text that stands in the file."""

    __slots__ = ()


class _Pieces(Renderer):
    """Renders a template and remembers which of its text came from values."""

    __slots__ = ()

    def pieces(self, body: Sequence[Any]) -> list[str]:
        self.render(body)
        return self._out

    def _run(self, body: Iterable[Sequence[Any]]) -> None:
        for statement in body:
            written = self._out
            before = len(written)
            super()._run((statement,))
            if statement[0] in ("print", "filters"):
                written[before:] = [Inserted(text) for text in written[before:]]


def evaluate_url(compiled: Compiled, scope: Mapping[str, Json]) -> Json:
    """The URL that a template gives; raises ExpressionFault, also for a value that may not stand where it does."""
    if compiled.kind == "text":
        pieces = [
            part if isinstance(part, str) else Inserted(value_to_text(look_up(scope, part, compiled.source)))
            for part in compiled.body
        ]
    elif compiled.kind == "jinja" and not compiled.whole:
        evaluate(compiled, scope)  # within its bounds of time and size, and for its faults
        pieces = _Pieces(scope).pieces(compiled.body)
    else:
        return evaluate(compiled, scope)
    try:
        return assembled(pieces)
    except ExpressionFault as fault:
        fault.source = compiled.source
        raise


def assembled(pieces: Sequence[str]) -> str:
    """The URL of its pieces, of which those of type Inserted are values."""
    pieces = [piece for piece in pieces if piece]
    out = shown = ""
    if pieces and isinstance(pieces[0], Inserted) and not _SCHEME_END.match(_file_text(pieces)):
        out = str(pieces.pop(0))
        shown = out if _SCHEME_END.match(out) else "secret://host"  # a secret stands there as its marker
    for index, piece in enumerate(pieces):
        text = _fitted(piece, shown, _file_text(pieces[index + 1 :])) if isinstance(piece, Inserted) else piece
        out, shown = out + text, shown + text
    return out


def _file_text(pieces: Sequence[str]) -> str:
    return "".join("" if isinstance(piece, Inserted) else piece for piece in pieces)


def _fitted(value: str, before: str, after: str) -> str:
    """A value as it may stand between what the URL is so far and the file's text behind it."""
    scheme = _SCHEME_END.match(before)
    if scheme is None:
        if _SCHEME_END.match(before + after) and re.fullmatch("[A-Za-z]*", value):
            return value
        raise _refused(value, "stands before the URL's host and is no scheme", "let the whole beginning be one value")
    rest = before[scheme.end() :]
    if "#" in rest or "?" in rest:
        return _quoted(value, "")
    if "/" in rest:
        segments = re.split(r"[/\\]", rest.rpartition("/")[2] + value)
        if any(segment in (".", "..") for segment in segments):
            raise _refused(value, "would leave the URL's path", "a value in a path can't hold `.` or `..` as a part")
        return _quoted(value, _PATH_SAFE)
    return _in_authority(value, rest, re.split("[/?#]", after, maxsplit=1)[0])


def _in_authority(value: str, before: str, after: str) -> str:
    """A value between `://` and the first `/`; `before` and `after` are the parts of the host around it."""
    if _MARKER.fullmatch(value):
        return value
    if "@" in after:
        return _quoted(value, "")
    host = before.rpartition("@")[2]
    if not host:
        if _HOST.match(value):
            return value
        raise _refused(value, "is no host", "a host is a name or an address, with or without a port")
    if value[0] in "/?#" and not after:
        return value
    if _PORT.search(host):
        if value.isascii() and value.isdecimal():
            return value
        raise _refused(value, "is no port", "a port is a number")
    if _LABEL.match(value) and _GOES_ON.match(after):
        return value
    hint = "write `/` between the host and the value, or let the whole host be one value"
    raise _refused(value, "would change the URL's host", hint)


def _quoted(value: str, safe: str) -> str:
    try:
        return "".join(part if _MARKER.fullmatch(part) else quote(part, safe=safe) for part in _MARKER.split(value))
    except UnicodeEncodeError:
        raise _refused(value, "is not Unicode", "") from None


def _refused(value: str, why: str, mend: str) -> ExpressionFault:
    shown = _MARKER.sub("…", shorten(value, 60))
    return ExpressionFault(f"the value {shown!r} {why}" + (f"; {mend}" if mend else ""))
