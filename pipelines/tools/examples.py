"""Small functions that the example pipelines call."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from pathlib import Path
from typing import Any


def kinds(ports: list[int], ratio: float, loud: bool) -> dict[str, str]:
    """The JSON types that arrived."""
    return {"ports": type(ports).__name__, "ratio": type(ratio).__name__, "loud": type(loud).__name__}


def same(expected: str, found: dict[str, str], expected_of_chained: str, chained: str) -> list[str]:
    """The names of the places in which the text arrived unchanged; raises for the first in which it did not."""
    if chained != expected_of_chained or "{{ 7 * 7 }} ${HOME}" not in chained:
        raise ValueError(f"chained has {chained!r} instead of {expected_of_chained!r}")
    for place, text in found.items():
        if text != expected:
            raise ValueError(f"{place} has {text!r} instead of {expected!r}")
    return sorted(found)


def words(folder: str, names: list[str]) -> dict[str, int]:
    """How often each word stands in the files of a folder, the ten most used ones."""
    counted: Counter[str] = Counter()
    for path in _texts(folder, names):
        counted.update(re.findall(r"[a-z]{4,}", path.read_text(encoding="utf-8", errors="replace").lower()))
    return dict(sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))[:10])


def lengths(folder: str, names: list[str]) -> dict[str, int]:
    """The length of the longest line of each file."""
    return {
        path.name: max(map(len, path.read_text(encoding="utf-8", errors="replace").splitlines()), default=0)
        for path in _texts(folder, names)
    }


def _texts(folder: str, names: list[str]) -> list[Path]:
    return [path for name in names if (path := Path(folder, name)).is_file()]


async def after_a_while(seconds: float) -> float:
    """Wait without holding up anything else."""
    await asyncio.sleep(seconds)
    return seconds


def together(words: dict[str, int], lengths: dict[str, int], waited: float) -> dict[str, Any]:
    """What the branches found, in one."""
    return {
        "most_used": next(iter(words), None),
        "longest_line": max(lengths.values(), default=0),
        "files": len(lengths),
        "waited": waited,
    }


def value(inventory: list[dict[str, Any]]) -> float:
    """What the stock is worth."""
    return round(sum(item["left"] * item["price"] for item in inventory), 2)
