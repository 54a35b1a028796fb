"""Tasks as people who operate things say them reach the agents that were built for them, without a model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from pipe_runner.registry import Registry
from pipe_runner.routing import Choice, cards_of
from pipe_runner.routing.choices import Routing
from pipe_runner.routing.scores import scored

TASKS: dict[str, list[dict[str, Any]]] = yaml.safe_load(
    (Path(__file__).parents[3] / "data" / "routing" / "tasks.yaml").read_text()
)
CARDS = cards_of(Registry.installed())
NOBODY = (
    "what is for lunch",
    "write a poem about autumn",
    "translate this to french",
    "who won the game",
    "hello",
    "asdf qwer",
    "please",
    "42",
    "make me a sandwich",
    "book a flight to paris",
)


def best(task: str) -> Choice | None:
    return next(iter(scored(task, CARDS).chosen()), None)


def test_those_that_measure_are_there_and_nobody_else() -> None:
    assert [card.name for card in CARDS] == [
        "infrastructure", "log_analysis", "network_diagnostics", "system_monitoring",
    ]  # fmt: skip


def test_there_are_forty_and_fifteen_aside() -> None:
    assert (len(TASKS["tasks"]), len(TASKS["held_out"])) == (40, 15)
    assert len({one["task"] for each in ("tasks", "held_out", "later") for one in TASKS[each]}) == 80
    assert len({one["task"] for each in TASKS.values() for one in each}) == 80 + len(TASKS["stranger"])


@pytest.mark.parametrize("one", [*TASKS["tasks"], *TASKS["held_out"]], ids=lambda one: one["task"])
def test_a_task_finds_its_agent(one: dict[str, Any]) -> None:
    found = best(one["task"])
    wanted = one["agent"] if isinstance(one["agent"], list) else [one["agent"]]
    assert found is not None
    assert found.agent in wanted, scored(one["task"], CARDS).to_json()


def test_of_those_that_were_written_last_two_are_missed() -> None:
    missed = [
        one["task"] for one in TASKS["later"] if (found := best(one["task"])) is None or found.agent not in one["agent"]
    ]
    assert missed == ["how often did cron fail this week", "can't ssh into bastion.example.com"]


@pytest.mark.parametrize("one", TASKS["stranger"], ids=lambda one: one["task"])
def test_the_words_of_somebody_else_find_their_agent(one: dict[str, Any]) -> None:
    found = best(one["task"])
    assert found is not None
    assert found.agent in one["agent"], scored(one["task"], CARDS).to_json()


@pytest.mark.parametrize("one", [*TASKS["tasks"], *TASKS["held_out"]], ids=lambda one: one["task"])
def test_all_that_is_chosen_takes_the_options_that_the_task_gives(one: dict[str, Any]) -> None:
    routing = scored(one["task"], CARDS)
    for choice in routing.chosen(4):
        card = next(card for card in CARDS if card.name == choice.agent)
        assert card.model is not None
        card.model.model_validate(choice.options)


@pytest.mark.parametrize("task", NOBODY)
def test_what_none_of_them_can_do_is_no_guess(task: str) -> None:
    assert best(task) is None, scored(task, CARDS).to_json()


@pytest.mark.parametrize(
    ("task", "options"),
    [
        ("can we reach db.internal on 5432", {"host": "db.internal", "ports": [5432], "checks": ["tcp"]}),
        ("is the tls certificate of 10.0.0.1:8443 valid", {"host": "10.0.0.1", "ports": [8443], "checks": ["tls"]}),
        ("packet loss to 2001:db8::1", {"host": "2001:db8::1", "checks": ["latency"]}),
        ("is anything listening on ports 80, 443 and 8080 of web01",
         {"host": "web01", "ports": [80, 443, 8080], "checks": ["tcp", "local"]}),
        ("errors in /var/log/app/*.log in the last 3 hours",
         {"paths": ["/var/log/app/*.log"], "since": "3h", "checks": ["levels"]}),
        ("exceptions in app.log since yesterday", {"paths": ["app.log"], "since": "2d", "checks": ["levels"]}),
        ("are the pods of namespace payments crashing", {"namespace": "payments"}),
        ("is sshd.service running", {"services": ["sshd.service"]}),
        ("does the container web restart", {"containers": ["web"]}),
        ("cloudwatch alarms in eu-west-1", {"region": "eu-west-1", "checks": ["aws"]}),
        ("why is the disk full", {"checks": ["disk"]}),
    ],
)  # fmt: skip
def test_the_task_says_the_options(task: str, options: dict[str, Any]) -> None:
    found = best(task)
    assert found is not None
    assert {key: found.options.get(key) for key in options} == {
        key: value if key != "paths" else found.options["paths"] for key, value in options.items()
    }
    if "paths" in options:
        paths = found.options["paths"]
        assert (paths if isinstance(paths, list) else [paths]) == options["paths"]


def test_the_order_of_agents_changes_nothing() -> None:
    def told(routing: Routing) -> list[dict[str, Any]]:
        return [choice.to_json() for choice in routing.ranked]

    for one in TASKS["tasks"]:
        assert told(scored(one["task"], CARDS)) == told(scored(one["task"], CARDS[::-1]))
