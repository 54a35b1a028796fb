"""A key that a service gives back, in whatever part of its answer and form, stands neither in the log nor anywhere
else of what a run writes (S4)."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import anyio
import pytest
from model_servers import Service
from model_servers.service import response

from pipe_providers.faults import excerpt, hiding
from pipe_runner.compiler import compile_text
from pipe_runner.engine import RunSettings, open_run
from pipe_runner.masking import SecretMasker
from pipe_runner.registry import Registry
from pipe_runner.runlog import read_log

KEY = 'CANARYsk-9f8a"7b6&c5d/4e3f2a1b'
BASE64, HEX = base64.b64encode(KEY.encode()).decode(), KEY.encode().hex()


def answer(model: str = "m") -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}
    return {"model": model, "choices": [choice], "usage": {"prompt_tokens": 1, "completion_tokens": 1}}


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(response(answer(KEY)), id="as the model"),
        pytest.param(response(answer(BASE64)), id="as the model, packed"),
        pytest.param(response(answer(), headers={"x-request-id": HEX}), id="as the request's id"),
        pytest.param(response("no", 200, {"Content-Type": KEY}), id="as the type"),
        pytest.param(response(answer(), headers={"Content-Encoding": KEY}), id="as the packing"),
        pytest.param(response({"error": {"message": f"{BASE64} and {HEX.upper()}"}}, 400), id="in an error"),
        pytest.param(response({"error": {"message": f"{'x' * 270} {HEX.upper()}"}}, 401), id="where an error is cut"),
        pytest.param(response({"error": {"message": " " * 65_000 + HEX * 30}}, 400), id="where nobody reads on"),
        pytest.param(response({"error": {"message": "no", "code": KEY}}, 400), id="as a code"),
    ],
)
@pytest.mark.few(4)
def test_s4_a_key_that_a_service_gives_back_is_nowhere_in_what_a_run_writes(
    tmp_path: Path, service: Service, monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    monkeypatch.setenv("KEYED", KEY)
    service.answers(said)
    keyed = f'{{type: openai, base_url: "{service.url}", api_key: {{from: env, key: KEYED}}}}'
    (tmp_path / "pipe.yml").write_text(f"version: 1\nproviders: {{p: {keyed}}}\n")
    registry = Registry.installed()
    text = "version: 1\nnodes: {a: {agent: llm, provider: p, with: {model: m, prompt: x}}}\n"
    plan = compile_text(text, path=str(tmp_path / "p.yml"), root=tmp_path, registry=registry)
    assert plan.plan is not None, plan.diagnostics
    active = open_run(plan.plan, {}, RunSettings(state_dir=tmp_path / ".pipe"), registry=registry)
    run = anyio.run(active.perform)
    (called,) = [e.data for e in read_log(active.rundir.log_path).events if e.event == "model.called"]
    told = json.dumps([called, run.nodes["a"].error, run.nodes["a"].output]).lower()
    for path in (tmp_path / ".pipe").rglob("*"):
        told += path.read_bytes().decode("utf-8", "replace").lower() if path.is_file() else ""
    assert service.asked
    for form in (KEY, json.dumps(KEY)[1:-1], BASE64, HEX):
        for part in (form[:12], form[-12:]):
            assert part.lower() not in told


def test_s4_a_key_that_an_answer_repeats_is_masked_before_it_is_quoted_and_a_replay_asks_the_same(
    tmp_path: Path, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEYED", KEY)
    told = response({**answer(), "choices": [{"message": {"content": json.dumps("x" * 66 + KEY)}}]})
    service.answers(told)
    keyed = f'{{type: openai, base_url: "{service.url}", api_key: {{from: env, key: KEYED}}}}'
    (tmp_path / "pipe.yml").write_text(f"version: 1\nproviders: {{keyed: {keyed}}}\n")
    text = """
version: 1
nodes: {a: {agent: llm, provider: keyed, with: {model: m, prompt: q, output_schema: {type: object}}}}
"""
    registry = Registry.installed()
    plan = compile_text(text, path=str(tmp_path / "p.yml"), root=tmp_path, registry=registry).plan
    assert plan is not None
    said = []
    for how in ("record", "replay"):
        kept: dict[str, Any] = {how: str(tmp_path / "kept")}
        active = open_run(plan, {}, RunSettings(state_dir=tmp_path / ".pipe", **kept), registry=registry)
        error = anyio.run(active.perform).nodes["a"].error
        assert error is not None
        said.append(str(error["message"]))
    assert said[0] == said[1]
    assert said[0].startswith("the answer doesn't fit output_schema after being asked 3 times: at $: must be object")
    assert KEY[:8] not in said[0]


def test_s4_the_first_part_of_a_secret_is_not_left_where_words_are_cut() -> None:
    hide = hiding([KEY], SecretMasker({"k": KEY}).mask_text)
    for before in (250, 280, 295, 298):
        assert "434" not in excerpt("x" * before + HEX, hide)
    for size in range(16_300, 16_400, 7):
        assert "434" not in excerpt(" " * size + HEX + " " * 70_000, hide)
