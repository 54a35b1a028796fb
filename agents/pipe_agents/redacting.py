"""Takes credentials out of texts of others, as far as they can be told by their names and shapes."""

from __future__ import annotations

import re
from typing import Final

HIDDEN: Final = "***"
_NAMED: Final = re.compile(
    r"((?<!\()(?:pass(?:word|wd|phrase)?|pwd|secret|token|api[_-]?key|access[_-]?key|authorization|credentials?|cookie)"
    r"(?:\\{0,3}[\"'])?\s{0,3}[:=]\s{0,3})"
    r"(?:(\")(?:[^\"\\\n]|\\[^\n])++|(')(?:[^'\\\n]|\\[^\n])++|(\\{1,3}\")(?:[^\"\\\n]|\\(?!\\{0,2}\")[^\n])++"
    r"|([\"']?(?:bearer |basic )?)[^\s\"',;&]{3,})",
    re.IGNORECASE,
)
"""Of a value in quotes all of it, also where the text is cut before its end."""
_SHAPED: Final = re.compile(
    r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\beyJ[\w-]{8,2000}\.[\w-]{4,4000}(?:\.[\w-]{0,2000})?|\bgh[pousr]_\w{20,255}"
    r"|\bxox[abprs]-[\w-]{10,255}|\bsk-[\w-]{20,255}|(?<=[Bb]earer )[\w.~+/=-]{8,2000}"
)
_NAMES: Final = ("pass", "pwd", "secret", "token", "key", "authorization", "credential", "cookie")
_SHAPES: Final = ("AKIA", "ASIA", "eyJ", "xox", "sk-", "earer ")
"""Where there is none of them, nor `gh` and `_`, the patterns find nothing, and take a hundred times longer for it."""
_WORD: Final = re.compile(r"[^\s\"'<>`]+")
_QUOTES_IN: Final = re.compile(r"(?<=://)[^\s/:@]{0,200}:[^\s/@]{1,200}(?=@)")
"""A password that has quotes in it."""
_USER: Final = re.compile(r"://[^/:@]*:")


def redacted(text: str) -> str:
    """Without what follows `password=`, tokens of known shapes, and passwords in addresses."""
    low = text.lower() if text.isascii() else None
    if low is None or any(name in low for name in _NAMES):
        text = _NAMED.sub(_named, text)
    if any(shape in text for shape in _SHAPES) or ("gh" in text and "_" in text):
        text = _SHAPED.sub(HIDDEN, text)
    return in_addresses(text)


def in_addresses(text: str) -> str:
    """Addresses without user and password: what stands before the last `@` of a word, since a password may hold one."""
    if "://" not in text or "@" not in text:
        return text
    return _QUOTES_IN.sub(HIDDEN, _WORD.sub(_addressed, text))


def _named(found: re.Match[str]) -> str:
    quote = found[2] or found[3] or found[4]
    return f"{found[1]}{quote or found[5]}{HIDDEN}"


def _addressed(found: re.Match[str]) -> str:
    word = found[0]
    user, end = _USER.search(word), word.rfind("@")
    if user is None or user.end() > end:
        return word
    return f"{word[: user.start() + 3]}{HIDDEN}{word[end:]}"
