"""What is taken of a model's answer that chooses agents."""

from __future__ import annotations

from pipe_runner.registry import Registry
from pipe_runner.routing import cards_of
from pipe_runner.routing.asking import answered
from pipe_runner.routing.scores import scored

CARDS = cards_of(Registry.installed())


def test_options_with_a_key_twice_are_refused_as_answers_are() -> None:
    text = '{"checks": ["disk"], "checks": ["memory"]}'
    answer = {"choices": [{"agent": "system_monitoring", "options": text, "why": "x"}]}
    routing = answered(answer, CARDS, scored("why is it slow", CARDS), 4)
    (one,) = routing.ranked
    assert one.options.get("checks") not in (["disk"], ["memory"])
    assert routing.notes == (
        "the model's options of system_monitoring can't be taken: the key \"checks\" stands twice in one object; "
        "those of the words are taken",
    )
