"""Mocks of items: which names they may have, what they stand in for, and what becomes of those that nothing met."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipe_runner.cases.matching import Absent
from pipe_runner.cases.performing import CaseResult
from pipe_runner.cases.reading import Reader
from pipe_runner.registry import Registry

Performed = Callable[[str, str], list[CaseResult]]
Told = Callable[[CaseResult], list[str]]

SUB = """version: 1
nodes:
  x: {run: echo real >> ran; echo r}
  y: {for_each: {items: [b], key: "{{ item }}"}, run: echo real >> ran; echo r}
"""
PIPELINE = """
nodes:
  d: {for_each: {items: [a, "c]x"], key: "{{ item }}"}, pipeline: s.yml}
  e: {for_each: {items: [1, 2]}, run: echo real >> ran; echo r}
"""


@pytest.fixture(autouse=True)
def sub(tmp_path: Path) -> None:
    (tmp_path / "s.yml").write_text(SUB)


def runs(folder: Path) -> int:
    ran = folder / "ran"
    return len(ran.read_text().splitlines()) if ran.exists() else 0


@pytest.mark.parametrize("name", ["d[a", "d[a.x", "d[", "d[]", "d[].x", "d[a]x", "d[a].z", "d.y[b]", "e[1].x"])
def test_a_name_that_no_item_can_ever_have_is_a_fault(registry: Registry, tmp_path: Path, name: str) -> None:
    (tmp_path / "p.yml").write_text(f"version: 1{PIPELINE}")
    (tmp_path / "p.test.yml").write_text(f"version: 1\ncases: {{c: {{mock: {{'{name}': {{output: q}}}}}}}}")
    reading = Reader(registry).read(str(tmp_path / "p.test.yml"))
    assert reading.suite is None
    ((code, line, column, hint),) = [(d.code, d.line, d.column, d.hint) for d in reading.diagnostics]
    assert (code, line, column) == ("E701", 2, 20)
    assert hint


@pytest.mark.parametrize("name", ["d[z].x", "d[z]", "d[a].y[z]", "d[a][b].x", "d[a].x[b]", "e[2]"])
def test_a_mock_that_no_item_met_fails_its_case_at_its_place(performed: Performed, told: Told, name: str) -> None:
    (result,) = performed(PIPELINE, f"it: {{mock: {{'*': {{output: q}}, '{name}': {{output: q}}}}}}")
    assert not result.passed
    assert told(result) == [f"3:33 {name} is mocked, and there was no such item"]


@pytest.mark.parametrize(
    ("names", "real"),
    [
        (["d", "e"], 0),
        (["d[a]", "d[c]x]", "e[0]", "e[1]"], 0),
        (["d.x", "d.y", "e"], 0),
        (["d[a].x", "d[a].y", "d[c]x].x", "d[c]x].y[b]", "e[0]"], 1),
        (["d.x", "d[a].y[b]"], 3),
    ],
)
def test_what_is_said_of_an_item_stands_in_for_it(
    performed: Performed, tmp_path: Path, names: list[str], real: int
) -> None:
    mocks = ", ".join(f"'{name}': {{output: {{}}}}" for name in names)
    (result,) = performed(PIPELINE, f"it: {{mock: {{{mocks}}}}}")
    assert result.passed
    assert runs(tmp_path) == real


def test_a_mock_in_what_was_not_reached_is_no_fault(performed: Performed) -> None:
    pipeline = PIPELINE + '  a: {run: "false"}\n  f: {needs: a, for_each: {items: [1]}, run: echo}\n'
    (result,) = performed(
        pipeline, "it: {mock: {a: {error: {}}, d: {}, 'd[a].x': {}, 'f[7]': {}, e: {}}, expect: {status: failed}}"
    )
    assert result.passed


def test_the_defaults_may_name_items_that_only_some_cases_have(
    performed_file: Callable[[str, str], list[CaseResult]],
) -> None:
    pipeline = """
    inputs: {ports: {type: array, default: [22]}}
    nodes: {e: {for_each: {items: "{{ inputs.ports }}", key: "{{ item }}"}, run: echo}}
    """
    tests = """
    defaults: {run: none, mock: {"e[22]": {output: a}, "e[443]": {output: b}}}
    cases: {one: {}, two: {inputs: {ports: [443]}}}
    """
    assert [result.passed for result in performed_file(pipeline, tests)] == [True, True]


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("i.k.fe", "skipped"),
        ("i.k.fe[1]", "skipped"),
        ("d[a].k", "skipped"),
        ("d[a].k.fe[1]", "skipped"),
        ("off[0].k.fe[1]", "skipped"),
        ("off[0]", "skipped"),
        ("after[0]", "blocked"),
        ("after[0].k.x", "blocked"),
        ("e[0]", "succeeded"),
    ],
)
def test_what_never_came_to_be_ended_as_what_it_is_in(
    performed: Performed, tmp_path: Path, name: str, status: str
) -> None:
    (tmp_path / "outer.yml").write_text("version: 1\nnodes: {k: {pipeline: inner.yml}}\n")
    (tmp_path / "inner.yml").write_text(
        "version: 1\nnodes: {fe: {for_each: {items: [1, 2]}, run: echo}, x: {run: echo}}\n"
    )
    pipeline = """
    nodes:
      i: {pipeline: outer.yml}
      d: {for_each: {items: [a], key: "{{ item }}"}, pipeline: outer.yml}
      e: {for_each: {items: [1]}, run: echo}
      off: {when: "1 == 2", for_each: {items: [1]}, pipeline: outer.yml}
      bad: {run: echo}
      after: {needs: bad, for_each: {items: [1]}, pipeline: outer.yml}
    """
    mocks = "{i: {output: {}}, d: {output: {}}, bad: {error: {}}}"
    (result,) = performed(pipeline, f"it: {{mock: {mocks}, expect: {{status: failed, nodes: {{'{name}': {status}}}}}}}")
    assert [(one.what, one.got) for one in result.unmet] == []


def test_an_item_that_there_is_not_is_said_not_to_be(performed: Performed) -> None:
    (result,) = performed(PIPELINE, "it: {mock: {'*': {}}, expect: {nodes: {'e[7]': succeeded, 'd[z].x': skipped}}}")
    assert [str(one.got) for one in result.unmet] == [str(Absent("there is no such item"))] * 2


def test_what_may_run_is_said_of_nodes_not_of_items(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "p.yml").write_text(f"version: 1{PIPELINE}")
    (tmp_path / "p.test.yml").write_text("version: 1\ncases: {c: {run: [d, 'd[a].x', e]}}")
    (told,) = Reader(registry).read(str(tmp_path / "p.test.yml")).diagnostics
    assert (told.code, told.line, told.column) == ("E701", 2, 22)
    assert told.hint == "write `d.x`, and mock what is not to run"


def test_r2_a_name_of_nothing_but_brackets_takes_no_time(tmp_path: Path, registry: Registry, in_time: Any) -> None:
    (tmp_path / "p.yml").write_text(f"version: 1{PIPELINE}")
    text = ", ".join(f"'d[{'].y[' * 5000}{number}'" for number in range(100))
    (tmp_path / "p.test.yml").write_text(f"version: 1\ncases: {{c: {{run: [{text}]}}}}")
    began = time.process_time()
    found = Reader(registry).read(str(tmp_path / "p.test.yml")).diagnostics
    assert in_time(time.process_time() - began, 10)
    assert {one.code for one in found} == {"E701"}


def test_a_combination_of_an_empty_value_is_mocked_by_its_empty_key(performed: Performed, told: Told) -> None:
    (result,) = performed(
        "\nnodes: {m: {matrix: {f: ['', x]}, run: echo real >> ran; echo r}}\n",
        "it: {mock: {'m[]': {output: q}, 'm[x]': {output: w}}, expect: {nodes: {'m[]': {output: q}}}}",
    )
    assert result.passed, told(result)
