"""Whether a claim says of what could not be measured just this: that it could not be."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from pipe_agents.findings import Finding

_LOOKED: Final = (
    r"(?:measured?|looked (?:at|into)|look (?:at|into)|checked?|examined?|inspected?|assessed?|determined?|verified|"
    r"verify|evaluated?|judged?|established?|confirmed?|ascertained?|found out|find out|told|tell|said|say|collected?|"
    r"obtained?|gathered|queried|monitored|observed|sampled)"
)
_NOT_SO: Final = r"\b(?!\s+(?:to|as)\b)"
"""Behind `not known`: it is not "not known to fail"."""
_SAYS: Final = re.compile(
    rf"\b(?:could|can|may|was|were|is|are|has|have|had|did) (?:not|never) "
    rf"(?:yet |really )?(?:been |be )?{_LOOKED}{_NOT_SO}"
    rf"|\b(?:no|none of the|nothing)\b(?: \w+){{0,3}}? (?:could|can) be {_LOOKED}{_NOT_SO}"
    r"|\b(?:is|are|was|were|remains?|stays?|still) (?:\w+ )?"
    r"(?:unknown|unmeasured|unchecked|unclear|undetermined)\b(?! to\b)"
    r"|\b(?:is|are|was|were) not (?:yet )?known\b(?! to\b)"
    r"|\b(?:unknown|unclear) (?:whether|if|how|what|which)\b|(?:^|: )(?:unknown|unmeasured|not measured)$"
    r"|\bnothing (?:is|was|can be) (?:known|said|claimed)\b|\b(?:we|i) (?:do|can) not (?:know|tell|say)\b"
    r"|\bno (?:data|information|measurements?|numbers?|figures?|readings?|evidence|visibility)\b"
    r"|\b(?:data|information|measurements?|numbers?|figures?|readings?|status|state)\b.{0,60}?"
    r"\b(?:unavailable|not available|missing)\b"
    r"|\bblind spots?\b|\bcould not (?:be )?(?:read|seen)\b"
)
_WHETHER: Final = re.compile(r"\b(?:whether|if|how|what|which)\b.*$", re.I)
_FINE: Final = re.compile(
    r"\b(?:healthy|fine|ok|okay|good|well|normal(?:ly)?|stable|sound|intact|harmless|innocent|unaffected|unrelated|safe|"
    r"all right|alright|in order|as expected|nominal|green|idle|rule[sd]? out|ruling out|excluded?|works?|working|"
    r"not (?:\w+ ){0,2}(?:cause|reason|problem|issue|culprit|fault|involved|related|affected|responsible|to blame|"
    r"failing|down|full|broken|overloaded|crashing|restarting)|"
    r"no (?:\w+ )?(?:problems?|issues?|errors?|faults?|failures?|failing|unhealthy|signs?|trouble|cause|reason|"
    r"impact|effect|crash(?:es)?|restarts?|anomal\w+|alarms?|leaks?|need)|"
    r"no (?:\w+ ){1,3}(?:are|is|were|was) (?:failing|down|unhealthy|broken|full|affected)|"
    r"without (?:any )?(?:problems?|issues?|errors?|faults?|trouble)|free of|"
    r"nothing (?:is |was )?(?:wrong|bad|unusual|suspicious|amiss|broken|to worry|failing|found)|"
    r"unproblematic|unremarkable|trouble-free|up and running)\b"
)
_BAD: Final = re.compile(
    r"\b(?:crash\w*|fail(?:s|ed|ing|ures?)?|down|restart\w*|unhealthy|broken|killed|dead|hang(?:s|ing)?|hung|"
    r"stop(?:s|ped)|full|overload\w*|degraded|leak\w*|attack\w*|wrong|bad|"
    r"(?:not|never) (?:running|working|responding|listening))\b"
)
_REASON: Final = re.compile(r"\b(?:because|since|as|due to|for)\b.*$")
_CLAUSE: Final = re.compile(
    r"[.;!?\n]+(?:\s|$)|:\s|\s[–—-]\s|,?\s+(?:but|however|yet|although|though|while|whereas|so|hence|therefore|thus)\b,?"
    r"|,?\s+and\b(?!\s+(?:is|are|was|were)\s+(?:unknown|not\s+(?:measured|known|looked)))|,",
    re.I,
)
_BESIDE: Final = re.compile(
    r"(?:because|since|as|due to|for lack|for want|lacking|without|given|until|unless|where|when|which would|it would|"
    r"it needs?|this needs?|that needs?|needs?|it takes|install|give|grant|allow|start|run|look|check|measure|see|make|"
    r"mount|first|then|next|please|nor|therefore|on|in|at|of|for)\b"
)
_LONG: Final = 20
_WORD: Final = re.compile(r"[^\W\d_]{4,}")


def unsaid(text: str, cited: Sequence[Finding], *, of_all: bool = False) -> str | None:
    """Why a claim is not held by what could not be measured, of the findings that it names; else nothing. `of_all`: it
    is about all that there are, and may be silent about it."""
    blind = [one for one in cited if one["status"] == "unavailable"]
    if not blind:
        return None
    own = [_plain(str(one[key] or "")) for one in blind for key in ("summary", "why", "needs")]
    rest = _plain(text)
    for words in sorted((words for words in own if len(words) > _LONG), key=len, reverse=True):
        rest = rest.replace(words, "was not measured")
    if len(blind) < len(cited) or of_all:
        return _tells_of(rest, blind, [one for one in cited if one["status"] != "unavailable"])
    return None if _says_just_that(rest, own) else "what it names could not be measured, and it doesn't say just that"


def _plain(text: str) -> str:
    """In one form: `can't` is `can not`."""
    plain = " ".join(text.lower().replace("’", "'").split()).rstrip(".")
    return plain.replace("can't", "can not").replace("cannot", "can not").replace("n't", " not")


def _says_just_that(text: str, own: Sequence[str]) -> bool:
    clauses = list(_clauses(text))
    said = [bool(_SAYS.search(clause)) for clause in clauses]
    return any(said) and all(
        clause in own or ((says or _BESIDE.match(clause)) and not _judges(clause))
        for clause, says in zip(clauses, said, strict=True)
    )


def _judges(clause: str) -> bool:
    """Whether it says how something is, good or bad, beyond whether it could be measured."""
    plain = _WHETHER.sub("", clause)
    return bool(_FINE.search(plain) or _BAD.search(_REASON.sub("", plain)))


def _tells_of(text: str, blind: Sequence[Finding], seen: Sequence[Finding]) -> str | None:
    """A claim about more: what it says of the ones that could not be measured."""
    theirs = _words(blind) - _words(seen)
    for clause in _clauses(text):
        about = {word.rstrip("s") for word in _WORD.findall(clause)} & theirs
        if about and _judges(clause):
            return f"{min(about)} could not be measured, and it says more than that"
        if not seen and _FINE.search(_WHETHER.sub("", clause)):
            return "nothing could be measured, and it doesn't say just that"
    return None


def _words(findings: Sequence[Finding]) -> set[str]:
    texts = " ".join(f"{one['check']} {one['subject']}" for one in findings)
    return {word.rstrip("s") for word in _WORD.findall(texts.lower())}


def _clauses(text: str) -> Iterator[str]:
    for clause in _CLAUSE.split(text):
        if clause and clause.strip(" .,;:!?"):
            yield clause.strip(" .,;:!?")
