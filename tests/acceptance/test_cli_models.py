"""`agent: llm` with the installed command, against servers on loopback that speak as the three kinds of service do."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from model_servers import DIALECTS, OPENAI, Dialect, Said, Service

if TYPE_CHECKING:
    from conftest import Shell

KEY = "canary/+key=0123456789-abcdef"
PIPELINE = """
version: 1
nodes:
  triage:
    agent: llm
    provider: service
    with:
      system: be brief
      prompt: "how bad is {{ run.id | length > 0 }}"
      output_schema:
        type: object
        required: [severity]
        properties: {severity: {enum: [low, high]}}
        additionalProperties: false
  page: {when: nodes.triage.output.severity == 'high', run: "echo {{ nodes.triage.usage.calls | default(0) }} calls"}
outputs: {severity: "{{ nodes.triage.output.severity }}"}
"""


@pytest.fixture
def project(pipe: Shell, service: Service) -> Any:
    """Writes the project's file: one provider over the server; gives the environment."""

    def write(dialect: Dialect = OPENAI, more: str = "") -> dict[str, str]:
        entry = json.dumps({"type": dialect.name, "model": "m", **dialect.options(service.url)})
        pipe.write("pipe.yml", f"version: 1\nproviders:\n  service: {entry}\n{more}")
        return dialect.environ(KEY)

    return write


def nowhere(folder: Path) -> None:
    """The key is in no file of the runs, as it is or as JSON has it."""
    for file in (folder / ".pipe").rglob("*"):
        if file.is_file():
            data = file.read_bytes()
            assert KEY.encode() not in data, file
            assert json.dumps(KEY)[1:-1].encode() not in data, file


@pytest.mark.parametrize("name", sorted(DIALECTS))
def test_every_service_gives_a_value_after_one_reask(
    pipe: Shell, tmp_path: Path, service: Service, project: Any, name: str
) -> None:
    dialect = DIALECTS[name]
    env = project(dialect)
    pipe.write("p.yml", PIPELINE)

    def choose(asked: Any) -> Any:
        again = any("does not fit" in str(text) for _, text in dialect.heard(asked.data)["messages"])
        said = Said(pieces=('{"severity": ', '"high"}') if again else ("It is ", "bad."))
        return dialect.either(said)(asked)

    service.decides(choose)
    done = pipe("run", "p.yml", "--output", "json", env=env)
    assert done.returncode == 0, done.stderr + done.stdout
    told = json.loads(done.stdout)
    assert told["outputs"] == {"severity": "high"}
    assert told["nodes"]["page"]["output"] == "2 calls"
    assert len(service.asked) == 2
    turns = dialect.heard(service.asked[1].data)["messages"]
    assert [role for role, _ in turns] == ["system", "user", "assistant", "user"]
    logs = pipe("logs", "latest", "triage").stdout
    assert logs == 'It is bad.\n{"severity": "high"}\n'
    nowhere(tmp_path)


def test_what_a_model_says_is_seen_while_it_says_it(
    pipe: Shell, tmp_path: Path, service: Service, project: Any
) -> None:
    env = project()
    pipe.write("p.yml", "version: 1\nnodes: {a: {agent: llm, provider: service, with: {prompt: x}}}\n")
    parts: list[Any] = []
    for part in OPENAI.stream(Said(pieces=("first line\n", "second line\n", "third"))):
        parts += [part, 0.15]
    service.answers(parts)
    process = pipe.start("run", "p.yml", "-v", env=env)
    assert process.stderr is not None
    seen: list[tuple[float, str]] = []
    for line in process.stderr:
        seen.append((time.monotonic(), line.strip()))
    assert process.wait(30) == 0
    times = {line: at for at, line in seen}
    assert times["a | second line"] - times["a | first line"] > 0.05
    assert any(line.startswith("succeeded  a") for line in times)


def test_x1_a_stopped_run_ends_its_calls(pipe: Shell, tmp_path: Path, service: Service, project: Any) -> None:
    env = project()
    pipe.write("p.yml", "version: 1\nnodes: {a: {agent: llm, provider: service, with: {prompt: x}}}\n")
    head, *rest = OPENAI.stream(Said())
    service.answers([head, 60.0, *rest])
    process = pipe.start("run", "p.yml", "--grace", "0s", env=env)
    until = time.monotonic() + 20
    while not service.in_flight and time.monotonic() < until:
        time.sleep(0.02)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 130
    assert time.monotonic() - began < 5
    shown = json.loads(pipe("show", "latest", "--output", "json").stdout)
    assert shown["nodes"]["a"]["status"] == "cancelled"


def test_the_next_provider_is_asked_and_a_file_goes_along(
    pipe: Shell, tmp_path: Path, service: Service, project: Any
) -> None:
    unreachable = '{type: openai, model: m, base_url: "http://127.0.0.1:9/v1"'
    env = project(more=f"  gone: {unreachable}}}\n  unset: {unreachable}, api_key: {{from: env, key: NOT_SET}}}}\n")
    (tmp_path / "shot.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(10))
    pipe.write("notes.txt", "Say that all is well.")
    text = """
version: 1
nodes:
  a:
    agent: llm
    provider: [gone, unset, service]
    with: {prompt: what is it, images: [shot.png], files: [notes.txt]}
"""
    pipe.write("p.yml", text)
    service.decides(OPENAI.either(Said(pieces=("a cat",))))
    done = pipe("run", "p.yml", "--output", "json", env=env)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["nodes"]["a"]["output"] == "a cat"
    content = json.dumps(service.asked[0].data["messages"])
    assert "data:image/png;base64," in content
    assert "Say that all is well." in content


def test_a_missing_key_and_a_wrong_name_are_told(pipe: Shell, service: Service, project: Any) -> None:
    env = project(more="  other: {type: openai, model: m, api_key: {from: env, key: NOT_SET}}\n")
    pipe.write("p.yml", "version: 1\nnodes: {a: {agent: llm, provider: other, with: {prompt: x}}}\n")
    done = pipe("run", "p.yml", env=env)
    assert done.returncode == 1
    assert "NOT_SET" in done.stderr
    pipe.write("p.yml", "version: 1\nnodes: {a: {agent: llm, provider: sevice, with: {prompt: x}}}\n")
    checked = pipe("check", "p.yml")
    assert checked.returncode == 1
    assert "did you mean `service`?" in checked.stdout
    assert not service.asked


def test_a_case_mocks_a_model_and_is_told_what_it_would_never_say(pipe: Shell, service: Service, project: Any) -> None:
    env = project()
    pipe.write("p.yml", PIPELINE)
    cases = """
version: 1
defaults: {run: none}
cases:
  it is bad:
    mock: {triage: {output: {severity: high}}, page: {output: x}}
    expect: {outputs: {severity: high}, nodes: {page: succeeded}}
  it is not:
    mock: {triage: {output: {severity: medium}}}
    expect: {nodes: {page: skipped}}
"""
    pipe.write("p.test.yml", cases)
    done = pipe("test", "p.test.yml", env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "W701" in done.stdout + done.stderr
    assert not service.asked


def test_v1_attempts_are_those_that_the_file_declares(
    pipe: Shell, tmp_path: Path, service: Service, project: Any
) -> None:
    env = project()
    node = "{agent: llm, provider: service, retry: {max_attempts: 2, delay: 0s}, with: {prompt: x}}"
    pipe.write("p.yml", f"version: 1\nnodes: {{a: {node}}}\n")
    service.answers(OPENAI.declines("down", f"no: {KEY}"))
    done = pipe("run", "p.yml", "--output", "json", env=env)
    assert done.returncode == 1
    told = json.loads(done.stdout)["nodes"]["a"]
    assert (told["attempts"], told["error"]["kind"], len(service.asked)) == (2, "unavailable", 2)
    assert KEY not in done.stdout + done.stderr
    nowhere(tmp_path)
