"""What topics and patterns may be, and which topics a pattern means."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from pipe_runner.errors import NodeFault
from pipe_runner.types import ErrorKind

LONGEST: Final = 255
"""Characters of a topic or a pattern."""
_WORD: Final = r"[A-Za-z0-9_-]+"
_TOPIC: Final = re.compile(rf"{_WORD}(?:\.{_WORD})*\Z")
_PATTERN: Final = re.compile(rf"(?:(?:{_WORD}|\*)\.)*(?:{_WORD}|\*|#)\Z")
_SHOWN: Final = 60


def check_topic(topic: object) -> str:
    """The topic itself; raises NodeFault."""
    if not isinstance(topic, str) or len(topic) > LONGEST or not _TOPIC.match(topic):
        raise NodeFault(
            ErrorKind.REFUSED,
            f"{_shown(topic)} is no topic: words of letters, digits, `_` and `-`, joined by dots, {LONGEST} characters "
            "at most, as `scan.port`",
        )
    return topic


def check_pattern(pattern: object) -> re.Pattern[str]:
    """What matches the topics that it means; raises NodeFault."""
    if not isinstance(pattern, str) or len(pattern) > LONGEST or not _PATTERN.match(pattern):
        raise NodeFault(
            ErrorKind.REFUSED,
            f"{_shown(pattern)} is no pattern: words joined by dots, as in a topic; `*` stands for one word, and `#`, "
            "at the end, for any number of them, as `scan.*` or `scan.#`",
        )
    return _compiled(pattern)


@lru_cache(256)
def _compiled(pattern: str) -> re.Pattern[str]:
    words = pattern.split(".")
    rest = words.pop() if words[-1] == "#" else None
    text = r"\.".join("[^.]+" if word == "*" else re.escape(word) for word in words)
    if rest is not None:
        text = rf"{text}(?:\..+)?" if words else ".+"
    return re.compile(rf"{text}\Z")


def _shown(text: object) -> str:
    shown = repr(text)
    return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}…"
