"""What is said of a run before it: its order, its waves, its time, and what is decided already."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipe_runner.cli.preview import in_order
from pipe_runner.compiler import compile_text
from pipe_runner.plan import NO_VALUES, FanOut, Plan, PlannedNode, Value
from pipe_runner.registry import Registry
from pipe_runner.reports.fates import Fate, fates
from pipe_runner.reports.forecast import forecast, play
from pipe_runner.types import Phase

REGISTRY = Registry.installed()
HERE = Path(__file__).parent


def graph(*needs: Sequence[int], phases: Sequence[Phase] = ()) -> Plan:
    """Nodes n0, n1, …, each with the indexes of those before it that it needs."""
    priority = [1] * len(needs)
    for at in reversed(range(len(needs))):
        for need in needs[at]:
            priority[need] = max(priority[need], priority[at] + 1)
    nodes = []
    for at, own in enumerate(needs):
        phase = phases[at] if phases else Phase.NODES
        node = PlannedNode(f"n{at}", at, phase, "shell", NO_VALUES, tuple(own), (), "", 1, 1, priority=priority[at])
        nodes.append(node)
    return Plan("p", "p.yml", "/", "d", tuple(nodes))


graphs = st.integers(1, 12).flatmap(
    lambda count: st.tuples(
        *(st.lists(st.integers(0, at - 1), unique=True, max_size=3) if at else st.just([]) for at in range(count))
    )
)


@given(graphs, st.lists(st.integers(0, 50), min_size=12, max_size=12), st.integers(1, 5))
def test_a_run_takes_at_least_its_longest_path_and_its_work_over_the_slots_and_at_most_all_work(
    needs: Any, times: list[int], slots: int
) -> None:
    plan = graph(*needs)
    seconds = {node.id: float(times[node.index]) for node in plan.nodes}
    found = forecast(plan, plan.nodes, seconds, slots)
    work = sum(seconds.values())
    assert max(found.path_time, work / slots) <= found.time + 1e-9
    assert found.time <= work
    assert forecast(plan, plan.nodes, seconds, 100).time == found.path_time
    if slots >= found.useful:
        assert found.time == found.path_time


@given(graphs)
def test_waves_hold_every_node_once_and_each_behind_what_it_needs(needs: Any) -> None:
    plan = graph(*needs)
    waves = forecast(plan, plan.nodes, {}, 1).waves
    at = {node.index: number for number, wave in enumerate(waves) for node in wave}
    assert sorted(at) == list(range(len(plan.nodes)))
    for node in plan.nodes:
        assert at[node.index] == 1 + max((at[need] for need in node.needs), default=-1)


def test_what_is_ready_at_the_same_time_goes_by_the_longest_way_to_the_end() -> None:
    plan = graph((), (), (1,))  # n1 and n2 are the longer way, so n0 comes last where there is one slot
    times = {0: 5.0, 1: 1.0, 2: 4.0}
    assert play(plan.nodes, times, 1) == (10.0, 1)
    assert play(plan.nodes, times, 2) == (5.0, 2)


def test_nodes_that_end_together_free_their_slots_together() -> None:
    plan = graph((), (), (0,), (0,), (1,), (1,))
    assert play(plan.nodes, dict.fromkeys(range(6), 1.0), 100) == (2.0, 4)


def test_a_node_without_times_counts_with_the_median_of_the_others() -> None:
    plan = graph((), (0,), (1,), (2,))
    found = forecast(plan, plan.nodes, {"n0": 1.0, "n1": 3.0, "n2": 8.0}, 4)
    assert (found.time, found.guess, found.guessed, found.measured) == (15.0, 3.0, ("n3",), True)


def test_without_any_times_the_longest_path_is_that_with_the_most_nodes() -> None:
    found = forecast(graph((), (), (1,), (2,), (0,)), graph((), (), (1,), (2,), (0,)).nodes, {}, 4)
    assert ([n.id for n in found.path], found.measured, found.guessed) == (["n1", "n2", "n3"], False, ())


def test_phases_follow_one_another_and_handlers_of_failures_take_no_time() -> None:
    plan = graph((), (), (), phases=(Phase.NODES, Phase.ON_FAILURE, Phase.FINALLY))
    found = forecast(plan, plan.nodes, {"n0": 1.0, "n1": 10.0, "n2": 2.0}, 4)
    assert found.time == found.path_time == 3.0
    assert [[n.id for n in wave] for wave in found.waves] == [["n0"], ["n1"], ["n2"]]


@given(graphs)
def test_the_order_is_that_of_one_slot_which_takes_the_longest_way_to_the_end_first(needs: Any) -> None:
    plan = graph(*needs)
    ready_order: list[str] = []
    done: set[int] = set()
    while len(done) < len(plan.nodes):
        ready = [n for n in plan.nodes if n.index not in done and done >= set(n.needs)]
        node = min(ready, key=lambda n: (-n.priority, n.index))
        ready_order.append(node.id)
        done.add(node.index)
    assert [node.id for node in in_order(list(plan.nodes))] == ready_order


def fates_of(text: str, **inputs: Any) -> dict[str, Fate]:
    compilation = compile_text("version: 1\n" + dedent(text), path="p.yml", root=HERE, registry=REGISTRY)
    assert compilation.plan is not None, compilation.diagnostics
    plan = compilation.plan
    return {plan.nodes[at].id: fate for at, fate in fates(plan, in_order(list(plan.nodes)), inputs).items()}


def test_conditions_over_inputs_are_decided_and_what_follows_from_them() -> None:
    found = fates_of(
        """\
        inputs: {target: {type: string}}
        env: {MODE: fast}
        nodes:
          build: {run: echo b}
          deploy: {needs: [build], when: inputs.target == "prod", run: echo d}
          tell: {needs: [deploy], run: echo t}
          note: {needs: [deploy], run_on: always, run: echo n}
          quick: {when: env.MODE == "fast", run: echo q}
        """,
        target="staging",
    )
    verdicts = {name: str(fate.verdict) for name, fate in found.items()}
    assert verdicts == {"build": "runs", "deploy": "skipped", "tell": "skipped", "note": "runs", "quick": "runs"}
    assert (found["deploy"].why, found["deploy"].values) == (
        'when inputs.target == "prod"',
        {"inputs.target": "staging"},
    )
    assert found["tell"].why == "a need was skipped: deploy"


def test_conditions_over_anything_else_are_left_to_the_run_and_so_is_what_needs_them() -> None:
    found = fates_of(
        """\
        env: {HERE: "{{ run.id }}"}
        nodes:
          a: {run: echo a}
          b: {when: nodes.a.output == "x", run: echo b}
          c: {needs: [b], run: echo c}
          d: {when: run.attempt == 1, run: echo d}
          e: {when: env.HERE == "x", run: echo e}
          f: {needs: [a], run_on: failure, run: echo f}
        on_failure: {g: {run: echo g}}
        finally: {h: {run: echo h}, i: {when: run.status == "failed", run: echo i}}
        """
    )
    runs = {name for name, fate in found.items() if fate.verdict == "runs"}
    assert runs == {"a", "h"}
    assert {str(fate.verdict) for name, fate in found.items() if name not in runs} == {"open"}
    assert (found["c"].why, found["g"].why) == ("if b runs", "if the run fails")
    assert found["f"].why == "if something that it needs fails"


def test_a_condition_that_cannot_be_evaluated_fails_its_node_and_blocks_what_needs_it() -> None:
    found = fates_of(
        """\
        inputs: {n: {type: integer}}
        nodes:
          a: {when: "1 / inputs.n > 2", run: echo a}
          b: {needs: [a], run: echo b}
          c: {needs: [b], run: echo c}
        """,
        n=0,
    )
    assert [str(found[name].verdict) for name in "abc"] == ["fails", "blocked", "blocked"]
    assert (found["b"].why, found["c"].why) == ("by a", "by a")


@pytest.mark.parametrize("text", ["inputs.x", "inputs.x[0] == 1", "'a' * 10 ** 9 == 'b'"])
def test_r4_no_condition_hangs_it_or_gives_a_traceback(text: str) -> None:
    found = fates_of(f"inputs: {{x: {{}}}}\nnodes: {{a: {{when: {text!r}, run: echo a}}}}", x="1")
    assert found["a"].verdict in ("fails", "skipped")


def repeated(plan: Plan, at: int, most: int | None = None) -> Plan:
    """The same, with a node that is repeated."""
    nodes = list(plan.nodes)
    nodes[at] = nodes[at]._replace(fan_out=FanOut(Value([]), max_parallel=most))
    return plan._replace(nodes=tuple(nodes))


ITEMS = {"n1[a]": 2.0, "n1[b]": 2.0, "n1[c]": 2.0, "n1[d]": 1.0}


@pytest.mark.parametrize(("most", "slots", "alone", "time"), [
    (None, 10, 2.0, 4.0), (2, 10, 4.0, 6.0), (1, 10, 7.0, 9.0), (None, 2, 2.0, 6.0), (None, 1, 2.0, 9.0)
])  # fmt: skip
def test_a_repeated_node_takes_a_slot_for_each_of_its_items(
    most: int | None, slots: int, alone: float, time: float
) -> None:
    plan = repeated(graph((), (0,), (1,)), 1, most)
    found = forecast(plan, plan.nodes, {"n0": 1.0, "n1": 99.0, "n2": 1.0, **ITEMS}, slots)
    assert [node.id for node in found.path] == ["n0", "n1", "n2"]
    assert (found.path_time, found.time, found.useful) == (2 + alone, time, most or 4)
    assert found.path_times == (1.0, alone, 1.0), "what is counted, not the 99 s that its items took one by one"
    assert found.guessed == ()


def test_a_repeated_node_whose_items_are_not_known_counts_as_one() -> None:
    plan = repeated(graph((), (0,)), 1)
    assert forecast(plan, plan.nodes, {"n0": 1.0, "n1": 3.0}, 4).path_time == 4.0
    assert forecast(plan, plan.nodes, {"n0": 1.0, "other[a]": 3.0}, 4).guessed == ("n1",)


def test_the_items_decide_which_path_is_the_longest() -> None:
    plan = repeated(graph((), (), (0, 1)), 1)
    long, short = {"n0": 3.0, "n2": 1.0}, {"n0": 1.0, "n2": 1.0}
    assert [n.id for n in forecast(plan, plan.nodes, {**long, **ITEMS}, 9).path] == ["n0", "n2"]
    assert [n.id for n in forecast(plan, plan.nodes, {**short, **ITEMS}, 9).path] == ["n1", "n2"]


def test_items_inside_a_repeated_sub_pipeline_are_none_of_its_own() -> None:
    plan = repeated(graph((), (0,)), 1)
    plan = plan._replace(nodes=(plan.nodes[0], plan.nodes[1]._replace(pipeline="sub.yml")))
    seconds = {"n0": 1.0, "n1": 3.0, "n1[a]": 3.0, "n1[a].each[b]": 9.0, "n1[a].b": 2.0}
    assert forecast(plan, plan.nodes, seconds, 4).path_time == 4.0


@given(graphs, st.lists(st.integers(0, 9), min_size=1, max_size=9), st.integers(1, 4), st.integers(1, 5))
def test_with_items_too_a_run_takes_at_least_its_path_and_at_most_all_work(
    needs: Any, items: list[int], most: int, slots: int
) -> None:
    plan = repeated(graph(*needs), 0, most)
    seconds = {node.id: 1.0 for node in plan.nodes} | {f"n0[{at}]": float(time) for at, time in enumerate(items)}
    found = forecast(plan, plan.nodes, seconds, slots)
    work = sum(items) + len(plan.nodes) - 1
    assert work / slots <= found.time + 1e-9
    assert found.time <= work
    assert forecast(plan, plan.nodes, seconds, 1000).time == pytest.approx(found.path_time)
