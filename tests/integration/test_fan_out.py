"""Nodes that are repeated over a list or a matrix: run for real, cut short, and gone on with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio
import pytest

from pipe_runner.compiler import compile_text
from pipe_runner.engine import RunSettings, open_resume, open_run
from pipe_runner.registry import Registry
from pipe_runner.run import Run
from pipe_runner.runlog import read_log
from pipe_runner.testing import FakeAgent, NodeFault, run_pipeline
from pipe_runner.types import ErrorKind


def told(text: str, **agents: Any) -> Any:
    return run_pipeline(f"version: 1\n{text}", agents=agents)


def kinds(done: Any, node: str) -> list[str]:
    return [str(event.event).removeprefix("node.") for event in done.events if event.node == node]


def test_results_stand_in_the_order_of_the_items_whatever_ends_first() -> None:
    done = told(
        "nodes:\n"
        "  list: {run: 'echo [3, 1, 2]', output: json}\n"
        "  n: {for_each: {items: '{{ nodes.list.output }}', key: 'k{{ item }}'}, "
        "run: 'sleep 0.0{{ item }}; echo {{ item }} {{ index }}'}\n"
        "outputs: {all: '{{ nodes.n.output }}', first: '{{ nodes.n.output[0].output }}'}\n"
    )
    assert done.status == "succeeded"
    assert [(r["key"], r["status"], r["output"]) for r in done.outputs["all"]] == [
        ("k3", "succeeded", "3 0"),
        ("k1", "succeeded", "1 1"),
        ("k2", "succeeded", "2 2"),
    ]
    assert done.outputs["first"] == "3 0"
    assert kinds(done, "n[k1]") == ["started", "output", "succeeded"]
    assert kinds(done, "n") == ["started", "succeeded"]
    assert done.statuses == {"list": "succeeded", "n": "succeeded"}
    assert {key: str(s.status) for key, s in done.run.items["n"].items()} == dict.fromkeys(
        ("k3", "k1", "k2"), "succeeded"
    )


@pytest.mark.parametrize("items", ["[]", "'{{ inputs.none }}'"])
def test_an_empty_list_succeeds_with_an_empty_list(items: str) -> None:
    done = told(
        "inputs: {none: {type: array, default: []}}\n"
        f"nodes:\n  n: {{for_each: {{items: {items}}}, run: 'exit 1'}}\n"
        "  after: {run: 'echo {{ nodes.n.output | length }}'}\n"
    )
    assert done.statuses == {"n": "succeeded", "after": "succeeded"}
    assert done.output("n") == []
    assert done.output("after") == "0"


def test_a_condition_that_reads_the_item_skips_items_and_all_of_them_skip_the_node() -> None:
    done = told(
        "nodes:\n"
        "  some: {for_each: {items: [1, 2, 3]}, when: item != 2, run: 'echo {{ item }}'}\n"
        "  none: {for_each: {items: [1, 2]}, when: item > 5, run: 'echo {{ item }}'}\n"
        "  after: {needs: none, run: echo after}\n"
    )
    assert [r["status"] for r in done.output("some")] == ["succeeded", "skipped", "succeeded"]
    skipped = next(e for e in done.events if e.node == "some[1]")
    assert (skipped.data["when"], skipped.data["values"]) == ("item != 2", {"item": 2})
    assert done.statuses == {"some": "succeeded", "none": "skipped", "after": "skipped"}


def test_a_condition_that_can_not_be_evaluated_fails_its_item_only() -> None:
    done = told("nodes:\n  n: {for_each: {items: [{a: 1}, {}]}, when: item.a == 1, run: echo}\n")
    assert [r["status"] for r in done.output("n")] == ["succeeded", "failed"]
    assert done.node("n").error["kind"] == "condition"


def test_a_failed_item_fails_the_node_blocks_dependents_and_keeps_the_other_results() -> None:
    done = told(
        "nodes:\n"
        "  n: {for_each: {items: [0, 1, 0], key: 'k{{ index }}'}, run: 'exit {{ item }}'}\n"
        "  after: {needs: n, run: echo}\n"
        "  always: {run_on: always, run: \"echo {{ nodes.n.output | map(attribute='status') | join(',') }}\"}\n"
    )
    assert done.statuses == {"n": "failed", "after": "blocked", "always": "succeeded"}
    assert done.output("always") == "succeeded,failed,succeeded"
    assert done.node("n").error["message"] == "1 of 3 items failed: n[k1]: exited with 1"
    assert done.run.failed == ["n"]


def test_min_success_lets_failures_pass_and_continue_on_error_tolerates_them() -> None:
    done = told(
        "nodes:\n"
        "  enough: {for_each: {items: [0, 1], min_success: 1}, run: 'exit {{ item }}'}\n"
        "  matrix: {matrix: {code: [0, 1]}, min_success: 1, run: 'exit {{ matrix.code }}'}\n"
        "  may: {for_each: {items: [0, 1]}, continue_on_error: true, run: 'exit {{ item }}'}\n"
    )
    assert done.statuses == {"enough": "succeeded", "matrix": "succeeded", "may": "failed"}
    assert done.status == "succeeded"
    assert [r["error"]["kind"] if r["error"] else None for r in done.output("enough")] == [None, "exit"]


def test_an_empty_list_succeeds_however_many_must() -> None:
    done = told(
        "nodes:\n"
        "  none: {argv: [printf, '[]'], output: json}\n"
        "  found: {for_each: {items: '{{ nodes.none.output }}', min_success: 1}, run: 'exit {{ item }}'}\n"
        "  written: {for_each: {items: [], min_success: 1}, run: 'exit {{ item }}'}\n"
    )
    assert done.statuses == {"none": "succeeded", "found": "succeeded", "written": "succeeded"}
    assert (done.output("found"), done.output("written")) == ([], [])


def test_fail_fast_starts_no_further_item() -> None:
    calls: list[int] = []

    def fail(options: Mapping[str, Any]) -> None:
        calls.append(options["n"])
        raise NodeFault(ErrorKind.EXCEPTION, "no")

    done = told(
        "nodes:\n  n:\n    for_each: {items: [1, 2, 3], max_parallel: 1, fail_fast: true}\n"
        "    agent: fail\n    with: {n: '{{ item }}'}\n",
        fail=fail,
    )
    assert calls == [1]
    assert [r["status"] for r in done.output("n")] == ["failed", "cancelled", "cancelled"]


@pytest.mark.parametrize("most", [1, 2, 5])
def test_no_more_items_run_at_once_than_max_parallel(most: int, tmp_path: Path) -> None:
    done = run_pipeline(
        "version: 1\nnodes:\n"
        f"  n: {{for_each: {{items: '{{{{ range(12) }}}}', max_parallel: {most}}}, "
        'run: "mkdir -p at; touch at/$$; ls at | wc -l; sleep 0.03; rm at/$$"}\n',
        root=tmp_path,
    )
    seen = [int(r["output"]) for r in done.output("n")]
    assert max(seen) <= most
    assert len(seen) == 12


def test_a_retry_is_an_item_s_own_and_holds_no_slot() -> None:
    tries: dict[int, int] = {}

    def flaky(options: Mapping[str, Any]) -> int:
        n = options["n"]
        tries[n] = tries.get(n, 0) + 1
        if n == 1 and tries[n] < 3:
            raise NodeFault(ErrorKind.EXCEPTION, "not yet")
        return n

    done = told(
        "nodes:\n  n: {for_each: {items: [1, 2, 3], max_parallel: 1}, retry: {max_attempts: 3, delay: 100ms}, "
        "agent: flaky, with: {n: '{{ item }}'}}\n",
        flaky=flaky,
    )
    assert done.status == "succeeded"
    assert tries == {1: 3, 2: 1, 3: 1}
    ended = [e.node for e in done.events if e.event == "node.succeeded"]
    assert ended == ["n[1]", "n[2]", "n[0]", "n"]


def test_max_time_bounds_all_items_together() -> None:
    done = told(
        "nodes:\n  n: {for_each: {items: [0.3, 0.3, 5, 0.1], max_parallel: 1}, max_time: 1s, run: 'sleep {{ item }}'}\n"
    )
    assert [r["status"] for r in done.output("n")] == ["succeeded", "succeeded", "failed", "cancelled"]
    assert done.output("n")[2]["error"]["kind"] == "timeout"
    assert done.node("n").error["kind"] == "timeout"
    assert "its max_time of 1 s was over before all had started" in done.node("n").error["message"]
    assert done.node("n").duration_s < 3


@pytest.mark.parametrize(
    ("items", "why"),
    [
        ("'{{ nodes.json.output.text }}'", 'the items are the text "abc", not a list'),
        ("'{{ nodes.json.output.object }}'", "not a list"),
        ("[a, b, a], key: '{{ item }}'", "the items 0 and 2 have the same key, 'a'"),
        ("[{}], key: '{{ item.b }}'", "item.b is not there: item is empty"),
    ],
)
def test_what_can_not_be_repeated_over_fails_the_node(items: str, why: str) -> None:
    done = told(
        'nodes:\n  json:\n    output: json\n    argv: [echo, \'{"text": "abc", "object": {"a": 1}}\']\n'
        f"  n: {{for_each: {{items: {items}}}, run: echo}}\n"
    )
    assert done.statuses["n"] == "failed"
    assert done.node("n").error["kind"] == "template"
    assert why in done.node("n").error["message"]


def test_items_have_their_own_names_and_keys_in_their_environment() -> None:
    done = told(
        "nodes:\n  n: {for_each: {items: [x], key: '{{ item }}'}, run: 'echo $PIPE_NODE $PIPE_IDEMPOTENCY_KEY'}\n"
    )
    name, key = done.output("n")[0]["output"].split()
    assert name == "n[x]"
    assert key.endswith(".n[x]")


def test_a_matrix_gives_each_combination_its_values() -> None:
    done = told(
        "nodes:\n  n:\n    matrix: {os: [debian, alpine], py: ['3.11', '3.12'], exclude: [{os: alpine, py: '3.11'}], "
        "include: [{os: debian, extra: yes}]}\n"
        "    run: echo {{ matrix.os }} {{ matrix.py }} {{ matrix.extra | default('-') }}\n"
    )
    assert [(r["key"], r["output"]) for r in done.output("n")] == [
        ("debian,3.11,yes", "debian 3.11 yes"),
        ("debian,3.12,yes", "debian 3.12 yes"),
        ("alpine,3.12", "alpine 3.12 -"),
    ]


class Again:
    """A pipeline in a directory that is run and gone on with, perhaps with another text."""

    def __init__(self, root: Path, agent: Any) -> None:
        self.root = root
        self.registry = Registry.installed()
        self.registry.register("fake", lambda: FakeAgent("fake", agent))

    def __call__(self, text: str, *, resume: bool = False) -> Run:
        compilation = compile_text(
            f"version: 1\n{text}", path=str(self.root / "p.yml"), root=self.root, registry=self.registry
        )
        assert compilation.plan is not None, compilation.diagnostics
        settings = RunSettings(state_dir=self.root / ".pipe", run_id=None if resume else "r")
        if resume:
            active = open_resume("r", compilation.plan, settings, registry=self.registry)
        else:
            active = open_run(compilation.plan, {}, settings, registry=self.registry)
        return anyio.run(active.perform)

    @property
    def events(self) -> list[Any]:
        return list(read_log(str(self.root / ".pipe" / "runs" / "r" / "log.jsonl")).events)


def test_d1_a_resume_runs_only_the_items_that_need_it(tmp_path: Path) -> None:
    calls: list[str] = []
    broken = {"b", "d"}

    def agent(options: Mapping[str, Any]) -> str:
        calls.append(options["x"])
        if options["x"] in broken:
            raise NodeFault(ErrorKind.EXCEPTION, "no")
        return str(options["x"]) * 2

    again = Again(tmp_path, agent)
    text = "nodes:\n  n: {for_each: {items: [a, b, c, d], key: '{{ item }}'}, agent: fake, with: {x: '{{ item }}'}}\n"
    assert str(again(text).status) == "failed"
    broken.clear()
    calls.clear()
    run = again(text, resume=True)
    assert str(run.status) == "succeeded"
    assert sorted(calls) == ["b", "d"]
    output: Any = run.nodes["n"].output
    assert [r["output"] for r in output] == ["aa", "bb", "cc", "dd"]
    assert run.items["n"]["b"].attempts == 2


def test_d11_a_changed_node_runs_all_its_items_and_a_changed_item_itself(tmp_path: Path) -> None:
    calls: list[str] = []
    fail = {"b"}

    def agent(options: Mapping[str, Any]) -> str:
        calls.append(options["x"])
        if options["x"] in fail:
            raise NodeFault(ErrorKind.EXCEPTION, "no")
        return "ok"

    again = Again(tmp_path, agent)
    node = "for_each: {items: '{{ nodes.list.output }}', key: '{{ index }}'}, agent: fake, with: {x: '{{ item }}'}"
    (tmp_path / "list").write_text("a b c")
    # `list` is tolerated and runs again: its list has changed in one place.
    text = 'nodes:\n  list: {run: \'tr " " "\\n" < list; exit 1\', output: lines, continue_on_error: true}\n'
    text += f"  n: {{{node}}}\n"
    again(text)
    fail.clear()
    calls.clear()
    (tmp_path / "list").write_text("a b z")
    again(text, resume=True)
    assert sorted(calls) == ["b", "z"]
    calls.clear()
    run = again(text.replace("'{{ item }}'}}", "'{{ item }}!'}}"), resume=True)
    assert calls == []  # it had succeeded, and a run that has is done
    assert str(run.status) == "succeeded"


def test_d11_a_node_that_changed_before_it_succeeded_runs_all_its_items(tmp_path: Path) -> None:
    calls: list[str] = []

    def agent(options: Mapping[str, Any]) -> str:
        calls.append(options["x"])
        if options["x"] == "b":
            raise NodeFault(ErrorKind.EXCEPTION, "no")
        return "ok"

    again = Again(tmp_path, agent)
    text = "nodes:\n  n: {for_each: {items: [a, b]}, agent: fake, with: {x: '{{ item }}'}}\n"
    again(text)
    calls.clear()
    again(text.replace("with: {x: '{{ item }}'", "with: {x: '{{ item }}{{ index }}'"), resume=True)
    assert sorted(calls) == ["a0", "b1"]
    resumed = next(e for e in again.events if e.event == "run.resumed")
    assert resumed.data["anew"] == ["n"]
    assert json.dumps(resumed.data["reasons"]) == '{"n": "changed"}'
