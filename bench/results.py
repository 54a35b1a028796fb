"""Writes the table as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.rows import Row

HEAD = """# Speed

Written by `python -m bench`; every ratio is of two figures of this one run, which took turns on the same machine
(medians). "At most" is the bound that the project holds itself to. Bounds for nodes are told in nodes of a bare loop
in Python with a plain log (`bench/bare.py`), since machines differ: 4 of these are 40 µs where one takes 10.
"""


def _number(value: float, unit: str) -> str:
    return f"{value:.2f} ×" if unit == "×" else f"{value:.0f} {unit}" if value >= 100 else f"{value:.1f} {unit}"


def _bound(value: float | None, row: Row) -> str:
    if value is None:
        return row.goal_text
    return f"{value:g} {row.unit}"


WHERE = """## Where the time goes

Shares of the runner's own process under cProfile, by the part that spends them; what is written in C counts for its
caller. Beside the runner stand its wardens, which start commands, and the commands. Waiting is for them.
"""


COMMANDS = """## Why commands take longer than with ninja

ninja starts a command and takes its end. So does the loop in Python, in about the same time. Here two more have a
part in each command: the runner decides and writes events, a warden starts the command, reads what it prints, and knows
what it leaves behind, so that nothing outlives a runner that is killed. The CPU figures above say what that takes.

How much a short command takes by itself is a matter of the machine: where a hypervisor answers each `cpuid`, the
dynamic loader spends more on its questions about caches than on all else (`perf record -a`, by symbol).
"""


def render(
    rows: Sequence[Row],
    facts: Mapping[str, str],
    missing: Mapping[str, str],
    failed: Mapping[str, str],
    where: Sequence[str],
) -> str:
    lines = [HEAD, " · ".join(f"{k}: {v}" for k, v in facts.items()), ""]
    lines += ["| work | ours | result | at most | goal | |", "|---|---|---|---|---|---|"]
    for row in rows:
        value = _number(row.value, row.unit) + (f" {row.against}" if row.against else "")
        sign = "at least " if row.more_is_better else ""
        verdict = "holds" if row.holds else "**misses**"
        cells = [row.work, row.ours, value, sign + _bound(row.at_most, row), _bound(row.goal, row), verdict]
        lines.append("| " + " | ".join(cells) + " |")
    lines += ["", "## Beside it", "", "| work | compared with | its figure | ours ÷ its |", "|---|---|---|---|"]
    for row in rows:
        for other in row.beside:
            ratio = "" if other.ratio is None else f"{other.ratio:.2f}"
            lines.append(f"| {row.work} | {other.name} | {other.text} | {ratio} |")
    if any(row.against.startswith("ninja") for row in rows):
        lines += ["", COMMANDS.rstrip()]
    if where:
        lines += ["", WHERE, *where]
    if missing:
        lines += ["", "## Not measured", ""]
        lines += [f"- {name}: {reason}" for name, reason in missing.items()]
    if failed:
        lines += ["", "## Rows without a figure", ""]
        lines += [f"- {name}: {reason}" for name, reason in failed.items()]
    return "\n".join(lines) + "\n"
