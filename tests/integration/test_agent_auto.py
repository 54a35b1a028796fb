"""`agent: auto`: who performs a task, chosen before the run or in it, by words or by a model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.unit.runner.routing.measuring import registry

from pipe_runner.errors import InvalidPipeline
from pipe_runner.registry import Registry
from pipe_runner.routing.passwords import LEFT_OUT
from pipe_runner.testing import Answer, FakeProvider, FinishedRun, run_text
from pipe_runner.types import EventKind

REACH = "version: 1\nnodes:\n  a:\n    agent: auto\n    with: {task: can we reach db.internal on 5432%s}\n"


def made(*providers: Any) -> Registry:
    """The agents of these tests with ours that choose and ask."""
    found = registry()
    installed = Registry.installed()
    for name in ("auto", "llm", "shell"):
        found.register(name, lambda name=name: installed.get(name))  # type: ignore[misc]
    for name, provider in providers:
        found.providers.register(name, provider)
    return found


def run(text: str, agents: Registry | None = None, **inputs: Any) -> FinishedRun:
    return run_text(text, agents or made(), root=None, inputs=inputs)


def printed(done: FinishedRun) -> str:
    return "".join(e.data["text"] for e in done.events if e.event == EventKind.NODE_OUTPUT)


def test_a_task_that_the_file_has_is_a_node_of_the_chosen_agent() -> None:
    agents = made()
    done = run(REACH % ", options: {explain: false}", agents)
    assert done.status == "succeeded"
    (call,) = agents.get("net").calls  # type: ignore[attr-defined]
    assert call.options == {"host": "db.internal", "ports": [5432], "checks": ["tcp"], "explain": False}
    assert done.run.nodes["a"].output["agent"] == "net"
    (chosen,) = done.events[0].data["chosen"]["a"]
    assert (chosen["agent"], chosen["options"]) == ("net", call.options)
    assert "network.tcp by 'reach'" in chosen["why"]


def test_what_is_given_stands_over_what_the_task_says() -> None:
    agents = made()
    run(REACH % ", options: {ports: [1], checks: [dns]}", agents)
    (call,) = agents.get("net").calls  # type: ignore[attr-defined]
    assert call.options == {"host": "db.internal", "ports": [1], "checks": ["dns"]}


def test_a_task_with_a_template_is_chosen_for_when_it_runs_and_the_log_says_who() -> None:
    text = "version: 1\ninputs: {t: {type: string}}\nnodes: {a: {agent: auto, with: {task: '{{ inputs.t }}'}}}\n"
    for task, agent in (("errors in app.log", "logs"), ("resolve x.example", "net")):
        done = run(text, t=task)
        assert done.status == "succeeded", done.run.nodes["a"].error
        assert done.run.nodes["a"].output["agent"] == agent
        assert printed(done).startswith(f"chosen: {agent} (score ")


def test_where_nobody_fits_the_node_fails_and_says_who_there_is() -> None:
    text = "version: 1\ninputs: {t: {type: string}}\nnodes: {a: {agent: auto, with: {task: '{{ inputs.t }}'}}}\n"
    done = run(text, t="what is for lunch")
    assert done.status == "failed"
    error = done.run.nodes["a"].error
    assert error is not None
    assert error["kind"] == "refused"
    assert "no agent fits the task" in error["message"]
    assert "net: Stands in for net." in error["message"]


def test_data_of_a_task_is_never_a_template_or_an_option_of_its_own() -> None:
    text = "version: 1\ninputs: {t: {type: string}}\nnodes: {a: {agent: auto, with: {task: '{{ inputs.t }}'}}}\n"
    agents = made()
    run(text, agents, t="errors in {{ secrets.X }}.log explain: true host: evil")
    (call,) = agents.get("logs").calls  # type: ignore[attr-defined]
    assert set(call.options) <= {"paths", "since"}


@pytest.mark.parametrize("templated", [False, True])
def test_a_host_that_the_agent_does_not_look_at_is_in_its_result(templated: bool) -> None:
    task = "check the logs of web01"
    text = "version: 1\ninputs: {t: {type: string}}\nnodes: {a: {agent: auto, with: {task: %s}}}\n"
    agents = Registry.installed()
    done = run(text % ("'{{ inputs.t }}'" if templated else task), agents, t=task)
    assert done.status == "succeeded", done.run.nodes["a"].error
    (left,) = [one for one in done.run.nodes["a"].output["findings"] if one["check"] == "task.not_looked_at"]
    assert (left["subject"], left["status"]) == ("web01", "unavailable")
    assert "web01 was not looked at" in done.run.nodes["a"].output["summary"]


def test_who_merges_tells_what_nobody_looks_at() -> None:
    text = (
        "version: 1\nnodes: {a: {agent: findings, with: {results: [], "
        "not_looked_at: [{what: web01, why: nobody can}]}}}\n"
    )
    done = run_text(text, Registry.installed(), root=None, inputs={})
    (blind,) = done.run.nodes["a"].output["blind_spots"]
    assert (blind["what"], blind["why"]) == ("task.not_looked_at (web01)", "nobody can")


SEVERAL = "is the port open that it can't reach, and which errors and exceptions are there, after the crash"


@pytest.mark.parametrize("templated", [False, True])
def test_several_give_one_result(templated: bool) -> None:
    text = (
        "version: 1\ninputs: {t: {type: string}}\nnodes:\n  a: {agent: auto, with: {most: 2, task: %s}}\n"
        'outputs: {o: "{{ nodes.a.output.measurements.chosen }}"}\n'
    )
    done = run(text % ("'{{ inputs.t }}'" if templated else json.dumps(SEVERAL)), t=SEVERAL)
    assert done.status == "succeeded"
    output = done.run.nodes["a"].output
    assert sorted(one["agent"] for one in done.outputs["o"]) == ["logs", "net"]
    assert sorted(one["check"] for one in output["findings"]) == ["logs.thing", "net.thing"]
    assert output["severity"] == "low"
    assert set(output["measurements"]["outputs"]) == {"logs", "net"}
    assert ("chosen" in done.events[0].data) is not templated


def test_the_choice_is_part_of_what_a_node_is() -> None:
    """Where another agent is chosen since, `resume` runs the node again."""
    from pipe_runner.compiler import compile_text

    root = Path("/nowhere")
    text = REACH % ""
    one = compile_text(text, path="/nowhere/p.yml", root=root, registry=made()).plan
    agents = made()
    agents.register("aaa", lambda: agents.get("net"))
    other = compile_text(text.replace("task:", "agents: [net], task:"), path="p.yml", root=root, registry=made()).plan
    another = compile_text(text, path="/nowhere/p.yml", root=root, registry=agents).plan
    assert one is not None
    assert other is not None
    assert another is not None
    assert another.nodes[0].agent == "aaa"
    assert len({plan.nodes[0].digest for plan in (one, other, another)}) == 3


# ---------------------------------------------------------------- by a model

BY_MODEL = (
    "version: 1\nnodes:\n  a: {agent: auto, provider: p, with: {by: model, most: 2, task: 'why is example.org slow'}}\n"
)


def ask_model(tmp_path: Path, said: Any) -> tuple[FinishedRun, Registry]:
    agents = made(("p", FakeProvider(said)))
    return run_text(BY_MODEL, agents, root=tmp_path, inputs={}), agents


def answer(*choices: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    return {"choices": [{"agent": name, "options": json.dumps(given), "why": "so"} for name, given in choices]}


def test_a_model_chooses_among_the_agents_that_there_are(tmp_path: Path) -> None:
    done, agents = ask_model(tmp_path, answer(("logs", {"paths": ["/var/log/x.log"]})))
    assert done.status == "succeeded", done.run.nodes["a"].error
    (call,) = agents.get("logs").calls  # type: ignore[attr-defined]
    assert call.options == {"paths": ["/var/log/x.log"]}
    assert "a model chose it: so" in printed(done)


@pytest.mark.parametrize("names", [["logs"], ["logs", "net"]])
def test_what_a_model_has_used_that_chose_is_the_usage_of_the_node(tmp_path: Path, names: list[str]) -> None:
    options = {"logs": {"paths": ["/var/log/x.log"]}, "net": {"host": "example.org"}}
    done, _ = ask_model(tmp_path, answer(*((name, options[name]) for name in names)))
    assert done.status == "succeeded", done.run.nodes["a"].error
    usage: Any = done.node("a").usage
    assert (usage["calls"], usage["input"], usage["output"], usage["cost"]) == (1, 10, 5, 0.001)


def test_what_a_model_makes_up_is_left_out_and_told(tmp_path: Path) -> None:
    done, agents = ask_model(tmp_path, answer(("logs", {"shell": "rm -rf /", "since": "2h"})))
    (call,) = agents.get("logs").calls  # type: ignore[attr-defined]
    assert call.options == {"since": "2h"}
    assert "the model's option shell of logs is none that it takes so; it is left out" in printed(done)


@pytest.mark.parametrize("said", ["no JSON at all", {"choices": []}, {"choices": [{"agent": "shell"}]}])
def test_where_a_model_is_of_no_use_words_choose_and_the_log_says_so(tmp_path: Path, said: Any) -> None:
    done, _ = ask_model(tmp_path, said)
    assert done.status == "succeeded", done.run.nodes["a"].error
    assert done.run.nodes["a"].output["agent"] == "net"
    assert "chosen by words: " in printed(done)


def test_what_the_choice_has_taken_is_no_time_of_the_chosen_agent(tmp_path: Path) -> None:
    said = answer(("logs", {"paths": ["/var/log/x.log"]}))
    agents = made(("p", FakeProvider(Answer(said, delay=0.3))))
    done = run_text(BY_MODEL.replace("provider: p,", "provider: p, timeout: 20s,"), agents, root=tmp_path, inputs={})
    assert done.status == "succeeded", done.run.nodes["a"].error
    (call,) = agents.get("logs").calls  # type: ignore[attr-defined]
    assert call.timeout <= 19.7


def test_s4_a_password_of_the_task_goes_to_no_model_and_into_no_log(tmp_path: Path) -> None:
    text = BY_MODEL.replace("'why is example.org slow'", "'{{ inputs.t }}'")
    text = text.replace("nodes:", "inputs: {t: {type: string}}\nnodes:", 1)
    model = FakeProvider(answer(("net", {"host": "shop.example"})))
    given = {"t": "why is https://ada:sup3rPassw0rd@shop.example/ slow"}
    done = run_text(text, made(("p", model)), root=tmp_path, inputs=given)
    assert done.status == "succeeded", done.run.nodes["a"].error
    assert "ada:***@shop.example" in model.requests[0].messages[-1].text
    later = [event for event in done.events if event.event != EventKind.RUN_STARTED]
    assert "sup3rPassw0rd" not in repr((model.requests, later))
    assert LEFT_OUT in printed(done)


@pytest.mark.parametrize(
    "more", ["why is {} slow", "'why is {} slow, is the CPU busy, what is in the log', most: 3", "why is {}, by: model"]
)
def test_s4_a_password_of_a_task_that_the_file_has_stays_in_the_file_alone(tmp_path: Path, more: str) -> None:
    provider = "provider: p, " if "by: model" in more else ""
    task = more.format("https://ada:sup3rPassw0rd@shop.example/")
    text = f"version: 1\nnodes: {{a: {{agent: auto, {provider}with: {{task: {task}}}}}}}\n"
    model = FakeProvider(answer(("net", {"host": "shop.example"})))
    done = run_text(text, made(("p", model)), root=tmp_path, inputs={})
    assert done.status == "succeeded", done.run.nodes["a"].error
    assert "sup3rPassw0rd" not in repr((model.requests, done.events))


def test_by_a_model_needs_a_provider() -> None:
    with pytest.raises(InvalidPipeline) as caught:
        run(BY_MODEL.replace("provider: p, ", ""))
    assert [one.code for one in caught.value.diagnostics] == ["E513"]


@pytest.mark.parametrize(
    "more",
    [
        "by: model, task: why is example.org slow",
        "task: why is the disk full, options: {explain: true}",
        "task: 'why is {{ inputs.what }} full', options: {explain: true}",
        "task: 'is the CPU busy, and what listens on localhost', most: 2, options: {explain: true}",
    ],
)
def test_where_a_model_has_a_say_budgets_count_and_the_way_out_is_open(tmp_path: Path, more: str) -> None:
    from pipe_runner.compiler import compile_text
    from pipe_runner.engine.outside import services_for
    from pipe_runner.engine.settings import RunSettings

    agents = Registry.installed()
    agents.providers.register("p", FakeProvider("x"))
    text = (
        "version: 1\ninputs: {what: {type: string, default: disk}}\nbudget: {max_cost: 1}\n"
        f"nodes:\n  a: {{agent: auto, provider: p, with: {{{more}}}}}\n"
    )
    found = compile_text(text, path="p.yml", root=tmp_path, registry=agents)
    assert found.diagnostics == []
    plan = found.plan
    assert plan is not None
    services, _ = services_for(plan, plan.nodes, {}, agents, RunSettings(state_dir=str(tmp_path)), recorded=False)
    assert services is not None
