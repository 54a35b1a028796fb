"""Splits a text into what stands as it is, `{{ … }}`, `{% … %}`, `{# … #}` and `{% raw %}`, with offsets."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from pipe_runner.expressions.compiled import Fault
from pipe_runner.expressions.tokens import Refused, Token, tokenize, unclosed

OPENING: Final = re.compile(r"\{\{|\{%|\{#")
RAW: Final = re.compile(r"\{%([-+]?)\s*raw\s*(-?)%\}")
MAX_WORDS: Final = 10_000
"""Tokens of all expressions of one text."""
MAX_FAULTS: Final = 20
END_RAW: Final = re.compile(r"\{%([-+]?)\s*endraw\s*([-+]?)%\}")


@dataclass(frozen=True, slots=True)
class Segment:
    """`data` holds text; `expression` and `block` hold tokens. Comments leave nothing behind."""

    kind: Literal["data", "expression", "block"]
    start: int
    end: int
    text: str = ""
    tokens: tuple[Token, ...] = ()


def split(text: str) -> tuple[list[Segment], list[Fault]]:
    """The segments of a value's text, whitespace control applied; after a fault it goes on behind its closing."""
    segments: list[Segment] = []
    faults: list[Fault] = []
    position = words = 0
    strip_next = False

    def data(start: int, end: int, strip_end: bool) -> None:
        nonlocal strip_next
        piece = text[start:end]
        if strip_next:
            piece = piece.lstrip()
        if strip_end:
            piece = piece.rstrip()
        strip_next = False
        if piece:
            segments.append(Segment("data", start, end, piece))

    while (found := OPENING.search(text, position)) is not None:
        start = found.start()
        opening = found[0]
        if words > MAX_WORDS:
            faults.append(Fault("E403", f"more than {MAX_WORDS} words in the expressions of one text", start, 2))
            break
        dash = text.startswith("-", start + 2)
        data(position, start, dash)
        inside = start + 2 + (1 if text[start + 2 : start + 3] in ("-", "+") else 0)
        try:
            if opening == "{#":
                position, strip_next = _comment(text, start)
            elif opening == "{{":
                tokens, position, strip_next = tokenize(text, inside, "}}")
                words += len(tokens) + 1
                segments.append(Segment("expression", start, position, text[start:position], tuple(tokens)))
            elif (raw := RAW.match(text, start)) is not None:
                ended = END_RAW.search(text, raw.end())
                if ended is None:
                    raise Refused(Fault("E402", "`{% raw %}` without its `{% endraw %}`", start, raw.end() - start))
                strip_next = bool(raw[2])
                data(raw.end(), ended.start(), ended[1] == "-")
                strip_next, position = ended[2] == "-", ended.end()
            else:
                tokens, position, strip_next = tokenize(text, inside, "%}")
                words += len(tokens) + 1
                segments.append(Segment("block", start, position, text[start:position], tuple(tokens)))
        except Refused as refused:
            faults.append(refused.fault)
            if refused.fault.code == "E402" or len(faults) == MAX_FAULTS:  # what is never closed has no end to go on at
                return segments, faults
            closing = {"{{": "}}", "{%": "%}", "{#": "#}"}[opening]
            after = text.find(closing, inside)
            position = len(text) if after < 0 else after + 2
    data(position, len(text), False)
    return segments, faults


def _comment(text: str, start: int) -> tuple[int, bool]:
    end = text.find("#}", start + 2)
    if end < 0:
        raise Refused(unclosed(start, "#}"))
    return end + 2, text[end - 1] == "-" and end - 1 > start + 1
