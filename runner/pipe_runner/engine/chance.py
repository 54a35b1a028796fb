"""Chance, from the system."""

from __future__ import annotations

import os


def random_bits(count: int) -> int:
    """A number of so many bits."""
    return int.from_bytes(os.urandom((count + 7) // 8), "little") >> (-count % 8)
