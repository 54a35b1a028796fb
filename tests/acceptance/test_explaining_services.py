"""An explanation is the same from each of the three services, live and from its recording; without one it says why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from model_servers import DIALECTS, Service
from model_servers.dialects import Said

if TYPE_CHECKING:
    from conftest import Shell

KEY = "canary-key-0123456789"
FULL = {"check": "disk.full", "subject": "/var", "severity": "high", "summary": "97 % full"}
FOUND = [{**FULL, "evidence": {"used_percent": 97}}]
SAID = {
    "summary": "A disk is nearly full.",
    "claims": [
        {"text": "/var is 97 % full.", "findings": ["disk.full:/var"]},
        {"text": "/home is full.", "findings": ["disk.full:/var"]},
    ],
    "ranking": ["disk.full:/var"],
    "next_checks": [{"task": "see what grew", "agent": None, "why": "to free space"}],
}
PIPELINE = """\
version: 1
nodes:
  found: {run: cat found.json, output: json}
  all: {agent: findings, timeout: 1m, with: {results: {disks: "{{ nodes.found.output }}"}, html: r.html, explain: true}}
outputs: {explanation: "{{ nodes.all.output.explanation }}", usage: "{{ nodes.all.usage }}"}
"""

every = pytest.mark.parametrize("name", sorted(DIALECTS))


def asks(folder: Path, name: str, options: dict[str, Any]) -> None:
    entry = {"type": name, "model": "m-1", "prices": {"*": {"input": 1, "output": 2}}, **options}
    (folder / "pipe.yml").write_text(
        json.dumps({"version": 1, "providers": {"mine": entry}, "defaults": {"provider": "mine"}})
    )
    (folder / "found.json").write_text(json.dumps(FOUND))
    (folder / "p.yml").write_text(PIPELINE)


def told(pipe: Shell, *flags: str, env: dict[str, str] | None = None) -> dict[str, Any]:
    assert pipe("check", "p.yml", env=env or {}).returncode == 0
    done = pipe("run", "p.yml", "--output", "json", *flags, env=env or {})
    assert done.returncode == 0, done.err
    found: dict[str, Any] = json.loads(done.stdout)["outputs"]
    return found


@every
def test_live_recorded_and_replayed(pipe: Shell, tmp_path: Path, service: Service, name: str) -> None:
    dialect = DIALECTS[name]
    service.decides(dialect.either(Said(pieces=(json.dumps(SAID),), read=300, wrote=80)))
    asks(tmp_path, name, dialect.options(service.url))
    live = told(pipe, "--record", "kept", env=dialect.environ(KEY))
    assert live["explanation"]["status"] == "given"
    assert [one["supported"] for one in live["explanation"]["claims"]] == [True, False]
    assert (live["usage"]["input"], live["usage"]["output"], live["usage"]["cost"]) == (300, 80, 0.00046)
    assert "Not supported" in (tmp_path / "r.html").read_text()
    service.close()
    assert told(pipe, "--replay", "kept") == live
    assert len(service.asked) == 1


def test_without_a_key_the_report_is_there_and_says_what_is_missing(pipe: Shell, tmp_path: Path) -> None:
    asks(tmp_path, "openai", {})
    found = told(pipe)["explanation"]
    assert found["status"] == "unavailable"
    assert "OPENAI_API_KEY" in found["why"]
    assert "No explanation" in (tmp_path / "r.html").read_text()


def test_a_service_that_is_not_there_costs_the_explanation_only(pipe: Shell, tmp_path: Path) -> None:
    asks(tmp_path, "openai", {"base_url": "http://127.0.0.1:9/v1"})
    found = told(pipe, env={"OPENAI_API_KEY": KEY})["explanation"]
    assert found["status"] == "unavailable"
    assert "127.0.0.1" in found["why"]
