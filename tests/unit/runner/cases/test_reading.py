"""Where a file of tests finds its pipeline, and what it may not reach."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from pipe_runner.cases.reading import Reader, Reading
from pipe_runner.registry import Registry

PIPELINE = "version: 1\nnodes: {a: {run: echo}}\n"
TESTS = "version: 1\ncases: {it: {}}\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    project = tmp_path / "project"
    project.mkdir()
    (project / "pipe.yml").write_text("")
    return project


def read(registry: Registry, path: Path) -> Reading:
    return Reader(registry).read(str(path), shown_as=path.name)


def codes(reading: Reading) -> list[str]:
    return [one.code for one in reading.diagnostics]


@pytest.mark.parametrize(("tests", "pipeline"), [("x.test.yml", "x.yml"), ("x.test.yaml", "x.yaml")])
def test_it_tests_the_pipeline_beside_it(registry: Registry, project: Path, tests: str, pipeline: str) -> None:
    (project / pipeline).write_text(PIPELINE)
    (project / tests).write_text(TESTS)
    suite = read(registry, project / tests).suite
    assert suite is not None
    assert suite.plan.path == pipeline


def test_it_names_another_one_relative_to_itself(registry: Registry, project: Path) -> None:
    (project / "tests").mkdir()
    (project / "x.yml").write_text(PIPELINE)
    (project / "tests" / "y.test.yml").write_text(TESTS + "pipeline: ../x.yml\n")
    suite = read(registry, project / "tests" / "y.test.yml").suite
    assert suite is not None
    assert (suite.plan.path, suite.plan.root) == ("x.yml", str(project))


def test_a_pipeline_without_a_name_is_told_once(registry: Registry, project: Path) -> None:
    (project / "y.test.yml").write_text(TESTS + "pipeline: ''\n")
    assert codes(read(registry, project / "y.test.yml")) == ["E204"]


def test_s1_no_pipeline_outside_of_the_project_is_opened(registry: Registry, project: Path) -> None:
    (project.parent / "x.yml").write_text(PIPELINE)
    (project / "link.yml").symlink_to(project.parent / "x.yml")
    for name in ("../x.yml", str(project.parent / "x.yml"), "link.yml", "/etc/passwd", '"x\\0.yml"'):
        (project / "y.test.yml").write_text(TESTS + f"pipeline: {name}\n")
        reading = read(registry, project / "y.test.yml")
        assert codes(reading) == ["E601"], name


def test_s1_a_file_of_tests_that_is_a_link_out_of_the_project_is_not_read(registry: Registry, project: Path) -> None:
    (project.parent / "y.test.yml").write_text("secret words")
    (project / "y.test.yml").symlink_to(project.parent / "y.test.yml")
    reading = read(registry, project / "y.test.yml")
    assert codes(reading) == ["E602"]
    assert "secret words" not in repr(reading.diagnostics)


def test_faults_of_its_pipeline_are_kept_apart(registry: Registry, project: Path) -> None:
    (project / "x.yml").write_text("version: 1\nnodes: {a: {rnu: echo}}\n")
    (project / "x.test.yml").write_text(TESTS)
    reading = read(registry, project / "x.test.yml")
    assert codes(reading) == ["E702"]
    assert [one.code for one in reading.pipeline] == ["E201"]


def test_a_pipeline_that_several_files_test_is_compiled_once(registry: Registry, project: Path) -> None:
    (project / "x.yml").write_text(PIPELINE)
    reader = Reader(registry)
    plans = []
    for name in ("a", "b"):
        (project / f"{name}.test.yml").write_text(TESTS + "pipeline: x.yml\n")
        suite = reader.read(str(project / f"{name}.test.yml")).suite
        assert suite is not None
        plans.append(suite.plan)
    assert plans[0] is plans[1]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "\t",
        "version: 1",
        "cases: {a: {}}",
        "version: 1\ncases:",
        "version: 1\ncases: []",
        "version: 1\ncases: {1: {}}",
        "version: 1\ncases: {'': {}}",
        "version: 1\ncases: {a: {}, a: {}}",
    ],
)
def test_what_is_no_file_of_tests_is_told_and_never_raised(registry: Registry, project: Path, text: str) -> None:
    (project / "x.yml").write_text(PIPELINE)
    (project / "x.test.yml").write_text(text)
    reading = read(registry, project / "x.test.yml")
    assert reading.suite is None
    assert [one for one in reading.diagnostics if one.is_error]


def test_r2_a_large_file_is_read_in_time(registry: Registry, project: Path, in_time: Any) -> None:
    (project / "x.yml").write_text(PIPELINE)
    right = "".join(
        f"  c{n}: {{mock: {{a: {{output: '{n}'}}}}, expect: {{nodes: {{a: succeeded}}}}}}\n" for n in range(15_000)
    )
    wrong = "".join(f"  c{n}: {{mock: {{aa{n}: {{}}}}}}\n" for n in range(35_000))
    for text, found in ((right, set()), (wrong, {"E701", "E119"})):
        (project / "x.test.yml").write_text(f"version: 1\ncases:\n{text}")
        began = time.process_time()
        assert set(codes(read(registry, project / "x.test.yml"))) == found
        assert in_time(time.process_time() - began, 6)  # 2 s where nobody else works


def test_names_that_begin_with_x_are_free(registry: Registry, project: Path) -> None:
    (project / "x.yml").write_text(PIPELINE)
    (project / "x.test.yml").write_text("version: 1\nx-note: 1\ncases: {it: {x-why: {}, expect: {x-later: 1}}}\n")
    reading = read(registry, project / "x.test.yml")
    assert reading.diagnostics == []
    assert reading.suite is not None
    assert reading.suite.cases[0].expect == {}


@pytest.mark.parametrize("where", ["defaults: {replay: rec}\ncases: {it: {}}", "cases: {it: {replay: rec}, other: {}}"])
def test_functions_whose_calls_are_recorded_need_not_be_installed(tmp_path: Path, where: str) -> None:
    (tmp_path / "rec").mkdir()
    node = "{agent: llm, provider: openai, with: {prompt: x, tools: ['function:nobody_brings_it']}}"
    (tmp_path / "p.yml").write_text(f"version: 1\nnodes: {{a: {node}}}\n")
    tests = tmp_path / "p.test.yml"
    registry = Registry.installed()
    for text, codes in ((where, []), ("cases: {it: {}}", ["E702"]), (where, [])):
        tests.write_text(f"version: 1\n{text}\n")
        reading = Reader(registry).read(str(tests), shown_as="p.test.yml")
        assert [one.code for one in reading.diagnostics if one.is_error] == codes
    assert registry.tools.recorded is None
