"""docs/run-log.md, the schema of events and what runs write are one: no field is missing in any of them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import typing
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from pydantic import BaseModel, TypeAdapter

from pipe_runner.run import INLINE_OUTPUT_LIMIT
from pipe_runner.runlog import fold_log
from pipe_runner.runlog.lines import MAX_LINE, VERSION
from pipe_runner.testing import run_pipeline
from pipe_runner.types import EventKind, RunStatus
from pipe_schemas.events import AnyEvent, ArtifactFile, EventLine
from pipe_schemas.generate import generate

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "run-log.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^#{2,3} `?(.+?)`?\n(.*?)(?=^#{2,3} |\Z)", PAGE, re.MULTILINE | re.DOTALL))
ENVELOPE = {"v", "seq", "ts", "run", "event", "node", "attempt", "crc"}
MODELS: dict[str, type[BaseModel]] = {
    typing.get_args(model.model_fields["event"].annotation)[0]: model
    for model in typing.get_args(typing.get_args(AnyEvent)[0])
}

EVERYTHING = f"""
version: 1
budget: {{max_cost: 1, unknown_cost: allow}}
inputs: {{depth: {{type: integer, default: 1}}}}
nodes:
  ok: {{run: echo out; echo err >&2}}
  large: {{run: "head -c {INLINE_OUTPUT_LIMIT + 1} /dev/zero | tr '\\\\0' x"}}
  fails: {{run: 'echo partial; echo why >&2; exit 3', retry: {{max_attempts: 2, delay: 10ms}}, continue_on_error: true}}
  breaks: {{run: exit 1}}
  blocked: {{needs: [breaks], run: 'true'}}
  skipped: {{when: inputs.depth > 1, run: 'true'}}
  after: {{needs: [skipped], run: 'true'}}
  says: {{agent: python, with: {{call: "pipe_runner.here:publish", args: [a.b, {{c: 1}}]}}}}
  shouts: {{agent: python, with: {{call: "pipe_runner.here:publish", args: [a.c, "{{{{ nodes.large.output }}}}"]}}}}
  first: {{run: echo kept > kept.txt, cache: true, artifacts: [{{name: kept, path: kept.txt}}]}}
  second: {{needs: [first], run: echo kept > kept.txt, cache: true, artifacts: [{{name: kept, path: kept.txt}}]}}
  asks: {{agent: llm, provider: fake, retry: {{max_attempts: 2, delay: 10ms}}, with: {{prompt: "status=503 times=1"}}}}
  lost: {{agent: llm, provider: fake, with: {{prompt: "lost=1"}}, continue_on_error: true}}
  unclear: {{when: nodes.ok.output > 1, run: 'true', continue_on_error: true}}
on_failure:
  tell: {{run: 'echo "{{{{ run.failed | length }}}}"'}}
outputs: {{ok: "{{{{ nodes.ok.output }}}}"}}
"""


@pytest.fixture(autouse=True)
def fake_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """Providers of type `fake` are there."""
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[1] / "data" / "models"))


def rows(text: str) -> set[str]:
    """The names in the first column of the tables."""
    return set(re.findall(r"^\| `([a-z_0-9]+)` \|", text, re.MULTILINE))


def written(text: str = EVERYTHING) -> list[dict[str, Any]]:
    run = run_pipeline(text)
    log = run.state_dir / "runs" / run.run.id / "log.jsonl"
    return [json.loads(line) for line in log.read_text(encoding="ascii").splitlines()]


def test_every_event_has_its_place_on_the_page() -> None:
    assert set(MODELS) == {str(kind) for kind in EventKind}
    assert [kind for kind in EventKind if kind not in SECTIONS] == []


def test_the_fields_of_the_schema_are_those_on_the_page() -> None:
    assert set(EventLine.model_fields) <= rows(SECTIONS["A line"]) == ENVELOPE
    for kind, model in MODELS.items():
        assert {field.alias or name for name, field in model.model_fields.items()} - ENVELOPE == rows(SECTIONS[kind]), (
            kind
        )
    assert rows(SECTIONS["Artifacts"]) == set(ArtifactFile.model_fields)
    assert rows(SECTIONS["Large outputs"]) == {"sha256", "bytes", "type", "excerpt"}


def test_every_field_that_a_run_writes_is_on_the_page_and_fits_the_schema() -> None:
    lines = written()
    seen = {line["event"] for line in lines}
    elsewhere = {"tool.called", "run.resumed", "node.cancelled", "node.waiting", "node.unknown"}
    assert seen == {str(kind) for kind in EventKind} - elsewhere
    schema: TypeAdapter[Any] = TypeAdapter(AnyEvent)
    for line in lines:
        schema.validate_python(line)
        assert line.keys() - ENVELOPE - rows(SECTIONS[line["event"]]) == set(), line["event"]


def test_an_event_of_a_node_without_an_attempt_has_none() -> None:
    for line in written():
        if line["event"] in ("node.skipped", "node.blocked", "node.cached") or line.get("node") == "unclear":
            assert "attempt" not in line
        elif line["event"].startswith("node."):
            assert line["attempt"] in (1, 2)


def test_the_example_is_a_log_that_loads(tmp_path: Path) -> None:
    example = re.search(r"```jsonl\n(.*?)```", PAGE, re.DOTALL)
    assert example is not None
    log = tmp_path / "log.jsonl"
    log.write_text(example[1], encoding="ascii")
    assert fold_log(str(log)).status is RunStatus.SUCCEEDED


def test_the_check_that_the_page_gives_is_right(tmp_path: Path) -> None:
    code = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)
    example = re.search(r"```jsonl\n(.*?)```", PAGE, re.DOTALL)
    assert code is not None
    assert example is not None
    names: dict[str, Any] = {}
    exec(code[1], names)  # noqa: S102
    for line in example[1].encode().splitlines(keepends=True):
        assert names["intact"](line)
        assert not names["intact"](line.replace(b"hello", b"hallo") if b"hello" in line else line[1:])


def test_the_limits_on_the_page_are_those_of_the_code() -> None:
    assert VERSION == 1
    assert f"No line is longer than {MAX_LINE // 2**20} MiB" in PAGE
    assert f"above {INLINE_OUTPUT_LIMIT // 1024} KiB" in PAGE


@pytest.mark.parametrize(
    "name", ["log.jsonl", "log.torn", "blobs/", "artifacts/", "run.lock", "live.lock", "warden.lock", "cancel"]
)
def test_every_file_of_a_run_is_on_the_page(name: str) -> None:
    assert f"| `runs/<id>/{name}` |" in SECTIONS["The files of a run"]


def test_a_run_leaves_no_file_that_is_not_on_the_page() -> None:
    run = run_pipeline(EVERYTHING)
    folder = run.state_dir / "runs" / run.run.id
    for path in folder.iterdir():
        name = re.sub(r"\.\d+$", "", path.name) + ("/" if path.is_dir() else "")
        assert f"| `runs/<id>/{name}` |" in SECTIONS["The files of a run"]


def test_a_log_holds_what_the_schema_of_events_says(tmp_path: Path) -> None:
    (tmp_path / "p.yml").write_text(
        "version: 1\nnodes:\n  a: {run: exit 0, when: 1 > 2}\n  b: {needs: [a], run: exit 0}\n"
    )
    subprocess.run([sys.executable, "-m", "pipe_runner", "run", "p.yml"], cwd=tmp_path, check=True, capture_output=True)
    (log,) = (tmp_path / ".pipe" / "runs").glob("*/log.jsonl")
    schema = generate("event")
    for line in log.read_text().splitlines():
        jsonschema.validate(json.loads(line), schema)
