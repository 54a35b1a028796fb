"""Pipelines that nodes run, gone on with: what is done stays done, inside too."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

CHAIN = """inputs: {x: {type: string, default: d}}
nodes:
  a: {agent: fake, with: {n: a}}
  b: {agent: fake, with: {n: b, x: "{{ nodes.a.output }}"}}
  c: {agent: fake, with: {n: c}, needs: b}
  free: {agent: fake, with: {n: free}}
finally: {f: {agent: fake, with: {n: f}}}
outputs: {y: "{{ nodes.c.output }}"}
"""
OUTER = """nodes:
  before: {agent: fake, with: {n: before}}
  s: {pipeline: sub.yml, needs: before}
  after: {agent: fake, with: {n: "after {{ nodes.s.output.y }}"}}
"""


def test_resume_runs_what_is_not_done_inside(project: Any, trying: Any) -> None:
    trying.bad = {"b"}
    project.write(sub=CHAIN)
    done = project.run(OUTER)
    assert done.statuses["after"] == "blocked"
    assert trying.taken() == ["a", "b", "before", "f", "free"]
    trying.bad = set()
    active = project.open()
    assert active.reasons == {
        "s": "failed",
        "s.b": "failed",
        "s.c": "blocked",
        "s.f": "the run goes on",
        "after": "blocked",
    }
    done = project.finished(active, anyio.run(active.perform))
    assert done.status == "succeeded"
    assert trying.taken() == ["after c", "b", "c", "f"]
    assert [done.node(n).attempts for n in ("s", "s.a", "s.b", "s.c", "s.f")] == [2, 1, 2, 1, 2]


def test_d11_what_depends_on_a_failed_sub_pipeline_runs_again_when_its_inside_has_changed(
    project: Any, trying: Any
) -> None:
    trying.bad = {"b"}
    project.write(sub=CHAIN)
    main = OUTER + "  told: {agent: fake, with: {n: told}, needs: s, run_on: always}\n"
    assert project.run(main).statuses["told"] == "succeeded"
    trying.taken()
    project.write(sub=CHAIN.replace("{n: c}", "{n: c2}"))
    active = project.open()
    assert active.reasons["s"] == "failed"
    assert active.reasons["told"] == "needs s, which changed"
    project.finished(active, anyio.run(active.perform))
    assert trying.taken() == ["b", "f", "told"]


def test_d11_a_changed_node_inside_runs_again_and_what_depends_on_it_inside_and_outside(
    project: Any, trying: Any
) -> None:
    trying.bad = {"late"}
    project.write(sub=CHAIN)
    main = OUTER + "  late: {agent: fake, with: {n: late}}\n"
    project.run(main)
    trying.taken()
    project.write(sub=CHAIN.replace("{n: c}", "{n: c2}"))
    active = project.open()
    assert active.reasons == {
        "s": "runs s.c, which changed",
        "s.c": "changed",
        "s.f": "the run goes on",
        "after": "needs s, which changed",
        "late": "failed",
    }
    anyio.run(active.perform)
    assert trying.taken() == ["after c2", "c2", "f", "late"]


def test_a_changed_output_makes_it_anew_and_runs_nothing_inside(project: Any, trying: Any) -> None:
    trying.bad = {"late"}
    project.write(sub=CHAIN)
    main = OUTER + "  late: {agent: fake, with: {n: late}}\n"
    project.run(main)
    trying.taken()
    project.write(sub=CHAIN.replace('y: "{{ nodes.c.output }}', 'y: "new {{ nodes.c.output }}'))
    project.run()
    assert trying.taken() == ["after new c", "late"]


@pytest.mark.parametrize(
    ("old", "new"), [("{pipeline: sub.yml,", "{pipeline: sub.yml, with: {x: v},"), ("{n: before}", "{n: before2}")]
)
def test_other_inputs_or_a_changed_need_make_all_of_it_run_again(project: Any, trying: Any, old: str, new: str) -> None:
    trying.bad = {"late"}
    project.write(sub=CHAIN)
    main = OUTER + "  late: {agent: fake, with: {n: late}}\n"
    project.run(main)
    trying.taken()
    project.run(main.replace(old, new))
    assert {"a", "b", "c", "f", "free", "after c"} <= set(trying.taken())


def test_a_comment_in_the_file_that_it_runs_changes_nothing(project: Any, trying: Any) -> None:
    trying.bad = {"late"}
    project.write(sub=CHAIN)
    main = OUTER + "  late: {agent: fake, with: {n: late}}\n"
    project.run(main)
    trying.taken()
    project.write(sub="\n# nothing\n\n" + CHAIN)
    project.run()
    assert trying.taken() == ["late"]


def test_inputs_that_turn_out_otherwise_make_what_is_done_of_it_count_no_more(project: Any, trying: Any) -> None:
    project.write(
        sub="inputs: {x: {type: string}}\nnodes:\n  a: {agent: fake, with: {n: 'a {{ inputs.x }}'}}\n"
        "  b: {agent: fake, with: {n: b}, needs: a}\n"
        "  e: {for_each: {items: [1]}, agent: fake, with: {n: 'e {{ inputs.x }}'}}\n"
    )
    main = (
        "nodes:\n  maybe: {agent: fake, with: {n: maybe}, continue_on_error: true}\n"
        "  s: {pipeline: sub.yml, with: {x: '{{ nodes.maybe.status }}'}}\n"
    )
    trying.bad = {"maybe", "b"}
    project.run(main)
    assert trying.taken() == ["a failed", "b", "e failed", "maybe"]
    trying.bad = set()
    done = project.run()
    assert trying.taken() == ["a succeeded", "b", "e succeeded", "maybe"]
    assert done.node("s.a").attempts == 2


def test_resume_of_repeated_ones_runs_what_is_not_done_of_each(project: Any, trying: Any) -> None:
    project.write(
        sub="inputs: {x: {type: string}}\nnodes:\n  a: {agent: fake, with: {n: 'a {{ inputs.x }}'}}\n"
        "  b: {for_each: {items: [1, 2]}, agent: fake, with: {n: 'b {{ inputs.x }}{{ item }}'}, needs: a}\n"
        "outputs: {y: '{{ nodes.b.output | length }}'}\n"
    )
    main = "nodes:\n  s: {pipeline: sub.yml, for_each: {items: [eu, us], key: '{{ item }}'}, with: {x: '{{ item }}'}}\n"
    trying.bad = {"b us2"}
    done = project.run(main)
    assert trying.taken() == ["a eu", "a us", "b eu1", "b eu2", "b us1", "b us2"]
    assert done.statuses == {
        "s": "failed",
        "s[eu].a": "succeeded",
        "s[eu].b": "succeeded",
        "s[us].a": "succeeded",
        "s[us].b": "failed",
    }
    trying.bad = set()
    done = project.run()
    assert trying.taken() == ["b us2"]
    assert done.status == "succeeded"
    assert done.node("s[us].a").attempts == 1
    assert [r["output"] for r in done.output("s")] == [{"y": 2}, {"y": 2}]


def test_a_changed_file_runs_every_instance_of_a_repeated_one_again(project: Any, trying: Any) -> None:
    sub = "inputs: {x: {type: string}}\nnodes:\n  a: {agent: fake, with: {n: 'a {{ inputs.x }}'}}\n"
    project.write(sub=sub)
    trying.bad = {"late"}
    main = (
        "nodes:\n  s: {pipeline: sub.yml, for_each: {items: [eu, us], key: '{{ item }}'}, with: {x: '{{ item }}'}}\n"
        "  late: {agent: fake, with: {n: late}}\n"
    )
    project.run(main)
    trying.taken()
    project.run()
    assert trying.taken() == ["late"]
    project.write(sub=sub.replace("'a ", "'A "))
    done = project.run()
    assert trying.taken() == ["A eu", "A us", "late"]
    assert done.node("s[eu].a").attempts == 2


def test_a_run_that_is_done_is_told_so(project: Any, trying: Any) -> None:
    project.write(sub=CHAIN)
    project.run(OUTER)
    trying.taken()
    active = project.open()
    assert active.nothing_to_do
    active.close()


@pytest.mark.parametrize("cut", range(4, 18, 2))
@pytest.mark.few(3)
def test_d1_d3_a_log_cut_anywhere_is_gone_on_with(project: Any, trying: Any, cut: int) -> None:
    """What is in the log stays done, what isn't is done once more, and nothing is left out."""
    project.write(sub=CHAIN)
    whole = project.run(OUTER)
    trying.taken()
    log = project.root / ".pipe" / "runs" / "r" / "log.jsonl"
    lines = log.read_bytes().splitlines(keepends=True)
    if cut >= len(lines):
        pytest.skip("the log is shorter")
    log.write_bytes(b"".join(lines[:cut]))
    kept = {e.node: e.data.get("output") for e in whole.events[:cut] if e.event == "node.succeeded"}
    done = project.run()
    assert done.status == "succeeded"
    assert set(done.statuses.values()) == {"succeeded"}
    again = trying.taken()
    for node in ("a", "b", "c", "free"):
        assert again.count(node) == (0 if f"s.{node}" in kept else 1), node
    assert done.output("s") == {"y": "c"}


def test_a_value_that_an_include_gives_otherwise_is_a_change(project: Any, trying: Any) -> None:
    trying.bad = {"late"}
    (project.root / "inc.yml").write_text(
        "version: 1\ninputs: {v: {type: string}}\nnodes: {s: {pipeline: sub.yml, with: {x: '{{ inputs.v }}'}}}\n"
    )
    project.write(sub="inputs: {x: {type: string}}\nnodes: {a: {agent: fake, with: {n: '{{ inputs.x }}'}}}\n")
    main = "include: [{file: inc.yml, with: {v: one}}]\nnodes: {late: {agent: fake, with: {n: late}}}\n"
    project.run(main)
    assert trying.taken() == ["late", "one"]
    project.run()
    assert trying.taken() == ["late"]
    project.run(main.replace("one", "two"))
    assert trying.taken() == ["late", "two"]


def test_a_resume_says_which_items_go_on_what_of_them_does_and_how_many_stay(project: Any, trying: Any) -> None:
    trying.bad = {"b us", "n1"}
    inner = (
        "inputs: {x: {type: string}}\nnodes:\n  a: {agent: fake, with: {n: 'a {{ inputs.x }}'}}\n"
        "  b: {agent: fake, with: {n: 'b {{ inputs.x }}'}, needs: a}\n"
        "  c: {agent: fake, with: {n: 'c {{ inputs.x }}'}, needs: b}\n"
    )
    main = (
        "nodes:\n  s: {pipeline: sub.yml, for_each: {items: [eu, us, a], key: '{{ item }}'}, with: {x: '{{ item }}'}}\n"
        "  n: {for_each: {items: [0, 1]}, agent: fake, with: {n: 'n{{ item }}'}}\n"
    )
    project.write(sub=inner)
    project.run(main)
    trying.taken()
    trying.bad = set()
    done = project.run(main)
    resumed = next(event for event in done.events if event.event == "run.resumed")
    assert resumed.data["items"] == {
        "s": {"done": 2, "again": {"s[us]": "failed", "s[us].b": "failed", "s[us].c": "blocked"}},
        "n": {"done": 1, "again": {"n[1]": "failed"}},
    }
    assert trying.taken() == ["b us", "c us", "n1"]


def test_of_repeated_nodes_that_changed_a_resume_names_no_items(project: Any, trying: Any) -> None:
    trying.bad = {"n1"}
    main = "nodes:\n  n: {for_each: {items: [0, 1]}, agent: fake, with: {n: 'n{{ item }}'}}\n"
    project.run(main)
    done = project.run(main.replace("n{{", "m{{"))
    resumed = next(event for event in done.events if event.event == "run.resumed")
    assert "items" not in resumed.data


def test_many_items_are_counted_beyond_the_first_hundred(project: Any, trying: Any) -> None:
    trying.bad = {f"n{number}" for number in range(120)}
    main = "nodes:\n  n: {for_each: {items: '{{ range(121) | list }}'}, agent: fake, with: {n: 'n{{ item }}'}}\n"
    project.run(main)
    done = project.run(main)
    told = next(event for event in done.events if event.event == "run.resumed").data["items"]["n"]
    assert (told["done"], len(told["again"]), told["more"]) == (1, 100, 20)
