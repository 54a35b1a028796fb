"""The forms in which a secret may appear in text: encoded, quoted, in lines of its own."""

from __future__ import annotations

import html
import json
import re
from base64 import b64encode
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import product
from string import ascii_lowercase, ascii_uppercase, digits
from typing import Final, NamedTuple
from urllib.parse import quote, quote_plus

SHORTEST_LINE: Final = 8
"""Characters from which a line of a secret counts as a secret itself."""
LONGEST: Final = 256
"""Bytes of the longest form that is looked for whole; longer ones are looked for in pieces, so that little of a stream
must be held back."""
_SHORTEST_FORM: Final = 6
_SHORTEST_CORE: Final = 3
LONG_CORE: Final = 15
"""Bytes from which a core stands for those that contain it, and many are looked for at once."""
_WRAPS: Final = (76, 64, 60)
"""Columns at which `base64`, `openssl base64` and `xxd -p` begin a new line."""
_BLOCKS: Final = 40
"""Columns from one of the blocks of a text to the next, of which each of these lines holds one."""
_FOLDS: Final = (40, 72, 80)
"""Columns at which `fold` and people do."""
_BASE64: Final = (ascii_uppercase + ascii_lowercase + digits + "+/").encode("ascii")
_OF_LONG: Final = 128
"""Characters at an end of a long secret's base64 that are looked for together with what may stand beside it."""
_URL_SAFE_BASE64: Final = bytes.maketrans(b"+/", b"-_")
_DUMPED: Final = 16
"""Bytes of a line of `od`."""
_BASH_QUOTED: Final = re.compile(r"[\\ '\"`$&|;,()<>{}\[\]*?!^]|^[#~]|(?<=[:=])~")
"""What `printf %q` puts a backslash before, where a text holds nothing that can't be printed."""
_NAMED: Final = str.maketrans(
    {char: "\\" + name for char, name in zip("\\\a\b\t\n\v\f\r\x1b", "\\abtnvfrE", strict=True)}
)
_NAMED_IN_YAML: Final = {
    **_NAMED,
    **{ord(char): "\\" + name for char, name in zip('\x1b"\0\x85\xa0\u2028\u2029', 'e"0N_LP', strict=True)},
}
_OTHERS: Final = re.compile(r"[^ -~]")
_URL_SAFE: Final = ("", "/", "!'()*", ";,/?:@&=+$-_.!~*'()#")
"""What RFC 3986, Python's `quote`, JavaScript's `encodeURIComponent` and its `encodeURI` leave alone."""


class Edges(NamedTuple):
    """What belongs to a form where it stands beside it: one of these bytes before it, the longest of those behind."""

    before: bytes
    behind: tuple[bytes, ...]


class Forms(NamedTuple):
    """Everything to look for: `{core: forms that contain it}`, since a text without the core holds none of its forms;
    and the edges of those forms that have some."""

    by_core: dict[bytes, set[bytes]]
    edges: dict[bytes, Edges]

    def add(self, form: bytes, core: bytes = b"") -> None:
        """By this core if it has it; else by its longest run of letters and digits, which is in other forms, too."""
        if not core or core not in form:
            run = _core(form.decode("latin-1"))
            core = run if len(run) >= LONG_CORE else form
        self.by_core.setdefault(core, set()).add(form)

    def add_base64(self, value: bytes) -> None:
        """Of these bytes, wherever they stand in what was encoded."""
        for text, edges in _base64_forms(value):
            for piece in _pieces(text):
                self.add(piece)
            for side, own in _sides(text, edges):
                self.add(side)
                self.edges[side] = united(self.edges[side], own) if side in self.edges else own


def forms(secret: str, errors: str) -> Forms:
    """The secret itself, without white space around it, and each of its lines from 8 characters; each in every form.
    `errors` says how lone surrogates become bytes."""
    found = Forms({}, {})
    for value in _values(secret):
        core = _core(value)
        for form in (
            *_text_forms(value),
            *(() if "\n" in value else (line for _, line in _lines(value, _FOLDS))),
            *_url_forms(value, errors),
            *_byte_forms(to_bytes(value, errors)),
        ):
            for piece in _pieces(to_bytes(form, errors)):
                found.add(piece, core)
        for text in {value, *(json.dumps(value, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False))}:
            found.add_base64(to_bytes(text, errors))
    data = to_bytes(secret, errors)
    for encoded in _digits(data):
        for at, line in _lines(encoded, _WRAPS):
            found.add(line.encode("ascii"), _block(encoded, at, len(line)).encode("ascii"))
    for line in _dumps(data):
        found.add(line.encode("ascii"))
    return found


def cut_forms(secret: str, errors: str) -> Forms:
    """Those that tools cut into lines: to look for in a text without the ends of its lines."""
    found = Forms({}, {})
    for value in _values(secret):
        data = to_bytes(value, errors)
        found.add_base64(data)
        texts = [text.encode("ascii") for text in (data.hex(), data.hex().upper(), data.hex(" "))]
        if len(value) >= SHORTEST_LINE and not set(value) & {"\n", "\r"}:
            texts.append(data)
        for piece in (piece for text in texts for piece in _pieces(text)):
            found.add(piece)
    return found


def shown_forms(secret: str, errors: str) -> set[bytes]:
    """What dumps are searched for: the bytes of a secret and of its lines."""
    return {piece for value in _values(secret) for piece in _pieces(to_bytes(value, errors))}


def _values(secret: str) -> set[str]:
    values = {secret}
    if len(secret.strip()) >= _SHORTEST_FORM:
        values.add(secret.strip())
    if "\n" in secret or "\r" in secret:
        values |= {line.strip() for line in re.split(r"[\r\n]+", secret) if len(line.strip()) >= SHORTEST_LINE}
    return values


def _core(value: str) -> bytes:
    """The longest run of letters and digits, which no quoting changes; nothing if it would be in every text."""
    longest = max(re.findall("[A-Za-z0-9]+", value), key=len, default="")
    return longest.encode("ascii") if _SHORTEST_CORE <= len(longest) <= LONGEST // 2 else b""


def _text_forms(value: str) -> Iterator[str]:
    yield value
    yield from _json_forms(value)
    for quoted in {*_html_forms(value), *_shell_forms(value)}:
        yield quoted
        for ascii_only in (True, False) if quoted != value else ():
            yield json.dumps(quoted, ensure_ascii=ascii_only)[1:-1]
    yield from _escaped_forms(value)
    yield value.replace('"', '""')  # CSV
    yield value.replace("'", "''")  # SQL, YAML


def _json_forms(value: str) -> Iterator[str]:
    for ascii_only in (True, False):
        escaped = json.dumps(value, ensure_ascii=ascii_only)[1:-1]
        yield escaped
        yield escaped.replace("/", "\\/")
        yield re.sub("[<>&]", lambda found: f"\\u{ord(found[0]):04x}", escaped)
        yield re.sub(r"\\u[0-9a-f]{4}", lambda found: "\\u" + found[0][2:].upper(), escaped)
        yield json.dumps(escaped, ensure_ascii=ascii_only)[1:-1]  # JSON in a string of JSON


def _html_forms(value: str) -> Iterator[str]:
    escaped = html.escape(value, quote=False)
    yield escaped
    doubles = ("&quot;", "&#34;", '"') if '"' in value else ('"',)
    singles = ("&#x27;", "&#39;", "&apos;", "'") if "'" in value else ("'",)
    for double, single in product(doubles, singles):
        yield (form := escaped.replace('"', double).replace("'", single))
        yield form.encode("ascii", "xmlcharrefreplace").decode("ascii")


def _shell_forms(value: str) -> Iterator[str]:
    yield value.replace("'", "'\"'\"'")
    yield value.replace("'", "'\\''")
    yield re.sub(r'([$`"\\])', r"\\\1", value)
    yield _BASH_QUOTED.sub(r"\\\g<0>", value)
    yield re.sub(r"([^\w@+:,./-])", r"\\\1", value, flags=re.ASCII)  # Ruby
    yield re.sub(r"([^\w@%+=:,./-])", r"\\\1", value, flags=re.ASCII)
    yield re.sub(r"([^\w@%+=:,./-])", r"\\\1", value)


def _escaped_forms(value: str) -> Iterator[str]:
    """As Python, bash (`$'…'`) and YAML name what can't be printed, or is no ASCII."""
    yield repr(value)[1:-1]
    yield ascii(value)[1:-1]
    yield repr(to_bytes(value, "surrogatepass"))[2:-1]
    single = value.translate(_NAMED).replace("'", "\\'")
    yield single
    yield _OTHERS.sub(lambda found: "".join(f"\\{byte:03o}" for byte in to_bytes(found[0], "surrogatepass")), single)
    double = value.translate(_NAMED_IN_YAML)
    yield _OTHERS.sub(lambda found: (escape := ascii(found[0])[1:-1])[:2] + escape[2:].upper(), double)


def _url_forms(value: str, errors: str) -> Iterator[str]:
    data = to_bytes(value, errors)
    for safe in _URL_SAFE:
        for form in (quote(data, safe), quote_plus(data, safe)):
            yield form
            yield re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), form)


def _byte_forms(value: bytes) -> Iterator[str]:
    yield value.hex()
    yield value.hex().upper()
    yield value.hex(":")
    yield value.hex(":").upper()
    yield value.hex(" ")
    yield "".join(f"\\x{byte:02x}" for byte in value)
    yield "".join(f"%{byte:02x}" for byte in value)
    yield "".join(f"%{byte:02X}" for byte in value)


def _base64_forms(value: bytes) -> Iterator[tuple[bytes, Edges]]:
    """What of base64 tells of these bytes alone, wherever they stand in a text, and what may stand beside it.

    A character at an end may hold bits of the bytes and of their neighbour: it is every one that there may be. The end
    of a line, which `echo` adds, is hidden with the secret.
    """
    for before in range(3):
        bits = 8 * (before + len(value))
        start, end = (0, 2, 3)[before], bits // 6
        padded = b"\0" * before + value
        wholes = [b64encode(padded + behind) for behind in (b"\0", b"", b"\n", b"\r\n")]
        for url_safe in (False, True):
            encoded, *whole = [text.translate(_URL_SAFE_BASE64) for text in wholes] if url_safe else wholes
            alphabet = _BASE64.translate(_URL_SAFE_BASE64) if url_safe else _BASE64
            own = (0, 4, 2)[before]  # bits of the character before that are the secret's
            head = alphabet[alphabet.index(encoded[start - 1]) & (1 << own) - 1 :: 1 << own] if start else b""
            last = alphabet.index(encoded[end]) if bits % 6 else 0
            tails = [alphabet[at : at + 1] for at in range(last, last + (64 >> bits % 6))] if bits % 6 else []
            tails += [tail for text in whole for tail in (text[end:], text[end:].rstrip(b"=")) if tail]
            yield encoded[start:end], _same_edges(Edges(head, tuple(sorted(set(tails), key=len, reverse=True))))


def _sides(text: bytes, edges: Edges) -> Iterator[tuple[bytes, Edges]]:
    """The parts of a base64 text that have its edges: of a long one its ends alone."""
    if len(text) <= _OF_LONG:
        yield text, edges
        return
    yield text[:_OF_LONG], _same_edges(Edges(edges.before, ()))
    yield text[-_OF_LONG:], _same_edges(Edges(b"", edges.behind))


@lru_cache(maxsize=4096)
def _same_edges(edges: Edges) -> Edges:
    """The first of all that are equal, since most forms share theirs with others."""
    return edges


def united(one: Edges, other: Edges) -> Edges:
    """The edges of a form that has both."""
    if one is other:
        return one
    behind = sorted({*one.behind, *other.behind}, key=len, reverse=True)
    return _same_edges(Edges(bytes({*one.before, *other.before}), tuple(behind)))


def _digits(value: bytes) -> tuple[str, ...]:
    """The encodings that tools cut into lines; base64 of the secret, of a line with it, and before other text."""
    base64 = [b64encode(value + end) for end in (b"", b"\n")]
    base64.append(base64[0][: len(value) * 8 // 6])
    base64 += [text.translate(_URL_SAFE_BASE64) for text in base64]
    return value.hex(), value.hex().upper(), *(text.decode("ascii") for text in base64)


def _dumps(value: bytes) -> Iterator[str]:
    """The lines of `od -tx1`, without addresses."""
    if len(value) <= _DUMPED:
        return
    for at in range(0, len(value), _DUMPED):
        line = value[at : at + _DUMPED]
        if len(line) >= SHORTEST_LINE // 2:
            yield line.hex(" ")


def _lines(encoded: str, widths: Iterable[int]) -> Iterator[tuple[int, str]]:
    """Where the lines begin into which tools cut a text, and these; the last one only if it is long enough to tell
    something."""
    for width in widths:
        if len(encoded) > width:
            for at in range(0, len(encoded), width):
                line = encoded[at : at + width]
                if len(line) >= SHORTEST_LINE:
                    yield at, line


def _block(text: str, at: int, size: int) -> str:
    """A part of a line that lines of other widths have, too: a core for all of them; a short line itself."""
    begin = -(-at // _BLOCKS) * _BLOCKS
    end = begin + min(_WRAPS) - _BLOCKS + 1
    return text[begin:end] if end <= at + size else text[at : at + size]


def to_bytes(value: str, errors: str) -> bytes:
    """UTF-8; lone surrogates become bytes as `errors` says, or as they can."""
    try:
        return value.encode("utf-8", errors)
    except UnicodeEncodeError:
        return value.encode("utf-8", "surrogatepass")


def _pieces(form: bytes) -> set[bytes]:
    if len(form) <= LONGEST:
        return {form}
    size = len(form)
    count = -(-size // LONGEST)  # all as long as another: a rest of a few bytes would be in every text
    return {form[at * size // count : (at + 1) * size // count] for at in range(count)}
