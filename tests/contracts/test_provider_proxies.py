"""The way through a proxy: only where it is wanted, and what it declines is told."""

from __future__ import annotations

from typing import Any

import pytest
from model_servers import CUT, DIALECTS, Service, response

from pipe_runner.models import Reason
from pipe_runner.registry import ProviderTypes

FAR = "http://models.example"
over_http = pytest.mark.parametrize("name", ["openai", "ollama"])


@over_http
def test_a_proxy_is_asked_for_an_address_far_away(name: str, service: Service, provider_bench: Any) -> None:
    service.decides(DIALECTS[name].either())
    bench = provider_bench(DIALECTS[name], service, FAR)
    assert bench.ask(proxy=service.url, insecure=True).text == "Hello wörld"
    assert service.asked[-1].path.startswith(f"{FAR}/")


@over_http
def test_a_proxy_that_wants_a_password_or_is_away_is_told(name: str, service: Service, provider_bench: Any) -> None:
    service.answers(response("", 407))
    bench = provider_bench(DIALECTS[name], service, FAR)
    assert bench.fault(proxy=service.url, insecure=True).reason is Reason.CREDENTIALS
    bench.url = "https://models.example"
    key = {"api_key": {"from": "env", "key": "OPENAI_API_KEY"}} if name == "openai" else {}
    fault = bench.fault(proxy=service.url, **key)
    assert (fault.reason, fault.sent) == (Reason.CREDENTIALS, False)
    by = f"no connection by the proxy {service.url.removeprefix('http://')}: "
    assert f"{by}it answered 407; it wants a user and a password" in fault.message
    assert (service.asked[-1].method, service.asked[-1].headers["user-agent"]) == ("CONNECT", "pipe-runner")
    assert bench.fault(proxy="http://127.0.0.1:9", **key).sent is False
    for answer, why in (
        (response("", 403), "it answered 403; is the service's address right, and does the proxy let it through?"),
        (b"SSH-2.0-x\r\n\r\n", "what it sent is no HTTP"),
        (CUT, "the connection was closed"),
    ):
        service.answers([answer])
        fault = bench.fault(proxy=service.url, **key)
        assert (fault.reason, fault.sent) == (Reason.UNAVAILABLE, False)
        assert f"{by}{why}" in fault.message


def test_bedrock_uses_the_usual_proxy(service: Service, provider_bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    service.decides(DIALECTS["bedrock"].either())
    monkeypatch.setenv("HTTP_PROXY", service.url)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    bench = provider_bench(DIALECTS["bedrock"], service, FAR)
    assert bench.ask(insecure=True).text == "Hello wörld"
    assert service.asked[-1].path.startswith(f"{FAR}/")


@over_http
def test_a_proxy_that_can_t_be_reached_is_named(name: str, service: Service, provider_bench: Any) -> None:
    bench = provider_bench(DIALECTS[name], service, "https://models.example")
    key = {"api_key": {"from": "env", "key": "OPENAI_API_KEY"}} if name == "openai" else {}
    for proxy, named in (("http://127.0.0.1:9", "127.0.0.1:9"), ("http://proxy.invalid:8080", "proxy.invalid:8080")):
        fault = bench.fault(proxy=proxy, **key)
        assert (fault.reason, fault.sent) == (Reason.UNAVAILABLE, False)
        assert f"no connection to the proxy {named}: " in fault.message


def test_bedrock_s_proxy_that_can_t_be_reached_is_named(
    service: Service, provider_bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://me:canary-word@127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    fault = provider_bench(DIALECTS["bedrock"], service, "https://models.example").fault()
    assert "no connection to the proxy 127.0.0.1:9: connection refused" in fault.message
    assert "canary-word" not in fault.message


def test_s4_what_goes_to_this_machine_goes_through_no_proxy(
    service: Service, provider_bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.decides(DIALECTS["bedrock"].either())
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    assert provider_bench(DIALECTS["bedrock"], service).ask().text == "Hello wörld"


@pytest.mark.parametrize("proxy", ["http://127.0.0.1:port", "http://:8080", "http://[::1:80"])
def test_a_proxy_of_the_environment_that_is_none_is_told(
    proxy: str, service: Service, provider_bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    fault = provider_bench(DIALECTS["bedrock"], service, "https://models.example").fault()
    assert (fault.reason, fault.sent) == (Reason.NOT_FOUND, False)
    assert "https_proxy holds no address of a proxy" in fault.message


def test_s4_the_password_of_the_usual_proxy_is_one_of_bedrock_s_secrets() -> None:
    environ = {"HTTPS_PROXY": "http://me:canary%2Fword@proxy:1", "http_proxy": "me:other-word@proxy:1"}
    found = ProviderTypes()["bedrock"].settings("mine", {"region": "us-east-1"}, "", {"HOME": "/nowhere", **environ})
    assert set(found.secrets) == {"canary%2Fword", "canary/word", "other-word"}
    assert "canary" not in repr(found)
