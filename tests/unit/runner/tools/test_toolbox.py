"""What a model is given under `tools:`: functions and agents, each exactly as the node lists it."""

from __future__ import annotations

import asyncio
import datetime as dt
import threading
import time
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import pytest
from looking import results, said, told
from pydantic import BaseModel, Field

from pipe_runner.errors import InvalidPipeline, NodeFault
from pipe_runner.models import ToolResult, ToolSpec
from pipe_runner.registry import BrokenPlugin, ToolFunctions
from pipe_runner.testing import Answer, FakeProvider, FinishedRun, run_pipeline
from pipe_runner.tools.kinds import Tool, with_names

Calls = list[tuple[str, Mapping[str, Any]]]


def run_with(
    tools: str, calls: Calls, functions: Mapping[str, Callable[..., Any]] | None = None, **more: Any
) -> tuple[FinishedRun, FakeProvider]:
    """A model that wants these calls at once, then says `done`."""
    model = FakeProvider(Answer(tools=calls), "done")
    text = f"""
version: 1
nodes:
  a: {{agent: llm, provider: fake, timeout: 20s, with: {{prompt: x, tools: [{tools}]}}}}
"""
    run = run_pipeline(text, providers={"fake": model}, tools=functions or {}, **more)
    return run, model


def specs(model: FakeProvider) -> dict[str, ToolSpec]:
    return {tool.name: tool for tool in model.requests[0].tools}


class Place(BaseModel):
    """A place on a map."""

    north: float
    east: float = 0.0


# ---------------------------------------------------------------- functions


def test_a_function_is_described_by_its_hints_and_its_docstring() -> None:
    def lookup(word: Annotated[str, Field(description="What to look up.")], day: dt.date = dt.date(2024, 1, 2)) -> str:
        """Looks a word up."""
        return word

    _, model = run_with("function:lookup", [], {"lookup": lookup})
    spec = specs(model)["lookup"]
    assert spec.description == "Looks a word up."
    assert spec.parameters["required"] == ["word"]
    assert spec.parameters["additionalProperties"] is False
    properties: Any = spec.parameters["properties"]
    assert properties["word"]["description"] == "What to look up."
    assert properties["day"] == {"type": "string", "format": "date", "default": "2024-01-02", "title": "Day"}


def test_values_arrive_as_the_hints_say_and_results_become_json() -> None:
    seen: list[Any] = []

    def measure(place: Place, day: dt.date, *, schema: str = "s") -> dict[str, Any]:
        seen.append((place, day, schema))
        return {"place": place, "day": day, "set": {1}}

    arguments = {"place": {"north": 1}, "day": "2025-02-03"}
    run, model = run_with("function:measure", [("measure", arguments)], {"measure": measure})
    assert seen == [(Place(north=1), dt.date(2025, 2, 3), "s")]
    assert said(results(model)[0]) == '{"place":{"north":1.0,"east":0.0},"day":"2025-02-03","set":[1]}'
    assert told(run)[0]["source"] == "function:measure"


def test_sync_functions_run_in_threads_and_async_ones_are_awaited() -> None:
    loop_thread = threading.current_thread().ident
    barrier = threading.Barrier(2, timeout=5)

    def meet() -> bool:
        barrier.wait()
        return threading.current_thread().ident != loop_thread

    async def later(n: int) -> int:
        await asyncio.sleep(0)
        return n + 1

    calls: Calls = [("meet", {}), ("meet", {}), ("later", {"n": 1})]
    _, model = run_with("function:meet, function:later", calls, {"meet": meet, "later": later})
    assert [said(message) for message in results(model)] == ["true", "true", "2"]


def test_a_function_that_raises_gives_a_result_without_the_paths_of_this_machine() -> None:
    def broken() -> None:
        raise ValueError("no such word")

    run, model = run_with("function:broken", [("broken", {})], {"broken": broken})
    (message,) = results(model)
    assert message.failed
    assert said(message) == "exception: ValueError: no such word"
    assert told(run)[0]["failed"] is True
    assert run.status == "succeeded"


@pytest.mark.parametrize(
    ("function", "why"),
    [(lambda *words: 1, "arguments by name"), (lambda word: 1, "no type hint")],
    ids=["positions", "no hint"],
)
def test_a_function_that_can_not_be_described_fails_the_node(function: Callable[..., Any], why: str) -> None:
    run, _ = run_with("function:odd", [], {"odd": function})
    error = run.node("a").error
    assert error is not None
    assert error["kind"] == "tool"
    assert "function:odd" in str(error["message"])
    assert why in str(error["message"])


def test_a_function_that_nobody_brings_fails_the_node_and_names_those_there_are() -> None:
    def known() -> int:
        return 1

    tools = ToolFunctions("no.such.group")
    tools.register("known", known)
    with pytest.raises(BrokenPlugin, match="there is known"):
        tools.get("knwon")


@pytest.mark.parametrize("tool", ["function:knwon", '{agent: llm, with: {tools: ["function:knwon"]}}'])
def test_a_function_that_nobody_brings_is_an_error_of_the_file(tool: str) -> None:
    with pytest.raises(InvalidPipeline) as fault:
        run_with(tool, [], {"known": lambda: 1})
    (diagnostic,) = fault.value.diagnostics
    assert (diagnostic.code, diagnostic.hint) == ("E516", "did you mean `known`?")
    assert diagnostic.message == "there is no function `knwon`"


def test_a_function_ends_with_its_attempt_and_another_attempt_waits_for_it() -> None:
    running: list[int] = []
    most = 0

    def slow() -> None:
        nonlocal most
        running.append(1)
        most = max(most, len(running))
        try:
            time.sleep(1.2)
        finally:
            running.pop()

    model = FakeProvider(Answer(tools=[("slow", {})]), "done")
    text = """
version: 1
nodes:
  a:
    agent: llm
    provider: fake
    timeout: 300ms
    retry: {max_attempts: 2, delay: 0s}
    with: {prompt: x, tools: ["function:slow"]}
"""
    run = run_pipeline(text, providers={"fake": model}, tools={"slow": slow})
    assert most == 1
    assert run.node("a").attempts == 2


# ---------------------------------------------------------------- agents


def test_an_agent_is_a_tool_whose_fixed_options_no_model_sees_or_changes() -> None:
    seen: list[Mapping[str, Any]] = []

    def shout(options: Mapping[str, Any]) -> Any:
        seen.append(options)
        return {"loud": options["text"]}

    entry = "{agent: shout, name: loud, description: Shouts., with: {marks: 3}}"
    calls: Calls = [("loud", {"text": "hi"}), ("loud", {"text": "hi", "marks": 9})]
    run, model = run_with(entry, calls, agents={"shout": shout})
    assert specs(model)["loud"].description == "Shouts."
    first, second = results(model)
    assert said(first) == '{"loud":"hi"}'
    assert second.failed
    assert "marks is given by the pipeline" in second.text
    assert [dict(options) for options in seen] == [{"text": "hi", "marks": 3}]
    assert [event["source"] for event in told(run)] == ["agent:shout", "agent:shout"]


def test_what_an_agent_takes_is_its_options_without_the_fixed_ones() -> None:
    _, model = run_with('{agent: python, with: {call: "os.path:join"}}', [("python", {"args": ["a", "b"]})])
    parameters: Any = specs(model)["python"].parameters
    assert sorted(parameters["properties"]) == ["args", "kwargs"]
    assert parameters["additionalProperties"] is False
    assert said(results(model)[0]) == "a/b"


def test_the_policy_for_http_holds_for_a_model_too() -> None:
    _, model = run_with("{agent: http, with: {method: GET}}", [("http", {"url": "http://10.1.2.3/"})])
    (message,) = results(model)
    assert message.failed
    assert said(message).startswith("refused: 10.1.2.3 is a private address")


def test_options_that_the_agent_refuses_are_a_result() -> None:
    calls: Calls = [("http", {"url": "http://127.0.0.1:1/", "json": 1, "body": "x"})]
    _, model = run_with("{agent: http, with: {method: POST}}", calls)
    assert results(model)[0].failed


def test_a_model_is_a_tool_of_another_and_its_calls_count() -> None:
    inner = FakeProvider(Answer(tools=[("llm", {"prompt": "deeper"})]), "from below", "on top")
    text = """
version: 1
nodes:
  a: {agent: llm, provider: fake, with: {prompt: x, tools: [{agent: llm}]}}
"""
    run = run_pipeline(text, providers={"fake": inner})
    assert run.output("a") == "on top"
    assert said(results(inner)[0]) == "from below"
    assert sum(event.event == "model.called" for event in run.events) == 3
    ledger = run.run.ledger
    assert ledger is not None
    assert run.node("a").usage == {
        "calls": 3, "input": 30, "output": 15, "cached": 0, "reasoning": 0, "cost": ledger.total.cost / 10**9,
    }  # fmt: skip


def test_what_is_not_known_of_an_inner_model_s_calls_is_not_known_of_all() -> None:
    inner = FakeProvider(Answer(tools=[("llm", {"prompt": "deeper"})]), Answer("x", usage=None, cost=None), "on top")
    text = "version: 1\nnodes: {a: {agent: llm, provider: fake, with: {prompt: x, tools: [{agent: llm}]}}}\n"
    usage: Any = run_pipeline(text, providers={"fake": inner}).node("a").usage
    assert (usage["calls"], usage["input"], usage["cost"]) == (3, None, None)


def test_an_inner_model_that_is_over_budget_fails_the_node() -> None:
    inner = FakeProvider(Answer(tools=[("llm", {"prompt": "deeper"})], cost=0.01), Answer("x", cost=0.01), price=0.01)
    text = """
version: 1
budget: {max_cost: 0.015}
nodes:
  a: {agent: llm, provider: fake, with: {prompt: x, tools: [{agent: llm}]}}
"""
    run = run_pipeline(text, providers={"fake": inner})
    error = run.node("a").error
    assert error is not None
    assert error["kind"] == "budget"


# ---------------------------------------------------------------- every tool


def test_wrong_arguments_and_unknown_names_never_reach_a_tool() -> None:
    called: list[int] = []

    def count(n: int) -> int:
        called.append(n)
        return n

    calls: Calls = [("count", {"n": "many"}), ("count", {}), ("count", {"n": 1, "m": 2}), ("nope", {})]
    run, model = run_with("function:count", calls, {"count": count})
    messages = results(model)
    assert all(message.failed for message in messages)
    assert "n: 'many' is not of type 'integer'" in messages[0].text
    assert "'n' is a required property" in messages[1].text
    assert "there is no tool 'nope'; there is count" in messages[3].text
    assert called == []
    assert [event.get("failed") for event in told(run)] == [True, True, True]


def test_a_large_result_is_cut_with_its_size() -> None:
    def much() -> str:
        return "ä" * 100_000

    run, model = run_with("function:much", [("much", {})], {"much": much})
    text = said(results(model)[0])
    assert text.endswith("\n[cut here: these are the first 65536 of 200000 bytes]")
    assert text.count("ä") == 32768
    (event,) = told(run)
    assert (event["bytes"], event["truncated"]) == (200000, True)


def test_two_tools_of_one_name_are_refused() -> None:
    def http() -> int:
        return 1

    with pytest.raises(InvalidPipeline) as raised:
        run_with("function:http, {agent: http}", [], {"http": http})
    assert [one.code for one in raised.value.diagnostics] == ["E520"]


def clash(*named: tuple[str, str, str]) -> str:
    """What is said of tools by name, source and the name that the server gives."""

    async def use(arguments: Any) -> ToolResult:
        return ToolResult("")

    tools = [Tool(ToolSpec(name, "", {}), source, f"{source}/{given}", use) for name, source, given in named]
    with pytest.raises(NodeFault) as raised:
        with_names(tools)
    return raised.value.message


def test_two_tools_of_one_name_that_only_a_server_tells_fail_the_node() -> None:
    message = clash(("t_now", "function:t_now", "t_now"), ("now", "mcp:t", "now"), ("now", "mcp:u", "now"))
    assert "two tools of the node would be called 't_now': function:t_now/t_now and mcp:t/now; give" in message


def test_s8_all_tools_of_one_name_are_told_and_what_servers_call_them_is_safe_to_print() -> None:
    message = clash(
        ("a_", "mcp:s", "a\x1b"),
        ("a_", "mcp:s", "a\u202e"),
        ("a_", "mcp:s", "a!"),
        ("b_", "mcp:s", "b\n"),
        ("b_", "mcp:s", "b?"),
    )
    assert message.startswith(
        r"3 tools of the node would be called 's_a_': mcp:s/a\x1b, mcp:s/a\u202e and mcp:s/a!; "
        r"two tools of the node would be called 's_b_': mcp:s/b\x0a and mcp:s/b?; give an agent"
    )
    assert len(clash(("a", "mcp:s", "x" * 10_000), ("a", "mcp:s", "y" * 10_000))) < 1000


def test_no_secret_of_the_node_reaches_the_model_by_a_tool() -> None:
    def leak() -> str:
        return "the key is s3cr3t-value-x"

    model = FakeProvider(Answer(tools=[("leak", {})]), "done")
    text = """
version: 1
secrets: {KEY: {from: env}}
nodes:
  a: {agent: llm, provider: fake, secrets: [KEY], with: {prompt: x, tools: ["function:leak"]}}
"""
    run_pipeline(text, providers={"fake": model}, tools={"leak": leak}, environ={"KEY": "s3cr3t-value-x"})
    assert said(results(model)[0]) == "the key is ***"


def test_an_agent_that_changes_things_is_no_tool_also_not_of_a_model_that_is_one() -> None:
    act = "{agent: infrastructure_action, with: {action: restart_service}}"
    with pytest.raises(InvalidPipeline) as raised:
        run_with(act, [])
    assert [one.code for one in raised.value.diagnostics] == ["E506"]
    _, model = run_with(f"{{agent: llm, with: {{tools: [{act}]}}}}", [("llm", {"prompt": "restart it"})])
    assert "it changes things" in model.requests[-1].messages[-1].text
