"""What calls of models used and what is set aside for those in flight, folded from their events.

Money is whole numbers of 1e-9 US dollars, so that sums are exact and no order of calls changes them. Imported only
where a log tells of a call.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple

NANO: Final = 10**9
"""Parts of a US dollar in which money is counted."""
MOST: Final = 1e15
"""US dollars that no call costs; a sum of such is still a number."""
_EXACT: Final = 10**6
"""US dollars below which each number of nanos is another number."""
COUNTED: Final = ("input", "output", "cached", "cache_written", "reasoning", "audio")
"""What services say of tokens; see `TokenCounts` of the schema."""


def is_price(dollars: Any) -> bool:
    """Whether that is an amount of dollars which a call may cost."""
    return isinstance(dollars, int | float) and not isinstance(dollars, bool) and 0 <= dollars < MOST


def nanos(dollars: float) -> int:
    """US dollars as whole 1e-9 dollars; raises ValueError for what is no price."""
    if not is_price(dollars):
        raise ValueError(f"{dollars} is no price")
    return round(dollars * NANO)


def nanos_up(dollars: float) -> int:
    """As `nanos`, and never less than the dollars as they are written."""
    near = round(dollars * NANO) if abs(dollars) < _EXACT else None
    if near is not None and near / NANO == dollars:  # they are so many nanos: as nearly all sums that are told
        return near
    return math.ceil(Decimal(str(dollars)) * NANO)


def well_formed(data: Mapping[str, Any]) -> bool:
    """Whether the fields of an event about a call are of the shape that is counted, whoever wrote the log."""
    tokens, cost = data.get("tokens"), data.get("cost")
    counts = [tokens] if not isinstance(tokens, dict) else [tokens.get(name, 0) for name in COUNTED]
    if isinstance(tokens, dict) and not {"input", "output"} <= tokens.keys():
        return False
    if not all(count is None or (type(count) is int and count >= 0) for count in counts):
        return False
    priced = cost is None or is_price(cost)
    return priced and isinstance(data.get("call"), str)


class SetAside(NamedTuple):
    """What a call in flight may use; `cost` None: its price is not known."""

    tokens: int
    cost: int | None


class Used(NamedTuple):
    """What a call that has ended says of itself."""

    tokens: int | None = None
    known: Mapping[str, int] = {}
    """The tokens by name, as `COUNTED` has them."""
    cost: int | None = None
    """1e-9 dollars."""
    free: bool = False

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Used:
        """`data` is what `model.called` says; empty of a call that was cut off."""
        said, cost = data.get("tokens"), data.get("cost")
        tokens = None if said is None else said["input"] + said["output"]
        known = {} if said is None else {name: said[name] for name in COUNTED if said.get(name)}
        return cls(tokens, known, None if cost is None else nanos(cost), bool(data.get("free")))


class Spent:
    """One tally: of a run, of a node, of what a budget is about."""

    __slots__ = (
        "aside",
        "aside_cost",
        "aside_tokens",
        "aside_unpriced",
        "calls",
        "cost",
        "known",
        "tokens",
        "unpriced",
        "whole",
    )

    def __init__(self) -> None:
        self.calls = self.tokens = self.cost = 0
        """Calls that have ended or were cut off; tokens and 1e-9 dollars that count of them."""
        self.known: dict[str, int] = {}
        """Of `tokens`: what the services have counted, by name (`COUNTED`)."""
        self.unpriced = 0
        """Calls that may have cost something, and nobody knows what."""
        self.whole = 0
        """Calls that count as all that was set aside, since nobody said what they used."""
        self.aside = self.aside_tokens = self.aside_cost = self.aside_unpriced = 0
        """Calls in flight, and what is set aside for them."""

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Spent):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Spent(calls={self.calls}, tokens={self.tokens}, cost={self.cost}, aside={self.aside})"

    def add(self, other: Spent) -> None:
        for name in self.__slots__:
            if name != "known":
                setattr(self, name, getattr(self, name) + getattr(other, name))
        self._count({name: other.known[name] for name in COUNTED if name in other.known})

    def _count(self, tokens: Mapping[str, int]) -> None:
        for name, count in tokens.items():
            self.known[name] = self.known.get(name, 0) + count

    def reserve(self, held: SetAside) -> None:
        self.aside += 1
        self.aside_tokens += held.tokens
        self.aside_cost += held.cost or 0
        self.aside_unpriced += held.cost is None

    def settle(self, held: SetAside | None, used: Used) -> None:
        if held is not None:
            self.aside -= 1
            self.aside_tokens -= held.tokens
            self.aside_cost -= held.cost or 0
            self.aside_unpriced -= held.cost is None
        self.calls += 1
        if used.tokens is not None:
            self.tokens += used.tokens
            self._count(used.known)
        if used.cost is not None:
            self.cost += used.cost
        if used.free:
            return
        if used.tokens is None:
            self.whole += 1
            self.tokens += held.tokens if held is not None else 0
        if used.cost is None:
            kept = held.cost if held is not None else None
            self.unpriced += kept is None
            self.cost += kept or 0

    @property
    def all_tokens(self) -> int:
        """With what calls in flight may use."""
        return self.tokens + self.aside_tokens

    @property
    def all_cost(self) -> int:
        """With what calls in flight may use; 1e-9 dollars."""
        return self.cost + self.aside_cost

    @property
    def all_unpriced(self) -> int:
        """With calls in flight that nobody knows the price of."""
        return self.unpriced + self.aside_unpriced

    @property
    def bounds(self) -> bool:
        """Whether what was set aside counts: tokens and cost are at most what is said."""
        return bool(self.aside or self.whole)

    def to_json(self) -> dict[str, Any]:
        """For people and programs: `{calls, tokens, input, output, …, cost}`, US dollars; `cost` is missing where no
        price of any call is known, `unpriced` says of how many it isn't."""
        data: dict[str, Any] = {"calls": self.calls + self.aside, "tokens": self.all_tokens, **self.known}
        if self.all_unpriced < self.calls + self.aside or self.all_cost:
            data["cost"] = self.all_cost / NANO
        if self.all_unpriced:
            data["unpriced"] = self.all_unpriced
        return data

    def totals(self) -> dict[str, Any]:
        """The same, to stand beside the numbers of nodes by status, of which `cached` is one."""
        return {"cached_tokens" if name == "cached" else name: value for name, value in self.to_json().items()}


class Ledger:
    """The calls of a run. `total` and `nodes` are told by every log, `scopes` where a budget asks for them."""

    def __init__(self) -> None:
        self.total = Spent()
        self.nodes: dict[str, Spent] = {}
        """By the name of the node or item in the log."""
        self.open: dict[tuple[str, str], SetAside] = {}
        """Calls that have not ended, by node and call."""
        self.scopes: dict[str, Spent] = {}
        self._scopes_of: Callable[[str], Sequence[str]] = lambda node: ()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Ledger):
            return NotImplemented
        return (self.total, self.nodes, self.open) == (other.total, other.nodes, other.open)

    __hash__ = None  # type: ignore[assignment]

    def divide(self, scopes_of: Callable[[str], Sequence[str]]) -> None:
        """Keep a tally of each scope too, from now on and of all that was; `scopes_of` gives those of a node."""
        self._scopes_of = scopes_of
        self.scopes = {}
        for node, spent in self.nodes.items():
            for scope in scopes_of(node):
                self.scopes.setdefault(scope, Spent()).add(spent)

    def by_node(self, known: Collection[str]) -> dict[str, Spent]:
        """What each of these nodes has spent, with its items; a node that asked no model is not in it."""
        found: dict[str, Spent] = {}
        for name, spent in self.nodes.items():
            owner, end = name, len(name)
            while owner not in known and (end := name.rfind("[", 0, end)) > 0:
                owner = name[:end]
            found.setdefault(owner if owner in known else name, Spent()).add(spent)
        return found

    def reserved(self, node: str, data: Mapping[str, Any]) -> None:
        """Fold `model.reserved`."""
        key = (node, data["call"])
        if key in self.open:  # the name of a call that was cut off, of a node that was forgotten meanwhile
            self._settle(key, {})
        cost = data.get("cost")
        held = self.open[key] = SetAside(data["tokens"], None if cost is None else nanos(cost))
        for spent in self._tallies(node):
            spent.reserve(held)

    def called(self, node: str, data: Mapping[str, Any]) -> None:
        """Fold `model.called`."""
        self._settle((node, data["call"]), data)

    def cut_off(self) -> None:
        """Who made the calls in flight is gone: they count as all that was set aside."""
        for key in list(self.open):
            self._settle(key, {})

    def _settle(self, key: tuple[str, str], data: Mapping[str, Any]) -> None:
        used, held = Used.of(data), self.open.pop(key, None)
        for spent in self._tallies(key[0]):
            spent.settle(held, used)

    def _tallies(self, node: str) -> list[Spent]:
        own = self.nodes.get(node)
        if own is None:
            own = self.nodes[node] = Spent()
        tallies = [self.total, own]
        for scope in self._scopes_of(node):
            found = self.scopes.get(scope)
            if found is None:
                found = self.scopes[scope] = Spent()
            tallies.append(found)
        return tallies
