"""What a report says, in the order in which somebody on call needs it; how it looks is for its two forms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from pipe_agents.findings import RANK, Finding
from pipe_agents.merging.gather import Given
from pipe_agents.merging.texts import quantity, words

MOST_ROWS: Final = 40
"""Measured values of one result that a report shows."""
MOST_FINDINGS: Final = 200
"""Findings that a report shows with their evidence."""
_INSIDE: Final = 4
"""How deep measurements are shown."""

SAYS: Final[Mapping[str, str]] = {
    "critical": "broken now, or about to be",
    "high": "see to it tonight",
    "medium": "see to it in the morning",
    "low": "see to it some time",
    "info": "worth knowing",
}
"""What each severity asks of who reads it."""


class Report(NamedTuple):
    """All that the two forms show."""

    title: str
    output: dict[str, Any]
    given: Sequence[Given]
    root: str = ""

    @property
    def wrong(self) -> list[Finding]:
        return [one for one in self._measured if one["severity"] != "info"][:MOST_FINDINGS]

    @property
    def notes(self) -> list[Finding]:
        return [one for one in self._measured if one["severity"] == "info"][:MOST_FINDINGS]

    @property
    def _measured(self) -> list[Finding]:
        return [one for one in self.output["findings"] if one["status"] != "unavailable"]

    @property
    def not_shown(self) -> int:
        return len(self._measured) - len(self.wrong) - len(self.notes)

    @property
    def numbers(self) -> dict[str, int]:
        """Number of each finding that is shown, by id: by these the parts of a report refer to each other."""
        return {one["id"]: place for place, one in enumerate([*self.wrong, *self.notes], 1)}

    @property
    def headline(self) -> str:
        """The whole in a few words."""
        counts = self.output["counts"]
        told = [f"{counts[name]} {name}" for name in RANK if name != "info" and counts[name]]
        blind = len(self.output["blind_spots"])
        unseen = f"{blind} {'thing' if blind == 1 else 'things'} could not be looked at" if blind else ""
        if not told:
            return f"Nothing wrong was found{f', but {unseen}' if unseen else ''}"
        return f"{', '.join(told)}{f'; {unseen}' if unseen else ''}"

    @property
    def when(self) -> str:
        """When it was measured, and how long that took."""
        at = self.output["measured_at"]
        return f"{at[:10]} {at[11:19]} UTC"

    @property
    def explanation(self) -> dict[str, Any] | None:
        found = self.output.get("explanation")
        return found if isinstance(found, dict) else None


def place_of(one: Mapping[str, Any], root: str = "") -> str:
    """What a finding is about, for people: of one that is about all lines of logs the file where there are some, by its
    path from the root if it lies there."""
    subject, file = one["subject"], one["evidence"].get("file")
    if subject in ("all", "") and isinstance(file, str) and file:
        subject = file
    elif not one["check"].startswith("logs."):
        return str(subject or one["check"])
    return str(subject).replace(f"{root.rstrip('/')}/", "") if root else str(subject)


def example(one: Finding) -> str | None:
    """A line that was found, where there is one."""
    found = one["evidence"].get("example")
    return found if isinstance(found, str) and found else None


def apart(one: Mapping[str, Any]) -> str:
    """How far apart the findings of a correlation are."""
    minutes = one["minutes_apart"]
    return f", within {minutes:.0f} minutes" if minutes is not None and minutes >= 2 else ""


def evidence(one: Finding) -> Iterator[tuple[str, str]]:
    """Names and values of what was measured, for people."""
    for name, value in one["evidence"].items():
        if value is not None:
            yield words(name), quantity(name, value)


def blind_spots(report: Report) -> Iterator[tuple[str, str, list[str]]]:
    """Reason, what it would take, and what could not be looked at: the same reason once."""
    groups: dict[tuple[str, str], list[str]] = {}
    for one in report.output["blind_spots"]:
        groups.setdefault((one["why"], one["needs"] or ""), []).append(one["what"])
    yield from ((why, needs, what) for (why, needs), what in groups.items())


def measurements(given: Given) -> tuple[list[tuple[str, str]], int]:
    """The plain values of a result, by their way (`memory, used`), up to a bound; and how many there are beyond it.
    Where there are too many, each part has its share."""
    parts: dict[str, list[tuple[tuple[str, ...], Any]]] = {}
    count = 0
    for way, value in _leaves(given.measurements, (), 0):
        count += 1
        part = parts.setdefault(way[0] if way else "", [])
        if len(part) < MOST_ROWS:
            part.append((way, value))
    left, shares = MOST_ROWS, dict.fromkeys(parts, 0)
    for waiting, (name, part) in enumerate(sorted(parts.items(), key=lambda one: len(one[1]))):
        shares[name] = min(len(part), left // (len(parts) - waiting))
        left -= shares[name]
    kept = [one for name, part in parts.items() for one in part[: shares[name]]]
    rows = [
        (", ".join([*way[:-1], words(way[-1] if way else "")]), quantity(way[-1] if way else "", value))
        for way, value in kept
    ]
    return rows, count - len(rows)


def _leaves(value: Any, way: tuple[str, ...], depth: int) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(value, Mapping) and depth < _INSIDE:
        for name, item in value.items():
            yield from _leaves(item, (*way, str(name)), depth + 1)
    elif isinstance(value, list) and value and isinstance(value[0], Mapping) and depth < _INSIDE:
        for item in value:
            named = next((str(item[key]) for key in _NAMES if isinstance(item, Mapping) and key in item), None)
            if named is not None:
                rest = {key: inner for key, inner in item.items() if key not in _NAMES}
                yield from _leaves(rest, (*way, named), depth + 1)
    elif value is not None and not isinstance(value, Mapping | list):
        yield way, value
    elif value:
        yield way, value if len(value) <= 8 and isinstance(value, list) else f"{len(value)} values"


_NAMES: Final = ("name", "path", "mount", "mountpoint", "device", "host", "url", "unit", "id", "resolver")
"""By which an entry of a list is called."""
