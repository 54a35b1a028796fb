"""Lines that say no level and speak of failures all the same: where nothing else is found, that is not nothing."""

from __future__ import annotations

import re
from typing import Any, Final

from pipe_agents.findings import Finding, finding
from pipe_agents.logs.analysis import Read
from pipe_agents.logs.entries import LEVELS
from pipe_agents.logs.measured import place_of
from pipe_agents.logs.words import many, shown
from pipe_agents.logs.zeros import FAILURES

_FAILS: Final = re.compile(FAILURES, re.IGNORECASE)
_NONE: Final = re.compile(r"\b(no|without) (errors?|failures?|exceptions?)\b", re.IGNORECASE)
_MOST: Final = 5


def worded(read: Read, measurements: dict[str, Any]) -> list[Finding]:
    """An estimate: a line may speak of a failure that it has not had."""
    unknown = LEVELS.index("none")
    told = [
        one
        for one in read.tally.miner.templates
        if one.level == unknown and _FAILS.search(one.text) and not _NONE.search(one.text)
    ]
    if not told:
        return []
    told.sort(key=lambda one: (-one.count, one.text))
    entries = sum(one.count for one in told)
    summary = (
        f"{many(entries, 'entry', 'entries')} of {measurements['entries']:,} "
        f"{'has no level and speaks' if entries == 1 else 'have no level and speak'} of errors or "
        f"failures; most: {shown(told[0].text, 160)}"
    )
    evidence = {
        "entries": entries,
        "without_level": measurements["levels"]["none"],
        "templates": [{"template": shown(one.text, 300), "count": one.count} for one in told[:_MOST]],
        **place_of(told[0].first, read, 300),
    }
    suggestion = "Read them: these logs say no level, so which of their lines are errors is not known."
    return [finding("logs.words", "all", "low", summary, evidence, suggestion, estimated=True)]
