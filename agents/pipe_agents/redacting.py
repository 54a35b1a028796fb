"""Takes credentials out of texts of others, as far as they can be told by their names and shapes."""

from __future__ import annotations

import re
from typing import Final

HIDDEN: Final = "***"
_NAMED: Final = re.compile(
    r"((?<!\()(?:pass(?:word|wd|phrase)?|pwd|secret|token|api[_-]?key|access[_-]?key|authorization|credentials?|cookie)"
    r"[\"']?\s{0,3}[:=]\s{0,3}[\"']?(?:bearer |basic )?)[^\s\"',;&]{3,500}",
    re.IGNORECASE,
)
_SHAPED: Final = re.compile(
    r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\beyJ[\w-]{8,2000}\.[\w-]{4,4000}(?:\.[\w-]{0,2000})?|\bgh[pousr]_\w{20,255}"
    r"|\bxox[abprs]-[\w-]{10,255}|\bsk-[\w-]{20,255}|(?<=[Bb]earer )[\w.~+/=-]{8,2000}"
)
_IN_URL: Final = re.compile(r"(?<=://)[^\s/:@]{1,200}:[^\s/@]{1,200}(?=@)")


def redacted(text: str) -> str:
    """Without what follows `password=`, tokens of known shapes, and passwords in addresses."""
    text = _NAMED.sub(rf"\1{HIDDEN}", text)
    text = _SHAPED.sub(HIDDEN, text)
    return _IN_URL.sub(HIDDEN, text)
