"""A node that names a preset is what it would be if all of the preset were written in it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipe_runner.cli.reading import Checked, together
from pipe_runner.compiler import Compilation, compile_file
from pipe_runner.compiler.project import load_project
from pipe_runner.plan import PlannedNode
from pipe_runner.registry import Registry

Nodes = Callable[[str, str], dict[str, PlannedNode]]


@pytest.fixture
def compiled(tmp_path: Path, registry: Registry) -> Callable[[str, str], Compilation]:
    """Compiles nodes of a project with these presets."""

    def run(presets: str, nodes: str) -> Compilation:
        (tmp_path / "pipe.yml").write_text(f"version: 1\nagents:\n{presets}", encoding="utf-8")
        (tmp_path / "p.yml").write_text(f"version: 1\n{nodes}", encoding="utf-8")
        return compile_file(tmp_path / "p.yml", registry=registry, shown_as="p.yml")

    return run


@pytest.fixture
def nodes(compiled: Callable[[str, str], Compilation]) -> Nodes:
    def run(presets: str, nodes: str) -> dict[str, PlannedNode]:
        found = compiled(presets, nodes)
        assert found.diagnostics == []
        assert found.plan is not None
        return found.plan.by_id()

    return run


CALL = "  size: {agent: python, with: {call: 'builtins:len', args: [[1]]}, timeout: 5s, env: {A: a, B: b}, retry: 2}\n"
HELLO = "  hello: {agent: shell, with: {run: 'echo $NAME', output: lines}, env: {NAME: you}}\n"


def plain(node: PlannedNode) -> PlannedNode:
    return node._replace(id="", index=0, line=0, column=0, title="")


def test_a_node_with_a_preset_is_the_node_that_is_written_out(nodes: Nodes) -> None:
    found = nodes(
        CALL + HELLO,
        "nodes:\n"
        "  a: {agent: size, with: {args: [[1, 2]]}, env: {B: c}, timeout: 6s}\n"
        "  b: {agent: python, with: {call: 'builtins:len', args: [[1, 2]]}, env: {A: a, B: c}, timeout: 6s, retry: 2}\n"
        "  c: {agent: hello, with: {output: text}}\n"
        "  d: {run: echo $NAME, output: text, env: {NAME: you}}\n",
    )
    assert plain(found["a"]) == plain(found["b"])
    assert plain(found["c"]) == plain(found["d"])
    assert found["a"].title == "agent size"
    assert found["a"].agent == "python"


def test_options_of_a_node_stand_over_those_of_the_preset_key_by_key_and_whole(nodes: Nodes) -> None:
    found = nodes(
        "  ask: {agent: http, with: {url: 'http://localhost/a', headers: {A: a, B: b}, method: PUT}}\n",
        "nodes: {a: {agent: ask, with: {headers: {B: c}}}}\n",
    )
    assert found["a"].options.data == {"url": "http://localhost/a", "headers": {"B": "c"}, "method": "PUT"}


def test_presets_of_presets_are_put_together_from_the_agent_on(nodes: Nodes) -> None:
    found = nodes(
        CALL + "  big: {agent: size, with: {args: [[1, 2, 3]]}, env: {B: big}, timeout: 1m}\n"
        "  bigger: {agent: big, retry: 7}\n",
        "nodes: {a: {agent: bigger, env: {C: c}}}\n",
    )
    node = found["a"]
    assert (node.timeout, node.retry.max_attempts) == (60, 7)
    assert node.env.data == {"A": "a", "B": "big", "C": "c"}
    assert node.options.data["args"] == [[1, 2, 3]]  # type: ignore[index, call-overload]


def test_a_preset_stands_over_defaults_and_reads_what_its_node_may_read(nodes: Nodes) -> None:
    found = nodes(
        "  hi: {agent: shell, with: {run: 'echo {{ inputs.name }} {{ nodes.b.output }}'}, timeout: 3s, secrets: [S]}\n",
        "inputs: {name: {type: string}}\nsecrets: {S: {from: env}, T: {from: env}}\ndefaults: {timeout: 1m}\n"
        "nodes: {a: {agent: hi, secrets: [T]}, b: {run: x}}\n",
    )
    assert found["a"].timeout == 3
    assert found["a"].needs == (found["b"].index,)
    assert found["a"].secrets == ("T", "S")


def test_handlers_and_included_files_have_presets_too(nodes: Nodes, tmp_path: Path) -> None:
    (tmp_path / "part.yml").write_text("version: 1\nfinally: {c: {agent: hello}}\n")
    found = nodes(HELLO, "include: [{file: part.yml}]\nnodes: {a: {run: x}}\non_failure: {b: {agent: hello}}\n")
    assert [found[id].options.data for id in "bc"] == [{"script": "echo $NAME", "output": "lines"}] * 2


def test_d11_a_change_of_a_preset_changes_its_nodes_alone_and_a_name_changes_nothing(nodes: Nodes) -> None:
    text = "nodes: {a: {agent: size}, b: {agent: hello}, c: {run: x}}\n"
    before = nodes(CALL + HELLO, text)
    after = nodes(CALL.replace("5s", "6s") + HELLO + "  other: {agent: http}\n", text)
    assert [id for id in before if before[id].digest != after[id].digest] == ["a"]
    named = nodes(CALL.replace("size", "length") + HELLO, text.replace("size", "length"))
    assert named["a"].digest == before["a"].digest


def test_a_fault_of_a_preset_is_told_in_pipe_yml_with_the_node_that_uses_it(
    compiled: Callable[[str, str], Compilation], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = compiled(
        "  hi:\n    agent: shell\n    with:\n      run: echo {{ inputs.nam }}\n", "nodes: {a: {agent: hi}}\n"
    )
    (fault,) = found.diagnostics
    assert (fault.path, fault.line, fault.column, fault.code) == ("pipe.yml", 6, 20, "E308")
    assert [str(note) for note in fault.notes] == ["used at p.yml:2:20"]


def test_what_another_preset_does_wrong_keeps_no_pipeline_from_saying_its_own_faults(
    compiled: Callable[[str, str], Compilation],
) -> None:
    found = compiled("  hi: {agent: htp}\n", "nodes: {a: {agent: hi}, b: {run: x, needs: [c]}}\n")
    assert sorted(fault.code for fault in found.diagnostics) == ["E301", "E501"]


def test_presets_are_known_without_a_registry_and_nothing_is_said_of_agents_then(tmp_path: Path) -> None:
    (tmp_path / "pipe.yml").write_text("version: 1\nagents: {hi: {agent: mine}}\n")
    project, faults = load_project(tmp_path)
    assert faults == []
    assert project.presets is not None
    assert project.presets.by_name["hi"].agent == "mine"


def test_r2_what_presets_put_into_a_pipeline_is_bounded(
    compiled: Callable[[str, str], Compilation], in_time: Any
) -> None:
    big = "  big: {agent: python, with: {call: 'a:b', args: [" + "1, " * 10_000 + "]}}\n"
    many = "nodes:\n" + "".join(f"  n{number}: {{agent: big}}\n" for number in range(5_000))
    began = time.process_time()
    found = compiled(big, many)
    assert in_time(time.process_time() - began, 5)
    assert [fault.code for fault in found.diagnostics] == ["E121"]


def test_a_long_chain_of_presets_is_refused(compiled: Callable[[str, str], Compilation], in_time: Any) -> None:
    chain = "".join(f"  p{number}: {{agent: p{number + 1}}}\n" for number in range(3000)) + "  p3000: {agent: python}\n"
    began = time.process_time()
    found = compiled(chain, "nodes: {a: {run: x}}\n")
    assert in_time(time.process_time() - began, 5)
    assert {fault.code for fault in found.diagnostics} <= {"E510", "E119"}
    assert found.plan is None


def test_r2_unknown_agents_of_very_many_presets_are_told_in_time(
    compiled: Callable[[str, str], Compilation], in_time: Any
) -> None:
    many = "".join(f"  p{number}: {{agent: q{number}}}\n" for number in range(40_000))
    began = time.process_time()
    found = compiled(many, "nodes: {a: {run: x}}\n")
    assert in_time(time.process_time() - began, 5)
    assert found.diagnostics[-1].code in ("E501", "E119")


def test_r2_unknown_agents_of_nodes_are_told_in_time_beside_very_many_presets(
    compiled: Callable[[str, str], Compilation], in_time: Any
) -> None:
    many = "".join(f"  p{number}: {{agent: http}}\n" for number in range(40_000))
    nodes = "nodes:\n" + "".join(f"  n{number}: {{agent: q{number}}}\n" for number in range(2_000))
    began = time.process_time()
    found = compiled(many, nodes)
    assert in_time(time.process_time() - began, 5)
    assert {fault.code for fault in found.diagnostics} == {"E501", "E119"}


@pytest.mark.parametrize(
    ("options", "code", "hint"),
    [
        ("{run: 'true', output: jsn}", "E204", "did you mean `json`?"),
        ("{argv: [x], shell: bash}", "E503", None),
    ],
)
def test_a_wrong_option_of_a_preset_is_told_once_where_it_is_used_too(
    compiled: Callable[[str, str], Compilation], tmp_path: Path, registry: Registry, options: str, code: str, hint: str
) -> None:
    used = compiled(f"  ok: {{agent: shell, with: {options}}}\n", "nodes: {a: {agent: ok}}")
    alone = load_project(tmp_path, registry, deep=True)[1]
    (told,) = together([Checked(False, "pipe.yml", alone), Checked(False, "p.yml", used.diagnostics)])
    assert (told.code, told.line, told.hint) == (code, 3, hint)
    assert [note.message for note in told.notes] == ["used"]
