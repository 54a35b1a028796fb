"""S4: a kept plan holds no value of a service's settings, and is nobody else's to read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipe_runner.compiler import compile_file
from pipe_runner.plan import Plan
from pipe_runner.plancache import load_plan, store_plan
from pipe_runner.registry import Registry

PROJECT = """\
version: 1
providers:
  s:
    type: openai
    base_url: "http://127.0.0.1:9/v1"
    model: m
    query: {api-key: plain-query-key}
    headers: {X-Api-Token: "plain header", from: me}
    extra_body: {pin: 907856341, reasoning: {effort: "lów", warm: 0.25, deep: true}}
    prices: {"*": {input: 1, output: 10}}
    limits: {rpm: 5}
  t: {type: openai, base_url: "https://h.example/v1", api_key: {from: env, key: T_KEY}}
mcp_servers:
  tools: {command: [prog, --token, plain-argument], env: {A: plain-env}}
"""
PIPELINE = """\
version: 1
nodes:
  a: {agent: llm, provider: s, with: {prompt: hi}}
  b: {pipeline: sub.yml}
"""
SUB = "version: 1\nnodes:\n  c: {agent: llm, provider: t, with: {prompt: hi}}\n"
SECRET = ("plain-query-key", "907856341", "plain header", "plain-argument", "plain-env", "127.0.0.1:9")


def kept(root: Path, project: str) -> tuple[Plan, bytes]:
    (root / "pipe.yml").write_text(project)
    (root / "sub.yml").write_text(SUB)
    (root / "p.yml").write_text(PIPELINE)
    found = compile_file(str(root / "p.yml"), root=root, registry=Registry.installed())
    assert found.plan is not None, found.diagnostics
    content = PIPELINE.encode()
    store_plan("p.yml", content, str(root), str(root / ".pipe"), found.plan, found.targets, found.watched, found.files)
    return found.plan, content


def plans(root: Path) -> list[Path]:
    return list((root / ".pipe/cache/plans").iterdir()) if (root / ".pipe").exists() else []


def test_s4_a_kept_plan_holds_no_value_of_a_service_and_gives_all_back(tmp_path: Path) -> None:
    root = tmp_path.resolve()
    plan, content = kept(root, PROJECT)
    (file,) = plans(root)
    text = file.read_text()
    assert [one for one in SECRET if one in text] == []
    found = load_plan("p.yml", content, str(root), str(root / ".pipe"))
    assert found is not None
    assert found.plan.services == plan.services
    assert found.plan.services["providers"]["s"]["extra_body"]["pin"] == 907856341
    (inner,) = found.plan.subplans.values()
    assert inner.services == plan.services


def test_s4_a_kept_plan_is_for_its_owner_alone(tmp_path: Path) -> None:
    kept(tmp_path.resolve(), PROJECT)
    (file,) = plans(tmp_path)
    assert os.stat(file).st_mode & 0o777 == 0o600


@pytest.mark.parametrize("change", ["  headers: {}\n", ""])
def test_another_pipe_yml_is_a_miss(tmp_path: Path, change: str) -> None:
    root = tmp_path.resolve()
    _, content = kept(root, PROJECT)
    (root / "pipe.yml").write_text("version: 1\n" + change)
    assert load_plan("p.yml", content, str(root), str(root / ".pipe")) is None


def test_s4_values_that_are_written_in_another_way_than_they_read_are_not_kept(tmp_path: Path) -> None:
    root = tmp_path.resolve()
    _, content = kept(root, PROJECT.replace("plain-query-key", '"plain-\\x71uery-key"'))
    assert plans(root) == []
    assert load_plan("p.yml", content, str(root), str(root / ".pipe")) is None
