"""Results that are kept by content: taken again where nothing changed, and only there."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest

from pipe_runner.compiler import check_inputs, compile_text
from pipe_runner.engine import RunSettings, open_resume, open_run
from pipe_runner.registry import Registry
from pipe_runner.resultcache import keeper
from pipe_runner.resultcache.files import NotRead
from pipe_runner.run import INLINE_OUTPUT_LIMIT, Run
from pipe_runner.runlog import RunDir, read_blob, read_log
from pipe_runner.testing import FakeAgent, FakeClock, NodeFault
from pipe_runner.types import ErrorKind, Json


class Project:
    """A directory in which pipelines are run, with an agent `fake` whose calls are counted."""

    def __init__(self, root: Path) -> None:
        self.root, self.state = root, root / ".pipe"
        self.calls: list[Mapping[str, Any]] = []
        self.notes: list[str] = []
        self.version = "1"
        self.gives: Any = lambda options: options.get("x")
        self.clock: Any = None
        self.settings: dict[str, Any] = {}
        self.environ: dict[str, str] = {}
        self.active: Any = None
        self.loop: Any = None

    def _registry(self) -> Registry:
        def called(options: Mapping[str, Any]) -> Json:
            self.calls.append(dict(options))
            given: Json = self.gives(options)
            return given

        def make() -> FakeAgent:
            agent = FakeAgent("fake", called)
            agent.version = self.version
            return agent

        registry = Registry.installed()
        registry.register("fake", make)
        return registry

    def run(self, nodes: str, inputs: Mapping[str, Json] | None = None, resume: str | None = None) -> Run:
        self.calls.clear()
        self.notes.clear()
        registry = self._registry()
        text = f"version: 1\n{nodes}"
        compilation = compile_text(text, path=str(self.root / "p.yml"), root=self.root, registry=registry)
        assert compilation.plan is not None, compilation.diagnostics
        settings = RunSettings(state_dir=self.state, **self.settings)
        more: Any = {"registry": registry, "environ": self.environ, "clock": self.clock}
        if resume is not None:
            active = open_resume(resume, compilation.plan, settings, **more)
        else:
            active = open_run(compilation.plan, check_inputs(compilation.plan, inputs or {}), settings, **more)
        active.note = self.notes.append
        self.active = active

        async def perform() -> Run:
            self.loop = asyncio.get_running_loop()
            return await active.perform()

        return anyio.run(perform)

    def events(self, run: Run) -> Sequence[Any]:
        return list(read_log(RunDir.open(self.state, run.id).log_path).events)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path.resolve())


def statuses(run: Run) -> dict[str, str]:
    return {name: str(state.status) for name, state in run.nodes.items()}


ONE = "inputs: {x: {default: a}}\nnodes: {n: {agent: fake, with: {x: '{{ inputs.x }}'}, cache: true}}\n"


def test_a_second_run_takes_the_result_of_the_first_and_its_dependents_go_on(project: Project) -> None:
    text = ONE[:-2] + ", after: {run: 'echo {{ nodes.n.output }} {{ nodes.n.status }}'}}\n"
    first = project.run(text)
    assert statuses(first) == {"n": "succeeded", "after": "succeeded"}
    again = project.run(text)
    assert statuses(again) == {"n": "cached", "after": "succeeded"}
    assert project.calls == []
    assert again.nodes["after"].output == "a cached"
    assert str(again.status) == "succeeded"
    (cached,) = [e for e in project.events(again) if e.event == "node.cached"]
    assert cached.attempt is None
    assert cached.data["output"] == "a"
    assert cached.data["from"] == first.id
    assert not [e for e in project.events(again) if e.event == "node.started" and e.node == "n"]


@pytest.mark.parametrize("output", [None, 0, False, "", [], {"a": [1.5, "ü"]}, "x" * (INLINE_OUTPUT_LIMIT + 1)])
@pytest.mark.few(4)
def test_a_cached_output_is_the_same_in_kind_and_content(project: Project, output: Json) -> None:
    project.gives = lambda options: output
    project.run(ONE)
    again = project.run(ONE)
    state = again.nodes["n"]
    assert str(state.status) == "cached"
    if state.output_ref is not None:
        assert read_blob(RunDir.open(project.state, again.id), state.output_ref) == output
    else:
        assert state.output == output
        assert type(state.output) is type(output)


def test_a_failure_is_never_kept(project: Project) -> None:
    def fail(options: Mapping[str, Any]) -> Json:
        raise NodeFault(ErrorKind.EXCEPTION, "no")

    project.gives = fail
    assert statuses(project.run(ONE)) == {"n": "failed"}
    project.gives = lambda options: "good"
    assert statuses(project.run(ONE)) == {"n": "succeeded"}
    assert statuses(project.run(ONE)) == {"n": "cached"}


def test_an_input_that_changed_runs_the_node_and_is_named(project: Project) -> None:
    project.settings["explain"] = True
    project.run(ONE)
    assert project.notes == ["n runs: the cache holds no result of it"]
    run = project.run(ONE, {"x": "b"})
    assert statuses(run) == {"n": "succeeded"}
    assert project.notes[0].endswith("there changed option x")
    assert statuses(project.run(ONE)) == {"n": "cached"}, "both are kept"
    assert project.notes == []


def test_what_the_file_says_of_a_node_counts_and_when_it_runs_does_not(project: Project) -> None:
    project.run("nodes: {n: {run: echo 1, cache: true}}")
    same = (
        "nodes: {a: {run: echo}, n: {description: x, needs: a, retry: 2, timeout: 9m, run: echo 1, cache: {ttl: 1d}}}"
    )
    assert statuses(project.run(same))["n"] == "cached"
    for other in ("run: echo 2", "run: echo 1, env: {A: b}", "run: echo 1, stdin: x", "run: echo 1, shell: bash"):
        assert statuses(project.run(f"nodes: {{n: {{{other}, cache: true}}}}")) == {"n": "succeeded"}, other
    assert statuses(project.run("env: {A: b}\nnodes: {n: {run: echo 3, cache: true}}")) == {"n": "succeeded"}
    assert statuses(project.run("env: {A: c}\nnodes: {n: {run: echo 3, cache: true}}")) == {"n": "succeeded"}


def test_the_agent_s_version_counts(project: Project) -> None:
    project.settings["explain"] = True
    project.run(ONE)
    project.version = "2"
    assert statuses(project.run(ONE)) == {"n": "succeeded"}
    assert project.notes[0].endswith("there changed the agent's version")


def test_files_that_are_none_are_told_once_and_the_result_is_kept(project: Project) -> None:
    text = "nodes: {n: {for_each: {items: [1, 2]}, run: 'echo {{ item }}', cache: {files: ['scr/**', 'a?']}}}"
    for status in ("succeeded", "cached"):
        run = project.run(text)
        assert {state.status for state in run.items["n"].values()} == {status}
        (note,) = project.notes
        assert note.endswith("cache.files matches no file: scr/**, a?")
    (project.root / "a1").write_text("")
    project.run(text)
    assert project.notes == [], "some are there"
    project.settings["explain"] = True
    project.run(text)
    (note,) = [note for note in project.notes if "matches no file" in note]
    assert note.endswith("cache.files matches no file: scr/**")


def test_files_count_by_content_and_each_is_named(project: Project) -> None:
    text = "nodes: {n: {run: cat src/*, cache: {files: ['src/**']}}}"
    (project.root / "src").mkdir()
    (project.root / "src/a").write_text("1")
    project.run(text)
    os.utime(project.root / "src/a", (1, 1))
    assert statuses(project.run(text)) == {"n": "cached"}
    (project.root / "src/a").write_text("2")
    (project.root / "src/b").write_text("")
    project.settings["explain"] = True
    assert statuses(project.run(text)) == {"n": "succeeded"}
    assert project.notes[0].endswith("there changed file src/a, file src/b (new)")


def test_a_node_that_changes_its_own_files_is_not_kept(project: Project) -> None:
    text = "nodes: {n: {run: date +%N > made, cache: {files: [made]}}}"
    project.run(text)
    assert project.notes[0].endswith("files that its key counts changed while it ran: file made (new)")
    assert statuses(project.run(text)) == {"n": "succeeded"}


def test_s4_a_note_that_names_a_file_names_no_secret(project: Project) -> None:
    project.environ["TOKEN"] = "hunter2-hunter2"
    node = "{run: 'touch f-$TOKEN', secrets: [TOKEN], cache: {files: ['f*']}}"
    project.run(f"secrets: {{TOKEN: {{from: env}}}}\nnodes: {{n: {node}}}")
    assert len(project.notes) == 1
    assert "hunter2" not in project.notes[0]


def test_the_file_of_a_function_counts_by_itself(project: Project) -> None:
    text = "nodes: {n: {agent: python, with: {call: 'f.py:go'}, cache: true}}"
    (project.root / "f.py").write_text("def go(): return 1\n")
    project.run(text)
    assert statuses(project.run(text)) == {"n": "cached"}
    (project.root / "f.py").write_text("def go(): return 22\n")
    run = project.run(text)
    assert statuses(run) == {"n": "succeeded"}


def test_the_text_under_key_counts_and_makes_the_node_wait_for_what_it_reads(project: Project) -> None:
    text = (
        "inputs: {v: {default: '1'}}\nnodes:\n  a: {run: 'echo {{ inputs.v }}'}\n"
        "  n: {run: echo n, cache: {key: 'v{{ nodes.a.output }}'}}\n"
    )
    project.run(text)
    assert statuses(project.run(text))["n"] == "cached"
    assert statuses(project.run(text, {"v": "2"}))["n"] == "succeeded"


def test_a_key_that_can_t_be_evaluated_fails_the_node(project: Project) -> None:
    run = project.run(
        "nodes: {a: {run: 'echo {}', output: json}, n: {run: echo, cache: {key: '{{ nodes.a.output.x }}'}}}"
    )
    assert run.nodes["n"].error is not None
    assert run.nodes["n"].error["kind"] == "template"


def test_a_result_counts_as_long_as_its_ttl_says(project: Project) -> None:
    text = "nodes: {n: {run: echo, cache: {ttl: 1h}}}"
    project.clock = FakeClock()
    project.settings["explain"] = True
    project.run(text)
    project.clock.wall_ns += 3590 * 10**9
    assert statuses(project.run(text)) == {"n": "cached"}
    project.clock.wall_ns += 20 * 10**9
    assert statuses(project.run(text)) == {"n": "succeeded"}
    assert "is older than its ttl" in project.notes[0]
    assert statuses(project.run(text)) == {"n": "cached"}, "the new one counts anew"
    project.clock.wall_ns -= 7200 * 10**9
    assert statuses(project.run(text)) == {"n": "succeeded"}, "one from the future counts for nothing"


def test_results_of_another_domain_are_never_read(project: Project) -> None:
    project.settings["cache_domain"] = "pull-requests"
    project.run(ONE)
    assert statuses(project.run(ONE)) == {"n": "cached"}
    for other in ("", "release"):
        project.settings["cache_domain"] = other
        assert statuses(project.run(ONE)) == {"n": "succeeded"}


def test_a_damaged_result_is_none(project: Project) -> None:
    project.run(ONE)
    (kept,) = (project.state / "cache/results").iterdir()
    kept.write_bytes(kept.read_bytes().replace(b'"output":"a"', b'"output":"b"'))
    run = project.run(ONE)
    assert (statuses(run), run.nodes["n"].output) == ({"n": "succeeded"}, "a")
    assert statuses(project.run(ONE)) == {"n": "cached"}


def test_a_cache_that_can_t_be_written_fails_nothing(project: Project) -> None:
    project.state.mkdir()
    (project.state / "cache").write_text("in the way")
    assert statuses(project.run(ONE)) == {"n": "succeeded"}
    assert project.notes[0].startswith("n is not kept in the cache: ")


@pytest.mark.parametrize("more", ["", "for_each: {items: [1, 2]}, "])
def test_a_stop_while_files_are_read_is_heeded_and_starts_nothing(
    project: Project, monkeypatch: pytest.MonkeyPatch, more: str
) -> None:
    def digests(root: str, globs: Any, leave_out: str, give_up: Callable[[], bool], known: Any) -> dict[str, str]:
        project.loop.call_soon_threadsafe(project.active.stop, "a test")
        while not give_up():
            time.sleep(0.01)
        raise NotRead("the run was stopped")

    monkeypatch.setattr(keeper, "digests", digests)
    text = f"nodes: {{n: {{{more}agent: fake, cache: {{files: [a]}}}}, z: {{needs: n, run: echo}}}}"
    run = project.run(text)
    assert statuses(run) == {"n": "cancelled", "z": "cancelled"}
    assert str(run.status) == "cancelled"
    assert project.calls == []


def test_items_are_kept_each_on_its_own(project: Project) -> None:
    text = "nodes: {n: {for_each: {items: %s, key: '{{ item }}'}, agent: fake, with: {x: '{{ item }}'}, cache: true}}"
    project.run(text % "[1, 2]")
    run = project.run(text % "[2, 3, 1]")
    assert project.calls == [{"x": 3}]
    assert statuses(run) == {"n": "succeeded"}
    output: Any = run.nodes["n"].output
    assert [(r["key"], r["status"], r["output"]) for r in output] == [
        ("2", "cached", 2), ("3", "succeeded", 3), ("1", "cached", 1)
    ]  # fmt: skip


def test_a_resume_leaves_what_was_cached_as_it_is_and_asks_the_cache_for_the_rest(project: Project) -> None:
    text = (
        "nodes:\n  n: {agent: fake, with: {x: 1}, cache: true}\n"
        "  i: {for_each: {items: [1, 2]}, agent: fake, with: {x: '{{ item }}'}, cache: true}\n"
        "  z: {needs: [n, i], run: test -e ready, cache: true}\n"
    )
    project.run(text)
    run = project.run(text)
    assert statuses(run) == {"n": "cached", "i": "succeeded", "z": "failed"}
    (project.root / "ready").touch()
    again = project.run(text, resume=run.id)
    assert statuses(again) == {"n": "cached", "i": "succeeded", "z": "succeeded"}
    assert project.calls == []
    ended = [e.node for e in project.events(again) if e.event == "node.cached"]
    assert sorted(ended) == ["i[0]", "i[1]", "n"]


def test_items_that_were_cached_are_not_asked_for_again_by_a_resume(project: Project) -> None:
    text = "nodes: {n: {for_each: {items: [a, b]}, run: 'test {{ item }} = a || test -e ready', cache: true}}"
    project.run(text)
    run = project.run(text)
    assert {k: str(s.status) for k, s in run.items["n"].items()} == {"0": "cached", "1": "failed"}
    (project.root / "ready").touch()
    again = project.run(text, resume=run.id)
    assert statuses(again) == {"n": "succeeded"}
    assert [e.node for e in project.events(again) if e.event == "node.cached"] == ["n[0]"]


def test_s4_a_secret_counts_and_is_nowhere_in_the_cache(project: Project) -> None:
    text = "secrets: {TOKEN: {from: env}}\nnodes: {n: {run: 'echo $TOKEN', secrets: [TOKEN], cache: true}}"
    project.environ = {"TOKEN": "hunter2-hunter2"}
    project.run(text)
    assert statuses(project.run(text)) == {"n": "cached"}
    kept = b"".join(p.read_bytes() for p in (project.state / "cache").rglob("*") if p.is_file())
    assert b"hunter2" not in kept
    project.environ = {"TOKEN": "another-value"}
    assert statuses(project.run(text)) == {"n": "succeeded"}


def test_s4_what_became_a_secret_since_is_masked(project: Project) -> None:
    project.run("nodes: {n: {run: echo hunter2-hunter2, cache: true}}")
    project.environ = {"TOKEN": "hunter2-hunter2"}
    run = project.run(
        "secrets: {TOKEN: {from: env}}\n"
        "nodes: {n: {run: echo hunter2-hunter2, cache: true}, m: {run: 'true', secrets: [TOKEN]}}"
    )
    assert (str(run.nodes["n"].status), run.nodes["n"].output) == ("cached", "***")


def test_a_run_without_a_cache_imports_nothing_of_it(tmp_path: Path) -> None:
    (tmp_path / "p.yml").write_text("version: 1\nnodes: {a: {run: echo}}\n")
    code = (
        "import sys; from pipe_runner.cli import main\n"
        "try: main(['run', 'p.yml'])\nexcept SystemExit: pass\n"
        "print([m for m in sys.modules if m.startswith('pipe_runner.resultcache')])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert not (tmp_path / ".pipe/cache/results").exists()


def test_the_command_lists_and_prunes(project: Project) -> None:
    project.run(ONE)

    def pipe(*words: str, code: int = 0) -> str:
        command = [sys.executable, "-m", "pipe_runner", "cache", *words, "--state-dir", str(project.state)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr

    assert " n " in pipe("ls")
    (row,) = json.loads(pipe("ls", "--output", "json"))
    assert (row["node"], row["domain"]) == ("n", "")
    assert "removed 0 results" in pipe("prune", "--older-than", "1d")
    assert "--older-than 30d, or --all" in pipe("prune", code=2)
    assert "removes nothing" in pipe("ls", "--all", code=2)
    assert "there is no `pipe cache clean`" in pipe("clean", code=2)
    assert "removed 1 result, " in pipe("prune", "--all")
    assert pipe("ls") == "no cached results\n"
    assert statuses(project.run(ONE)) == {"n": "succeeded"}
