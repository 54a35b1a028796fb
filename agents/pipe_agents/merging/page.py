"""The report as one HTML page: no script, no request, whatever the findings say (S7)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from pipe_agents.findings import RANK, Finding
from pipe_agents.merging.style import STYLE
from pipe_agents.merging.telling import SAYS, Report, apart, blind_spots, evidence, example, measurements, place_of
from pipe_agents.merging.texts import html as shown
from pipe_agents.merging.texts import html_sentence as sentence

POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"


def document(report: Report) -> str:
    return "".join(_parts(report))


def _parts(report: Report) -> Iterator[str]:
    yield (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n<meta name="referrer" content="no-referrer">\n'
        f"<title>{shown(report.title)}: {shown(report.headline)}</title>\n<style>{STYLE}</style></head>\n<body><main>\n"
    )
    yield from _head(report)
    yield from _wrong(report)
    yield from _together(report)
    yield from _against(report)
    yield from _explained(report)
    yield from _evidence(report)
    yield from _unseen(report)
    yield from _measured(report)
    yield "</main></body></html>\n"


def _head(report: Report) -> Iterator[str]:
    style = report.output["severity"] if report.wrong else ("info" if report.output["blind_spots"] else "good")
    yield f"<header><h1>{shown(report.title)}</h1>\n"
    yield (
        f'<p class="verdict s-{style}">{shown(report.headline)}<small>Measured {shown(report.when)}, '
        f"from {_count(len(report.given), 'result')}.</small></p>\n"
    )
    links = [("wrong", "What to do")]
    links += [("together", "What belongs together")] if report.output["correlations"] else []
    links += [("against", "What doesn't fit")] if report.output["contradictions"] else []
    links += [("evidence", "Evidence")] if report.wrong else []
    links += [("unseen", "Not looked at"), ("measured", "Measurements")]
    yield "<nav>" + " ".join(f'<a href="#{place}">{name}</a>' for place, name in links) + "</nav></header>\n"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _word(severity: str) -> str:
    return f'<span class="word">{severity}</span>'


def _wrong(report: Report) -> Iterator[str]:
    yield '<h2 id="wrong">What is wrong, and what to do</h2>\n'
    if not report.wrong:
        yield "<p>Nothing that was looked at is wrong. What could not be looked at stands below.</p>\n"
        return
    for severity in RANK:
        them = [one for one in report.wrong if one["severity"] == severity]
        if not them:
            continue
        yield f'<h3>{severity.capitalize()} <span class="dim">{SAYS[severity]}</span></h3>\n<ul class="cards">\n'
        for one in them:
            yield _card(report, one)
        yield "</ul>\n"
    if report.not_shown:
        yield f"<p>And {report.not_shown} more, which the output has.</p>\n"


def _card(report: Report, one: Finding) -> str:
    number = report.numbers[one["id"]]
    estimate = " <em>(an estimate)</em>" if one["status"] == "estimated" else ""
    found = example(one)
    line = f'<p class="line"><code>{shown(found, 300)}</code></p>' if found is not None else ""
    todo = f'<p class="todo"><b>To do:</b> {sentence(one["suggestion"])}</p>' if one["suggestion"] else ""
    return (
        f'<li class="s-{one["severity"]}">{_word(one["severity"])}<code class="subject">'
        f"{shown(place_of(one, report.root))}</code><p>{sentence(one['summary'])}{estimate} "
        f'<a class="refs" href="#f{number}">evidence {number}</a></p>{line}{todo}</li>\n'
    )


def _refs(report: Report, ids: list[str]) -> str:
    numbers = report.numbers
    links = [
        f'<a href="#f{numbers[id]}">{numbers[id]}</a>' if id in numbers else f"<code>{shown(id)}</code>" for id in ids
    ]
    return f"finding{'s' if len(links) > 1 else ''} {', '.join(links)}" if links else "measurements"


def _together(report: Report) -> Iterator[str]:
    found = report.output["correlations"]
    if not found:
        return
    yield '<h2 id="together">What belongs together</h2>\n'
    yield '<p class="dim">By rules, from the findings named; likely, not certain.</p>\n<ul class="cards">\n'
    for one in found:
        yield (
            f'<li class="s-{one["severity"]}">{_word(one["severity"])}{shown(one["text"])} '
            f'<span class="refs">({_refs(report, one["findings"])}{apart(one)})</span>'
            f'<p class="todo"><b>To do:</b> {sentence(one["suggestion"])}</p></li>\n'
        )
    yield "</ul>\n"


def _against(report: Report) -> Iterator[str]:
    found = report.output["contradictions"]
    if not found:
        return
    yield '<h2 id="against">What doesn\'t fit together</h2>\n<ul class="cards">\n'
    for one in found:
        said = "<br>But ".join(f"{shown(said)}." for said in one["says"])
        yield (
            f'<li class="s-medium"><code class="subject">{shown(one["subject"])}</code><p>{said}</p>'
            f'<p class="todo"><b>To find out:</b> {sentence(one["check"])}</p></li>\n'
        )
    yield "</ul>\n"


def _explained(report: Report) -> Iterator[str]:
    found = report.explanation
    if found is None:
        return
    yield "<h2>What a model makes of it</h2>\n"
    if found["status"] == "unavailable":
        needs = f" It would take: {sentence(found['needs'])}." if found["needs"] else ""
        yield f"<p>No explanation: {sentence(found['why'] or '')}.{needs}</p>\n"
        return
    yield (
        f'<p class="dim">By <code>{shown(found["model"] or "a model")}</code> of '
        f"<code>{shown(found['provider'] or 'a provider')}</code>. Findings are measured; this is not.</p>\n"
        f"<blockquote>{shown(found['summary'] or '', 2000)}</blockquote>\n<ul>\n"
    )
    for claim in found["claims"]:
        yield f"<li>{_claim(report, claim)}</li>\n"
    if found["ranking"]:
        yield f"<li>See to them in this order: {_refs(report, found['ranking'])}</li>\n"
    for check in found["next_checks"]:
        agent = f" (<code>{shown(check['agent'])}</code>)" if check["agent"] else ""
        why = f": {shown(check['why'])}" if check["why"] else ""
        yield f"<li>To look at next: {shown(check['task'])}{agent}{why}</li>\n"
    yield "</ul>\n"


def _claim(report: Report, claim: dict[str, Any]) -> str:
    if claim["supported"]:
        return f'{shown(claim["text"])} <span class="refs">({_refs(report, claim["findings"])})</span>'
    doubt = f'<span class="refs">({shown(claim["doubt"] or "")})</span>'
    return f'<b class="doubt">Not supported:</b> {shown(claim["text"])} {doubt}'


def _evidence(report: Report) -> Iterator[str]:
    for place, heading, them in (("evidence", "Evidence", report.wrong), ("notes", "Worth knowing", report.notes)):
        if not them:
            continue
        yield f'<h2 id="{place}">{heading}</h2>\n'
        for one in them:
            yield from _one(report, one)


def _one(report: Report, one: Finding) -> Iterator[str]:
    number = report.numbers[one["id"]]
    yield (
        f'<section class="one s-{one["severity"]}" id="f{number}"><h3>{number}. {_word(one["severity"])}'
        f"<code>{shown(one['check'])}</code> {shown(place_of(one, report.root))}</h3><p>{sentence(one['summary'])}</p>"
    )
    rows = [*evidence(one), ("found by", ", ".join(one["agents"]))]
    yield f"{_table(rows)}</section>\n"


def _table(rows: list[tuple[str, str]]) -> str:
    inner = "".join(f'<tr><th scope="row">{shown(name, 200)}<td>{shown(value)}' for name, value in rows)
    return f"<table><tbody>{inner}</tbody></table>"


def _unseen(report: Report) -> Iterator[str]:
    yield '<h2 id="unseen">What could not be looked at</h2>\n'
    them = list(blind_spots(report))
    if not them:
        yield "<p>Nothing: all that was asked for was measured.</p>\n"
        return
    yield '<ul class="cards">\n'
    for why, needs, what in them:
        names = ", ".join(f"<code>{shown(one, 200)}</code>" for one in what[:12])
        more = f" and {len(what) - 12} more" if len(what) > 12 else ""
        take = f'<p class="todo"><b>It would take:</b> {sentence(needs)}</p>' if needs else ""
        yield f"<li>{names}{more}<p>{sentence(why)}</p>{take}</li>\n"
    yield "</ul>\n"


def _measured(report: Report) -> Iterator[str]:
    yield '<h2 id="measured">Measurements</h2>\n'
    given = {one.name: one for one in report.given}
    for source in report.output["measurements"]["sources"]:
        took = f" in {source['duration_s']:.1f} s" if source["duration_s"] is not None else ""
        rows, more = measurements(given[source["name"]]) if source["name"] in given else ([], 0)
        said = f"{shown(source['name'])} <span>{shown(source['summary'])}{took}</span>"
        if not rows:
            yield f"<p><b>{said}</b></p>\n"
            continue
        beyond = f'<p class="dim">and {more} more, which the node\'s output has</p>' if more else ""
        yield f"<details><summary>{said}</summary>{_table(rows)}{beyond}</details>\n"
