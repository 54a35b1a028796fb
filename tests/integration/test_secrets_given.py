"""Inputs that hold a secret: what nodes would get of them is `***`, so that they are refused before anything runs."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from pipe_runner.errors import UsageError
from pipe_runner.testing import run_pipeline

SECRET = "8135791357913"
PIPELINE = """
version: 1
inputs:
  text: {type: string, default: ""}
  number: {type: integer, default: 0}
  object: {type: object, default: {}}
secrets: {TOK: {from: env}, OTHER: {from: env}}
nodes:
  a: {run: "echo {{ inputs.text }}{{ inputs.number }}{{ inputs.object }}"}
  b: {run: "true", secrets: [TOK, OTHER]}
"""


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("text", f"https://u:{SECRET}@host"),
        ("text", b64encode(SECRET.encode()).decode()),
        ("number", int(SECRET)),
        ("object", {"a": [1, {"b": SECRET}]}),
        ("object", {SECRET: 1}),
    ],
)
def test_s4_an_input_that_holds_a_secret_is_refused_by_name_before_anything_runs(name: str, value: Any) -> None:
    secrets = {"TOK": SECRET, "OTHER": "something else"}
    with pytest.raises(UsageError) as refused:
        run_pipeline(PIPELINE, inputs={name: value}, environ=secrets)
    assert refused.value.message == f"input `{name}` holds the secret TOK"
    assert refused.value.hint is not None and "`secrets: [TOK]`" in refused.value.hint
    assert SECRET not in str(refused.value.message) + refused.value.hint


def test_an_input_that_holds_no_secret_reaches_its_nodes_as_it_is() -> None:
    ran = run_pipeline(PIPELINE, inputs={"text": SECRET[:-1]}, environ={"TOK": SECRET, "OTHER": "something else"})
    assert ran.run.nodes["a"].output == SECRET[:-1] + "0{}"


def test_several_secrets_of_one_provider_are_told_once(tmp_path: Path) -> None:
    secrets = "api_key: {from: env, key: KEY}, headers: {x: {from: env, key: TOK}}"
    entry = f"{{model: m, base_url: 'http://127.0.0.1:9/v1', {secrets}}}"
    (tmp_path / "pipe.yml").write_text(f"version: 1\nproviders: {{openai: {entry}}}\n")
    text = "version: 1\ninputs: {q: {type: string}}\nnodes: {a: {agent: llm, provider: openai, with: {prompt: hi}}}\n"
    environ = {"KEY": "sk-1234567890", "TOK": "tk-0987654321"}
    with pytest.raises(UsageError) as refused:
        run_pipeline(text, root=tmp_path, inputs={"q": " ".join(environ.values())}, environ=environ)
    assert refused.value.message == "input `q` holds a secret of provider openai"
