"""Templates: lines that differ in numbers, names and addresses only are one. Mined by drain3, which is asked rarely."""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple

from pipe_agents.logs.entries import NONE
from pipe_agents.logs.series import Series

WILD: Final = "<*>"
TWICE: Final = "<*><*>"
MOST_TOKENS: Final = 60
MOST_KNOWN: Final = 50_000
MOST_ASKED: Final = 100_000
"""How often drain is asked in one attempt: each time it may compare with many templates."""
CROWDED: Final = 5_000
"""With all templates taken, how many more new lines are held against them before the rest is `other` at once."""

_MASKS: Final = re.compile(
    rb"\"[^\"\n]{0,200}\""
    rb"|(?<![\w.])'[^'\n]{1,100}'(?!\w)"
    rb"|\b[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\b"
    rb"|\b(?:[0-9a-fA-F]{1,4}:){2,7}(?::?[0-9a-fA-F]{1,4}){1,2}\b"
    rb"|\b0[xX][0-9a-fA-F]{1,64}"
    rb"|\b(?=[a-f]{0,63}\d)[0-9a-f]{6,64}\b|\b(?=[A-F]{0,63}\d)[0-9A-F]{6,64}\b"
    rb"|[\w.+-]{1,64}@[\w.-]{1,128}"
    rb"|[+-]?\d[\d.,:]{0,40}"
)
HEXES: Final = re.compile(rb"\b[0-9a-f]{8}-[0-9a-f-]{27}\b|\b(?=[a-f]{0,63}\d)[0-9a-f]{7,64}\b|0x[0-9a-fA-F]{1,64}")
"""What makes each line of some logs different; masked in whole pieces where most lines are."""


class Where(NamedTuple):
    """A line, and where it stands."""

    line: bytes
    file: int
    number: int
    when: float | None
    """Seconds since 1970 of its minute."""


class Template:
    """Lines of one kind: how many, at which times, and the first and the last of them."""

    __slots__ = ("cluster", "count", "first", "last", "level", "masked", "series", "untimed")

    def __init__(self, cluster: Any, masked: str) -> None:
        self.cluster = cluster
        self.masked = masked
        self.count = 0
        self.untimed = 0
        self.level = NONE
        self.series = Series(128)
        self.first: Where | None = None
        self.last: Where | None = None

    @property
    def text(self) -> str:
        return str(self.cluster.get_template()) if self.cluster is not None else self.masked


def masked(message: bytes) -> str:
    """The message with numbers, addresses and quoted text replaced, cut to a number of words."""
    words = _MASKS.sub(b"<*>", message).decode("utf-8", "replace").split()[:MOST_TOKENS]
    return " ".join([WILD if word.count(WILD) > 2 else word.replace(TWICE, WILD) for word in words])


class Miner:
    """Gives each message its template. Every message has one, or `other`: when there are as many as there may be."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: dict[str, Template] = {}
        self._by_cluster: dict[int, Template] = {}
        self._plain: dict[str, Template] = {}
        self._asked = 0
        self._refused = 0
        self.other = Template(None, "(other lines)")
        self.bounded = False
        """Some lines are in `other`."""
        self._drain: Any = None
        try:
            from drain3.drain import Drain

            self._drain = Drain(depth=4, sim_th=0.5, max_children=100, param_str=WILD)
        except ImportError:
            pass

    @property
    def merges(self) -> bool:
        """Whether lines that differ in words are put together, too: it takes drain3."""
        return self._drain is not None

    @property
    def templates(self) -> list[Template]:
        return [one for one in (*self._by_cluster.values(), *self._plain.values()) if one.count]

    def template(self, message: bytes) -> Template:
        text = masked(message)
        found = self._known.get(text)
        if found is None:
            found = self._ask(text)
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            self._known[text] = found
        return found

    def _ask(self, text: str) -> Template:
        drain = self._drain
        self._asked += 1
        full = len(self._by_cluster) + len(self._plain) >= self._most
        if drain is None:
            if full and text not in self._plain:
                return self._none()
            return self._plain.setdefault(text, Template(None, text))
        if self._asked > MOST_ASKED or self._refused > CROWDED:
            return self._none()
        tokens = drain.get_content_as_tokens(text)
        if full and drain.tree_search(drain.root_node, tokens, drain.sim_th, False) is None:
            self._refused += 1
            return self._none()
        cluster = drain.add_log_message(text)[0]
        found = self._by_cluster.get(cluster.cluster_id)
        if found is None:
            found = self._by_cluster[cluster.cluster_id] = Template(cluster, text)
        return found

    def _none(self) -> Template:
        self.bounded = True
        return self.other
