"""How a run is told once it has ended: what failed, why, what it printed last, what to do next, and one last line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from pipe_runner.console.words import counts, error_line, inked, plural, safe, seconds, used
from pipe_runner.run import NodeState, Run
from pipe_runner.types import NodeStatus, RunStatus

_KEY: Final = re.compile(r"\[.*?\](?=\.)", re.DOTALL)
"""Of the item of a repeated node in which a node is."""
_SHOWN: Final = 10
"""Failed nodes that are told with all that is known; the others get a line each, up to `_NAMED`."""
_NAMED: Final = 50
_ITEMS: Final = 3
_LINES: Final = 10
_WIDEST: Final = 400
Error: TypeAlias = Mapping[str, Any] | None


def ending(
    run: Run,
    *,
    places: Mapping[str, str],
    tails: Mapping[str, str],
    go_on: str | None,
    where: str = "",
    colour: bool = False,
) -> str:
    """The paragraph after a run that did not succeed; empty for one that did.

    `places` gives file and line of each node, `tails` the end of what nodes printed, `go_on` the command to go on with;
    `where` is what commands need to find the run, if anything.
    """
    if run.status is RunStatus.SUCCEEDED:
        return ""
    lines: list[str] = []
    red = _ink("31;1", colour)
    failed = run.failures
    for node in failed[:_SHOWN]:
        items = run.failed_items(node)
        error = _without_first(run.nodes[node].error, items)
        place = places.get(_KEY.sub("", node), "")
        lines += _failed_node(node, run.nodes[node], error, place, tails.get(node, ""), red)
        lines += _failed_items(run.id, items, tails, where)
    if len(failed) > _SHOWN:
        lines += ["", f"of the others without what they printed, which `pipe logs {run.id} NODE{where}` shows:"]
    for node in failed[_SHOWN:_NAMED]:
        state = run.nodes[node]
        lines += _failed_node(node, state, state.error, places.get(_KEY.sub("", node), ""), None, red)
    if len(failed) > _NAMED:
        lines.append(f"… and {len(failed) - _NAMED} more failed, which `pipe show {run.id}{where}` names")
    if run.error is not None:
        lines.append(f"{red('the run')} failed: {error_line(run.error)}")
    from pipe_runner.console.questions import questions

    asked = questions(run, where)
    if asked:
        lines += ["", *asked]
    if lines:
        lines.append("")
    if go_on is not None:
        lines.append(f"go on with: {go_on}" if not asked else f"then go on with: {go_on}")
    return "".join(line + "\n" for line in lines)


def _failed_node(node: str, state: NodeState, error: Error, place: str, tail: str | None, red: Any) -> list[str]:
    """Where it stands, its error, and its last lines, unless `tail` is None."""
    where = f"{safe(place)}: " if place else ""
    tries = f" after {state.attempts} attempts" if state.attempts > 1 else ""
    told = f"{where}{red(node)} failed{tries}: {error_line(error)}"
    if tail is None:
        return [told]
    lines = ["", told]
    lines += [f"    | {line}" for line in last_lines(state, tail)]
    return lines


def _without_first(error: Error, items: Mapping[str, NodeState]) -> Error:
    """The error of a repeated node, but for that of its first item at its end: the items are told below it."""
    first = next(iter(items.values()), None)
    if first is None or not first.error or not error:
        return error
    return {**error, "message": str(error.get("message", "")).removesuffix(f": {first.error.get('message')}")}


def _failed_items(run: str, items: Mapping[str, NodeState], tails: Mapping[str, str], where: str) -> list[str]:
    """Of a repeated node: what the first items that failed printed last."""
    lines: list[str] = []
    for item, state in list(items.items())[:_ITEMS]:
        lines.append(f"    {safe(item)}: {error_line(state.error)}")
        lines += [f"    | {line}" for line in last_lines(state, tails.get(item, ""))]
    if len(items) > _ITEMS:
        lines.append(f"    … and {len(items) - _ITEMS} more items, which `pipe show {run}{where}` names")
    return lines


def last_lines(state: NodeState, tail: str) -> list[str]:
    """The last lines that a failed node printed, safe to print: from what came by, else from what was recorded."""
    text = tail.strip("\n")
    if not text.strip():
        printed = state.output[-4096:].strip("\n") if isinstance(state.output, str) else ""
        error = str((state.error or {}).get("tail") or "").strip("\n")
        said = error.split("\n")[-_LINES // 2 if printed else -_LINES :] if error else []
        text = "\n".join([*printed.split("\n")[len(said) - _LINES :], *said] if printed else said)
    lines = text.split("\n")[-_LINES:] if text.strip() else []
    return [safe(line[:_WIDEST]) + ("…" if len(line) > _WIDEST else "") for line in lines]


def last_line(run: Run, *, colour: bool = False) -> str:
    """`run ID succeeded in 1.23s: 12 succeeded`; the last line on stderr."""
    styles = {RunStatus.SUCCEEDED: "32;1", RunStatus.FAILED: "31;1"}
    ink = _ink(styles.get(run.status, "33;1"), colour)
    status = str(run.status) if run.status.final or run.status is RunStatus.WAITING else "interrupted"
    took = f" in {seconds(run.duration_s)}" if run.duration_s is not None else ""
    told = counts(str(state.status) for state in run.nodes.values())
    tolerated = sum(1 for node in run.nodes if _is_tolerated(run, node))
    if tolerated:
        told += f" ({plural(tolerated, 'failure')} tolerated)"
    return f"run {run.id} {ink(status)}{took}" + (f": {told}" if told else "") + usage(run) + "\n"


def _is_tolerated(run: Run, node: str) -> bool:
    """Whether it failed and nothing comes of that: the file says so, or what runs it has ended well all the same."""
    state = run.nodes[node]
    if state.status is not NodeStatus.FAILED:
        return False
    if state.tolerated or "." not in node:
        return state.tolerated
    outer = run.nodes.get(node.partition(".")[0].partition("[")[0]) or NodeState()
    return outer.status is NodeStatus.SUCCEEDED or (outer.status is NodeStatus.FAILED and outer.tolerated)


def usage(run: Run) -> str:
    """Tokens and cost of the nodes that used a model, if any did; without calls in the log, as agents say it."""
    if run.ledger is not None:
        return f"; {used(run.ledger.total)}"
    tokens, cost, unknown, found = 0, 0.0, False, False
    for state in run.nodes.values():
        if not state.usage:
            continue
        found = True
        tokens += sum(int(state.usage.get(key) or 0) for key in ("input_tokens", "output_tokens"))
        price = state.usage.get("cost")
        if isinstance(price, (int, float)):
            cost += price
        else:
            unknown = True
    if not found:
        return ""
    return f"; {tokens} tokens, " + (f"${cost:.4f}" if not unknown else f"at least ${cost:.4f} (a price is unknown)")


def _ink(style: str, colour: bool) -> Any:
    return lambda text: inked(text, style, colour)
