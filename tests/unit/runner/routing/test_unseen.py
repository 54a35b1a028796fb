"""What a task names and no chosen agent looks at is told: in the plan, in notes, and to the agent that was chosen."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest
from tests.unit.runner.routing.measuring import registry

from pipe_runner.registry import Registry
from pipe_runner.routing import cards_of, draft, route
from pipe_runner.routing.asking import answered
from pipe_runner.routing.scores import given, scored
from pipe_runner.routing.surroundings import is_here

CARDS = cards_of(Registry.installed())
CARD = {card.name: card for card in CARDS}
ELSEWHERE = (
    ("is the disk of web01 full", "system_monitoring", "web01"),
    ("is cpu on db02 high", "system_monitoring", "db02"),
    ("top 5 processes by memory on db.internal", "system_monitoring", "db.internal"),
    ("check logs on web01", "log_analysis", "web01"),
    ("is nginx running on web01", "infrastructure", "web01"),
    ("list the interfaces of web01", "network_diagnostics", "web01"),
)


@pytest.mark.parametrize(("task", "agent", "host"), ELSEWHERE, ids=[one[0] for one in ELSEWHERE])
def test_a_host_that_an_agent_cannot_look_at_is_never_dropped(task: str, agent: str, host: str) -> None:
    routing = scored(task, CARDS)
    chosen = {one.agent: one for one in routing.chosen(4)}
    assert agent in chosen
    one = chosen[agent]
    assert [(left.what, left.role) for left in one.unseen] == [(host, "hosts")]
    assert f"this machine only: {host} is not looked at" in one.why
    (told,) = one.options["not_looked_at"]
    assert told["what"] == host
    assert host not in str({key: value for key, value in one.options.items() if key != "not_looked_at"})
    assert any(host in note and agent in note for note in routing.noted(tuple(chosen.values())).notes)
    model = CARD[agent].model
    assert model is not None
    model.model_validate(one.options)


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1", "127.3.2.1", "::1", "0.0.0.0", "::ffff:127.0.0.1", socket.gethostname()]
)
def test_names_of_this_machine_are_this_machine(host: str) -> None:
    assert is_here(host)
    assert is_here(host.upper())


@pytest.mark.parametrize("host", ["web01", "db.internal", "192.0.2.1", "2001:db8::1", "224.0.0.1", "", "localhost.com"])
def test_others_are_not(host: str) -> None:
    assert not is_here(host)


def test_s1_no_file_is_opened_to_know_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise AssertionError("`pipe check` opens nothing outside of the project")

    monkeypatch.setattr("builtins.open", refused)
    assert not is_here("web01")


def test_a_thing_with_several_roles_is_told_once() -> None:
    task = "is https://127.0.0.1:18765/x slow?"
    (one,) = given(task, CARDS, ["system_monitoring"]).chosen(1)
    assert [left.what for left in one.unseen] == ["https://127.0.0.1:18765/x"]
    assert len(one.options["not_looked_at"]) == 1
    assert one.why.count("https://127.0.0.1:18765/x") == 1
    (whole,) = given(task, CARDS, ["system_monitoring"]).to_json()["ranked"]
    assert len(whole["not_looked_at"]) == 1


def test_who_is_here_is_looked_at() -> None:
    (one,) = scored("is the disk of localhost full", CARDS).chosen(1)
    assert one.agent == "system_monitoring"
    assert one.unseen == ()
    assert "not_looked_at" not in one.options


def test_who_can_look_at_the_host_is_asked_before_who_cannot() -> None:
    def ratio(task: str) -> float:
        found = {one.agent: one.score for one in scored(task, CARDS).ranked}
        return found["system_monitoring"] / found["network_diagnostics"]

    assert ratio("packet drops on web01") < ratio("packet drops on localhost")


def test_a_host_for_one_check_is_not_there_for_others() -> None:
    (one,) = given("when does the certificate of web01 expire", CARDS, ["infrastructure"]).chosen(1)
    assert one.options["hosts"] == ["web01"]
    assert one.unseen == ()
    (both,) = given("is the certificate of web01 expired, is a pod pending", CARDS, ["infrastructure"]).chosen(1)
    assert both.options["hosts"] == ["web01"]
    assert "kubernetes" in both.unseen[0].why


def test_sockets_are_listed_here_whatever_host_is_named() -> None:
    (one,) = scored("what is listening on ports of web01", CARDS).chosen(1)
    assert one.options["host"] == "web01"
    assert set(one.options["checks"]) == {"tcp", "local"}
    assert "local" in one.unseen[0].why
    assert scored("why is example.internal slow", CARDS).chosen(1)[0].unseen == ()


def test_what_another_chosen_agent_takes_is_not_told() -> None:
    routing = given("errors in /var/log/app.log, reach localhost:22", CARDS, ["log_analysis", "network_diagnostics"])
    assert [one.unseen for one in routing.chosen(2)] == [(), ()]
    alone = given("reach localhost:22, errors in the last 2 hours", CARDS, ["network_diagnostics"]).chosen(1)
    assert [left.what for left in alone[0].unseen] == ["in the last 2 hours"]


def test_an_agent_of_somebody_else_that_has_no_option_for_it() -> None:
    made = registry()
    found = route("who failed a login on web01 and db02", made, ["logs"])
    chosen = found.chosen(1)
    assert chosen[0].options == {}
    assert [left.what for left in chosen[0].unseen] == ["web01", "db02"]
    text = draft(found.noted(chosen), chosen, {"logs": made.get("logs").output_schema({})})
    assert "this machine only: web01, db02 are not looked at" in text.replace("\n  # ", " ")
    assert text.startswith("# The task: ")
    assert "# logs: web01 is not looked at" in text


def test_it_is_said_as_data() -> None:
    (one,) = scored("is the disk of web01 full", CARDS).chosen(1)
    told: Any = one.to_json()
    assert told["not_looked_at"] == [{"what": "web01", "why": one.unseen[0].why}]


def test_the_node_that_merges_tells_for_agents_that_cannot() -> None:
    made = registry()
    found = route("resolve and reach web01, who failed a login as root", made)
    chosen = found.chosen(2)
    assert {one.agent for one in chosen} == {"net", "logs"}
    text = draft(found, chosen, {one.agent: made.get(one.agent).output_schema({}) for one in chosen})
    assert "not_looked_at:\n      - what: web01\n" in text


def test_a_url_that_is_named_is_fetched_whatever_else_is_asked_for() -> None:
    best, *_ = scored("is https://shop.example.com/login reachable", CARDS).chosen(1)
    assert best.options["urls"] == ["https://shop.example.com/login"]
    assert set(best.options["checks"]) == {"tcp", "http"}


def test_a_port_goes_with_its_host_where_an_agent_takes_both_as_one() -> None:
    (one,) = given("is the certificate of vault.internal:8443 expired", CARDS, ["infrastructure"]).chosen(1)
    assert one.options["hosts"] == ["vault.internal:8443"]
    assert one.unseen == ()
    (six,) = given("is the certificate of [2001:db8::1]:8443 expired", CARDS, ["infrastructure"]).chosen(1)
    assert six.options["hosts"] == ["[2001:db8::1]:8443"]
    (url,) = given("does the certificate of https://a.example:8443/x expire", CARDS, ["infrastructure"]).chosen(1)
    assert url.options["hosts"] == ["a.example:8443"]
    (away,) = given("is the disk of web01:22 full", CARDS, ["system_monitoring"]).chosen(1)
    assert [left.what for left in away.unseen] == ["web01"]


@pytest.mark.parametrize("url", ["https://shop.example.invalid/Health", "http://shop.example.invalid:8443/x"])
def test_a_url_that_a_model_gives_alone_has_its_host_and_its_port_in_it(url: str) -> None:
    def by_model(task: str, **options: Any) -> list[str]:
        choice = {"agent": "network_diagnostics", "options": json.dumps(options), "why": "so"}
        (one,) = answered({"choices": [choice]}, CARDS, scored(task, CARDS), 1).chosen(1)
        return [left.what for left in one.unseen]

    assert by_model(f"is {url} up?", urls=[url]) == []
    assert by_model(f"is {url} up?", urls=[url], checks=["http"]) == []
    assert by_model(f"is {url} up, and db.internal:5432 too?", urls=[url]) == ["db.internal"]
    assert by_model(f"is {url} up?", urls=[f"{url}z"], host="db.internal") == ["shop.example.invalid"]
