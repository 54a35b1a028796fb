"""Nodes on which a person decides: what acts once and was cut off or failed, and approvals."""

from __future__ import annotations

import json
import signal
from typing import Any

import pytest

ONCE = """version: 1
nodes:
  first: {run: echo 1}
  act: {needs: [first], effect: once, run: 'echo "$PIPE_ATTEMPT" >> acted; test ! -e slow || sleep 60; echo v1'}
  after: {run: "printf '%s' {{ nodes.act.output }}"}
  aside: {run: 'test ! -e slow || sleep 0.5; echo aside'}
finally: {clean: {run: echo done >> cleaned}}
outputs: {after: "{{ nodes.after.output }}"}
"""
APPROVAL = """version: 1
nodes:
  build: {run: echo v1}
  release: {agent: approval, with: {message: "Release {{ nodes.build.output }}?"}}
  publish: {needs: [release], run: "echo published by {{ nodes.release.output.by | default('nobody') }}"}
  aside: {run: echo aside}
on_failure: {tell: {run: 'echo {{ nodes.release.error.kind }} > told'}}
finally: {clean: {run: echo done >> cleaned}}
outputs: {said: "{{ nodes.publish.output | default('-') }}"}
"""


def states(pipe: Any, run: str = "latest") -> dict[str, str]:
    told = json.loads(pipe("show", run, "--output", "json").stdout)
    return {name: node["status"] for name, node in told["nodes"].items()}


def starts(pipe: Any, node: str) -> int:
    events = [json.loads(line) for line in pipe.log().splitlines()]
    return sum(1 for event in events if event["event"] == "node.started" and event["node"] == node)


def cut_off(pipe: Any) -> str:
    """A run whose runner was killed while the node that acts once was at it; its id."""
    pipe.write("p.yml", ONCE)
    slow = pipe.write("slow", "")
    process = pipe.start("run", "p.yml")
    pipe.until(lambda: (pipe.folder / "acted").exists())
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=20)
    slow.unlink()
    run: str = pipe.run_id()
    return run


def test_d10_what_acts_once_and_was_cut_off_waits_for_a_person_and_is_not_run_again(pipe: Any) -> None:
    run = cut_off(pipe)
    for _ in range(2):
        done = pipe("resume", run)
        assert done.returncode == 75, done.stderr
        assert f"pipe settle {run} act --done" in done.stderr
        assert f"pipe settle {run} act --again" in done.stderr
    found = states(pipe)
    assert (found["act"], found["after"], found["aside"], found["clean"]) == (
        "unknown",
        "pending",
        "succeeded",
        "pending",
    )
    assert starts(pipe, "act") == 1
    assert pipe.log().count('"event":"node.unknown"') == 1
    assert not (pipe.folder / "cleaned").exists(), "a run that waits has not ended"
    shown = pipe("show", run).stdout
    assert "waiting" in shown and f"pipe settle {run} act --done" in shown


def test_d10_settled_as_done_it_has_succeeded_with_the_output_that_was_given(pipe: Any) -> None:
    run = cut_off(pipe)
    assert pipe("resume", run).returncode == 75
    done = pipe("settle", run, "act", "--done", "--with", '"v7"', "--by", "ada", "--reason", "it is there")
    assert (done.returncode, done.stdout) == (0, "act is settled: it took effect\n")
    done = pipe("resume", run)
    assert (done.returncode, done.stdout) == (0, "after: v7\n")
    assert (pipe.folder / "acted").read_text() == "1\n"
    assert '"decided":{"by":"ada","reason":"it is there"}' in pipe.log()
    assert (pipe.folder / "cleaned").read_text() == "done\n"


@pytest.mark.parametrize("resumed", [True, False])
def test_d10_settled_to_run_again_it_runs_once_more(pipe: Any, resumed: bool) -> None:
    run = cut_off(pipe)
    if resumed:
        assert pipe("resume", run).returncode == 75
    assert pipe("settle", run, "act", "--again").returncode == 0
    done = pipe("resume", run)
    assert (done.returncode, done.stdout) == (0, "after: v1\n")
    assert "again      act: settled: it is to run again" in done.stderr
    assert (pipe.folder / "acted").read_text() == "1\n2\n"


def test_d10_one_that_failed_ends_its_run_as_failed_and_waits_at_the_next_resume(pipe: Any) -> None:
    pipe.write("p.yml", ONCE.replace("echo v1'", "exit 3'"))
    assert pipe("run", "p.yml").returncode == 1
    assert states(pipe)["after"] == "blocked"
    done = pipe("resume", "latest")
    assert done.returncode == 75
    assert "act acts once and failed (" in done.stderr
    assert states(pipe)["after"] == "pending"
    assert (pipe.folder / "acted").read_text() == "1\n"


def test_d10_a_change_of_the_file_is_no_decision(pipe: Any) -> None:
    pipe.write("p.yml", ONCE.replace("echo v1'", "exit 3'"))
    assert pipe("run", "p.yml").returncode == 1
    pipe.write("p.yml", ONCE)
    assert pipe("resume", "latest").returncode == 75
    pipe.write("p.yml", ONCE.replace("effect: once, ", ""))
    assert pipe("resume", "latest").returncode == 75
    assert (pipe.folder / "acted").read_text() == "1\n"


def test_d10_one_whose_attempt_never_began_has_not_acted(pipe: Any) -> None:
    pipe.write("p.yml", "version: 1\nnodes:\n  act: {effect: once, when: 'env.A > 1', run: echo hi}\nenv: {A: x}\n")
    assert pipe("run", "p.yml").returncode == 1
    pipe.write("p.yml", "version: 1\nnodes:\n  act: {effect: once, run: echo hi}\nenv: {A: x}\n")
    assert pipe("resume", "latest").returncode == 0


def test_d10_each_item_of_a_repeated_node_is_decided(pipe: Any) -> None:
    run = "echo {{ item }} >> acted; test {{ item }} = a || test -e mended"
    each = "for_each: {items: [a, b, c], key: '{{ item }}'}"
    pipe.write("p.yml", f"version: 1\nnodes:\n  n: {{effect: once, {each}, run: '{run}'}}\n")
    assert pipe("run", "p.yml").returncode == 1
    done = pipe("resume", "latest")
    assert done.returncode == 75
    assert "'n[b]' --done" in done.stderr and "'n[a]'" not in done.stderr
    pipe.write("mended", "")
    assert pipe("settle", "latest", "n[b]", "--done").returncode == 0
    assert pipe("resume", "latest").returncode == 75, "one item is open still"
    assert pipe("settle", "latest", "n[c]", "--again").returncode == 0
    done = pipe("resume", "latest")
    assert done.returncode == 0, done.stderr
    assert sorted((pipe.folder / "acted").read_text().split()) == ["a", "b", "c", "c"]


def test_what_needs_no_decision_is_not_settled_and_says_why(pipe: Any) -> None:
    pipe.write("p.yml", ONCE.replace("echo v1'", "exit 3'"))
    assert pipe("run", "p.yml").returncode == 1
    for words, told in (
        (("first", "--done"), "first has succeeded: there is nothing to settle"),
        (("frist", "--done"), "did you mean first?"),
        (("act",), "say --done or --again"),
        (("act", "--done", "--again"), "opposite"),
        (("act", "--again", "--with", "1"), "--with"),
        (("act", "--done", "--with", "v1"), "is not JSON"),
        (("act", "--done", "--with", "NaN"), "is not JSON"),
        (("act", "--done", "--with", '{"a": [1}'), "is not JSON: at character 9: a comma is missing before this"),
        (("act", "--done", "--with", '{\n"a": [1}'), "is not JSON: at line 2, character 8: a comma is missing"),
        (("act", "--done", "--with", '"\\ud83d"'), "half of a surrogate pair"),
        (("act", "--done", "--with", '{"a": 1, "a": 2}'), 'the key "a" stands twice'),
        (("act", "--done", "--by", " "), "--by is empty"),
    ):
        done = pipe("settle", "latest", *words)
        assert done.returncode == 2, words
        assert told in done.stderr
    done = pipe("approve", "latest", "act")
    assert done.returncode == 2 and "pipe settle" in done.stderr


def test_an_approval_waits_when_nothing_else_can_run_and_handlers_wait_with_it(pipe: Any) -> None:
    pipe.write("p.yml", APPROVAL)
    done = pipe("run", "p.yml")
    run = pipe.run_id()
    assert done.returncode == 75, done.stderr
    assert "release waits for an approval: Release v1?" in done.stderr
    assert f"pipe approve {run} release\n" in done.stderr
    assert f"run {run} waiting in" in done.stderr.splitlines()[-1]
    found = states(pipe)
    assert (found["release"], found["publish"], found["aside"], found["tell"], found["clean"]) == (
        "waiting",
        "pending",
        "succeeded",
        "pending",
        "pending",
    )
    assert "waiting" in pipe("runs").stdout
    assert "Release v1?" in pipe("show", run).stdout
    assert pipe("resume", run).returncode == 75
    assert starts(pipe, "release") == 1, "it was asked already"


def test_approved_it_goes_on_with_who_and_why_as_its_output(pipe: Any) -> None:
    pipe.write("p.yml", APPROVAL)
    pipe("run", "p.yml")
    done = pipe("approve", "latest", "release", "--by", "ada", "--reason", "green")
    assert (done.returncode, done.stdout) == (0, "release is approved\n")
    done = pipe("resume", "latest")
    assert (done.returncode, done.stdout) == (0, "said: published by ada\n"), done.stderr
    told = json.loads(pipe("show", "latest", "--output", "json").stdout)["nodes"]["release"]["output"]
    assert (told["approved"], told["by"], told["reason"]) == (True, "ada", "green")
    assert told["at"].endswith("Z")
    assert (pipe.folder / "cleaned").read_text() == "done\n"
    assert pipe("approve", "latest", "release").returncode == 2


def test_rejected_it_has_failed_and_the_refusal_stands_until_it_is_changed(pipe: Any) -> None:
    pipe.write("p.yml", APPROVAL)
    pipe("run", "p.yml")
    assert pipe("reject", "latest", "release", "--by", "ada", "--reason", "not on a Friday").returncode == 0
    for _ in range(2):
        done = pipe("resume", "latest")
        assert done.returncode == 1, done.stderr
        assert "refused by ada: not on a Friday" in done.stderr
        assert (
            f"doesn't ask again; to let it pass after all:\n    pipe approve {pipe.run_id()} release\n" in done.stderr
        )
    assert "pipe approve" in pipe("show", "latest").stdout
    found = states(pipe)
    assert (found["release"], found["publish"], found["clean"]) == ("failed", "blocked", "succeeded")
    assert (pipe.folder / "told").read_text() == "refused\n"
    assert pipe("approve", "latest", "release", "--by", "bob").returncode == 0
    done = pipe("resume", "latest")
    assert (done.returncode, done.stdout) == (0, "said: published by bob\n"), done.stderr


def test_a_refusal_may_be_tolerated(pipe: Any) -> None:
    pipe.write("p.yml", APPROVAL.replace("agent: approval,", "agent: approval, continue_on_error: true,"))
    pipe("run", "p.yml")
    pipe("reject", "latest", "release")
    done = pipe("resume", "latest")
    assert (done.returncode, done.stdout) == (0, "said: published by nobody\n"), done.stderr
    assert "pipe approve" not in pipe("show", "latest").stdout
    assert states(pipe)["clean"] == "succeeded"


def test_a_changed_question_is_asked_again(pipe: Any) -> None:
    pipe.write("p.yml", APPROVAL)
    pipe("run", "p.yml")
    pipe.write("p.yml", APPROVAL.replace("Release {{", "Really release {{"))
    done = pipe("resume", "latest")
    assert done.returncode == 75
    assert "Really release v1?" in done.stderr
    assert starts(pipe, "release") == 2


def test_while_a_process_works_on_the_run_nothing_is_decided(pipe: Any) -> None:
    pipe.write("p.yml", APPROVAL.replace("echo aside", "sleep 30"))
    process = pipe.start("run", "p.yml")
    pipe.until(lambda: "node.waiting" in pipe.log())
    done = pipe("approve", "latest", "release")
    assert done.returncode == 2
    assert "is being worked on by process" in done.stderr
    assert "ends by itself when nothing else can run; decide then" in done.stderr
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=20) == 130
    found = states(pipe)
    assert (found["release"], found["publish"], found["clean"]) == ("cancelled", "cancelled", "succeeded")
    pipe.write("p.yml", APPROVAL)
    assert pipe("resume", "latest").returncode == 75, "it is asked again"


def test_a_run_that_waits_is_cancelled_and_a_resume_asks_again(pipe: Any) -> None:
    pipe.write("p.yml", APPROVAL)
    assert pipe("run", "p.yml").returncode == 75
    done = pipe("cancel", "latest")
    assert (done.returncode, done.stdout) == (0, f"run {pipe.run_id()} cancelled\n"), done.stderr
    found = states(pipe)
    assert (found["release"], found["publish"], found["clean"]) == ("cancelled", "cancelled", "cancelled")
    assert (found["build"], found["aside"]) == ("succeeded", "succeeded")
    assert not (pipe.folder / "cleaned").exists()
    last = json.loads(pipe.log().splitlines()[-1])
    assert (last["event"], last["status"]) == ("run.finished", "cancelled")
    assert last["totals"]["succeeded"] == 2
    assert "is not running: it is cancelled" in pipe("cancel", "latest").stderr
    assert pipe("approve", "latest", "release").returncode == 2
    assert pipe("resume", "latest").returncode == 75, "it is asked again"
    assert pipe("approve", "latest", "release").returncode == 0
    assert pipe("resume", "latest").returncode == 0
    assert (pipe.folder / "cleaned").exists()


def test_items_and_sub_pipelines_that_wait_are_cancelled_and_go_on_with_a_resume(pipe: Any) -> None:
    pipe.write("asks.yml", "version: 1\nnodes: {gate: {agent: approval, with: {message: Go?}}}\n")
    each = "for_each: {items: [eu, us], key: '{{ item }}'}"
    pipe.write(
        "p.yml",
        f"version: 1\nnodes:\n  s: {{pipeline: asks.yml, {each}}}\n"
        f"  a: {{agent: approval, with: {{message: Go?}}, {each}}}\n",
    )
    assert pipe("run", "p.yml").returncode == 75
    assert pipe("approve", "latest", "a[eu]").returncode == 0
    assert pipe("cancel", "latest").returncode == 0
    assert "waiting" not in pipe("show", "latest", "--output", "json").stdout.replace('"waiting": 0', "")
    assert pipe("resume", "latest").returncode == 75
    for node in ("a[us]", "s[eu].gate", "s[us].gate"):
        assert pipe("approve", "latest", node).returncode == 0
    assert pipe("resume", "latest").returncode == 0
    assert starts(pipe, "a[eu]") == 1


def test_what_may_have_acted_stays_so_when_the_run_is_cancelled(pipe: Any) -> None:
    run = cut_off(pipe)
    assert pipe("resume", run).returncode == 75
    assert pipe("cancel", run).stdout == f"run {run} cancelled\n"
    assert states(pipe)["act"] == "unknown"
    assert pipe("settle", run, "act", "--done", "--with", '"v1"').returncode == 0
    assert pipe("resume", run).returncode == 0


def test_an_approval_in_finally_keeps_the_run_from_ending(pipe: Any) -> None:
    pipe.write(
        "p.yml",
        "version: 1\nnodes: {a: {run: echo 1}}\nfinally:\n  ok: {agent: approval, with: {message: Fine?}}\n"
        "  last: {needs: [ok], run: echo last}\n",
    )
    assert pipe("run", "p.yml").returncode == 75
    assert pipe("approve", "latest", "ok").returncode == 0
    assert pipe("resume", "latest").returncode == 0
    assert states(pipe) == {"a": "succeeded", "ok": "succeeded", "last": "succeeded"}


def test_a_run_kept_elsewhere_is_decided_where_it_is(pipe: Any) -> None:
    pipe.write("p.yml", APPROVAL)
    done = pipe("run", "p.yml", "--state-dir", "kept")
    (command,) = [line.strip() for line in done.stderr.splitlines() if line.strip().startswith("pipe approve")]
    assert command.endswith(" --state-dir kept")
    assert pipe(*command.split()[1:]).returncode == 0


@pytest.mark.few(3)
@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("approve", "r", "build"), 2, "`pipe show r --state-dir kept`"),
        (("approve", "r", "act"), 2, "`pipe settle r act --done --state-dir kept`"),
        (("settle", "r", "release", "--done"), 2, "`pipe reject r release --state-dir kept`"),
        (("run", "p.yml", "--run-id", "r"), 2, "`pipe show r --state-dir kept`"),
        (("resume", "r"), 75, "then go on with: pipe resume r --state-dir kept\n"),
        (("show", "r"), 0, "pipe resume r --state-dir kept\n"),
        (("reject", "r", "release"), 0, "go on with: pipe resume r --state-dir kept\n"),
        (("reject", "gone", "release"), 2, "`pipe runs --state-dir kept`"),
    ],
)
def test_every_command_that_is_told_finds_a_run_kept_elsewhere(
    pipe: Any, words: tuple[str, ...], code: int, told: str
) -> None:
    pipe.write("p.yml", APPROVAL.replace("  aside: {run: echo aside}", "  act: {effect: once, run: exit 1}"))
    assert pipe("run", "p.yml", "--run-id", "r", "--state-dir", "kept").returncode == 75
    done = pipe(*words, "--state-dir", "kept")
    assert (done.returncode, told in done.stdout + done.stderr) == (code, True), done.stdout + done.stderr


def test_items_that_wait_are_decided_by_name_or_all_at_once(pipe: Any) -> None:
    pipe.write(
        "p.yml",
        "version: 1\nnodes:\n"
        "  release:\n    for_each: {items: [eu, us, ap], key: '{{ item }}'}\n    agent: approval\n"
        "    with: {message: 'Release to {{ item }}?'}\n"
        "  publish: {run: \"echo {{ nodes.release.output | map(attribute='output.by') | join(' ') }}\"}\n"
        "  aside: {run: echo 1}\noutputs: {by: '{{ nodes.publish.output }}'}\n",
    )
    done = pipe("run", "p.yml")
    run = pipe.run_id()
    assert done.returncode == 75, done.stderr
    assert "release[eu] waits for an approval: Release to eu?" in done.stderr
    assert f"pipe approve {run} 'release[us]'" in done.stderr
    assert states(pipe) == {"release": "waiting", "publish": "pending", "aside": "succeeded"}
    assert pipe("approve", "latest", "release[eu]", "--by", "ada").returncode == 0
    done = pipe("resume", "latest")
    assert done.returncode == 75
    assert "release[eu]" not in done.stderr and "'release[us]'" in done.stderr
    assert pipe("approve", "latest", "release[mars]").returncode == 2
    assert pipe("approve", "latest", "release", "--by", "bob").returncode == 0
    done = pipe("resume", "latest")
    assert (done.returncode, done.stdout) == (0, "by: ada bob bob\n")
    shown = pipe("show", "latest").stdout
    assert "release  1        waiting" in shown and "interrupted" not in shown


def test_decisions_at_the_same_moment_wait_for_one_another(pipe: Any) -> None:
    keys = [f"k{number}" for number in range(6)]
    pipe.write(
        "p.yml",
        f"version: 1\nnodes:\n  g: {{for_each: {{items: {json.dumps(keys)}, key: '{{{{ item }}}}'}}, "
        "agent: approval, with: {message: m}}\n",
    )
    assert pipe("run", "p.yml", "--run-id", "r").returncode == 75
    processes = [pipe.start("approve", "r", f"g[{key}]") for key in keys]
    told = [process.communicate(timeout=60)[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * 6, told
    assert pipe("resume", "r").returncode == 0
