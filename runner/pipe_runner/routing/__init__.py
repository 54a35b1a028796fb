"""Which agents fit a task in plain words: scored by what they say of themselves, explained, the same each time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pipe_runner.routing.cards import Card, cards_of
    from pipe_runner.routing.choices import Choice, Routing
    from pipe_runner.routing.drafting import draft
    from pipe_runner.routing.scores import route

__all__ = ["Card", "Choice", "Routing", "cards_of", "draft", "route"]

_WHERE: Final = {
    "Card": "cards",
    "cards_of": "cards",
    "Choice": "choices",
    "Routing": "choices",
    "draft": "drafting",
    "route": "scores",
}


def __getattr__(name: str) -> Any:
    where = _WHERE.get(name)
    if where is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    found = getattr(import_module(f"{__name__}.{where}"), name)
    globals()[name] = found
    return found
