"""Findings for somebody at a terminal: the worst first, each with what to do, and what could not be measured."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from pipe_runner.console.words import inked, safe

SEVERITIES: Final = ("critical", "high", "medium", "low", "info")
_INKS: Final = {"critical": "37;41;1", "high": "31;1", "medium": "33;1", "low": "36", "info": "2"}
_WIDE: Final = 10
_LEAST: Final = 40
_SHAPE: Final = ("severity", "summary", "findings")
_MOST: Final = 200


def is_result(value: Any) -> bool:
    """Whether a value is what agents that measure give."""
    return isinstance(value, dict) and all(key in value for key in _SHAPE) and isinstance(value["findings"], list)


def findings_text(result: Mapping[str, Any], *, width: int = 100, colour: bool = False, most: int = _MOST) -> str:
    """A result as text. All of it is safe to print."""
    return "".join(f"{line}\n" for line in _lines(result, max(width, _LEAST), colour, most))


def _lines(result: Mapping[str, Any], width: int, colour: bool, most: int) -> Iterator[str]:
    found = [one for one in result["findings"] if isinstance(one, dict)]
    measured = [one for one in found if one.get("status") != "unavailable"]
    blind = [one for one in found if one.get("status") == "unavailable"]
    measured.sort(key=lambda one: _rank(one.get("severity")))
    yield from _wrapped(_text(result.get("summary")), width, "", "")
    if measured:
        yield ""
    for one in measured[:most]:
        yield from _finding(one, width, colour)
    if len(measured) > most:
        yield f"… and {len(measured) - most} more"
    yield from _related(result, width)
    if blind:
        yield ""
        yield "Not measured:"
        for one in blind[:most]:
            needs = f"; it needs: {_text(one['needs'])}" if one.get("needs") else ""
            said = f"{_text(one.get('check'))} of {_text(one.get('subject'))}: {_text(one.get('why'))}{needs}"
            yield from _wrapped(said, width, "  - ", "    ")


def _finding(one: Mapping[str, Any], width: int, colour: bool) -> Iterator[str]:
    severity = str(one.get("severity", "info"))
    label = severity.upper() if severity in SEVERITIES else safe(severity)
    estimated = " (estimated)" if one.get("status") == "estimated" else ""
    subject = _text(one.get("subject"))
    summary = _text(one.get("summary"))
    said = summary if not subject or subject in summary else f"{subject}: {summary}"
    first, *rest = list(_wrapped(said + estimated, width - _WIDE, "", "")) or [""]
    yield inked(label.ljust(_WIDE - 1), _INKS.get(severity, ""), colour) + " " + first
    for line in rest:
        yield " " * _WIDE + line
    if one.get("suggestion"):
        yield from _wrapped(_text(one["suggestion"]), width, " " * _WIDE + "→ ", " " * _WIDE + "  ")


def _related(result: Mapping[str, Any], width: int) -> Iterator[str]:
    for key, heading in (("correlations", "Belongs together:"), ("contradictions", "Contradictions:")):
        several = result.get(key)
        lines = [_sentence(one) for one in several if isinstance(one, dict)] if isinstance(several, list) else []
        if lines:
            yield ""
            yield heading
            for line in lines[:20]:
                yield from _wrapped(line, width, "  - ", "    ")
    explanation = result.get("explanation")
    if isinstance(explanation, dict) and explanation.get("summary"):
        yield ""
        yield "Explained by a model:"
        yield from _wrapped(_text(explanation["summary"]), width, "  ", "  ")
        for claim in explanation.get("claims") or ():
            if isinstance(claim, dict) and claim.get("supported") is False:
                doubt = f" ({_text(claim['doubt'])})" if claim.get("doubt") else ""
                yield from _wrapped(f"no finding supports: {_text(claim.get('text'))}{doubt}", width, "  ! ", "    ")


def _sentence(one: Mapping[str, Any]) -> str:
    if one.get("text"):
        return _text(one["text"])
    says = one.get("says")
    told = " / ".join(_text(said) for said in says) if isinstance(says, list) else ""
    return f"{_text(one.get('subject'))}: {told}"


def _rank(severity: Any) -> int:
    return SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES)


def _text(value: Any) -> str:
    return "" if value is None else safe(" ".join(str(value).split()))


def _wrapped(text: str, width: int, first: str, rest: str) -> Sequence[str]:
    return textwrap.wrap(
        text, width, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False, break_long_words=False
    )
