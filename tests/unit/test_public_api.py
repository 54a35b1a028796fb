"""What other distributions may import, and that it type-checks as they use it."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import pipe_runner
from pipe_runner import errors, orchestrator, ports, testing, types

REPOSITORY = Path(__file__).resolve().parents[2]

# Removing a name from here, or from the modules, breaks others.
SURFACE: dict[ModuleType, set[str]] = {
    ports: {
        "Agent", "AgentDescription", "Attempt", "Capability", "Clock", "Command", "Context", "Emit", "Event",
        "EventSink", "Executor",
        "Journal", "Launcher", "Masker", "NodeError", "Outcome", "ProcessEnd", "RunStore", "RunSummary", "StreamMasker",
        "secret_marker",
    },
    types: {
        "Durability", "Effect", "ErrorKind", "EventKind", "Json", "JsonObject", "NodeStatus", "Phase", "RunOn",
        "RunStatus",
    },
    errors: {
        "InvalidPipeline", "LogDamaged", "MissingExtra", "NodeFault", "PipeError", "RunBusy", "StorageError",
        "Unsupported", "UsageError",
    },
    orchestrator: {"Orchestrator"},
    testing: {
        "Answer", "FakeAgent", "FakeClock", "FakeExecutor", "FakeProvider", "FinishedRun", "MemoryJournal", "failed",
        "run_pipeline", "succeeded",
    },
}  # fmt: skip

USE = '''
"""As another distribution would write it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipe_runner.errors import NodeFault
from pipe_runner.ports import Agent, AgentDescription, Attempt, Context, Outcome
from pipe_runner.testing import FakeClock, FinishedRun, run_pipeline
from pipe_runner.types import ErrorKind, EventKind, JsonObject, NodeStatus

if TYPE_CHECKING:
    from pydantic import BaseModel


class Shout:
    name = "shout"
    version = "1"

    def describe(self) -> AgentDescription:
        return AgentDescription(summary="Writes text in capitals.")

    def options_model(self) -> type[BaseModel]:
        from pydantic import BaseModel

        class Options(BaseModel):
            text: str

        return Options

    def output_schema(self, options: JsonObject) -> JsonObject:
        return {"type": "string"}

    async def perform(self, attempt: Attempt, context: Context) -> Outcome:
        text = attempt.options["text"]
        if not isinstance(text, str):
            raise NodeFault(ErrorKind.REFUSED, "text is no text")
        context.emit(EventKind.NODE_OUTPUT, {"stream": "stdout", "text": context.masker.mask_text(text)})
        await context.clock.sleep(0.1)
        return Outcome(NodeStatus.SUCCEEDED, text.upper())


agent: Agent = Shout()
clock = FakeClock()
clock.advance(1.0)
finished: FinishedRun = run_pipeline("version: 1\\nnodes: {a: {run: echo}}", inputs={"x": 1}, only=["a"])
status: str = finished.status
'''


@pytest.mark.parametrize("module", SURFACE, ids=lambda module: module.__name__)
def test_the_surface_is_there(module: ModuleType) -> None:
    assert sorted(name for name in SURFACE[module] if not hasattr(module, name)) == []


def test_what_testing_exports_is_what_it_promises() -> None:
    assert set(testing.__all__) == SURFACE[testing]


def test_everything_on_the_surface_says_what_it_is() -> None:
    without = []
    for module, names in SURFACE.items():
        tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))
        for node in tree.body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name in names and not ast.get_docstring(node):
                without.append(f"{module.__name__}.{node.name}")
    # Enumerations whose names say it.
    assert [w for w in without if not w.startswith("pipe_runner.types.")] == []


def test_the_version_is_one_and_the_same() -> None:
    import tomllib

    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == pipe_runner.__version__
    assert f"## {project['version']}" in (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_surface_type_checks_as_others_use_it(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    (tmp_path / "use.py").write_text(USE)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), "--config-file", "",
         "--follow-imports", "silent", str(tmp_path / "use.py")],
        cwd=tmp_path,
        env={"MYPYPATH": ":".join(str(REPOSITORY / root) for root in ("schemas", "runner", "agents", "providers")),
             "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_an_exception_knows_its_exit_code() -> None:
    codes = {cls.__name__: cls.exit_code for cls in _below(errors.PipeError)}
    assert codes["UsageError"] == codes["InvalidPipeline"] == codes["RunBusy"] == codes["Unsupported"] == 2
    assert codes["StorageError"] == codes["LogDamaged"] == 74
    assert set(codes.values()) <= {1, 2, 74, 75}


def _below(cls: type[errors.PipeError]) -> list[type[errors.PipeError]]:
    return [found for child in cls.__subclasses__() for found in (child, *_below(child))]
