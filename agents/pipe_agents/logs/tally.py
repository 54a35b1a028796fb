"""Counts lines. Equal lines, numbers left aside, are grouped before anything costly looks at one of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import compress
from typing import Final, NamedTuple

from pipe_agents.logs.access import DIGITS, Access, request_of
from pipe_agents.logs.counts import Counts
from pipe_agents.logs.entries import CARRIERS, ERROR, EXCEPTION, INFO, entry_of
from pipe_agents.logs.files import Reader, levelled
from pipe_agents.logs.formats import cleaned
from pipe_agents.logs.joining import JOIN_AFTER, JOIN_NO, JOIN_YES, joins
from pipe_agents.logs.logins import Logins
from pipe_agents.logs.mining import HEXES, Hide, Miner, Template, Where
from pipe_agents.logs.needles import NEEDLES
from pipe_agents.logs.patterns import PATTERNS, Pattern, found_in
from pipe_agents.logs.series import Series
from pipe_agents.logs.zeros import apart, counts

MOST_SHAPES: Final = 60_000
MOST_SHAPE_BYTES: Final = 32 << 20
LONGEST_SHAPE: Final = 4096
MOST_BUCKETS: Final = 4096
CROWDED: Final = 0.3
"""The part of a piece's lines that may be different before what mostly makes them so is masked in the whole piece."""
EXAMPLE: Final = 2000


class Shape(NamedTuple):
    """What is known of all lines that are equal but for their numbers."""

    template: Template | None
    """None for a line without text."""
    level: int
    joined: int
    patterns: tuple[Pattern, ...]
    detail: tuple[Pattern, ...]
    exception: bytes | None
    counts: bool = False
    """Some of them may count no errors, others some."""


class Hits:
    """Lines that have one pattern."""

    __slots__ = ("first", "last", "lines", "series")

    def __init__(self) -> None:
        self.lines = 0
        self.series = Series(256)
        self.first: Where | None = None
        self.last: Where | None = None

    def add(self, count: int, first: Where, last: Where) -> None:
        self.lines += count
        if first.when is not None:
            self.series.add(first.when, count)
        if self.first is None or _before(first.when, self.first.when):
            self.first = first
        if self.last is None or not _before(last.when, self.last.when):
            self.last = last


def _before(one: float | None, other: float | None) -> bool:
    return one is not None and (other is None or one < other)


class Tally:
    """All that is counted in one attempt. Every line is in exactly one of: a template, `other`, `joined`, `blank`,
    `outside`."""

    def __init__(self, groups: frozenset[str], most_templates: int, least_failures: int, hide: Hide) -> None:
        self.miner = Miner(most_templates, hide)
        self.patterns = tuple(one for one in PATTERNS if one.group in groups)
        self.levels = [0] * 6
        self.lines = self.joined = self.blank = self.outside = self.untimed = 0
        self.total = Series(MOST_BUCKETS)
        self.errors = Series(MOST_BUCKETS)
        self.hits: dict[str, Hits] = {}
        self.exceptions: Counts[bytes] = Counts(2_000)
        self.logins = Logins(least_failures)
        self.access = Access()
        self._shapes: dict[str, dict[bytes, Shape]] = {}
        self._shape_bytes = 0

    @property
    def entries(self) -> int:
        return self.lines - self.joined - self.blank - self.outside

    def flush(self, reader: Reader) -> None:
        """Count what was kept for the piece after it; at the end of a file."""
        if reader.held is not None:
            held, reader.held = reader.held, None
            self.feed(held, reader, last=True)
        reader.done()

    def feed(self, piece: bytes, reader: Reader, last: bool = False) -> None:
        """Count a piece of whole lines."""
        piece = cleaned(piece if reader.held is None else reader.held + b"\n" + piece)
        reader.held = None
        lines = piece.split(b"\n")
        if not last and len(lines) > 1 and joins(lines[-1]) == JOIN_AFTER:  # it depends on the line after it
            reader.held = lines.pop()
            piece = piece[: -len(reader.held) - 1]
        base, count = reader.lines, len(lines)
        self.lines += count
        reader.lines += count
        keys = reader.keys(lines)
        number: Callable[[int], int] = (base + 1).__add__
        keep = reader.inside(lines, keys)
        if keep is not None:
            inside = sum(keep)
            self.outside += count - inside
            reader.outside += count - inside
            if not inside:
                return
            numbers = list(compress(range(base + 1, base + count + 1), keep))
            number = numbers.__getitem__
            lines, keys = list(compress(lines, keep)), list(compress(keys, keep))
            piece = b"\n".join(lines)
        shapes = self._shapes_of(piece, lines, reader)
        if max(map(len, shapes)) > LONGEST_SHAPE:
            shapes = [shape[:LONGEST_SHAPE] for shape in shapes]
        if reader.locator.kind == "pri":  # what has another level has another shape
            marks = {key: b"%d" % level if (level := reader.moment(key)[1]) is not None else b"" for key in set(keys)}
            shapes = [marks[key] + shape for key, shape in zip(keys, shapes, strict=True)]
        self._count(lines, keys, shapes, reader, number)

    def _shapes_of(self, piece: bytes, lines: list[bytes], reader: Reader) -> list[bytes]:
        if reader.format.name == "access":
            return self.access.shapes(lines)
        if (shapes := reader.messages(piece, lines)) is not None:
            return shapes
        if reader.format.name == "json" or (reader.format.name in CARRIERS and b"{" in piece):
            piece = levelled(piece)
        if reader.crowded:
            piece = HEXES.sub(b"#", piece)
        return piece.translate(None, DIGITS).split(b"\n")

    def _count(
        self, lines: list[bytes], keys: list[bytes], shapes: list[bytes], reader: Reader, number: Callable[[int], int]
    ) -> None:
        size = len(lines)
        firsts = dict(zip(reversed(shapes), range(size - 1, -1, -1), strict=True))
        lasts = dict(zip(shapes, range(size), strict=True))
        groups = Counter(zip(keys, shapes, strict=True))
        reader.crowded = reader.crowded or (len(firsts) > CROWDED * size and size > 100)
        known = self._known(reader)
        unseen = {shape: lines[at] for shape, at in firsts.items() if shape not in known}
        if unseen:
            self._look(known, unseen, reader)
        infos = {shape: known[shape] for shape in firsts}
        counting = {shape for shape, info in infos.items() if info.counts}
        if counting:
            self._count(lines, keys, apart(lines, shapes, counting), reader, number)
            return
        reader.order(keys)
        blanks = lines.count(b"")
        if blanks:
            self._blank(groups, blanks, reader)
        joined = self._after(lines, keys, shapes, infos, reader)
        moment, file = reader.moment, reader.number

        def where(at: int, when: float | None) -> Where:
            return Where(lines[at][:EXAMPLE], file, number(at), when)

        for (key, shape), count in groups.items():
            info = infos[shape]
            when = moment(key)[0]
            if info.patterns or info.exception is not None:
                self._found(info, count, where(firsts[shape], when), where(lasts[shape], when))
            if info.joined != JOIN_NO:
                on = count if info.joined == JOIN_YES else joined.get((key, shape), 0)
                self.joined += on
                reader.joined += on
                count -= on
                if not count:
                    continue
            template = info.template
            if template is None:
                self.blank += count
                reader.blank += count
                continue
            level = info.level
            self.levels[level] += count
            template.count += count
            template.logs[reader.log] = template.logs.get(reader.log, 0) + count
            if when is None:
                self.untimed += count
                reader.untimed += count
                template.untimed += count
            else:
                self.total.add(when, count)
                reader.series.add(when, count)
                template.series.add(when, count)
                if level <= ERROR:
                    self.errors.add(when, count)
            if template.first is None or _before(when, template.first.when):
                template.first = where(firsts[shape], when)
            if template.last is None or not _before(when, template.last.when):
                template.last = where(lasts[shape], when)
        self._details(lines, keys, shapes, infos, reader, number)

    def _blank(self, groups: Counter[tuple[bytes, bytes]], blanks: int, reader: Reader) -> None:
        """Empty lines have an empty shape, and so have lines of digits: these stay."""
        for key in [key for key, shape in groups if shape == b""]:
            here = min(blanks, groups[key, b""])
            groups[key, b""] -= here
            blanks -= here
            self.blank += here
            reader.blank += here
            if not groups[key, b""]:
                del groups[key, b""]

    def _known(self, reader: Reader) -> dict[bytes, Shape]:
        known = self._shapes.setdefault(reader.shape_name, {})
        if len(known) >= MOST_SHAPES or self._shape_bytes > MOST_SHAPE_BYTES:
            for one in self._shapes.values():
                one.clear()
            self._shape_bytes = 0
        return known

    def _look(self, known: dict[bytes, Shape], unseen: dict[bytes, bytes], reader: Reader) -> None:
        """Take one line of each new shape apart, for all that have it."""
        requests: dict[bytes, tuple[bytes, int]] = {}
        if reader.format.name == "access":
            requests = {shape: asked for shape, line in unseen.items() if (asked := request_of(line)) is not None}
        entries = {shape: entry_of(reader.format, line) for shape, line in unseen.items() if shape not in requests}
        active = self._likely(b"\n".join([entry.message for entry in entries.values()]))
        for shape, line in unseen.items():
            if (asked := requests.get(shape)) is not None:
                level = ERROR if asked[1] >= 500 else INFO
                info = Shape(self.miner.request(asked[0], str(asked[1]), level), level, JOIN_NO, (), (), None)
            else:
                message, level, joined, _ = entries[shape]
                patterns = found_in(message, active) if active else ()
                exception = EXCEPTION.search(message) if b"rror" in message or b"xcep" in message else None
                template = None
                if joined != JOIN_YES and (message.strip() or line.strip()):
                    template = self.miner.template(message, level)
                detail = tuple([one for one in patterns if one.detail])
                error = exception[1][:200] if exception else None
                info = Shape(template, level, joined, patterns, detail, error, counts(message, shape))
            known[shape] = info
            self._shape_bytes += len(shape)

    def _likely(self, messages: bytes) -> tuple[Pattern, ...]:
        """The patterns that one of these messages can have."""
        return tuple([one for one in self.patterns if any(text in messages for text in NEEDLES[one.check])])

    def _found(self, info: Shape, count: int, first: Where, last: Where) -> None:
        if info.exception is not None:
            self.exceptions.add(info.exception, count)
        for one in info.patterns:
            hits = self.hits.get(one.check)
            if hits is None:
                hits = self.hits[one.check] = Hits()
            hits.add(count, first, last)

    def _after(
        self, lines: list[bytes], keys: list[bytes], shapes: list[bytes], infos: dict[bytes, Shape], reader: Reader
    ) -> dict[tuple[bytes, bytes], int]:
        """Of lines that may go on with the one before them: how many do."""
        maybe = {shape for shape, info in infos.items() if info.joined == JOIN_AFTER}
        found: Counter[tuple[bytes, bytes]] = Counter()
        size, plain = len(lines), reader.format.name == "plain"
        before: dict[int, bool] = {-1: reader.ends_joined}
        if maybe:
            for at in [at for at, shape in enumerate(shapes) if shape in maybe]:
                ahead = before.get(at - 1)
                if ahead is None:
                    ahead = infos[shapes[at - 1]].joined == JOIN_YES
                follows = not plain and at + 1 < size and lines[at + 1][:4] in (b"\tat ", b"    ")
                before[at] = ahead or follows
                found[keys[at], shapes[at]] += before[at]
        last = before.get(size - 1)
        reader.ends_joined = infos[shapes[-1]].joined == JOIN_YES if last is None else last
        return found

    def _details(
        self,
        lines: list[bytes],
        keys: list[bytes],
        shapes: list[bytes],
        infos: dict[bytes, Shape],
        reader: Reader,
        number: Callable[[int], int],
    ) -> None:
        detailed = {shape: info.detail for shape, info in infos.items() if info.detail}
        if not detailed:
            return
        for at, shape in enumerate(shapes):
            if shape in detailed:
                where = Where(lines[at][:EXAMPLE], reader.number, number(at), reader.moment(keys[at])[0])
                for one in detailed[shape]:
                    self.logins.line(one.check, where)
