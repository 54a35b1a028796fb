"""What chat completions count, in the places and words that services have for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from math import inf
from typing import Any

from pipe_providers.answers import count, counted
from pipe_runner.models import Usage

_CACHED = ("cached_tokens", "prompt_cache_hit_tokens", "cache_read_input_tokens")
"""Most in their details, Moonshot beside them; DeepSeek; LiteLLM."""
_WRITTEN = ("cache_write_tokens", "cache_creation_tokens", "cache_creation_input_tokens")
"""OpenAI and OpenRouter; LiteLLM, in its details and beside them."""


def usage_of(data: Any) -> Usage | None:
    if not isinstance(data, dict):
        return None
    cached = next(_parts(data, _CACHED), 0) or 0  # the others cost more
    reasoning = _detail(data.get("completion_tokens_details"), "reasoning_tokens")
    written = [0, *_parts(data, _WRITTEN)]
    if None in written:  # they may cost more than others
        return None
    heard = _detail(data.get("prompt_tokens_details"), "audio_tokens") or 0
    read, wrote = count(data.get("prompt_tokens")), count(data.get("completion_tokens"))
    if read is not None and wrote is not None:  # some count what was thought in the total only
        wrote = max(wrote, (count(data.get("total_tokens")) or 0) - read)
    return counted(read, wrote, cached, max(one or 0 for one in written), reasoning, heard)


def _parts(data: Mapping[str, Any], names: Iterable[str]) -> Iterator[int | None]:
    """What is said under these names of what was read, in its details and beside them; None is no number of tokens."""
    details = data.get("prompt_tokens_details")
    for where in (details if isinstance(details, dict) else {}, data):
        yield from (count(where[name]) for name in names if where.get(name) is not None)


def _detail(details: Any, name: str) -> int | None:
    return count(details.get(name) if isinstance(details, dict) else details, missing=0)


def counts_in(data: Mapping[str, Any], choice: Mapping[str, Any] | None = None) -> Any:
    """The usage in an answer, or in a part of one: Moonshot says it in the last choice, Groq in a field of its own."""
    own = data.get("x_groq")
    return data.get("usage") or (choice or {}).get("usage") or (own.get("usage") if isinstance(own, dict) else None)


def charged(data: Any) -> float | None:
    """US dollars that a router says it asks, with those of a service that is paid with a key of one's own; None where
    it doesn't say all."""
    if not isinstance(data, dict):
        return None
    details = data.get("cost_details")
    own: Any = data.get("cost")
    behind: Any = details.get("upstream_inference_cost") if isinstance(details, dict) else None
    if data.get("is_byok") is False or (behind is None and not data.get("is_byok")):
        behind = 0
    if not (_is_amount(own) and _is_amount(behind)):
        return None
    return float(own + behind)


def _is_amount(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value < inf
