"""The example in docs/agents.md is an agent, and its pipeline runs."""

from __future__ import annotations

import importlib.util
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import jsonschema
import pytest
from pydantic import ValidationError

from pipe_runner.errors import InvalidPipeline
from pipe_runner.registry import Registry
from pipe_runner.testing import run_text

REPOSITORY = Path(__file__).resolve().parents[3]
TEXT = (REPOSITORY / "docs/agents.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


@pytest.fixture
def example(tmp_path: Path) -> Iterator[ModuleType]:
    """The example's module, imported from a file."""
    file = tmp_path / "pipe_shout.py"
    file.write_text(blocks("python")[0])
    spec = importlib.util.spec_from_file_location("pipe_shout", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["pipe_shout"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["pipe_shout"]


@pytest.fixture
def registry(example: ModuleType) -> Registry:
    found = Registry.installed()
    found.register("shout", example.ShoutAgent)
    return found


def test_the_entry_point_names_the_class(example: ModuleType) -> None:
    points = tomllib.loads(blocks("toml")[0])["project"]["entry-points"]["pipe_runner.agents"]
    module, _, attribute = points["shout"].partition(":")
    assert module == example.__name__
    assert hasattr(example, attribute)


def test_the_testing_snippet_holds(example: ModuleType) -> None:
    exec(blocks("python")[1], {"ShoutAgent": example.ShoutAgent})  # noqa: S102 - the page's own text


def test_the_examples_pipeline_runs(registry: Registry, tmp_path: Path) -> None:
    finished = run_text(blocks("yaml")[0], registry, root=tmp_path, inputs={})
    assert finished.status == "succeeded"
    assert finished.outputs == {"said": "HELLO!!"}
    assert finished.output("count") == 7
    loud = [event for event in finished.events if event.event == "node.output" and event.node == "loud"]
    assert [event.data["text"] for event in loud] == ["HELLO!!\n"]


@pytest.mark.parametrize(
    ("old", "new"),
    [("with: {text: hello, marks: 2}", "with: {txt: hello}"), ("loud.output.length", "loud.output.size")],
)
def test_the_faults_that_the_page_names_are_found_before_the_run(
    registry: Registry, tmp_path: Path, old: str, new: str
) -> None:
    assert old in blocks("yaml")[0]
    with pytest.raises(InvalidPipeline):
        run_text(blocks("yaml")[0].replace(old, new), registry, root=tmp_path, inputs={})


def test_the_example_does_what_it_declares(registry: Registry, bench: Any) -> None:
    import asyncio

    agent = registry.get("shout")
    outcome = asyncio.run(bench.perform(agent, {"text": "hello"}))
    assert outcome.output == {"text": "HELLO!", "length": 6}
    schema: Any = agent.output_schema({})
    jsonschema.validate(outcome.output, schema)
    with pytest.raises(ValidationError):
        agent.options_model().model_validate({"text": "x", "marks": 11})


def test_every_kind_in_the_pages_is_one() -> None:
    from pipe_runner.types import ErrorKind

    for page in ("python", "http", "models"):
        text = (REPOSITORY / f"docs/{page}.md").read_text(encoding="utf-8")
        rows = re.findall(r"^\| ((?:`[a-z_]+`(?:, )?)+) \| .*", text.partition("| kind |")[2], re.MULTILINE)
        kinds = {kind for row in rows for kind in re.findall(r"`([a-z_]+)`", row)}
        assert kinds
        assert kinds <= {str(kind) for kind in ErrorKind}


def test_every_option_is_in_its_page() -> None:
    for name, page in (("python", "python"), ("http", "http"), ("llm", "models")):
        text = (REPOSITORY / f"docs/{page}.md").read_text(encoding="utf-8")
        table = text.partition("| option |")[2].partition("\n\n")[0]
        documented = set(re.findall(r"^\| `([a-z_]+)` \|", table, re.MULTILINE))
        fields = Registry.installed().get(name).options_model().model_fields
        assert documented == {field.alias or key for key, field in fields.items()}
