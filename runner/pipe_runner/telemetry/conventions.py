"""Names of spans, attributes and metrics: OpenTelemetry's semantic conventions for generative AI, and our own.

The conventions are in development still; whatever changes in them changes here. No prompt, answer, output or
sentence of an error is ever an attribute.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

RUN, PIPELINE, NODE, ATTEMPT, AGENT, STATUS = (
    "pipe.run.id",
    "pipe.pipeline.name",
    "pipe.node.id",
    "pipe.attempt",
    "pipe.agent.name",
    "pipe.status",
)
CASE: Final = "pipe.eval.case"
"""Of a run of an evaluation."""
COST: Final = "pipe.usage.cost"
"""US dollars; the conventions have no word for it."""
REPLAYED: Final = "pipe.replayed"
ERROR_TYPE: Final = "error.type"

_PROVIDERS: Final = {"bedrock": "aws.bedrock"}
"""Well-known names of services, where they aren't ours."""

RUN_DURATION: Final = "pipe.run.duration"
NODE_DURATION: Final = "pipe.node.duration"
TOKEN_USAGE: Final = "gen_ai.client.token.usage"
CALL_DURATION: Final = "gen_ai.client.operation.duration"
SECONDS: Final = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
TOKENS: Final = (1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864)


def provider_name(provider: str) -> str:
    return _PROVIDERS.get(provider, provider)


def of_call(data: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes of a model's call; `data` is what `model.called` says."""
    tokens = data.get("tokens") or {}
    found: dict[str, Any] = {
        **of_metric(data),
        "gen_ai.response.model": data.get("answered_by") or data["model"],
        "gen_ai.usage.input_tokens": tokens.get("input"),
        "gen_ai.usage.output_tokens": tokens.get("output"),
        "gen_ai.usage.cache_read.input_tokens": tokens.get("cached"),
        "gen_ai.usage.cache_creation.input_tokens": tokens.get("cache_written"),
        "gen_ai.usage.reasoning.output_tokens": tokens.get("reasoning"),
        "gen_ai.response.id": data.get("request_id"),
        COST: data.get("cost"),
        REPLAYED: data.get("replayed"),
    }
    if data.get("finish"):
        found["gen_ai.response.finish_reasons"] = (data["finish"],)
    return {name: value for name, value in found.items() if value is not None}


def of_metric(data: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes by which calls are counted together."""
    found = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": provider_name(data["provider"]),
        "gen_ai.request.model": data["model"],
    }
    if data.get("error"):
        found[ERROR_TYPE] = data["error"].get("kind", "_OTHER")
    return found


def of_tool(data: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes of a tool's call; `data` is what `tool.called` says."""
    kind = "function" if str(data.get("source", "")).startswith("function:") else "extension"
    found = {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": data.get("tool"),
        "gen_ai.tool.type": kind,
        "pipe.tool.source": data.get("source"),
        REPLAYED: data.get("replayed"),
        ERROR_TYPE: "tool" if data.get("failed") else None,
    }
    return {name: value for name, value in found.items() if value is not None}
