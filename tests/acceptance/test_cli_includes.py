"""Pipelines of several files, as every command takes them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

MAIN = """version: 1
inputs: {n: {type: integer, default: 2}}
env: {A: main, N: "{{ inputs.n }}"}
include:
  - file: parts/net.yml
    with: {host: example.org}
nodes:
  end: {run: 'echo {{ nodes.probe.output }}, $A $((N + 1))'}
outputs: {end: "{{ nodes.end.output }}"}
"""
PART = """version: 1
inputs: {host: {type: string}, n: {type: integer, default: 40}}
env: {B: "{{ inputs.host }}!"}
nodes:
  probe: {run: 'echo {{ inputs.host }} {{ env.A }} $B $((N + 1)) {{ inputs.n }}'}
  skip: {when: inputs.n > 50, run: echo no}
  other: {run: echo other}
on_failure:
  failed: {run: 'echo {{ inputs.host }} {{ run.failed | join(" ") }}'}
finally:
  bye: {run: 'echo bye {{ inputs.host }} {{ run.status }}'}
"""


@pytest.fixture
def both(pipe: Any) -> Any:
    pipe.write("pipe.yml", "version: 1\n")
    pipe.write("main.yml", MAIN)
    pipe.write("parts/net.yml", PART)
    return pipe


def ran(done: Any) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def test_nodes_of_an_included_file_are_nodes_of_the_run_with_inputs_and_env_of_their_own(both: Any) -> None:
    told = ran(both("run", "main.yml", "--output", "json"))
    assert told["outputs"] == {"end": "example.org main example.org! 3 40, main 3"}
    assert {name: node["status"] for name, node in told["nodes"].items()} == {
        "end": "succeeded",
        "probe": "succeeded",
        "skip": "skipped",
        "other": "succeeded",
        "failed": "skipped",
        "bye": "succeeded",
    }
    assert told["nodes"]["bye"]["output"] == "bye example.org succeeded"
    assert "inputs.n > 50 (inputs.n = 40)" in both("run", "main.yml").stderr


def test_a_fault_of_an_env_at_run_time_names_the_file(both: Any) -> None:
    both.write("parts/net.yml", PART.replace('B: "{{ inputs.host }}!"', 'B: "{{ 1 / (inputs.n - 40) }}"'))
    done = both("run", "main.yml")
    assert done.returncode == 1
    assert "env.B: division by zero (in parts/net.yml:3:10)" in done.stderr


def test_handlers_of_an_included_file_run_after_a_failure_of_any(both: Any) -> None:
    both.write("main.yml", MAIN.replace("run: 'echo", "run: 'false; echo"))
    told = json.loads(both("run", "main.yml", "--output", "json").stdout)
    assert told["nodes"]["failed"]["output"] == "example.org end"
    assert told["nodes"]["bye"]["output"] == "bye example.org failed"


def test_a_place_of_a_node_is_that_in_its_own_file(both: Any) -> None:
    both.write("parts/net.yml", PART.replace("run: echo other", "run: 'false'"))
    assert "parts/net.yml:7" in both("run", "main.yml").stderr
    shown = both("run", "main.yml", "--dry-run", cwd=both.folder / "parts")
    assert shown.returncode == 2, "a path counts from where the user is"
    shown = both("run", "../main.yml", "--dry-run", cwd=both.folder / "parts")
    assert "probe (shell) ../parts/net.yml:5" in shown.stdout
    assert "end (shell) ../main.yml:8, after probe" in shown.stdout
    nodes = json.loads(both("plan", "main.yml", "--output", "json").stdout)["nodes"]
    assert {node["id"]: (node.get("file"), node["line"]) for node in nodes} == {
        "end": (None, 8),
        "probe": ("parts/net.yml", 5),
        "skip": ("parts/net.yml", 6),
        "other": ("parts/net.yml", 7),
        "failed": ("parts/net.yml", 9),
        "bye": ("parts/net.yml", 11),
    }


def test_plan_and_graph_have_all_nodes(both: Any) -> None:
    plan = both("plan", "main.yml")
    assert "skip: when inputs.n > 50 (inputs.n = 40)" in plan.stdout
    assert "1 node: end" in plan.stdout
    graph = both("graph", "main.yml").stdout
    assert "main: 6 nodes" in graph
    assert "← probe" in graph
    for form in ("mermaid", "dot", "svg"):
        assert "probe" in both("graph", "main.yml", "--format", form).stdout


def test_a_kept_plan_is_not_used_when_an_included_file_has_changed(both: Any) -> None:
    def end() -> str:
        text: str = ran(both("run", "main.yml", "--output", "json"))["outputs"]["end"]
        return text

    before = end()
    kept = list((both.folder / ".pipe" / "cache" / "plans").iterdir())
    assert len(kept) == 1
    stamp = kept[0].stat().st_mtime_ns
    assert end() == before
    assert kept[0].stat().st_mtime_ns == stamp, "it was used"
    part = both.folder / "parts" / "net.yml"
    times = part.stat()
    both.write("parts/net.yml", PART.replace("{{ inputs.n }}'", "{{ inputs.m }}'").replace("n: {type", "m: {type"))
    both.write("parts/net.yml", part.read_text().replace("inputs.n >", "inputs.m >"))
    import os

    os.utime(part, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert end() == before
    assert kept[0].stat().st_mtime_ns != stamp, "same size, same time, another content"
    part.rename(both.folder / "elsewhere.yml")
    part.symlink_to("../elsewhere.yml")
    assert end() == before
    part.unlink()
    done = both("run", "main.yml")
    assert done.returncode == 2
    assert "main.yml:5:11: E602 there is no file parts/net.yml" in done.stderr


def test_s9_a_kept_plan_opens_no_included_file_that_has_become_a_link_out_of_the_project(both: Any) -> None:
    ran(both("run", "main.yml", "--output", "json"))
    part = both.folder / "parts" / "net.yml"
    outside = both.folder.parent / f"{both.folder.name}-outside.yml"
    shutil.move(part, outside)
    part.symlink_to(outside)
    try:
        done = both("run", "main.yml")
    finally:
        outside.unlink()
    assert done.returncode == 2
    assert "E601 `parts/net.yml` leaves the project's root" in done.stderr


def test_d11_a_resume_after_a_change_of_an_included_file_runs_what_has_changed_and_what_needs_it(both: Any) -> None:
    both.write("main.yml", MAIN.replace("nodes:\n", "nodes:\n  broken: {run: 'false'}\n"))
    assert both("run", "main.yml").returncode == 1
    both.write(
        "parts/net.yml", "# a comment\n" + PART.replace("echo {{ inputs.host }} {{", "echo +{{ inputs.host }} {{")
    )
    done = both("resume", "latest", "--explain", "--output", "json")
    reasons = {name: done.stderr.count(f"{name}:") for name in ("probe", "end", "other", "skip")}
    assert reasons["other"] == reasons["skip"] == 0, done.stderr
    started = [
        (event["event"], event["node"], event["attempt"])
        for event in map(json.loads, both.log().splitlines())
        if event["event"] == "node.started"
    ]
    assert {name for _, name, attempt in started if attempt > 1} == {"broken", "probe", "end", "failed", "bye"}


def test_d11_a_value_that_an_include_gives_counts_for_the_nodes_that_read_it(both: Any) -> None:
    both.write("main.yml", MAIN.replace("nodes:\n", "nodes:\n  broken: {run: 'false'}\n"))
    assert both("run", "main.yml").returncode == 1
    both.write("main.yml", (both.folder / "main.yml").read_text().replace("org}", "org, n: 41}"))
    both("resume", "latest")
    events = [json.loads(line) for line in both.log().splitlines()]
    again = {e["node"] for e in events if e["event"] == "node.started" and e["attempt"] > 1}
    assert again == {"broken", "probe", "end", "failed", "bye"}
    assert [e["node"] for e in events if e["event"] == "node.skipped"] == ["skip", "skip"]


def test_cases_test_a_pipeline_of_several_files(both: Any) -> None:
    both.write(
        "main.test.yml",
        """version: 1
cases:
  all of it:
    mock: {probe: {output: mocked}}
    expect:
      nodes: {other: succeeded, skip: skipped, bye: {output: bye example.org succeeded}}
      outputs: {end: "mocked, main 3"}
  values of the file:
    mock: {"*": {output: x}}
    run: [probe]
    expect: {nodes: {probe: {env: {B: example.org!, PIPE_V1: example.org}, output: example.org main example.org! 3 40}}}
""",
    )
    done = both("test", "main.test.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout
    both.write("parts/net.yml", PART.replace("probe:", "probed:"))
    done = both("test", "main.test.yml")
    assert done.returncode == 2
    assert "E305 there is no node `probe`" in done.stderr


SUB = """version: 1
inputs: {y: {type: integer}}
include: [{file: inner.yml, with: {w: 5}}]
nodes: {s: {run: 'echo {{ inputs.y }} {{ nodes.i.output }}'}}
outputs: {said: "{{ nodes.s.output }}"}
"""
INNER = """version: 1
inputs: {w: {type: integer}}
env: {F: "f{{ inputs.w }}"}
nodes: {i: {run: 'echo {{ inputs.w }} $F'}}
"""


@pytest.fixture
def mixed(pipe: Any) -> Any:
    """A pipeline that includes a file with a sub-pipeline, which includes another one."""
    pipe.write("pipe.yml", "version: 1\n")
    pipe.write(
        "main.yml",
        "version: 1\ninclude: [{file: parts/a.yml, with: {x: 1}}]\n"
        "nodes: {m: {run: 'test {{ nodes.sub.output.said }} = 0'}}\n",
    )
    sub = "nodes: {sub: {pipeline: sub.yml, with: {y: '{{ inputs.x + 1 }}'}}}\n"
    pipe.write("parts/a.yml", f"version: 1\ninputs: {{x: {{type: integer}}}}\n{sub}")
    pipe.write("parts/sub.yml", SUB)
    pipe.write("parts/inner.yml", INNER)
    return pipe


def outputs_of(done: Any) -> dict[str, Any]:
    return {name: node["output"] for name, node in json.loads(done.stdout)["nodes"].items()}


def test_included_files_and_sub_pipelines_name_one_another(mixed: Any) -> None:
    found = outputs_of(mixed("run", "main.yml", "--output", "json"))
    assert {name: found[name] for name in ("sub", "sub.s", "sub.i")} == {
        "sub": {"said": "2 5 f5"},
        "sub.s": "2 5 f5",
        "sub.i": "5 f5",
    }
    assert "sub.i (shell) parts/inner.yml:4" in mixed("run", "main.yml", "--dry-run").stdout
    mixed.write("parts/inner.yml", INNER.replace("inputs.w }} $F", "inputs.v }} $F"))
    done = mixed("check", "main.yml")
    assert "note: included at parts/sub.yml:3:18\n    note: run as a sub-pipeline at parts/a.yml:3:25\n" in done.stdout
    assert "    note: included at main.yml:2:18\n" in done.stdout


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("main.yml", "x: 1", "x: 7", "8 5 f5"),
        ("parts/sub.yml", "w: 5", "w: 6", "2 6 f6"),
        ("parts/inner.yml", "echo", "echo i", "2 i 5 f5"),
        ("parts/a.yml", "+ 1", "+ 2", "3 5 f5"),
    ],
)
def test_d11_a_change_in_any_file_reaches_what_depends_on_it(
    mixed: Any, file: str, old: str, new: str, said: str
) -> None:
    assert mixed("run", "main.yml").returncode == 1
    path = mixed.folder / file
    path.write_text(path.read_text().replace(old, new))
    assert outputs_of(mixed("resume", "latest", "--output", "json"))["sub"] == {"said": said}


def test_a_circle_through_an_include_and_a_sub_pipeline_is_found(mixed: Any) -> None:
    mixed.write("parts/inner.yml", INNER.replace("nodes:", "include: [{file: a.yml, with: {x: 2}}]\nnodes:"))
    done = mixed("check", "main.yml")
    assert done.returncode == 1
    assert "E801" in done.stdout


def test_a_check_of_a_folder_takes_parts_as_parts(both: Any) -> None:
    both.write("parts/net.yml", PART.replace("echo other", "'echo {{ nodes.end.output | lenght }}'"))
    both.write("second.yml", MAIN)
    by_folder = both("check", ".")
    assert by_folder.returncode == 1
    assert by_folder.stdout.splitlines()[0].startswith("parts/net.yml:7:")
    assert by_folder.stdout.count("E411") == 1, "once, though two files include it"
    assert "note: included at main.yml:5:11" in by_folder.stdout
    assert "note: included at second.yml:5:11" in by_folder.stdout
    assert "E305" not in by_folder.stdout, "`end` stands in the file that includes it"
    by_name = both("check", ".", "parts/net.yml")
    assert "E305" in by_name.stdout
    assert "1 error in 4 files" in by_folder.stderr


def test_files_that_include_one_another_are_not_passed_over(both: Any) -> None:
    both.write("main.yml", "version: 1\ninclude: [{file: other.yml}]\nnodes: {a: {run: echo}}\n")
    both.write("other.yml", "version: 1\ninclude: [{file: main.yml}]\nnodes: {b: {run: echo}}\n")
    done = both("check", ".")
    assert done.returncode == 1
    assert done.stdout.count("E801") == 2


@pytest.mark.parametrize("form", ["json", "github", "gitlab", "sarif"])
def test_every_format_says_where_a_file_is_included(both: Any, form: str) -> None:
    both.write("parts/net.yml", PART.replace("run: echo other", "rum: echo other"))
    done = both("check", "main.yml", "--format", form)
    assert done.returncode == 1
    assert "parts/net.yml" in done.stdout
    assert "main.yml:5:11" in done.stdout or json.loads(done.stdout)[0]["notes"] == [
        {"file": "main.yml", "line": 5, "column": 11, "message": "included"}
    ]


def test_a_warning_of_an_included_file_names_it_also_from_a_kept_plan(both: Any) -> None:
    both.write("parts/net.yml", PART + "concurrency: 1\n")
    for _ in range(2):
        assert "parts/net.yml:12:1: W801" in both("run", "main.yml").stderr


def test_a_run_of_a_project_that_was_moved_goes_on_with_its_files(both: Any) -> None:
    both.write("main.yml", MAIN.replace("nodes:\n", "nodes:\n  broken: {run: test -e fixed}\n"))
    assert both("run", "main.yml").returncode == 1
    there: Path = both.folder / "moved"
    there.mkdir()
    for name in (".pipe", "pipe.yml", "main.yml", "parts"):
        shutil.move(both.folder / name, there / name)
    (there / "fixed").touch()
    done = both("resume", "latest", cwd=there)
    assert done.returncode == 0, done.stderr
