"""What tells that a pattern can't be in a message is made from the pattern: no line is missed for speed."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from logs_reading import analysed

from pipe_agents.logs.needles import NEEDLES
from pipe_agents.logs.patterns import PATTERNS, Pattern

parser: Any = re._parser  # type: ignore[attr-defined]
codes: Any = re._constants  # type: ignore[attr-defined]
REPEATS = (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT)


def needles(parsed: Any) -> list[bytes] | None:
    """Texts without digits of which each match holds at least one."""
    options: list[list[bytes]] = []
    literal = b""
    for code, value in [*parsed, (None, None)]:
        if code is codes.LITERAL and not chr(value).isdigit():
            literal += bytes([value])
            continue
        if literal:
            options.append([literal])
            literal = b""
        inner: list[bytes] | None = None
        if code is codes.SUBPATTERN:
            inner = needles(value[3])
        elif code is codes.BRANCH:
            branches = [needles(branch) for branch in value[1]]
            if all(branches):
                inner = [text for branch in branches for text in branch or []]
        elif code in REPEATS and value[0] >= 1:
            inner = needles(value[2])
        if inner:
            options.append(inner)
    return max(options, key=lambda texts: (min(map(len, texts)), -len(texts)), default=None)


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.check)
def test_every_match_holds_one_of_its_needles(pattern: Pattern) -> None:
    kept: list[bytes] = []
    for text in sorted(set(needles(parser.parse(pattern.pattern.pattern)) or []), key=len):
        if not any(one in text for one in kept):
            kept.append(text)
    assert sorted(kept) == list(NEEDLES[pattern.check])
    assert kept


@pytest.mark.parametrize("beside", ["all is well", "access denied"])
def test_a_needle_is_looked_for_in_the_message_and_not_in_how_json_writes_it(tmp_path: Path, beside: str) -> None:
    said = 'apparmor="DENIED" operation="open" profile="snap.app"'
    lines = [json.dumps({"level": "info", "msg": text}) for text in (beside, said)]
    found = analysed(tmp_path, text=lines)
    assert [(one["check"], one["lines"]) for one in found["patterns"]] == [("permission_denied", 1)]
