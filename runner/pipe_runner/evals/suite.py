"""An evaluation that has been read: frozen, checked against its pipeline, ready to be performed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipe_runner.expressions.compiled import Compiled
from pipe_runner.plan import Budget, Plan
from pipe_runner.types import Json


@dataclass(frozen=True, slots=True)
class Case:
    """What is asked and what is expected; `line` is where it stands in `path`."""

    name: str
    inputs: Mapping[str, Json]
    expected: Json
    path: str
    line: int


@dataclass(frozen=True, slots=True)
class Judge:
    """A model that judges: a pipeline of one node, run as any other, and the condition on what it answers."""

    plan: Plan
    templates: Mapping[str, Compiled]
    """Its inputs, `prompt` and `system`, made of the sample."""
    passes: Compiled


@dataclass(frozen=True, slots=True)
class Grader:
    """Exactly one of the three is there."""

    name: str
    expression: Compiled | None = None
    schema: Mapping[str, Any] | None = None
    judge: Judge | None = None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """`path` is the file as the user named it, `pipeline` that of its pipeline. Times in seconds."""

    path: str
    pipeline: str
    plan: Plan
    node: str | None
    cases: tuple[Case, ...]
    graders: tuple[Grader, ...]
    samples: int
    concurrency: int
    overall: float
    """The share of all samples that must pass."""
    each: float
    """The share of the samples of each case that must pass."""
    confidence: float
    early_stop: bool
    budget: Budget | None
    max_time: float | None
