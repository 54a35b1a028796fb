"""Scores the agents for a task. No agent is known here: all is by what they say of themselves."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from math import log
from typing import TYPE_CHECKING, Final

from pipe_runner.routing.cards import TOLD, Card, cards_of
from pipe_runner.routing.choices import AWAY, BOUND, Choice, Matched, Routing
from pipe_runner.routing.entities import NO_PORT, Entity, entities, kinds_of
from pipe_runner.routing.options import drawn, supposed
from pipe_runner.routing.times import is_exact
from pipe_runner.routing.unseen import unseen
from pipe_runner.routing.words import GENERAL_STEMS, SILENT, stem, stems, words

if TYPE_CHECKING:
    from pipe_runner.registry import Registry

TOGETHER: Final = 1.5
"""What words count that an agent names together, and a task has together."""
PART: Final = 0.3
"""What a word counts of several that an agent names together."""
GENERAL: Final = 0.4
THING: Final = 0.7
"""What a thing counts that an agent has an option for."""
ALSO: Final = 0.05
"""What further capabilities count that the same words ask for."""
WHEN: Final = 0.2
"""What a time counts: it goes with every task."""
FAR: Final = 0.8
"""What is left of the score of an agent that can't look at a host that the task names."""
REACH: Final = 2
"""Words that may stand between those of a phrase."""


class Hit:
    """Words of a task that an agent has, too."""

    __slots__ = ("capability", "counts", "places", "text")

    def __init__(self, places: tuple[int, ...], counts: float, capability: str, text: str) -> None:
        self.places, self.counts, self.capability, self.text = places, counts, capability, text


def route(task: str, registry: Registry, names: Collection[str] | None = None) -> Routing:
    """The agents for a task, the best first; `names`: only of these. The same for the same registry, each time."""
    return scored(task, cards_of(registry, names))


def given(task: str, cards: Sequence[Card], names: Sequence[str]) -> Routing:
    """Exactly these, in this order, with what the task says for their options."""
    found = {one.agent: one for one in scored(task, cards).ranked}
    by_name = {card.name: card for card in cards}
    ranked = []
    for name in dict.fromkeys(names):
        if name in found:
            ranked.append(found[name]._replace(why=f"it was named; {found[name].why}"))
        else:
            card, things = by_name[name], entities(task)[0]
            options = drawn(card, things, ())
            left = unseen(card, options, things)
            ranked.append(Choice(name, 0.0, (), options, "it was named", left, card.tells))
    known = tuple((card.name, card.summary) for card in cards)
    return Routing(task, tuple(ranked), by="name", known=known, faults=_faults(entities(task)[0]))


def scored(task: str, cards: Sequence[Card]) -> Routing:
    """The cards for a task, the best first."""
    things, rest = entities(task)
    heard = stems(rest)
    spoken = _spoken(rest)
    rarity = Rarity(cards)
    ranked = []
    for card in cards:
        hits = _hits(card, heard, spoken, rarity)
        beside = [(one, _counts(one, card, rarity)) for one in things if card.takes(one.role)]
        roles: dict[str, float] = {}
        for one, counts in beside:
            roles[one.role] = max(roles.get(one.role, 0.0), counts)
        best = _apart(hits)
        matched = _matched(card, hits)
        said, named = sum(hit.counts for hit in best), sum(roles.values())
        also = max(sum(one.score for one in matched) - said, 0.0)
        score = round(said + ALSO * also + named, 3)
        if score > 0:
            options = drawn(card, things, matched)
            left = unseen(card, options, things)
            if any(one.role == AWAY for one in left):
                score = max(round(score * FAR, 3), min(score, BOUND))
            lost = {(one.role, one.what) for one in left}
            taken = [one for one, _ in beside if not {(one.role, one.value), (one.role, one.text)} & lost]
            why = _why(best, taken, matched) + supposed(card, things, options)
            ranked.append(Choice(card.name, score, matched, options, why, left, card.tells))
    ranked.sort(key=lambda one: (-one.score, one.agent))
    known = tuple((card.name, card.summary) for card in cards)
    return Routing(task, tuple(ranked), known=known, faults=_faults(things))


def _faults(things: Sequence[Entity]) -> tuple[str, ...]:
    wrong = [one.value for one in things if one.role == NO_PORT]
    return tuple(f"{value} is no port: ports go from 1 to 65535, and ranges upwards" for value in wrong)


class Rarity:
    """What is said by few agents tells more than what all of them say."""

    def __init__(self, cards: Sequence[Card]) -> None:
        self._all = len(cards)
        self._of: dict[str, set[str]] = {}
        self._roles: dict[str, int] = {}
        for card in cards:
            for phrase, of in card.phrases.items():
                if max(of.values()) > TOLD:
                    for one in phrase:
                        self._of.setdefault(one, set()).add(card.name)
            for role in {"hosts" if role == "host" else role for role in card.roles}:
                self._roles[role] = self._roles.get(role, 0) + 1

    def of(self, stem: str) -> float:
        return self._weight(len(self._of.get(stem, ())) or 1)

    def of_role(self, role: str) -> float:
        return self._weight(self._roles.get(role, 1))

    def _weight(self, having: int) -> float:
        """1 for what one agent has, next to nothing for what all have."""
        return log((self._all + 1) / (having + 0.5)) / log((self._all + 1) / 1.5)


def _counts(one: Entity, card: Card, rarity: Rarity) -> float:
    """What a thing counts; all of it for an agent that has a word for such files."""
    if one.role == "paths" and any(
        max(card.phrases.get((stem(kind),), {"": 0.0}).values()) > TOLD for kind in kinds_of(one.value)
    ):
        return THING
    return (WHEN if one.role == "duration" else THING) * rarity.of_role(one.role)


def _spoken(text: str) -> list[str]:
    """The words behind the stems, at the same places."""
    return [word for word in words(text) if word not in SILENT]


def _hits(card: Card, heard: Sequence[str], spoken: Sequence[str], rarity: Rarity) -> list[Hit]:
    """What the agent has of the task's words, each word once, the weightiest first."""
    found: list[Hit] = []
    places = {stem: [n for n, one in enumerate(heard) if one == stem] for stem in heard}
    for phrase, of in card.phrases.items():
        at = _together(phrase, places)
        if at is not None:
            factor = TOGETHER if len(at) > 1 else 1.0
            used = [at]
        else:
            used = [(places[stem][0],) for stem in phrase if stem in places] if len(phrase) > 1 else []
            factor = PART
        for each in used:
            weight = max(_weight(heard[n], rarity) for n in each)
            for capability, counts in of.items():
                text = " ".join(spoken[n] for n in each)
                found.append(Hit(each, counts * factor * weight, capability, text))
    return found


def _weight(stem: str, rarity: Rarity) -> float:
    return rarity.of(stem) * (GENERAL if stem in GENERAL_STEMS else 1.0)


def _together(phrase: tuple[str, ...], places: dict[str, list[int]]) -> tuple[int, ...] | None:
    """Where the words of a phrase stand near each other, in any order."""
    if any(stem not in places for stem in phrase):
        return None
    if len(phrase) == 1:
        return (places[phrase[0]][0],)
    for first in places[phrase[0]]:
        at = [min(places[stem], key=lambda n: (abs(n - first), n)) for stem in phrase]
        if max(at) - min(at) < len(phrase) + REACH and len(set(at)) == len(set(phrase)):
            return tuple(at)
    return None


def _apart(hits: Sequence[Hit]) -> list[Hit]:
    """The weightiest ones; each word of the task counts once."""
    taken: set[int] = set()
    best = []
    for hit in sorted(hits, key=lambda hit: (-hit.counts, hit.places, hit.capability)):
        if taken.isdisjoint(hit.places):
            taken.update(hit.places)
            best.append(hit)
    return best


def _matched(card: Card, hits: Sequence[Hit]) -> tuple[Matched, ...]:
    """The capabilities that were asked for, the best first."""
    found = []
    for capability in card.about.capabilities:
        own = _apart([hit for hit in hits if hit.capability == capability])
        if own:
            words = tuple(dict.fromkeys(hit.text for hit in own))
            found.append(Matched(str(capability), words, round(sum(hit.counts for hit in own), 3)))
    return tuple(sorted(found, key=lambda one: -one.score))


def _why(hits: Sequence[Hit], things: Sequence[Entity], matched: Sequence[Matched]) -> str:
    """Why an agent was chosen, in a sentence."""
    parts = []
    for one in matched[:3]:
        said = ", ".join(repr(word) for word in one.words[:4])
        parts.append(f"{one.capability} by {said}")
    if not matched and hits:
        parts.append("its summary by " + ", ".join(repr(hit.text) for hit in hits[:4]))
    if things:
        named: dict[str, list[str]] = {}
        for thing in things:
            named.setdefault(thing.role, []).append(thing.value)
        takes = "; ".join(f"{role} {', '.join(values[:3])}" for role, values in named.items())
        parts.append(f"it takes {takes}")
        broad = [one for one in things if one.role == "duration" and not is_exact(one.text)]
        parts += [f"{one.text!r} taken as {one.value}" for one in broad]
    return "matches " + "; ".join(parts) if parts else "matches nothing"
