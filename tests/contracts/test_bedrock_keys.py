"""Where Bedrock's keys come from, and what is told where they can't be had."""

from __future__ import annotations

import asyncio
import datetime
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from botocore import exceptions as aws
from model_servers import BEDROCK, Service, response

from pipe_providers.aws_faults import of_signing
from pipe_runner.models import Message, ModelFault, ModelRequest, ModelResponse, Reason
from pipe_runner.registry import ProviderTypes

pytestmark = pytest.mark.usefixtures("nothing_of_this_machine")

REQUEST = ModelRequest("m", (Message("user", "Say hello."),))


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


@pytest.mark.parametrize("name", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"])
def test_white_space_around_a_key_is_none_of_it(name: str, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """As files of secrets give it, which mostly end with a newline."""
    keys = {"AWS_ACCESS_KEY_ID": "AKIDENV", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "session"}
    signed = []
    for value in (keys[name], f" {keys[name]}\r\n"):
        for variable, key in keys.items():
            monkeypatch.setenv(variable, value if variable == name else key)
        monkeypatch.setattr("botocore.auth.get_current_datetime", lambda *_, **__: datetime.datetime(2026, 1, 2))
        ask(service)
        signed.append((authorization(service), service.asked[-1].headers["x-amz-security-token"]))
    assert signed[0] == signed[1]


def test_white_space_around_a_bearer_token_is_none_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "bearer-secret\n")
    kind = ProviderTypes()["bedrock"]
    provider: Any = kind.open(kind.settings("mine", {"region": "eu-central-1"}, "", os.environ))
    words = {"modelId": "m", "messages": [{"role": "user", "content": [{"text": "hi"}]}]}
    for _ in range(2):
        signed = provider._sign("Converse", words, large=False)
        assert signed.headers["Authorization"] == "Bearer bearer-secret"
    asyncio.run(provider.close())


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


ROLE = """
<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>AKIDROLE{n}</AccessKeyId>
<SecretAccessKey>secret-{n}</SecretAccessKey><SessionToken>session-{n}</SessionToken>
<Expiration>{until}</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>
"""


@pytest.mark.parametrize("seconds", [880, 590])
@pytest.mark.few(1)
def test_who_gives_keys_holds_up_no_call_while_the_old_ones_are_good(
    seconds: int, service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".aws").mkdir()
    text = "[default]\nrole_arn = arn:aws:iam::123456789012:role/r\nsource_profile = base\n"
    text += "[profile base]\naws_access_key_id = AKIDBASE\naws_secret_access_key = s\n"
    (tmp_path / ".aws/config").write_text(text)
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", service.url)
    given: list[int] = []
    hangs = False

    def choose(asked: Any) -> Any:
        if b"AssumeRole" not in asked.body:
            return BEDROCK.either()(asked)
        given.append(len(given))
        until = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=seconds)
        body = ROLE.format(n=given[-1], until=until.isoformat())
        return [*([60.0] if hangs else []), response(body, headers={"Content-Type": "text/xml"})]

    service.decides(choose)
    kind = ProviderTypes()["bedrock"]
    options = {"endpoint_url": service.url, "region": "eu-central-1"}
    provider = kind.open(kind.settings("mine", options, "", os.environ))

    async def asked() -> list[Any]:
        nonlocal hangs
        try:
            await provider.generate(REQUEST)
            hangs = True
            patience = 8 if seconds == 880 else 5
            six = (asyncio.wait_for(provider.generate(REQUEST), patience) for _ in range(6))
            return list(await asyncio.gather(*six, return_exceptions=True))
        finally:
            await provider.close()

    found = asyncio.run(asked())
    if seconds == 880:
        assert found == ["Hello wörld"] * 6
        tokens = {one.headers["x-amz-security-token"] for one in service.asked if "converse" in one.path}
        assert len(tokens) <= 2
    else:
        assert [type(one) for one in found] == [TimeoutError] * 6, "keys that end soon are not used"


def test_a_profile_that_wants_a_code_asks_nobody_for_it(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".aws").mkdir()
    text = "[default]\nrole_arn = arn:aws:iam::123456789012:role/r\nsource_profile = base\n"
    text += "mfa_serial = arn:aws:iam::123456789012:mfa/me\n"
    text += "[profile base]\naws_access_key_id = AKIDBASE\naws_secret_access_key = s\n"
    (tmp_path / ".aws/config").write_text(text)
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", service.url)
    monkeypatch.setattr("getpass.getpass", None)
    with pytest.raises(ModelFault) as raised:
        ask(service)
    assert (raised.value.reason, raised.value.sent) == (Reason.CREDENTIALS, False)
    assert "MFA code" in raised.value.message
    assert service.asked == []


@pytest.mark.parametrize(
    ("command", "how"),
    [
        ("sh -c 'echo token=hvs.canary >&2; exit 3'", "gave something else"),
        ("echo token=hvs.canary", "gave something else"),
        ("/nowhere/at-all", "can't be run"),
    ],
)
def test_s4_what_a_credential_process_says_is_not_shown(
    command: str, how: str, service: Service, tmp_path: Path
) -> None:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws/config").write_text(f"[default]\ncredential_process = {command}\n")
    with pytest.raises(ModelFault) as raised:
        ask(service)
    assert (raised.value.reason, raised.value.sent) == (Reason.CREDENTIALS, False)
    assert f"(credential_process) {how}" in raised.value.message
    assert "canary" not in raised.value.message


SSO = "sso_session = s\nsso_account_id = 1\nsso_role_name = r\n"
SSO += "[sso-session s]\nsso_start_url = https://x\nsso_region = x\n"


def test_who_has_to_log_in_is_told_how(service: Service, tmp_path: Path) -> None:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws/config").write_text(f"[default]\n{SSO}")
    with pytest.raises(ModelFault) as raised:
        ask(service)
    assert raised.value.reason is Reason.CREDENTIALS
    assert "log in with `aws sso login`" in raised.value.message
    assert "AWS_ACCESS_KEY_ID" not in raised.value.message


@pytest.mark.parametrize(
    ("error", "how"),
    [
        (aws.UnauthorizedSSOTokenError(), "`aws sso login`"),
        (aws.TokenRetrievalError(provider="sso", error_msg="Token has expired and refresh failed"), "`aws sso login`"),
        (aws.LoginRefreshRequired(), "`aws login`"),
        (aws.LoginTokenLoadError(error_msg="there is none"), "`aws login`"),
        (aws.MissingDependencyException(msg="you will need to pip install"), "pip install"),
        (aws.ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "AssumeRole"), "role of the profile"),
        (FileNotFoundError(2, "there is none", "/var/run/token"), "/var/run/token"),
    ],
)
def test_why_there_are_no_keys_is_told_with_what_mends_it(error: Exception, how: str) -> None:
    fault = of_signing(error, "it", str)
    assert (fault.reason, fault.sent) == (Reason.CREDENTIALS, False)
    assert how in fault.message


def test_a_user_in_an_address_is_told_in_words_that_fit(service: Service, tmp_path: Path) -> None:
    kind = ProviderTypes()["bedrock"]
    for url in ("https://me:canary@x.example", "https://x.example?a=b"):
        missing = kind.settings("mine", {"region": "x", "endpoint_url": url}, "", os.environ).missing
        assert "AWS takes none" in str(missing)


@pytest.mark.parametrize("role", [False, True])
def test_x2_a_program_that_gives_keys_ends_with_who_wants_them(role: bool, service: Service, tmp_path: Path) -> None:
    script, there = tmp_path / "keys.sh", tmp_path / "pid"
    script.write_text(f"sleep 77 &\necho $! > {there}.new\nmv {there}.new {there}\nwait\n")
    (tmp_path / ".aws").mkdir()
    text = f"credential_process = sh {script}\n"
    role_text = "[default]\nrole_arn = arn:aws:iam::123456789012:role/r\nsource_profile = base\n[profile base]\n"
    (tmp_path / ".aws/config").write_text((role_text if role else "[default]\n") + text)
    kind = ProviderTypes()["bedrock"]
    options = {"endpoint_url": service.url, "region": "eu-central-1"}

    async def left() -> None:
        provider = kind.open(kind.settings("mine", options, "", os.environ))
        call = asyncio.ensure_future(provider.generate(REQUEST))
        await asyncio.to_thread(_await, there)
        call.cancel()
        await asyncio.wait([call])
        await provider.close()

    asyncio.run(left())
    _gone(there.read_text().strip())


def test_x2_a_program_that_gives_keys_ends_with_a_runner_that_is_killed(service: Service, tmp_path: Path) -> None:
    script, there = tmp_path / "keys.sh", tmp_path / "pid"
    script.write_text(f"sleep 78 &\necho $! > {there}.new\nmv {there}.new {there}\nwait\n")
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws/config").write_text(f"[default]\ncredential_process = sh {script}\n")
    program = (
        "import os, pipe_providers.aws_helpers as a, botocore.session as s\n"
        "core = s.get_session()\na.Helpers().watch(core)\ncore.get_credentials()\n"
    )
    runner = subprocess.Popen([sys.executable, "-c", program], env={**os.environ, "HOME": str(tmp_path)})
    _await(there)
    runner.kill()
    runner.wait()
    _gone(there.read_text().strip())


def _gone(pid: str) -> None:
    until = time.monotonic() + 5
    while _lives(pid) and time.monotonic() < until:
        time.sleep(0.05)
    assert not _lives(pid)


def _await(file: Path) -> None:
    until = time.monotonic() + 30
    while not file.exists() and time.monotonic() < until:
        time.sleep(0.05)


def _lives(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
