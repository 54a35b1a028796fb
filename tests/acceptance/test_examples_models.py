"""pipelines/ticket.yml gives the same on each of the three services, live and from its recording."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from model_servers import DIALECTS, Service, standins
from model_servers.ticket import ANSWER, FIXTURES, LOOK_UP, OUTPUTS, RECORDING, REPOSITORY, says

if TYPE_CHECKING:
    from conftest import Shell

EXAMPLE = "pipelines/ticket.yml"
MODELS = {"openai": "gpt-5-mini", "ollama": "llama3.1", "bedrock": "anthropic.claude-3-haiku-20240307-v1:0"}
KEY = "canary-key-0123456789"

every = pytest.mark.parametrize("name", sorted(DIALECTS))


@pytest.fixture
def project(pipe: Shell, tmp_path: Path) -> Path:
    """A copy of what the example needs, as a fresh checkout has it."""
    shutil.copytree(REPOSITORY / "pipelines", tmp_path / "pipelines", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(REPOSITORY / "pipe.yml", tmp_path)
    return tmp_path


def asks(project: Path, name: str, options: dict[str, Any], model: str = "gpt-5-mini") -> None:
    """The example's provider becomes one of another kind; the pipeline stays as it is."""
    entry = {"type": name, "model": model, "prices": {"*": {"input": 1, "output": 2}}, **options}
    (project / "pipe.yml").write_text(json.dumps({"version": 1, "providers": {"ticket": entry}}))


def told(pipe: Shell, *flags: str, env: dict[str, str] | None = None) -> dict[str, Any]:
    done = pipe("run", EXAMPLE, "--output", "json", *flags, env=env or {})
    assert done.returncode == 0, done.err
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def same(found: dict[str, Any]) -> None:
    """What every run of the example gives, whoever was asked."""
    assert found["outputs"] == OUTPUTS
    assert found["nodes"]["ticket"]["output"] == ANSWER
    assert found["nodes"]["ticket"]["usage"]["calls"] == 2
    assert {id: node["status"] for id, node in found["nodes"].items()} == {
        "log": "succeeded",
        "counts": "succeeded",
        "ticket": "succeeded",
        "page": "succeeded",
        "note": "skipped",
    }


def events(project: Path, kind: str) -> list[dict[str, Any]]:
    (log,) = (project / ".pipe" / "runs").glob("*/log.jsonl")
    return [event for event in map(json.loads, log.read_text().splitlines()) if event["event"] == kind]


def asked(folder: Path) -> list[Any]:
    """What a recording asked, in nobody's order; ids of calls are the service's to make up."""
    found = []
    for file in folder.iterdir():
        one = json.loads(file.read_text())["asked"]
        for message in one.get("messages", ()):
            message.pop("tool_call_id", None)
            for call in message.get("tool_calls", ()):
                call.pop("id", None)
        found.append(one)
    return sorted(found, key=lambda one: json.dumps(one, sort_keys=True))


def test_the_recording_needs_no_service_no_key_and_no_node(pipe: Shell, project: Path) -> None:
    empty = project / "bin"
    empty.mkdir()
    for program in ("sh", "tail"):
        found = shutil.which(program)
        assert found is not None
        (empty / program).symlink_to(found)
    same(told(pipe, "--replay", RECORDING, env={"PATH": str(empty)}))
    assert [(event["tool"], event["replayed"]) for event in events(project, "tool.called")] == [(LOOK_UP[0], True)]
    assert [event["replayed"] for event in events(project, "model.called")] == [True, True]


@every
def test_live_gives_what_the_recording_gives(pipe: Shell, project: Path, service: Service, name: str) -> None:
    dialect = DIALECTS[name]
    service.decides(says(dialect))
    asks(project, name, dialect.options(service.url))
    env = dialect.environ(KEY)
    same(told(pipe, "--record", "own", env=env))
    assert len(service.asked) == 2
    assert asked(project / "own") == asked(REPOSITORY / RECORDING)
    assert not any(KEY in file.read_text() for file in (project / "own").iterdir())
    reserved = events(project, "model.reserved")
    assert len(reserved) == 2
    assert all(event["node"] == "ticket" for event in reserved)

    service.close()
    same(told(pipe, "--replay", "own"))
    same(told(pipe, "--replay", RECORDING))


@every
def test_the_budget_holds_on_each(pipe: Shell, project: Path, service: Service, name: str) -> None:
    dialect = DIALECTS[name]
    service.decides(says(dialect))
    asks(project, name, dialect.options(service.url))
    entry = json.loads((project / "pipe.yml").read_text())
    entry["providers"]["ticket"]["prices"] = {"*": {"input": 1000, "output": 1000}}
    (project / "pipe.yml").write_text(json.dumps(entry))
    done = pipe("run", EXAMPLE, "--output", "json", env=dialect.environ(KEY))
    assert done.returncode == 1
    node = json.loads(done.stdout)["nodes"]["ticket"]
    assert (node["error"]["kind"], node["attempts"]) == ("budget", 1)
    assert service.asked == []


@every
def test_stand_ins_of_others_give_what_the_recording_gives(
    pipe: Shell, project: Path, tmp_path_factory: pytest.TempPathFactory, name: str
) -> None:
    folder = tmp_path_factory.mktemp("stand-ins")
    try:
        with standins.aimock(folder, FIXTURES) as url:
            if name == "bedrock":
                with standins.ministack(folder, url) as behind:
                    _asks_another(pipe, project, name, behind)
            else:
                _asks_another(pipe, project, name, url)
    except standins.NotThere as reason:
        pytest.skip(str(reason))


def _asks_another(pipe: Shell, project: Path, name: str, url: str) -> None:
    dialect = DIALECTS[name]
    asks(project, name, dialect.options(url), MODELS[name])
    same(told(pipe, "--record", "own", env=dialect.environ(KEY)))
    same(told(pipe, "--replay", "own"))
