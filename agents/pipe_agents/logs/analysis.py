"""One attempt's work: reads all sources, in a thread, and gives what was counted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from datetime import tzinfo
from functools import partial
from typing import Any, Final, NamedTuple

from pipe_agents.logs.files import Reader, Window
from pipe_agents.logs.journal import Journal, lines_of
from pipe_agents.logs.mining import Hide, as_it_is
from pipe_agents.logs.newest import Times, newest
from pipe_agents.logs.pacing import Pace
from pipe_agents.logs.reading import Pieces, Readable, Unreadable, UpTo, looks_binary, opened
from pipe_agents.logs.sources import File, Unread, find, rotation, unpacked
from pipe_agents.logs.tally import Tally
from pipe_agents.logs.times import iso
from pipe_agents.logs.words import many, shown

GROUPS: Final = ("levels", "templates", "rates", "gaps", "security", "kernel", "services", "http", "baseline")
"""What `checks` may name."""
LONGER: Final = "a longer `timeout` of the node"
SAMPLE: Final = 1 << 19
"""Bytes by which it is found out how fast a file can be read."""
TELL_EVERY: Final = 5.0
TELL_FILES: Final = 20


class Asked(NamedTuple):
    """The options, made ready."""

    paths: tuple[str, ...]
    base: str
    text: str | None
    format: str
    zone: tzinfo
    zone_name: str
    window: Window
    max_bytes: int
    max_templates: int
    checks: frozenset[str]
    failures_before_success: int
    now: float
    deadline: float | None
    """Until when there is time to read, by the monotonic clock."""
    hide: Hide


class Read(NamedTuple):
    """What came of it."""

    tally: Tally
    readers: list[Reader]
    unread: list[Unread]
    empty_globs: list[str]


class Tell:
    """Says how far it is: a line for each of the first files, and one every few seconds."""

    def __init__(self, say: Callable[[str], None], now: Callable[[], float]) -> None:
        self._say, self._now = say, now
        self._last = now()
        self._files = 0

    def during(self, reader: Reader, pieces: Pieces) -> None:
        if self._now() - self._last >= TELL_EVERY:
            self._last = self._now()
            self._say(f"{shown(reader.path, 200)}: {pieces.bytes / 1e6:,.0f} MB, {many(reader.lines, 'line')} so far")

    def after(self, reader: Reader) -> None:
        self._files += 1
        if self._files <= TELL_FILES:
            self._last = self._now()
            self._say(f"{shown(reader.path, 200)}: {many(reader.lines, 'line')}, format {reader.format.name}")


def analyse(asked: Asked, say: Callable[[str], None], now: Callable[[], float], journal: Journal | None = None) -> Read:
    """Read everything. Raises NodeFault for a path that is named exactly and isn't there, if nothing else is."""
    there = journal is not None and journal.path is not None and not journal.why
    tally = Tally(asked.checks, asked.max_templates, asked.failures_before_success, asked.hide)
    found = find(asked.paths, asked.base, asked.text is not None or there)
    read = Read(tally, [], list(found.unread), found.empty)
    planned = [min(unpacked(file), asked.max_bytes) for file in found.files]
    size = min(journal.size, asked.max_bytes) if journal is not None and there else 0
    pace = Pace(now, asked.deadline, sum(planned) + size)
    tell = Tell(say, now)
    for file, bytes_planned in zip(found.files, planned, strict=True):
        most = pace.most(bytes_planned, partial(speed_of, asked, file, now))
        if most == 0:
            read.unread.append(Unread(file.path, "there was no time left to read it", LONGER))
            continue
        try:
            stream, compressed = opened(file)
        except Unreadable as error:
            read.unread.append(Unread(file.path, error.why, error.needs))
            continue
        with closing(stream):
            _read(asked, file, stream, compressed, read, tell, pace, most)
    if asked.text is not None:
        _text(asked, asked.text, tally, read.readers, tell)
    if journal is not None and there:
        _journal(asked, journal, read, tell, pace, now)
    for reader in read.readers:
        if reader.window != Window(None, None) and not reader.timed and reader.lines:
            why = "its lines have no times that could be read, so since and until leave none of them out"
            read.unread.append(Unread(reader.path, why, "a format with times; name it with `format`"))
    return read


def _read(
    asked: Asked, file: File, stream: Readable, compressed: str, read: Read, tell: Tell, pace: Pace, most: int | None
) -> None:
    """One file; `most`: how many bytes of it there is time for."""
    limit = asked.max_bytes if most is None else most
    needs = "a larger `max_bytes`" if most is None else LONGER
    tally, unread = read.tally, read.unread
    reader = Reader(file.path, len(read.readers), rotation(file.path)[0], asked.window)
    reader.compressed = compressed
    fed, stopped = 0, False
    if isinstance(stream, UpTo) and stream.size > limit:
        _skip(asked, file, stream, reader, limit)
    pieces = Pieces(stream, limit)
    for piece in pieces:
        if fed and pace.over:
            stopped = True
            break
        if not fed:
            if looks_binary(piece[:8192], pieces.holes):
                unread.append(Unread(file.path, "it is no text", "a file of lines"))
                return
            reader.begin(piece, asked.format, asked.zone, asked.now, file.modified)
        fed += len(piece) + 1
        tally.feed(piece, reader)
        tell.during(reader, pieces)
    if not fed and pieces.holes:
        unread.append(Unread(file.path, "it is no text", "a file of lines"))
        return
    tally.flush(reader)
    reader.bytes, reader.cut_lines = fed if stopped else pieces.bytes, pieces.cut_lines
    if pieces.damaged is not None or pieces.beyond or stopped:
        reader.cut_after, reader.skipped_after = True, None
    if stopped:
        unread.append(Unread(file.path, f"there was no time left to read it beyond {fed:,} bytes", LONGER))
    if pieces.damaged is not None:
        why = f"it is damaged after {pieces.bytes:,} bytes ({shown(pieces.damaged, 100)}); what came before is counted"
        unread.append(Unread(file.path, why, "an undamaged copy"))
    if pieces.beyond:
        unread.append(Unread(file.path, f"only its first {limit:,} bytes were read", needs))
    if reader.cut_before:
        unread.append(Unread(file.path, _cut(reader), f"{needs}, or a later `since`"))
    read.readers.append(reader)
    tell.after(reader)


def speed_of(asked: Asked, file: File, now: Callable[[], float]) -> float:
    """Bytes of the file that can be read in a second: what a sample of it takes."""
    try:
        stream, _ = opened(file)
    except Unreadable:
        return float("inf")
    with closing(stream):
        if isinstance(stream, UpTo):
            stream.part(max(stream.size - SAMPLE, 0), stream.size)
        return _speed(asked, Pieces(stream, SAMPLE), file.modified, now)


def _speed(asked: Asked, pieces: Iterable[bytes], modified: float, now: Callable[[], float]) -> float:
    reader = Reader("", 0, "", Window(None, None))
    tally = Tally(asked.checks, asked.max_templates, asked.failures_before_success, asked.hide)
    began, size = now(), 0
    for piece in pieces:
        if not size:
            reader.begin(piece, asked.format, asked.zone, asked.now, modified)
        size += len(piece) + 1
        tally.feed(piece, reader)
    tally.flush(reader)
    taken = now() - began
    return size / taken if taken > 0 and size else float("inf")


def _journal(asked: Asked, journal: Journal, read: Read, tell: Tell, pace: Pace, now: Callable[[], float]) -> None:
    path = journal.path or ""
    most = pace.most(journal.size, lambda: _speed(asked, lines_of(path, SAMPLE), asked.now, now))
    if most == 0:
        read.unread.append(Unread("journal", "there was no time left to read it", LONGER))
        return
    reader = Reader("journal", len(read.readers), "journal", Window(None, None))
    reader.cut_before = journal.cut or most is not None
    for piece in lines_of(path, most):
        if not reader.lines:
            reader.begin(piece, "syslog_iso", asked.zone, asked.now, asked.now)
            read.readers.append(reader)
        reader.bytes += len(piece) + 1
        read.tally.feed(piece, reader)
        if pace.over:
            reader.cut_after, reader.skipped_after = True, None
            break
    read.tally.flush(reader)
    if not reader.lines:
        return
    tell.after(reader)
    if reader.cut_after:
        read.unread.append(Unread("journal", "there was no time left to read it to its end", LONGER))
    elif reader.cut_before:
        needs = "a larger `max_bytes`" if most is None else LONGER
        read.unread.append(Unread("journal", _cut(reader), f"{needs}, or a later `since`"))


def _skip(asked: Asked, file: File, stream: UpTo, reader: Reader, most: int) -> None:
    """Of a file that is too large leave out the oldest part, or what lies outside of the window."""
    times = Times(stream.raw, stream.size, asked.format, asked.zone, asked.now, file.modified)
    part = newest(times, stream.size, most, asked.window)
    reader.skipped_before = stream.part(part.start, part.end)
    reader.skipped_after = stream.size - part.end
    reader.cut_before = part.cut


def _cut(reader: Reader) -> str:
    span = reader.series.span()
    since = f", which go back to {iso(span[0] + reader.series.width)}" if span else ""
    rest = f", and not the {reader.skipped_before:,} bytes before" if reader.skipped_before else ""
    return f"only its newest {reader.bytes:,} bytes were read{since}{rest}"


def _text(asked: Asked, text: str, tally: Tally, readers: list[Reader], tell: Tell) -> None:
    data = text.encode("utf-8", "surrogatepass")
    reader = Reader("text", len(readers), "text", asked.window)
    reader.bytes = len(data)
    if data.endswith(b"\n"):
        data = data[:-1]
    if data:
        reader.begin(data[: 1 << 17], asked.format, asked.zone, asked.now, asked.now)
        at = 0
        while at < len(data):
            end = data.find(b"\n", min(at + (1 << 20), len(data)))
            end = len(data) if end < 0 else end
            tally.feed(data[at:end], reader)
            at = end + 1
        tally.flush(reader)
    readers.append(reader)
    tell.after(reader)


def options_of(
    options: Mapping[str, Any], base: str, now: float, deadline: float | None = None, hide: Hide = as_it_is
) -> Asked:
    """Options as the node has them; raises ValueError with a sentence."""
    from pipe_agents.logs.times import moment, zone_of

    name = options.get("timezone", "local")
    zone = zone_of(name)
    since, until = (
        moment(given, now, zone) if (given := options.get(word)) is not None else None for word in ("since", "until")
    )
    if since is not None and until is not None and since >= until:
        raise ValueError("`since` isn't before `until`, so there is no time between them")
    paths = options.get("paths", [])
    text = options.get("text")
    return Asked(
        paths=(paths,) if isinstance(paths, str) else tuple(paths),
        base=base,
        text="\n".join(text) if isinstance(text, list) else text,
        format=options.get("format", "auto"),
        zone=zone,
        zone_name=name,
        window=Window(since, until),
        max_bytes=size_of(options.get("max_bytes", 2 * 2**30)),
        max_templates=options.get("max_templates", 1000),
        checks=frozenset(options.get("checks") or GROUPS),
        failures_before_success=(options.get("thresholds") or {}).get("failures_before_login", 5),
        now=now,
        deadline=deadline,
        hide=hide,
    )


def size_of(given: int | str) -> int:
    from pipe_schemas.durations import parse_size

    return parse_size(given) if isinstance(given, str) else given
