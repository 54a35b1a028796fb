"""What `pipe resume` says where the file, or what stands beside the log, is not what it was."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipe_runner.recordings.entry import Entry
from pipe_runner.recordings.folder import Folder

FILE = """version: 1
inputs: {n: {type: integer, default: 1}}
nodes: {a: {run: "false"}, b: {run: "echo {{ inputs.n }}", needs: [a]}}
"""


def test_a_node_of_only_that_is_called_otherwise_now_is_told_as_that(pipe: Any) -> None:
    pipe.write("p.yml", FILE)
    assert pipe("run", "p.yml", "--only", "a").returncode == 1
    pipe.write("p.yml", FILE.replace("{a:", "{aa:").replace("[a]", "[aa]"))
    done = pipe("resume", "latest")
    assert done.returncode == 2
    assert "the run was started with --only a, and p.yml has no such node any more" in done.stderr


def test_inputs_of_a_run_are_held_against_a_file_that_asks_for_others_now(pipe: Any) -> None:
    pipe.write("p.yml", FILE)
    assert pipe("run", "p.yml").returncode == 1
    pipe.write("p.yml", FILE.replace("type: integer, default: 1", "type: array, default: []"))
    done = pipe("resume", "latest")
    assert done.returncode == 2
    assert "input `n` must be a list, not 1" in done.stderr
    pipe.write("p.yml", FILE)
    assert pipe("resume", "latest").returncode == 1, "nothing was changed by that"


@pytest.mark.parametrize(
    "change", [{"inputs": [1]}, {"path": 7}, {"root": None}, {"only": "a"}, {"pipeline": {}}, {"durability": 1}]
)
def test_s11_a_request_that_holds_something_else_is_told(pipe: Any, change: dict[str, Any]) -> None:
    pipe.write("p.yml", FILE)
    pipe("run", "p.yml")
    (run,) = (pipe.folder / ".pipe" / "runs").iterdir()
    (run / "log.jsonl").write_text("")
    kept = json.loads((run / "request.json").read_text())
    (run / "request.json").write_text(json.dumps({**kept, **change}))
    done = pipe("resume", run.name)
    assert done.returncode == 74, done.stderr
    assert "it holds something else" in done.stderr


def test_a_run_of_some_nodes_that_begins_again_leaves_the_recordings_of_others(pipe: Any) -> None:
    pipe.write("p.yml", "version: 1\nnodes: {a: {run: echo a}, b: {run: echo b}}\n")
    recordings = pipe.folder / "calls"
    kept = Folder(str(recordings))
    kept.clear()
    for node in ("a", "b"):
        kept.write(Entry("model", node, 1, 1, {"prompt": "x"}, 1))
    assert pipe("run", "p.yml", "--only", "a").returncode == 0
    (run,) = (pipe.folder / ".pipe" / "runs").iterdir()
    (run / "log.jsonl").write_text("")
    done = pipe("resume", run.name, "--record", "calls")
    assert done.returncode == 0, done.stderr
    assert [entry.node for entry in kept.read()] == ["b"]


def test_a_blob_that_is_gone_is_no_reason_to_write_again(pipe: Any) -> None:
    pipe.write(
        "p.yml", "version: 1\nnodes: {a: {run: seq 20000}, b: {run: 'test {{ nodes.a.output | length }} = 0'}}\n"
    )
    assert pipe("run", "p.yml").returncode == 1
    (run,) = (pipe.folder / ".pipe" / "runs").iterdir()
    for blob in (run / "blobs").iterdir():
        blob.unlink()
    for words in (("resume", "latest"), ("show", "latest", "--output", "json")):
        done = pipe(*words)
        assert done.returncode == 74
        assert "can be written again" not in done.stderr
        assert "restore the file from a copy" in done.stderr


def test_a_resume_is_counted_in_words(pipe: Any) -> None:
    pipe.write("p.yml", FILE)
    pipe("run", "p.yml")
    pipe("resume", "latest")
    assert "resumed 1 time\n" in pipe("show", "latest").stdout
    pipe("resume", "latest")
    assert "resumed 2 times\n" in pipe("show", "latest").stdout


@pytest.mark.parametrize("fault", ["faulty", "gone", "renamed", "sub"])
def test_a_run_that_succeeded_is_told_so_whatever_became_of_its_file(pipe: Any, fault: str) -> None:
    pipe.write("s.yml", "version: 1\nnodes: {x: {run: echo}}\n")
    path = pipe.write(
        "p.yml", "version: 1\nnodes: {a: {run: echo hi}, s: {pipeline: s.yml}}\noutputs: {o: '{{ nodes.a.output }}'}\n"
    )
    assert pipe("run", "p.yml", "--only", "a", "--only", "s").returncode == 0
    before = pipe.log()
    match fault:
        case "faulty":
            path.write_text("version: 1\nnodes: {a: {rum: echo hi}}\n")
        case "gone":
            path.unlink()
        case "renamed":
            path.write_text("version: 1\nnodes: {b: {run: echo hi}}\n")
        case _:
            (pipe.folder / "s.yml").unlink()
    done = pipe("resume", "latest")
    assert done.returncode == 0, done.stderr
    assert "has succeeded already; nothing to do" in done.stderr
    assert "hi" in done.stdout
    told = json.loads(pipe("resume", "latest", "--output", "json").stdout)
    assert (told["status"], told["nodes"]["a"]["output"]) == ("succeeded", "hi")
    assert pipe.log() == before


def test_a_run_that_did_not_succeed_needs_its_file(pipe: Any) -> None:
    path = pipe.write("p.yml", FILE)
    assert pipe("run", "p.yml").returncode == 1
    path.unlink()
    done = pipe("resume", "latest")
    assert done.returncode == 2
    assert "the pipeline file of run" in done.stderr
