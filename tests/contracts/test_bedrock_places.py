"""Bedrock is asked where boto3 would ask, in the same words of environment and files."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import boto3
import pytest
from model_servers import BEDROCK, Service

from pipe_runner.models import Message, ModelFault, ModelRequest, ModelResponse, ProviderSettings, Reason
from pipe_runner.registry import ProviderTypes

REQUEST = ModelRequest("m", (Message("user", "Say hello."),))
KEYS = "aws_access_key_id = AKID%s\naws_secret_access_key = s\n"


@pytest.fixture(autouse=True)
def empty_folder(nothing_of_this_machine: None, tmp_path: Path) -> None:
    (tmp_path / ".aws").mkdir()


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")


def settings(**options: Any) -> ProviderSettings:
    return ProviderTypes()["bedrock"].settings("mine", options, "", os.environ)


def ask(given: ProviderSettings) -> ModelResponse:
    assert given.missing is None

    async def asked() -> ModelResponse:
        provider = ProviderTypes()["bedrock"].open(given)
        try:
            return await provider.generate_with_metadata(REQUEST._replace(timeout=20))
        finally:
            await provider.close()

    return asyncio.run(asked())


def fault(given: ProviderSettings) -> ModelFault:
    with pytest.raises(ModelFault) as raised:
        ask(given)
    return raised.value


# ---------------------------------------------------------------- region and profile


def test_of_two_variables_for_a_profile_the_one_counts_that_boto3_takes(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".aws/credentials").write_text(f"[x]\n{KEYS % 'X'}[y]\n{KEYS % 'Y'}")
    monkeypatch.setenv("AWS_PROFILE", "x")
    monkeypatch.setenv("AWS_DEFAULT_PROFILE", "y")
    service.decides(BEDROCK.either())
    ask(settings(region="us-east-1", endpoint_url=service.url))
    theirs = boto3.Session().get_credentials()
    assert theirs is not None
    assert theirs.access_key == "AKIDY"
    assert "Credential=AKIDY/" in service.asked[-1].headers["authorization"]


@pytest.mark.parametrize("case", ["credentials", "quoted", "tilde", "both"])
def test_the_region_is_found_where_boto3_finds_it(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / ".aws/config"
    if case == "credentials":
        (tmp_path / ".aws/credentials").write_text("[default]\nregion = eu-west-3\n")
    elif case == "quoted":
        config.write_text('[profile "my prod"]\nregion = eu-west-3\n')
        monkeypatch.setenv("AWS_PROFILE", "my prod")
    elif case == "tilde":
        (tmp_path / "cfg").write_text("[default]\nregion = eu-west-3\n")
        monkeypatch.setenv("AWS_CONFIG_FILE", "~/cfg")
    else:
        config.write_text("[default]\nregion = us-east-2\n")
        (tmp_path / ".aws/credentials").write_text("[default]\nregion = eu-west-3\n")
    given = settings()
    assert given.options["region"] == "eu-west-3" == boto3.Session().region_name


@pytest.mark.parametrize("text", ["[default", "[default]\nregion =\n", "\0\xff"])
def test_files_that_nobody_can_read_give_no_region(text: str, tmp_path: Path) -> None:
    (tmp_path / ".aws/config").write_bytes(text.encode("latin-1"))
    assert "there is no region" in str(settings().missing)


# ---------------------------------------------------------------- addresses


def test_an_address_that_is_to_be_ignored_is(keys: None, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipe_providers.aws_client import client_of, for_botocore

    monkeypatch.setenv("AWS_ENDPOINT_URL", service.url)
    assert client_of(for_botocore(settings(region="us-east-1")))[0].meta.endpoint_url == service.url
    monkeypatch.setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")
    given = settings(region="us-east-1")
    assert "endpoint_url" not in given.options
    assert "amazonaws.com" in client_of(for_botocore(given))[0].meta.endpoint_url
    named = settings(region="us-east-1", endpoint_url=service.url)
    assert client_of(for_botocore(named))[0].meta.endpoint_url == service.url, "pipe.yml stands over it"


def test_a_file_may_say_that_addresses_are_to_be_ignored(
    keys: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipe_providers.aws_client import client_of, for_botocore

    (tmp_path / ".aws/config").write_text("[default]\nignore_configured_endpoint_urls = true\n")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    assert "amazonaws.com" in client_of(for_botocore(settings(region="us-east-1")))[0].meta.endpoint_url


def test_s4_an_address_of_a_file_is_held_to_tls_too(keys: None, tmp_path: Path, service: Service) -> None:
    config = tmp_path / ".aws/config"
    config.write_text("[default]\nendpoint_url = http://bedrock.invalid:8080\n")
    for _ in range(2):
        said = fault(settings(region="us-east-1"))
        assert (said.reason, said.sent) == (Reason.CREDENTIALS, False)
        assert "bedrock.invalid:8080 unencrypted" in said.message
        assert "insecure: true" in said.message
    said = fault(settings(region="us-east-1", insecure=True))
    assert "no connection" in said.message
    config.write_text(f"[default]\nendpoint_url = {service.url}\n")
    service.decides(BEDROCK.either())
    assert ask(settings(region="us-east-1")).text == "Hello wörld"


# ---------------------------------------------------------------- a token


def test_s4_a_bearer_token_is_hidden_also_beside_a_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "canary-bearer")
    given = settings(region="us-east-1", profile="work")
    assert given.secrets == ("canary-bearer",)
    assert given.sources["bearer_token"] == "AWS_BEARER_TOKEN_BEDROCK"
    assert "canary" not in repr(given)


@pytest.mark.parametrize("host", ["LOCALHOST", "LocalHost"])
def test_a_host_in_capitals_is_sent_as_it_is_signed(keys: None, host: str, service: Service) -> None:
    from pipe_providers.signing import Signer

    service.decides(BEDROCK.either())
    signs: list[str] = []
    real = Signer.sign
    url = f"http://{host}:{service.port}/Prefix/x/"

    async def thrice() -> None:
        provider = ProviderTypes()["bedrock"].open(settings(region="us-east-1", endpoint_url=url))
        for _ in range(3):
            await provider.generate(REQUEST)
        await provider.close()

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Signer, "sign", lambda self, name, words: (signs.append(name), real(self, name, words))[1])
        asyncio.run(thrice())
    assert {asked.headers["host"] for asked in service.asked} == {f"localhost:{service.port}"}
    assert {asked.path for asked in service.asked} == {"/Prefix/x/model/m/converse"}
    assert len(signs) == 1, "the first is an example for the others"
