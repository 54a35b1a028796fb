"""What docs/behaviour.md compares with other systems: states, retries, time-outs, handlers, conditions, cancels."""

from __future__ import annotations

import re
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from pipe_runner.compiler import compile_text
from pipe_runner.errors import NodeFault
from pipe_runner.plan import Plan
from pipe_runner.registry import Registry
from pipe_runner.testing import FinishedRun, run_pipeline
from pipe_runner.types import ErrorKind

REPOSITORY = Path(__file__).resolve().parents[2]


def run(text: str, **agents: Any) -> FinishedRun:
    return run_pipeline(f"version: 1\n{text}", agents=agents)


def planned(text: str) -> Plan:
    plan = compile_text(f"version: 1\n{text}", root=REPOSITORY, registry=Registry.installed()).plan
    assert plan is not None
    return plan


def events(done: FinishedRun, node: str) -> list[str]:
    return [str(event.event).removeprefix("node.") for event in done.events if event.node == node]


class Flaky:
    """An agent that fails this many times before it succeeds."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.calls = 0

    def __call__(self, options: Mapping[str, Any]) -> int:
        self.calls += 1
        if self.calls <= self.failures:
            raise NodeFault(ErrorKind.EXCEPTION, "not yet")
        return self.calls


def test_every_test_that_the_page_names_is_there_and_every_one_here_is_named() -> None:
    page = (REPOSITORY / "docs" / "behaviour.md").read_text(encoding="utf-8")
    files = [REPOSITORY / "tests" / "acceptance" / f for f in ("test_behaviour.py", "test_behaviour_data.py")]
    there = {name for file in files for name in re.findall(r"^def (test_\w+)", file.read_text("utf-8"), re.MULTILINE)}
    there.remove("test_every_test_that_the_page_names_is_there_and_every_one_here_is_named")
    assert set(re.findall(r"`(test_\w+)`", page)) == there


# Skips and failures


def test_a_skip_cascades_to_dependents_and_leaves_the_run_successful() -> None:
    done = run(
        "nodes:\n"
        "  a: {when: 1 > 2, run: echo a}\n"
        "  b: {needs: a, run: echo b}\n"
        "  c: {needs: b, run: echo c}\n"
        "  other: {run: echo other}\n"
    )
    assert done.statuses == {"a": "skipped", "b": "skipped", "c": "skipped", "other": "succeeded"}
    assert done.status == "succeeded"


def test_a_dependent_that_runs_after_a_skip_reads_null() -> None:
    done = run(
        "nodes:\n"
        "  a: {when: 1 > 2, run: echo a}\n"
        "  b: {run_on: always, argv: [echo, \"{{ nodes.a.output | default('nothing') }}\", "
        '"{{ nodes.a.output is none }}", "{{ nodes.a.status }}"]}\n'
    )
    assert done.statuses == {"a": "skipped", "b": "succeeded"}
    assert done.output("b") == "nothing true skipped"


def test_a_failure_blocks_its_dependents_which_name_it() -> None:
    done = run("nodes:\n  a: {run: exit 3}\n  b: {needs: a, run: echo b}\n  c: {needs: b, run: echo c}\n")
    assert done.statuses == {"a": "failed", "b": "blocked", "c": "blocked"}
    assert {e.node: e.data["by"] for e in done.events if e.event == "node.blocked"} == {"b": ["a"], "c": ["a"]}


def test_run_on_says_on_which_state_of_its_needs_a_node_runs() -> None:
    done = run(
        "nodes:\n"
        "  good: {run: echo}\n"
        "  bad: {run: exit 1}\n"
        "  after_bad: {needs: bad, run_on: failure, run: echo}\n"
        "  further_down: {needs: after_bad_blocked, run_on: failure, run: echo}\n"
        "  after_bad_blocked: {needs: bad, run: echo}\n"
        "  after_good: {needs: good, run_on: failure, run: echo}\n"
        "  last: {needs: [good, bad], run_on: always, run: echo}\n"
    )
    assert done.statuses == {
        "good": "succeeded",
        "bad": "failed",
        "after_bad": "succeeded",
        "further_down": "succeeded",
        "after_bad_blocked": "blocked",
        "after_good": "skipped",
        "last": "succeeded",
    }


def test_independent_branches_go_on_after_a_failure() -> None:
    done = run("nodes:\n  bad: {run: exit 1}\n  a: {run: sleep 0.2}\n  b: {needs: a, run: echo b}\n")
    assert done.statuses == {"bad": "failed", "a": "succeeded", "b": "succeeded"}
    assert done.status == "failed"


def test_fail_fast_starts_nothing_new_and_lets_what_runs_end() -> None:
    done = run(
        "fail_fast: true\n"
        "nodes:\n  bad: {run: exit 1}\n  a: {run: sleep 0.5; echo done}\n  b: {needs: a, run_on: always, run: echo b}\n"
    )
    assert done.statuses == {"bad": "failed", "a": "succeeded", "b": "cancelled"}
    assert done.output("a") == "done"


def test_a_tolerated_failure_lets_dependents_run_and_the_run_succeed() -> None:
    done = run(
        "nodes:\n"
        "  a: {run: echo half; exit 3, continue_on_error: true}\n"
        "  b: {run: 'echo {{ nodes.a.status }} {{ nodes.a.exit_code }} {{ nodes.a.output }}'}\n"
    )
    assert done.statuses == {"a": "failed", "b": "succeeded"}
    assert done.output("b") == "failed 3 half"
    assert done.status == "succeeded"


def test_a_run_fails_although_its_last_node_succeeds() -> None:
    done = run("nodes:\n  a: {run: exit 1}\n  b: {needs: a, run_on: always, run: echo tidy}\n")
    assert done.statuses == {"a": "failed", "b": "succeeded"}
    assert done.status == "failed"


# Retries and time


def test_nothing_is_retried_unless_asked_for() -> None:
    flaky = Flaky(1)
    done = run("nodes: {n: {agent: flaky}}", flaky=flaky)
    assert (done.status, flaky.calls) == ("failed", 1)


@pytest.mark.parametrize("retry", ["3", "{max_attempts: 3, delay: 1ms}"])
def test_the_number_of_attempts_counts_the_first_one(retry: str) -> None:
    flaky = Flaky(9)
    defaults = "defaults: {retry: {max_attempts: 9, delay: 1ms}}"
    done = run(f"{defaults}\nnodes: {{n: {{agent: flaky, retry: {retry}}}}}", flaky=flaky)
    assert (done.status, flaky.calls, done.node("n").attempts) == ("failed", 3, 3)


def test_the_wait_between_attempts_doubles_from_one_second() -> None:
    assert planned("nodes: {n: {run: echo, retry: 2}}").nodes[0].retry.delay == 1.0
    done = run("nodes: {n: {agent: flaky, retry: {max_attempts: 4, delay: 10ms}}}", flaky=Flaky(3))
    assert done.status == "succeeded"
    assert [e.data["delay_s"] for e in done.events if e.event == "node.retrying"] == [0.01, 0.02, 0.04]


def test_only_the_last_attempt_s_output_counts() -> None:
    done = run("nodes: {n: {run: 'echo $PIPE_ATTEMPT; test $PIPE_ATTEMPT = 2', retry: {max_attempts: 2, delay: 1ms}}}")
    assert (done.status, done.output("n")) == ("succeeded", "2")


def test_the_time_out_is_per_attempt_and_its_end_is_retried() -> None:
    done = run(
        "nodes:\n  n:\n    run: test $PIPE_ATTEMPT = 2 || exec sleep 9\n"
        "    timeout: 400ms\n    retry: {max_attempts: 2, delay: 1ms}\n"
    )
    assert done.status == "succeeded"
    assert [e.data["error"]["kind"] for e in done.events if e.event == "node.retrying"] == ["timeout"]


def test_max_time_bounds_all_attempts_and_their_waits() -> None:
    done = run("nodes: {n: {agent: flaky, max_time: 300ms, retry: {max_attempts: 9, delay: 200ms}}}", flaky=Flaky(9))
    assert done.status == "failed"
    assert done.node("n").attempts < 4


def test_there_is_no_time_out_unless_asked_for() -> None:
    plan = planned("nodes: {n: {run: echo}}")
    assert (plan.nodes[0].timeout, plan.nodes[0].max_time, plan.max_time) == (None, None, None)


def test_after_the_run_s_time_out_it_fails_and_finally_runs() -> None:
    done = run(
        "budget: {max_time: 500ms}\n"
        "nodes:\n  slow: {run: exec sleep 30}\n  after: {needs: slow, run_on: always, run: echo}\n"
        "finally: {tidy: {run: sleep 0.6; echo tidy}}\n"
    )
    assert done.status == "failed"
    assert done.statuses == {"slow": "failed", "after": "cancelled", "tidy": "succeeded"}
    assert done.node("slow").error["kind"] == "run_timeout"


# Handlers


def test_on_failure_runs_only_after_a_failure_and_rescues_nothing() -> None:
    text = (
        "nodes: {a: {run: exit %d}}\n"
        "on_failure: {tell: {run: 'echo {{ run.failed | join }} {{ nodes.a.error.exit_code }}'}}\n"
    )
    done = run(text % 3)
    assert (done.status, done.output("tell")) == ("failed", "a 3")
    done = run(text % 0)
    assert (done.status, events(done, "tell")) == ("succeeded", ["skipped"])


@pytest.mark.parametrize(("code", "status"), [(0, "succeeded"), (1, "failed")])
def test_finally_runs_after_success_and_failure(code: int, status: str) -> None:
    done = run(f"nodes: {{a: {{run: exit {code}}}}}\nfinally: {{tidy: {{run: 'echo {{{{ run.status }}}}'}}}}\n")
    assert (done.status, done.output("tidy")) == (status, status)


def test_a_failing_finally_fails_the_run() -> None:
    done = run("nodes: {a: {run: echo}}\nfinally: {tidy: {run: exit 1}}\n")
    assert done.statuses == {"a": "succeeded", "tidy": "failed"}
    assert done.status == "failed"


# Conditions


@pytest.mark.parametrize("when", ["nodes.a.output.b.c == 1", "nodes.a.output > 1"])
def test_a_condition_that_can_not_be_evaluated_fails_the_node(when: str) -> None:
    done = run(f"nodes:\n  a: {{run: 'echo {{}}', output: json}}\n  b: {{when: {when}, run: echo}}\n")
    assert done.statuses == {"a": "succeeded", "b": "failed"}
    assert done.node("b").error["kind"] == "condition"
    assert events(done, "b") == ["failed"]


@pytest.mark.parametrize("value", ["0", '""', "null", "[]", '"false"', "1"])
def test_a_condition_gives_a_boolean_or_fails_the_node(value: str) -> None:
    done = run(f"nodes:\n  a: {{argv: [echo, '{value}'], output: json}}\n  b: {{when: nodes.a.output, run: echo}}\n")
    assert done.statuses == {"a": "succeeded", "b": "failed"}
    assert done.node("b").error["kind"] == "condition"


def test_a_false_condition_spares_the_node_s_other_templates() -> None:
    done = run(
        "nodes:\n"
        "  a: {run: 'echo {}', output: json}\n"
        "  b: {when: \"'x' in nodes.a.output\", run: 'echo {{ nodes.a.output.x.y }}'}\n"
    )
    assert done.statuses == {"a": "succeeded", "b": "skipped"}
    (skipped,) = [e for e in done.events if e.event == "node.skipped"]
    assert (skipped.data["when"], skipped.data["values"]) == ("'x' in nodes.a.output", {"nodes.a.output": {}})


# Cancelling


def test_a_cancel_stops_what_runs_starts_nothing_new_and_runs_finally(pipe: Any) -> None:
    pipe.write(
        "c.yml",
        "version: 1\nnodes:\n"
        "  long: {run: \"trap 'echo told > told; exit 9' TERM; touch ready; sleep 30 & wait\"}\n"
        "  after: {needs: long, run_on: always, run: touch after}\n"
        "on_failure: {tell: {run: touch tell}}\n"
        "finally: {tidy: {run: touch tidy}}\n",
    )
    process = pipe.start("run", "c.yml")
    pipe.until(lambda: (pipe.folder / "ready").exists())
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 130
    there = {name for name in ("told", "after", "tell", "tidy") if (pipe.folder / name).exists()}
    assert there == {"told", "tidy"}
    assert '"status":"cancelled"' in pipe.log().splitlines()[-1]
