"""A stop ends who waits for a model at once: the log has the call's end, and what it may have cost stays counted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import anyio
import pytest

from pipe_runner.compiler import compile_text
from pipe_runner.engine import RunSettings, open_run
from pipe_runner.models import ModelRequest, ModelResponse, Pieces
from pipe_runner.registry import Registry
from pipe_runner.runlog import read_log
from pipe_runner.testing import Answer, FakeProvider, FinishedRun

GRACE, SOON = 60.0, 15.0
BUDGET = "budget: {max_tokens: 1000000}\n"
NODE = "a: {agent: llm, provider: fake, with: {prompt: x}}"


class Slow(FakeProvider):
    """Answers by its script, and then no more."""

    def __init__(self, *script: Any) -> None:
        super().__init__(*script)
        self._left = len(script)
        self.hangs = 0

    async def generate_with_metadata(self, request: ModelRequest, on_piece: Pieces | None = None) -> ModelResponse:
        self._left -= 1
        if self._left < 0:
            self.hangs += 1
            await asyncio.sleep(10 * GRACE)
        return await super().generate_with_metadata(request, on_piece)


def perform(
    root: Path,
    model: Slow,
    nodes: str,
    *,
    top: str = BUDGET,
    stop: Callable[[], bool] | None = None,
    functions: Mapping[str, Callable[..., Any]] | None = None,
) -> FinishedRun:
    registry = Registry.installed()
    registry.providers.register("fake", model)
    for name, function in (functions or {}).items():
        registry.tools.register(name, function)
    text = f"version: 1\n{top}nodes:\n  {nodes}\n"
    plan = compile_text(text, path=str(root / "p.yml"), root=root, registry=registry)
    assert plan.plan is not None, plan.diagnostics
    active = open_run(plan.plan, {}, RunSettings(state_dir=root / ".pipe", grace=GRACE), registry=registry)

    async def do() -> Any:
        loop = asyncio.get_running_loop()

        def look() -> None:
            if stop is not None and stop():
                active.stop("SIGINT")
            elif stop is not None:
                loop.call_later(0.02, look)

        look()
        return await active.perform()

    began = time.monotonic()
    run = anyio.run(do)
    assert time.monotonic() - began < SOON
    return FinishedRun(run, list(read_log(active.rundir.log_path).events), root, root / ".pipe")


def calls(run: FinishedRun) -> list[tuple[str, Mapping[str, Any]]]:
    return [(event.event, event.data) for event in run.events if event.event.startswith("model.")]


def test_a_signal_ends_a_call_at_once_and_what_was_set_aside_stays_counted(tmp_path: Path) -> None:
    model = Slow()
    run = perform(tmp_path, model, NODE, stop=lambda: model.hangs > 0)
    assert (run.status, run.node("a").status) == ("cancelled", "cancelled")
    (reserved, held), (called, end) = calls(run)
    assert (reserved, called) == ("model.reserved", "model.called")
    assert end["call"] == held["call"]
    assert end["ambiguous"] is True
    assert run.run.ledger is not None
    assert run.run.ledger.total.tokens == held["tokens"] > 0


@pytest.mark.parametrize("nodes", [NODE, "a: {pipeline: inner.yml}"], ids=["node", "sub-pipeline"])
def test_the_end_of_a_run_s_time_ends_a_call_at_once(tmp_path: Path, nodes: str) -> None:
    (tmp_path / "inner.yml").write_text(f"version: 1\nnodes:\n  {NODE}\n")
    run = perform(tmp_path, Slow(), nodes, top="budget: {max_time: 1s}\n")
    assert run.status == "failed"
    error = run.node("a").error
    assert error is not None
    assert error["kind"] == "run_timeout"


def test_a_sub_pipeline_s_timeout_ends_a_call_at_once(tmp_path: Path) -> None:
    (tmp_path / "inner.yml").write_text(f"version: 1\nnodes:\n  {NODE}\n")
    run = perform(tmp_path, Slow(), "a: {pipeline: inner.yml, timeout: 1s}")
    assert run.status == "failed"


def test_a_tool_has_the_grace_and_no_call_follows_it(tmp_path: Path) -> None:
    begun: list[int] = []
    ended: list[int] = []

    def work() -> int:
        begun.append(1)
        time.sleep(1)
        ended.append(1)
        return 1

    model = Slow(Answer(tools=[("work", {})]))
    node = 'a: {agent: llm, provider: fake, with: {prompt: x, tools: ["function:work"]}}'
    run = perform(tmp_path, model, node, stop=lambda: bool(begun), functions={"work": work})
    assert run.node("a").status == "cancelled"
    assert ended == [1]
    assert model.hangs == 0
    assert [name for name, _ in calls(run)] == ["model.reserved", "model.called"]
    (told,) = [event.data for event in run.events if event.event == "tool.called"]
    assert "failed" not in told
