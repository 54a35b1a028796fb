"""Over TLS every provider asks only who can be trusted, and ends as soon as it does without."""

from __future__ import annotations

import os
import shutil
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from model_servers import DIALECTS, Service

from pipe_runner.models import Reason

every = pytest.mark.parametrize("name", sorted(DIALECTS))

ASK = """
import asyncio, sys, time
from model_servers import DIALECTS
from pipe_runner.models import Message, ModelRequest
from pipe_runner.registry import ProviderTypes

name, url, slow = sys.argv[1:]
request = ModelRequest("m", (Message("user", "Say hello."),))

async def ask():
    kind, dialect = ProviderTypes()[name], DIALECTS[name]
    provider = kind.open(kind.settings(name, dialect.options(url), "", dialect.environ("a-secret-key")))
    if slow:
        call = asyncio.ensure_future(provider.generate(request))
        await asyncio.to_thread(sys.stdin.readline)
        began = time.monotonic()
        call.cancel()
        await asyncio.wait([call])
        await provider.close()
        print(call.cancelled() and time.monotonic() - began < 1)
    else:
        print(await provider.generate(request), [piece async for piece in provider.stream(request)])
        await provider.close()

asyncio.run(ask())
"""


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for 127.0.0.1, with its key, in one file."""
    if shutil.which("openssl") is None:
        pytest.skip("needs the openssl command")
    folder = tmp_path_factory.mktemp("tls")
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext"
    subprocess.run(
        [*command.split(), "subjectAltName=IP:127.0.0.1", "-keyout", folder / "key", "-out", folder / "cert"],
        check=True,
        capture_output=True,
    )
    both = folder / "both.pem"
    both.write_text((folder / "key").read_text() + (folder / "cert").read_text())
    return both


@pytest.fixture
def service(certificate: Path) -> Iterator[Service]:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    made = Service(tls)
    yield made
    made.close()


def ask(name: str, service: Service, certificate: Path, *, slow: bool = False) -> str:
    servers = str(Path(__file__).resolve().parents[1] / "servers")
    trusted = {"SSL_CERT_FILE": str(certificate), "AWS_CA_BUNDLE": str(certificate)}
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", ASK, name, service.url, "slow" if slow else ""],
        env={**os.environ, **trusted, "PYTHONPATH": servers},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as asking:
        until = time.monotonic() + 30
        while slow and not service.asked and time.monotonic() < until:
            time.sleep(0.01)
        stdout, stderr = asking.communicate("given up\n", timeout=60)
    assert stderr == ""
    assert len(service.asked) == (1 if slow else 2)
    return stdout


@every
def test_a_certificate_that_nobody_vouches_for_is_not_trusted(name: str, service: Service, provider_bench: Any) -> None:
    service.decides(DIALECTS[name].either())
    fault = provider_bench(DIALECTS[name], service).fault()
    assert (fault.reason, fault.sent) == (Reason.NOT_FOUND, False)
    assert "certificate" in fault.message
    assert service.asked == []


@every
def test_a_certificate_that_is_trusted_is_enough(name: str, service: Service, certificate: Path) -> None:
    service.decides(DIALECTS[name].either())
    assert ask(name, service, certificate) == "Hello wörld ['Hel', 'lo ', 'wörld']\n"


@every
@pytest.mark.few(3)
def test_x3_a_call_that_is_given_up_ends_at_once(name: str, service: Service, certificate: Path) -> None:
    service.answers([60.0])
    began = time.monotonic()
    assert ask(name, service, certificate, slow=True) == "True\n"
    assert time.monotonic() - began < 30


def test_bedrock_trusts_whom_requests_is_told_to_trust(
    service: Service, certificate: Path, provider_bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.decides(DIALECTS["bedrock"].either())
    monkeypatch.delenv("AWS_CA_BUNDLE", raising=False)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    assert provider_bench(DIALECTS["bedrock"], service).ask().text == "Hello wörld"
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere.pem")
    assert "REQUESTS_CA_BUNDLE is /nowhere.pem" in provider_bench(DIALECTS["bedrock"], service).fault().message
    monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate))
    assert provider_bench(DIALECTS["bedrock"], service).ask().text == "Hello wörld"


@pytest.mark.parametrize(("name", "variable"), [("bedrock", "AWS_CA_BUNDLE"), ("openai", "SSL_CERT_FILE")])
def test_the_variable_for_more_certificates_is_named(
    name: str, variable: str, service: Service, provider_bench: Any
) -> None:
    assert f"{variable} may name" in provider_bench(DIALECTS[name], service).fault().message


@pytest.mark.parametrize(("text", "why"), [(None, "no such file or directory"), ("x", "it holds no certificates")])
def test_a_variable_that_names_no_certificates_is_told(
    text: str | None, why: str, service: Service, provider_bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "company.pem"
    if text is not None:
        path.write_text(text)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    assert f"SSL_CERT_FILE is {path}: {why}" in provider_bench(DIALECTS["openai"], service).fault().message


def test_a_proxy_whose_certificate_nobody_vouches_for_is_named(service: Service, provider_bench: Any) -> None:
    bench = provider_bench(DIALECTS["ollama"], service, "https://models.example")
    fault = bench.fault(proxy=service.url)
    assert fault.reason is Reason.NOT_FOUND
    assert f"no TLS connection to the proxy {service.url.removeprefix('https://')} can be made" in fault.message
