"""docs/providers.md has every option and variable of our providers, and what it shows is right."""

from __future__ import annotations

import asyncio
import json
import re
import threading
import tomllib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from pipe_runner.compiler.project import load_project
from pipe_runner.models import Message, ModelFault, ModelRequest, Reason, Usage
from pipe_runner.registry import ProviderTypes
from pipe_schemas.providers import ProviderSpec

REPOSITORY = Path(__file__).resolve().parents[3]
TEXT = (REPOSITORY / "docs/providers.md").read_text(encoding="utf-8")


def section(name: str) -> str:
    return TEXT.partition(f"\n## `{name}`\n")[2].partition("\n## ")[0]


@pytest.mark.parametrize("name", sorted(ProviderTypes()))
def test_a_provider_s_part_has_its_options_in_order(name: str) -> None:
    rows = re.findall(r"^\| `(\w+)` \|", section(name), re.M)
    assert sorted(rows) == sorted(ProviderTypes()[name].options_model().model_fields)


@pytest.mark.parametrize("name", sorted(ProviderTypes()))
def test_a_provider_s_part_has_the_variables_that_it_reads(name: str) -> None:
    code = (REPOSITORY / f"providers/pipe_providers/{name}.py").read_text(encoding="utf-8")
    for variable in set(re.findall(r'"((?:OPENAI|OLLAMA|AWS)_[A-Z_]+)"', code)) - {"AWS_DEFAULT_PROFILE"}:
        assert f"`{variable}`" in section(name), variable


def test_the_common_keys_are_explained() -> None:
    for key in ProviderSpec.model_fields:
        assert f"\n| `{key}` |" in TEXT.partition("\n## What every")[0]


def test_the_page_s_pipe_yml_has_no_fault(tmp_path: Path) -> None:
    for text in re.findall(r"```yaml\n(.*?)```", TEXT, re.S):
        (tmp_path / "pipe.yml").write_text(text)
        project, faults = load_project(tmp_path)
        assert faults == []
        assert project.services["providers"]


class Gateway(BaseHTTPRequestHandler):
    """The service of the page's example: busy for who asks for the model `busy`, and closed without the key."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        allowed = self.headers["Authorization"] == "Bearer the-key"
        self.send_response(401 if not allowed else 429 if asked["model"] == "busy" else 200)
        said = json.dumps({"text": f"you said {asked['prompt']}", "read": 5, "written": 3}).encode()
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(said)))
        self.send_header("Retry-After", "7")
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def address() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Gateway)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def asked(address: str, key: str, model: str) -> Any:
    """What the example's client makes of a call."""
    names: dict[str, Any] = {"__name__": "pipe_gateway"}
    exec(re.findall(r"```python\n(.*?)```", TEXT, re.S)[-1], names)  # noqa: S102 - the page's own text
    kind = names["GatewayType"]()
    kind.options_model().model_validate({"base_url": address})
    settings = kind.settings("ours", {"base_url": address}, model, {"GATEWAY_KEY": key})
    assert settings.missing is None

    async def ask() -> Any:
        client = kind.open(settings)
        try:
            return await client.generate_with_metadata(ModelRequest(model, (Message("user", "hi"),), timeout=30))
        finally:
            await client.close()

    return asyncio.run(ask())


def test_the_example_is_a_provider(address: str) -> None:
    answer = asked(address, "the-key", "small")
    assert (answer.text, answer.usage, answer.model) == ("you said hi", Usage(5, 3), "small")


@pytest.mark.parametrize(
    ("key", "model", "reason", "wait"),
    [("the-key", "busy", Reason.RATE_LIMITED, 7.0), ("another", "small", Reason.CREDENTIALS, None)],
)
def test_its_faults_are_ours(address: str, key: str, model: str, reason: Reason, wait: float | None) -> None:
    with pytest.raises(ModelFault) as raised:
        asked(address, key, model)
    assert (raised.value.reason, raised.value.retry_after) == (reason, wait)


def test_its_entry_point_names_the_class() -> None:
    points = tomllib.loads(re.findall(r"```toml\n(.*?)```", TEXT, re.S)[-1])["project"]["entry-points"]
    assert points == {"pipe_runner.providers": {"gateway": "pipe_gateway:GatewayType"}}
