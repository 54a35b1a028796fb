"""What is locked of a plan, and how a file that is there is added to."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipe_runner.compiler import compile_text
from pipe_runner.errors import UsageError
from pipe_runner.lockfile.contents import Contents, digest
from pipe_runner.lockfile.files import lock_text, merged, read_lock, tool_pins
from pipe_runner.registry import Registry
from pipe_runner.testing import FakeProvider

PIPELINE = """
version: 1
nodes:
  seen: {run: echo}
  ask:
    agent: llm
    provider: fake
    with:
      prompt: "What of {{ nodes.seen.output }}?"
      output_schema: {type: object, properties: {$ref: {type: string}}}
      tools: ["mcp:time/now"]
"""
PIN = "sha256:" + 64 * "0"


def locked(folder: Path, text: str = PIPELINE, **others: Any) -> dict[str, Any]:
    registry = Registry.installed()
    registry.providers.register("fake", FakeProvider(model="fake-7"))
    plan = compile_text(text, path=str(folder / "p.yml"), root=folder, registry=registry).plan
    assert plan is not None
    return Contents(registry, {}).of(plan, **others)


def write_project(folder: Path, more: str = "") -> None:
    (folder / "pipe.yml").write_text(f"version: 1\nmcp_servers: {{time: {{command: [time]{more}}}}}\n")


def test_a_model_that_only_its_provider_names_is_locked_by_name(tmp_path: Path) -> None:
    write_project(tmp_path)
    node = locked(tmp_path)["pipelines"]["p.yml"]["nodes"]["ask"]
    assert node["models"] == [{"provider": "fake", "type": "fake", "model": "fake-7"}]
    assert set(node["options"]) == {"prompt", "output_schema"}


def test_comments_order_and_quotes_change_nothing(tmp_path: Path) -> None:
    write_project(tmp_path)
    other = PIPELINE.replace("version: 1", "# a comment\nversion: 1").replace(
        "type: object, properties: {$ref: {type: string}}", 'properties: {"$ref": {type: string}}, type: "object"'
    )
    assert locked(tmp_path, other) == locked(tmp_path)


def test_a_template_is_not_what_looks_like_one(tmp_path: Path) -> None:
    write_project(tmp_path)
    text = PIPELINE.replace("What of {{ nodes.seen.output }}?", "{{ nodes.seen.output }}")
    plain = PIPELINE.replace("What of {{ nodes.seen.output }}?", "{% raw %}{{ nodes.seen.output }}{% endraw %}")
    one, two = (locked(tmp_path, each)["pipelines"]["p.yml"]["nodes"]["ask"]["options"] for each in (text, plain))
    assert one["prompt"] != two["prompt"]


def test_tools_of_a_server_are_those_that_were_listed_or_pinned(tmp_path: Path) -> None:
    write_project(tmp_path)
    bare = locked(tmp_path)["mcp_servers"]["time"]
    assert set(bare) == {"definition"}
    listed = locked(tmp_path, tool_lists={"time": PIN})["mcp_servers"]["time"]
    assert listed == {**bare, "tools": PIN}
    write_project(tmp_path, f", digest: '{PIN}'")
    assert locked(tmp_path)["mcp_servers"]["time"] == listed


def test_what_was_listed_is_kept_while_the_server_is_the_same(tmp_path: Path) -> None:
    write_project(tmp_path)
    before = locked(tmp_path, tool_lists={"time": PIN})
    assert merged(before, locked(tmp_path)) == before
    write_project(tmp_path, ", cwd: elsewhere")
    assert "tools" not in merged(before, locked(tmp_path))["mcp_servers"]["time"]


def test_pins_are_read_from_a_lock_also_where_an_editor_saved_it(tmp_path: Path) -> None:
    write_project(tmp_path)
    assert tool_pins(str(tmp_path)) == {}
    (tmp_path / "pipe.lock").write_text(lock_text(locked(tmp_path, tool_lists={"time": PIN})))
    assert tool_pins(str(tmp_path)) == {"time": PIN}
    text = (tmp_path / "pipe.lock").read_text()
    (tmp_path / "pipe.lock").write_text(text.replace("\n", "\r\n"), encoding="utf-8-sig")
    assert tool_pins(str(tmp_path)) == {"time": PIN}


def test_each_tool_is_pinned_by_its_name_whether_it_was_listed_or_pipe_yml_says_it(tmp_path: Path) -> None:
    write_project(tmp_path)
    pins = {"now": PIN}
    listed = locked(tmp_path, tool_lists={"time": pins})
    (tmp_path / "pipe.lock").write_text(lock_text(listed))
    assert read_lock(str(tmp_path)).faults == []
    assert tool_pins(str(tmp_path)) == {"time": pins}
    write_project(tmp_path, f", digest: {{now: '{PIN}'}}")
    assert locked(tmp_path) == listed


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        '{"version": 1, "mcp_servers": {"time": 3}}',
        '{"version": 1, "mcp_servers": {"t": {"tools": 3}}}',
        '{"version": 2, "mcp_servers": {}, "pins": {"t": {}}}',
        '{"mcp_servers": {}}',
        '{"version": 1, "mcp_servers": {"t": {"tools": {}}}, "mcp_servers": {}}',
    ],
)
def test_a_lock_that_can_not_be_read_is_told_to_who_holds_to_it(tmp_path: Path, text: str) -> None:
    assert tool_pins(str(tmp_path)) == {}
    (tmp_path / "pipe.lock").write_text(text)
    with pytest.raises(UsageError, match="may pin"):
        tool_pins(str(tmp_path))


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: Path(path).symlink_to("good.lock")])
def test_what_is_no_file_pins_nothing_and_holds_nobody_up(tmp_path: Path, make: Callable[[str], None]) -> None:
    (tmp_path / "good.lock").write_text('{"version": 1, "mcp_servers": {}}')
    make(str(tmp_path / "pipe.lock"))
    with pytest.raises(UsageError, match="may pin"):
        tool_pins(str(tmp_path))


def test_a_digest_does_not_depend_on_the_order_of_keys() -> None:
    assert digest({"a": 1, "b": [1, 2]}) == digest({"b": [1, 2], "a": 1}) != digest({"a": 1, "b": [2, 1]})
