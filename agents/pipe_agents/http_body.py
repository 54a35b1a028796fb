"""Decodes what a server sent: compression within bounds, then JSON, text or base64."""

from __future__ import annotations

import base64
import json
import re
import zlib
from collections.abc import Iterator
from contextlib import suppress
from typing import Final, NoReturn

from pipe_runner.errors import NodeFault
from pipe_runner.types import ErrorKind, Json
from pipe_schemas.values import MAX_DEPTH, NotJson, copied

_CHUNK: Final = 256 * 1024
_GZIP: Final = zlib.MAX_WBITS | 16
_CODINGS: Final = {"gzip": _GZIP, "x-gzip": _GZIP, "deflate": zlib.MAX_WBITS}
_CHARSETS: Final = re.compile(
    r"(utf-?(8|16|32)(-?[lb]e)?|us-ascii|ascii|latin-?1|iso-?8859-?\d{1,2}|windows-?\d{3,4}|cp\d{3,4}|koi8-[ru]|gb2312|"
    r"gbk|gb18030|big5(-hkscs)?|shift[_-]jis|sjis|euc-(jp|kr)|ks_c_5601-1987|iso-2022-(jp|kr)|tis-620|macintosh|"
    r"mac-(roman|cyrillic|greek|turkish))\Z"
)
_TEXT_TYPES: Final = re.compile(
    r"(text/.*|application/(.*\+)?(json|xml|yaml|x-yaml|javascript|ecmascript|x-www-form-urlencoded|x-ndjson|jsonl|graphql|"
    r"toml|sql|x-sh)|.*\+(json|xml|yaml))\Z"
)


class Inflater:
    """Undoes one content coding in pieces of at most 256 KiB, so that a small body can't become a large one at once."""

    def __init__(self, coding: str) -> None:
        self._coding = coding
        self._bits = _CODINGS[coding]
        self._engine = zlib.decompressobj(self._bits)
        self._head = b""
        self._begun = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        if not self._begun:
            data = self._head = self._head + data
            if len(data) < 2:
                return
            self._begin(data)
        held = False
        while data or held:
            try:
                piece = self._engine.decompress(data, _CHUNK)
            except zlib.error as error:
                raise _broken(f"the body is no valid {self._coding}: {error}") from None
            if piece:
                yield piece
            data, held = self._engine.unconsumed_tail, bool(piece)  # zlib may have output of what it has taken
            if self._engine.eof:
                held = False
                data = self._engine.unused_data.lstrip(b"\0")
                if data:
                    self._engine = zlib.decompressobj(self._bits)
            elif not piece:
                return

    def finish(self) -> None:
        if self._head and not self._engine.eof:
            raise _broken(f"the {self._coding} body ends before its end")

    def _begin(self, data: bytes) -> None:
        self._begun = True
        if self._coding == "deflate" and not (data[0] & 15 == 8 and int.from_bytes(data[:2]) % 31 == 0):
            self._bits = -zlib.MAX_WBITS  # some servers leave the zlib header out
            self._engine = zlib.decompressobj(self._bits)


def inflaters(content_encoding: str) -> list[Inflater]:
    """What undoes the codings of a body, in the order to apply them."""
    names = [name.strip().lower() for name in content_encoding.split(",")]
    names = [name for name in names if name and name != "identity"]
    for name in names:
        if name not in _CODINGS:
            raise _broken(f"the body comes as {name[:32]!r}, which was not asked for")
    if len(names) > 2:
        raise _broken("the body is compressed more than twice")
    return [Inflater(name) for name in reversed(names)]


def inflated(chunk: bytes, steps: list[Inflater]) -> Iterator[bytes]:
    """A piece of a body through every coding."""
    if not steps:
        yield chunk
        return
    for piece in steps[0].feed(chunk):
        yield from inflated(piece, steps[1:])


def body_value(data: bytes, content_type: str) -> Json:
    """The `body` of the output.

    JSON where the server says that it is JSON (or says nothing, and it is); else text; and `{"base64": …, "bytes": n}`
    for what is neither. An empty body is null where JSON was announced, else "".
    """
    media, charset = _media_type(content_type)
    says_json = media == "application/json" or media.endswith("+json")
    if not data:
        return None if says_json else ""
    if says_json or not media:
        try:
            return _parsed(data)
        except UnicodeDecodeError:
            with suppress(ValueError, LookupError):
                return _parsed(data.decode(charset or "utf-8"))
        except ValueError:
            pass
    text = _text(data, charset, sure=bool(_TEXT_TYPES.match(media)) or charset is not None)
    if text is None:
        return {"base64": base64.b64encode(data).decode("ascii"), "bytes": len(data)}
    return text


def start_of(data: bytes, content_type: str, limit: int) -> str:
    """The first characters of a body, for a message."""
    text = _text(data[: 4 * limit], _media_type(content_type)[1], sure=True) or ""
    return text[:limit]


def _parsed(data: bytes | str) -> Json:
    """The JSON value. Raises ValueError for anything else, also for NaN, depth, and numbers that are too long."""
    try:
        return copied(json.loads(data, parse_constant=_no_constant), 2**62)
    except (RecursionError, NotJson):
        raise ValueError(f"nested deeper than {MAX_DEPTH} levels, or not Unicode") from None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _media_type(content_type: str) -> tuple[str, str | None]:
    media, _, parameters = content_type.partition(";")
    match = re.search(r"charset\s*=\s*\"?([A-Za-z0-9._-]{1,40})", parameters, re.IGNORECASE)
    charset = match.group(1).lower() if match else None
    return media.strip().lower(), charset if charset and _CHARSETS.match(charset) else None


def _text(data: bytes, charset: str | None, *, sure: bool) -> str | None:
    if not sure:
        if b"\0" in data:
            return None
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError:
            return None
    name = "utf-8-sig" if charset in (None, "utf-8", "utf8") else str(charset)
    try:
        return data.decode(name, "replace")
    except LookupError:
        return data.decode("utf-8-sig", "replace")


def _broken(why: str) -> NodeFault:
    return NodeFault(ErrorKind.HTTP, why)
