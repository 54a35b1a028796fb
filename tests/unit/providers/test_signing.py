"""Where requests to Bedrock go, and what goes along, is what botocore says, also after its example."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipe_providers.aws_client import client_of
from pipe_providers.signing import Signer
from pipe_runner.registry import ProviderTypes

pytestmark = pytest.mark.usefixtures("nothing_of_this_machine")


def signed(monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], **options: Any) -> Any:
    """What would be sent, and what after its example."""
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    settings = ProviderTypes()["bedrock"].settings("mine", {"region": "us-east-1", **options}, "", os.environ)
    assert settings.missing is None
    client, credentials, bundle = client_of(settings.options)
    signer = Signer(client, credentials, settings)
    words = {"modelId": "m", "messages": [{"role": "user", "content": [{"text": "hi"}]}]}
    return SimpleNamespace(
        first=signer.sign("Converse", words), second=signer.follow("Converse", words), bundle=bundle, signer=signer
    )


@pytest.mark.parametrize(
    ("environ", "address"),
    [
        ({}, "https://bedrock-runtime.us-east-1.amazonaws.com"),
        ({"AWS_USE_FIPS_ENDPOINT": "true"}, "https://bedrock-runtime-fips.us-east-1.amazonaws.com"),
        ({"AWS_USE_DUALSTACK_ENDPOINT": "true"}, "https://bedrock-runtime.us-east-1.api.aws"),
        ({"AWS_ENDPOINT_URL": "https://elsewhere.example"}, "https://elsewhere.example"),
        (
            {
                "AWS_ENDPOINT_URL": "https://elsewhere.example",
                "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": "https://b.example:8",
            },
            "https://b.example:8",
        ),
    ],
)
def test_the_address_is_botocore_s(environ: dict[str, str], address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = signed(monkeypatch, {"AWS_ACCESS_KEY_ID": "AKIDENV", "AWS_SECRET_ACCESS_KEY": "secret", **environ})
    assert found.first.address == address
    assert found.second is not None
    assert found.second[:2] == found.first[:2]


def test_a_bearer_token_goes_along_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    found = signed(monkeypatch, {"AWS_BEARER_TOKEN_BEDROCK": "bearer-secret"})
    assert found.first.headers["Authorization"] == "Bearer bearer-secret"
    assert found.second is not None
    assert found.second.headers["Authorization"] == "Bearer bearer-secret"
    assert "X-Amz-Date" not in found.second.headers


def test_a_provider_that_was_warmed_up_has_an_example_and_has_asked_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    kind = ProviderTypes()["bedrock"]
    provider: Any = kind.open(kind.settings("mine", {"region": "us-east-1"}, "a.model-v1:0", os.environ))
    monkeypatch.setattr("socket.socket.connect", None)
    provider.warm()
    words = {"modelId": "a.model-v1:0", "messages": [{"role": "user", "content": [{"text": "hi"}]}]}
    for operation in ("Converse", "ConverseStream"):
        assert provider._follow(operation, words).address == "https://bedrock-runtime.us-east-1.amazonaws.com"
    assert provider._follow("Converse", {**words, "modelId": "another"}) is None


def test_keys_that_must_be_fetched_are_not_for_a_provider_that_is_warmed_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws/config").write_text(f"[default]\ncredential_process = touch {tmp_path}/asked\n")
    kind = ProviderTypes()["bedrock"]
    provider: Any = kind.open(kind.settings("mine", {"region": "us-east-1"}, "a.model-v1:0", os.environ))
    monkeypatch.setattr("socket.socket.connect", None)
    provider.warm()
    assert not (tmp_path / "asked").exists()


def turns(*texts: str, **more: Any) -> dict[str, Any]:
    roles = ("user", "assistant")
    messages = [{"role": roles[at % 2], "content": [{"text": text}]} for at, text in enumerate(texts)]
    return {"modelId": "m", "messages": messages, **more}


def test_a_body_of_texts_is_botocore_s_also_where_botocore_has_not_made_it(monkeypatch: pytest.MonkeyPatch) -> None:
    signer = signed(monkeypatch, {"AWS_BEARER_TOKEN_BEDROCK": "bearer-secret"}).signer
    tool = {"toolSpec": {"name": "look", "inputSchema": {"json": {"type": "object"}}}}
    kinds: list[dict[str, Any]] = [
        {},
        {"system": [{"text": "Be short."}], "inferenceConfig": {"maxTokens": 3, "temperature": 0.5}},
        {"toolConfig": {"tools": [tool]}, "additionalModelRequestFields": {"k": [1, None]}},
    ]
    for more in kinds:
        for words in (turns("a", **more), turns('wörld "\\ \x01', **more), turns("one", "two", "three", **more)):
            body = signer._serializer.serialize_to_request(words, signer._models["Converse"])["body"]
            assert signer._body("Converse", words) == body
            with monkeypatch.context() as without:
                without.setattr(signer._serializer, "serialize_to_request", None)
                assert signer._body("Converse", words) == body


@pytest.mark.parametrize(
    "more",
    [
        {"inferenceConfig": {"maxTokens": 0}},
        {"inferenceConfig": {"maxTokens": "3"}},
        {"system": [{"text": 3}]},
        {"unheardOf": 1},
    ],
)
def test_what_botocore_lets_not_pass_passes_neither_after_words_that_it_did(
    more: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from botocore.exceptions import ParamValidationError

    signer = signed(monkeypatch, {"AWS_BEARER_TOKEN_BEDROCK": "bearer-secret"}).signer
    for right in ({}, {"inferenceConfig": {"maxTokens": 3}}, {"system": [{"text": "x"}]}):
        signer._body("Converse", turns("a", **right))
    with pytest.raises(ParamValidationError):
        signer._body("Converse", turns("a", **more))
