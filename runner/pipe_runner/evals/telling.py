"""What `pipe eval` says: a line for each sample that failed, a table of the cases, the verdict; as text or JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

from pipe_runner.console.words import inked, plural, safe, seconds
from pipe_runner.evals.deciding import Tally, Verdict
from pipe_runner.evals.performing import Result
from pipe_runner.evals.sample import Sample
from pipe_runner.spent import NANO
from pipe_runner.text import ci_safe_json, dollars

_GREEN, _RED, _YELLOW, _DIM = "32", "31", "33", "2"
_INKS: Final = {Verdict.PASSED: _GREEN, Verdict.FAILED: _RED, Verdict.UNDECIDED: _YELLOW}
_LONGEST: Final = 300
_WIDEST: Final = 40
_DIGITS: Final = 12


class Text:
    """Writes as samples end, and the result. `quiet`: only the last line."""

    def __init__(self, write: Callable[[str], object], *, quiet: bool, colour: bool) -> None:
        self._write, self._quiet, self._colour = write, quiet, colour

    def sample(self, sample: Sample) -> None:
        """Tell one that didn't pass."""
        if sample.passed or self._quiet:
            return
        word = self._ink("failed", _RED) if sample.passed is False else self._ink("not graded", _YELLOW)
        self._line(f"{word}  {safe(sample.run)}  {safe(_short(sample.why))}")

    def end(self, result: Result, kept: str) -> None:
        if not self._quiet:
            self._table(result)
            self._line(self._ink(safe(f"runs: {kept}"), _DIM))
        for line in last_lines(result):
            self._line(line)
        word = self._ink(str(result.verdict), _INKS[result.verdict])
        self._line(f"{word}: {safe(sentence(result, why=self._quiet))}")

    def _table(self, result: Result) -> None:
        confidence = result.evaluation.confidence
        rows = [("case", "passed", "rate", f"{confidence * 100:.4g} % bounds")]
        rows += [
            (safe(_cut(name)), f"{tally.passed} of {tally.graded}", _percent(tally.rate), _bounds(tally, confidence))
            for name, tally in result.decider.cases.items()
        ]
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        for row in rows:
            self._line("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())

    def _line(self, text: str) -> None:
        self._write(f"{text}\n")

    def _ink(self, text: str, style: str) -> str:
        return inked(text, style, self._colour)


def sentence(result: Result, *, why: bool = False) -> str:
    """The verdict's reason: how many samples passed, of how many, what was wanted, what it cost. `why`: and why one
    was not graded."""
    evaluation, whole = result.evaluation, result.decider.all
    parts = [
        f"{whole.passed} of {plural(whole.graded, 'sample')} ({_percent(whole.rate)}, "
        f"bounds {_bounds(whole, evaluation.confidence)})",
        f"wanted {_percent(evaluation.overall)}"
        + (f", of each case {_percent(evaluation.each)}" if evaluation.each else ""),
    ]
    lost = [sample for sample in result.counted if sample.passed is None]
    if lost:
        parts.append(f"{len(lost)} not graded" + (f" ({_short(lost[-1].why)})" if why else ""))
    left = result.planned - len(result.counted)
    if left:
        parts.append(f"{left} not needed" if result.stopped is None else f"{left} not made: {result.stopped}")
    spent = result.together.spent
    if spent.calls:
        most = "up to " if spent.bounds else ""
        cost = "" if spent.unpriced else f", {most if spent.all_cost else ''}{dollars(spent.all_cost)}"
        parts.append(f"{most}{spent.all_tokens:,} tokens{cost}")
    return "; ".join([*parts, seconds(result.seconds)])


def last_lines(result: Result) -> list[str]:
    """What else is to be said before the verdict."""
    if result.together.spent.unpriced:
        return [f"the price of {plural(result.together.spent.unpriced, 'call')} is not known"]
    return []


def as_json(result: Result, kept: str) -> str:
    """One object with the verdict, every case and every sample; ASCII."""
    evaluation = result.evaluation
    whole, spent, samples = result.decider.all, result.together.spent, result.by_case()
    data: dict[str, Any] = {
        "file": evaluation.path,
        "pipeline": evaluation.pipeline,
        "node": evaluation.node,
        "result": str(result.verdict),
        **_tally(whole, evaluation.confidence),
        "threshold": {"overall": evaluation.overall, "case": evaluation.each},
        "confidence": evaluation.confidence,
        "planned": result.planned,
        "not_graded": sum(sample.passed is None for sample in result.counted),
        "stopped": result.stopped,
        "tokens": spent.all_tokens,
        "cost": _cost(result),
        "up_to": spent.bounds,
        "duration_s": round(result.seconds, 6),
        "runs": kept,
        "cases": [
            {
                "name": case.name,
                "file": case.path,
                "line": case.line,
                **_tally(result.decider.cases[case.name], evaluation.confidence),
                "samples": [_sample(one) for one in samples[case.name]],
            }
            for case in evaluation.cases
        ],
    }
    return ci_safe_json(json.dumps(data, indent=2)) + "\n"


def _tally(tally: Tally, confidence: float) -> dict[str, Any]:
    low, high = tally.bounds(confidence)
    rate = None if tally.rate is None else round(tally.rate, 6)
    return {"passed": tally.passed, "graded": tally.graded, "rate": rate, "bounds": [round(low, 6), round(high, 6)]}


def _sample(sample: Sample) -> dict[str, Any]:
    return {
        "run": sample.run,
        "passed": sample.passed,
        "why": sample.why,
        "grades": {one.grader: {"passed": one.passed, "why": one.why} for one in sample.grades},
        "output": sample.output,
        "tokens": sample.tokens,
        "cost": sample.cost,
        "duration_s": round(sample.seconds, 6),
    }


def _cost(result: Result) -> float | None:
    """US dollars of all; None where the price of a call is not known."""
    spent = result.together.spent
    return None if spent.unpriced else spent.all_cost / NANO


def _percent(rate: float | None) -> str:
    return "?" if rate is None else f"{_number(rate, 4)} %"


def _bounds(tally: Tally, confidence: float) -> str:
    low, high = tally.bounds(confidence)
    return f"{_number(low, 3)} to {_number(high, 3)} %"


def _number(share: float, digits: int) -> str:
    """Of a hundred; what is not all of it is told by as many more digits as that takes."""
    text = f"{share * 100:.{digits}g}"
    return _number(share, digits + 1) if text == "100" and share < 1 and digits < _DIGITS else text


def _cut(name: str) -> str:
    return name if len(name) <= _WIDEST else name[: _WIDEST - 1] + "…"


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
