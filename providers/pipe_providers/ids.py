"""Ids of calls as services take them: another one may have given them, where a conversation goes on here."""

from __future__ import annotations

import re
from collections.abc import Callable
from hashlib import sha256
from typing import Final

Ids = Callable[[str], str]
"""Makes of an id one that the service takes, the same each time."""


def ids_of(takes: str, length: int) -> Ids:
    """Ids that match stay; others become as many digits."""
    pattern: Final = re.compile(takes)

    def fitting(id: str) -> str:
        return id if pattern.fullmatch(id) else sha256(id.encode("utf-8", "surrogatepass")).hexdigest()[:length]

    return fitting
