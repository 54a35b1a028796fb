"""The exception tree; each class knows the exit code that a door returns for it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from math import inf, isfinite
from typing import TYPE_CHECKING, Any, Final

from pipe_runner.types import ErrorKind, Json, Path_

if TYPE_CHECKING:
    from pipe_runner.diagnostics import Diagnostic

_DIGITS: Final = "it holds an integer of more than 4,300 digits"
"""Of which Python speaks in words about Python."""

CONFLICT: Final = re.compile(r"^<{7}(?= |\r?$)", re.MULTILINE)
"""What git writes above the two sides that it could not merge."""
MEND_CONFLICT: Final = "keep one of the two sides, and remove the lines of `<<<<<<<`, `=======` and `>>>>>>>`"


class PipeError(Exception):
    """A fault that is explained to the user: what, where, what to do. Anything else that escapes is our bug."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(PipeError):
    """The command, its flags or the inputs given to it are wrong."""

    exit_code = 2


class InvalidPipeline(PipeError):
    """The pipeline can't run; `diagnostics` says every reason, at its place."""

    exit_code = 2

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        errors = sum(1 for d in diagnostics if d.is_error)
        super().__init__(f"the pipeline has {errors} error{'s' if errors != 1 else ''}")
        self.diagnostics = tuple(diagnostics)


class MissingExtra(UsageError):
    """Something needs a package that the base install doesn't bring."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs packages that are not installed", hint=f"pip install 'pipe-runner[{extra}]'")


class StorageError(PipeError):
    """The log or the state could not be written or read; says what and where."""

    exit_code = 74


class LogDamaged(StorageError):
    """A log is damaged before its tail: `log damaged at byte N (line M): why`."""

    def __init__(self, path: str, byte: int, line: int, why: str) -> None:
        super().__init__(
            f"{path}: log damaged at byte {byte} (line {line}): {why}",
            hint="nothing was run or changed; restore the file from a copy, or start a new run",
        )
        self.path, self.byte, self.line, self.why = path, byte, line, why


class RunBusy(PipeError):
    """Another process is working on the run."""

    exit_code = 2


class Unsupported(PipeError):
    """This system lacks what the command needs."""

    exit_code = 2


class NodeFault(Exception):
    """Raised by an agent to fail its attempt with a kind and a sentence; becomes the outcome's error."""

    def __init__(self, kind: ErrorKind, message: str, *, exit_code: int | None = None, tail: str | None = None) -> None:
        super().__init__(message)
        self.kind = ErrorKind(kind)
        self.message = str(message)
        self.exit_code = exit_code
        self.tail = tail


MEND_RECORDING: Final = "mend its file, whose name begins with the node's, or record again with --record"
"""What to do about a recording that can't be used."""


class NoRecording(NodeFault):
    """What a recording was to answer, and doesn't. Nobody does without: the run would tell otherwise than it would with
    the service."""

    def __init__(self, message: str) -> None:
        super().__init__(ErrorKind.NOT_FOUND, message)


class PriceUnknown(NodeFault):
    """A budget lets no model be asked of which nobody knows the price; another one may have one."""

    def __init__(self, message: str) -> None:
        super().__init__(ErrorKind.REFUSED, message)


class ExpressionFault(Exception):
    """An expression could not be evaluated, or gave what it must not; becomes `template` or `condition`.

    `at` is where it stands, of those that belong to no node: the file as in `PlannedNode.part`, and the path in it.
    """

    def __init__(self, message: str, *, source: str | None = None, at: tuple[int, Path_] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.source = source
        self.at = at


class KeyTwice(ValueError):
    """An object of JSON has a key twice, of which each reader believes another one."""


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object of these pairs, for a reader of JSON. Raises KeyTwice."""
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    seen: set[str] = set()
    twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
    shown = f"{twice[:60]}…" if len(twice) > 60 else twice
    raise KeyTwice(f'the key "{shown}" stands twice in one object')


def strict_json(text: str | bytes) -> Any:
    """The value of a JSON text. Raises KeyTwice for a key that stands twice, and ValueError for what else is no JSON,
    `NaN` and `1e999` among it."""
    try:
        return json.loads(text, parse_constant=_refuse, parse_float=_finite, object_pairs_hook=unique)
    except json.JSONDecodeError as error:
        raise alike(error) from None


def alike(error: json.JSONDecodeError) -> json.JSONDecodeError:
    """The fault as every Python tells it: of a comma before the end, 3.13 and later tell the comma's place in words of
    their own, others that of the end."""
    before, _, closed = error.msg.partition(" trailing comma before end of ")
    if before != "Illegal":
        return error
    end = len(error.doc) - len(error.doc[error.pos + 1 :].lstrip(" \t\n\r"))
    message = "Expecting property name enclosed in double quotes" if closed == "object" else "Expecting value"
    return json.JSONDecodeError(message, error.doc, end)


def _refuse(constant: str) -> Any:
    raise ValueError(f"JSON has no {constant}")


def _finite(text: str) -> float:
    """A number of JSON text; raises ValueError for one that is too large for a number of a log, as `1e999`."""
    number = float(text)
    if not isfinite(number):
        raise ValueError(f"{text[:40]} is too large for a number")
    return number


_WORDS: Final[Mapping[type, str]] = {str: "text", int: "whole number", float: "number of seconds"}


def held_to(kept: Mapping[str, Any], shapes: Mapping[str, type]) -> None:
    """Raises ValueError where a value that people may have edited is neither None nor of its type; a float is any
    finite number."""
    for name, kind in shapes.items():
        value: Any = kept.get(name)
        fits = type(value) in (int, float) and -inf < value < inf if kind is float else type(value) is kind
        if value is not None and not fits:
            raise ValueError(f"`{name}` is no {_WORDS[kind]}")


def no_json(error: ValueError | RecursionError) -> str:
    """Why a text is no JSON, for those who wrote it by hand."""
    if CONFLICT.search(getattr(error, "doc", "")):
        return f"git left a conflict of a merge: {MEND_CONFLICT}"
    match getattr(error, "msg", None):
        case "Expecting ',' delimiter":
            return "a comma is missing before this, or a bracket that closes"
        case "Expecting ':' delimiter":
            return "a colon is missing before this"
        case "Expecting property name enclosed in double quotes":
            return "a name in double quotes must stand here; the last one has no comma after it"
        case "Expecting value":
            return "a value must stand here: a text in double quotes, a number, true, false, null, or a bracket"
        case "Invalid control character at":
            return "a line end or another control character stands in a text: write \\n"
        case "Extra data":
            return "something stands behind the end"
        case "Unterminated string starting at":
            return "this text has no closing quote"
        case str() as other if "escape" in other:
            return r"a backslash begins nothing that JSON has here: write \\"
        case str() as other:
            return other
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8"
    return _DIGITS if "integer string conversion" in str(error) else str(error)


def output_of(value: Any, limit: int, name: str = "output") -> Json:
    """What Python code gave back as a node's output: `copied`, within so many bytes, with the faults of a node."""
    kind = type(value)
    if value is None or kind is bool:
        copy: Json = value
        return copy
    from pipe_schemas.values import NotJson, TooLarge, copied

    try:
        return copied(value, limit)
    except NotJson as error:
        raise NodeFault(ErrorKind.INVALID_OUTPUT, f"{error.where(name)} is not JSON: {error.why}") from None
    except TooLarge:
        raise NodeFault(ErrorKind.OUTPUT_TOO_LARGE, f"{name} is larger than the limit of {limit} bytes") from None


def in_seconds(value: float) -> str:
    """A time for people, with no more digits than they want to read: `90 s`, `2.5 s`, `0.275 s`."""
    return f"{value:.3g} s" if value < 1 else f"{round(value, 3):.12g} s"
