"""Budgets in whole runs: which nodes they end, what goes on, and what a resume and a replay make of them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from pipe_runner.models import ModelFault, Reason, Usage
from pipe_runner.testing import Answer, FakeProvider, FinishedRun, run_pipeline

MODELS = Path(__file__).resolve().parents[1] / "data" / "models"
PROJECT = "providers: {fake: {model: fake-1, prices: {fake-1: {input: 1000, output: 1000}}}}\n"


@pytest.fixture(autouse=True)
def fake_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(MODELS))


@pytest.fixture
def runs(tmp_path: Path) -> Any:
    (tmp_path / "pipe.yml").write_text(PROJECT)
    return lambda text, **more: run_pipeline("version: 1\n" + text, root=tmp_path, **more)


def errors(run: FinishedRun) -> dict[str, str]:
    return {id: str(state.error["kind"]) for id, state in run.run.nodes.items() if state.error}


def test_a_node_that_is_out_of_budget_is_not_retried_and_what_asks_no_model_goes_on(runs: Any) -> None:
    run = runs("""\
budget: {max_tokens: 30}
nodes:
  ask: {agent: llm, provider: fake, retry: 3, with: {prompt: "a prompt of more than thirty bytes", max_tokens: 5}}
  after: {needs: [ask], run: echo}
  plain: {run: echo fine}
finally:
  tell: {run: 'echo {{ nodes.ask.error.kind }}'}
""")
    assert errors(run) == {"ask": "budget"}
    assert run.run.nodes["ask"].attempts == 1
    assert str(run.run.nodes["after"].status) == "blocked"
    assert run.run.nodes["plain"].output == "fine"
    assert run.run.nodes["tell"].output == "budget"
    assert run.run.ledger is None
    assert "tokens" not in run.events[-1].data["totals"]


def test_attempts_and_items_of_a_node_share_its_budget(runs: Any) -> None:
    run = runs("""\
nodes:
  ask:
    for_each: {items: [1, 2, 3, 4, 5, 6]}
    agent: llm
    provider: fake
    budget: {max_tokens: 100}
    retry: {max_attempts: 2, delay: 1ms}
    with: {prompt: "input=20 output=5 lost=1 n={{ item }}", max_tokens: 5}
""")
    ledger = run.run.ledger
    assert ledger is not None
    assert 0 < ledger.total.tokens <= 100
    kinds = {str(state.error["kind"]) for state in run.run.items["ask"].values() if state.error}
    assert "budget" in kinds


def test_each_instance_of_a_sub_pipeline_has_the_budget_of_its_file_and_all_share_that_of_the_node(
    runs: Any, tmp_path: Path
) -> None:
    (tmp_path / "inner.yml").write_text("""\
version: 1
budget: {max_tokens: 60}
inputs: {n: {type: integer}}
nodes:
  ask: {agent: llm, provider: fake, with: {prompt: "input=20 output=5 n={{ inputs.n }}", max_tokens: 5}}
  again: {needs: [ask], agent: llm, provider: fake, with: {prompt: "input=20 output=5 n={{ inputs.n }}", max_tokens: 5}}
""")
    many = "for_each: {items: [1, 2], key: 'k{{ item }}'}, pipeline: inner.yml, with: {n: '{{ item }}'}"
    text = f"nodes:\n  many: {{{many}}}\n"
    run = runs(text)
    assert run.run.nodes["many[k1].ask"].error is None
    assert (
        "sub-pipeline many[k1] has 35 of 60 tokens left after 1 call"
        in run.run.nodes["many[k1].again"].error["message"]
    )
    assert run.run.nodes["many[k2].ask"].error is None, "the other instance has its own"
    run = runs(text.replace("pipeline:", "budget: {max_tokens: 60}, pipeline:"))
    failed = [id for id in ("many[k1].ask", "many[k2].ask") if run.run.nodes[id].error]
    assert len(failed) == 1
    assert "the budget of node many has 35 of 60 tokens left" in run.run.nodes[failed[0]].error["message"]


def test_a_price_that_nobody_knows_is_refused_under_max_cost_and_allowed_by_name(runs: Any) -> None:
    node = "nodes: {ask: {agent: llm, provider: fake, with: {prompt: hello, model: other}}}\n"
    assert errors(runs("budget: {max_cost: 1}\n" + node)) == {"ask": "refused"}
    assert errors(runs("budget: {max_cost: 1, unknown_cost: allow}\n" + node)) == {}
    assert errors(runs("budget: {max_tokens: 10k}\n" + node)) == {}


def test_what_was_set_aside_is_in_the_log_before_the_call_and_settled_after_it(runs: Any) -> None:
    run = runs('nodes: {ask: {agent: llm, provider: fake, with: {prompt: "input=7 output=2", max_tokens: 5}}}\n')
    told = [event for event in run.events if event.event.startswith("model.")]
    assert [event.event for event in told] == ["model.reserved", "model.called"]
    assert told[0].data["cost"] == told[0].data["tokens"] / 1000
    assert told[1].data["call"] == told[0].data["call"]
    assert told[1].data["cost"] == 0.009
    totals = run.events[-1].data["totals"]
    assert (totals["calls"], totals["tokens"], totals["cost"]) == (1, 9, 0.009)


def test_v1_tokens_that_contradict_count_as_the_larger_reading_says(tmp_path: Path) -> None:
    (tmp_path / "pipe.yml").write_text(
        "providers: {fake: {prices: {fake-1: {input: 1000, output: 2000, cached: 100}}}}\n"
    )
    model = FakeProvider(Answer("hi", usage=Usage(10, 5, cached=100, reasoning=20), cost=None), price=None)
    text = "version: 1\nnodes: {ask: {agent: llm, provider: fake, with: {prompt: hello}}}\n"
    run = run_pipeline(text, root=tmp_path, providers={"fake": model})
    called = next(event.data for event in run.events if event.event == "model.called")
    assert called["tokens"] == {"input": 110, "output": 25, "cached": 100, "reasoning": 20}
    assert called["cost"] == 0.16
    usage: Any = run.node("ask").usage
    assert (usage["input"], usage["output"], usage["cost"]) == (110, 25, 0.16)


@pytest.mark.parametrize("said", [1e300, 1e15, -1.0, float("nan"), float("inf"), "0.5", True])
def test_v1_what_is_no_amount_of_dollars_is_unknown_whoever_says_it(tmp_path: Path, said: Any) -> None:
    text = "version: 1\nnodes: {ask: {agent: llm, provider: fake, with: {prompt: hello}}}\n"
    run = run_pipeline(text, root=tmp_path, providers={"fake": FakeProvider(Answer("hi", cost=said), price=0.25)})
    assert run.status == "succeeded", run.node("ask").error
    assert run.events[-1].data["totals"]["cost"] == 0.25
    run = run_pipeline(text, root=tmp_path, providers={"fake": FakeProvider(Answer("hi", cost=None), price=said)})
    assert run.status == "succeeded", run.node("ask").error
    assert run.events[-1].data["totals"]["unpriced"] == 1
    bounded = text.replace("nodes:", "budget: {max_cost: 5}\nnodes:")
    model = FakeProvider(Answer("hi", cost=None), price=said)
    run = run_pipeline(bounded, root=tmp_path, providers={"fake": model})
    assert (errors(run), model.requests) == ({"ask": "refused"}, [])


def test_v1_an_absurd_number_of_tokens_is_no_fault_of_ours(tmp_path: Path) -> None:
    (tmp_path / "pipe.yml").write_text("providers: {fake: {prices: {fake-1: {input: 1000000, output: 1000000}}}}\n")
    model = FakeProvider(Answer("hi", usage=Usage(2**53 - 1, 2**53 - 1), cost=None), price=None)
    text = "version: 1\nbudget: {max_cost: 1e12}\nnodes: {ask: {agent: llm, provider: fake, with: {prompt: hello}}}\n"
    run = run_pipeline(text, root=tmp_path, providers={"fake": model})
    assert run.status == "succeeded", run.node("ask").error
    assert run.events[-1].data["totals"]["tokens"] == 2**54 - 2
    assert run.events[-1].data["totals"]["cost"] > 9e14
    most = text.replace("prompt: hello", f"prompt: hello, max_tokens: {10**20}")
    assert errors(run_pipeline(most, root=tmp_path, providers={"fake": model})) == {"ask": "budget"}


def test_what_a_declined_call_has_cost_is_in_the_usage_of_its_node_as_in_the_log(tmp_path: Path) -> None:
    fault = ModelFault(Reason.REFUSED, "no", usage=Usage(100, 50, cached=500))
    (tmp_path / "pipe.yml").write_text("providers: {fake: {prices: {fake-1: {input: 1000, output: 2000}}}}\n")
    text = "version: 1\nnodes: {ask: {agent: llm, provider: fake, with: {prompt: hello}}}\n"
    run = run_pipeline(text, root=tmp_path, providers={"fake": FakeProvider(fault, price=None)})
    usage: Any = run.node("ask").usage
    assert (usage["input"], usage["output"], usage["cost"]) == (600, 50, 0.7)
    totals = run.events[-1].data["totals"]
    assert (totals["input"], totals["output"], totals["cost"]) == (600, 50, 0.7)


def test_v1_what_is_no_number_of_tokens_is_unknown(tmp_path: Path) -> None:
    (tmp_path / "pipe.yml").write_text("providers: {fake: {limits: {tpm: 1000000}}}\n")
    odd: Any = "many"
    model = FakeProvider(Answer("hi", usage=Usage(10, odd), cost=None), price=None)
    text = "version: 1\nnodes: {ask: {agent: llm, provider: fake, with: {prompt: hello}}}\n"
    run = run_pipeline(text, root=tmp_path, providers={"fake": model})
    assert run.status == "succeeded", run.node("ask").error
    reserved, called = (event.data for event in run.events if event.event.startswith("model."))
    assert "tokens" not in called
    assert run.events[-1].data["totals"]["tokens"] == reserved["tokens"]


def test_cached_nodes_and_cached_tokens_are_two_totals(tmp_path: Path) -> None:
    model = FakeProvider(Answer("hi", usage=Usage(100, 5, cached=70)))
    text = (
        "version: 1\nnodes:\n  kept: {run: echo, cache: true}\n  ask: {agent: llm, provider: fake, with: {prompt: x}}\n"
    )
    for cached in (0, 1):
        run = run_pipeline(text, root=tmp_path, providers={"fake": model})
        totals = run.events[-1].data["totals"]
        assert (totals.get("cached", 0), totals["succeeded"], totals["cached_tokens"]) == (cached, 2 - cached, 70)


def test_a_replayed_call_counts_as_it_was_recorded(tmp_path: Path) -> None:
    import os
    import subprocess

    (tmp_path / "pipe.yml").write_text(PROJECT)
    text = (
        "version: 1\nbudget: {max_cost: 1}\n"
        'nodes: {ask: {agent: llm, provider: fake, with: {prompt: "input=7 output=2", max_tokens: 5}}}\n'
    )
    (tmp_path / "p.yml").write_text(text)

    def pipe(*words: str) -> Any:
        command = [sys.executable, "-m", "pipe_runner", "run", "p.yml", "--output", "json", *words]
        env = {**os.environ, "PYTHONPATH": str(MODELS)}
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
        return json.loads(done.stdout)["nodes"]["ask"]

    assert pipe("--record", "kept")["usage"]["cost"] == 0.009
    assert pipe("--replay", "kept")["usage"]["cost"] == 0.009
    (tmp_path / "p.yml").write_text(text.replace("max_cost: 1", "max_cost: 0.01"))
    assert pipe("--replay", "kept")["error"]["kind"] == "budget"


def test_a_resume_with_a_larger_budget_pays_for_nothing_twice(tmp_path: Path) -> None:
    import os
    import subprocess

    (tmp_path / "pipe.yml").write_text(PROJECT)
    text = """
version: 1
budget: {max_tokens: 70}
nodes:
  one: {agent: llm, provider: fake, budget: {max_tokens: 60}, with: {prompt: "input=20 output=5 one", max_tokens: 5}}
  two: {needs: [one], agent: llm, provider: fake, with: {prompt: "input=20 output=5 two and more", max_tokens: 5}}
"""
    (tmp_path / "p.yml").write_text(text)
    book = tmp_path / "book.jsonl"

    def pipe(*words: str) -> int:
        command = [sys.executable, "-m", "pipe_runner", *words]
        env = {**os.environ, "PYTHONPATH": str(MODELS), "FAKE_MODELS_BOOK": str(book)}
        return subprocess.run(command, cwd=tmp_path, env=env, capture_output=True).returncode

    assert pipe("run", "p.yml", "--run-id", "r") == 1
    assert pipe("resume", "r") == 1, "the budget is that of the whole run"
    assert len(book.read_text().splitlines()) == 1
    (tmp_path / "p.yml").write_text(text.replace("70", "700").replace("60", "61"))
    assert pipe("resume", "r") == 0
    assert [json.loads(line)["prompt"][-8:] for line in book.read_text().splitlines()] == ["ut=5 one", "and more"]


def test_where_the_price_of_the_first_is_not_known_the_next_one_is_asked(tmp_path: Path) -> None:
    (tmp_path / "pipe.yml").write_text(
        "providers:\n"
        '  free: {type: openai, model: x, base_url: "http://127.0.0.1:9/v1"}\n'
        "  fake: {model: fake-1, prices: {fake-1: {input: 1, output: 1}}}\n"
    )
    text = """\
version: 1
budget: {max_cost: 1}
nodes:
  next: {agent: llm, provider: [free, fake], with: {prompt: hi, model: [x, fake-1]}}
  none: {agent: llm, provider: free, continue_on_error: true, with: {prompt: hi}}
"""
    run = run_pipeline(text, root=tmp_path)
    assert str(run.run.nodes["next"].status) == "succeeded"
    error = run.run.nodes["none"].error
    assert error is not None
    assert error["kind"] == "refused"
    assert "the price of model x of provider free is not known" in error["message"]
