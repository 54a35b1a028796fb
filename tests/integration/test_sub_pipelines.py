"""Pipelines that nodes run: their own inputs, nodes and outputs, inside the slots and the log of one run."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any

import pytest

from pipe_runner.testing import FinishedRun


def kinds(done: FinishedRun, node: str) -> list[str]:
    return [str(e.event).removeprefix("node.") for e in done.events if e.node == node and e.event != "node.output"]


ECHO = """inputs: {x: {type: string, default: d}}
nodes: {a: {run: "echo {{ inputs.x }}"}}
outputs: {y: "{{ nodes.a.output }}"}
"""


def test_it_takes_inputs_gives_outputs_and_is_a_dependency(project: Any) -> None:
    project.write(sub=ECHO)
    done = project.run(
        "nodes:\n  before: {run: echo v}\n  s: {pipeline: sub.yml, with: {x: '{{ nodes.before.output }}'}}\n"
        "  after: {run: 'echo got {{ nodes.s.output.y }}'}\n"
    )
    assert done.statuses == {"before": "succeeded", "s": "succeeded", "s.a": "succeeded", "after": "succeeded"}
    assert done.output("s") == {"y": "v"}
    assert done.output("after") == "got v"
    assert kinds(done, "s.a") == ["started", "succeeded"]
    started = next(e for e in done.events if e.node == "s" and e.event == "node.started")
    assert started.data["pipeline"] == "sub.yml"


def test_nothing_leaks_in_or_out_but_inputs_and_outputs(project: Any) -> None:
    project.write(
        sub="inputs: {x: {type: string}}\nenv: {OWN: own}\n"
        "nodes: {a: {run: 'echo ${OUTER-none} $OWN {{ inputs.x }} {{ env.OWN }} $PIPE_NODE'}}\n"
        "outputs: {y: '{{ nodes.a.output }}'}\n"
    )
    done = project.run(
        "inputs: {x: {type: string, default: outer}}\nenv: {OUTER: leaks}\n"
        "nodes:\n  a: {run: 'echo ${OWN-none} $OUTER'}\n  s: {pipeline: sub.yml, with: {x: given}}\n"
    )
    assert done.output("a") == "none leaks"
    assert done.output("s") == {"y": "none own given own s.a"}


def test_its_nodes_share_the_slots_of_the_run_and_it_holds_none(project: Any) -> None:
    busy: list[int] = []
    now = 0

    def fake(options: Mapping[str, Any]) -> None:
        nonlocal now
        now += 1
        busy.append(now)
        time.sleep(0.02)
        now -= 1

    project.fake = fake
    nodes = "\n".join(f"  n{i}: {{agent: fake, with: {{i: {i}}}}}" for i in range(4))
    project.write(inmost=f"nodes:\n{nodes}\n", sub=f"nodes:\n  deep: {{pipeline: inmost.yml}}\n{nodes}\n")
    done = project.run(f"concurrency: 1\nnodes:\n  s: {{pipeline: sub.yml}}\n  t: {{pipeline: sub.yml}}\n{nodes}\n")
    assert done.status == "succeeded"
    assert done.statuses["s.deep.n3"] == "succeeded"
    assert len(busy) == 4 * 5
    assert max(busy) == 1


def test_its_own_concurrency_bounds_its_nodes(project: Any) -> None:
    project.write(sub="concurrency: 1\nnodes:\n" + "".join(f"  n{i}: {{run: sleep 0.05}}\n" for i in range(3)))
    done = project.run("nodes: {s: {pipeline: sub.yml}}\n")
    open_, most = 0, 0
    for event in done.events:
        if event.node is not None and event.node.startswith("s."):
            open_ += (event.event == "node.started") - (event.event == "node.succeeded")
            most = max(most, open_)
    assert most == 1


def test_a_failure_inside_fails_it_and_blocks_what_needs_it(project: Any) -> None:
    project.write(
        sub="nodes:\n  a: {run: exit 3}\n  b: {run: echo, needs: a}\n"
        "on_failure: {h: {run: 'echo failed: {{ run.failed | join }} {{ run.status }}'}}\n"
        "finally: {f: {run: 'echo {{ nodes.a.status }}'}}\n"
    )
    done = project.run("nodes:\n  s: {pipeline: sub.yml}\n  after: {run: echo, needs: s}\n  other: {run: echo}\n")
    assert done.status == "failed"
    assert done.statuses == {
        "s": "failed",
        "s.a": "failed",
        "s.b": "blocked",
        "s.h": "succeeded",
        "s.f": "succeeded",
        "after": "blocked",
        "other": "succeeded",
    }
    assert done.output("s.h") == "failed: a failed"
    error = done.node("s").error
    assert error is not None
    assert (error["kind"], error["exit_code"]) == ("exit", 3)
    assert error["message"].startswith("s.a failed: ")
    assert done.run.failed == ["s"]


def test_a_failure_that_is_seen_to_inside_is_none_outside(project: Any) -> None:
    project.write(
        sub="nodes:\n  a: {run: 'false', continue_on_error: true}\n  b: {run: 'echo {{ nodes.a.status }}'}\n"
        "outputs: {b: '{{ nodes.b.output }}'}\n"
    )
    done = project.run("nodes: {s: {pipeline: sub.yml}}\n")
    assert done.status == "succeeded"
    assert done.output("s") == {"b": "failed"}


def test_continue_on_error_on_its_node_leaves_the_run_successful(project: Any) -> None:
    project.write(sub="nodes: {a: {run: 'false'}}\noutputs: {y: '{{ nodes.a.output }}'}\n")
    done = project.run(
        "nodes:\n  s: {pipeline: sub.yml, continue_on_error: true}\n"
        "  t: {run: 'echo {{ nodes.s.status }} {{ nodes.s.error.kind }}'}\n"
    )
    assert done.status == "succeeded"
    assert done.output("t") == "failed exit"


@pytest.mark.parametrize(
    ("more", "status"),
    [("when: 1 > 2", "skipped"), ("needs: bad", "blocked"), ("when: nodes.bad.output, run_on: always", "failed")],
)
def test_what_it_would_run_is_told_of_when_it_does_not_run(project: Any, more: str, status: str) -> None:
    project.write(sub="nodes: {a: {run: echo}, deep: {pipeline: deep.yml}}\n", deep="nodes: {z: {run: echo}}\n")
    done = project.run(f"nodes:\n  bad: {{run: 'false', output: json}}\n  s: {{pipeline: sub.yml, {more}}}\n")
    assert done.statuses["s"] == status
    inside = "blocked" if status == "failed" else status
    assert [done.statuses[name] for name in ("s.a", "s.deep", "s.deep.z")] == [inside] * 3


def test_run_on_and_conditions_are_those_of_every_node(project: Any) -> None:
    project.write(sub=ECHO)
    done = project.run(
        "nodes:\n  bad: {run: 'false'}\n  s: {pipeline: sub.yml, needs: bad, run_on: failure}\n"
        "  t: {pipeline: sub.yml, when: nodes.s.output.y == 'd'}\n"
    )
    assert done.statuses["s.a"] == done.statuses["t.a"] == "succeeded"


def test_pipelines_run_pipelines(project: Any) -> None:
    project.write(
        deep=ECHO,
        sub="inputs: {x: {type: string}}\nnodes: {d: {pipeline: deep.yml, with: {x: '{{ inputs.x }}!'}}}\n"
        "outputs: {y: '{{ nodes.d.output.y }}'}\n",
    )
    done = project.run("nodes: {s: {pipeline: sub.yml, with: {x: v}}}\noutputs: {y: '{{ nodes.s.output.y }}'}\n")
    assert done.outputs == {"y": "v!"}
    assert list(done.statuses) == ["s", "s.d", "s.d.a"]


def test_one_is_repeated_over_a_list(project: Any) -> None:
    project.write(
        sub="inputs: {x: {type: string}}\nnodes:\n  a: {run: 'echo {{ inputs.x }}'}\n"
        "  each: {for_each: {items: [1, 2]}, run: 'echo {{ item }}{{ nodes.a.output }}'}\n"
        "outputs: {y: '{{ nodes.each.output[1].output }}'}\n"
    )
    done = project.run(
        "nodes:\n  s: {pipeline: sub.yml, for_each: {items: [eu, us], key: '{{ item }}'}, with: {x: '{{ item }}'}}\n"
        "  m: {pipeline: sub.yml, matrix: {os: [a, b]}, with: {x: '{{ matrix.os }}'}}\n"
        "outputs: {all: '{{ nodes.s.output }}', one: '{{ nodes.m.output[1].output.y }}'}\n"
    )
    assert done.status == "succeeded", done.events[-3:]
    assert [(r["key"], r["output"]) for r in done.outputs["all"]] == [("eu", {"y": "2eu"}), ("us", {"y": "2us"})]
    assert done.outputs["one"] == "2b"
    assert done.output("s[eu].a") == "eu"
    assert {key: s.output for key, s in done.run.items["s[us].each"].items()} == {"0": "1us", "1": "2us"}
    assert sorted(done.run.items["s"]) == ["eu", "us"]


def test_an_output_that_can_not_be_made_fails_it(project: Any) -> None:
    project.write(sub="nodes: {a: {run: 'echo 1', output: json}}\noutputs: {y: '{{ nodes.a.output.z }}'}\n")
    done = project.run("nodes: {s: {pipeline: sub.yml}}\n")
    error = done.node("s").error or {}
    assert error["kind"] == "template"
    assert error["message"] == (
        "outputs.y: nodes.a.output.z is not there: nodes.a.output is a number (the number 1) (in sub.yml:3:14)"
    )


def test_an_environment_that_can_not_be_made_fails_it_and_a_run_with_the_place(project: Any) -> None:
    part = "env: {A: a, B: '{{ 1 // inputs.n }}'}\nnodes: {a: {run: echo}}\n"
    project.write(sub="inputs: {n: {type: integer}}\n" + part, part="inputs: {n: {type: integer, default: 0}}\n" + part)
    done = project.run("nodes: {s: {pipeline: sub.yml, with: {n: 0}}}\n")
    assert (done.node("s").error or {})["message"] == "env.B: division by zero (in sub.yml:3:16)"
    done = project.run("include: [{file: part.yml}]\nnodes: {s: {run: echo}}\noutputs: {y: 1}\n")
    assert (done.run.error or {})["message"] == "env.B: division by zero (in part.yml:3:16)"


def test_a_value_that_does_not_fit_an_input_fails_it(project: Any) -> None:
    project.write(sub="inputs: {n: {type: integer}}\nnodes: {a: {run: echo}}\n")
    done = project.run(
        "nodes:\n  j: {run: echo '\"x\"', output: json}\n  s: {pipeline: sub.yml, with: {n: '{{ nodes.j.output }}'}}\n"
    )
    error = done.node("s").error or {}
    assert error["kind"] == "template"
    assert "input `n` must be a whole number, not" in error["message"]
    assert done.statuses["s.a"] == "blocked"


def test_only_chooses_it_or_nodes_inside(project: Any) -> None:
    project.write(
        sub="nodes:\n  a: {run: echo a}\n  b: {run: echo b, needs: a}\n  c: {run: echo c}\nfinally: {f: {run: echo}}\n"
        "outputs: {c: '{{ nodes.c.output }}'}\n"
    )
    main = "nodes:\n  x: {run: echo}\n  s: {pipeline: sub.yml, needs: x}\n  y: {run: echo}\n"
    assert set(project.run(main, only=("s",)).statuses) == {"x", "s", "s.a", "s.b", "s.c", "s.f"}
    project.afresh()
    done = project.run(only=("s.b",))
    assert done.statuses == dict.fromkeys(("x", "s", "s.a", "s.b"), "succeeded")
    assert done.output("s") == {"c": None}


def test_handlers_may_run_one(project: Any) -> None:
    project.write(sub=ECHO)
    done = project.run(
        "nodes: {a: {run: 'false'}}\non_failure: {h: {pipeline: sub.yml, with: {x: '{{ run.failed[0] }}'}}}\n"
        "finally: {f: {pipeline: sub.yml}}\n"
    )
    assert done.output("h") == {"y": "a"}
    assert done.statuses["f.a"] == "succeeded"
    project.afresh()
    done = project.run("nodes: {a: {run: echo}}\non_failure: {h: {pipeline: sub.yml}}\n")
    assert done.statuses == {"a": "succeeded", "h": "skipped", "h.a": "skipped"}


def test_a_secret_is_declared_and_granted_inside(project: Any) -> None:
    project.write(sub="secrets: {TOKEN: {from: env}}\nnodes: {a: {run: 'echo $TOKEN', secrets: [TOKEN]}}\n")
    project.write(main="nodes: {s: {pipeline: sub.yml}}\n")
    os.environ["TOKEN"] = "very-secret-value"
    try:
        done = project.run()
    finally:
        del os.environ["TOKEN"]
    assert done.output("s.a") == "***"


def test_results_of_its_nodes_are_cached_each_on_its_own(project: Any) -> None:
    project.write(sub="inputs: {x: {type: string}}\nnodes: {a: {run: 'echo {{ inputs.x }}', cache: true}}\n")
    main = "nodes: {s: {pipeline: sub.yml, with: {x: '1'}}, t: {pipeline: sub.yml, with: {x: '2'}, needs: s}}\n"
    done = project.run(main)
    assert (done.output("s.a"), done.output("t.a")) == ("1", "2")
    project.afresh()
    assert [project.run().statuses[n] for n in ("s.a",)] == ["cached"]


def test_an_included_file_runs_one_beside_itself_and_one_may_include(project: Any) -> None:
    (project.root / "parts").mkdir()
    (project.root / "parts" / "inc.yml").write_text(
        "version: 1\ninputs: {v: {type: string}}\nnodes: {s: {pipeline: sub.yml, with: {x: '{{ inputs.v }}'}}}\n"
    )
    (project.root / "parts" / "sub.yml").write_text(
        "version: 1\ninputs: {x: {type: string}}\nenv: {OUT: own}\ninclude: [{file: more.yml, with: {w: given}}]\n"
        "nodes: {a: {run: 'echo {{ inputs.x }} {{ nodes.m.output }}'}}\noutputs: {y: '{{ nodes.a.output }}'}\n"
    )
    (project.root / "parts" / "more.yml").write_text(
        "version: 1\ninputs: {w: {type: string}}\nnodes: {m: {run: 'echo {{ inputs.w }} $OUT'}}\n"
    )
    main = "include: [{file: parts/inc.yml, with: {v: one}}]\nnodes: {z: {run: 'echo {{ nodes.s.output.y }}'}}\n"
    done = project.run(main)
    assert done.output("z") == "one given own"
    assert set(done.statuses) == {"z", "s", "s.m", "s.a"}


def test_the_files_of_includes_and_sub_pipelines_close_no_circle(project: Any) -> None:
    project.write(
        sub="include: [{file: main.yml}]\nnodes: {b: {run: echo}}\n", main="nodes: {s: {pipeline: sub.yml}}\n"
    )
    with pytest.raises(AssertionError, match="E801"):
        project.open()


def test_a_retry_goes_by_the_exit_code_of_what_failed_inside(project: Any) -> None:
    project.write(sub="inputs: {code: {type: integer}}\nnodes: {a: {run: 'exit {{ inputs.code }}'}}\n")
    retry = "retry: {max_attempts: 2, delay: 0s, on: ['exit:75']}"
    done = project.run(
        f"nodes:\n  s: {{pipeline: sub.yml, with: {{code: 75}}, {retry}}}\n"
        f"  t: {{pipeline: sub.yml, with: {{code: 1}}, {retry}}}\n"
    )
    assert (done.node("s").attempts, done.node("t").attempts) == (2, 1)
    assert done.node("s").exit_code == 75


def test_an_input_that_was_not_given_can_be_handed_on(project: Any) -> None:
    project.write(sub=ECHO.replace("default: d", "required: false"))
    done = project.run(
        "inputs: {x: {type: string, required: false}}\nnodes: {s: {pipeline: sub.yml, with: {x: '{{ inputs.x }}'}}}\n"
    )
    assert done.output("s") == {"y": ""}
