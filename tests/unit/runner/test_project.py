"""A project is found from a file upward, and its pipe.yml sets what holds for every pipeline in it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipe_runner.compiler import compile_text
from pipe_runner.compiler.project import load_project
from pipe_runner.project import find_root
from pipe_runner.registry import Registry


def test_the_root_is_the_nearest_folder_with_a_pipe_yml(tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    (tmp_path / "pipe.yml").touch()
    (tmp_path / "a" / "pipe.yml").touch()
    assert find_root(inner / "p.yml") == tmp_path / "a"
    assert find_root(inner) == tmp_path / "a"


def test_a_pipe_yml_beats_a_git_root_that_is_nearer(tmp_path: Path) -> None:
    (tmp_path / "pipe.yml").touch()
    (tmp_path / "a" / ".git").mkdir(parents=True)
    assert find_root(tmp_path / "a" / "p.yml") == tmp_path


def test_the_git_root_is_next(tmp_path: Path) -> None:
    (tmp_path / ".git").write_text("gitdir: elsewhere\n")
    (tmp_path / "a").mkdir()
    assert find_root(tmp_path / "a" / "p.yml") == tmp_path


def test_the_folder_of_the_file_is_last(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    found = find_root(tmp_path / "a" / "p.yml")
    assert found == tmp_path / "a" or (found / ".git").exists() or (found / "pipe.yml").exists()


def test_links_of_the_folder_are_resolved(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "pipe.yml").touch()
    (tmp_path / "link").symlink_to("real")
    assert find_root(tmp_path / "link" / "p.yml") == tmp_path / "real"


def project(root: Path, text: str) -> Path:
    (root / "pipe.yml").write_text(text)
    return root


def test_a_project_without_a_file_has_our_defaults(tmp_path: Path) -> None:
    found, faults = load_project(tmp_path)
    assert faults == []
    assert (found.concurrency, found.concurrency_limit, found.output_limit) == (None, None, 16 * 2**20)
    assert found.settings == {}
    assert found.path == str(tmp_path / "pipe.yml")


@pytest.mark.parametrize("text", ["", "# nothing\n", "{}\n"])
def test_an_empty_file_marks_the_root_and_sets_nothing(tmp_path: Path, text: str) -> None:
    found, faults = load_project(project(tmp_path, text))
    assert faults == []
    assert found.settings == {}


def test_all_that_it_sets_is_read(tmp_path: Path) -> None:
    text = """
version: 1
x-mine: 1
executor: local
limits: {output: 32MiB, file: 8MiB, concurrency: 4, max_time: 2h}
defaults: {concurrency: 3, durability: os, grace: 20s, timeout: 30m}
policy: {http: {allow: ["10.0.0.0/8"], proxy: true}}
"""
    found, faults = load_project(project(tmp_path, text))
    assert faults == []
    assert (found.output_limit, found.file_limit, found.concurrency_limit, found.max_time) == (2**25, 2**23, 4, 7200)
    assert (found.concurrency, found.timeout) == (3, 1800)
    assert found.settings == {"executor": "local", "durability": "os", "grace": 20.0}
    assert found.policy == {"http": {"allow": ["10.0.0.0/8"], "proxy": True}}


@pytest.mark.parametrize(
    ("text", "code", "part"),
    [
        ("limit: {}\n", "E201", "unknown key `limit`"),
        ("nodes: {}\n", "E208", "`nodes` is not a key of pipe.yml"),
        ("limits: {output: big}\n", "E207", "is not a size"),
        ("limits: {outptu: 1}\n", "E201", "unknown key `outptu`"),
        ("defaults: {grace: 5}\n", "E207", "a bare number is not a duration"),
        ("defaults: {durability: none}\n", "E204", "`durability` is `full` or `os`"),
        ("policy: {http: {alow: []}}\n", "E201", "unknown key `alow`"),
        ("providers: {x: {}}\n", "E521", "provider `x` has no `type`"),
        ("executor: docker\n", "E901", "there is no executor `docker` in this version"),
        ("policy: {http: {allow: [10.0.0.0/8, 10.0.0.0/99]}}\n", "E204", "'10.0.0.0/99' is neither a network"),
        ("policy: {http: {allow: [https://a.example]}}\n", "E204", "neither a network (10.0.0.0/8) nor a host name"),
        ("policy: {http: {allow: [bücher.example]}}\n", "E204", "in its ASCII form"),
        ("policy: {http: {allow: [1]}}\n", "E203", "not the number 1"),
        ("policy: {http: {proxy: proxy.example:3128}}\n", "E204", "http.proxy is true, false, or a URL"),
        ("policy: {http: {proxy: 'http://'}}\n", "E204", "http.proxy is true, false, or a URL"),
        ("policy: {http: {proxy: on}}\n", "E204", "http.proxy is true, false, or a URL"),
        ("version: 2\n", "E210", "the language has version 1"),
        ("- a\n", "E106", "must be a map"),
        ("a: b: c\n", "E101", "a second"),
    ],
)
def test_what_is_wrong_is_told_at_its_place(tmp_path: Path, text: str, code: str, part: str) -> None:
    _, faults = load_project(project(tmp_path, text))
    assert [fault.code for fault in faults] == [code]
    assert part in faults[0].message
    assert os.path.basename(faults[0].path) == "pipe.yml"


@pytest.mark.parametrize("wrong", ["prices: {m: {input: -2, output: 3}}", "limits: {rpm: -1}", "model: 5"])
def test_s4_a_key_that_stands_there_is_told_and_hidden_beside_what_else_is_wrong(tmp_path: Path, wrong: str) -> None:
    text = f"providers:\n  openai: {{api_key: sk-0123456789abcdef, baseurl: x, {wrong}}}\n"
    _, faults = load_project(project(tmp_path, text))
    assert {fault.code for fault in faults} > {"E503", "E605"}, faults
    assert all("sk-0123" not in f"{fault.source} {fault.message} {fault.hint}" for fault in faults)


def test_a_pipeline_in_a_project_with_a_wrong_file_has_no_plan(tmp_path: Path) -> None:
    text = "version: 1\nnodes: {a: {run: echo}}\n"
    compilation = compile_text(text, root=project(tmp_path, "limit: {}\n"), registry=Registry.installed())
    assert compilation.plan is None
    assert [d.code for d in compilation.diagnostics] == ["E201"]


def test_the_project_bounds_what_a_pipeline_says(tmp_path: Path) -> None:
    root = project(tmp_path, "limits: {concurrency: 4, max_time: 1h, output: 1MiB}\ndefaults: {timeout: 5m}\n")
    text = "version: 1\nconcurrency: 8\nbudget: {max_time: 2h}\nnodes: {a: {run: echo}, b: {run: echo, timeout: 1h}}\n"
    plan = compile_text(text, root=root, registry=Registry.installed()).plan
    assert plan is not None
    assert (plan.concurrency, plan.max_time, plan.output_limit) == (4, 3600, 2**20)
    assert [node.timeout for node in plan.nodes] == [300, 3600]


def test_the_project_s_concurrency_is_for_pipelines_that_do_not_say(tmp_path: Path) -> None:
    root = project(tmp_path, "defaults: {concurrency: 3}\n")
    registry = Registry.installed()
    plain = compile_text("version: 1\nnodes: {a: {run: echo}}\n", root=root, registry=registry).plan
    own = compile_text("version: 1\nconcurrency: 16\nnodes: {a: {run: echo}}\n", root=root, registry=registry).plan
    assert plain is not None
    assert own is not None
    assert (plain.concurrency, own.concurrency) == (3, 16)


def test_s9_a_pipe_yml_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere.yml").write_text("limits: {concurrency: 1}\n")
    root = tmp_path / "root"
    root.mkdir()
    (root / "pipe.yml").symlink_to("../elsewhere.yml")
    found, faults = load_project(root)
    assert [fault.code for fault in faults] == ["E602"]
    assert found.concurrency_limit is None


def test_s11_a_file_of_nothing_but_faults_is_told_as_far_as_anybody_reads(tmp_path: Path) -> None:
    (tmp_path / "pipe.yml").write_text("".join(f"k{number}: 1\n" for number in range(3000)), encoding="utf-8")
    project, faults = load_project(tmp_path)
    assert project.concurrency is None
    assert faults[-1].code == "E119"
