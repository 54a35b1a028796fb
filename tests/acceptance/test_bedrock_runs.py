"""Runs that ask Bedrock with keys that AWS's tools would find."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from model_servers import BEDROCK, Said, Service, response

if TYPE_CHECKING:
    from conftest import Shell

TOKEN, SECRET = "canary/token+sts/0123456789==", "canary/secret+0123456789abcdef"
PIPELINE = """
version: 1
nodes:
  a: {agent: llm, provider: bedrock, with: {model: m, prompt: "say it"}, timeout: 60s}
  b: {agent: llm, provider: bedrock, with: {model: m, prompt: "say it again"}, needs: [a], timeout: 60s}
outputs: {said: "{{ nodes.a.output }} {{ nodes.b.output }}"}
"""


@pytest.fixture
def home(pipe: Shell, service: Service) -> dict[str, str]:
    """An environment without keys; files of AWS's are those of the project."""
    pipe.write("pipe.yml", "version: 1\n")
    for name in [name for name in pipe.env if name.startswith("AWS_")]:
        del pipe.env[name]
    return {
        "HOME": str(pipe.folder),
        "AWS_REGION": "eu-central-1",
        "AWS_ENDPOINT_URL": service.url,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def echoed(asked: Any) -> Any:
    """An answer of a gateway that repeats the headers of the request, cut where a secret is."""
    text = json.dumps({name: value for name, value in asked.headers.items() if name != "host"})
    return BEDROCK.either(Said(pieces=tuple(text[at : at + 7] for at in range(0, len(text), 7))))(asked)


def files(folder: Path) -> Iterator[tuple[Path, str]]:
    for file in folder.rglob("*"):
        if file.is_file() and ".aws" not in file.parts:
            yield file, file.read_bytes().decode("utf-8", "replace")


@pytest.mark.parametrize("source", ["process", "role", "profile"])
def test_s4_keys_that_are_fetched_are_nowhere_in_what_a_run_writes(
    pipe: Shell, service: Service, home: dict[str, str], source: str
) -> None:
    pipe.write("p.yml", PIPELINE)
    keys = {"AccessKeyId": "AKIDCANARY", "SecretAccessKey": SECRET, "SessionToken": TOKEN}
    said = "".join(f"<{name}>{value}</{name}>" for name, value in keys.items())
    sts = (
        "<AssumeRoleResponse><AssumeRoleResult><Credentials>"
        f"{said}<Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"
    )
    pipe.write(".aws/keys.json", json.dumps({"Version": 1, **keys}))
    static = f"aws_access_key_id = AKIDCANARY\naws_secret_access_key = {SECRET}\naws_session_token = {TOKEN}\n"
    config = {
        "process": f"[default]\ncredential_process = cat {pipe.folder}/.aws/keys.json\n",
        "role": "[default]\nrole_arn = arn:aws:iam::123456789012:role/r\nsource_profile = base\n"
        "[profile base]\naws_access_key_id = AKIDBASE\naws_secret_access_key = base-canary\n",
        "profile": f"[default]\n{static}",
    }[source]
    pipe.write(".aws/config", config)

    def choose(asked: Any) -> Any:
        if b"AssumeRole" in asked.body:
            return [response(sts, headers={"Content-Type": "text/xml"})]
        return echoed(asked)

    service.decides(choose)
    done = pipe("run", "p.yml", "--record", "rec", "--output", "json", env=home)
    assert done.returncode == 0, done.stderr
    sent = [asked for asked in service.asked if "converse" in asked.path]
    assert [asked.headers["x-amz-security-token"] for asked in sent] == [TOKEN] * 2
    told = [("stdout", done.stdout), ("stderr", done.stderr), *files(pipe.folder)]
    assert [name for name, text in told if TOKEN in text or SECRET in text] == []
    assert "***" in done.stdout
