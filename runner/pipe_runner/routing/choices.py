"""What choosing gives: agents in order, each with its score, what matched, and the options that the task fills."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

BOUND = 0.5
"""A score below it is a guess, and not made."""
CLOSE = 0.6
"""What has so much of the best one's score fits as well."""
VAGUE = 0.6
"""A task whose best score is below it says little of what to look at (`the site is slow`): more agents look."""
CLOSE_TO_VAGUE = 0.25
MOST = 4
"""Agents for one task."""
AWAY = "hosts"
"""The role of what an agent is away from that measures the machine that it runs on."""

_TOLD: Final = 64
"""Things of one agent that are told in its result."""


class Matched(NamedTuple):
    """A capability, and the words of the task that asked for it."""

    capability: str
    words: tuple[str, ...]
    score: float


class Unseen(NamedTuple):
    """Something that the task names and an agent does not look at."""

    what: str
    why: str
    role: str

    @property
    def told(self) -> str:
        return f"{self.what} is not looked at ({self.why})"


class Choice(NamedTuple):
    """One agent for a task."""

    agent: str
    score: float
    capabilities: tuple[Matched, ...]
    """The best first."""
    options: dict[str, Any]
    """Drawn from the task; they fit what the agent takes."""
    why: str
    """In a sentence."""
    unseen: tuple[Unseen, ...] = ()
    """What the task names, and this agent does not look at."""
    tells: str | None = None
    """The option by which it tells that."""

    def to_json(self) -> dict[str, Any]:
        matched = [{"name": one.capability, "words": list(one.words), "score": one.score} for one in self.capabilities]
        return {
            "agent": self.agent,
            "score": self.score,
            "capabilities": matched,
            "options": self.options,
            "why": self.why,
            "not_looked_at": [{"what": one.what, "why": one.why} for one in once(self.unseen)],
        }


class Routing(NamedTuple):
    """The answer to one task."""

    task: str
    ranked: tuple[Choice, ...]
    """Every agent that has something of the task, the best first; ties by name."""
    by: str = "words"
    """`words`, `model`, or `name` where they were named."""
    notes: tuple[str, ...] = ()
    """What was left out, and why."""
    known: tuple[tuple[str, str], ...] = ()
    """The agents that there are, each with what it is for."""
    faults: tuple[str, ...] = ()
    """What in the task is wrong by itself; then nobody is chosen."""

    @property
    def fitting(self) -> tuple[Choice, ...]:
        """Those that are no guess."""
        return tuple(one for one in self.ranked if one.score >= BOUND or self.by != "words")

    def chosen(self, most: int = 1) -> tuple[Choice, ...]:
        """The best, and as many as fit nearly as well, up to `most`; where the best is a guess, none. Each is told what
        of the task it does not look at."""
        return () if self.faults else settled(self._picked(most))

    def noted(self, chosen: tuple[Choice, ...]) -> Routing:
        """With a note for each thing of the task that is not looked at."""
        told = [f"{one.agent}: {left.told}" for one in chosen for left in one.unseen]
        return self._replace(notes=(*self.notes, *told))

    def _picked(self, most: int) -> tuple[Choice, ...]:
        if self.by == "name":
            return self.ranked[:most]
        if self.by != "words":
            return self.ranked[: min(most, MOST)]
        if not self.fitting:
            return ()
        best, *others = self.ranked
        least = best.score * (CLOSE if best.score >= VAGUE else CLOSE_TO_VAGUE)
        return (best, *(one for one in others if one.score >= least and one.capabilities))[: min(most, MOST)]

    def refusal(self) -> str:
        """Why there is no choice, and what would be known."""
        if self.faults:
            return "; ".join(self.faults)
        if not self.known:
            return "there is no agent that may be chosen for a task"
        about = "; ".join(f"{name}: {what}" for name, what in self.known[:12])
        return f"no agent fits the task: its words say nothing of what they are for ({about})"

    def to_json(self) -> dict[str, Any]:
        return {
            "task": self.task,
            "by": self.by,
            "ranked": [one.to_json() for one in self.ranked],
            "notes": list(self.notes),
        }


def once(unseen: Iterable[Unseen]) -> tuple[Unseen, ...]:
    """Each thing once, also where it has several roles: an address has a port and is a URL."""
    return tuple({left.what: left for left in reversed(tuple(unseen))}.values())[::-1]


def settled(chosen: tuple[Choice, ...]) -> tuple[Choice, ...]:
    """Without what another of them looks at; a host that one can't look at stays: what it gives is of this machine.
    The rest stands in the reasons, and in the option by which the agent says it in its result."""
    missed = [{(left.role, left.what) for left in one.unseen} for one in chosen]
    nobody = set.intersection(*missed) if missed else set()
    found = []
    for one in chosen:
        unseen = once(left for left in one.unseen if left.role == AWAY or (left.role, left.what) in nobody)
        options, why = one.options, one.why
        if unseen and one.tells is not None:
            options = {**options, one.tells: [{"what": left.what, "why": left.why} for left in unseen[:_TOLD]]}
        away = ", ".join(left.what for left in unseen if left.role == AWAY)
        verb = "are" if ", " in away else "is"
        rest = ", ".join(repr(left.what) for left in unseen if left.role != AWAY)
        why += f"; this machine only: {away} {verb} not looked at" if away else ""
        why += f"; no option takes {rest}" if rest else ""
        found.append(one._replace(unseen=unseen, options=options, why=why))
    return tuple(found)
