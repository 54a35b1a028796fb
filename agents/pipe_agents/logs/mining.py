"""Templates: lines that differ in numbers, names and addresses only are one. Mined by drain3, which is asked rarely."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from pipe_agents.logs.entries import ERROR, LEVELS, NONE
from pipe_agents.logs.series import Series
from pipe_agents.redacting import redacted

Hide = Callable[[str], str]
"""Takes out the secrets that were granted."""
WILD: Final = "<*>"
TWICE: Final = "<*><*>"
MOST_TOKENS: Final = 60
MOST_KNOWN: Final = 20_000
MOST_COMPARED: Final = 60_000_000
"""With how many words of templates lines are compared in one attempt, some ten seconds; the rest is `other`."""
CROWDED: Final = 5_000
"""With all templates taken, how many more new lines are held against them before the rest is `other` at once."""

KEPT: Final = 5
"""Each fifth template is kept for errors."""
MOST_REQUESTS: Final = 300

_MASKS: Final = re.compile(
    rb"\"[^\"\n]{0,200}\""
    rb"|(?<![\w.])'[^'\n]{1,100}'(?!\w)"
    rb"|\b[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\b"
    rb"|\b(?:[0-9a-fA-F]{1,4}:){2,7}(?::?[0-9a-fA-F]{1,4}){1,2}\b"
    rb"|\b0[xX][0-9a-fA-F]{1,64}"
    rb"|\b(?=[a-f]*+\d)[0-9a-f]{6,}+\b|\b(?=[A-F]*+\d)[0-9A-F]{6,}+\b"
    rb"|\b[\w.+-]{1,64}+@[\w.-]{1,128}+"
    rb"|[+-]?\d[\d.,:]{0,40}"
)
HEXES: Final = re.compile(rb"\b[0-9a-f]{8}[0-9a-f-]*+")
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

    __slots__ = ("cluster", "count", "first", "last", "level", "logs", "masked", "series", "untimed")

    def __init__(self, cluster: Any, masked: str, level: int) -> None:
        self.cluster = cluster
        self.masked = masked
        self.count = 0
        self.untimed = 0
        self.level = level
        self.logs: dict[str, int] = {}
        """Its entries by log."""
        self.series = Series(128)
        self.first: Where | None = None
        self.last: Where | None = None

    @property
    def text(self) -> str:
        return str(self.cluster.get_template()) if self.cluster is not None else self.masked


def as_it_is(text: str) -> str:
    return text


def masked(message: bytes, hide: Hide = as_it_is) -> str:
    """The message with numbers, addresses and quoted text replaced, cut to a number of words.

    Secrets go first: without their numbers nobody knows them any more, and most of one would be shown.
    """
    message = redacted(hide(message.decode("utf-8", "surrogateescape"))).encode("utf-8", "surrogateescape")
    words = _MASKS.sub(b"<*>", message).decode("utf-8", "replace").split()[:MOST_TOKENS]
    return " ".join([WILD if word.count(WILD) > 2 else word.replace(TWICE, WILD) for word in words])


class Miner:
    """Gives each message its template. Every message has one, or `other`: when there are as many as there may be.

    Messages of different levels have different templates.
    """

    def __init__(self, most: int, hide: Hide = as_it_is) -> None:
        self._most = most
        self._hide = hide
        self._known: dict[tuple[int, str], Template] = {}
        self._by_cluster: dict[tuple[int, int], Template] = {}
        self._plain: dict[tuple[int, str], Template] = {}
        self._compared = [0, 0]
        """For all levels, and for error or worse: what is frequent of one does not crowd out the other."""
        self._refused = [0, 0]
        self.other = Template(None, "(other lines)", NONE)
        self.other_bad = Template(None, "(other lines)", ERROR)
        """Of level error or worse."""
        self._trees: list[Any] = []
        try:
            from drain3.drain import Drain

            self._trees = [Drain(depth=4, sim_th=0.5, max_children=100, param_str=WILD) for _ in LEVELS]
        except ImportError:
            pass
        for level, tree in enumerate(self._trees):
            tree.fast_match = self._counting(tree.fast_match, level <= ERROR)

    @property
    def merges(self) -> bool:
        """Whether lines that differ in words are put together, too: it takes drain3."""
        return bool(self._trees)

    @property
    def templates(self) -> list[Template]:
        return [one for one in (*self._by_cluster.values(), *self._plain.values()) if one.count]

    def template(self, message: bytes, level: int) -> Template:
        key = (level, masked(message, self._hide))
        found = self._known.get(key)
        if found is None:
            found = self._ask(*key)
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            self._known[key] = found
        return found

    def request(self, message: bytes, status: str, level: int) -> Template:
        """The template of a web request: its path without numbers, and its status; few of them are kept apart."""
        text = f"{masked(message, self._hide)} -> {status}"
        found = self._plain.get((level, text))
        if found is None:
            if len(self._plain) >= min(self._most // 2, MOST_REQUESTS):
                text = f"{text.partition(' ')[0][:20]} (other paths) -> {status}"
            found = self._own(level, text) if len(self._plain) < self._most else self._rest(level)
        return found

    def _rest(self, level: int) -> Template:
        return self.other_bad if level <= ERROR else self.other

    def _own(self, level: int, text: str) -> Template:
        found = self._plain.get((level, text))
        if found is None:
            found = self._plain[level, text] = Template(None, text, level)
        return found

    def _counting(self, match: Any, bad: bool) -> Any:
        """The tree's comparison with all templates of a leaf, which is what costs."""

        def counted(clusters: Any, words: Any, *rest: Any) -> Any:
            self._compared[bad] += len(clusters) * len(words)
            return match(clusters, words, *rest)

        return counted

    def _ask(self, level: int, text: str) -> Template:
        bad = level <= ERROR
        taken = len(self._by_cluster) + len(self._plain)
        full = taken >= self._most - (0 if bad else self._most // KEPT)
        if not self._trees:
            return self._rest(level) if full and (level, text) not in self._plain else self._own(level, text)
        if self._compared[bad] > MOST_COMPARED or self._refused[bad] > CROWDED:
            return self._rest(level)
        tree = self._trees[level]
        if full and tree.tree_search(tree.root_node, tree.get_content_as_tokens(text), tree.sim_th, False) is None:
            self._refused[bad] += 1
            return self._rest(level)
        cluster = tree.add_log_message(text)[0]
        found = self._by_cluster.get((level, cluster.cluster_id))
        if found is None:
            found = self._by_cluster[level, cluster.cluster_id] = Template(cluster, text, level)
        return found
