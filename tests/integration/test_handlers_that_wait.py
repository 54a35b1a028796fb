"""Handlers on which a person decides: a resume after the decision goes on from there, in sub-pipelines too."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import anyio
import pytest

from pipe_runner.engine.decisions import Decision, Word, decide
from pipe_runner.testing import FinishedRun

FAILS = """nodes:
  a: {agent: fake, with: {n: a}}
  b: {agent: fake, with: {n: b}}
  c: {agent: fake, with: {n: c}, needs: b}
on_failure:
  ask: {agent: approval, with: {message: sure?}}
  then: {agent: fake, with: {n: then}, needs: ask}
finally: {fin: {agent: fake, with: {n: fin}}}
"""


class Asking:
    """The agent `fake`, of which `bad` nodes fail, and what a person says."""

    def __init__(self, project: Any) -> None:
        self.project, self.done, self.bad = project, [], {"b"}
        project.fake = self.act

    def act(self, options: Mapping[str, Any]) -> str:
        self.done.append(str(options["n"]))
        if options["n"] in self.bad:
            raise RuntimeError("no")
        return "yes"

    def run(self, main: str | None = None) -> tuple[FinishedRun, list[str]]:
        self.done = []
        finished = self.project.run(main)
        return finished, sorted(self.done)

    def say(self, node: str, word: Word = "approve") -> None:
        decide(self.project.root / ".pipe", "r", node, Decision(word, "me"))


@pytest.fixture
def asking(project: Any) -> Asking:
    return Asking(project)


@pytest.mark.parametrize("word", ["approve", "reject"])
def test_a_decision_in_on_failure_is_taken_and_what_failed_is_not_run_again(asking: Asking, word: Word) -> None:
    done, acted = asking.run(FAILS)
    assert (done.status, acted) == ("waiting", ["a", "b"])
    done, acted = asking.run()
    assert (done.status, acted) == ("waiting", [])
    asking.say("ask", word)
    done, acted = asking.run()
    assert done.status == "failed"
    assert acted == (["fin", "then"] if word == "approve" else ["fin"])
    assert done.statuses == {
        "a": "succeeded",
        "b": "failed",
        "c": "blocked",
        "ask": "succeeded" if word == "approve" else "failed",
        "then": "succeeded" if word == "approve" else "blocked",
        "fin": "succeeded",
    }


def test_the_resume_of_a_run_that_has_ended_tries_anew_and_asks_anew(asking: Asking) -> None:
    asking.run(FAILS)
    asking.say("ask")
    asking.run()
    done, acted = asking.run()
    assert (done.status, acted, done.statuses["ask"]) == ("waiting", ["b"], "waiting")
    asking.say("ask")
    asking.bad.clear()
    done, acted = asking.run()
    assert (done.status, acted) == ("failed", ["fin", "then"])
    done, acted = asking.run()
    assert (done.status, acted) == ("succeeded", ["b", "c", "fin"])
    assert (done.statuses["ask"], done.statuses["then"]) == ("skipped", "skipped")


def test_a_refusal_that_is_taken_back_counts_for_the_end_that_it_belongs_to(asking: Asking) -> None:
    asking.run(FAILS)
    asking.say("ask", "reject")
    assert asking.run()[0].statuses["then"] == "blocked"
    asking.say("ask")
    done, acted = asking.run()
    assert (done.status, acted, done.statuses["then"]) == ("failed", ["then"], "succeeded")
    assert asking.run()[1] == ["b"]


def test_in_finally_of_a_failed_run_too_and_a_changed_node_runs_first(asking: Asking) -> None:
    text = "nodes: {b: {agent: fake, with: {n: b}}}\nfinally: {ask: {agent: approval, with: {message: m}}}\n"
    assert asking.run(text)[0].status == "waiting"
    asking.say("ask")
    done, acted = asking.run()
    assert (done.status, acted) == ("failed", [])
    asking.project.afresh()
    assert asking.run(text)[0].status == "waiting"
    asking.say("ask")
    asking.bad.clear()
    done, acted = asking.run(text.replace("n: b", "n: b, x: 1"))
    assert (done.status, acted, done.statuses["ask"]) == ("waiting", ["b"], "waiting")


@pytest.mark.parametrize("owner", ["d", "h"])
def test_in_a_sub_pipeline_too_whoever_runs_it(asking: Asking, owner: str) -> None:
    asking.project.write(sub=FAILS)
    main = {
        "d": "nodes: {d: {pipeline: sub.yml}, o: {agent: fake, with: {n: o}}}\n",
        "h": "nodes: {o: {agent: fake, with: {n: b}}}\nfinally: {h: {pipeline: sub.yml}}\n",
    }[owner]
    assert asking.run(main)[0].status == "waiting"
    assert asking.run()[1] == []
    asking.say(f"{owner}.ask")
    done, acted = asking.run()
    assert (done.status, acted) == ("failed", ["fin", "then"])
    assert done.statuses[f"{owner}.then"] == "succeeded"
    done, acted = asking.run()
    assert "b" in acted
    assert done.status == "waiting"


def test_a_retry_of_a_sub_pipeline_after_the_decision_tries_anew(asking: Asking) -> None:
    asking.project.write(sub=FAILS)
    assert asking.run("nodes: {d: {pipeline: sub.yml, retry: {max_attempts: 2, delay: 0s}}}\n")[0].status == "waiting"
    asking.say("d.ask")
    done, acted = asking.run()
    assert (done.status, acted) == ("waiting", ["b", "fin", "then"])


@pytest.mark.parametrize("word", ["approve", "reject"])
@pytest.mark.parametrize("many", [False, True])
def test_d8_the_decision_of_the_last_attempt_ends_it(asking: Asking, many: bool, word: str) -> None:
    asking.project.write(sub=FAILS)
    each, gate = ("for_each: {items: [x]}, ", "d[0].ask") if many else ("", "d.ask")
    asking.run(f"nodes: {{d: {{{each}pipeline: sub.yml, retry: {{max_attempts: 3, delay: 0s}}}}}}\n")
    for _ in range(2):
        asking.say(gate, word)
        done, acted = asking.run()
        assert (done.status, "b" in acted) == ("waiting", True)
        done, acted = asking.run()
        assert (done.status, acted) == ("waiting", []), "a resume without a decision is no attempt"
    asking.say(gate, word)
    done, acted = asking.run()
    assert (done.status, "b" in acted, done.run.state(gate[:-4]).attempts) == ("failed", False, 3)
    done, acted = asking.run()
    assert (done.status, acted.count("b")) == ("waiting", 1)
    asking.say(gate, word)
    done, acted = asking.run()
    assert (done.status, "b" in acted) == ("waiting", True), "a resume that a person asked for counts from one"


def test_items_and_each_instance_of_a_repeated_sub_pipeline(asking: Asking) -> None:
    asking.project.write(sub=FAILS)
    asking.run("nodes: {d: {for_each: {items: [x, y], key: '{{ item }}'}, pipeline: sub.yml}}\n")
    asking.say("d[x].ask")
    done, acted = asking.run()
    assert (done.status, acted) == ("waiting", ["fin", "then"])
    asking.say("d[y].ask", "reject")
    done, acted = asking.run()
    assert (done.status, acted) == ("failed", ["fin"])
    asking.project.afresh()
    asks = "ask: {for_each: {items: [x, y], key: '{{ item }}'}, agent: approval, with: {message: m}}"
    asking.run(f"nodes: {{b: {{agent: fake, with: {{n: b}}}}}}\non_failure: {{{asks}}}\n")
    asking.say("ask[x]")
    assert asking.run()[1] == []
    asking.say("ask[y]")
    done, acted = asking.run()
    assert (done.status, acted, done.statuses["ask"]) == ("failed", [], "succeeded")


def test_two_that_are_decided_one_after_the_other_come_to_an_end(asking: Asking) -> None:
    asking.project.write(sub=FAILS)
    asking.run("nodes: {d: {pipeline: sub.yml}, e: {pipeline: sub.yml}}\n")
    asking.say("d.ask")
    done, acted = asking.run()
    assert (done.status, acted) == ("waiting", ["fin", "then"])
    asking.say("e.ask")
    done, acted = asking.run()
    assert (done.status, acted) == ("failed", ["fin", "then"])
    assert asking.run()[1] == ["b", "b"]


@pytest.mark.parametrize("acts", ["b", "then"])
def test_what_acts_once_and_has_failed(asking: Asking, acts: str) -> None:
    """In the nodes it is asked of when the run has ended; in a handler as an approval is."""
    asking.bad.add(acts)
    asking.run(FAILS.replace(f"{{n: {acts}}}", f"{{n: {acts}}}, effect: once"))
    asking.say("ask")
    done, _ = asking.run()
    assert (done.status, done.statuses["b"], done.statuses["fin"]) == ("failed", "failed", "succeeded")
    if acts == "then":
        asking.say("then", "again")
        asking.bad.discard("then")
        done, acted = asking.run()
        assert (done.status, acted, done.statuses["then"]) == ("failed", ["then"], "succeeded")
    else:
        done, acted = asking.run()
        assert (done.status, acted, done.statuses["b"]) == ("waiting", [], "unknown")


def test_a_node_that_was_settled_meanwhile_lets_the_run_go_on(asking: Asking) -> None:
    asking.run(FAILS.replace("{n: b}", "{n: b}, effect: once"))
    asking.say("b", "done")
    done, acted = asking.run()
    assert (done.status, acted) == ("succeeded", ["c", "fin"])


def test_killed_after_the_decision_it_goes_on_from_there(asking: Asking) -> None:
    asking.run(FAILS)
    asking.say("ask")
    active = asking.project.open()
    log = asking.project.root / ".pipe" / "runs" / "r" / "log.jsonl"
    anyio.run(active.perform)
    lines = log.read_bytes().splitlines(keepends=True)
    at = next(n for n, line in enumerate(lines) if json.loads(line).get("node") == "then" and b"started" in line)
    log.write_bytes(b"".join(lines[: at + 1]))
    done, acted = asking.run()
    assert (done.status, acted) == ("failed", ["fin", "then"])


def test_what_a_resume_says_of_handlers_that_ran_before(asking: Asking) -> None:
    sub = "nodes: {b: {agent: fake, with: {n: b}}, ok: {agent: approval, needs: b, with: {message: m}}}\n"
    asking.project.write(sub=sub + "finally: {fin: {agent: fake, with: {n: fin}}}\n")
    asking.run("nodes: {d: {pipeline: sub.yml}}\nfinally: {end: {agent: fake, with: {n: end}}}\n")
    asking.bad.clear()
    assert asking.run()[0].status == "waiting"
    asking.say("d.ok")
    active = asking.project.open()
    active.close()
    assert active.reasons == {"d": "goes on inside", "d.fin": "the run goes on", "end": "the run goes on"}
