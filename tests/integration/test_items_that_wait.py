"""Items of a repeated node that wait for a person: the others go on, and each is decided on its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.integration.waiting import Waiting

from pipe_runner.deciding import undecided
from pipe_runner.errors import UsageError
from pipe_runner.run import Run
from pipe_runner.runlog import RunDir
from pipe_runner.testing import run_pipeline

ASK = "agent: approval, with: {message: 'Go {{ item }}?'}"
EACH = "for_each: {items: [a, b, c], key: '{{ item }}'}"
TEXT = (
    f"version: 1\nnodes:\n  n: {{{EACH}, {ASK}}}\n"
    "  after: {run: \"echo {{ nodes.n.output | map(attribute='status') | join(' ') }}\", run_on: always}\n"
    "  aside: {run: echo 1}\nfinally: {z: {run: echo 1}}\n"
)


@pytest.fixture
def project(tmp_path: Path) -> Waiting:
    return Waiting(tmp_path.resolve(), TEXT)


def nodes(run: Run) -> dict[str, str]:
    return {name: str(state.status) for name, state in run.nodes.items()}


def items(run: Run, node: str = "n") -> dict[str, str]:
    return {key: str(state.status) for key, state in run.items[node].items()}


def test_all_of_them_ask_and_the_rest_of_the_run_goes_on(project: Waiting) -> None:
    run = project.run()
    assert str(run.status) == "waiting"
    assert nodes(run) == {"n": "waiting", "after": "pending", "aside": "succeeded", "z": "pending"}
    assert items(run) == {"a": "waiting", "b": "waiting", "c": "waiting"}
    assert [run.items["n"][key].message for key in "abc"] == ["Go a?", "Go b?", "Go c?"]
    assert undecided(run) == ["n[a]", "n[b]", "n[c]"]


def test_each_is_decided_and_no_answer_is_asked_for_again(project: Waiting) -> None:
    project.run()
    project.decide("approve", "n[a]")
    run = project.resume()
    assert (str(run.status), items(run)) == ("waiting", {"a": "succeeded", "b": "waiting", "c": "waiting"})
    project.decide("reject", "n[b]")
    project.decide("approve", "n[c]")
    run = project.resume()
    assert str(run.status) == "failed"
    assert items(run) == {"a": "succeeded", "b": "failed", "c": "succeeded"}
    assert run.nodes["after"].output == "succeeded failed succeeded"
    error = run.nodes["n"].error
    assert error is not None
    assert (error["kind"], "n[b]: refused by ada" in error["message"]) == ("refused", True)
    assert [project.starts(f"n[{key}]") for key in "abc"] == [1, 1, 1]


def test_a_refusal_stands_and_can_be_changed_to_an_approval(project: Waiting) -> None:
    project.run()
    project.decide("reject", "n[b]")
    project.decide("approve", "n")
    assert str(project.resume().status) == "failed"
    assert str(project.resume().status) == "failed"
    assert project.starts("n[b]") == 1
    project.decide("approve", "n[b]")
    run = project.resume()
    assert (str(run.status), items(run)) == ("succeeded", {"a": "succeeded", "b": "succeeded", "c": "succeeded"})
    assert project.starts("n[b]") == 1


def test_the_node_s_name_stands_for_every_item_that_waits(project: Waiting) -> None:
    project.run()
    project.decide("approve", "n")
    run = project.resume()
    assert (str(run.status), items(run)) == ("succeeded", {"a": "succeeded", "b": "succeeded", "c": "succeeded"})
    first = run.items["n"]["a"].output
    assert isinstance(first, dict)
    assert first["by"] == "ada"
    with pytest.raises(UsageError, match="does not wait for an approval"):
        project.decide("approve", "n")


def test_a_resume_without_a_decision_waits_again_and_starts_nothing(project: Waiting) -> None:
    project.run()
    run = project.resume()
    assert (str(run.status), run.nodes["n"].attempts) == ("waiting", 1)
    assert [project.starts(f"n[{key}]") for key in "abc"] == [1, 1, 1]


def test_one_at_a_time_they_ask_all_the_same(project: Waiting) -> None:
    run = project.run(TEXT.replace("key: '{{ item }}'", "key: '{{ item }}', max_parallel: 1"))
    assert items(run) == {"a": "waiting", "b": "waiting", "c": "waiting"}


def test_an_item_that_is_skipped_asks_nobody(project: Waiting) -> None:
    run = project.run(TEXT.replace(f"{ASK}", f"{ASK}, when: item != 'b'"))
    assert items(run) == {"a": "waiting", "b": "skipped", "c": "waiting"}
    project.decide("approve", "n")
    text = TEXT.replace(f"{ASK}", f"{ASK}, when: item != 'b'")
    assert project.resume(text).nodes["after"].output == "succeeded skipped succeeded"


def test_a_change_of_the_node_asks_all_again(project: Waiting) -> None:
    project.run()
    project.decide("reject", "n[a]")
    run = project.resume(TEXT.replace("Go {{", "Really {{"))
    assert items(run) == {"a": "waiting", "b": "waiting", "c": "waiting"}
    assert run.items["n"]["a"].message == "Really a?"


def test_enough_approvals_are_enough(project: Waiting) -> None:
    text = TEXT.replace("key: '{{ item }}'", "key: '{{ item }}', min_success: 2")
    project.run(text)
    project.decide("reject", "n[a]")
    project.decide("approve", "n")
    run = project.resume(text)
    assert (str(run.status), str(run.nodes["n"].status)) == ("succeeded", "succeeded")


@pytest.mark.parametrize(("aside", "status"), [("echo 1", "succeeded"), ("exit 1", "failed")])
def test_a_refusal_without_which_the_node_has_succeeded_is_changed_no_more(
    project: Waiting, aside: str, status: str
) -> None:
    text = TEXT.replace("key: '{{ item }}'", "key: '{{ item }}', min_success: 2")
    text = text.replace("aside: {run: echo 1}", f"aside: {{run: {aside}}}")
    project.run(text)
    project.decide("reject", "n[a]")
    project.decide("approve", "n")
    run = project.resume(text)
    assert (str(run.status), str(run.nodes["n"].status)) == (status, "succeeded")
    with pytest.raises(UsageError, match=r"n\[a\] was rejected already, by ada"):
        project.decide("approve", "n[a]")


def test_a_tolerated_refusal_of_a_run_that_has_succeeded_is_changed_no_more(project: Waiting) -> None:
    text = "version: 1\nnodes:\n  n: {agent: approval, continue_on_error: true, with: {message: 'Go?'}}\n"
    project.run(text)
    project.decide("reject", "n")
    assert str(project.resume(text).status) == "succeeded"
    with pytest.raises(UsageError, match="n was rejected already, by ada"):
        project.decide("approve", "n")


def test_a_matrix_asks_for_each_combination(project: Waiting) -> None:
    text = (
        "version: 1\nnodes:\n  n: {matrix: {x: [1, 2], y: [a]}, agent: approval, "
        "with: {message: '{{ matrix.x }}{{ matrix.y }}?'}}\n"
    )
    assert undecided(project.run(text)) == ["n[1,a]", "n[2,a]"]
    project.decide("approve", "n[1,a]")
    project.decide("approve", "n[2,a]")
    assert str(project.resume(text).status) == "succeeded"


@pytest.mark.parametrize(
    ("more", "status"), [("fail_fast: true\n", "failed"), ("budget: {max_time: 400ms}\n", "failed")]
)
def test_a_stop_cancels_what_waits_and_a_resume_asks_again(project: Waiting, more: str, status: str) -> None:
    text = f"{more}{TEXT}".replace(
        "echo 1}\nfinally", "sleep 0.2; test -e mended || sleep 0.4; test -e mended}\nfinally"
    )
    run = project.run(text)
    assert (str(run.status), items(run)) == (status, {"a": "cancelled", "b": "cancelled", "c": "cancelled"})
    assert nodes(run)["n"] in ("cancelled", "failed")
    assert undecided(run) == []
    (project.root / "mended").touch()
    run = project.resume(text)
    assert (str(run.status), items(run)) == ("waiting", {"a": "waiting", "b": "waiting", "c": "waiting"})


def test_a_stop_cancels_what_waited_since_an_earlier_attempt_of_the_run_too(project: Waiting) -> None:
    text = f"fail_fast: true\n{TEXT}".replace("echo 1}\nfinally", "test ! -e broken}\nfinally")
    assert str(project.run(text).status) == "waiting"
    (project.root / "broken").touch()
    text = text.replace("test ! -e broken", "test ! -e  broken")  # it runs again
    run = project.resume(text)
    assert (str(run.status), items(run)) == ("failed", {"a": "cancelled", "b": "cancelled", "c": "cancelled"})
    assert undecided(run) == []


def test_fail_fast_of_the_items_cancels_those_that_wait() -> None:
    done = run_pipeline(
        "version: 1\ninputs: {l: {type: array, default: [a, b, c, d]}}\nnodes:\n"
        "  n:\n    for_each: {items: '{{ inputs.l }}', key: '{{ item }}', fail_fast: true, max_parallel: 2}\n"
        "    agent: approval\n    with: {message: \"{{ item if item != 'c' else item.gone }}\"}\n"
    )
    assert done.status == "failed"
    states = {key: str(state.status) for key, state in done.run.items["n"].items()}
    assert states == {"a": "cancelled", "b": "cancelled", "c": "failed", "d": "cancelled"}


def test_d1_after_a_kill_what_was_asked_stays_asked_and_the_rest_is_performed(project: Waiting) -> None:
    run = project.run()
    log = Path(RunDir.open(project.root / ".pipe", run.id).log_path)
    lines = log.read_bytes().splitlines(keepends=True)
    asked = [at for at, line in enumerate(lines) if json.loads(line)["event"] == "node.waiting"]
    log.write_bytes(b"".join(lines[: asked[0] + 1]))  # one has asked; the others were at it, or not started
    first = json.loads(lines[asked[0]])["node"]
    project.decide("approve", first)
    run = project.resume()
    assert str(run.status) == "waiting"
    assert sorted(items(run).values()) == ["succeeded", "waiting", "waiting"]
    assert project.starts(first) == 1
    project.decide("approve", "n")
    assert str(project.resume().status) == "succeeded"


def test_d10_what_acts_once_in_items_is_still_held_whole(project: Waiting) -> None:
    text = f"version: 1\nnodes:\n  n: {{{EACH}, effect: once, run: 'test {{{{ item }}}} != b'}}\n"
    project.run(text)
    run = project.resume(text)
    assert (str(run.status), str(run.nodes["n"].status), undecided(run)) == ("waiting", "unknown", ["n[b]"])
    project.decide("done", "n[b]")
    assert str(project.resume(text).status) == "succeeded"
