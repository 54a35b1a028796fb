"""The parts that a command's definition is made of; the parser, the help and the docs' test all read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple


class Flag(NamedTuple):
    """An option of a command. Without `metavar` it is a switch; its value is text, checked by the command."""

    long: str
    help: str
    metavar: str = ""
    short: str = ""
    choices: tuple[str, ...] = ()
    many: bool = False

    @property
    def key(self) -> str:
        return self.long[2:].replace("-", "_")

    @property
    def names(self) -> tuple[str, ...]:
        return (self.short, self.long) if self.short else (self.long,)


# Flags of commands in several tables.
STATE_DIR = Flag("--state-dir", "Where runs are kept (default: .pipe in the project's root). [PIPE_STATE_DIR]", "DIR")
TABLE_OUTPUT = Flag("--output", "What stdout gets (default: text).", "FORMAT", choices=("text", "json"))
RECORD = Flag("--record", "Keep what models, tools and HTTP services answer in a folder.", "DIR")
REPLAY = Flag("--replay", "Answer models, tools and HTTP requests from such a folder; nothing goes out.", "DIR")


class Argument(NamedTuple):
    """A positional argument; with `many` it takes one or more, and none where it isn't required."""

    metavar: str
    required: bool = True
    many: bool = False

    @property
    def key(self) -> str:
        return self.metavar.lower()


class Command(NamedTuple):
    """A command: what it takes, what its help says, and the function behind it."""

    name: str
    summary: str
    target: str = ""
    """`module:function`, imported when the command is given; empty for a command that this version doesn't have."""
    arguments: tuple[Argument, ...] = ()
    flags: tuple[Flag, ...] = ()
    details: str = ""
    examples: tuple[str, ...] = ()
    """Commands, each with a comment that begins with `#`, as a shell would take them."""
    everywhere: bool = False
    """True: works on Windows, too."""


class Given:
    """What the user gave to a command: a value, a list or a switch for every flag and argument of its definition."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def text(self, key: str) -> str | None:
        """The value of a flag or argument, None where it wasn't given; an empty one counts as given."""
        value: str | None = self._values[key]
        return value

    def has(self, key: str) -> bool:
        """Whether a flag that this command may have was given."""
        return self._values.get(key) is not None

    def must(self, key: str) -> str:
        """The value of an argument that is required."""
        value: str = self._values[key]
        return value

    def many(self, key: str) -> Sequence[str]:
        return tuple(self._values[key])

    def on(self, key: str) -> bool:
        return bool(self._values[key])

    def as_dict(self) -> dict[str, Any]:
        return dict(self._values)
