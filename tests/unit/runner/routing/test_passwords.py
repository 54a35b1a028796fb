"""Passwords in addresses of a task stand in nothing that is made of it."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from pipe_runner.orchestrator import Orchestrator
from pipe_runner.routing.passwords import LEFT_OUT, without_passwords


@pytest.mark.parametrize(
    ("task", "shown"),
    [
        ("check https://ada:s3cret@web.example/", "check https://ada:***@web.example/"),
        ("is http://ada:s3cret@10.0.0.1:8080/a?b=c up", "is http://ada:***@10.0.0.1:8080/a?b=c up"),
        ("HTTPS://ada:s3:cr@et@web.example", "HTTPS://ada:***@web.example"),
        ("https://ada:s3/cret#1@web.example/x", "https://ada:***@web.example/x"),
        ("redis://:s3cret@cache:6379/0", "redis://:***@cache:6379/0"),
        ("https://ghp_0123456789abcdefghij@git.example/a", "https://***@git.example/a"),
        ("postgres://a:s3cret@x/y and mysql://b:s3cret@z", "postgres://a:***@x/y and mysql://b:***@z"),
    ],
)
def test_a_password_in_an_address_is_masked(task: str, shown: str) -> None:
    assert without_passwords(task) == shown
    assert without_passwords(shown) == shown


@pytest.mark.parametrize(
    "task",
    [
        "check https://web.example:8443/users/ada@web.example",
        "https://ada@web.example/",
        "https://web.example/a:b@c",
        "mail to ada@web.example:25",
        "https://web.example:443?to=ada@web.example",
    ],
)
def test_addresses_without_a_password_stay(task: str) -> None:
    assert without_passwords(task) == task


@pytest.mark.parametrize("part", ["://:", "a://b:c", "@://:", "://a:12/", "a"])
def test_r1_a_task_of_any_text_is_looked_through_once(part: str, in_time: Any) -> None:
    text = part * (64_000 // len(part)) + "@"
    began = time.process_time()
    without_passwords(text)
    assert in_time(time.process_time() - began, 1.0)


@pytest.mark.parametrize("agents", [None, ["network_diagnostics", "log_analysis"]])
def test_no_pipeline_reason_or_note_has_it(agents: list[str] | None, tmp_path: Path) -> None:
    orchestrator = Orchestrator()
    task = "check https://ada:s3cret@web.example:8443/ and its certificate"
    routing = orchestrator.named(task, agents) if agents else orchestrator.route(task)
    chosen = routing.chosen(4)
    text = orchestrator.drafted(routing.noted(chosen), chosen)
    assert "s3cret" not in text + json.dumps(routing.to_json())
    assert '"https://ada:***@web.example:8443/"' in text
    assert f"# {LEFT_OUT}" in text
    assert orchestrator.validate(text, root=tmp_path).plan is not None
