"""What a case that failed says: the place of each expectation, what was expected, and what there was."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from pipe_runner.cases.matching import Absent, Unmet
from pipe_runner.cases.performing import CaseResult
from pipe_runner.console.words import error_line
from pipe_runner.types import ErrorKind

_LONGEST = 200
_SHORT = 60
"""Characters of two values that are shown beside each other."""
_MOST_LINES = 24
_MOST_NODES = 10
_MOST_OF_TAIL = 5
_MOST_COMPARED = 50_000
"""Characters that are compared line by line; of more, only the beginnings are shown."""
_NO_SECRETS = "  tests read no real secrets of providers and MCP servers: `replay:` a recording, or `mock:` the node"
_LABELS = {
    "matches": "a text that matches ",
    "contains": "something that contains ",
    "not": "anything but ",
}


class Failure(NamedTuple):
    """One reason why a case failed, with its place in the file of tests."""

    line: int
    column: int
    what: str
    details: tuple[str, ...]
    """Lines below: expected and got, or a difference; not yet safe to print."""
    expected: Any = None
    got: Any = None


def failures(result: CaseResult) -> Iterator[Failure]:
    """All reasons, in the order of the file; first the nodes that should have run, and did not."""
    yield from _refusals(result)
    yield from sorted((*_unmatched(result), *_unmet(result)), key=lambda one: (one.line, one.column))


def _refusals(result: CaseResult) -> Iterator[Failure]:
    for node in result.refused:
        what = f"{node} would have run: it is not mocked, and `run:` doesn't let it"
        mend = f"write `mock: {{{node}: {{output: …}}}}`, or list it in `run:`"
        yield Failure(*result.suite.place(result.case), what, (mend,))
    for node in result.unable:
        what = f"{node} can't be run here: it starts a command, and none can be started on Windows"
        mend = f"write `mock: {{{node}: {{output: …}}}}`, or run the tests in WSL or in CI on Linux"
        yield Failure(*result.suite.place(result.case), what, (mend,))


def _unmatched(result: CaseResult) -> Iterator[Failure]:
    for name in result.unmatched:
        place = result.suite.document.position((*result.case.path, "mock", name), "key")
        what = f"{name} is mocked, and there was no such item"
        yield Failure(place.line, place.column, what, ("so nothing stood in for what ran: name an item that there is",))


def left_over(results: Sequence[CaseResult]) -> Iterator[str]:
    """The items that the defaults of a file mock and that no case of it had, though all of them were performed."""
    for path, group in groupby(results, key=lambda result: result.suite.path):
        of_file = list(group)
        suite = of_file[0].suite
        if len(of_file) < len(suite.cases):
            continue
        there = {name for one in of_file for name in one.there}
        missing = dict.fromkeys(name for one in of_file for name in one.missing if name not in one.case.own)
        for name in (name for name in missing if name not in there):
            place = suite.document.position(("defaults", "mock", name), "key")
            yield f"{path}:{place.line}:{place.column}: {name} is mocked, and no case had such an item"


def tolerated(results: Sequence[CaseResult]) -> Iterator[str]:
    """The nodes of cases that passed which asked what nobody has recorded, and of which the case expects nothing."""
    for result in results:
        expected = result.case.expect.get("nodes") or {}
        place = result.suite.place(result.case)
        for node, message in dict(result.unrecorded).items() if result.passed else ():
            if node not in expected:
                at = f"{result.suite.path}:{place.line}:{place.column}"
                yield f"{at}: the case passes, and {node} failed: {message}"


def _unmet(result: CaseResult) -> Iterator[Failure]:
    case, document = result.case, result.suite.document
    for one in result.unmet:
        at_case = one.path == case.path
        place = document.position(one.path, "key" if at_case else "value")
        details = list(_difference(one))
        if one.what == "status":
            details += _why(result)
        got = one.got.why if isinstance(one.got, Absent) else one.got
        yield Failure(place.line, place.column, one.what, tuple(details), one.expected, got)


def _why(result: CaseResult) -> Iterator[str]:
    """How a run came to the status that it has."""
    run = result.run
    if run.error is not None:
        yield f"the run: {error_line(run.error)}"
    for node in run.failures[:_MOST_NODES]:
        error = run.nodes[node].error or {}
        yield f"{node}: {error_line(error)}"
        if error.get("kind") == ErrorKind.CREDENTIALS:
            yield _NO_SECRETS
        tail = str(error.get("tail") or "").strip().splitlines()
        yield from (f"  | {line[:_LONGEST]}" for line in tail[-_MOST_OF_TAIL:])


def _difference(one: Unmet) -> Iterator[str]:
    expected, got = one.expected, one.got
    if isinstance(got, Absent):
        yield f"expected  {_LABELS.get(one.word, '')}{_short(expected)}"
        yield f"got       nothing: {got.why}"
        return
    if not one.word:
        lines = _as_lines(expected, got)
        if lines is not None:
            yield "expected (-) and got (+)"
            changes = list(difflib.unified_diff(*lines, n=1, lineterm=""))[2:]
            yield from (f"  {line}" for line in changes[:_MOST_LINES] if not line.startswith("@@"))
            if len(changes) > _MOST_LINES:
                yield f"  … {len(changes) - _MOST_LINES} more lines"
            return
    yield f"expected  {_LABELS.get(one.word, '')}{_short(expected)}"
    yield f"got       {_short(got)}"


def _as_lines(expected: Any, got: Any) -> tuple[list[str], list[str]] | None:
    """Both as lines, where a difference of lines says more than the two values."""
    if isinstance(expected, str) and isinstance(got, str):
        several = "\n" in expected and "\n" in got and len(expected) + len(got) <= _MOST_COMPARED
        return (expected.splitlines(), got.splitlines()) if several else None
    if not isinstance(expected, dict | list) or not isinstance(got, type(expected)):
        return None
    sizes = len(_json(expected)), len(_json(got))
    if max(sizes) <= _SHORT or sum(sizes) > _MOST_COMPARED:
        return None
    return _json(expected, 2).splitlines(), _json(got, 2).splitlines()


def _short(value: Any) -> str:
    text = _json(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(text)} characters)"


def _json(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent, default=str)
