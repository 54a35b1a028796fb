"""What is sent to Bedrock is signed as botocore would sign it, with keys that are asked for when they are needed."""

from __future__ import annotations

import asyncio
import datetime
import json
import os
import socket
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials
from model_servers import BEDROCK, Asked, Service, response

from pipe_providers.signing import Signer
from pipe_runner.models import Message, ModelFault, ModelRequest, ModelResponse, Provider, Reason
from pipe_runner.registry import ProviderTypes

pytestmark = pytest.mark.usefixtures("nothing_of_this_machine")

T = TypeVar("T")
REQUEST = ModelRequest("m", (Message("user", "Say hello, ünï ☃."),), max_tokens=9)
PROFILE = "arn:aws:bedrock:eu-central-1:123456789012:inference-profile/eu.a-model-v1:0"

KEYS = """
import datetime, json, pathlib, sys, time
count, seconds, slow = pathlib.Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
number = len(count.read_text()) if count.exists() else 0
count.write_text("x" * (number + 1))
time.sleep(slow)
if number and seconds == 700:
    sys.exit("no more")
until = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
said = {"AccessKeyId": f"AKID{number}", "SecretAccessKey": f"secret-{number}", "SessionToken": f"session-{number}"}
print(json.dumps({"Version": 1, **said, "Expiration": until.isoformat()}))
"""


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")


@pytest.fixture
def process(tmp_path: Path) -> Callable[..., Callable[[], int]]:
    """Writes a profile whose keys a process gives; gives how often it was asked."""

    def written(seconds: int, slow: float = 0) -> Callable[[], int]:
        script, count, config = tmp_path / "keys.py", tmp_path / "count", tmp_path / ".aws/config"
        script.write_text(KEYS)
        config.parent.mkdir(exist_ok=True)
        config.write_text(f"[default]\ncredential_process = {sys.executable} {script} {count} {seconds} {slow}\n")
        return lambda: len(count.read_text()) if count.exists() else 0

    return written


def use(service: Service, what: Callable[[Provider], Awaitable[T]], **options: Any) -> T:
    kind = ProviderTypes()["bedrock"]
    settings = kind.settings("mine", {"endpoint_url": service.url, "region": "eu-central-1", **options}, "", os.environ)
    assert settings.missing is None

    async def used() -> T:
        provider = kind.open(settings)
        try:
            return await what(provider)
        finally:
            await provider.close()

    return asyncio.run(used())


def expected(asked: Asked, url: str, keys: ReadOnlyCredentials, monkeypatch: pytest.MonkeyPatch) -> str:
    """What botocore signs this request with."""
    at = datetime.datetime.strptime(asked.headers["x-amz-date"], "%Y%m%dT%H%M%SZ")
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda *_: at)
    headers = {name: value for name, value in asked.headers.items() if name in ("content-type", "host")}
    request = AWSRequest(method=asked.method, url=url + asked.path, headers=headers, data=asked.body)
    botocore.auth.SigV4Auth(keys, "bedrock", "eu-central-1").add_auth(request)
    monkeypatch.undo()
    return str(request.headers["Authorization"])


@pytest.mark.parametrize("token", [None, "a/session+token=="])
@pytest.mark.parametrize("model", ["m", "a.model-v1:0", PROFILE, "ünï model"])
@pytest.mark.parametrize("base", ["", "/behind/a%20path"])
@pytest.mark.few(8)
def test_s4_every_request_has_the_signature_that_botocore_would_make(
    token: str | None, model: str, base: str, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.decides(BEDROCK.either())
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret/+")
    if token is not None:
        monkeypatch.setenv("AWS_SESSION_TOKEN", token)

    async def often(provider: Provider) -> None:
        for number in range(3):
            request = REQUEST._replace(model=model, messages=(Message("user", f"Say {number} ☃."),))
            await provider.generate_with_metadata(request)
            await provider.generate_with_metadata(request, lambda piece: None)

    with pytest.MonkeyPatch.context() as patched:
        signs: list[str] = []
        real = Signer.sign
        patched.setattr(Signer, "sign", lambda self, name, words: (signs.append(name), real(self, name, words))[1])
        use(service, often, endpoint_url=service.url + base)
    assert len(service.asked) == 6
    assert sorted(signs) == ["Converse", "ConverseStream"], "botocore signs the first of each kind"
    used = ReadOnlyCredentials("AKIDENV", "secret/+", token)
    with pytest.MonkeyPatch.context() as patched:
        for asked in service.asked:
            assert asked.headers["authorization"] == expected(asked, service.url, used, patched)
            assert asked.headers.get("x-amz-security-token") == token
    names = [sorted(asked.headers) for asked in service.asked]
    assert all(one == names[0] for one in names), "all have the same headers"
    assert len({asked.headers["amz-sdk-invocation-id"] for asked in service.asked}) == 6
    assert {asked.headers["user-agent"].split("/")[0] for asked in service.asked} == {"Boto3"}


def test_a_signature_that_can_t_be_made_again_is_botocore_s_every_time(
    service: Service, keys: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a header comes that may differ from one request to the next."""
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "f")
    monkeypatch.setenv("_X_AMZN_TRACE_ID", "Root=1")
    service.decides(BEDROCK.either())

    async def often(provider: Provider) -> list[ModelResponse]:
        return list(await asyncio.gather(*(provider.generate_with_metadata(REQUEST) for _ in range(10))))

    assert [one.text for one in use(service, often)] == ["Hello wörld"] * 10
    assert [asked.headers["x-amzn-trace-id"] for asked in service.asked] == ["Root=1"] * 10


def test_keys_that_last_are_asked_for_once(service: Service, process: Any) -> None:
    count = process(3600, slow=0.5)
    service.decides(BEDROCK.either())

    async def many(provider: Provider) -> int:
        ticks, done = 0, asyncio.Event()

        async def tick() -> None:
            nonlocal ticks
            while not done.is_set():
                await asyncio.sleep(0.02)
                ticks += 1

        ticking = asyncio.ensure_future(tick())
        await asyncio.gather(*(provider.generate(REQUEST) for _ in range(20)))
        done.set()
        await ticking
        for _ in range(5):
            await provider.generate(REQUEST)
        return ticks

    assert use(service, many) > 10, "the loop went on"
    assert count() == 1
    assert {asked.headers["x-amz-security-token"] for asked in service.asked} == {"session-0"}


def test_keys_that_expire_are_asked_for_anew_and_never_sent_after(service: Service, process: Any) -> None:
    count = process(300)  # botocore wants new ones ten minutes before
    service.decides(BEDROCK.either())

    async def often(provider: Provider) -> None:
        for _ in range(4):
            await provider.generate(REQUEST)
        assert "session-0" not in repr(provider)

    use(service, often)
    used = [asked.headers["x-amz-security-token"] for asked in service.asked]
    assert count() > 3
    assert len(set(used)) == 4
    assert [
        f"AKID{token.partition('-')[2]}/" in asked.headers["authorization"]
        for asked, token in zip(service.asked, used, strict=True)
    ] == [True] * 4


def test_the_keys_of_a_container_are_asked_for_once(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"AccessKeyId": "AKIDBOX", "SecretAccessKey": "s", "Token": "box", "Expiration": "2099-01-01T00:00:00Z"}
    answers = BEDROCK.either()
    service.decides(lambda asked: [response(given)] if asked.path == "/keys" else answers(asked))
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{service.url}/keys")

    async def many(provider: Provider) -> None:
        await asyncio.gather(*(provider.generate(REQUEST._replace(model=f"m{number % 3}")) for number in range(9)))
        await provider.generate(REQUEST)

    use(service, many)
    assert [asked.path for asked in service.asked].count("/keys") == 1
    assert {asked.headers["x-amz-security-token"] for asked in service.asked if asked.path != "/keys"} == {"box"}


def test_keys_that_have_expired_already_are_none(service: Service, process: Any) -> None:
    process(-5)
    fault = fault_of(service, service.url)
    assert (fault.reason, fault.sent) == (Reason.CREDENTIALS, False)
    assert "expired" in fault.message
    assert service.asked == []


def test_keys_that_are_good_still_are_used_where_new_ones_can_t_be_had(service: Service, process: Any) -> None:
    count = process(700)  # botocore would like others, and needs them in a while
    service.decides(BEDROCK.either())

    async def often(provider: Provider) -> None:
        for _ in range(3):
            await provider.generate(REQUEST)

    use(service, often)
    assert count() == 4, "once at first, and for each call"
    assert {asked.headers["x-amz-security-token"] for asked in service.asked} == {"session-0"}


def test_the_keys_that_came_later_are_hidden_too(service: Service, process: Any) -> None:
    process(300)
    service.decides(lambda asked: [response({"message": f"no {asked.headers['x-amz-security-token']}"}, 400)])

    async def often(provider: Provider) -> list[str]:
        told = []
        for _ in range(3):
            with pytest.raises(ModelFault) as raised:
                await provider.generate(REQUEST)
            told.append(raised.value.message)
        return told

    told = use(service, often)
    assert all("session-" not in one and "no ***" in one for one in told)


def test_x3_a_call_that_waits_for_keys_is_given_up_at_once(service: Service, process: Any) -> None:
    process(3600, slow=20)

    async def cancelled(provider: Provider) -> float:
        call = asyncio.ensure_future(provider.generate(REQUEST))
        await asyncio.sleep(1)
        began = time.monotonic()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        return time.monotonic() - began

    began = time.monotonic()
    assert use(service, cancelled) < 1
    assert time.monotonic() - began < 10
    assert service.asked == []


def test_a_role_that_may_not_be_assumed_is_a_matter_of_keys(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>not you</Message></Error></ErrorResponse>"
    service.answers(response(body, 403, {"Content-Type": "text/xml"}))
    (tmp_path / ".aws").mkdir()
    text = "[profile work]\nrole_arn = arn:aws:iam::123456789012:role/r\ncredential_source = Environment\n"
    (tmp_path / ".aws/config").write_text(text)
    for name, value in {"ACCESS_KEY_ID": "AKIDENV", "SECRET_ACCESS_KEY": "s", "ENDPOINT_URL_STS": service.url}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    with pytest.raises(ModelFault) as raised:
        use(service, lambda provider: provider.generate(REQUEST), profile="work")
    assert (raised.value.reason, raised.value.sent) == (Reason.CREDENTIALS, False)
    assert "not you" in raised.value.message
    assert len(service.asked) == 1


def test_no_more_calls_than_threads_run_at_the_same_time(service: Service, keys: None) -> None:
    service.decides(lambda asked: [0.05, *BEDROCK.either()(asked)])

    async def together(provider: Provider) -> list[str]:
        return list(await asyncio.gather(*(provider.generate(REQUEST) for _ in range(10))))

    assert use(service, together, threads=2) == ["Hello wörld"] * 10
    assert service.most == 2


def test_a_large_request_is_signed_beside_the_loop(service: Service, keys: None) -> None:
    service.decides(BEDROCK.either())
    large = REQUEST._replace(messages=(Message("user", "x" * 300_000),))

    async def often(provider: Provider) -> None:
        for _ in range(3):
            await provider.generate(large)

    use(service, often)
    with pytest.MonkeyPatch.context() as patched:
        for asked in service.asked:
            used = ReadOnlyCredentials("AKIDENV", "secret", None)
            assert asked.headers["authorization"] == expected(asked, service.url, used, patched)


def test_what_converse_can_t_take_is_refused_before_and_after_an_example(service: Service, keys: None) -> None:
    service.decides(BEDROCK.either())

    async def both(provider: Provider) -> list[ModelFault]:
        faults = []
        for request in (REQUEST._replace(max_tokens=0), REQUEST, REQUEST._replace(max_tokens=0)):
            try:
                await provider.generate(request)
            except ModelFault as fault:
                faults.append(fault)
        return faults

    faults = use(service, both)
    assert [(fault.reason, fault.sent, "maxTokens" in fault.message) for fault in faults] == [
        (Reason.REFUSED, False, True)
    ] * 2
    assert all(fault.__context__ is None and fault.__cause__ is None for fault in faults)
    assert len(service.asked) == 1


# ---------------------------------------------------------------- proxies and certificates


def fault_of(service: Service, url: str) -> ModelFault:
    async def asked(provider: Provider) -> ModelFault:
        with pytest.raises(ModelFault) as raised:
            await provider.generate(REQUEST)
        return raised.value

    return use(service, asked, endpoint_url=url)


def test_the_proxy_of_https_is_asked_and_its_password_shows_nowhere(
    service: Service, keys: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.answers(response("", 407))
    monkeypatch.setenv("HTTPS_PROXY", service.url.replace("://", "://me:pass-word@"))
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    fault = fault_of(service, "https://models.example")
    assert (fault.reason, fault.sent) == (Reason.CREDENTIALS, False)
    assert "it answered 407; it wants a user and a password" in fault.message
    assert "pass-word" not in fault.message
    assert service.asked[-1].method == "CONNECT"
    assert service.asked[-1].headers["proxy-authorization"].startswith("Basic ")


def test_no_proxy_is_heeded_as_aws_tools_do(service: Service, keys: None, monkeypatch: pytest.MonkeyPatch) -> None:
    service.decides(BEDROCK.either())
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert use(service, lambda provider: provider.generate(REQUEST)) == "Hello wörld"


def test_a_proxy_of_another_kind_and_missing_certificates_are_told(
    service: Service, keys: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", "socks5://127.0.0.1:9")
    fault = fault_of(service, "https://models.example")
    assert (fault.reason, fault.sent) == (Reason.NOT_FOUND, False)
    assert "socks5" in fault.message
    monkeypatch.delenv("HTTPS_PROXY")
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "nowhere.pem"))
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        fault = fault_of(service, f"https://127.0.0.1:{held.getsockname()[1]}")
    assert (fault.reason, fault.sent) == (Reason.NOT_FOUND, False)
    assert "no such file" in fault.message


# ---------------------------------------------------------------- what AWS says


def test_a_wrong_signature_shows_no_request(service: Service, keys: None) -> None:
    words = "The request signature we calculated does not match. The Canonical String for this request is 'POST secret"
    service.answers(response(json.dumps({"message": words}), 403, {"x-amzn-errortype": "InvalidSignatureException:x"}))
    fault = fault_of(service, service.url)
    assert fault.reason is Reason.CREDENTIALS
    assert "does not match" in fault.message
    assert "POST" not in fault.message


def test_the_id_of_a_request_is_told(service: Service, keys: None) -> None:
    service.answers(response({"__type": "x#ThrottlingException"}, 400, {"x-amzn-RequestId": "r-1"}))
    assert fault_of(service, service.url).request_id == "r-1"
