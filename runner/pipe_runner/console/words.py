"""Phrases that everything which tells of a run shares: times, counts, one line for an error."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from pipe_runner.text import ci_safe, dollars, printable
from pipe_runner.types import NodeStatus

if TYPE_CHECKING:
    from pipe_runner.spent import Spent

REASONS: Final = 20
"""Nodes whose reason to run again is told without being asked for."""
_ORDER: Final = tuple(
    NodeStatus(name)
    for name in (
        "succeeded",
        "cached",
        "failed",
        "blocked",
        "skipped",
        "cancelled",
        "unknown",
        "waiting",
        "running",
        "queued",
        "pending",
    )
)
_LONGEST: Final = 300


def seconds(value: float | None) -> str:
    """A time for people: `0.12s`, `12.3s`, `2m05s`, `1h02m`; `-` for none."""
    if value is None:
        return "-"
    if value < 9.995:
        return f"{value:.2f}s"
    if value < 59.95:
        return f"{value:.1f}s"
    minutes, rest = divmod(round(value), 60)
    if minutes < 60:
        return f"{minutes}m{rest:02d}s"
    return f"{minutes // 60}h{minutes % 60:02d}m"


def moment(ts: str) -> str:
    """A log's time for people: `2026-11-28 16:09:12 UTC`."""
    return f"{ts[:19].replace('T', ' ')} UTC"


def plural(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def used(spent: Spent) -> str:
    """What calls of models used: `1,234 tokens, $0.0312`; `up to` that where what was set aside counts."""
    calls, most = spent.calls + spent.aside, spent.bounds
    money = dollars(spent.all_cost)
    if spent.all_unpriced:
        whose = (
            "the price is" if spent.all_unpriced == calls else f"the price of {plural(spent.all_unpriced, 'call')} is"
        )
        money = f"at least {money} ({whose} not known)" if spent.all_cost else f"cost unknown ({whose} not known)"
    elif most and spent.all_cost:
        money = f"up to {money}"
    return f"{'up to ' if most else ''}{spent.all_tokens:,} tokens, {money}"


def counts(statuses: Iterable[str]) -> str:
    """`3 succeeded, 1 failed`, in a fixed order; without those of which there are none."""
    found: dict[str, int] = {}
    for status in statuses:
        found[status] = found.get(status, 0) + 1
    return tally(found)


def tally(found: Mapping[str, int]) -> str:
    return ", ".join(f"{found[status]} {status}" for status in _ORDER if found.get(status))


def inked(text: str, style: str, colour: bool) -> str:
    """The text in a style of terminals (`1` bold, `31` red, …), or as it is."""
    return f"\x1b[{style}m{text}\x1b[0m" if colour and style and text else text


def as_written(value: Any) -> str:
    """A text as it is, any other value as JSON."""
    import json

    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def safe(text: str) -> str:
    """Data as one line that is safe to print anywhere."""
    return ci_safe(printable(text, tabs=True))


def safe_lines(lines: list[str]) -> list[str]:
    """The same of many lines at once: most hold nothing to be made safe, and are looked at together."""
    text = "".join(lines)
    if text.isprintable() and "::" not in text and "##" not in text:
        return lines
    return [safe(line) for line in lines]


def one_line(text: str) -> str:
    """The first line of a message, safe to print and not endless."""
    line, _, more = text.strip().partition("\n")
    cut = len(line) > _LONGEST or bool(more.strip())
    return safe(line[:_LONGEST]) + (" …" if cut else "")


def error_line(error: Mapping[str, Any] | None) -> str:
    """What a node's error says, in one line."""
    if not error:
        return "failed"
    return one_line(str(error.get("message") or error.get("kind") or "failed"))


def reason_line(data: Mapping[str, Any]) -> str:
    """Why a node was skipped, blocked or cancelled, as its event or its state says it."""
    if data.get("when") is not None:
        values = ", ".join(f"{name} = {short(value)}" for name, value in (data.get("values") or {}).items())
        return one_line(f"when: {data['when']}" + (f" ({values})" if values else ""))
    by = ", ".join(data.get("by") or ()) + and_more(data.get("more"))
    reason = data.get("reason") or ""
    return one_line(f"{reason}: {by}" if reason and by else reason or by)


def and_more(count: Any) -> str:
    """How many others there are beside those that are named, if any."""
    return f" and {count} more" if isinstance(count, int) and count > 0 else ""


def short(value: Any) -> str:
    """A JSON value, as short as a line takes it."""
    import json

    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:59] + "…"
