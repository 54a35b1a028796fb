"""Holds a claim against the findings that it names: do they exist, have they its numbers, are they about its things."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pipe_agents.claims_names import said_by, strange
from pipe_agents.claims_numbers import DATE, missing, ports_of
from pipe_agents.claims_unknown import unsaid
from pipe_agents.findings import Finding

_LONG: Final = 1000
_OWN: Final = 12
"""Characters of a finding's summary that is known again in a claim, at least."""


def held(claim: Mapping[str, Any], findings: Mapping[str, Finding], *, of_all: bool = False) -> dict[str, Any]:
    """The claim, with whether the findings that it names support it; else `doubt` says why not. `of_all`: it is about
    all that there are, and need not say of each whether it was measured."""
    text = str(claim["text"])[:_LONG]
    named = list(dict.fromkeys(str(id) for id in claim["findings"]))[:100]
    doubt = _doubt(text, named, findings, of_all)
    return {"text": text, "findings": named, "supported": doubt is None, "doubt": doubt}


def _doubt(text: str, named: Sequence[str], findings: Mapping[str, Finding], of_all: bool) -> str | None:
    if not named:
        return "it names no finding"
    unknown = [id for id in named if id not in findings]
    if unknown:
        return f"there is no finding {', '.join(unknown)}"[:500]
    cited = [findings[id] for id in named]
    plain = _plain(text)
    measured = [one for one in cited if one["status"] != "unavailable"]
    untold = unsaid(_without_own(plain, measured), cited, of_all=of_all)
    if untold is not None:
        return untold
    own = _without_own(plain, cited)
    other = strange(own, cited, findings, ports_of(cited))
    if other is not None:
        return f"no finding that it names is about {other}"[:500]
    said = said_by(cited)
    number = next((one for one in DATE.findall(own) if one not in said), None) or missing(own, cited)
    return f"no finding that it names has the number {number}"[:500] if number is not None else None


def _plain(text: str) -> str:
    """As a reader sees it: no characters that don't show, digits and letters of one form."""
    shown = "".join(one for one in text if unicodedata.category(one) != "Cf")
    return " ".join(unicodedata.normalize("NFKC", shown).replace("μ", "µ").translate(_DASHES).split())


_DASHES: Final = {ord(one): "-" for one in "‐‑‒–−"}


def _without_own(text: str, cited: Sequence[Finding]) -> str:
    """The text without what findings say in the same words."""
    own = sorted({_plain(str(one["summary"])) for one in cited}, key=len, reverse=True)
    for words in own:
        if len(words) >= _OWN:
            text = re.sub(re.escape(words), "it", text, flags=re.IGNORECASE)
    return text
