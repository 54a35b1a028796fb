"""Messages in the words of chat completions."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from pipe_providers import media
from pipe_providers.ids import Ids
from pipe_providers.thoughts import put_back
from pipe_runner.models import Media, Message


def told_messages(messages: Iterable[Message], ids: Ids = str) -> list[dict[str, Any]]:
    """All of them; what the system says first in one, since many servers take no second one."""
    told = [_message(message, ids) for message in messages]
    while len(told) > 1 and told[0]["role"] == told[1]["role"] == "system":
        told[0]["content"] += f"\n\n{told.pop(1)['content']}"
    return told


def _message(message: Message, ids: Ids) -> dict[str, Any]:
    if message.role == "tool":
        text = f"error: {message.text}" if message.failed else message.text
        return {"role": "tool", "tool_call_id": ids(message.tool_call_id), "content": text}
    data: dict[str, Any] = {"role": message.role, "content": message.text}
    if message.media:
        parts = [{"type": "text", "text": message.text}] if message.text else []
        data["content"] = parts + [_file(one) for one in message.media]
    if message.tool_calls:
        data["content"] = message.text or None
        data["tool_calls"] = [
            {
                "id": ids(call.id),
                "type": "function",
                "function": {"name": call.name, "arguments": json.dumps(dict(call.arguments))},
            }
            for call in message.tool_calls
        ]
    if message.thought is not None:
        put_back(message.thought.said, data)
    return data


def _file(one: Media) -> dict[str, Any]:
    if media.is_image(one):
        return {"type": "image_url", "image_url": {"url": media.data_url(one)}}
    if one.media_type in ("audio/wav", "audio/x-wav", "audio/mpeg", "audio/mp3"):
        form = "wav" if "wav" in one.media_type else "mp3"
        return {"type": "input_audio", "input_audio": {"data": one.data, "format": form}}
    if media.is_text(one):
        return {"type": "text", "text": media.as_text(one)}
    return {"type": "file", "file": {"filename": media.file_name(one), "file_data": media.data_url(one)}}
