"""Where in the text of an answer its JSON may stand: alone, in a fence, behind what the model thought."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

_FENCE: Final = "```"
_THOUGHT: Final = re.compile(r"</(?:think|thinking|reasoning)>|\[/THINK\]")
"""The end of what a model thought, which some servers leave in the text."""


def standing(text: str) -> Iterator[str]:
    """The parts of a text that may be its JSON, the likeliest first; one may come twice."""
    stripped = text.strip().removeprefix("\ufeff")
    yield stripped
    begins = 0
    for found in _THOUGHT.finditer(stripped):
        begins = found.end()
    said = stripped[begins:].strip()
    yield said
    yield from _fenced(said)
    # A value that quotes such an end; others are thoughts.
    yield from (one for one in _fenced(stripped) if _THOUGHT.search(one))


def _fenced(text: str) -> Iterator[str]:
    """What stands in the one fence that there is, without the line that opens it."""
    if text.count(_FENCE) == 2 or (text.startswith(_FENCE) and text.endswith(_FENCE)):
        inner = text[text.index(_FENCE) + len(_FENCE) : text.rindex(_FENCE)]
        language, newline, rest = inner.partition("\n")
        if newline and len(language) < 40:
            yield rest.strip()
