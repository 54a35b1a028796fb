"""The forms in which a secret may appear in text: encoded, quoted, in lines of its own."""

from __future__ import annotations

import html
import json
import re
from base64 import b64encode
from collections.abc import Iterable, Iterator
from itertools import product
from string import ascii_lowercase, ascii_uppercase, digits
from typing import Final
from urllib.parse import quote, quote_plus

SHORTEST_LINE: Final = 8
"""Characters from which a line of a secret counts as a secret itself."""
LONGEST: Final = 256
"""Bytes of the longest form that is looked for whole; longer ones are looked for in pieces, so that little of a stream
must be held back."""
_SHORTEST_FORM: Final = 6
_SHORTEST_CORE: Final = 3
_WRAPS: Final = (76, 64, 60)
"""Columns at which `base64`, `openssl base64` and `xxd -p` begin a new line."""
_FOLDS: Final = (40, 72, 80)
"""Columns at which `fold` and people do."""
_BASE64: Final = (ascii_uppercase + ascii_lowercase + digits + "+/").encode("ascii")
_OF_LONG: Final = 128
"""Characters of a long secret's base64 that are looked for together with one at its end."""
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


def forms(secret: str, errors: str) -> dict[bytes, set[bytes]]:
    """Everything to look for: `{core: forms that contain it}`; a text without the core holds none of its forms.

    That is the secret itself, without white space around it, and each of its lines from 8 characters; each in every
    form. `errors` says how lone surrogates become bytes.
    """
    found: dict[bytes, set[bytes]] = {}
    for value in _values(secret):
        core = _core(value)
        for form in (
            *_text_forms(value),
            *(() if "\n" in value else _lines(value, _FOLDS)),
            *_url_forms(value, errors),
            *_byte_forms(to_bytes(value, errors)),
        ):
            for piece in _pieces(to_bytes(form, errors)):
                found.setdefault(core if core and core in piece else piece, set()).add(piece)
        for text in {value, *(json.dumps(value, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False))}:
            _add(found, _base64_forms(to_bytes(text, errors)))
    data = to_bytes(secret, errors)
    for form in (*(f for text in _digits(data) for f in _lines(text, _WRAPS)), *_dumps(data)):
        found.setdefault(form.encode("ascii"), set()).add(form.encode("ascii"))
    return found


def cut_forms(secret: str, errors: str) -> dict[bytes, set[bytes]]:
    """Those that tools cut into lines, as `forms` gives them: to look for in a text without the ends of its lines."""
    found: dict[bytes, set[bytes]] = {}
    for value in _values(secret):
        data = to_bytes(value, errors)
        _add(found, _base64_forms(data))
        if len(value) >= SHORTEST_LINE and not set(value) & {"\n", "\r"}:
            for piece in _pieces(data):
                found.setdefault(piece, set()).add(piece)
        digits = (text.encode("ascii") for text in (data.hex(), data.hex().upper(), data.hex(" ")))
        _add(found, ((text, text) for text in digits))
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


def _add(found: dict[bytes, set[bytes]], forms: Iterable[tuple[bytes, bytes]]) -> None:
    for core, form in forms:
        if len(form) <= LONGEST:
            found.setdefault(core, set()).add(form)
        else:
            for piece in _pieces(form):
                found.setdefault(core if core in piece else piece, set()).add(piece)


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


def _base64_forms(value: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Those that tell of the secret, wherever it stands in a text, each behind the core that it contains.

    A character at an end may hold bits of the secret and of its neighbour; it is looked for with every neighbour that
    there may be. The end of a line, which `echo` adds, is hidden with the secret.
    """
    for before in range(3):
        bits = 8 * (before + len(value))
        start, end = (0, 2, 3)[before], bits // 6
        padded = b"\0" * before + value
        wholes = [b64encode(padded + behind) for behind in (b"\0", b"", b"\n", b"\r\n")]
        for url_safe in (False, True):
            encoded, *whole = [text.translate(_URL_SAFE_BASE64) for text in wholes] if url_safe else wholes
            alphabet = _BASE64.translate(_URL_SAFE_BASE64) if url_safe else _BASE64
            core = encoded[start:end]
            head, tail = core[:_OF_LONG], core[-_OF_LONG:]
            yield core, core
            if start:
                own = 4 if before == 1 else 2  # bits of the character that are the secret's
                known = alphabet.index(encoded[start - 1]) & (1 << own) - 1
                for at in range(known, 64, 1 << own):
                    yield head, alphabet[at : at + 1] + head
            if bits % 6:
                known = alphabet.index(encoded[end])
                for at in range(known, known + (64 >> bits % 6)):
                    yield tail, tail + alphabet[at : at + 1]
            for text in whole:
                yield tail, tail + text[end:]
                yield tail, tail + text[end:].rstrip(b"=")


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


def _lines(encoded: str, widths: Iterable[int]) -> Iterator[str]:
    """The lines into which tools cut a text; the last one only if it is long enough to tell something."""
    for width in widths:
        if len(encoded) > width:
            for at in range(0, len(encoded), width):
                line = encoded[at : at + width]
                if len(line) >= SHORTEST_LINE:
                    yield line


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
