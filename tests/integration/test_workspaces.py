"""A working directory of a node's own: empty for each attempt, with what its needs left in it, and gone afterwards."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import anyio
import pytest

from pipe_runner.masking import NoMasking
from pipe_runner.ports import Attempt, Emit, Files, Outcome
from pipe_runner.testing import FinishedRun, run_pipeline
from pipe_runner.types import NodeStatus
from pipe_runner.workspaces import Workspaces

OWN = "workspace: own"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    top = tmp_path.resolve() / "root"
    top.mkdir()
    (top / "pipe.yml").write_text("version: 1\n")
    return top


def told(root: Path, nodes: str, **more: Any) -> FinishedRun:
    return run_pipeline(f"version: 1\nnodes:\n{nodes}", root=root, **more)


def left(done: FinishedRun) -> list[str]:
    """What is in the project and in the run's directory of workspaces."""
    mine = [str(p.relative_to(done.root)) for p in done.root.iterdir() if p.name not in (".pipe", "pipe.yml")]
    work = done.state_dir / "runs" / done.run.id / "workspaces"
    return sorted(mine) + ([f"workspaces/{p.name}" for p in work.iterdir()] if work.exists() else [])


def pipe(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pipe_runner", *words]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False, timeout=60)


def test_it_is_empty_lies_in_the_run_finds_the_project_and_is_gone_afterwards(root: Path) -> None:
    done = told(root, f"  n: {{run: 'ls -A | wc -l; touch x; pwd; echo $PIPE_ROOT', {OWN}}}\n")
    count, where, project = done.output("n").split("\n")  # type: ignore[union-attr]
    assert count.strip() == "0"
    assert project == str(root)
    assert Path(where).parent == done.state_dir / "runs" / done.run.id / "workspaces"
    assert left(done) == []


def test_who_asks_for_none_works_in_the_project(root: Path) -> None:
    done = told(root, "  a: {run: pwd}\n  b: {run: 'echo \"[$PIPE_ROOT]\"', workspace: root}\n")
    assert (done.output("a"), done.output("b")) == (str(root), "[]")


def test_artifacts_of_what_it_needs_are_put_where_they_were(root: Path) -> None:
    done = told(
        root,
        f"  a: {{{OWN}, run: 'mkdir -p d/e; printf 1 > d/e/f; printf \"#!/bin/sh\\necho ran\" > go; chmod +x go',\n"
        "      artifacts: [{name: x, path: d}, {name: y, path: go}]}\n"
        "  b: {run: 'printf 2 > loose', artifacts: [{name: z, path: loose}]}\n"
        f"  n: {{run: 'find . -type f | sort; cat d/e/f loose; ./go', needs: [a, b], {OWN}, output: lines}}\n"
        f"  other: {{run: ls -A, {OWN}}}\n",
    )
    assert done.output("n") == ["./d/e/f", "./go", "./loose", "12ran"]
    assert done.output("other") == ""
    assert left(done) == ["loose"]


def test_a_node_that_works_in_the_project_is_given_them_there(root: Path) -> None:
    (root / "made").write_text("of an earlier run")
    done = told(
        root,
        f"  a: {{run: 'printf new > made', {OWN}, artifacts: [{{name: x, path: made}}]}}\n"
        "  n: {run: cat made, needs: [a]}\n",
    )
    assert done.output("n") == "new"


def test_what_was_left_in_the_project_stays_as_it_is_and_comes_back_where_it_is_gone(root: Path) -> None:
    done = told(
        root,
        "  a: {run: 'echo 1 > x; echo 1 > y', artifacts: [{name: x, path: x}, {name: y, path: y}]}\n"
        "  b: {run: 'echo 2 > x; rm y', needs: [a]}\n"
        "  n: {run: cat x y, needs: [a, b], output: lines}\n",
    )
    assert done.output("n") == ["2", "1"]


def test_of_one_path_the_later_node_s_file_is_taken(root: Path) -> None:
    leave = "artifacts: [{name: x, path: x}]"
    done = told(
        root,
        f"  n: {{run: cat x, needs: [a, b], {OWN}}}\n"
        f"  b: {{run: 'cat x; printf b >> x', needs: [a], {OWN}, {leave}}}\n"
        f"  a: {{run: printf a > x, {OWN}, {leave}}}\n",
    )
    assert (done.output("b"), done.output("n")) == ("a", "ab")


def test_each_item_has_its_own_and_the_node_after_them_what_all_have_left(root: Path) -> None:
    done = told(
        root,
        "  a:\n    for_each: {items: [3, 1, 2], key: 'k{{ item }}'}\n"
        "    run: 'ls -A; mkdir out; echo $I > out/$I; echo $I > last; sleep 0.$I'\n"
        f"    env: {{I: '{{{{ item }}}}'}}\n    {OWN}\n"
        "    artifacts: [{name: out, path: out}, {name: last, path: last}]\n"
        f"  n: {{run: 'cat out/*; cat last', needs: [a], {OWN}, output: lines}}\n",
    )
    assert done.output("n") == ["1", "2", "3", "2"]
    assert [item["output"] for item in done.output("a")] == ["", "", ""]  # type: ignore[union-attr, call-overload, index]
    assert left(done) == []


def test_a_second_attempt_meets_nothing_of_the_first(root: Path) -> None:
    done = told(
        root,
        "  a: {run: echo 1 > given, artifacts: [{name: x, path: given}]}\n"
        f"  n: {{needs: [a], {OWN}, retry: {{max_attempts: 2, delay: 0s}}, "
        "run: 'cat given; test ! -e half; touch half; echo 2 > given; test $PIPE_ATTEMPT = 2'}\n",
    )
    assert (done.status, done.node("n").attempts, done.output("n")) == ("succeeded", 2, "1")
    assert left(done) == ["given"]


@pytest.mark.parametrize("end", ["exit 1", "mkdir -p a/b; touch a/b/c; chmod 0 a/b a; exit 1", 'rm -rf "$PWD"; exit 1'])
def test_it_is_gone_after_a_failure_too(root: Path, end: str) -> None:
    done = told(root, f"  n: {{run: '{end}', {OWN}}}\n")
    assert done.status == "failed"
    assert left(done) == []


def test_its_own_artifacts_count_from_it_and_s9_can_t_leave_it(root: Path) -> None:
    (root / "secret").write_text("ours")
    keep = "artifacts: [{name: x, path: x}]"
    done = told(
        root,
        f"  a: {{run: 'ln -s $PIPE_ROOT/secret x', {OWN}, {keep}}}\n"
        f"  b: {{run: 'here=$PWD; cd /; rmdir $here; ln -s $PIPE_ROOT $here', {OWN}, "
        "artifacts: [{name: x, path: secret}]}\n",
    )
    assert done.status == "failed"
    for node, said in (("a", "x leaves the node's working directory"), ("b", "exchanged for a link")):
        error = done.node(node).error
        assert error is not None
        assert (error["kind"], said in error["message"]) == ("refused", True), error
    assert (root / "secret").read_text() == "ours"


@pytest.mark.parametrize("damage", ["gone", "changed"])
def test_an_artifact_that_the_run_has_lost_fails_who_needs_it(root: Path, damage: str) -> None:
    lose = "rm .pipe/runs/$PIPE_RUN_ID/artifacts/*"
    if damage == "changed":
        lose = "for f in .pipe/runs/$PIPE_RUN_ID/artifacts/*; do echo other > $f; done"
    done = told(
        root,
        f"  a: {{run: echo 1 > x, {OWN}, artifacts: [{{name: x, path: x}}]}}\n"
        f"  b: {{run: '{lose}', needs: []}}\n"
        f"  n: {{run: cat x, needs: [a, b], {OWN}}}\n".replace("needs: []", 'when: nodes.a.status == "succeeded"'),
    )
    error = done.node("n").error
    assert error is not None
    assert error["kind"] == "not_found"
    assert "artifact x of a: x: it is" in error["message"]


def test_a_cached_node_of_this_kind_leaves_the_project_alone_and_hands_its_files_on(root: Path) -> None:
    nodes = (
        f"  a: {{run: 'echo 1 > x; : > $PIPE_ROOT/ran', {OWN}, cache: true, artifacts: [{{name: x, path: x}}]}}\n"
        f"  n: {{run: cat x, needs: [a], {OWN}}}\n"
    )
    told(root, nodes)
    again = told(root, nodes)
    assert again.statuses == {"a": "cached", "n": "succeeded"}
    assert again.output("n") == "1"
    assert left(again) == ["ran"]


def test_what_its_needs_left_is_part_of_its_key(root: Path) -> None:
    nodes = (
        "  a: {run: cp source made, artifacts: [{name: x, path: made}]}\n"
        f"  n: {{run: cat made, needs: [a], {OWN}, cache: true}}\n"
    )
    (root / "source").write_text("1")
    told(root, nodes)
    assert told(root, nodes).statuses["n"] == "cached"
    (root / "source").write_text("2")
    again = told(root, nodes)
    assert (again.statuses["n"], again.output("n")) == ("succeeded", "2")


def test_a_handler_has_the_artifacts_of_what_it_reads(root: Path) -> None:
    done = run_pipeline(
        "version: 1\nnodes: {a: {run: echo 1 > x, artifacts: [{name: x, path: x}]}}\n"
        f"finally: {{z: {{run: 'cat x; echo {{{{ nodes.a.status }}}}', {OWN}, output: lines}}}}\n",
        root=root,
    )
    assert done.output("z") == ["1", "succeeded"]


def test_d4_a_resume_after_a_kill_starts_empty_and_has_the_artifacts_again(root: Path) -> None:
    (root / "p.yml").write_text(
        "version: 1\nnodes:\n"
        f"  a: {{run: 'echo 1 > x; echo a >> $PIPE_ROOT/ran', {OWN}, artifacts: [{{name: x, path: x}}]}}\n"
        f"  n: {{needs: [a], {OWN}, "
        "run: 'ls -A; touch half $PIPE_ROOT/begun; test $PIPE_ATTEMPT = 2 || sleep 60; cat x'}\n"
    )
    command = [sys.executable, "-m", "pipe_runner", "run", "p.yml", "--run-id", "r"]
    process = subprocess.Popen(command, cwd=root, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    for _ in range(600):
        if (root / "begun").exists():
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert os.listdir(root / ".pipe/runs/r/workspaces") == ["n.1"]
    done = pipe(root, "resume", "r", "--output", "json")
    assert done.returncode == 0, done.stderr
    nodes = json.loads(done.stdout)["nodes"]
    assert nodes["n"]["output"] == "x\n1"
    assert (root / "ran").read_text() == "a\n"
    assert not (root / ".pipe/runs/r/workspaces").exists()


def test_a_case_gives_nodes_that_run_a_directory_and_what_others_left(root: Path) -> None:
    (root / "p.yml").write_text(
        "version: 1\nnodes:\n"
        f"  a: {{run: echo 1 > x, {OWN}, artifacts: [{{name: x, path: x}}]}}\n"
        f"  b: {{run: ./deploy, {OWN}, needs: [a]}}\n"
        f"  n: {{run: cat x, needs: [a, b], {OWN}}}\n"
    )
    (root / "p.test.yml").write_text(
        "version: 1\ncases: {one: {mock: {b: {output: ''}}, expect: {nodes: {n: {output: '1'}}}}}\n"
    )
    done = pipe(root, "test", "p.test.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert not list(root.glob(".pipe/runs/*"))


def test_a_dry_run_says_so(root: Path) -> None:
    (root / "p.yml").write_text(f"version: 1\nnodes: {{n: {{run: pwd, {OWN}}}}}\n")
    assert "workspace: own" in pipe(root, "run", "p.yml", "--dry-run").stdout


@pytest.mark.parametrize(("spare", "status"), [((), "cancelled"), (("s.",), "succeeded")])
def test_a_stop_while_files_are_put_there_spares_what_it_names(
    tmp_path: Path, spare: tuple[str, ...], status: str
) -> None:
    class Inner:
        async def perform(self, attempt: Attempt, emit: Emit) -> Outcome:
            return Outcome(NodeStatus.SUCCEEDED)

        def stop(self, grace: float, spare: tuple[str, ...] = ()) -> None:
            pass

        async def close(self) -> None:
            pass

    class Stopped(Workspaces):
        def _prepare(self, attempt: Attempt, files: Files, stops: int) -> None:
            self.stop(1.0, spare)
            super()._prepare(attempt, files, stops)

    work = Stopped(Inner(), str(tmp_path), str(tmp_path / "work"), durable=False, masker=NoMasking())
    attempt = Attempt("r", "s.z", 1, "shell", {}, {}, str(tmp_path), "k", files=Files(True, (), ()))
    assert anyio.run(work.perform, attempt, lambda *_: None).status == status
    assert not list((tmp_path / "work").glob("*"))
