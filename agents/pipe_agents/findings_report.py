"""`agent: findings`: merges what agents that measure have found, and writes the report for who is on call."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from pipe_runner.ports import AgentDescription, Attempt, Capability, Context, NodeError, Outcome
from pipe_runner.types import ErrorKind, EventKind, JsonObject, NodeStatus

if TYPE_CHECKING:
    from pydantic import BaseModel

    from pipe_agents.merging.gather import Given, Missing

_SHOWN: Final = 12
"""Findings that the live view is told."""
_LINE: Final = 240
_MOST_RESULTS: Final = 200
_PLAIN_PATH: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*(/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*")


class FindingsAgent:
    """Measures nothing itself."""

    name = "findings"
    version = "1"

    def describe(self) -> AgentDescription:
        return AgentDescription(
            summary="Merges findings of several agents: what contradicts, what belongs together; writes a report.",
            capabilities=(
                Capability(
                    "findings.report",
                    "Merges findings and writes them down, the worst first, as Markdown and as a page.",
                    ("merge findings", "report", "summary of findings", "correlate", "contradictions"),
                ),
            ),
            asks_models=True,
        )

    def may_ask(self, options: JsonObject) -> bool:
        from pipe_agents.findings import explains

        return explains(options)

    def surely_fits(self, options: JsonObject) -> bool:
        """Whether options are right, seen without their model, whose import takes as long as all the rest. False says
        nothing."""
        results = options.get("results")
        if not isinstance(results, dict | list) or len(results) > _MOST_RESULTS:
            return False
        rest = {name: value for name, value in options.items() if name != "results"}
        title = rest.pop("title", "x")
        flags = [rest.pop(name, False) for name in ("explain", "must_write")]
        paths = [rest.pop(name, None) for name in ("markdown", "html")]
        providers = rest.pop("provider", [])
        return (
            not rest
            and isinstance(title, str)
            and 0 < len(title) <= 200
            and title.isprintable()
            and all(isinstance(flag, bool) for flag in flags)
            and all(path is None or _plain(path) for path in paths)
            and (paths[0] is None or paths[0] != paths[1])
            and isinstance(providers, list)
            and all(isinstance(name, str) and name.isascii() for name in providers)
        )

    def options_model(self) -> type[BaseModel]:
        from pipe_schemas.merging import MergeOptions

        return MergeOptions

    def output_schema(self, options: JsonObject) -> JsonObject:
        from pipe_schemas.merging import Merged

        return Merged.model_json_schema()

    async def perform(self, attempt: Attempt, context: Context) -> Outcome:
        from pipe_agents.explaining import explained
        from pipe_agents.findings import ended, unseen
        from pipe_agents.merging.gather import Given, taken_in
        from pipe_agents.merging.reports import put_down
        from pipe_agents.merging.telling import Report

        options: dict[str, Any] = dict(attempt.options)
        began, began_ns = context.clock.monotonic(), context.clock.now_ns()
        results = context.masker.mask_json(options["results"])
        left = unseen(context.masker.mask_json(options.get("not_looked_at")))
        taken = await asyncio.to_thread(lambda: [*taken_in(results), *(taken_in({"task": left}) if left else ())])
        given = [one for one in taken if isinstance(one, Given)]
        window = float(options.get("window_minutes") or 60)
        output = await asyncio.to_thread(merge, taken, window, began_ns)
        told = await explained(output, attempt, context)
        output["explanation"] = told.explanation
        output["duration_s"] = round(context.clock.monotonic() - began, 6)
        output["reports"] = {name: options.get(name) for name in ("markdown", "html")}
        title = context.masker.mask_text(str(options.get("title") or "Findings"))
        report = Report(title, output, given, attempt.root)
        home, state = attempt.workspace or attempt.root, _above(context.scratch, 3)
        unwritten = await asyncio.to_thread(put_down, report, home, context.masker, state)
        masked: Any = context.masker.mask_json(output)
        output = masked
        output["lines"] = lines(output, attempt.root)
        text = "".join(f"{line}\n" for line in output["lines"])
        context.emit(EventKind.NODE_OUTPUT, {"stream": "stdout", "text": text})
        end = ended(output, options.get("fail_on"))
        wrong = unwritten if options.get("must_write") else [fault for fault in unwritten if fault.refused]
        if wrong and end.error is None:
            message = context.masker.mask_text("; ".join(fault.message for fault in wrong))
            end = Outcome(NodeStatus.FAILED, output, NodeError(ErrorKind.REFUSED, message))
        return told.ends(end)


def _plain(path: object) -> bool:
    from pipe_schemas.report_paths import kept

    return isinstance(path, str) and _PLAIN_PATH.fullmatch(path) is not None and kept(path) is None


def _above(path: str, levels: int) -> str:
    """Of a run's `STATE/runs/ID/scratch` the state directory."""
    for _ in range(levels):
        path = os.path.dirname(path)
    return path


def merge(taken: Iterable[Given | Missing], window_minutes: float, now_ns: int) -> dict[str, Any]:
    """The output, but for how long it took and where the reports are."""
    from pipe_agents.findings import RANK, result
    from pipe_agents.merging.contradictions import contradictions
    from pipe_agents.merging.correlations import correlations
    from pipe_agents.merging.facts import of_findings, of_measurements
    from pipe_agents.merging.gather import Given, Missing, merged
    from pipe_agents.merging.origins import told_apart

    taken = list(taken) or [Missing("results", "nothing was given to look at")]
    given = told_apart([one for one in taken if isinstance(one, Given)])
    pool = merged(given)
    against, count = contradictions([*of_findings(pool.findings), *of_measurements(given)], given)
    measurements = {
        "sources": [_source(one) for one in taken],
        "doubles": pool.doubles,
        "left_out": pool.left_out,
    }
    output = result("findings", [], measurements, began_ns=now_ns, seconds=0.0)
    found = pool.findings
    output["findings"] = found
    output["severity"] = _worst(found)
    blind = [
        *(
            {"what": one.name, "why": one.why, "needs": None, "agent": one.name}
            for one in taken
            if isinstance(one, Missing)
        ),
        *(_blind(one) for one in found if one["status"] == "unavailable"),
    ]
    if pool.left_out:
        why = f"there are {pool.left_out:,} more than the {len(found):,} that one report holds"
        blind.append({"what": "findings", "why": why, "needs": "several reports", "agent": "findings"})
    measured = [one for one in found if one["status"] != "unavailable"]
    counts = {name: sum(one["severity"] == name for one in measured) for name in RANK}
    output |= {
        "counts": {**counts, "unavailable": len(found) - len(measured)},
        "contradictions": against,
        "correlations": correlations(found, window_minutes, _moments(given)),
        "blind_spots": blind,
        "reports": {"markdown": None, "html": None},
        "lines": [],
    }
    output["summary"] = _summary(output, count)
    at = sorted(one.measured_at for one in given if one.measured_at)
    output["measured_at"] = at[0] if at else output["measured_at"]
    return output


def _worst(found: list[dict[str, Any]]) -> str:
    from pipe_agents.findings import worst

    return worst(found)


def _summary(output: Mapping[str, Any], contradictions: int) -> str:
    from pipe_agents.findings import told

    wrong = told([one for one in output["findings"] if one["status"] != "unavailable"])
    more = [
        f"{len(output[name])} {word if len(output[name]) == 1 else words}"
        for name, word, words in (
            ("correlations", "group belongs together", "groups belong together"),
            ("blind_spots", "thing could not be looked at", "things could not be looked at"),
        )
        if output[name]
    ]
    more += [f"{contradictions} contradiction{'' if contradictions == 1 else 's'}"] if contradictions else []
    return "; ".join([wrong, *more])


def _source(one: Given | Missing) -> dict[str, Any]:
    from pipe_agents.merging.gather import Missing

    if isinstance(one, Missing):
        nothing = {"agent": None, "severity": None, "findings": 0, "measured_at": None, "duration_s": None}
        return {"name": one.name, "summary": one.why, **nothing}
    return {
        "name": one.name,
        "agent": one.agent,
        "severity": one.severity,
        "summary": one.summary,
        "findings": len(one.findings),
        "measured_at": one.measured_at,
        "duration_s": one.duration_s,
    }


def _blind(one: Mapping[str, Any]) -> dict[str, Any]:
    what = f"{one['check']} ({one['subject']})" if one["subject"] else one["check"]
    return {
        "what": what,
        "why": one["why"] or one["summary"],
        "needs": one["needs"],
        "agent": ", ".join(one["agents"]),
    }


def _moments(given: Iterable[Given]) -> dict[str, str]:
    """When findings were measured that are about that moment: those of logs are about the time of their lines."""
    return {
        finding["id"]: one.measured_at
        for one in given
        if one.measured_at and one.agent != "log_analysis"
        for finding in one.findings
    }


def lines(output: Mapping[str, Any], root: str) -> list[str]:
    """The worst of it in short lines, for a terminal."""
    from pipe_agents.merging.reports import UNWRITTEN, what
    from pipe_agents.merging.texts import bounded, printable

    told = [
        f"{one['severity'].upper():<8}  {_named(one, root)}"
        for one in output["findings"]
        if one["status"] != "unavailable" and one["severity"] != "info"
    ] or ["nothing wrong was found"]
    more = len(told) - _SHOWN
    told = told[:_SHOWN] + ([f"          and {more} more"] if more > 0 else [])
    told += [f"together  {one['text']}" for one in output["correlations"][:3]]
    told += [f"but       {one['subject']}: {', but '.join(one['says'])}" for one in output["contradictions"][:3]]
    lost = [one for one in output["findings"] if one["check"] == UNWRITTEN]
    said = {what(one["subject"]) for one in lost}
    missing = [one for one in output["measurements"]["sources"] if one["agent"] is None]
    said |= {one["name"] for one in missing}
    unseen = [one for one in output["blind_spots"] if one["what"] not in said]
    told += [f"missing   {one['name']}: {one['summary']}" for one in missing[:_SHOWN]]
    told += [f"unseen    {_unseen(unseen)}"] if unseen else []
    explanation = output["explanation"]
    if explanation is not None and explanation["status"] == "unavailable":
        told += [f"explain   none: {explanation['why']}"]
    told += [f"report    {path}" for path in output["reports"].values() if path]
    told += [f"unwritten {one['subject']}: {one['why']}" for one in lost]
    return [bounded(printable(line), _LINE) for line in told]


def _named(one: Mapping[str, Any], root: str) -> str:
    """What a finding says, with its subject where its sentence doesn't have it."""
    from pipe_agents.merging.telling import place_of

    subject, summary = place_of(one, root), str(one["summary"])
    return summary if subject in summary else f"{subject}: {summary}"


def _unseen(spots: list[dict[str, Any]]) -> str:
    named = ", ".join(one["what"] for one in spots[:3])
    return f"{named} and {len(spots) - 3} more" if len(spots) > 3 else named
