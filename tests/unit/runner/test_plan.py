"""A plan survives the way through JSON; a kept plan is found again only while nothing that it depends on changed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipe_runner.plan import (
    Plan,
    PlannedInput,
    PlannedNode,
    RetryPolicy,
    SecretSource,
    Value,
)
from pipe_runner.plancache import FORMAT, KEPT, load_plan, store_plan
from pipe_runner.plandata import plan_from_json, plan_to_json
from pipe_runner.types import Effect, Phase, RunOn

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def built(cls: Any, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries(fields).map(lambda values: cls(**values))


VALUES = built(Value, data=JSON, static=st.booleans())
NODES = built(
    PlannedNode,
    id=st.from_regex(r"[a-z_]{1,8}", fullmatch=True),
    index=st.integers(0, 99),
    phase=st.sampled_from(Phase),
    agent=st.just("shell"),
    options=VALUES,
    needs=st.lists(st.integers(0, 9), max_size=3).map(tuple),
    reads=st.lists(st.integers(0, 9), max_size=3).map(tuple),
    digest=st.text(max_size=5),
    line=st.integers(1, 9),
    column=st.integers(1, 9),
    env=VALUES,
    secrets=st.lists(st.text(max_size=3), max_size=2).map(tuple),
    when=JSON,
    run_on=st.sampled_from(RunOn),
    continue_on_error=st.booleans(),
    retry=built(RetryPolicy, max_attempts=st.integers(1, 5), on=st.lists(st.text(max_size=4), max_size=2).map(tuple)),
    timeout=st.none() | st.floats(0.1, 9),
    effect=st.sampled_from(Effect),
)
PLANS = built(
    Plan,
    name=st.text(max_size=5),
    path=st.just("p.yml"),
    root=st.just("/r"),
    digest=st.just("d"),
    nodes=st.lists(NODES, max_size=4).map(tuple),
    inputs=st.lists(
        built(
            PlannedInput, name=st.just("x"), schema=st.just({}), required=st.booleans(), default=JSON, line=st.just(1)
        ),
        max_size=2,
    ).map(tuple),
    outputs=VALUES,
    env=VALUES,
    secrets=st.just((SecretSource("A", "env", "A"),)),
    concurrency=st.integers(1, 99),
)


@given(PLANS)
def test_a_plan_survives_the_way_through_json(plan: Plan) -> None:
    assert plan_from_json(json.loads(json.dumps(plan_to_json(plan)))) == plan


CONTENT = b"version: 1\n"


def kept(tmp_path: Path) -> tuple[Plan, Path]:
    from hashlib import sha256

    watched = tmp_path / "pipe.yml"
    watched.write_text("{}")
    plan = Plan(name="p", path="p.yml", root="/r", digest=sha256(CONTENT).hexdigest(), nodes=())
    store_plan("p.yml", CONTENT, "/r", str(tmp_path), plan, {"shell": "m:C"}, [str(watched)])
    return plan, watched


def test_an_unchanged_file_finds_its_plan(tmp_path: Path) -> None:
    plan, _ = kept(tmp_path)
    found = load_plan("p.yml", CONTENT, "/r", str(tmp_path))
    assert found is not None
    assert found.plan == plan
    assert found.targets == {"shell": "m:C"}


def test_another_content_root_or_watched_file_is_a_miss(tmp_path: Path) -> None:
    _, watched = kept(tmp_path)
    assert load_plan("p.yml", CONTENT + b"#", "/r", str(tmp_path)) is None
    assert load_plan("p.yml", CONTENT, "/other", str(tmp_path)) is None
    watched.write_text("{ }")
    assert load_plan("p.yml", CONTENT, "/r", str(tmp_path)) is None


@pytest.mark.slow
def test_a_damaged_plan_is_a_miss(tmp_path: Path) -> None:
    kept(tmp_path)
    (file,) = (tmp_path / "cache" / "plans").iterdir()
    whole = file.read_bytes()
    for cut in range(0, len(whole), 7):
        file.write_bytes(whole[:cut])
        assert load_plan("p.yml", CONTENT, "/r", str(tmp_path)) is None
    file.write_bytes(b'{"format":%d,"watched":[],"targets":{},"plan":{"nodes":[{}]}}' % FORMAT)
    assert load_plan("p.yml", CONTENT, "/r", str(tmp_path)) is None


def test_a_state_directory_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    from hashlib import sha256

    (tmp_path / "cache").write_text("in the way")
    plan = Plan(name="p", path="p.yml", root="/r", digest=sha256(CONTENT).hexdigest(), nodes=())
    store_plan("p.yml", CONTENT, "/r", str(tmp_path), plan, {}, [])
    assert load_plan("p.yml", CONTENT, "/r", str(tmp_path)) is None


def test_the_oldest_plans_go_when_there_are_too_many(tmp_path: Path) -> None:
    kept(tmp_path)
    home = tmp_path / "cache" / "plans"
    for i in range(KEPT + 5):
        (home / f"old{i}").write_text("{}")
        os.utime(home / f"old{i}", ns=(i, i))
    kept(tmp_path)
    assert len(list(home.iterdir())) <= KEPT
    assert load_plan("p.yml", CONTENT, "/r", str(tmp_path)) is not None
