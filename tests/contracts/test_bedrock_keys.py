"""Where Bedrock's keys come from, and what is told where they can't be had."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest
from model_servers import BEDROCK, Service

from pipe_runner.models import Message, ModelFault, ModelRequest, ModelResponse, Reason
from pipe_runner.registry import ProviderTypes

REQUEST = ModelRequest("m", (Message("user", "Say hello."),))


@pytest.fixture(autouse=True)
def nothing_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def ask(service: Service, **options: Any) -> ModelResponse:
    kind = ProviderTypes()["bedrock"]
    given = {"endpoint_url": service.url, "region": "eu-central-1", **options}
    settings = kind.settings("mine", given, "", os.environ)
    assert settings.missing is None

    async def asked() -> ModelResponse:
        provider = kind.open(settings)
        try:
            return await provider.generate_with_metadata(REQUEST)
        finally:
            await provider.close()

    service.decides(BEDROCK.either())
    return asyncio.run(asked())


def authorization(service: Service) -> str:
    return str(service.asked[-1].headers["authorization"])


def test_keys_of_the_environment_sign(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "session")
    ask(service)
    assert "Credential=AKIDENV/" in authorization(service)
    assert "eu-central-1/bedrock" in authorization(service)
    assert service.asked[-1].headers["x-amz-security-token"] == "session"


def test_a_bearer_token_is_taken_and_goes_over_tls_only(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "bearer-secret")
    with pytest.raises(ModelFault) as raised:
        ask(service)
    assert "HTTPS" in raised.value.message
    assert "bearer-secret" not in raised.value.message
    assert service.asked == []


def test_a_profile_s_keys_sign(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".aws").mkdir()
    text = "[default]\naws_access_key_id=AKIDDEFAULT\naws_secret_access_key=s\n"
    text += "[work]\naws_access_key_id=AKIDWORK\naws_secret_access_key=s\n"
    (tmp_path / ".aws/credentials").write_text(text)
    ask(service)
    assert "Credential=AKIDDEFAULT/" in authorization(service)
    ask(service, profile="work")
    assert "Credential=AKIDWORK/" in authorization(service)
    monkeypatch.setenv("AWS_PROFILE", "work")
    ask(service)
    assert "Credential=AKIDWORK/" in authorization(service)
    (tmp_path / "elsewhere").write_text(text.replace("AKIDWORK", "AKIDELSE"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "elsewhere"))
    ask(service)
    assert "Credential=AKIDELSE/" in authorization(service)


def test_no_keys_and_no_such_profile_are_told(service: Service) -> None:
    for options in ({}, {"profile": "nowhere"}):
        with pytest.raises(ModelFault) as raised:
            ask(service, **options)
        assert (raised.value.reason, raised.value.sent) == (Reason.CREDENTIALS, False)
        assert "AWS_ACCESS_KEY_ID" in raised.value.message
    assert service.asked == []
