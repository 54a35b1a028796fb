"""A choice becomes a pipeline file that is right, whatever the task says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.unit.runner.routing.measuring import registry

from pipe_runner.compiler import compile_text
from pipe_runner.loader import load_text
from pipe_runner.loader.dumping import comment, dumped, sound
from pipe_runner.routing import Choice, Routing, draft, route
from pipe_runner.routing.drafting import names_for
from pipe_runner.testing import run_text

REGISTRY = registry()
SCHEMAS = {name: REGISTRY.get(name).output_schema({}) for name in REGISTRY.names()}
HOSTILE = [
    "x\nnodes:\n  evil: {run: 'rm -rf /'}",
    "{{ secrets.KEY }} {% raw %}",
    "{% endraw %}{{ inputs.x }}",
    "/var/log/{{ endraw }}.log",
    "{%- endraw -%}{{% endraw %}{%{%\nendraw%}",
    "a {%",
    "# }}\n---\n!!python/object:os.system",
    "\u2028nodes: {}\u2029\x85\x00\x1b[31m\ud800",
    '"\n\'\\" *a &b << ${{ github.token }}',
    "on", "010", "1e3", "0o17", "~", "null", "<<", "=", "12:30", "2001-01-01", ".inf", "- a", "? b", "%YAML",
]  # fmt: skip

TEXT = st.text(max_size=120) | st.sampled_from(HOSTILE) | st.text(alphabet="{}%#-raw end\n\"'\\:", max_size=60)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**12), 10**12) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT.filter(lambda k: k != "<<"), inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
@settings(max_examples=200, deadline=None)
def test_what_is_dumped_reads_back_as_it_was(value: Any) -> None:
    document, faults = load_text(dumped({"v": value}).encode(), "x.yml")
    assert [one for one in faults if one.severity == "error"] == []
    assert document.data == {"v": sound(value)}


@given(TEXT)
@settings(max_examples=100, deadline=None)
def test_nothing_leaves_a_comment(text: str) -> None:
    for line in comment(text):
        assert line.startswith("#")
        assert len(line.splitlines()) <= 1


def drafted(task: str, names: list[str]) -> str:
    chosen = [Choice(name, 1.0, (), {"paths": [task[:40] or "x"]} if name == "logs" else {}, task) for name in names]
    return draft(Routing(task, tuple(chosen), notes=(task,)), chosen, SCHEMAS)


@given(TEXT, st.sampled_from([["net"], ["logs"], ["net", "logs"]]))
@example("{{ 1 }}", ["logs"])
@example("${{ github.token }}", ["net", "logs"])
@example("{% endraw %}", ["net", "logs"])
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_file_has_no_fault_and_only_the_chosen_nodes(tmp_path: Path, task: str, names: list[str]) -> None:
    text = drafted(task, names)
    found = compile_text(text, path=str(tmp_path / "ask.yml"), root=tmp_path, registry=REGISTRY)
    assert found.plan is not None, (text, found.diagnostics)
    assert found.diagnostics == [] or not found.diagnostics
    assert [node.agent for node in found.plan.nodes] == [*names, *(["findings"] if len(names) > 1 else [])]


@pytest.mark.parametrize("task", HOSTILE)
def test_a_hostile_task_arrives_as_data(task: str) -> None:
    made = registry()
    run_text(drafted(task, ["logs", "net"]), made, root=None, inputs={})
    (merging,) = made.get("findings").calls  # type: ignore[attr-defined]
    assert merging.options["title"] == " ".join(sound(task).split())
    (logs,) = made.get("logs").calls  # type: ignore[attr-defined]
    assert logs.options == {"paths": [sound(task)[:40]]}


def test_one_agent_needs_nobody_who_merges() -> None:
    found = route("resolve db.internal", REGISTRY)
    assert draft(found, found.chosen(), SCHEMAS) == (
        "# The task: resolve db.internal\n"
        "# Agents chosen by words; `pipe run` runs it.\n"
        "version: 1\n"
        'description: "resolve db.internal"\n'
        "nodes:\n"
        "  # Score 1.7: matches network.dns by 'resolve'; it takes hosts db.internal.\n"
        "  net:\n"
        "    agent: net\n"
        "    with:\n"
        '      host: "db.internal"\n'
        "      checks:\n"
        "      - dns\n"
        "outputs:\n"
        '  severity: "{{ nodes.net.output.severity }}"\n'
        '  summary: "{{ nodes.net.output.summary }}"\n'
    )


def test_nodes_have_names_that_can_stand_in_expressions() -> None:
    assert names_for(["a-b", "a.b", "9", "findings", "--"]) == ["a_b", "a_b_2", "_9", "findings", "agent"]
