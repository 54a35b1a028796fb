"""Of which time everything was read: where a file was read in part, nothing is said of the rest."""

from __future__ import annotations

from pipe_agents.logs.analysis import Read
from pipe_agents.logs.files import Reader, Window
from pipe_agents.logs.series import Series, Silence
from pipe_agents.logs.sources import rotation
from pipe_agents.logs.times import turned_back


def logs_of(readers: list[Reader]) -> dict[str, list[Reader]]:
    """Files of one log together: the rotated ones with the one that is written."""
    made: dict[str, list[Reader]] = {}
    for reader in readers:
        made.setdefault(reader.log, []).append(reader)
    return made


def series_of(readers: list[Reader]) -> Series:
    """All entries of these files."""
    made = Series(20_000)
    for reader in readers:
        for bucket, count in reader.series.counts.items():
            made.add(bucket * reader.series.width, count)
    while any(made.width < reader.series.width for reader in readers):
        made.widen()
    return made


def missing(read: Read) -> dict[str, str]:
    """Logs of which a file could not be read at all, and the newest such file of each."""
    known = {one.path for one in read.readers}
    paths = sorted((one.subject for one in read.unread if one.subject not in known), key=rotation)
    return {rotation(path)[0]: path for path in paths}


def ends(files: list[Reader], newest_missing: str | None) -> bool:
    """Whether the log's end was read."""
    last = files[-1]
    return not last.cut_after and (newest_missing is None or rotation(newest_missing) < rotation(last.path))


def inside(silence: Silence, files: list[Reader]) -> bool:
    """Whether one of the files covers the silence, so that nothing of it is missing there."""
    spans = [span for one in files if (span := one.series.span()) is not None]
    return any(begin < silence.start and silence.end < end for begin, end in spans)


def silent(files: list[Reader], start: float, end: float) -> float:
    """Seconds from `start` to `end` of which it is known that these files say nothing."""
    clocks = [one.clock for one in files if one.clock is not None and one.clock.assumed_zone]
    return end - start - max((turned_back(clock.zone, start, end) for clock in clocks), default=0.0)


def covered(readers: list[Reader]) -> Window:
    """The latest time of which all that was asked for was read; None: up to the first or the last entry."""
    since: float | None = None
    until: float | None = None
    for files in logs_of(readers).values():
        spans = [one.series.span() for one in files]
        for at, (one, span) in enumerate(zip(files, spans, strict=True)):
            if span is None:
                continue
            if one.cut_before:
                since = max(since or 0.0, span[0] + one.series.width)
            if one.cut_after:
                after = next((later[0] for later in spans[at + 1 :] if later is not None), None)
                if after is not None:
                    since = max(since or 0.0, after + one.series.width)
                else:
                    until = min(until if until is not None else span[1], span[1] - one.series.width)
    return Window(since, until)


def within(series: Series, window: Window) -> Series:
    """What lies in that time."""
    if window == Window(None, None):
        return series
    low, high = window.since or 0.0, window.until if window.until is not None else float("inf")
    made = Series(len(series.counts) + 1, series.width)
    for bucket, count in series.counts.items():
        if low <= bucket * series.width and (bucket + 1) * series.width <= high:
            made.counts[bucket] = count
    return made
