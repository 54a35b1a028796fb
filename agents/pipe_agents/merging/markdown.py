"""The report in Markdown. Data stands within lines only, escaped or as code, so that none of it is mark-up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pipe_agents.findings import RANK, Finding
from pipe_agents.merging.telling import SAYS, Report, apart, blind_spots, evidence, example, measurements, place_of
from pipe_agents.merging.texts import code
from pipe_agents.merging.texts import markdown as text
from pipe_agents.merging.texts import markdown_sentence as sentence


def document(report: Report) -> str:
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    yield f"# {text(report.title)}"
    yield ""
    yield f"**{text(report.headline)}.** Measured {text(report.when)}."
    yield ""
    yield from _wrong(report)
    yield from _together(report)
    yield from _against(report)
    yield from _explained(report)
    yield from _evidence(report)
    yield from _unseen(report)
    yield from _measured(report)


def _wrong(report: Report) -> Iterator[str]:
    yield "## What is wrong, and what to do"
    yield ""
    if not report.wrong:
        yield "Nothing that was looked at is wrong. What could not be looked at stands below."
        yield ""
        return
    numbers = report.numbers
    for severity in RANK:
        them = [one for one in report.wrong if one["severity"] == severity]
        if not them:
            continue
        yield f"### {severity.capitalize()}: {SAYS[severity]}"
        yield ""
        for one in them:
            estimate = " (an estimate)" if one["status"] == "estimated" else ""
            subject = code(place_of(one, report.root))
            yield f"- **{numbers[one['id']]}.** {subject}: {sentence(one['summary'])}{estimate}"
            if (line := example(one)) is not None:
                yield f"  - For example {code(line, 300)}"
            if one["suggestion"]:
                yield f"  - To do: {sentence(one['suggestion'])}"
        yield ""
    if report.not_shown:
        yield f"And {report.not_shown} more, which the output has."
        yield ""


def _refs(report: Report, ids: list[str]) -> str:
    numbers = report.numbers
    named = ", ".join(str(numbers[id]) if id in numbers else code(id) for id in ids)
    return f"finding{'s' if len(ids) > 1 else ''} {named}" if ids else "measurements"


def _together(report: Report) -> Iterator[str]:
    found = report.output["correlations"]
    if not found:
        return
    yield "## What belongs together"
    yield ""
    yield "By rules, from the findings named; likely, not certain."
    yield ""
    for one in found:
        refs = f"{_refs(report, one['findings'])}{apart(one)}"
        yield f"- **{one['severity'].capitalize()}:** {text(one['text'])} ({refs})"
        yield f"  - To do: {sentence(one['suggestion'])}"
    yield ""


def _against(report: Report) -> Iterator[str]:
    found = report.output["contradictions"]
    if not found:
        return
    yield "## What doesn't fit together"
    yield ""
    for one in found:
        yield f"- {code(one['subject'])}: {' But '.join(text(said) + '.' for said in one['says'])}"
        yield f"  - To find out: {sentence(one['check'])}"
    yield ""


def _explained(report: Report) -> Iterator[str]:
    found = report.explanation
    if found is None:
        return
    yield "## What a model makes of it"
    yield ""
    if found["status"] == "unavailable":
        needs = f" It would take: {sentence(found['needs'])}." if found["needs"] else ""
        yield f"No explanation: {sentence(found['why'] or '')}.{needs}"
        yield ""
        return
    by = f"{code(found['model'] or 'a model')} of {code(found['provider'] or 'a provider')}"
    yield f"By {by}. Findings are measured; this is not."
    yield ""
    yield f"> {text(found['summary'] or '', 2000)}"
    yield ""
    for claim in found["claims"]:
        if claim["supported"]:
            yield f"- {text(claim['text'])} ({_refs(report, claim['findings'])})"
        else:
            yield f"- **Not supported:** {text(claim['text'])} ({text(claim['doubt'] or '')})"
    if found["ranking"]:
        yield f"- See to them in this order: {_refs(report, found['ranking'])}"
    for check in found["next_checks"]:
        agent = f" ({code(check['agent'])})" if check["agent"] else ""
        yield f"- To look at next: {text(check['task'])}{agent}{_why(check)}"
    yield ""


def _why(check: dict[str, Any]) -> str:
    return f": {text(check['why'])}" if check["why"] else ""


def _evidence(report: Report) -> Iterator[str]:
    for heading, them in (("Evidence", report.wrong), ("Worth knowing", report.notes)):
        if not them:
            continue
        yield f"## {heading}"
        yield ""
        for one in them:
            yield from _one(report, one)


def _one(report: Report, one: Finding) -> Iterator[str]:
    word = "" if one["severity"] == "info" else f", {one['severity']}"
    yield f"**{report.numbers[one['id']]}.** {code(one['check'])} of {code(place_of(one, report.root))}{word}"
    yield ""
    yield f"- {sentence(one['summary'])}"
    for name, value in evidence(one):
        yield f"- {text(name)}: {code(value)}"
    yield f"- found by {', '.join(code(name) for name in one['agents'])}"
    yield ""


def _unseen(report: Report) -> Iterator[str]:
    yield "## What could not be looked at"
    yield ""
    them = list(blind_spots(report))
    if not them:
        yield "Nothing: all that was asked for was measured."
    for why, needs, what in them:
        yield f"- {', '.join(code(one) for one in what[:12])}{_more(what)}: {sentence(why)}"
        if needs:
            yield f"  - It would take: {sentence(needs)}"
    yield ""


def _more(what: list[str]) -> str:
    return f" and {len(what) - 12} more" if len(what) > 12 else ""


def _measured(report: Report) -> Iterator[str]:
    yield "## Measurements"
    yield ""
    for source in report.output["measurements"]["sources"]:
        took = f" in {source['duration_s']:.1f} s" if source["duration_s"] is not None else ""
        yield f"- {code(source['name'])}{took}: {text(source['summary'])}"
    yield ""
    for given in report.given:
        rows, more = measurements(given)
        if not rows:
            continue
        yield f"### {text(given.name)}"
        yield ""
        for name, value in rows:
            yield f"- {text(name, 200)}: {code(value, 200)}"
        if more:
            yield f"- and {more} more, which the node's output has"
        yield ""
