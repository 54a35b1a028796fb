"""Artifacts: copied into the run as they are, never from outside the working directory, and put back by a cache."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from errno import EINVAL, ENOENT
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from pipe_runner import artifacts
from pipe_runner.artifacts import collect, put_back
from pipe_runner.errors import NodeFault, StorageError
from pipe_runner.ports import Attempt
from pipe_runner.testing import FinishedRun, run_pipeline


@pytest.fixture
def root(tmp_path: Path) -> Path:
    top = tmp_path.resolve() / "root"
    top.mkdir()
    return top


def told(root: Path, node: str, **more: Any) -> FinishedRun:
    return run_pipeline(f"version: 1\nnodes: {{n: {{{node}}}}}\n", root=root, **more)


def content(done: FinishedRun, item: Any) -> bytes:
    return (done.state_dir / "runs" / done.run.id / "artifacts" / str(item["sha256"])).read_bytes()


def test_a_file_is_copied_as_it_is_under_its_digest(root: Path) -> None:
    done = told(root, r"run: printf 'a\0b' > out.bin; echo given, artifacts: [{name: x, path: ./out.bin}]")
    (item,) = done.node("n").artifacts
    assert item == {"name": "x", "path": "out.bin", "sha256": sha256(b"a\0b").hexdigest(), "bytes": 3}
    assert content(done, item) == b"a\0b"
    assert done.node("n").output == "given"


def test_what_a_node_printed_is_recorded_although_its_artifact_is_not_there(root: Path) -> None:
    done = told(root, "run: echo given, continue_on_error: true, artifacts: [{name: x, path: nowhere}]")
    state = done.node("n")
    assert (state.status, state.output, (state.error or {})["kind"]) == ("failed", "given", "not_found")


def test_of_a_folder_every_file_is_copied(root: Path) -> None:
    script = "mkdir -p d/e; echo 1 > d/a; echo 2 > d/e/b; chmod +x d/e/b; echo 3 > d/.c; ln -s e/b d/l; mkdir d/empty"
    done = told(root, f"run: '{script}', artifacts: [{{name: x, path: d}}]")
    found = {i["path"]: (content(done, i), i.get("executable", False)) for i in done.node("n").artifacts}
    assert found == {
        "d/.c": (b"3\n", False), "d/a": (b"1\n", False), "d/e/b": (b"2\n", True), "d/l": (b"2\n", True)
    }  # fmt: skip


def test_what_a_killed_process_of_the_same_number_has_left_is_in_nobody_s_way(root: Path) -> None:
    leave = f"for n in $(seq 0 999); do : > {os.getpid()}.$n.part; done"
    kept = ".pipe/runs/$PIPE_RUN_ID/artifacts"
    done = told(root, f"run: 'echo 1 > a; mkdir -p {kept}; cd {kept}; {leave}', artifacts: [{{name: x, path: a}}]")
    assert done.status == "succeeded", done.node("n").error
    assert content(done, done.node("n").artifacts[0]) == b"1\n"


def test_paths_begin_in_the_working_directory(root: Path) -> None:
    (root / "sub").mkdir()
    done = told(root, "run: echo 1 > a, cwd: sub, artifacts: [{name: x, path: a}]")
    assert [i["path"] for i in done.node("n").artifacts] == ["a"]


@pytest.mark.parametrize(
    ("script", "kind", "said"),
    [
        ("true", "not_found", "artifact x: a is not there"),
        ("ln -s nowhere a", "not_found", "artifact x: a is not there"),
        ("ln -s ../outside a", "refused", "a leaves the node's working directory"),
        ("ln -s /etc/passwd a", "refused", "a leaves the node's working directory"),
        ("mkdir a; ln -s /etc/passwd a/b", "refused", "a/b leaves the node's working directory"),
        ("mkdir a; ln -s .. a/b", "refused", "a/b is no regular file"),
        ("mkfifo a", "refused", "no regular file"),
    ],
)
def test_s9_what_is_not_there_leads_out_or_is_no_file_fails_the_node(
    root: Path, script: str, kind: str, said: str
) -> None:
    (root.parent / "outside").write_text("secret")
    done = told(root, f"run: '{script}', artifacts: [{{name: x, path: a}}]")
    error = done.node("n").error
    assert done.status == "failed"
    assert error is not None
    assert (error["kind"], said in error["message"]) == (kind, True), error
    assert not list((done.state_dir / "runs" / done.run.id).glob("artifacts/*"))


def test_d7_artifacts_that_can_t_be_written_stop_the_run(root: Path) -> None:
    with pytest.raises(StorageError, match="cannot write"):
        told(root, "run: 'echo 1 > a; touch .pipe/runs/$PIPE_RUN_ID/artifacts', artifacts: [{name: x, path: a}]")


def attempt(root: Path) -> Attempt:
    return Attempt("r", "n", 1, "shell", {}, {}, str(root), "k")


def test_s9_a_folder_that_is_exchanged_for_a_link_meanwhile_is_not_read(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "d").mkdir()
    (root / "d/f").write_text("ours")
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret/f").write_text("secret")
    resolve = artifacts._inside

    def exchange(base: str, name: str, path: str) -> str:
        real = resolve(base, name, path)
        (root / "d").rename(root / "moved")
        (root / "d").symlink_to(tmp_path / "secret")
        return real

    monkeypatch.setattr(artifacts, "_inside", exchange)
    with pytest.raises(NodeFault, match="d/f can't be read"):
        collect(attempt(root), [("x", "d/f")], str(tmp_path / "kept"), durable=False)


@pytest.mark.parametrize(("number", "kind"), [(ENOENT, "not_found"), (EINVAL, "refused")])
def test_s9_a_link_that_is_exchanged_while_it_is_resolved_fails_the_node(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, kind: str
) -> None:
    resolve = os.path.realpath

    def exchanged(path: str) -> str:
        if "current" in path:
            raise OSError(number, os.strerror(number), path)
        return resolve(path)

    monkeypatch.setattr(os.path, "realpath", exchanged)
    with pytest.raises(NodeFault, match="current/x can't be read") as caught:
        collect(attempt(root), [("x", "current/x")], str(tmp_path / "kept"), durable=False)
    assert caught.value.kind == kind


def test_s9_nothing_is_put_back_through_a_link_or_out_of_the_working_directory(root: Path, tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept/abc").write_text("new")
    (tmp_path / "elsewhere").mkdir()
    (root / "d").symlink_to(tmp_path / "elsewhere")
    for path in ("d/f", "../f", "a/../../f"):
        item = {"path": path, "sha256": "abc", "bytes": 3}
        with pytest.raises(OSError):
            put_back(attempt(root), [item], str(tmp_path / "kept"))
    (tmp_path / "elsewhere/f").write_text("old")
    (root / "f").symlink_to(tmp_path / "elsewhere/f")
    put_back(attempt(root), [{"path": "f", "sha256": "abc", "bytes": 3}], str(tmp_path / "kept"))
    assert (tmp_path / "elsewhere/f").read_text() == "old"
    assert ((root / "f").is_symlink(), (root / "f").read_text()) == (False, "new")


CACHED = (
    "run: 'mkdir -p d; echo 1 > d/a; chmod +x d/a; echo 2 > b', cache: true, "
    "artifacts: [{name: x, path: d}, {name: y, path: b}]"
)


def test_a_cached_result_puts_artifacts_back_and_gives_the_run_its_own(root: Path) -> None:
    told(root, CACHED)
    (root / "d/a").unlink()
    (root / "d").rmdir()
    (root / "b").write_text("changed")
    again = told(root, CACHED)
    assert again.statuses == {"n": "cached"}
    assert ((root / "d/a").read_text(), (root / "b").read_text()) == ("1\n", "2\n")
    assert os.access(root / "d/a", os.X_OK)
    assert [content(again, item) for item in again.node("n").artifacts] == [b"1\n", b"2\n"]
    assert sorted(p.name for p in root.iterdir() if p.name != ".pipe") == ["b", "d"], "no part is left behind"


def test_what_is_there_already_stays_untouched(root: Path) -> None:
    told(root, CACHED)
    os.utime(root / "b", (1, 1))
    assert told(root, CACHED).statuses == {"n": "cached"}
    assert (root / "b").stat().st_mtime == 1


@pytest.mark.parametrize("damage", ["changed", "gone"])
def test_a_damaged_artifact_makes_a_miss(root: Path, damage: str) -> None:
    told(root, CACHED)
    blob = root / ".pipe/cache/blobs" / sha256(b"2\n").hexdigest()
    blob.unlink()
    if damage == "changed":
        blob.write_text("3\n")
    (root / "b").unlink()
    assert told(root, CACHED).statuses == {"n": "succeeded"}
    assert (root / "b").read_text() == "2\n"
    assert told(root, CACHED).statuses == {"n": "cached"}


def test_other_artifacts_are_another_result(root: Path) -> None:
    told(root, CACHED)
    assert told(root, CACHED.replace("name: y", "name: z")).statuses == {"n": "succeeded"}


def test_s4_the_name_of_a_file_is_masked(root: Path) -> None:
    text = (
        "version: 1\nsecrets: {TOKEN: {from: env}}\n"
        "nodes: {n: {run: 'mkdir d; touch d/$TOKEN', secrets: [TOKEN], artifacts: [{name: x, path: d}]}}\n"
    )
    done = run_pipeline(text, root=root, environ={"TOKEN": "hunter2-hunter2"})
    assert [i["path"] for i in done.node("n").artifacts] == ["d/***"]


def test_show_names_them_and_pruning_keeps_those_of_kept_results(root: Path) -> None:
    done = told(root, CACHED)

    def pipe(*words: str) -> str:
        command = [sys.executable, "-m", "pipe_runner", *words, "--state-dir", str(done.state_dir)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert "d/a" in pipe("show", "latest")
    assert json.loads(pipe("cache", "ls", "--output", "json"))[0]["bytes"] > 4
    pipe("cache", "prune", "--older-than", "1d")
    assert len(list((done.state_dir / "cache/blobs").iterdir())) == 2
    pipe("cache", "prune", "--all")
    assert list((done.state_dir / "cache/blobs").iterdir()) == []
    assert len(list((done.state_dir / "runs" / done.run.id / "artifacts").iterdir())) == 2


@pytest.mark.parametrize(
    ("node", "shown"),
    [
        ("run: 'mkdir -m 700 k; echo 1 > k/f; chmod 644 k/f'", {"k": 0o700, "k/f": 0o600}),
        ("run: 'mkdir -m 750 k; echo 1 > k/f; chmod 644 k/f'", {"k": 0o750, "k/f": 0o640}),
        ("run: 'mkdir -m 755 k; echo 1 > k/f; chmod 644 k/f'", {"k": 0o755, "k/f": 0o644}),
        ("run: 'mkdir -m 701 k; echo 1 > k/f; chmod 644 k/f'", {"k": 0o705, "k/f": 0o604}),
        (
            "run: 'mkdir -m 755 k; mkdir -m 700 k/s; echo 1 > k/f; echo 2 > k/s/g; chmod 644 k/f k/s/g'",
            {"k": 0o755, "k/s": 0o700, "k/f": 0o644, "k/s/g": 0o600},
        ),
        (
            "run: 'mkdir -m 700 h; mkdir h/k; echo 1 > h/k/f; cp -r h/k k; ln -sf ../h/k/f k/f'",
            {"k": 0o700, "k/f": 0o600},
        ),
    ],
)
@pytest.mark.parametrize("cached", [False, True])
@pytest.mark.few(5)
def test_a_file_in_a_folder_that_keeps_others_out_is_kept_from_them(
    root: Path, node: str, shown: dict[str, int], cached: bool
) -> None:
    text = (
        f"version: 1\nnodes:\n  n: {{{node}, workspace: own, cache: true, artifacts: [{{name: x, path: k}}]}}\n"
        f"  m: {{needs: n, run: 'stat -c \"%a %n\" {' '.join(shown)}', output: lines, workspace: own}}\n"
    )
    before = os.umask(0o022)
    try:
        done = run_pipeline(text, root=root)
        if cached:
            done = run_pipeline(text, root=root)
    finally:
        os.umask(before)
    assert done.node("n").status == ("cached" if cached else "succeeded")
    assert done.output("m") == [f"{mode:o} {name}" for name, mode in shown.items()]
    for item in done.node("n").artifacts:
        kept = (done.state_dir / "runs" / done.run.id / "artifacts" / str(item["sha256"])).stat()
        assert kept.st_mode & 0o777 == shown[item["path"]]


def test_the_folder_that_a_node_works_in_counts_too(root: Path) -> None:
    (root / "sub").mkdir(mode=0o700)
    done = told(root, "run: 'echo 1 > a; chmod 644 a', cwd: sub, artifacts: [{name: x, path: a}]")
    (item,) = done.node("n").artifacts
    kept = done.state_dir / "runs" / done.run.id / "artifacts" / str(item["sha256"])
    assert kept.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("linked", [True, False])
@pytest.mark.parametrize(("made", "kept"), [("0600", 0o600), ("0640", 0o640), ("0700", 0o700), ("0644", 0o644)])
@pytest.mark.few(4)
def test_s9_nobody_may_read_a_copy_who_may_not_read_the_file(
    root: Path, monkeypatch: pytest.MonkeyPatch, made: str, kept: int, linked: bool
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError(EINVAL, "no links")

    if not linked:
        monkeypatch.setattr(os, "link", refused)
    text = (
        "version: 1\nnodes:\n"
        f"  n: {{run: 'echo key > k; chmod {made} k', workspace: own, cache: true,"
        " artifacts: [{name: k, path: k}]}\n"
        "  m: {needs: n, run: 'stat -c %a k', workspace: own}\n"
    )
    for status in ("succeeded", "cached"):
        done = run_pipeline(text, root=root)
        assert done.node("n").status == status
        assert done.node("m").output == f"{kept:o}"
        for folder in (done.state_dir / "runs" / done.run.id / "artifacts", done.state_dir / "cache/blobs"):
            (file,) = folder.iterdir()
            assert file.stat().st_mode & 0o777 == kept & 0o666


@pytest.mark.parametrize("name", ["x" * 255, "字" * 85])
def test_a_file_whose_name_is_as_long_as_names_may_be_is_handed_on(root: Path, name: str) -> None:
    item = {"name": "a", "path": name, "sha256": sha256(b"1").hexdigest(), "bytes": 1}
    kept = root / "kept"
    kept.mkdir()
    (kept / str(item["sha256"])).write_bytes(b"1")
    put_back(attempt(root), [item], str(kept))
    assert (root / name).read_bytes() == b"1"
