"""Text that others wrote, as it may stand in an output: bounded, and nothing that acts on a terminal."""

from __future__ import annotations

from typing import Final

MOST: Final = 500
MOST_ENTRIES: Final = 1000


def bounded(text: str, most: int = MOST) -> str:
    """The text, cut with a marker that says how much is missing."""
    clean = "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text[: most + 1])
    if len(text) <= most and len(clean) <= 4 * most:
        return clean
    return f"{clean[:most]}… ({len(text)} characters)"


def shown_url(url: str) -> str:
    """A URL without user, password, fragment and the values of its query."""
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        place = parts.netloc.rpartition("@")[2]
    except ValueError:
        return bounded(url.partition("?")[0])
    return bounded(f"{parts.scheme}://{place}{parts.path}{'?…' if parts.query else ''}")


def why_of(error: OSError) -> str:
    """The system's words for it."""
    return bounded(error.strerror or str(error) or type(error).__name__, 200)
