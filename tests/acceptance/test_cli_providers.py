"""`pipe providers`, and runs that ask a model over the wire."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from model_servers import DIALECTS, OPENAI, Said, Service

KEY = "canary/+key=0123456789-abcdef"
PROJECT = """
providers:
  mine: {type: openai, base_url: "%s/v1", api_key: {from: env, key: CANARY}, model: m}
"""
PIPELINE = """
version: 1
nodes:
  ask: {agent: llm, provider: mine, with: {prompt: "Say hello."}}
outputs: {said: "{{ nodes.ask.output }}"}
"""


@pytest.fixture
def project(pipe: Any, service: Service) -> Path:
    folder: Path = pipe.folder
    (folder / "pipe.yml").write_text(PROJECT % service.url)
    (folder / "p.yml").write_text(PIPELINE)
    return folder


def test_the_list_has_those_of_pipe_yml_and_the_built_in_ones(pipe: Any, project: Path) -> None:
    done = pipe("providers", env={"CANARY": KEY})
    assert done.returncode == 0
    names = [line.split()[0] for line in done.stdout.splitlines()]
    assert names == ["mine", "bedrock", "openai", "ollama"]
    assert KEY not in done.stdout


def test_s4_one_is_shown_with_where_its_settings_come_from_and_no_key(pipe: Any, project: Path) -> None:
    text = pipe("providers", "mine", env={"CANARY": KEY}).stdout
    assert "api_key: ***  (CANARY)" in text
    data = json.loads(pipe("providers", "mine", "--output", "json", env={"CANARY": KEY}).stdout)
    assert data["settings"]["api_key"] == {"value": "***", "source": "CANARY"}
    assert data["settings"]["base_url"]["source"] == "pipe.yml"
    assert (data["ready"], data["model"], data["type"]) == (True, "m", "openai")
    assert KEY not in text + json.dumps(data)


def test_a_check_asks_and_its_failure_is_the_exit_code(pipe: Any, project: Path, service: Service) -> None:
    service.answers(OPENAI.declines("key", f"wrong key {KEY}"))
    done = pipe("providers", "mine", "--check", env={"CANARY": KEY})
    assert done.returncode == 1
    assert "FAILED" in done.stdout
    assert KEY not in done.stdout + done.stderr
    assert service.asked[-1].headers["authorization"] == f"Bearer {KEY}"


def test_s4_a_key_that_is_too_short_to_be_masked_is_told_and_not_shown(
    pipe: Any, project: Path, service: Service
) -> None:
    told = "a secret of provider mine is shorter than 6 characters and is not masked in outputs"
    env = {"CANARY": "k-9/7"}
    one, listed = pipe("providers", "mine", env=env).stdout, pipe("providers", env=env).stdout
    assert f"  warning: {told}\n" in one
    assert f"ready, but {told}\n" in listed
    data = json.loads(pipe("providers", "mine", "--output", "json", env=env).stdout)
    assert data["warnings"] == [told]
    service.answers(OPENAI.answer(Said()))
    done = pipe("run", "p.yml", env=env)
    assert done.returncode == 0
    assert f"warning    {told}" in done.stderr
    assert "k-9/7" not in one + listed + json.dumps(data) + done.stdout + done.stderr


def test_a_key_that_is_masked_is_no_warning(pipe: Any, project: Path, service: Service) -> None:
    assert "warning" not in pipe("providers", env={"CANARY": KEY}).stdout
    assert json.loads(pipe("providers", "mine", "--output", "json", env={"CANARY": KEY}).stdout)["warnings"] == []
    service.answers(OPENAI.answer(Said()))
    assert "warning" not in pipe("run", "p.yml", env={"CANARY": KEY}).stderr


def test_what_is_missing_is_said(pipe: Any, project: Path) -> None:
    done = pipe("providers", "mine", "--check")
    assert done.returncode == 1
    assert "CANARY is not set" in done.stdout


def test_an_unknown_one_and_a_wrong_pipe_yml_are_usage_errors(pipe: Any, project: Path) -> None:
    done = pipe("providers", "min")
    assert done.returncode == 2
    assert "did you mean 'mine'?" in done.stderr
    (project / "pipe.yml").write_text(f"providers: {{mine: {{type: openai, api_key: '{KEY}'}}}}\n")
    for words in (["providers"], ["check", "pipe.yml"], ["run", "p.yml"]):
        done = pipe(*words)
        assert done.returncode in (1, 2)
        assert "E605" in done.stdout + done.stderr
        assert KEY not in done.stdout + done.stderr


@pytest.mark.parametrize("name", sorted(DIALECTS))
def test_s4_a_run_asks_and_the_key_is_nowhere(pipe: Any, project: Path, service: Service, name: str) -> None:
    dialect = DIALECTS[name]
    said = {"type": name, "model": "m", **dialect.options(service.url)}
    (project / "pipe.yml").write_text(json.dumps({"providers": {"mine": said}}))
    service.decides(dialect.either(Said(("Hello ", KEY))))
    env = {**dialect.environ(KEY), "AWS_EC2_METADATA_DISABLED": "true"}
    done = pipe("run", "p.yml", "--output", "json", env=env)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["outputs"]["said"].startswith("Hello ***")
    service.decides(lambda asked: [dialect.declines("broken", f"because {KEY}")])
    failed = pipe("run", "p.yml", env=env)
    assert failed.returncode == 1
    assert KEY not in done.stdout + done.stderr + failed.stdout + failed.stderr
    for folder, _, files in os.walk(project / ".pipe"):
        for file in files:
            assert KEY.encode() not in Path(folder, file).read_bytes(), file


@pytest.mark.parametrize("name", sorted(DIALECTS))
@pytest.mark.few(1)
def test_v3_a_time_out_after_sending_is_recorded_as_ambiguous(
    pipe: Any, project: Path, service: Service, name: str
) -> None:
    dialect = DIALECTS[name]
    said = {"type": name, "model": "m", **dialect.options(service.url)}
    (project / "pipe.yml").write_text(json.dumps({"providers": {"mine": said}}))
    (project / "p.yml").write_text(PIPELINE.replace("agent: llm,", "agent: llm, timeout: 2s,"))
    service.answers([60.0])
    done = pipe("run", "p.yml", "--output", "json", env=dialect.environ(KEY))
    assert json.loads(done.stdout)["nodes"]["ask"]["error"]["kind"] == "timeout"
    called = [json.loads(line) for line in pipe.log().splitlines() if '"model.called"' in line]
    assert [event["ambiguous"] for event in called] == [True]
