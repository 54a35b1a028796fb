"""Messages between the nodes of real runs: functions, commands, repeated nodes, sub-pipelines, stops, retries."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest

from pipe_runner.testing import FinishedRun, run_pipeline

PIPE = f"{sys.executable} -m pipe_runner"
TOOLS = """
import contextvars, threading
from pipe_runner import here
from pipe_runner.here import aio

def produce(count, topic="t"):
    for number in range(count):
        here.publish(topic, number)

async def aproduce(count, topic="t"):
    for number in range(count):
        await aio.publish(topic, number)

def consume(pattern="#"):
    return [message.message for message in here.subscribe(pattern)]

async def aconsume(pattern="#"):
    return [message.message async for message in aio.subscribe(pattern)]

def first(pattern="#"):
    return next(here.subscribe(pattern)).message

def past(pattern="#"):
    return [[message.node, message.attempt, message.message] for message in here.history(pattern)]

def fails_first(count):
    produce(count)
    if len(here.history("t")) <= count:
        raise ValueError("once more")

async def wrong():
    here.publish("t", 1)

def in_a_thread(knows):
    said = []
    def publish():
        try:
            said.append(here.publish("t", 1))
        except Exception as error:
            said.append(str(error))
    thread = threading.Thread(target=contextvars.copy_context().run if knows else publish, args=(publish,) * knows)
    thread.start()
    thread.join()
    return said[0]

def before():
    found = here.earlier()
    return None if found is None else found.output
"""


@pytest.fixture
def project(project: Any) -> Any:
    (project.root / "m.py").write_text(TOOLS, encoding="utf-8")
    return project


def call(function: str, *args: Any, more: str = "") -> str:
    return f'{{agent: python, with: {{call: "m.py:{function}", args: {json.dumps(args)}}}{more}}}'


def published(done: FinishedRun) -> list[tuple[str | None, int | None, Any]]:
    return [(e.node, e.attempt, e.data["message"]) for e in done.events if e.event == "message.published"]


@pytest.mark.parametrize(("produce", "consume"), [("produce", "consume"), ("aproduce", "aconsume")])
def test_functions_publish_and_read(project: Any, produce: str, consume: str) -> None:
    done = project.run(f"""nodes:
  p: {call(produce, 30)}
  q: {call(produce, 30, "other.one")}
  all: {call(consume)}
  one: {call(consume, "other.*")}
""")
    assert done.status == "succeeded", done.run.failed
    assert done.output("one") == list(range(30))
    assert done.output("all") == [message for _, _, message in published(done)]
    assert len(done.output("all")) == 60
    assert done.run.totals()["messages"] == 60


def test_a_pipeline_can_publish_without_code_of_its_own(project: Any) -> None:
    done = project.run(f"""nodes:
  say: {{agent: python, with: {{call: "pipe_runner.here:publish", args: [a.b, {{x: 1}}]}}}}
  later: {{needs: [say], agent: python, with: {{call: "m.py:past"}}}}
  read: {call("consume")}
""")
    assert done.output("later") == [["say", 1, {"x": 1}]]
    assert done.output("read") == [{"x": 1}]


def test_commands_publish_and_read(project: Any) -> None:
    done = project.run(f"""nodes:
  p:
    run: |
      {PIPE} emit jobs 2
      echo '{{"n": [3]}}' | {PIPE} emit jobs --json -
      printf 'text\\n\\n' | {PIPE} emit jobs -
      {PIPE} emit jobs
  worker:
    run: |
      while m=$({PIPE} messages jobs --next --output json); do printf '%s\\n' "$m"; done
    output: lines
  all: {{run: "{PIPE} messages -f --output value", output: lines}}
  later: {{needs: [p], run: "{PIPE} messages jobs --limit 2 --output json", output: lines}}
  wrong: {{run: "{PIPE} emit 'a b' 1", continue_on_error: true}}
""")
    assert done.status == "succeeded", done.run.nodes["p"].error
    assert [json.loads(line)["message"] for line in done.output("worker")] == ["2", {"n": [3]}, "text", None]
    assert done.output("all") == ["2", '{"n":[3]}', "text", "null"]
    assert [json.loads(line)["message"] for line in done.output("later")] == ["text", None]
    assert json.loads(done.output("worker")[0])["node"] == "p"
    error = done.run.nodes["wrong"].error
    assert error["exit_code"] == 2
    assert "'a b' is no topic" in error["tail"]


def test_items_and_nodes_of_sub_pipelines_are_on_the_same_bus_by_their_ids(project: Any) -> None:
    project.write(sub=f"nodes:\n  say: {call('produce', 1)}\n  hear: {call('consume')}\n")
    done = project.run(f"""concurrency: 20
nodes:
  probe: {call("produce", 2, more=', for_each: {items: [a, b], key: "{{ item }}"}')}
  deploy: {{for_each: {{items: [eu], key: "{{{{ item }}}}"}}, pipeline: sub.yml}}
  watch: {call("consume")}
""")
    assert done.status == "succeeded"
    assert sorted(node for node, _, _ in published(done)) == [
        "deploy[eu].say",
        "probe[a]",
        "probe[a]",
        "probe[b]",
        "probe[b]",
    ]
    assert sorted(done.output("watch")) == [0, 0, 0, 1, 1]
    assert sorted(done.run.find("deploy[eu].hear").output) == [0, 0, 0, 1, 1]


def test_who_waits_for_nodes_that_cannot_start_is_let_go(project: Any) -> None:
    done = project.run(f"""concurrency: 2
nodes:
  a: {call("consume")}
  b: {call("consume")}
  c: {call("produce", 3)}
""")
    assert done.status == "succeeded"
    assert {done.run.nodes[n].status for n in "abc"} == {"succeeded"}


@pytest.mark.parametrize("inside", [False, True])
def test_a_node_that_waits_for_another_attempt_could_still_publish(project: Any, inside: bool) -> None:
    text = f"""nodes:
  p: {call("fails_first", 2, more=", retry: {max_attempts: 2, delay: 300ms}")}
  c: {call("consume")}
outputs: {{c: "{{{{ nodes.c.output }}}}"}}
"""
    if inside:
        project.write(sub=text)
        text = "nodes: {s: {pipeline: sub.yml}}\noutputs: {c: '{{ nodes.s.output.c }}'}\n"
    done = project.run(text)
    assert done.status == "succeeded"
    assert done.run.outputs["c"] == [0, 1, 0, 1]
    assert [attempt for _, attempt, _ in published(done)] == [1, 1, 2, 2]


def test_what_needs_a_node_that_has_ended_could_still_publish(project: Any) -> None:
    nodes = "\n".join(f"  n{i}: {call('produce', 1, more=f', needs: [n{i - 1}]')}" for i in range(1, 6))
    done = project.run(f"nodes:\n  n0: {{run: 'true'}}\n{nodes}\n  c: {call('consume')}\n")
    assert done.output("c") == [0] * 5


def test_handlers_have_the_bus_too(project: Any) -> None:
    done = project.run(f"""nodes:
  p: {call("produce", 2)}
  x: {{run: 'exit 1'}}
on_failure:
  say: {call("produce", 1, "late")}
  hear: {call("consume")}
finally:
  past: {call("past")}
""")
    assert done.output("hear") == [0, 1, 0]
    assert [node for node, _, _ in done.output("past")] == ["p", "p", "say"]


def test_a_stop_ends_those_who_wait_at_once(project: Any) -> None:
    project.write(
        main=f"""nodes:
  busy: {{run: 'sleep 60'}}
  a: {call("consume")}
  b: {call("aconsume")}
  c: {{run: "{PIPE} messages -f"}}
"""
    )
    active = project.open()

    async def main() -> Any:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(active.perform())
            while not active._scheduler or len(active._scheduler._workers.in_flight) < 4:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            await asyncio.sleep(0.5)
            active.stop("a test")
        return task.result()

    run = anyio.run(main)
    assert run.status == "cancelled"
    assert run.nodes["a"].status == run.nodes["b"].status == "succeeded"  # they ended within the grace


def test_a_time_out_ends_who_waits_in_a_function(project: Any) -> None:
    done = project.run(f"""nodes:
  p: {{run: 'sleep 1.5'}}
  a: {call("consume", more=", timeout: 200ms")}
  b: {call("aconsume", more=", timeout: 200ms")}
""")
    for node in "ab":
        assert done.run.nodes[node].error["kind"] == "timeout"
        assert "still runs" not in done.run.nodes[node].error["message"]


def test_what_functions_get_wrong_is_said_in_words(project: Any) -> None:
    done = project.run(f"""nodes:
  wrong: {call("wrong")}
  topic: {call("produce", 1, "a b")}
  thread: {call("in_a_thread", False)}
  knows: {call("in_a_thread", True)}
""")
    assert "pipe_runner.here.aio" in done.run.nodes["wrong"].error["message"]
    assert done.run.nodes["topic"].error == {"kind": "refused", "message": done.run.nodes["topic"].error["message"]}
    assert "'a b' is no topic" in done.run.nodes["topic"].error["message"]
    assert "no node calls this code" in done.output("thread")
    assert published(done) == [("knows", 1, 1)]


def test_functions_know_what_they_gave_earlier(project: Any) -> None:
    text = f"version: 1\nnodes: {{n: {call('before')}}}\n"
    assert run_pipeline(text, root=project.root).output("n") is None
    (project.root / "m.py").write_text(f"{TOOLS}\ndef gives(): return 7\n", encoding="utf-8")
    assert run_pipeline(text.replace("before", "gives"), root=project.root).output("n") == 7
    assert run_pipeline(text, root=project.root).output("n") == 7


def test_a_run_with_commands_leaves_no_socket_and_one_with_a_long_path_has_one(project: Any, tmp_path: Path) -> None:
    deep = project.root
    while len(str(deep)) < 150:
        deep = deep / "folder"
    deep.mkdir(parents=True)
    project.root = deep
    (deep / "m.py").write_text(TOOLS, encoding="utf-8")
    done = project.run(f"nodes: {{p: {{run: 'ls -l $PIPE_BUS; {PIPE} emit a 1; echo $PIPE_BUS'}}}}\n")
    assert done.status == "succeeded", done.run.nodes["p"].error
    listing, path = done.output("p").splitlines()
    assert listing.startswith("srw-------")
    assert len(path) < 100
    assert not Path(path).parent.exists()
