"""`agent: llm`: what a model is asked, and what becomes of its answer."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipe_agents.llm import LlmAgent
from pipe_agents.llm_asking import choices
from pipe_runner.models import Finish, Message, ModelChoice, ModelFault, Reason, Usage
from pipe_runner.testing import Answer, FakeProvider, FinishedRun, run_pipeline
from pipe_runner.types import Json

SCHEMA = (
    "{type: object, required: [severity], properties: {severity: {enum: [low, high]}}, additionalProperties: false}"
)


def ask(tmp_path: Path, model: FakeProvider, options: str, node: str = "") -> FinishedRun:
    text = f"version: 1\nnodes:\n  a: {{agent: llm, provider: fake, with: {options}{node}}}\n"
    return run_pipeline(text, providers={"fake": model}, root=tmp_path)


def failed(run: FinishedRun, kind: str) -> str:
    error: Any = run.node("a").error
    assert run.status == "failed"
    assert error["kind"] == kind
    return str(error["message"])


def test_the_answer_is_the_output_to_the_letter(tmp_path: Path) -> None:
    run = ask(tmp_path, FakeProvider("  two\nlines\n\n"), "{prompt: x}")
    assert run.output("a") == "  two\nlines\n\n"


def test_half_a_character_does_not_get_through(tmp_path: Path) -> None:
    assert ask(tmp_path, FakeProvider("a\ud83d\ude00b\ud83dc"), "{prompt: x}").output("a") == "a😀b\ufffdc"


def test_every_option_reaches_the_service(tmp_path: Path) -> None:
    model = FakeProvider("x")
    options = (
        "{system: be short, prompt: why, model: big, max_tokens: 9, temperature: 0.5, top_p: 0.9, stop: [END], seed: 4}"
    )
    ask(tmp_path, model, options)
    (request,) = model.requests
    assert request.messages == (Message("system", "be short"), Message("user", "why"))
    assert (request.model, request.max_tokens, request.temperature, request.top_p) == ("big", 9, 0.5, 0.9)
    assert (request.stop, request.seed, request.output_schema, request.tools) == (("END",), 4, None, ())


def test_messages_stand_in_place_of_a_prompt(tmp_path: Path) -> None:
    model = FakeProvider("x")
    ask(
        tmp_path,
        model,
        "{messages: [{role: user, content: a}, {role: assistant, content: b}, {role: user, content: c}]}",
    )
    assert [(m.role, m.text) for m in model.requests[0].messages] == [("user", "a"), ("assistant", "b"), ("user", "c")]


def test_an_answer_of_a_schema_is_a_value(tmp_path: Path) -> None:
    model = FakeProvider({"severity": "high"})
    run = ask(tmp_path, model, f"{{prompt: x, output_schema: {SCHEMA}}}")
    assert run.output("a") == {"severity": "high"}
    assert model.requests[0].output_schema == {
        "type": "object",
        "required": ["severity"],
        "properties": {"severity": {"enum": ["low", "high"]}},
        "additionalProperties": False,
    }


def test_what_does_not_fit_is_asked_for_again_with_what_is_wrong(tmp_path: Path) -> None:
    model = FakeProvider("I think it is low.", {"severity": "medium", "why": 1}, {"severity": "low"})
    run = ask(tmp_path, model, f"{{prompt: x, output_schema: {SCHEMA}}}")
    assert run.output("a") == {"severity": "low"}
    first, second, third = (request.messages for request in model.requests)
    assert second[:1] == first
    assert second[1] == Message("assistant", "I think it is low.")
    assert "it is no JSON" in second[2].text
    assert 'at $.severity: must be one of "low", "high", not "medium"' in third[4].text
    assert 'has properties that are not declared: "why"' in third[4].text
    assert run.node("a").attempts == 1


def test_after_the_last_reask_the_node_fails_with_what_the_model_said(tmp_path: Path) -> None:
    model = FakeProvider({"severity": "medium"})
    message = failed(ask(tmp_path, model, f"{{prompt: x, output_schema: {SCHEMA}, max_reasks: 1}}"), "invalid_output")
    assert len(model.requests) == 2
    assert "after being asked 2 times" in message
    assert "at $.severity: must be one of" in message
    assert 'it said: {"severity": "medium"}' in message


def test_no_reask_asks_once(tmp_path: Path) -> None:
    model = FakeProvider("no")
    failed(ask(tmp_path, model, f"{{prompt: x, output_schema: {SCHEMA}, max_reasks: 0}}"), "invalid_output")
    assert len(model.requests) == 1


def test_an_answer_that_was_cut_says_to_raise_the_bound(tmp_path: Path) -> None:
    for options in ("{prompt: x}", f"{{prompt: x, output_schema: {SCHEMA}}}"):
        model = FakeProvider(Answer('{"severity": "l', finish=Finish.LENGTH))
        message = failed(ask(tmp_path, model, options), "invalid_output")
        assert "raise `max_tokens`" in message
        assert len(model.requests) == 1


def test_a_model_that_declines_is_refused_with_its_words(tmp_path: Path) -> None:
    model = FakeProvider(Answer("I can't help with that.", finish=Finish.REFUSED))
    assert "I can't help with that." in failed(ask(tmp_path, model, "{prompt: x}"), "refused")


def test_an_end_without_words_is_no_answer(tmp_path: Path) -> None:
    model = FakeProvider(Answer("", finish=Finish.OTHER))
    assert "without an answer" in failed(ask(tmp_path, model, "{prompt: x}"), "invalid_output")


def test_an_empty_answer_is_no_output(tmp_path: Path) -> None:
    for said in ("", " \n"):
        for options in ("{prompt: x}", "{prompt: x, allow_noop: true}"):
            model = FakeProvider(said)
            assert "answer is empty" in failed(ask(tmp_path, model, options), "invalid_output")
            assert len(model.requests) == 1


def test_an_empty_answer_is_asked_for_again_where_there_is_a_schema(tmp_path: Path) -> None:
    model = FakeProvider("", '{"severity": "low"}')
    run = ask(tmp_path, model, f"{{prompt: x, output_schema: {SCHEMA}}}")
    assert run.output("a") == {"severity": "low"}
    assert len(model.requests) == 2


def test_a_property_that_stands_twice_is_asked_for_again(tmp_path: Path) -> None:
    model = FakeProvider('{"severity": "low", "severity": "high"}', '{"severity": "low"}')
    run = ask(tmp_path, model, f"{{prompt: x, output_schema: {SCHEMA}}}")
    assert run.output("a") == {"severity": "low"}
    assert 'an object has the property "severity" more than once' in model.requests[1].messages[-1].text


def test_an_answer_above_the_limit_fails(tmp_path: Path) -> None:
    (tmp_path / "pipe.yml").write_text("limits: {output: 10}\n")
    message = failed(ask(tmp_path, FakeProvider("x" * 11), "{prompt: x}"), "output_too_large")
    assert "11 bytes" in message


@pytest.mark.parametrize(
    ("said", "output"),
    [
        ('{"noop": "all is well"}', {"noop": "all is well"}),
        ('```json\n{"noop": "all is well"}\n```', {"noop": "all is well"}),
        ('{"noop": ""}', '{"noop": ""}'),
        ('{"noop": "x", "more": 1}', '{"noop": "x", "more": 1}'),
        ("nothing to do", "nothing to do"),
    ],
)
def test_a_model_may_say_that_there_is_nothing_to_do(tmp_path: Path, said: str, output: Json) -> None:
    model = FakeProvider(said)
    assert ask(tmp_path, model, "{prompt: x, allow_noop: true}").output("a") == output
    assert "nothing to do" in model.requests[0].messages[0].text


@pytest.mark.parametrize(
    ("said", "output"),
    [
        ({"answer": None, "noop": "well"}, {"noop": "well"}),
        ({"noop": "well"}, {"noop": "well"}),
        ({"answer": {"severity": "low"}, "noop": None}, {"severity": "low"}),
        ({"severity": "low"}, {"severity": "low"}),
    ],
)
def test_a_noop_stands_beside_a_schema(tmp_path: Path, said: Json, output: Json) -> None:
    model = FakeProvider(said)
    assert ask(tmp_path, model, f"{{prompt: x, allow_noop: true, output_schema: {SCHEMA}}}").output("a") == output
    schema: Any = model.requests[0].output_schema
    assert schema["type"] == "object"
    assert schema["required"] == ["answer", "noop"]


def test_without_leave_a_noop_is_no_answer(tmp_path: Path) -> None:
    options = f"{{prompt: x, max_reasks: 0, output_schema: {SCHEMA}}}"
    failed(ask(tmp_path, FakeProvider({"noop": "x"}), options), "invalid_output")


# ---------------------------------------------------------------- usage and faults


def test_usage_counts_every_call_of_the_attempt(tmp_path: Path) -> None:
    model = FakeProvider(
        Answer("no", usage=Usage(100, 20, cached=50, reasoning=5), cost=0.25),
        Answer({"severity": "low"}, usage=Usage(130, 10), cost=0.5),
    )
    run = ask(tmp_path, model, f"{{prompt: x, output_schema: {SCHEMA}}}")
    assert run.node("a").usage == {
        "calls": 2, "input": 230, "output": 30, "cached": 50, "reasoning": 5, "cost": 0.75,
    }  # fmt: skip


def test_an_unknown_price_makes_the_cost_unknown(tmp_path: Path) -> None:
    run = ask(tmp_path, FakeProvider(Answer("x", cost=None), price=None), "{prompt: x}")
    usage: Any = run.node("a").usage
    assert usage["cost"] is None
    assert usage["calls"] == 1


def test_tokens_that_the_service_did_not_tell_of_one_answer_are_unknown_of_all(tmp_path: Path) -> None:
    schema = "{prompt: x, output_schema: {type: object, required: [a]}}"
    model = FakeProvider(Answer({"b": 1}, usage=Usage(7, 3), cost=0.25), Answer({"a": 1}, usage=None, cost=0.5))
    usage: Any = ask(tmp_path, model, schema).node("a").usage
    assert usage == {"calls": 2, "input": None, "output": None, "cached": None, "reasoning": None, "cost": 0.75}


def test_a_failed_attempt_has_its_usage_too(tmp_path: Path) -> None:
    run = ask(tmp_path, FakeProvider("no"), f"{{prompt: x, output_schema: {SCHEMA}}}")
    usage: Any = run.node("a").usage
    assert (usage["calls"], usage["input"]) == (3, 30)
    fault = ModelFault(Reason.TIMED_OUT, "no answer in time", usage=Usage(7, 0))
    usage = ask(tmp_path, FakeProvider(fault), "{prompt: x}").node("a").usage
    assert (usage["calls"], usage["input"]) == (1, 7)


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        (Reason.UNAVAILABLE, "unavailable"),
        (Reason.TIMED_OUT, "timeout"),
        (Reason.REFUSED, "refused"),
        (Reason.TOO_LONG, "refused"),
        (Reason.CREDENTIALS, "credentials"),
        (Reason.INVALID_OUTPUT, "invalid_output"),
        (Reason.NOT_FOUND, "not_found"),
    ],
)
def test_a_fault_of_the_service_is_the_nodes(tmp_path: Path, reason: Reason, kind: str) -> None:
    model = FakeProvider(ModelFault(reason, "the service says no"))
    assert "the service says no" in failed(ask(tmp_path, model, "{prompt: x}"), kind)
    assert len(model.requests) == 1


def test_what_is_rate_limited_is_waited_for_within_the_attempt(tmp_path: Path) -> None:
    model = FakeProvider(ModelFault(Reason.RATE_LIMITED, "slow down", retry_after=0.05), "now")
    run = ask(tmp_path, model, "{prompt: x}", ", timeout: 10s")
    assert run.output("a") == "now"
    assert (run.node("a").attempts, len(model.requests)) == (1, 2)


def test_v1_a_call_that_was_only_told_to_come_later_costs_nothing(tmp_path: Path) -> None:
    later = ModelFault(Reason.RATE_LIMITED, "429", retry_after=30.0, status=429)
    text = "version: 1\nbudget: {max_time: 500ms}\nnodes:\n  a: {agent: llm, provider: fake, with: {prompt: x}}\n"
    run = run_pipeline(text, providers={"fake": FakeProvider(lambda request: later)}, root=tmp_path)
    assert run.status == "failed"
    (told,) = [event.data for event in run.events if event.event == "model.called"]
    assert told["free"] is True
    assert "ambiguous" not in told


def test_the_scheduler_alone_tries_again(tmp_path: Path) -> None:
    model = FakeProvider(ModelFault(Reason.UNAVAILABLE, "not there"), "now")
    run = ask(tmp_path, model, "{prompt: x}", ", retry: {max_attempts: 2, delay: 0s}")
    assert run.output("a") == "now"
    assert run.node("a").attempts == 2


def test_an_attempt_that_is_out_of_time_ends_its_call(tmp_path: Path) -> None:
    model = FakeProvider(Answer("late", delay=30))
    run = ask(tmp_path, model, "{prompt: x}", ", timeout: 200ms")
    assert "timed out" in failed(run, "timeout")
    assert (model.cancelled, model.running) == (1, 0)
    usage: Any = run.node("a").usage
    assert (usage["calls"], usage["input"]) == (1, 0)
    timeout = model.requests[0].timeout
    assert timeout is not None
    assert 0 < timeout <= 0.2


# ---------------------------------------------------------------- whom to ask


@pytest.mark.parametrize(
    ("providers", "model", "expected"),
    [
        (["a"], None, [("a", "")]),
        (["a"], "m", [("a", "m")]),
        (["a"], ["m", "n"], [("a", "m"), ("a", "n")]),
        (["a", "b"], None, [("a", ""), ("b", "")]),
        (["a", "b"], "m", [("a", "m"), ("b", "m")]),
        (["a", "b"], ["m", "n"], [("a", "m"), ("b", "n")]),
        (["a", "b"], ["l", "m", "n"], [(p, m) for p in "ab" for m in "lmn"]),
        (["a"], ["m"], [("a", "m")]),
    ],
)
def test_choices_are_tried_in_order(providers: list[str], model: Json, expected: list[tuple[str, str]]) -> None:
    assert choices({"provider": providers, "model": model}) == [ModelChoice(*one) for one in expected]


def test_the_next_model_of_a_provider_is_asked_at_once_where_one_is_to_be_waited_for(tmp_path: Path) -> None:
    full = ModelFault(Reason.RATE_LIMITED, "429", retry_after=30.0, status=429)
    model = FakeProvider(lambda request: full if request.model == "full" else "free")
    nodes = "".join(
        f"  {name}: {{agent: llm, provider: fake, timeout: 20s, with: {{prompt: x, model: [full, m]}}}}\n"
        for name in ("a", "b", "c")
    )
    run = run_pipeline(f"version: 1\nconcurrency: 1\nnodes:\n{nodes}", providers={"fake": model}, root=tmp_path)
    assert [run.output(name) for name in ("a", "b", "c")] == ["free", "free", "free"]
    assert [request.model for request in model.requests] == ["full", "m", "m", "m"]


def test_the_next_one_is_asked_where_one_cannot_answer(tmp_path: Path) -> None:
    gone, there = FakeProvider(ModelFault(Reason.UNAVAILABLE, "gone")), FakeProvider("here")
    text = "version: 1\nnodes: {a: {agent: llm, provider: [one, two], with: {prompt: x, model: [m, n]}}}\n"
    run = run_pipeline(text, providers={"one": gone, "two": there}, root=tmp_path)
    assert run.output("a") == "here"
    assert (gone.requests[0].model, there.requests[0].model) == ("m", "n")


def test_an_attempt_whose_time_is_up_says_which_tool_it_waited_for(tmp_path: Path) -> None:
    async def slow() -> None:
        await asyncio.sleep(60)

    model = FakeProvider(Answer(tools=[("slow", {}), ("slow", {}), ("quick", {})]))
    node = "{agent: llm, provider: fake, timeout: 1s, with: {prompt: x, tools: [function:slow, function:quick]}}"
    tools = {"slow": slow, "quick": lambda: None}
    run = run_pipeline(f"version: 1\nnodes: {{a: {node}}}\n", providers={"fake": model}, tools=tools, root=tmp_path)
    assert run.run.nodes["a"].error == {"kind": "timeout", "message": "timed out after 1 s; waiting for slow"}


def test_where_no_choice_answers_each_is_told_by_its_model(tmp_path: Path) -> None:
    model = FakeProvider(lambda request: ModelFault(Reason.UNAVAILABLE, f"no {request.model}"))
    text = "version: 1\nnodes: {a: {agent: llm, provider: fake, with: {prompt: x, model: [m, n]}}}\n"
    error = run_pipeline(text, providers={"fake": model}, root=tmp_path).run.nodes["a"].error
    assert error is not None
    assert error["message"] == "no choice answered: m of fake: no m; n of fake: no n"


def test_the_project_says_whom_to_ask_by_default(tmp_path: Path) -> None:
    (tmp_path / "pipe.yml").write_text(
        "defaults: {provider: fake}\nagents: {brief: {agent: llm, with: {system: short}}}\n"
    )
    model = FakeProvider("x")
    text = "version: 1\nnodes: {a: {agent: llm, with: {prompt: x}}, b: {agent: brief, with: {prompt: y}}}\n"
    assert run_pipeline(text, providers={"fake": model}, root=tmp_path).status == "succeeded"
    assert sorted(request.messages[-1].text for request in model.requests) == ["x", "y"]


def test_a_preset_may_name_its_provider(tmp_path: Path) -> None:
    (tmp_path / "pipe.yml").write_text("agents: {brief: {agent: llm, provider: one, with: {system: short}}}\n")
    one, two = FakeProvider("1"), FakeProvider("2")
    nodes = "{a: {agent: brief, with: {prompt: x}}, b: {agent: brief, provider: two, with: {prompt: x}}}"
    text = f"version: 1\nnodes: {nodes}\n"
    run = run_pipeline(text, providers={"one": one, "two": two}, root=tmp_path)
    assert (run.output("a"), run.output("b")) == ("1", "2")


TEXTS = st.one_of(st.text(max_size=3), st.text(st.characters(categories=["Cs", "L"]), max_size=2))
VALUES = st.one_of(TEXTS, st.lists(TEXTS, max_size=2), st.integers(-1, 3), st.booleans(), st.none(), st.just(1.0))


@given(
    st.dictionaries(st.sampled_from(["prompt", "model", "provider", "system", "max_tokens", "seed", "x"]), VALUES),
    st.booleans(),
)
@settings(max_examples=400, deadline=None)
def test_what_surely_fits_fits(options: dict[str, Json], asks: bool) -> None:
    agent = LlmAgent()
    if asks:
        options["prompt"] = "x"
    if agent.surely_fits(options):
        agent.options_model().model_validate(options)


def test_a_prompt_with_values_in_it_needs_no_model_of_options() -> None:
    options: dict[str, Json] = {
        "provider": ["openai"],
        "model": "m",
        "system": "be brief",
        "prompt": "é",
        "max_tokens": 9,
    }
    assert LlmAgent().surely_fits(options)
    assert not LlmAgent().surely_fits({**options, "prompt": ""})
    assert not LlmAgent().surely_fits({"model": "m"})
