"""What a provider is set up with: pipe.yml, the usual variables, and what is told of what is missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipe_providers.bedrock import BedrockType
from pipe_providers.ollama import OllamaType, address
from pipe_providers.openai import OpenAiType
from pipe_runner.models import ProviderSettings

KEY = {"from": "env", "key": "MINE"}


def openai(options: dict[str, Any] | None = None, **environ: str) -> ProviderSettings:
    return OpenAiType().settings("openai", options or {}, "", environ)


def ollama(options: dict[str, Any] | None = None, **environ: str) -> ProviderSettings:
    return OllamaType().settings("ollama", options or {}, "", environ)


def bedrock(options: dict[str, Any] | None = None, **environ: str) -> ProviderSettings:
    return BedrockType().settings("bedrock", options or {}, "", {"HOME": "/nowhere", **environ})


def test_openai_is_set_up_from_its_usual_variables() -> None:
    found = openai(
        OPENAI_API_KEY="sk-1", OPENAI_BASE_URL="https://a.example/v1/", OPENAI_ORG_ID="o", OPENAI_PROJECT_ID="p"
    )
    assert found.missing is None
    assert (found.options["api_key"], found.options["organization"], found.options["project"]) == ("sk-1", "o", "p")
    assert found.sources["base_url"] == "OPENAI_BASE_URL"
    assert found.secrets == ("sk-1",)


def test_pipe_yml_stands_over_variables() -> None:
    found = openai(
        {"base_url": "http://localhost:1/v1", "api_key": KEY}, OPENAI_BASE_URL="https://a", MINE="k", OPENAI_API_KEY="x"
    )
    assert (found.options["base_url"], found.options["api_key"]) == ("http://localhost:1/v1", "k")
    assert (found.sources["base_url"], found.sources["api_key"]) == ("pipe.yml", "MINE")


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8000/v1", "http://localhost/v1", "http://[::1]:1/v1", "http://a.localhost"]
)
def test_loopback_needs_no_key_and_takes_the_usual_one(url: str) -> None:
    assert openai({"base_url": url}).missing is None
    assert openai({"base_url": url}, OPENAI_API_KEY="sk-1").options["api_key"] == "sk-1"


def test_without_a_key_openai_says_how_to_give_one() -> None:
    missing = openai().missing
    assert missing is not None
    assert "OPENAI_API_KEY" in missing


def test_s4_the_usual_key_does_not_go_to_an_address_that_a_file_brings() -> None:
    found = openai({"base_url": "https://elsewhere.example/v1"}, OPENAI_API_KEY="sk-1")
    assert "sk-1" not in found.secrets
    assert found.missing is not None
    assert "api_key" in found.missing
    assert openai({"base_url": "https://elsewhere.example/v1", "api_key": KEY}, MINE="k").missing is None


def test_s4_a_key_goes_over_tls_unless_pipe_yml_says_otherwise() -> None:
    plain = {"base_url": "http://10.0.0.5/v1", "api_key": KEY}
    assert "unencrypted" in str(openai(plain, MINE="k").missing)
    assert openai({**plain, "insecure": True}, MINE="k").missing is None
    assert openai({"base_url": "http://10.0.0.5/v1"}).missing is None, "where there is no key none is shown"


def test_a_header_may_be_the_key() -> None:
    headers = {"api-key": {"from": "env", "key": "MINE"}, "X-Plain": "a"}
    found = openai({"base_url": "https://x.example", "headers": headers}, MINE="k-1")
    assert found.missing is None
    assert found.options["headers"] == {"api-key": "k-1", "X-Plain": "a"}
    assert found.secrets == ("k-1",)
    assert "k-1" not in repr(found)


def test_a_secret_may_stand_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("from-file\n")
    options = {"base_url": "https://x.example", "api_key": {"from": "file", "key": str(file)}}
    assert openai(options).options["api_key"] == "from-file"
    file.write_text("")
    assert "is empty" in str(openai(options).missing)
    file.unlink()
    assert "can't be read" in str(openai(options).missing)


@pytest.mark.parametrize("value", ["a\nb", "ä-key", "a\x00b"])
def test_a_key_that_no_header_carries_is_told_and_not_shown(value: str) -> None:
    found = openai(OPENAI_API_KEY=value)
    assert "OPENAI_API_KEY" in str(found.missing)
    assert value not in str(found.missing)


@pytest.mark.parametrize(
    "url", ["ftp://x", "x", "http://", "http://x:99999/", "http://x?a=canary", "http://me:canary@x/v1"]
)
def test_an_address_that_is_none_is_told_and_shows_no_secret(url: str) -> None:
    found = openai(OPENAI_BASE_URL=url, OPENAI_API_KEY="sk-1")
    assert "OPENAI_BASE_URL" in str(found.missing)
    assert "canary" not in repr(found)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:11434"),
        ("127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("0.0.0.0:8080", "http://127.0.0.1:8080"),
        (":8080", "http://127.0.0.1:8080"),
        ("gpu-box", "http://gpu-box:11434"),
        ("gpu-box:1", "http://gpu-box:1"),
        ("http://gpu-box", "http://gpu-box:80"),
        ("https://gpu-box", "https://gpu-box:443"),
        ("https://gpu-box:8443/ollama/", "https://gpu-box:8443/ollama"),
        ("[::1]", "http://[::1]:11434"),
        ("[::1]:8080", "http://[::1]:8080"),
        ("::1", "http://[::1]:11434"),
        ("[::]:8080", "http://[::1]:8080"),
        ('"gpu-box"', "http://gpu-box:11434"),
    ],
)
def test_ollama_s_host_is_read_in_its_usual_spellings(host: str, url: str) -> None:
    assert address(host) == url
    assert ollama(OLLAMA_HOST=host).options["base_url"] == url


@pytest.mark.parametrize(
    ("environ", "proxy"),
    [
        ({}, None),
        ({"HTTPS_PROXY": "http://p:1"}, "http://p:1"),
        ({"https_proxy": "p:1"}, "http://p:1"),
        ({"HTTP_PROXY": "http://p:1"}, None),
        ({"ALL_PROXY": "http://p:1"}, "http://p:1"),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "localhost, .example.com"}, None),
        ({"HTTPS_PROXY": "http://p:1", "no_proxy": "api.example.com"}, None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "*"}, None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "example.com:443"}, None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "example.com:8443"}, "http://p:1"),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "ample.com"}, "http://p:1"),
    ],
)
def test_a_proxy_is_used_where_pipe_yml_wants_one(environ: dict[str, str], proxy: str | None) -> None:
    options = {"base_url": "https://api.example.com/v1", "api_key": KEY}
    assert openai({**options, "proxy": True}, MINE="k", **environ).options.get("proxy") == proxy
    assert "proxy" not in openai(options, MINE="k", **environ).options


@pytest.mark.parametrize("source", ["pipe.yml", "HTTPS_PROXY"])
def test_a_proxy_s_password_is_hidden_as_it_is_written_and_as_it_is_sent(source: str) -> None:
    address = "http://me:can%2Fary%40%20x@p:1"
    options, environ = ({"proxy": address}, {}) if source == "pipe.yml" else ({"proxy": True}, {source: address})
    found = openai(options, OPENAI_API_KEY="k-1", **environ)
    assert {"can%2Fary%40%20x", "can/ary@ x"} <= set(found.secrets)


def test_a_proxy_s_password_is_a_secret_and_a_wrong_address_is_told() -> None:
    found = openai({"proxy": True}, OPENAI_API_KEY="k-1", HTTPS_PROXY="http://me:canary@p:1")
    assert "canary" in found.secrets
    assert "canary" not in repr(found)
    assert "HTTPS_PROXY" in str(openai({"proxy": True}, OPENAI_API_KEY="k", HTTPS_PROXY="socks5://p").missing)


def test_ollama_works_without_anything() -> None:
    found = ollama()
    assert (found.missing, found.options["base_url"]) == (None, "http://127.0.0.1:11434")


def test_bedrock_is_set_up_from_its_usual_variables() -> None:
    found = bedrock(
        AWS_REGION="eu-central-1", AWS_ACCESS_KEY_ID="A", AWS_SECRET_ACCESS_KEY="canary-s", AWS_SESSION_TOKEN="canary-t"
    )
    assert found.missing is None
    assert found.sources["region"] == "AWS_REGION"
    assert set(found.secrets) == {"canary-s", "canary-t"}
    assert "canary" not in repr(found)


def test_bedrock_finds_the_region_of_a_profile(tmp_path: Path) -> None:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws/config").write_text("[default]\nregion = us-east-1\n[profile work]\nregion = eu-west-1\n")
    assert bedrock(HOME=str(tmp_path)).options["region"] == "us-east-1"
    assert bedrock(HOME=str(tmp_path), AWS_PROFILE="work").options["region"] == "eu-west-1"
    assert bedrock({"profile": "work"}, HOME=str(tmp_path)).options["region"] == "eu-west-1"


def test_bedrock_without_a_region_says_how_to_give_one() -> None:
    assert "AWS_REGION" in str(bedrock().missing)


def test_a_profile_of_pipe_yml_stands_over_keys_of_the_environment() -> None:
    found = bedrock({"profile": "work", "region": "x"}, AWS_ACCESS_KEY_ID="A", AWS_SECRET_ACCESS_KEY="s")
    assert "access_key" not in found.options


def test_without_a_key_plain_http_is_fine_whatever_proxy_there_is() -> None:
    proxied = {"HTTP_PROXY": "http://me:canary@p:1"}
    for found in (
        openai({"proxy": True, "base_url": "http://10.9.8.7/v1"}, **proxied),
        ollama({"proxy": True, "base_url": "http://10.9.8.7:11434"}, **proxied),
    ):
        assert found.missing is None
        assert "canary" in found.secrets
    keyed = openai({"proxy": True, "base_url": "http://10.9.8.7/v1", "api_key": KEY}, MINE="k-1234567", **proxied)
    assert "a key would go to 10.9.8.7 unencrypted" in str(keyed.missing)
    header = ollama({"base_url": "http://10.9.8.7", "headers": {"X-Key": KEY}}, MINE="k-1234567")
    assert "a key would go to 10.9.8.7 unencrypted" in str(header.missing)


@pytest.mark.parametrize("url", ["https://a.example/v1/chat/completions", "http://localhost:1/v1/chat/completions/"])
def test_an_address_of_openai_s_ends_before_the_path_of_chat_completions(url: str) -> None:
    missing = openai({"base_url": url, "api_key": KEY}, MINE="k").missing
    assert missing is not None
    assert "`base_url` (pipe.yml) ends before `/chat/completions`" in missing
    assert "(OPENAI_BASE_URL)" in str(openai(OPENAI_BASE_URL=url, OPENAI_API_KEY="k").missing)


@pytest.mark.parametrize("path", ["/v1", "/v1/", "/api", "/api/chat", "/v1/chat/completions"])
def test_an_address_of_ollama_s_ends_before_the_path_of_an_interface(path: str) -> None:
    missing = ollama({"base_url": f"http://localhost:11434{path}"}).missing
    assert missing is not None
    assert "`base_url` (pipe.yml) is Ollama's own address" in missing
    assert "http://localhost:11434" in missing
    for other in ("http://localhost:1/behind/proxy", "https://gateway.example/api", "http://localhost:1/xv1"):
        assert ollama({"base_url": other}).missing is None
    assert "https://ollama.com" in str(ollama({"base_url": "https://ollama.com/api"}).missing)


@pytest.mark.parametrize("region", ["eu-central-1\n", " eu-central-1 "])
def test_white_space_around_a_region_is_none_of_it(region: str) -> None:
    found = bedrock(AWS_REGION=region)
    assert (found.options["region"], found.sources["region"]) == ("eu-central-1", "AWS_REGION")
    assert "there is no region" in str(bedrock(AWS_REGION=" ").missing)
