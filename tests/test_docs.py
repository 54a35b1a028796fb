"""The documentation is true: its pipelines compile, its links lead somewhere, and what is public is in it."""

from __future__ import annotations

import ast
import json
import re
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from pipe_runner.codes import CODES
from pipe_runner.compiler import compile_text
from pipe_runner.registry import Registry
from pipe_runner.testing import FakeAgent
from pipe_runner.types import ErrorKind, EventKind, NodeStatus, RunStatus
from pipe_schemas.cases import CasesSpec
from pipe_schemas.evals import EvalSpec
from pipe_schemas.nodes import KINDS, RetrySpec
from pipe_schemas.pipeline import PipelineSpec
from pipe_schemas.project import ProjectSpec

REPOSITORY = Path(__file__).resolve().parents[1]
PAGES = sorted(
    [*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md"), *(REPOSITORY / "pipelines").glob("*.md")]
)
FENCE = re.compile(r"^( *)```(\S*)[^\n]*\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page; `language` is what stands behind the fence."""

    page: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(REPOSITORY)}:{self.line}"


def blocks(language: str) -> list[Block]:
    found = []
    for page in PAGES:
        content = page.read_text(encoding="utf-8")
        for match in FENCE.finditer(content):
            if match[2] == language:
                line = content.count("\n", 0, match.start()) + 1
                text = "".join(row.removeprefix(match[1]) for row in match[3].splitlines(keepends=True))
                found.append(Block(page, line, match[2], text))
    return found


def page_text(name: str) -> str:
    return (REPOSITORY / name).read_text(encoding="utf-8")


def whole(text: str) -> str:
    """A block that shows a part of a pipeline, as a pipeline: with a version, a node, and what its expressions name.
    One that has nodes is whole as it stands: readers type it in."""
    data = yaml.safe_load(text)
    if "nodes" in data:
        return text
    added = "" if "version" in data else "version: 1\n"
    added += "nodes: {a_node: {run: echo}}\n"
    if "inputs" not in data:
        names = sorted(set(re.findall(r"\binputs\.(\w+)", text)))
        added += "inputs:\n" + "".join(f"  {name}: {{}}\n" for name in names) if names else ""
    if "secrets" not in data:
        names = set(re.findall(r"\bsecrets\.(\w+)", text))
        names.update(name for granted in re.findall(r"\bsecrets: \[([^\]]+)\]", text) for name in granted.split(", "))
        added += "secrets:\n" + "".join(f"  {name}: {{from: env}}\n" for name in sorted(names)) if names else ""
    return added + text


FILE = re.compile(r"\A# ([\w./-]+\.yml)\n")


def write_files(page: Path, folder: Path) -> None:
    """The files that a page shows: blocks whose first line names one."""
    for block in blocks("yaml"):
        named = FILE.match(block.text)
        if block.page == page and named is not None:
            path = folder / named[1]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")


# Agents that the pages write themselves.
FROM_THE_PAGES = ("shout",)
FUNCTIONS = ("add_event", "largest_file")


@pytest.mark.parametrize("block", blocks("yaml"), ids=str)
def test_yaml_in_the_docs_compiles(block: Block, tmp_path: Path) -> None:
    data = yaml.safe_load(block.text)
    if isinstance(data, dict) and "graders" in data:
        EvalSpec.model_validate(data)
        return
    if isinstance(data, dict) and "cases" in data:
        CasesSpec.model_validate(data)  # test_cases.py runs it
        return
    if isinstance(data, dict) and not data.keys() & {"nodes", "inputs", "env", "secrets"}:
        ProjectSpec.model_validate(data)
        return
    registry = Registry.installed()
    for name in FROM_THE_PAGES:
        registry.register(name, lambda name=name: FakeAgent(name, lambda options: None))  # type: ignore[misc]
    for name in FUNCTIONS:
        registry.tools.register(name, lambda: None)
    write_files(block.page, tmp_path)
    compilation = compile_text(whole(block.text), root=tmp_path, registry=registry)
    told = [f"{d.line}: {d.code} {d.message}" for d in compilation.diagnostics if d.is_error]
    assert not told, f"{block}: {told}"


@pytest.mark.parametrize("block", blocks("json"), ids=str)
def test_json_in_the_docs_is_json(block: Block) -> None:
    json.loads(block.text)


@pytest.mark.parametrize("block", blocks("python"), ids=str)
def test_python_in_the_docs_is_python(block: Block) -> None:
    ast.parse(block.text)


def anchors(page: Path) -> set[str]:
    """The names of a page's headings, as GitHub makes them."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ (.+?)\s*$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_links_lead_somewhere(page: Path) -> None:
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    wrong = []
    for target in LINK.findall(text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        if not found.exists() or (anchor and anchor not in anchors(found)):
            wrong.append(target)
    assert not wrong


def test_every_page_is_in_the_index() -> None:
    index = page_text("docs/README.md")
    pages = [p.name for p in (REPOSITORY / "docs").glob("*.md") if p.name != "README.md"]
    assert [name for name in pages if f"]({name})" not in index] == []


def test_every_code_is_explained() -> None:
    text = page_text("docs/diagnostics.md")
    assert [code for code in CODES if code not in text] == []
    assert sorted(set(re.findall(r"\b[EW]\d{3}\b", text)) - CODES.keys()) == []


def test_every_event_is_explained() -> None:
    text = page_text("docs/run-log.md")
    assert [str(kind) for kind in EventKind if f"`{kind}`" not in text] == []


def models(model: type[BaseModel], seen: set[type[BaseModel]]) -> Iterator[type[BaseModel]]:
    if model in seen:
        return
    seen.add(model)
    yield model
    for field in model.model_fields.values():
        for inner in types_in(field.annotation):
            yield from models(inner, seen)


def types_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in typing.get_args(annotation):
        yield from types_in(part)


def keys_of(*roots: type[BaseModel]) -> set[str]:
    seen: set[type[BaseModel]] = set()
    return {
        field.alias or name
        for root in roots
        for model in models(root, seen)
        for name, field in model.model_fields.items()
    }


def test_every_key_of_the_language_is_explained() -> None:
    text = page_text("docs/language.md") + page_text("docs/http.md")
    said = set(re.findall(r"`([a-zA-Z_.]+)(?:: [^`]*)?`", text))
    said |= {part for word in said for part in word.split(".")}
    later = {"group", "min_success", "files", "ttl", "items", "path", "name", "file", "include", "exclude"}
    keys = keys_of(PipelineSpec, ProjectSpec, RetrySpec, *KINDS.values()) - later - {"key", "from"}
    assert sorted(keys - said) == []


def test_every_key_of_a_file_of_tests_is_explained() -> None:
    said = set(re.findall(r"`([a-z_]+)(?:: [^`]*)?`", page_text("docs/testing.md")))
    assert sorted(keys_of(CasesSpec) - said) == []


def test_every_key_of_an_evaluation_is_explained() -> None:
    said = set(re.findall(r"`([a-z_]+)(?:: [^`]*)?`", page_text("docs/eval.md")))
    assert sorted(keys_of(EvalSpec) - said - {"name"}) == []


def test_every_status_and_kind_of_error_is_explained() -> None:
    text = page_text("docs/language.md") + page_text("docs/run-log.md")
    words = [*ErrorKind, *NodeStatus, *RunStatus]
    assert sorted({str(word) for word in words if f"`{word}`" not in text}) == []


def test_the_docs_speak_our_language() -> None:
    """One word per thing: those that others use for it appear only where their systems are named."""
    wrong = []
    for page in PAGES:
        text = re.sub(r"https?://\S+", "", FENCE.sub("", page.read_text(encoding="utf-8")))  # addresses are theirs
        for word in ("workflow", "backend", "operator"):
            wrong += [f"{page.name}: {m[0]}" for m in re.finditer(rf"[^.\n]*\b{word}s?\b[^.\n]*", text)]
    assert [line for line in wrong if "GitHub" not in line and "operators" not in line] == []
