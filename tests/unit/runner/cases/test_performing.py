"""What a case runs, what stands in, and what is known of it afterwards."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pipe_runner.cases.performing import CaseResult
from pipe_runner.executors.pool import Pool
from pipe_runner.runlog import LogWriter, RunLock
from pipe_runner.runlog.grouplock import GroupLock

Performed = Callable[[str, str], list[CaseResult]]
Told = Callable[[CaseResult], list[str]]

TOUCHING = """
nodes:
  a: {run: touch ran_a && echo a}
  b: {run: "touch ran_b && echo b{{ nodes.a.output }}"}
outputs: {b: "{{ nodes.b.output }}"}
"""


def traces(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("ran_*"))


def test_a_mocked_node_is_not_run_and_others_are(performed: Performed, tmp_path: Path) -> None:
    (result,) = performed(TOUCHING, "it: {mock: {a: {output: A}}, expect: {outputs: {b: bA}}}")
    assert result.passed
    assert traces(tmp_path) == ["ran_b"]


@pytest.mark.parametrize(
    ("says", "ran"),
    [
        ("{}", ["ran_a", "ran_b"]),
        ("{run: all, mock: {b: {}}}", ["ran_a"]),
        ("{mock: {'*': {output: x}}}", []),
        ("{mock: {'*': {output: x}}, run: [b]}", ["ran_b"]),
        ("{mock: {a: {output: x}}, run: [b]}", ["ran_b"]),
    ],
)
def test_what_may_run(performed: Performed, tmp_path: Path, says: str, ran: list[str]) -> None:
    (result,) = performed(TOUCHING, f"it: {says}")
    assert result.passed
    assert traces(tmp_path) == ran


def test_a_case_may_run_what_the_defaults_mock_and_mock_what_they_run(
    tmp_path: Path, performed_file: Callable[[str, str], list[CaseResult]]
) -> None:
    tests = """
    defaults: {mock: {a: {output: x}}, run: [b]}
    cases:
      one: {run: [a, b], expect: {outputs: {b: ba}}}
      two: {mock: {b: {output: B}}, expect: {outputs: {b: B}}}
    """
    assert [result.passed for result in performed_file(TOUCHING, tests)] == [True, True]
    assert traces(tmp_path) == ["ran_a", "ran_b"]


def test_a_node_that_may_not_run_fails_its_case_whatever_is_expected(
    performed: Performed, tmp_path: Path, told: Told
) -> None:
    (result,) = performed(TOUCHING, "it: {run: none, expect: {status: failed}}")
    assert not result.passed
    assert result.refused == ("a",)
    assert told(result)[0].startswith("3:3 a would have run")
    assert traces(tmp_path) == []


def test_nothing_is_started_where_nothing_runs(performed: Performed, monkeypatch: pytest.MonkeyPatch) -> None:
    def start(pool: Pool) -> None:
        raise AssertionError("a warden was started")

    monkeypatch.setattr(Pool, "start", start)
    pipeline = "nodes: {a: {run: echo}, b: {agent: python, with: {call: 'os:getcwd'}}}"
    (result,) = performed(pipeline, "it: {run: none, mock: {'*': {output: x}}}")
    assert result.passed


def test_nothing_is_left_behind(performed: Performed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    before = os.getcwd()
    performed("nodes: {a: {run: pwd}}", f"it: {{expect: {{nodes: {{a: {{output: '{tmp_path}'}}}}}}}}\nagain: {{}}")
    assert list((tmp_path / "tmp").iterdir()) == []
    assert not (tmp_path / ".pipe").exists()
    assert os.getcwd() == before


def test_each_attempt_has_its_outcome_and_the_last_one_repeats(performed: Performed) -> None:
    pipeline = "nodes: {a: {run: echo, output: json, retry: {max_attempts: 4, delay: 1h}}}"
    began = time.monotonic()
    results = performed(
        pipeline,
        """
        third: {mock: {a: [{error: {}}, {error: {kind: timeout}}, {output: 3}]}, expect: {nodes: {a: {attempts: 3, output: 3, waits: [3600, 7200]}}}}
        never: {mock: {a: [{error: {}}, {error: {kind: timeout}}]}, expect: {status: failed, nodes: {a: {attempts: 4, error: {kind: timeout}}}}}
        """,  # noqa: E501
    )
    assert [r.passed for r in results] == [True, True]
    assert time.monotonic() - began < 30


def test_a_bound_on_all_attempts_counts_the_waits_that_nobody_waits_for(performed: Performed) -> None:
    pipeline = "nodes: {a: {run: echo, max_time: 10s, retry: {max_attempts: 9, delay: 4s, backoff: constant}}}"
    (result,) = performed(pipeline, "it: {mock: {a: {error: {}}}, expect: {status: failed, nodes: {a: {attempts: 3}}}}")
    assert result.passed


def test_a_mocked_command_is_what_a_real_one_gets(performed: Performed) -> None:
    pipeline = """
    inputs: {who: {default: "it's $HOME"}}
    secrets: {TOKEN: {from: env}}
    env: {LEVEL: "1"}
    nodes:
      real: &node
        env: {OWN: "{{ inputs.who }}"}
        secrets: [TOKEN]
        stdin: "{{ inputs.who }}!"
        run: printf '%s|' "{{ inputs.who }}" "$LEVEL" "$OWN" "$PIPE_NODE" "$PIPE_ATTEMPT" "$(cat)"
      mocked: *node
    """
    same = """
        argv: [/bin/sh, -e, -c, {matches: "^printf .*PIPE_V1"}]
        env: {LEVEL: "1", OWN: "it's $HOME", PIPE_V1: "it's $HOME", TOKEN: made-up-value-of-TOKEN, AWS_PROFILE: null}
        stdin: "it's $HOME!"
        cwd: .
        command: {contains: "it's $HOME"}"""
    cases = f"""
it:
    mock: {{mocked: {{output: x}}}}
    expect:
      nodes:
        real: {same}
          output: "it's $HOME|1|it's $HOME|real|1|it's $HOME!|"
        mocked: {same}
          output: x
"""
    cases = cases.replace("\n        argv", "\n          argv").replace("\n        env", "\n          env")
    for key in ("stdin", "cwd", "command"):
        cases = cases.replace(f"\n        {key}", f"\n          {key}")
    (result,) = performed(pipeline, cases)
    assert [(one.what, one.got) for one in result.unmet] == []


def test_a_real_secret_is_never_read(performed: Performed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "the-real-one")
    pipeline = """
    secrets: {TOKEN: {from: env}, KEY: {from: file, key: /nowhere/at/all}}
    nodes:
      a: {run: 'test "$TOKEN" = said && test -n "$KEY"', secrets: [TOKEN, KEY]}
      b: {agent: http, with: {url: "http://127.0.0.1/", headers: {x-key: "{{ secrets.TOKEN }}"}}, secrets: [TOKEN]}
    """
    options = "b: {options: {headers: {x-key: said}}}"
    mock = "{b: {output: {status: 200, headers: {}, body: 1}}}"
    (result,) = performed(pipeline, f"it: {{secrets: {{TOKEN: said}}, mock: {mock}, expect: {{nodes: {{{options}}}}}}}")
    assert result.passed, result.unmet


def test_values_of_a_mocked_node_are_still_checked(performed: Performed) -> None:
    pipeline = """
    nodes:
      a: {run: echo, output: json}
      b: {agent: http, with: {url: "http://127.0.0.1/", max_bytes: "{{ nodes.a.output }}"}}
      c: {run: "echo {{ nodes.a.output.x }}", needs: b, run_on: always}
    """
    cases = """
    it:
      run: none
      mock: {a: {output: many}, b: {output: 1}, c: {output: ''}}
      expect:
        status: failed
        nodes:
          b: {error: {kind: template, message: {contains: max_bytes}}}
          c: {error: {kind: template}, attempts: 0}
    """
    (result,) = performed(pipeline, cases)
    assert result.passed, result.unmet


def test_a_command_that_can_not_be_made_says_why(performed: Performed, told: Told) -> None:
    pipeline = 'nodes: {a: {run: echo}, b: {run: "echo {{ nodes.a.output }}"}}'
    cases = 'it: {mock: {a: {output: "\\0"}, b: {output: ""}}, expect: {nodes: {b: {command: echo}}}}'
    (result,) = performed(pipeline, cases)
    assert "NUL" in result.unmet[0].got.why
    assert told(result) == ["3:82 b.command"]


def test_a_folder_that_a_mocked_node_would_have_made_is_known(performed: Performed) -> None:
    pipeline = "nodes: {a: {run: mkdir x}, b: {run: make, cwd: x/y, needs: a}}"
    cases = "it: {mock: {'*': {output: ''}}, expect: {nodes: {b: {cwd: x/y, command: make}, a: {cwd: .}}}}"
    (result,) = performed(pipeline, cases)
    assert result.passed, result.unmet


def test_a_large_output_is_compared_whole(performed: Performed) -> None:
    pipeline = "nodes: {a: {run: echo}}\noutputs: {all: '{{ nodes.a.output }}'}"
    text = "x" * 100_000
    expect = f"{{outputs: {{all: {text}}}, nodes: {{a: {{output: {text}}}}}}}"
    cases = f"it: {{mock: {{a: {{output: {text}}}}}, expect: {expect}}}"
    (result,) = performed(pipeline, cases)
    assert result.passed


def test_what_is_not_met_has_its_place(performed: Performed, told: Told) -> None:
    pipeline = "nodes: {a: {run: echo}}\noutputs: {x: '{{ nodes.a.output }}'}"
    cases = """
    it:
      mock: {a: {output: got}}
      expect:
        status: failed
        outputs: {x: {matches: nothing}}
        nodes:
          a: skipped
    none: {mock: {a: {error: {}}}}
    """
    results = performed(pipeline, cases)
    assert told(results[0]) == ["6:15 status", "7:30 outputs.x", "9:12 a.status"]
    assert told(results[1]) == ["10:3 status"]


def test_handlers_and_skips_are_known(performed: Performed) -> None:
    pipeline = """
    nodes:
      a: {run: echo}
      b: {run: echo, when: nodes.a.output == "go"}
      c: {run: echo, needs: b}
    on_failure: {alarm: {run: "echo {{ run.failed | join }}"}}
    finally: {tidy: {run: "echo {{ run.status }}"}}
    """
    cases = """
    good:
      mock: {'*': {output: stay}}
      expect:
        nodes:
          b: {status: skipped, when: 'nodes.a.output == "go"', values: {nodes.a.output: stay}, attempts: 0}
          c: {status: skipped, by: [b], reason: {contains: skipped}}
          alarm: {status: skipped, reason: {contains: did not fail}}
          tidy: {command: {contains: succeeded}}
    bad:
      mock: {'*': {output: ''}, a: {error: {kind: timeout, message: late, tail: end}, output: half}}
      expect:
        status: failed
        nodes:
          a: {output: half, error: {kind: timeout, message: late, tail: end}}
          c: {status: blocked, by: [a]}
          alarm: {command: echo "a"}
          tidy: {command: {contains: failed}}
    """
    assert [(r.passed, r.unmet) for r in performed(pipeline, cases)] == [(True, ()), (True, ())]


def test_the_same_case_gives_the_same_run_each_time(performed: Performed) -> None:
    pipeline = "nodes: {a: {run: 'echo {{ run.id }} {{ run.started_at }}'}, b: {run: 'echo {{ nodes.a.duration }}'}}"
    expect = '{a: {command: \'echo "test" "2023-11-14T22:13:20.000000Z"\'}, b: {command: \'echo "0.0"\'}}'
    (result,) = performed(pipeline, f"it: {{mock: {{'*': {{output: ''}}}}, expect: {{nodes: {expect}}}}}")
    assert result.passed, result.unmet


def test_no_case_writes_a_log_or_takes_a_lock(performed: Performed, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a log was written, or a lock taken")

    monkeypatch.setattr(RunLock, "acquire", refuse)
    monkeypatch.setattr(LogWriter, "create", refuse)
    monkeypatch.setattr(GroupLock, "acquire", refuse)
    pipeline = """
    concurrency: {group: "g{{ inputs.n }}"}
    inputs: {n: {type: string, default: one}}
    nodes:
      a: {run: "seq 20000"}
      b: {run: "printf %s \\"{{ nodes.a.output }}\\" | wc -l", output: json}
    """
    (result,) = performed(pipeline, "it: {expect: {nodes: {b: {output: 19999}}}}")
    assert result.passed


def test_a_group_without_a_name_fails_the_case_as_it_fails_a_run(performed: Performed) -> None:
    pipeline = "concurrency: {group: '{{ inputs.n }}'}\ninputs: {n: {default: ''}}\nnodes: {a: {run: echo}}"
    error = "{kind: template, message: {contains: its name is empty}}"
    (result,) = performed(pipeline, f"it: {{run: none, expect: {{status: failed, error: {error}}}}}")
    assert result.passed


@pytest.mark.parametrize("says", ["{}", "{expect: {status: failed}}"])
def test_what_this_system_cannot_start_fails_its_case_whatever_is_expected(
    performed: Performed, told: Told, monkeypatch: pytest.MonkeyPatch, says: str
) -> None:
    monkeypatch.setattr("pipe_runner.cases.standin.COMMANDS", False)
    monkeypatch.setattr("pipe_runner.engine.opening.COMMANDS", False)
    (result,) = performed("nodes: {a: {run: echo}, b: {agent: python, with: {call: 'os:getcwd'}}}", f"it: {says}")
    assert not result.passed
    assert result.unable == ("a",)
    assert told(result)[0].startswith("3:3 a can't be run here: it starts a command")
    assert result.run.nodes["b"].status == "succeeded"


def test_what_waits_for_a_person_and_what_waits_for_it_can_be_expected(performed: Performed) -> None:
    text = "\nnodes:\n  gate: {agent: approval, with: {message: Now?}}\n  after: {needs: [gate], run: echo}\n"
    says = "it: {expect: {status: waiting, nodes: {gate: waiting, after: {status: pending, attempts: 0}}}}"
    (result,) = performed(text, says)
    assert result.passed
    (result,) = performed(text, "it: {expect: {status: waiting, nodes: {gate: succeeded, after: waiting}}}")
    assert [(one.what, one.got) for one in result.unmet] == [("gate.status", "waiting"), ("after.status", "pending")]
