"""An evaluation (`*.eval.yml`): cases that a pipeline is run over again and again, and what grades the answers."""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

from pydantic import Field, Tag

from pipe_schemas.fields import BudgetSpec, Closed, Identifier, Text, Version, by_shape
from pipe_schemas.nodes import Providers

Rate: TypeAlias = Annotated[float, Field(ge=0, le=1, strict=False)]


class EvalCaseSpec(Closed):
    """One thing that is asked, and what is expected of the answer."""

    name: Text | None = Field(default=None, description="How it is called; `case N` by default.")
    inputs: dict[str, Any] = Field(default_factory=dict, description="Inputs of the run; others have their defaults.")
    expected: Any = Field(default=None, description="Anything that graders compare with.")


class ModelGraderSpec(Closed):
    """A model that judges an answer."""

    provider: Providers = Field(description="The model service that is asked.")
    model: Text | None = Field(default=None, description="The model; the provider's own by default.")
    system: Text | None = Field(default=None, description="What the model is told first.")
    prompt: Text = Field(description="What it is asked. Templates read `output`, `expected`, `inputs` and `case`.")
    output_schema: dict[str, Any] | None = Field(default=None, description="JSON Schema of what the model answers.")
    max_tokens: Annotated[int, Field(ge=1)] | None = Field(default=None, description="Of its answer, at most.")
    temperature: Annotated[float, Field(ge=0, le=2, strict=False)] | None = Field(
        default=None, description="How much its answers vary; 0 by default."
    )
    pass_: Text = Field(
        alias="pass", description="A condition over `answer`, which is what the model said.", examples=["answer.good"]
    )


class GraderSpec(Closed):
    """What an answer must be; exactly one key."""

    expression: Text | None = Field(
        default=None,
        description="A condition over `output`, `expected`, `inputs`, `case`, `duration`, `tokens` and `cost`.",
        examples=["output.severity == expected.severity"],
    )
    schema_: dict[str, Any] | None = Field(
        default=None, alias="schema", description="A JSON Schema that the output fits."
    )
    model: ModelGraderSpec | None = Field(default=None, description="A model that judges it.")


class ThresholdSpec(Closed):
    """Which share of the samples must pass."""

    overall: Rate = Field(default=1.0, description="Of all samples together.")
    case: Rate = Field(default=0.0, description="Of the samples of each case.")


Threshold: TypeAlias = Annotated[
    Annotated[Rate, Tag("<rate>")] | Annotated[ThresholdSpec, Tag("<map>")], by_shape(rate=(int, float), map=dict)
]


class EvalSpec(Closed):
    """An evaluation of a pipeline, or of one of its nodes."""

    version: Version = Field(description="The version of the language: 1.")
    description: str | None = Field(default=None, description="For people.")
    pipeline: Text | None = Field(
        default=None,
        description="The pipeline file, relative to this one; by default the one beside it: x.yml for x.eval.yml.",
    )
    node: Text | None = Field(
        default=None, description="Runs only this node and what it needs, and grades its output, not the pipeline's."
    )
    cases: list[EvalCaseSpec] | None = Field(default=None, description="The cases; or a `file` of them.")
    file: Text | None = Field(
        default=None, description="Cases in a file, one JSON object a line (JSONL), relative to this file."
    )
    graders: dict[Identifier, GraderSpec] = Field(
        description="What each output must be, by name; a sample passes where all say so.",
        json_schema_extra={"minProperties": 1},
    )
    samples: Annotated[int, Field(ge=1, le=10000)] = Field(default=1, description="Runs of each case.")
    concurrency: Annotated[int, Field(ge=1, le=1000)] = Field(default=4, description="Runs at the same time.")
    threshold: Threshold = Field(
        default=1.0, description="The share of samples that must pass: overall, or a map that says more."
    )
    confidence: Annotated[float, Field(ge=0.5, le=0.9999, strict=False)] = Field(
        default=0.95, description="Of the bounds of pass rates, and of an early stop."
    )
    early_stop: bool = Field(default=True, description="Stop when more samples would hardly change the result.")
    budget: BudgetSpec | None = Field(default=None, description="Of the whole evaluation, model graders included.")


__all__ = ["EvalCaseSpec", "EvalSpec", "GraderSpec", "ModelGraderSpec", "ThresholdSpec"]
