"""Agents are scored for a task by what they say of themselves: explained, bounded, the same each time."""

from __future__ import annotations

import string
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.runner.routing.measuring import LogOptions, Measures, registry

from pipe_runner.ports import AgentDescription, Capability
from pipe_runner.routing import route
from pipe_runner.routing.words import stem

REGISTRY = registry()


def test_the_best_comes_first_with_its_words_options_and_reasons() -> None:
    found = route("can we reach db.internal on 5432?", REGISTRY)
    best = found.ranked[0]
    assert best.agent == "net"
    assert best.capabilities[0].capability == "network.tcp"
    assert best.capabilities[0].words == ("reach",)
    assert best.options == {"host": "db.internal", "ports": [5432], "checks": ["tcp"]}
    assert best.why == "matches network.tcp by 'reach'; it takes hosts db.internal; ports 5432"


def test_several_hosts_go_where_several_can() -> None:
    options = route("resolve a.example and b.example", REGISTRY).ranked[0].options
    assert options == {"hosts": ["a.example", "b.example"], "checks": ["dns"]}


def test_words_that_an_agent_names_together_count_more_together() -> None:
    together = route("who failed a login", REGISTRY).ranked[0]
    apart = route("login on monday, blue hats, green shoes, dinner, and the exam has failed", REGISTRY).ranked[0]
    assert together.agent == apart.agent == "logs"
    assert together.score > apart.score


@pytest.mark.parametrize("task", ["", "   ", "what about lunch?", "сервер упал", "🤷", "is it ok", "\x00"])
def test_what_fits_nothing_is_no_guess(task: str) -> None:
    found = route(task, REGISTRY)
    assert found.chosen(4) == ()
    assert "no agent fits the task" in found.refusal()
    assert "net: Stands in for net." in found.refusal()


def test_who_acts_needs_more_than_a_task_or_says_nothing_is_never_chosen() -> None:
    found = route("restart and reboot it, merge a report", REGISTRY)
    assert {name for name, _ in found.known} == {"net", "logs"}
    assert found.chosen() == ()


def test_ties_are_broken_by_name_whatever_the_order() -> None:
    twin = Measures("also", LogOptions, *REGISTRY.get("logs").describe().capabilities)
    names = [one.agent for one in route("an exception", registry(twin)).ranked]
    assert names == ["also", "logs"]


def test_what_every_agent_says_counts_for_nothing() -> None:
    common = [
        Measures(f"m{number}", LogOptions, Capability(f"m{number}.x", "", ("thing", f"only{number}")))
        for number in "123"
    ]
    made = registry(*common)
    assert route("gadget only2", made).ranked[0].agent == "m2"
    assert route("the thing", made).chosen() == ()


def test_only_some_may_be_named() -> None:
    assert [one.agent for one in route("error on port 80", REGISTRY, ["logs"]).ranked] == ["logs"]


def test_several_are_chosen_only_where_they_fit_nearly_as_well() -> None:
    both = route("connection refused on port 80, and many exceptions and errors", REGISTRY)
    assert [one.agent for one in both.chosen(4)] == [one.agent for one in both.ranked]
    assert len(both.chosen(1)) == 1
    assert [one.agent for one in route("resolve it by the name server", REGISTRY).chosen(4)] == ["net"]


@pytest.mark.parametrize(
    "words",
    [
        ("crash", "crashes", "crashed", "crashing"),
        ("port", "ports"),
        ("connect", "connection", "connected", "connecting"),
        ("expire", "expires", "expired", "expiry", "expiration"),
        ("fail", "fails", "failed", "failure", "failures", "failing"),
        ("restart", "restarts", "restarting"),
        ("process", "processes"),
        ("swap", "swapping", "swapped"),
        ("query", "queries"),
    ],
)
def test_forms_of_a_word_are_one(words: tuple[str, ...]) -> None:
    assert len({stem(word) for word in words}) == 1, [stem(word) for word in words]


@given(st.text(alphabet=string.printable + "äß🙂\u2028\x85", max_size=200))
@settings(max_examples=150, deadline=None)
def test_any_task_has_the_same_answer_twice_and_options_that_fit(task: str) -> None:
    first, again = route(task, REGISTRY), route(task, REGISTRY)
    assert first == again
    for one in first.ranked:
        REGISTRY.get(one.agent).options_model().model_validate(one.options)
        assert one.score > 0


@pytest.mark.parametrize("words", [None, ("error", 7), (b"error",)])
def test_an_agent_that_describes_itself_wrongly_is_left_out(words: Any) -> None:
    class Wrong(Measures):
        def describe(self) -> AgentDescription:
            if words is None:
                raise RuntimeError("no")
            return AgentDescription("Counts errors.", (Capability("x.errors", "Counts errors.", words),))

    found = route("an error", registry(Wrong("wrong", LogOptions)))
    assert [name for name, _ in found.known] == ["logs", "net"]
    assert found.chosen()[0].agent == "logs"
