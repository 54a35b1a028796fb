"""The stream of YAML events of a text, from PyYAML's C parser or, where that is missing, from its Python one.

Both are state machines without recursion, so that nothing here depends on how deep a file nests.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

NextEvent: TypeAlias = "Callable[[], Any]"
"""Gives the next event, then None; raises `yaml.YAMLError`, and for a few escapes in Python a bare ValueError."""


class TooManyEvents(Exception):
    """The text says more, for its length, than any file that a person or a program writes."""


def most_events(text: str) -> int:
    """How many events are read of a text: it bounds time and memory, whatever stands in it."""
    return 200_000 + len(text) // 4


def events_of(text: str) -> NextEvent:
    """Begins to read `text`, which has no byte order mark."""
    try:
        from yaml._yaml import CParser
    except ImportError:
        return _python_events(text)
    get_event: NextEvent = CParser(text).get_event
    return get_event


def _python_events(text: str) -> NextEvent:
    from yaml.parser import Parser
    from yaml.reader import Reader
    from yaml.scanner import Scanner

    class Events(Reader, Scanner, Parser):
        def __init__(self) -> None:
            Reader.__init__(self, text)
            Scanner.__init__(self)
            Parser.__init__(self)

    get_event: NextEvent = Events().get_event
    return get_event
