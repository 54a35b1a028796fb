"""What `pipe test` says: a line for each case, reasons, a summary, and what no case has reached; as text or JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, Final

from pipe_runner.cases.coverage import Coverage, percent
from pipe_runner.cases.performing import CaseResult
from pipe_runner.cases.words import Failure
from pipe_runner.console.words import inked, plural, safe, seconds
from pipe_runner.text import ci_safe_json

_GREEN, _RED, _BOLD, _DIM = "32", "31", "1", "2"
_MOST_MISSED: Final = 20


class Text:
    """Writes as cases end. `quiet`: only what failed, and the summary."""

    def __init__(self, write: Callable[[str], object], *, quiet: bool, colour: bool) -> None:
        self._write, self._quiet, self._colour = write, quiet, colour
        self._file = ""

    def case(self, result: CaseResult, found: Sequence[Failure]) -> None:
        if self._quiet and result.passed:
            return
        path = result.suite.path
        if path != self._file:
            self._file = path
            self._line(self._ink(safe(path), _BOLD))
        word = self._ink("ok    ", _GREEN) if result.passed else self._ink("failed", _RED)
        self._line(f"  {word}  {safe(result.case.name)}  {self._ink(seconds(result.seconds), _DIM)}")
        for one in found:
            self._line(f"    {safe(f'{path}:{one.line}:{one.column}: {one.what}')}")
            for detail in one.details:
                self._line(f"      {safe(detail)}")

    def end(self, passed: int, failed: int, files: int, total: float, found: Sequence[Coverage]) -> None:
        parts = [self._ink(f"{passed} passed", _GREEN)] if passed or not failed else []
        parts += [self._ink(f"{failed} failed", _RED)] if failed else []
        self._line(f"{', '.join(parts)} in {plural(files, 'file')}, {seconds(total)}")
        if not self._quiet:
            for one in found:
                self._coverage(one)

    def _coverage(self, one: Coverage) -> None:
        self._line(safe(f"coverage of {one.pipeline}: {percent([one]):.0f}% ({one.covered} of {one.total} branches)"))
        for missed in one.missed[:_MOST_MISSED]:
            self._line(f"  {safe(f'{one.pipeline}:{missed.line}: {missed.node} {missed.branch}')}")
        if len(one.missed) > _MOST_MISSED:
            self._line(f"  and {len(one.missed) - _MOST_MISSED} more")

    def _line(self, text: str) -> None:
        self._write(f"{text}\n")

    def _ink(self, text: str, style: str) -> str:
        return inked(text, style, self._colour)


def as_json(results: Sequence[tuple[CaseResult, Sequence[Failure]]], found: Sequence[Coverage], total: float) -> str:
    """One object with every case and the coverage; ASCII."""
    failed = sum(not result.passed for result, _ in results)
    data: dict[str, Any] = {
        "passed": len(results) - failed,
        "failed": failed,
        "duration_s": round(total, 6),
        "cases": [_case(result, reasons) for result, reasons in results],
        "coverage": {
            "percent": round(percent(found), 2),
            "pipelines": [
                {
                    "file": one.pipeline,
                    "percent": round(percent([one]), 2),
                    "branches": one.total,
                    "covered": one.covered,
                    "missed": [missed._asdict() for missed in one.missed],
                }
                for one in found
            ],
        },
    }
    return ci_safe_json(json.dumps(data, indent=2)) + "\n"


def _case(result: CaseResult, reasons: Sequence[Failure]) -> dict[str, Any]:
    return {
        "file": result.suite.path,
        "line": result.suite.place(result.case).line,
        "name": result.case.name,
        "status": "passed" if result.passed else "failed",
        "duration_s": round(result.seconds, 6),
        "run_status": str(result.run.status),
        "failures": [
            {
                "line": one.line,
                "column": one.column,
                "what": one.what,
                "expected": one.expected,
                "got": one.got,
            }
            for one in reasons
        ],
    }
