"""What a resume says before it goes on: which nodes run again, of repeated ones which items, and how many stay."""

from __future__ import annotations

from typing import Any

from pipe_runner.console.plain import reasons
from pipe_runner.ports import Event
from pipe_runner.types import EventKind

ITEMS = {"deploy": {"done": 4, "again": {"deploy[2]": "failed", "deploy[2].test": "failed"}}}


def lines(most: int = 20, **data: Any) -> list[str]:
    return reasons(Event(1, "2026-01-02T03:04:05.000006Z", "r1", EventKind.RUN_RESUMED, None, None, data), most)


def test_items_stand_behind_their_node_which_says_how_many_stay() -> None:
    assert lines(reasons={"deploy": "failed", "after": "blocked"}, items=ITEMS) == [
        "  again      deploy: failed; 4 of its items stay done",
        "  again      deploy[2]: failed",
        "  again      deploy[2].test: failed",
        "  again      after: blocked",
    ]


def test_one_item_and_none_are_told_as_such() -> None:
    assert lines(reasons={"n": "failed"}, items={"n": {"done": 1, "again": {}}}) == [
        "  again      n: failed; 1 of its items stays done"
    ]
    assert lines(reasons={"n": "failed"}, items={"n": {"done": 0, "again": {}}}) == ["  again      n: failed"]
    assert lines(reasons={"n": "changed"}) == ["  again      n: changed"]


def test_what_is_left_out_is_counted() -> None:
    assert lines(2, reasons={"deploy": "failed", "after": "blocked"}, items=ITEMS)[2:] == [
        "  … and 2 more (--explain shows all)"
    ]
    many = {"n": {"done": 0, "again": {"n[0]": "failed"}, "more": 7}}
    assert lines(reasons={"n": "failed"}, items=many)[-1] == "  … and 7 more items"
    assert lines(1, reasons={"n": "failed"}, items=many) == [
        "  again      n: failed",
        "  … and 8 more (--explain shows all)",
    ]
