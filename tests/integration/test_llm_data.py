"""What a model says is data: no template, no shell text, no terminal's command; and it is typed, cached and resumed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipe_runner.errors import InvalidPipeline
from pipe_runner.testing import Answer, FakeProvider, run_pipeline

HOSTILE = [
    "{{ inputs }}",
    "{{ secrets.KEY }}{% for x in range(10**9) %}{% endfor %}",
    "$(touch owned)`touch owned`",
    "'; touch owned; '",
    '"; touch owned; "',
    "\n touch owned \n",
    "$PIPE_V1 ${PIPE_V1:-x} \\",
    "\x1b[2J\x07::error::x\n##[command]x",
    "\x00pipe-secret:KEY\x00",
]


@pytest.mark.parametrize("said", HOSTILE)
@pytest.mark.few(4)
def test_s2_s3_what_a_model_says_arrives_whole_and_does_nothing(tmp_path: Path, said: str) -> None:
    text = """
version: 1
secrets: {KEY: {from: env}}
nodes:
  a: {agent: llm, provider: fake, with: {prompt: x}}
  quoted: {run: 'printf %s "{{ nodes.a.output | replace("\\0", "") }}"'}
  bare: {run: "printf %s {{ nodes.a.output | tojson }}"}
  again:
    agent: llm
    provider: fake
    with: {prompt: "{{ nodes.a.output }}", system: "said: {{ nodes.a.output }}"}
  python: {agent: python, with: {call: "builtins:str", args: ["{{ nodes.a.output }}"]}}
outputs: {a: "{{ nodes.a.output }}"}
"""
    model = FakeProvider(said)
    run = run_pipeline(
        text, providers={"fake": model}, root=tmp_path, environ={"KEY": "the-key-itself", "PATH": "/bin:/usr/bin"}
    )
    assert run.status == "succeeded", {name: node.error for name, node in run.run.nodes.items()}
    assert run.output("a") == run.outputs["a"] == run.output("python") == said
    assert json.loads(str(run.output("bare"))) == said
    assert str(run.output("quoted")) == said.replace("\0", "").rstrip("\n")
    assert model.requests[1].messages[-1].text == said
    assert model.requests[1].messages[0].text == f"said: {said}"
    assert not (tmp_path / "owned").exists()
    assert "the-key-itself" not in (run.state_dir / "runs" / run.run.id / "log.jsonl").read_text()


def test_s4_a_model_that_repeats_a_secret_is_masked(tmp_path: Path) -> None:
    key = "sk-canary-0123456789"
    model = FakeProvider(Answer(pieces=["the key is sk-can", "ary-0123456789"]), {"key": key}, secrets=[key])
    text = """
version: 1
nodes:
  a: {agent: llm, provider: fake, with: {prompt: x}}
  b:
    needs: a
    agent: llm
    provider: fake
    with: {prompt: x, output_schema: {type: object, properties: {key: {type: integer}}}, max_reasks: 0}
"""
    run = run_pipeline(text, providers={"fake": model}, root=tmp_path)
    assert run.output("a") == "the key is ***"
    error: Any = run.node("b").error
    assert "***" in error["message"]
    assert key not in repr(run.events)


TYPED = """
version: 1
nodes:
  a:
    agent: llm
    provider: fake
    with:
      prompt: "{{ run.id }}"
      allow_noop: true
      output_schema:
        type: object
        required: [severity]
        properties: {severity: {enum: [low, high]}, parts: {type: array, items: {$ref: "#/$defs/part"}}}
        $defs: {part: {type: object, properties: {name: {type: string}}}}
  act:
    when: nodes.a.output.noop is not defined and nodes.a.output.severity == 'high'
    run: echo {{ nodes.a.output.parts[0].name }}
  cost: {run: "echo {{ nodes.a.usage.calls }}", output: json}
outputs: {severity: "{{ nodes.a.output.severity | default('none') }}"}
"""


def test_readers_are_checked_against_the_schema_and_work(tmp_path: Path) -> None:
    model = FakeProvider({"answer": {"severity": "high", "parts": [{"name": "disk"}]}, "noop": None})
    run = run_pipeline(TYPED, providers={"fake": model}, root=tmp_path)
    assert (run.output("act"), run.output("cost"), run.outputs) == ("disk", 1, {"severity": "high"})
    for old, new in (("severity ==", "severety =="), ("[0].name", "[0].nam"), ("usage.calls", "usage.call")):
        with pytest.raises(InvalidPipeline):
            run_pipeline(TYPED.replace(old, new), providers={"fake": model}, root=tmp_path)


def test_a_noop_skips_who_looks_first(tmp_path: Path) -> None:
    model = FakeProvider({"answer": None, "noop": "all is well"})
    run = run_pipeline(TYPED, providers={"fake": model}, root=tmp_path)
    assert run.statuses == {"a": "succeeded", "act": "skipped", "cost": "succeeded"}
    assert run.outputs == {"severity": "none"}


def cached(tmp_path: Path, model: FakeProvider, options: str, **inputs: Any) -> str:
    text = f"""
version: 1
inputs: {{file: {{type: string, default: a.txt}}}}
nodes: {{a: {{agent: llm, provider: fake, cache: true, with: {options}}}}}
"""
    return run_pipeline(text, providers={"fake": model}, root=tmp_path, inputs=inputs).statuses["a"]


def test_a_cached_answer_is_taken_until_an_option_changes(tmp_path: Path) -> None:
    model = FakeProvider("x")
    told = [
        cached(tmp_path, model, options)
        for options in ("{prompt: x}", "{prompt: x}", "{prompt: y}", "{prompt: x, seed: 1}")
    ]
    assert told == ["succeeded", "cached", "succeeded", "succeeded"]
    assert len(model.requests) == 3


@pytest.mark.parametrize("path", ["a.txt", "{{ inputs.file }}"])
def test_a_cached_answer_counts_the_files_of_its_question(tmp_path: Path, path: str) -> None:
    model, options = FakeProvider("x"), f'{{prompt: x, files: ["{path}"]}}'
    (tmp_path / "a.txt").write_text("one")
    assert [cached(tmp_path, model, options) for _ in range(2)] == ["succeeded", "cached"]
    (tmp_path / "a.txt").write_text("two")
    assert [cached(tmp_path, model, options) for _ in range(2)] == ["succeeded", "cached"]
    (tmp_path / "b.txt").write_text("two")
    if "inputs" in path:
        assert cached(tmp_path, model, options, file="b.txt") == "succeeded"


def test_a_cached_answer_counts_whom_the_project_asks(tmp_path: Path) -> None:
    model = FakeProvider("x")
    for project in ("providers: {fake: {model: one}}", "providers: {fake: {model: two}}"):
        (tmp_path / "pipe.yml").write_text(project + "\n")
        assert [cached(tmp_path, model, "{prompt: x}") for _ in range(2)] == ["succeeded", "cached"]
    assert [request.model for request in model.requests] == ["one", "two"]


def test_a_failure_is_not_cached(tmp_path: Path) -> None:
    model = FakeProvider("no", "1")
    options = "{prompt: x, max_reasks: 0, output_schema: {type: integer}}"
    assert [cached(tmp_path, model, options) for _ in range(3)] == ["failed", "succeeded", "cached"]


def test_items_ask_side_by_side(tmp_path: Path) -> None:
    model = FakeProvider(lambda request: Answer({"n": int(request.messages[-1].text)}, delay=0.2))
    text = """
version: 1
concurrency: 40
nodes:
  each:
    for_each: {items: "{{ range(40) | list }}"}
    agent: llm
    provider: fake
    with: {prompt: "{{ item | string }}", output_schema: {type: object, properties: {n: {type: integer}}}}
  sum:
    agent: python
    with: {call: "builtins:sum", args: ["{{ nodes.each.output | map(attribute='output.n') | list }}"]}
"""
    run = run_pipeline(text, providers={"fake": model}, root=tmp_path)
    assert run.output("sum") == sum(range(40))
    assert model.most >= 30
