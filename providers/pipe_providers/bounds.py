"""How much of an answer is read."""

from __future__ import annotations

from typing import Final

MOST: Final = 16 * 2**20
"""Bytes of an answer that is read whole, of one part of a streamed one, and of the text in it."""
MOST_STREAMED: Final = 256 * 2**20
"""Bytes of a streamed answer in all, most of which are its wrapping."""
