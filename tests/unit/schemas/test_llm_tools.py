"""What an entry of `tools:` may be: whatever an MCP server calls its tool, as long as it can be printed."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from pipe_schemas.llm import LONGEST_NAME, ToolName

NAMES = TypeAdapter(ToolName)


@pytest.mark.parametrize("name", ["echo", "*", "a b/c", "p\u00e4ng", "repo/get", "a:b", "x.y", "e" * LONGEST_NAME])
def test_what_a_server_calls_its_tool_can_be_written(name: str) -> None:
    assert NAMES.validate_python(f"mcp:w/{name}") == f"mcp:w/{name}"


@pytest.mark.parametrize(
    "entry",
    [
        "mcp:w/",
        "mcp:w",
        "mcp:/x",
        "mcp:w w/x",
        "mcp:w/a\nb",
        "mcp:w/a\x1b[31m",
        "mcp:w/a\u202eb",
        "mcp:w/{{ inputs.x }}",
        "mcp:w/" + "e" * (LONGEST_NAME + 1),
        "function:a b",
        "function:a/b",
    ],
)
def test_what_is_no_tool_is_refused(entry: str) -> None:
    with pytest.raises(ValidationError):
        NAMES.validate_python(entry)
