"""`pipe plan` says what a run's calls of models may cost: at most, and by the runs that were."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

MODELS = Path(__file__).resolve().parents[1] / "data" / "models"
PROJECT = "providers: {fake: {model: fake-1, prices: {fake-1: {input: 1, output: 10}}}}\n"
PIPELINE = """
version: 1
inputs: {about: {type: string, default: tea}}
nodes:
  fixed: {agent: llm, provider: fake, retry: 3, with: {prompt: "input=1000 output=100", max_tokens: 1000}}
  each: {for_each: {items: [1, 2]}, agent: llm, provider: fake, with: {prompt: "x", max_tokens: 100}}
  open: {agent: llm, provider: fake, with: {prompt: "{{ inputs.about }}"}}
  own: {agent: llm, provider: fake, budget: {max_cost: 0.25}, with: {prompt: "{{ inputs.about }}"}}
  listed: {agent: llm, provider: openai, with: {model: gpt-4o, prompt: "{{ inputs.about }}"}}
  secret: {agent: llm, provider: openai, with: {model: mine, prompt: "x"}}
  plain: {run: echo hello}
"""


def pipe(root: Path, *words: str) -> str:
    command = [sys.executable, "-m", "pipe_runner", *words]
    env = {**os.environ, "PYTHONPATH": str(MODELS)}
    return subprocess.run(command, cwd=root, env=env, capture_output=True, text=True, check=True).stdout


def planned(root: Path, text: str) -> dict[str, Any]:
    (root / "pipe.yml").write_text(PROJECT)
    (root / "p.yml").write_text(text)
    found: dict[str, Any] = json.loads(pipe(root, "plan", "p.yml", "--output", "json"))["cost"]
    return found


def test_each_node_has_its_bound_or_says_why_there_is_none(tmp_path: Path) -> None:
    nodes = planned(tmp_path, PIPELINE)["nodes"]
    fixed = 3 * (len("input=1000 output=100") + 16 + 1000 * 10) / 1e6
    assert (nodes["fixed"]["most"], nodes["fixed"]["calls"]) == (fixed, 3)
    assert (nodes["each"]["most"], nodes["each"]["calls"]) == (2 * (17 + 100 * 10) / 1e6, 2)
    assert nodes["open"]["most"] is None
    assert nodes["open"]["why"] == "the size of what it asks is known to the run alone"
    assert nodes["own"]["most"] == 0.25
    assert nodes["listed"]["most"] == (128_000 * 2.5 + 4096 * 10) / 1e6  # what the model can read at most
    assert nodes["secret"]["why"] == "the price of model mine of provider openai is not known"
    assert "plain" not in nodes


def test_the_run_has_its_budget_as_bound_or_the_sum_of_its_nodes(tmp_path: Path) -> None:
    assert planned(tmp_path, PIPELINE)["most"] is None
    assert planned(tmp_path, PIPELINE + "budget: {max_cost: 0.50}\n")["most"] == 0.5
    small = "version: 1\nnodes:\n  a: {agent: llm, provider: fake, with: {prompt: x, max_tokens: 100}}\n"
    assert planned(tmp_path, small)["most"] == (17 + 1000) / 1e6
    text = pipe(tmp_path, "plan", "p.yml")
    assert "cost: at most $0.00102\n  a: at most $0.00102, 1 call\n" in text
    assert "p50" not in text


def test_what_is_read_for_nothing_may_be_of_any_size(tmp_path: Path) -> None:
    text = PIPELINE.replace("openai, with: {model: mine", "ollama, with: {model: mine").replace(
        '"x"', '"{{ inputs.about }}"'
    )
    nodes = planned(tmp_path, text)["nodes"]
    assert (nodes["secret"]["most"], nodes["secret"]["calls"], nodes["secret"]["why"]) == (0, 1, None)
    project = "providers: {fake: {model: fake-1, prices: {'*': {input: 0, output: 10}}}}\n"
    (tmp_path / "pipe.yml").write_text(project)
    nodes = json.loads(pipe(tmp_path, "plan", "p.yml", "--output", "json"))["cost"]["nodes"]
    assert nodes["open"]["most"] == 4096 * 10 / 1e6


def test_a_sub_pipeline_that_asks_for_each_item_has_no_bound_but_its_budget(tmp_path: Path) -> None:
    (tmp_path / "sub.yml").write_text(
        "version: 1\ninputs: {n: {type: integer}}\nnodes:\n"
        "  b: {agent: llm, provider: fake, with: {prompt: x, max_tokens: 100}}\n"
    )
    text = "version: 1\nnodes:\n  a: {agent: llm, provider: fake, with: {prompt: x, max_tokens: 100}}\n"
    text += "  s: {for_each: {items: [1, 2]}, pipeline: sub.yml, with: {n: '{{ item }}'}}\n"
    found = planned(tmp_path, text)
    assert found["most"] is None
    assert "for each item" in found["nodes"]["s"]["why"]
    bounded = planned(tmp_path, text.replace("pipeline: sub.yml", "budget: {max_cost: 0.5}, pipeline: sub.yml"))
    assert bounded["nodes"]["s"]["most"] == 0.5
    assert bounded["most"] == 0.5 + (17 + 1000) / 1e6


ASK = "  b: {agent: llm, provider: fake, retry: 2, with: {prompt: x, max_tokens: 100}}\n"
ONE = (17 + 1000) / 1e6


def test_what_a_sub_pipeline_asks_counts_for_each_attempt_of_the_node_that_runs_it(tmp_path: Path) -> None:
    (tmp_path / "sub.yml").write_text("version: 1\nnodes:\n" + ASK)
    (tmp_path / "mid.yml").write_text("version: 1\nnodes:\n  m: {pipeline: sub.yml, retry: 5}\n")
    found = planned(tmp_path, "version: 1\nnodes:\n  s: {pipeline: mid.yml, retry: 3}\n")
    assert found["nodes"]["s.m.b"]["calls"] == 30
    assert found["most"] == pytest.approx(30 * ONE)


def test_v1_no_run_makes_more_calls_than_its_plan_has(tmp_path: Path) -> None:
    (tmp_path / "sub.yml").write_text("version: 1\nnodes:\n" + ASK.replace("x,", "input=1 output=100 lost=1,"))
    text = "version: 1\nnodes:\n  s: {pipeline: sub.yml, retry: {max_attempts: 2, delay: 1ms}}\n"
    most = planned(tmp_path, text)["most"]
    book = tmp_path / "book.jsonl"
    command = [sys.executable, "-m", "pipe_runner", "run", "p.yml", "--output", "json"]
    env = {**os.environ, "PYTHONPATH": str(MODELS), "FAKE_MODELS_BOOK": str(book)}
    ran = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert len(book.read_text().splitlines()) == 4
    assert json.loads(ran.stdout)["nodes"]["s.b"]["usage"]["cost"] <= most


def test_a_budget_of_a_sub_pipeline_or_of_its_node_bounds_what_it_asks(tmp_path: Path) -> None:
    open_ = "  c: {agent: llm, provider: fake, with: {prompt: '{{ inputs.n }}'}}\n"
    sub = "version: 1\ninputs: {n: {type: string, default: x}}\nnodes:\n" + ASK + open_
    (tmp_path / "sub.yml").write_text(sub)
    text = "version: 1\nnodes:\n  s: {pipeline: sub.yml}\n  t: {pipeline: sub.yml, budget: {max_cost: 0.2}}\n"
    assert planned(tmp_path, text)["most"] is None
    (tmp_path / "sub.yml").write_text(sub + "budget: {max_cost: 0.1}\n")
    found = planned(tmp_path, text)
    assert (found["nodes"]["s.c"]["most"], found["nodes"]["s.c"]["why"]) == (0.1, None)
    assert found["nodes"]["s.b"]["most"] == pytest.approx(2 * ONE)
    assert found["most"] == 0.2
    each = "  s: {for_each: {items: [1, 2, 3]}, pipeline: sub.yml}\n"
    assert planned(tmp_path, "version: 1\nnodes:\n" + each)["most"] == pytest.approx(0.3)


def test_a_budget_that_lets_unknown_prices_pass_is_no_bound_of_them(tmp_path: Path) -> None:
    text = "version: 1\nbudget: {max_cost: 1, unknown_cost: allow}\nnodes:\n"
    own = "  a: {agent: llm, provider: fake, budget: {max_cost: 0.5, unknown_cost: allow}, "
    own += "with: {model: %s, prompt: x}}\n"
    found = planned(tmp_path, text + own % "mine")
    assert (found["most"], found["nodes"]["a"]["most"]) == (None, None)
    assert "price of model mine" in found["nodes"]["a"]["why"]
    assert planned(tmp_path, text + own.replace("prompt: x", "prompt: x, max_tokens: 90000") % "fake-1")["most"] == 0.5


def test_who_asks_as_often_as_a_model_likes_has_no_bound(tmp_path: Path) -> None:
    text = "version: 1\nnodes:\n"
    text += "  a: {agent: llm, provider: openai, with: {model: gpt-4o, prompt: x, tools: [%s]}}\n"
    assert planned(tmp_path, text % "{agent: http}")["nodes"]["a"]["calls"] == 11
    assert planned(tmp_path, text % "{agent: system_monitoring}")["nodes"]["a"]["calls"] == 11
    for tool in ("{agent: llm}", "{agent: system_monitoring, with: {explain: true}}"):
        found = planned(tmp_path, text % tool)
        assert found["most"] is None
        assert found["nodes"]["a"]["why"] == "how often its model has a tool ask a model is known to the run alone"


def test_a_choice_by_a_model_is_asked_for_again_where_it_is_none(tmp_path: Path) -> None:
    text = "version: 1\nnodes:\n"
    text += "  a: {agent: auto, provider: openai, with: {task: is disk full, by: model, model: gpt-4o%s}}\n"
    assert planned(tmp_path, text % "")["nodes"]["a"]["calls"] == 3
    found = planned(tmp_path, text % ", options: {explain: true}")["nodes"]["a"]
    assert found["most"] is None
    assert "has a model explain" in found["why"]


def test_a_plan_without_models_says_nothing_of_cost(tmp_path: Path) -> None:
    assert planned(tmp_path, "version: 1\nnodes: {a: {run: echo}}\n") is None


def test_what_runs_have_cost_is_told_by_their_logs(tmp_path: Path) -> None:
    text = "version: 1\ninputs: {n: {type: integer, default: 10}}\nnodes:\n"
    text += '  a: {agent: llm, provider: fake, with: {prompt: "input=0 output={{ inputs.n }}"}}\n'
    (tmp_path / "pipe.yml").write_text(PROJECT)
    (tmp_path / "p.yml").write_text(text)
    for number in (100, 200, 4000):
        pipe(tmp_path, "run", "p.yml", "-i", f"n={number}")
    told = pipe(tmp_path, "plan", "p.yml")
    assert "in the last 3 runs that succeeded: p50 $0.002, p95 $0.04" in told
    found = json.loads(pipe(tmp_path, "plan", "p.yml", "--output", "json"))["cost"]
    assert (found["p50"], found["p95"], found["runs"]) == (0.002, 0.04, 3)
    assert found["nodes"]["a"]["p50"] == 0.002
    pipe(tmp_path, "run", "p.yml", "-i", "n=4000", "--record", "rec")
    for _ in range(5):
        pipe(tmp_path, "run", "p.yml", "-i", "n=4000", "--replay", "rec")
    told = pipe(tmp_path, "plan", "p.yml")
    assert "by the medians of the last 4 runs" in told, "a replay takes no time"
    assert "in the last 4 runs that succeeded: p50 $0.002, p95 $0.04" in told


def test_an_explanation_is_asked_for_twice_at_most_and_counts_where_there_may_be_one(tmp_path: Path) -> None:
    text = """
version: 1
inputs: {explain: {type: boolean, default: false}}
nodes:
  may: {agent: findings, provider: openai, with: {results: [], model: gpt-4o, explain: "{{ inputs.explain }}"}}
  never: {agent: findings, provider: openai, with: {results: [], model: gpt-4o}}
"""
    nodes = planned(tmp_path, text)["nodes"]
    assert set(nodes) == {"may"}
    assert nodes["may"]["calls"] == 2
    assert nodes["may"]["most"] == 2 * (128_000 * 2.5 + 4096 * 10) / 1e6
    assert planned(tmp_path, text.replace('"{{ inputs.explain }}"', "false")) is None
