"""Evaluations in one call, against model services that a test writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio

from pipe_runner.evals.performing import Performing, Result, Surroundings
from pipe_runner.evals.reading import Reading, read_evaluation
from pipe_runner.registry import Registry
from pipe_runner.testing import FakeProvider

PIPELINE = """\
version: 1
inputs: {text: {type: string}}
nodes:
  judge:
    agent: llm
    provider: fake
    with:
      prompt: "How bad is this? {{ inputs.text }}"
      output_schema: {type: object, required: [severity], properties: {severity: {enum: [low, high]}}}
      max_reasks: 0
outputs: {severity: "{{ nodes.judge.output.severity }}"}
"""


def read(folder: Path, text: str, providers: Mapping[str, FakeProvider], pipeline: str = PIPELINE) -> Reading:
    (folder / "pipe.yml").write_text("version: 1\n")
    (folder / "p.yml").write_text(pipeline)
    (folder / "p.eval.yml").write_text(text)
    return read_evaluation(str(folder / "p.eval.yml"), registry_of(providers), shown_as="p.eval.yml")


def registry_of(providers: Mapping[str, FakeProvider]) -> Registry:
    registry = Registry.installed()
    for name, provider in providers.items():
        registry.providers.register(name, provider)
    return registry


def evaluated(
    folder: Path,
    text: str,
    providers: Mapping[str, FakeProvider],
    pipeline: str = PIPELINE,
    *,
    record: str | None = None,
    replay: str | None = None,
    home: str = "home",
    services: Mapping[str, Any] | None = None,
) -> Result:
    reading = read(folder, text, providers, pipeline)
    assert reading.evaluation is not None, reading.diagnostics + reading.pipeline
    evaluation = reading.evaluation
    if services is not None:
        evaluation = replace(evaluation, plan=evaluation.plan._replace(services=services))
    around = Surroundings(str(folder / ".pipe" / home), 1.0, record, replay, {})
    performing = Performing(evaluation, registry_of(providers), around)
    return anyio.run(performing.perform)
