"""Which names of models are only aliases."""

from __future__ import annotations

import pytest

from pipe_runner.lockfile.names import is_alias

ALIASES = [
    ("openai", "gpt-4o"),
    ("openai", "gpt-4o-mini"),
    ("openai", "gpt-4.1"),
    ("openai", "gpt-3.5-turbo"),
    ("openai", "o3-mini"),
    ("openai", "o1"),
    ("openai", "chatgpt-4o-latest"),
    ("openai", "openai/gpt-5"),
    ("ollama", "llama3.2"),
    ("ollama", "llama3.2:latest"),
    ("ollama", "hf.co/bartowski/Llama-3.2-1B-Instruct-GGUF"),
    ("bedrock", "us.anthropic.claude-3-5-sonnet-20241022-v2:0"),
    ("bedrock", "us-gov.anthropic.claude-3-haiku-20240307-v1:0"),
    ("bedrock", "global.anthropic.claude-sonnet-4-20250514-v1:0"),
    ("bedrock", "arn:aws:bedrock:us-east-1:111122223333:inference-profile/us.amazon.nova-pro-v1:0"),
    ("bedrock", "arn:aws:bedrock:us-east-1:111122223333:application-inference-profile/abc"),
    ("bedrock", "arn:aws:bedrock:us-east-1:111122223333:default-prompt-router/anthropic.claude:1"),
    ("plugin", "claude-3-5-sonnet-latest"),
    (None, "latest"),
]
FIXED = [
    ("openai", "gpt-4o-2024-08-06"),
    ("openai", "gpt-4o-mini-2024-07-18"),
    ("openai", "gpt-4-0613"),
    ("openai", "gpt-3.5-turbo-0125"),
    ("openai", "gpt-4-0125-preview"),
    ("openai", "o3-mini-2025-01-31"),
    ("openai", "ft:gpt-4o-mini-2024-07-18:acme::abc"),
    ("openai", "meta-llama/Llama-3.1-8B-Instruct"),
    ("openai", "gpt-oss-20b"),
    ("openai", "fastest"),
    ("ollama", "llama3.2:3b"),
    ("ollama", "registry.local:5000/llama3.2:3b"),
    ("bedrock", "anthropic.claude-3-5-sonnet-20241022-v2:0"),
    ("bedrock", "amazon.nova-pro-v1:0"),
    ("bedrock", "arn:aws:bedrock:us-east-1:111122223333:provisioned-model/abc"),
    ("plugin", "gpt-4o"),
]


@pytest.mark.parametrize(("kind", "model"), ALIASES)
def test_a_name_that_leads_to_another_model_some_day_is_an_alias(kind: str | None, model: str) -> None:
    assert is_alias(kind, model)


@pytest.mark.parametrize(("kind", "model"), FIXED)
def test_a_name_of_one_model_or_one_that_nobody_knows_is_none(kind: str | None, model: str) -> None:
    assert not is_alias(kind, model)
