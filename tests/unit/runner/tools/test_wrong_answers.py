"""What an MCP server answers too much of is cut before it is read, and what is no answer is not waited for."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import plain_mcp
import pytest

from pipe_runner.masking import SecretMasker
from pipe_runner.testing import Answer, FakeProvider, FinishedRun, run_pipeline
from pipe_runner.tools.answers import fault_of
from pipe_runner.tools.heard import MOST, MOST_TOOLS, Heard, refusal
from pipe_runner.tools.settings import server_settings

SERVER = str(Path(plain_mcp.__file__).resolve())
ECHO = Answer(tools=[("echo", {"text": "hi"})])


def run(root: Path, how: str, call: Answer = ECHO, more: Sequence[str] = ()) -> tuple[FinishedRun, FakeProvider]:
    entry = {"command": [sys.executable, SERVER, how, *more]}
    (root / "pipe.yml").write_text(json.dumps({"version": 1, "mcp_servers": {"plain": entry}}))
    model = FakeProvider(call, "done")
    node = '{agent: llm, provider: fake, timeout: 20s, with: {prompt: x, tools: ["mcp:plain/echo"]}}'
    return run_pipeline(f"version: 1\nnodes: {{a: {node}}}\n", providers={"fake": model}, root=root), model


@pytest.mark.parametrize("said", ["Redirect to ", "Unexpected content type: "])
def test_s4_no_part_of_a_secret_is_left_where_what_a_server_says_is_cut(said: str) -> None:
    error = type("Error", (), {"message": said + "x" * 280 + "canary-0123456789" * 2})
    told = fault_of(error, 200, SecretMasker({"k": "canary-0123456789" * 2}).mask_text)
    assert told is not None
    assert "x***" in told
    assert "canary" not in told


def test_r1_of_very_many_contents_some_are_read(tmp_path: Path) -> None:
    done, model = run(tmp_path, "many")
    assert done.status == "succeeded"
    text = model.requests[-1].messages[-1].text
    assert text.count("\nhi") == MOST
    assert f"[cut here: these are the first {MOST} of 200000 contents]" in text


def test_r1_what_the_library_gets_is_short() -> None:
    class Stream:
        async def receive(self) -> Any:
            return type("Item", (), {"message": message})

        __anext__ = receive

    message = type("Message", (), {"result": {"content": [{"type": "text", "text": "x"}] * 5000}})
    asyncio.run(Heard(Stream()).receive())
    assert len(message.result["content"]) == MOST + 1
    message.result["content"] = [1] * MOST
    asyncio.run(Heard(Stream()).__anext__())
    assert len(message.result["content"]) == MOST


def test_r1_a_page_with_too_many_tools_is_refused_and_its_tools_are_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipe_runner.tools.session.LISTS", 60.0)  # to write and read so many may take long
    done, _ = run(tmp_path, "100000")
    error = done.node("a").error
    assert error is not None
    assert (error["kind"], error["message"]) == ("tool", f"MCP server plain lists more than {MOST_TOOLS} tools")
    done, model = run(tmp_path, str(MOST_TOOLS - 5))
    assert (done.status, [tool.name for tool in model.requests[0].tools]) == ("succeeded", ["echo"])
    done, _ = run(tmp_path, str(MOST_TOOLS - 4))
    assert done.status == "failed"


def test_r1_the_library_makes_objects_of_no_more_tools_than_are_needed_to_know_that_they_are_too_many() -> None:
    class Stream:
        async def receive(self) -> Any:
            return type("Item", (), {"message": message})

    message = type("Message", (), {"result": {"tools": [{"name": "x"}] * 5000}})
    asyncio.run(Heard(Stream()).receive())
    assert len(message.result["tools"]) == MOST_TOOLS + 1


def test_s8_tools_that_a_server_has_twice_are_all_named_and_safe_to_print(tmp_path: Path) -> None:
    done, _ = run(tmp_path, "odd")
    error = done.node("a").error
    assert error is not None
    twice = ", ".join(f"two tools that are called {name}" for name in (r"red\x1b[31m", r"back\u202eward", "plain"))
    assert error["message"] == f"MCP server plain lists {twice}"


def test_a_list_of_tools_that_is_null_is_a_fault_at_once(tmp_path: Path) -> None:
    done, _ = run(tmp_path, "nothing")
    error = done.node("a").error
    assert error is not None
    assert error["kind"] == "tool"
    assert "no MCP" in str(error["message"])


@pytest.mark.parametrize(
    ("line", "answers"),
    [
        (b'{"jsonrpc":"2.0","id":3,"result":null}', 3),
        (b'{"jsonrpc":"2.0","id":"x","result":[1]}', "x"),
        (b'{"jsonrpc":"2.0","id":3,"error":"oh"}', 3),
        (b'{"jsonrpc":"2.0","id":3,"method":7}', None),
        (b'{"jsonrpc":"2.0","id":null,"result":null}', None),
        (b'{"jsonrpc":"2.0","id":true,"result":null}', None),
        (b"[]", None),
        (b"[" * 100_000, None),
        (b"Server is starting", None),
    ],
)
def test_only_what_answers_a_question_is_answered_for(line: bytes, answers: int | str | None) -> None:
    found = refusal(line)
    assert (None if found is None else found.id) == answers


def test_s1_credentials_that_pipe_yml_has_written_out_are_in_no_file_of_the_run(tmp_path: Path) -> None:
    """Of a server that says what it was given."""
    call = Answer(tools=[("echo", {"text": "it is n0body-kn0ws, and name"})])
    done, model = run(tmp_path, "good", call, more=["--token", "n0body-kn0ws", "--sort", "name"])
    assert done.status == "succeeded"
    assert "it is ***, and name" in model.requests[-1].messages[-1].text
    log = b"".join(file.read_bytes() for file in (tmp_path / ".pipe").rglob("*") if file.is_file())
    assert b"n0body-kn0ws" not in log


@pytest.mark.parametrize(
    ("written", "secrets"),
    [
        ({"headers": {"X-Team": "Bearer h3ader-value"}}, ("Bearer h3ader-value", "h3ader-value")),
        ({"headers": {"X-Team": "platform", "Accept": "text/plain"}}, ()),
        ({"headers": {"Authorization": {"from": "env", "key": "K"}}}, ("fr0m-env",)),
        ({"url": "http://host/?token=t0ken-value"}, ("t0ken-value",)),
        ({"url": "http://host/?q=a"}, ()),
    ],
)
def test_what_of_a_server_s_settings_is_shown_nowhere(written: dict[str, Any], secrets: tuple[str, ...]) -> None:
    found = server_settings("s", {"url": "http://h/", **written}, {"K": "fr0m-env"}, "/").secrets
    assert found == secrets
