"""A repeated node while it runs: its items, which of them may start next, and what their ends mean for it.

Pure bookkeeping: no clock, no loop, no event. The scheduler asks it what to do and tells it what became of that.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any, Final, NamedTuple

from pipe_runner.deciding import is_refused
from pipe_runner.errors import ExpressionFault
from pipe_runner.expressions import Compiled, value_to_text
from pipe_runner.expressions.values import describe
from pipe_runner.plan import FanOut, PlannedNode
from pipe_runner.ports import NodeError
from pipe_runner.run import NodeState
from pipe_runner.text import unfit_key
from pipe_runner.types import ENDED_WELL, ErrorKind, Json, NodeStatus
from pipe_schemas.encoding import canonical_json

_NAMED: Final = 5
_tuple: Any = tuple.__new__


class Item(NamedTuple):
    """One item of a list: what it is known by, and what its templates may read."""

    key: str
    names: Mapping[str, Json]
    digest: str
    """Of its value, and its place where that is read: an item of the same key with another one is another item."""


def make_items(
    fan_out: FanOut, names: Mapping[str, Json], render: Callable[[Any, Mapping[str, Json]], Json]
) -> list[Item]:
    """The items, in order; raises ExpressionFault for what is no list, and a key that can't be one or stands twice."""
    values = render(fan_out.items, names)
    if not isinstance(values, list):
        raise ExpressionFault(f"for_each: the items are {describe(values)}, not a list")
    what, where = ("matrix", "matrix") if fan_out.matrix else ("item", "for_each")
    items: list[Item] = []
    seen: dict[str, int] = {}
    for index, value in enumerate(values):
        own: dict[str, Json] = {what: value, "index": index}
        if fan_out.matrix and isinstance(value, dict):
            key = ",".join(value_to_text(part) for part in value.values())
        elif fan_out.key.data is not None:
            key = value_to_text(render(fan_out.key, {**names, **own}))
        else:
            key = str(index)
        if key in seen:
            raise ExpressionFault(f"{where}: the items {seen[key]} and {index} have the same key, {_shown(key)}")
        why = unfit_key(key) if key or fan_out.matrix else "can't be a key: it is empty"
        if why is not None:
            raise ExpressionFault(f"{where}: {_shown(key)} of item {index} {why}")
        seen[key] = index
        told = str(value) if type(value) is int else canonical_json(value)
        if fan_out.index_read:
            told = f"[{told},{index}]"
        items.append(_tuple(Item, (key, own, sha256(told.encode()).hexdigest()[:16])))
    return items


class Fan:
    """The items of one node. `open` counts those without a final event, `active` those that hold one of its slots."""

    def __init__(self, node: PlannedNode, number: int, began: float, items: list[Item], limit: int) -> None:
        assert node.fan_out is not None
        self.node, self.number, self.began, self.items = node, number, began, items
        self.fan_out: FanOut = node.fan_out
        self.ids = [f"{node.id}[{item.key}]" for item in items]
        self.limit = min(limit, self.fan_out.max_parallel or limit)
        _, _, *self.same = node._replace(continue_on_error=False, fan_out=None, when=None)
        """What the plan of each item says but for its id and its index."""
        self.names: dict[str, Json] = {}
        """What the templates of all items may read, made once."""
        self.condition: Compiled | None = None
        self.todo: deque[int] = deque()
        """Items that were never started here, by number."""
        self.again: deque[int] = deque()
        """Units whose wait for another attempt is over."""
        self.resting: set[int] = set()
        """Units that wait for another attempt."""
        self.held: set[int] = set()
        """Units on which a person decides first."""
        self.asked: list[int] = []
        """Items that an earlier attempt of the run has asked a person about, by number."""
        self.broken = False
        """An item has failed, and with `fail_fast` no further one starts."""
        self.active = 0
        self.late = False
        """Its `max_time` was over before all its items had started."""
        self.releasing = False
        self.closed = False
        """Its last event is written, or being written."""

    def begin(self, state: Callable[[str], NodeState | None]) -> None:
        """Take what an earlier attempt of the run has done already, as far as the items are the same.

        What a person was asked is not asked again, and a refusal stands."""
        refused = False
        for number, item in enumerate(self.items):
            known = state(self.ids[number])
            if known is None or known.item != item.digest:
                self.todo.append(number)
            elif known.status is NodeStatus.WAITING and known.pipeline is None:
                self.asked.append(number)
            elif is_refused(known):
                refused = True
            elif known.status not in ENDED_WELL:
                self.todo.append(number)
        if refused and self.fan_out.fail_fast:
            self.todo.clear()

    @property
    def may_release(self) -> bool:
        return bool(self.todo or self.again) and self.active < self.limit

    @property
    def done(self) -> bool:
        """Nothing of it runs, waits or may start."""
        return not (self.active or self.todo or self.again or self.resting or self.held)

    @property
    def waits(self) -> bool:
        """Nothing is left of it but what a person decides."""
        return bool(self.held) and not (self.active or self.todo or self.again or self.resting)


class Verdict(NamedTuple):
    """How a repeated node ended. `error` says why it failed; `status` may be skipped where all items were."""

    status: NodeStatus
    error: NodeError | None = None


def verdict(fan: Fan, state: Callable[[str], NodeState | None]) -> Verdict:
    """What the ends of its items mean for the node."""
    counts = {NodeStatus.SUCCEEDED: 0, NodeStatus.SKIPPED: 0, NodeStatus.FAILED: 0}
    failed: list[str] = []
    first: Mapping[str, Any] | None = None
    for unit in fan.ids:
        known = state(unit)
        status = known.status if known is not None else NodeStatus.CANCELLED
        counts[status] = counts.get(status, 0) + 1
        if known is not None and status is NodeStatus.FAILED:
            failed.append(unit)
            first = first or known.error
    total, succeeded = len(fan.items), sum(counts.get(status, 0) for status in ENDED_WELL)
    if total and counts[NodeStatus.SKIPPED] == total:
        return Verdict(NodeStatus.SKIPPED)
    wanted = fan.fan_out.min_success if total else None
    enough = succeeded + counts[NodeStatus.SKIPPED] == total if wanted is None else succeeded >= wanted
    if enough:
        return Verdict(NodeStatus.SUCCEEDED)
    named = ", ".join(failed[:_NAMED]) + (f" and {len(failed) - _NAMED} more" if len(failed) > _NAMED else "")
    message = f"{len(failed)} of {total} items failed"
    if wanted is not None:
        message = f"{succeeded} of {total} items succeeded, and {wanted} had to; {len(failed)} failed"
    message += f": {named}" if named else ""
    kind = str((first or {}).get("kind") or ErrorKind.EXCEPTION)
    if fan.late:
        kind = ErrorKind.TIMEOUT
        message += f"; its max_time of {fan.node.max_time:g} s was over before all had started"
    elif first and first.get("message"):
        message += f": {first['message']}"
    return Verdict(NodeStatus.FAILED, NodeError(ErrorKind(kind), message[:4096]))


def results(
    fan: Fan, state: Callable[[str], NodeState | None], output: Callable[[NodeState], Json], limit: int
) -> list[Json] | None:
    """The result of every item, in order: `{key, status, output, error}`; None when they are larger than `limit`."""
    found: list[Json] = []
    size = 0
    for unit, item in zip(fan.ids, fan.items, strict=True):
        known = state(unit) or NodeState(NodeStatus.CANCELLED)
        if known.output_ref is not None:
            size += int(known.output_ref["bytes"])
        else:
            size += _size(known.output)
        if size > limit:
            return None
        value = output(known)
        error: Json = None
        if known.error is not None:
            error = dict(known.error)
        found.append({"key": item.key, "status": str(known.status), "output": value, "error": error})
    return found


def _size(output: Json) -> int:
    """Bytes of an output, as large as it is written."""
    if output is None or isinstance(output, (bool, int, float)):
        return 0 if output is None else 8
    text = output if isinstance(output, str) else json.dumps(output, ensure_ascii=False, separators=(",", ":"))
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def _shown(key: str) -> str:
    return repr(key[:60]) if len(key) <= 60 else repr(key[:60]) + "…"
