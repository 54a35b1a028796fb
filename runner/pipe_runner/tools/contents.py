"""What an MCP server answers, for a model to read."""

from __future__ import annotations

import json
from typing import Any

from pipe_runner.models import ToolResult


def result_from(answer: Any) -> ToolResult:
    """The answer as text: texts as they are, what is none is named; a value without text is its JSON."""
    parts = [part for part in map(_said, answer.content or ()) if part]
    value = answer.structured_content
    if not parts and value is not None:
        parts = [json.dumps(value, ensure_ascii=False, separators=(",", ":"))]
    return ToolResult("\n".join(parts), failed=answer.is_error is True)


def _said(block: Any) -> str:
    match block.type:
        case "text":
            return str(block.text)
        case "image" | "audio":
            size = len(block.data) * 3 // 4
            return f"[{'an image' if block.type == 'image' else 'a sound'}, {block.mime_type}, {size} bytes: not shown]"
        case "resource_link":
            return f"[a link to {block.uri}{f', {block.mime_type}' if block.mime_type else ''}]"
        case "resource":
            text = getattr(block.resource, "text", None)
            if text is not None:
                return str(text)
            return f"[{block.resource.uri}, {block.resource.mime_type or 'bytes'}: not shown]"
        case other:
            return f"[a content of type {other}: not shown]"
