"""Which agents fit a task in plain words: scored by what they say of themselves, explained, the same each time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipe_runner import handing_on

if TYPE_CHECKING:
    from pipe_runner.routing.cards import Card, cards_of
    from pipe_runner.routing.choices import Choice, Routing
    from pipe_runner.routing.drafting import draft
    from pipe_runner.routing.scores import route

__all__ = ["Card", "Choice", "Routing", "cards_of", "draft", "route"]

__getattr__ = handing_on(
    __name__,
    {
        "Card": "cards",
        "cards_of": "cards",
        "Choice": "choices",
        "Routing": "choices",
        "draft": "drafting",
        "route": "scores",
    },
)
