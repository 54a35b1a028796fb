"""MCP servers as programs: opened once, bounded, pinned, and whatever they do is a sentence of kind `tool`."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import anyio
import plain_mcp
import pytest
from looking import results, said, told
from tests.unit.runner.tools.conftest import ECHO, ENVIRONMENT, ONE, SERVER, Bench, fault

from pipe_runner.errors import UsageError
from pipe_runner.testing import Answer
from pipe_runner.tools import session
from pipe_runner.tools.pins import list_digest, tool_digest


def listed() -> Sequence[Mapping[str, Any]]:
    return [
        {"name": tool["name"], "description": tool["description"], "parameters": tool["inputSchema"]}
        for tool in plain_mcp.tools(changed=False)
    ]


# ---------------------------------------------------------------- what it gives


def test_a_model_is_told_of_the_listed_tools_alone_and_calls_them(bench: Bench) -> None:
    run, model = bench.run(ECHO, "done", tools='"mcp:plain/echo"')
    assert [(tool.name, tool.description) for tool in model.requests[0].tools] == [("echo", "Says it back.")]
    assert said(results(model)[0]) == "hi"
    (event,) = told(run)
    assert (event["tool"], event["source"], event["bytes"]) == ("echo", "mcp:plain", 2)


def test_all_tools_can_be_meant(bench: Bench) -> None:
    _, model = bench.run("done", tools='"mcp:plain/*"')
    assert len(model.requests[0].tools) == 5


def test_a_picture_is_named_a_failure_is_a_result_and_much_is_cut(bench: Bench) -> None:
    asks = Answer(tools=[("picture", {}), ("fails", {}), ("large", {})])
    _, model = bench.run(asks, "done", tools='"mcp:plain/*"')
    picture, fails, large = results(model)
    assert said(picture) == "[an image, image/png, 6 bytes: not shown]"
    assert (fails.failed, said(fails)) == (True, "it did not work")
    assert said(large).endswith("\n[cut here: these are the first 65536 of 200000 bytes]")


def test_an_error_that_a_server_names_is_told_whatever_its_code(bench: Bench) -> None:
    bench.server("busy")
    _, model = bench.run(ECHO, "done", tools='"mcp:plain/echo"')
    assert said(results(model)[0]) == "echo: the database is busy"
    bench.server("refuses")
    assert fault(bench.run()[0])["message"] == "MCP server plain can't be opened: the database is busy"
    bench.server("twice")
    assert fault(bench.run()[0])["message"] == "MCP server plain lists two tools that are called echo"


def test_one_that_answers_no_mcp_when_it_is_opened_is_told_so_and_not_how_it_ended_then(bench: Bench) -> None:
    bench.server("nobody")
    told = "MCP server plain can't be opened: it answers something that is no MCP"
    assert fault(bench.run()[0])["message"] == told


def test_its_environment_is_the_short_list_and_what_pipe_yml_gives(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    bench.server(env={"A": "b", "N": 3, "KEY": {"from": "env", "key": "OUTER_KEY"}}, cwd="below")
    environ = {"OUTER_KEY": "s3cr3t-value-x", "AWS_SECRET_ACCESS_KEY": "nobody's", "HOME": "/root"}
    run, model = bench.run(ENVIRONMENT, "done", environ=environ)
    found = json.loads(said(results(model)[0]))
    own = {name: value for name, value in found["env"].items() if not name.startswith("PIPE_")}
    assert own == {"PATH": os.environ["PATH"], "HOME": "/root", "A": "b", "N": "3", "KEY": "***"} | {
        name: value for name, value in own.items() if name in ("LC_CTYPE", "__CF_USER_TEXT_ENCODING")
    }
    assert found["cwd"] == str(tmp_path / "below")
    for file in (tmp_path / ".pipe").rglob("*"):
        assert not file.is_file() or b"s3cr3t-value-x" not in file.read_bytes()
    assert run.status == "succeeded"


def test_nodes_share_one_session_and_nothing_of_it_is_left(bench: Bench) -> None:
    text = """
version: 1
nodes:
  a: {agent: llm, provider: fake, with: {prompt: x, tools: ["mcp:plain/environment"]}}
  b: {agent: llm, provider: fake, needs: a, with: {prompt: x, tools: ["mcp:plain/environment"]}}
"""
    bench.server("stays")
    _, model = bench.run(ENVIRONMENT, "one", ENVIRONMENT, "two", text=text)
    pids = {
        json.loads(said(message))["pid"]
        for request in model.requests
        for message in request.messages
        if message.role == "tool"
    }
    assert len(pids) == 1
    with pytest.raises(ProcessLookupError):
        os.kill(pids.pop(), 0)


def test_tools_of_the_same_name_bear_their_server(bench: Bench, tmp_path: Path) -> None:
    entry = {"command": [sys.executable, SERVER]}
    (tmp_path / "pipe.yml").write_text(json.dumps({"version": 1, "mcp_servers": {"one": entry, "two.b": entry}}))
    _, model = bench.run("done", tools='"mcp:one/echo", "mcp:two.b/echo"')
    assert [tool.name for tool in model.requests[0].tools] == ["one_echo", "two_b_echo"]


# ---------------------------------------------------------------- what goes wrong


def test_a_server_that_dies_fails_the_node_and_another_attempt_opens_it_anew(bench: Bench) -> None:
    bench.server("dies")
    run, _ = bench.run(ECHO, ECHO, "done")
    assert fault(run) == {
        "kind": "tool",
        "message": "MCP server plain is gone: it ended with exit code 7",
        "tail": "out of luck",
    }
    text = ONE.replace("timeout: 15s", "timeout: 15s, retry: {max_attempts: 2, delay: 0s}")
    run, _ = bench.run(ECHO, ECHO, ECHO, "done", text=text)
    assert (run.status, run.node("a").attempts) == ("succeeded", 2)


def test_a_server_that_ends_at_once_says_why(bench: Bench) -> None:
    bench.server("exits")
    run, model = bench.run("done")
    error = fault(run)
    assert error["message"] == "MCP server plain can't be opened: it ended with exit code 3"
    assert error["tail"] == "no database"
    assert model.requests == []


def test_a_program_that_is_not_there_says_so(bench: Bench, tmp_path: Path) -> None:
    entry = {"command": ["no-such-program-here"]}
    (tmp_path / "pipe.yml").write_text(json.dumps({"version": 1, "mcp_servers": {"plain": entry}}))
    run, _ = bench.run("done")
    assert fault(run)["kind"] == "tool"
    assert "no-such-program-here" in fault(run)["message"]


def test_a_server_that_never_answers_is_given_up(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "OPENS", 0.5)
    bench.server("mute")
    run, _ = bench.run("done")
    assert fault(run)["message"] == "MCP server plain has not answered within 0.5 s of its start"


def test_an_attempt_whose_time_is_up_says_which_server_it_waited_for(bench: Bench) -> None:
    bench.server("mute")
    run, _ = bench.run("done", text=ONE.replace("15s", "1s"))
    assert fault(run)["message"] == "timed out after 1 s; waiting for the tools of plain"


def test_a_call_that_hangs_ends_with_the_attempt(bench: Bench) -> None:
    bench.server("hangs")
    run, _ = bench.run(ECHO, "done", text=ONE.replace("15s", "2s"))
    assert fault(run)["kind"] == "timeout"
    assert float(run.events[-1].data["duration_s"]) < 7


def test_what_is_no_message_is_passed_over(bench: Bench) -> None:
    bench.server("garbage")
    run, model = bench.run(ECHO, "done")
    assert run.status == "succeeded"
    assert said(results(model)[0]) == "hi"


def test_much_on_stderr_holds_nothing_up_and_stands_nowhere(bench: Bench, capfd: pytest.CaptureFixture[str]) -> None:
    bench.server("noisy")
    run, _ = bench.run(ECHO, "done")
    assert run.status == "succeeded"
    assert "noise" not in "".join(capfd.readouterr())


def test_a_tool_that_the_server_does_not_have_fails_the_node(bench: Bench) -> None:
    run, model = bench.run("done", tools='"mcp:plain/ecko"')
    assert fault(run)["message"].startswith("MCP server plain has no tool ecko; there is echo, environment")
    assert model.requests == []


def test_a_secret_that_can_not_be_had_fails_the_node_and_says_which(bench: Bench) -> None:
    bench.server(env={"KEY": {"from": "env", "key": "OUTER_KEY"}})
    run, _ = bench.run("done")
    assert fault(run)["kind"] == "credentials"
    assert "OUTER_KEY is not set" in fault(run)["message"]


def test_without_the_package_the_node_says_what_to_install(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] in ("mcp", "mcp_types")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "mcp", None)
    run, _ = bench.run("done")
    assert fault(run)["kind"] == "tool"
    assert "pip install 'pipe-runner[mcp]'" in fault(run)["message"]


# ---------------------------------------------------------------- pins


def test_a_list_that_is_what_it_was_pinned_to_is_used(bench: Bench) -> None:
    bench.server(digest=list_digest(listed()))
    assert bench.run(ECHO, "done")[0].status == "succeeded"
    bench.server(digest={tool["name"]: tool_digest(tool) for tool in listed()[:2]})
    assert bench.run(ECHO, "done")[0].status == "succeeded"


def test_a_changed_list_stops_the_node_before_the_model_is_asked(bench: Bench) -> None:
    bench.server(digest="sha256:" + "0" * 64)
    run, model = bench.run("done")
    assert fault(run)["kind"] == "tool"
    assert "the tools of MCP server plain have changed: pipe.yml pins sha256:000" in fault(run)["message"]
    assert model.requests == []


def test_pins_by_name_say_which_tool_has_changed_or_is_not_pinned(bench: Bench) -> None:
    bench.server(digest={"echo": "sha256:" + "0" * 64})
    assert "the tool echo of MCP server plain has changed" in fault(bench.run("done")[0])["message"]
    bench.server(digest={"echo": tool_digest(listed()[0])})
    assert "the tool environment of MCP server plain is not pinned" in fault(bench.run("done")[0])["message"]


def test_the_lock_holds_a_server_to_its_tools(bench: Bench) -> None:
    def lock(tools: Any) -> None:
        servers = {"plain": {"definition": "sha256:" + "0" * 64, "tools": tools}}
        (bench.root / "pipe.lock").write_text(json.dumps({"version": 1, "mcp_servers": servers}))

    lock({tool["name"]: tool_digest(tool) for tool in listed()[:2]})
    assert bench.run(ECHO, "done")[0].status == "succeeded"
    lock({"environment": tool_digest(listed()[1]), "echo": "sha256:" + "0" * 64})
    run, model = bench.run("done")
    assert "the tool echo of MCP server plain has changed: pipe.lock pins sha256:000" in fault(run)["message"]
    assert model.requests == []
    lock({"environment": tool_digest(listed()[1])})
    assert "the tool echo of MCP server plain is not pinned: pipe.lock has" in fault(bench.run("done")[0])["message"]
    lock("sha256:" + "0" * 64)
    assert "the tools of MCP server plain have changed: pipe.lock pins" in fault(bench.run("done")[0])["message"]
    bench.server(digest=list_digest(listed()))
    assert bench.run(ECHO, "done")[0].status == "succeeded"


def test_pins_that_a_recording_is_older_than_are_told_as_that(bench: Bench) -> None:
    recorded = str(bench.root / "recorded")
    assert bench.run(ECHO, "done", record=recorded)[0].status == "succeeded"
    bench.server(digest={"echo": "sha256:" + "0" * 64, "environment": tool_digest(listed()[1])})
    message = fault(bench.run("done", replay=recorded)[0])["message"]
    assert message.startswith("the tool echo of MCP server plain is not what pipe.yml pins: that is sha256:000")
    assert f"and the recording has {tool_digest(listed()[0])}; record again with --record" in message
    bench.server(digest="sha256:" + "0" * 64)
    message = fault(bench.run("done", replay=recorded)[0])["message"]
    assert "the tools of MCP server plain are not what pipe.yml pins" in message


def test_a_lock_that_can_not_be_read_starts_no_run_that_uses_a_server(bench: Bench) -> None:
    (bench.root / "pipe.lock").write_text("<<<<<<< ours")
    with pytest.raises(UsageError, match="can't be read"):
        bench.run("done")


def test_a_cached_answer_counts_what_is_said_of_the_servers_whose_tools_it_had(bench: Bench) -> None:
    text = ONE.replace("timeout: 15s", "cache: true, timeout: 15s").replace("TOOLS", '"mcp:plain/echo"')

    def run(**pins: str) -> tuple[str, list[str]]:
        servers = {"plain": {"definition": "sha256:" + "0" * 64, "tools": pins}} if pins else {}
        (bench.root / "pipe.lock").write_text(json.dumps({"version": 1, "mcp_servers": servers}))
        done, _ = bench.run("done", text=text, explain=True)
        return str(done.node("a").status), [note for note in bench.notes if note.startswith("a runs: ")]

    echo = tool_digest(listed()[0])
    assert run()[0] == "succeeded"
    assert run() == ("cached", [])
    bench.server("good", env={"LEVEL": "2"})
    status, (note,) = run()
    assert status == "succeeded" and note.endswith("changed MCP server plain")
    assert run() == ("cached", [])
    status, (note,) = run(echo=echo)
    assert status == "succeeded" and "what pins the tools of plain (new)" in note
    assert run(echo=echo, other="sha256:" + "0" * 64) == ("cached", [])
    bench.server("good", env={"LEVEL": "2"}, digest=list_digest(listed()))
    status, (note,) = run(echo=echo)
    assert status == "succeeded" and note.endswith("changed what pins the tools of plain")


# ---------------------------------------------------------------- recordings


def test_a_replay_needs_neither_server_nor_package_nor_secret(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.server(env={"KEY": {"from": "env", "key": "OUTER_KEY"}})
    record = str(tmp_path / "kept")
    first, _ = bench.run(ECHO, "done", environ={"OUTER_KEY": "s3cr3t-value-x"}, record=record)
    assert first.status == "succeeded"
    bench.server("exits", env={"KEY": {"from": "env", "key": "OUTER_KEY"}})
    monkeypatch.setitem(sys.modules, "mcp", None)
    again, silent = bench.run("nobody asks", replay=record)
    assert again.status == "succeeded"
    assert silent.requests == []
    (event,) = told(again)
    assert event["replayed"] is True
    kinds = sorted(json.loads(path.read_text())["kind"] for path in (tmp_path / "kept").glob("*.json"))
    assert kinds == ["model", "model", "tool", "tools"]


def test_the_death_of_a_server_is_replayed_too(bench: Bench, tmp_path: Path) -> None:
    bench.server("dies")
    record = str(tmp_path / "kept")
    first, _ = bench.run(ECHO, ECHO, record=record)
    again, _ = bench.run("nobody asks", replay=record)
    assert fault(again) == fault(first)


def test_the_digests_that_pin_a_server_can_be_had_without_a_run(tmp_path: Path) -> None:
    from pipe_runner.engine.listing import Listed, list_tools

    written = {"plain": {"command": [sys.executable, SERVER]}, "gone": {"command": [sys.executable, SERVER, "exits"]}}

    async def ask() -> Mapping[str, Any]:
        return await list_tools(written, ["plain", "gone"], {"PATH": os.environ["PATH"]}, str(tmp_path))

    found = anyio.run(ask)
    assert isinstance(found["plain"], Listed)
    assert found["plain"].digest == list_digest(listed())
    assert found["plain"].digests["echo"] == tool_digest(listed()[0])
    assert found["gone"].message == "MCP server gone can't be opened: it ended with exit code 3"


def test_a_model_that_is_a_tool_is_replayed_with_its_own_calls_so_that_budgets_count_them(
    bench: Bench, tmp_path: Path
) -> None:
    record = str(tmp_path / "kept")
    asks = Answer(tools=[("llm", {"prompt": "deeper"})])
    first, _ = bench.run(asks, "below", "above", tools="{agent: llm}", record=record)
    again, silent = bench.run("nobody asks", tools="{agent: llm}", replay=record)
    assert (first.output("a"), again.output("a"), silent.requests) == ("above", "above", [])
    for run in (first, again):
        assert sum(event.event == "model.called" for event in run.events) == 3
