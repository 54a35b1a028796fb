"""The check `dns`: every resolver is asked for every record, and what they say is compared."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pipe_agents.network.queries import Said, ask
from pipe_agents.network.resolvconf import ResolvConf
from pipe_agents.network.targets import Resolver
from pipe_agents.network.waiting import Stop, each

_WORKERS: Final = 16
_PATIENCE: Final = 3
"""Questions without an answer after which a resolver that never gave one is asked no more."""


@dataclass
class Heard:
    """What all resolvers said about a name."""

    name: str
    answers: dict[Resolver, list[Said]] = field(default_factory=dict)
    late: bool = False
    """The time was up before all were asked."""

    def of(self, record: str) -> dict[Resolver, Said]:
        return {resolver: one for resolver, said in self.answers.items() for one in said if one.type == record}

    @property
    def addresses(self) -> tuple[str, ...]:
        """All that anybody gave."""
        found = [
            text
            for said in self.answers.values()
            for one in said
            if one.type in ("A", "AAAA") and one.status == "ok"
            for text in one.records
        ]
        return tuple(dict.fromkeys(found))

    @property
    def answered(self) -> bool:
        return any(one.answered for said in self.answers.values() for one in said)

    def measured(self, agree: bool | None) -> dict[str, Any]:
        return {"resolvers": [by_resolver(resolver, said) for resolver, said in self.answers.items()], "agree": agree}


def by_resolver(resolver: Resolver, said: Sequence[Said]) -> dict[str, Any]:
    return {
        "resolver": str(resolver),
        "origin": resolver.origin,
        "answers": [one.measured() for one in said],
    }


def _nothing(_: object) -> Said | None:
    """What is said where it was too late to ask."""
    return None


class Asker:
    """Asks, several at a time, and asks those no more that never answer."""

    def __init__(self, seconds: float, stop: Stop, search: ResolvConf | None = None) -> None:
        self._seconds = seconds
        self._stop = stop
        self._search = search
        self._silent: Counter[Resolver] = Counter()
        self._alive: set[Resolver] = set()
        self._lock = threading.Lock()
        self._names: dict[tuple[Resolver, str], str] = {}

    def ask_all(
        self, names: Sequence[str], resolvers: Sequence[Resolver], records: Callable[[str], Sequence[str]]
    ) -> dict[str, Heard]:
        """Every record of every name, from every resolver; by name."""
        heard = {name: Heard(name) for name in names}
        pairs = [(name, resolver) for name in names for resolver in resolvers]
        first = each(lambda pair: self._first(*pair, records(pair[0])[0]), pairs, _WORKERS, self._stop, _nothing)
        for (name, resolver), said in zip(pairs, first, strict=True):
            if said is None:
                heard[name].late = True
                continue
            self._names[(resolver, name)] = said.name
            heard[name].answers[resolver] = [said]
        begun = [(name, resolver) for name, resolver in pairs if resolver in heard[name].answers]
        rest = [(*pair, record) for pair in begun for record in records(pair[0])[1:]]
        more = each(
            lambda one: self._ask(one[1], self._names[(one[1], one[0])], one[2]), rest, _WORKERS, self._stop, _nothing
        )
        for (name, resolver, _), said in zip(rest, more, strict=True):
            if said is None:
                heard[name].late = True
            else:
                heard[name].answers[resolver].append(said)
        return heard

    def addresses(self, name: str, resolvers: Sequence[Resolver]) -> tuple[str, ...]:
        """Of the first resolver that has any."""
        for resolver in resolvers:
            said = [self._ask(resolver, name, record) for record in ("A", "AAAA")]
            found = tuple(text for one in said if one.status == "ok" for text in one.records)
            if found:
                return found
        return ()

    def _first(self, name: str, resolver: Resolver, record: str) -> Said | None:
        """The first question also tells which of the names is the one, where domains are searched."""
        names = self._search.names(name) if self._search is not None and resolver.origin == "system" else [name]
        plain = None
        for candidate in names:
            said = self._ask(resolver, candidate, record)
            if said.status in ("ok", "no_data") or not said.answered:
                return said
            plain = said if candidate == name else plain
        assert plain is not None
        return plain

    def _ask(self, resolver: Resolver, name: str, record: str) -> Said:
        with self._lock:
            gone = resolver not in self._alive and self._silent[resolver] >= _PATIENCE
        if gone:
            why = f"not asked any more: it gave no answer to {_PATIENCE} questions before"
            return Said(record, name, "timeout", why=why)
        said = ask(resolver, name, record, self._seconds, self._stop)
        with self._lock:
            if said.status == "timeout":
                self._silent[resolver] += 1
            else:
                self._alive.add(resolver)
        return said
