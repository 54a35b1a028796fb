"""Services whose models think before they call tools, and which refuse a conversation without what was thought."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from model_servers.eventstream import message
from model_servers.service import Asked, chunked, response

THOUGHT: Final = "the user wants a sum, so I shall count\nthought-canary"
SIGNED: Final = "EqoBCkgIARABGAIiQL2UoU0b1OHYi+signature-canary=="
REDACTED: Final = base64.b64encode(b"\x00\x01 cannot be read").decode()
CALLS: Final = [("c1", "add", {"a": 1, "b": 2}), ("c2", "add", {"a": 3, "b": 4})]
USED: Final = {"prompt_tokens": 9, "completion_tokens": 3}

Message = dict[str, Any]


def said_before(asked: Asked) -> list[Message]:
    return [one for one in asked.data["messages"] if one["role"] == "assistant"]


def refused(why: str) -> list[bytes]:
    return [response({"error": {"message": why, "code": "invalid_request_error"}}, 400)]


class Chat:
    """A service of chat completions. `parts` are what is streamed of an answer that calls tools."""

    provider = "openai"

    def __init__(self, said: Message, parts: list[Message], lacks: Callable[[Message], str]) -> None:
        self.said, self.parts, self.lacks = said, parts, lacks

    def __call__(self, asked: Asked) -> list[Any]:
        turns = said_before(asked)
        for turn in turns:
            if why := self.lacks(turn):
                return refused(why)
        whole = self.said if len(turns) < 2 else {"role": "assistant", "content": "10"}
        finish = "tool_calls" if len(turns) < 2 else "stop"
        if not asked.data.get("stream"):
            return [response({"choices": [{"index": 0, "message": whole, "finish_reason": finish}], "usage": USED})]
        parts = self.parts if len(turns) < 2 else [whole]
        told = [{"choices": [{"index": 0, "delta": one}]} for one in parts]
        told += [{"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]}, {"choices": [], "usage": USED}]
        lines = [b"data: " + json.dumps(one).encode() + b"\n\n" for one in told]
        return chunked([*lines, b"data: [DONE]\n\n"], "text/event-stream")


def call(index: int, **more: Any) -> Message:
    id, name, arguments = CALLS[index]
    function = {"name": name, "arguments": json.dumps(arguments)}
    return {"index": index, "id": id, "type": "function", "function": function, **more}


def field(name: str, value: Any, pieces: list[Any]) -> Chat:
    """A service whose answers have a field that it wants back."""
    calls = [call(0), call(1)]
    said = {"role": "assistant", "content": None, name: value, "tool_calls": calls}
    parts = [{"role": "assistant", "content": None}, *({name: one} for one in pieces)]
    parts += [{"tool_calls": [one]} for one in calls]
    return Chat(said, parts, lambda turn: "" if turn.get(name, ...) == value else f"{name} must be passed back")


DETAILS = [
    {"type": "reasoning.text", "text": THOUGHT, "signature": SIGNED, "format": "anthropic-claude-v1", "index": 0},
    {"type": "reasoning.encrypted", "data": REDACTED, "id": "r1", "format": "anthropic-claude-v1", "index": 1},
    {"type": "reasoning.summary", "summary": "It counts.", "format": "openai-responses-v1", "index": 2},
]
DETAILS_IN_PIECES = [
    [{"type": "reasoning.text", "text": THOUGHT[:9], "format": "anthropic-claude-v1", "index": 0}],
    [{"type": "reasoning.text", "text": THOUGHT[9:], "signature": None, "format": "anthropic-claude-v1", "index": 0}],
    [{"type": "reasoning.text", "signature": SIGNED, "format": "anthropic-claude-v1", "index": 0}],
    [DETAILS[1]],
    [{**DETAILS[2], "summary": "It "}, {**DETAILS[2], "summary": "counts."}],
]
BLOCKS = [
    {"type": "thinking", "thinking": THOUGHT, "signature": SIGNED},
    {"type": "thinking", "thinking": "and more", "signature": SIGNED[::-1]},
    {"type": "redacted_thinking", "data": REDACTED},
    {"type": "redacted_thinking", "data": REDACTED[::-1]},
]
BLOCKS_IN_PIECES = [
    [{"type": "thinking", "thinking": THOUGHT[:3], "signature": ""}],
    [{"type": "thinking", "thinking": THOUGHT[3:], "signature": ""}],
    [{"type": "thinking", "thinking": "", "signature": SIGNED}],
    [{"type": "thinking", "thinking": "and ", "signature": ""}],
    [{"type": "thinking", "thinking": "more", "signature": ""}],
    [{"type": "thinking", "thinking": "", "signature": SIGNED[::-1]}],
    [BLOCKS[2]],
    [BLOCKS[3]],
]


def gemini(key: str = "extra_content") -> Chat:
    """Wants the first of calls that are made together to bear its mark."""
    mark = {"google": {"thought_signature": SIGNED}}
    calls = [call(0, **{key: mark}), call(1)]

    def lacks(turn: Message) -> str:
        first, second = turn["tool_calls"]
        if first.get(key) != mark or key in second:
            return "Function call is missing a thought_signature in functionCall parts."
        return ""

    said = {"role": "assistant", "content": "", "tool_calls": calls}
    return Chat(said, [{"tool_calls": [{**one, "index": 0}]} for one in calls], lacks)


def long_ids() -> Chat:
    """A gateway that puts the mark into the call's own id."""
    ids = [f"call_{number}__thought__{SIGNED * 40}" for number in (1, 2)]
    calls = [{**call(number), "id": id} for number, id in enumerate(ids)]

    def lacks(turn: Message) -> str:
        return "" if [one["id"] for one in turn["tool_calls"]] == ids else "thought_signature missing"

    said = {"role": "assistant", "content": "", "tool_calls": calls}
    return Chat(said, [{"tool_calls": [one]} for one in calls], lacks)


class Ollama:
    provider = "ollama"

    def __call__(self, asked: Asked) -> list[Any]:
        turns = said_before(asked)
        if any(turn.get("thinking") != THOUGHT for turn in turns):
            return [response({"error": "thinking is lost"}, 400)]
        done = {"done": True, "done_reason": "stop", "prompt_eval_count": 9, "eval_count": 3}
        calls = [{"function": {"name": name, "arguments": arguments}} for _, name, arguments in CALLS]
        used = {"role": "assistant", "content": "", "thinking": THOUGHT, "tool_calls": calls}
        whole = used if len(turns) < 2 else {"role": "assistant", "content": "10", "thinking": "easy"}
        if asked.data.get("stream") is False:
            return [response({"model": "m", "message": whole, **done})]
        lines: list[Message] = [{"message": {"role": "assistant", "thinking": one}} for one in whole["thinking"]]
        lines += [{"message": {**whole, "thinking": ""}}, {"message": {"role": "assistant", "content": ""}, **done}]
        return chunked([json.dumps(one).encode() + b"\n" for one in lines], "application/x-ndjson")


class Claude:
    """On Bedrock: thinks between what it says, and wants all blocks as they were."""

    provider = "bedrock"
    blocks: tuple[Message, ...] = (
        {"reasoningContent": {"reasoningText": {"text": THOUGHT, "signature": SIGNED}}},
        {"text": "I add."},
        {"reasoningContent": {"redactedContent": REDACTED}},
        {"toolUse": {"toolUseId": "c1", "name": "add", "input": {"a": 1, "b": 2}}},
        {"reasoningContent": {"reasoningText": {"text": "", "signature": SIGNED[::-1]}}},
        {"toolUse": {"toolUseId": "c2", "name": "add", "input": {"a": 3, "b": 4}}},
    )

    def wanted(self) -> list[Message]:
        return list(self.blocks)

    def __call__(self, asked: Asked) -> list[Any]:
        turns = said_before(asked)
        if any(turn["content"] != self.wanted() for turn in turns):
            why = "Expected `thinking` or `redacted_thinking`, but found `tool_use`: blocks cannot be modified"
            return [response({"message": why}, 400, {"x-amzn-ErrorType": "ValidationException"})]
        blocks = list(self.blocks) if len(turns) < 2 else [{"text": "10"}]
        stop = "tool_use" if len(turns) < 2 else "end_turn"
        usage = {"inputTokens": 9, "outputTokens": 3, "totalTokens": 12}
        if not asked.path.endswith("/converse-stream"):
            said = {"role": "assistant", "content": blocks}
            return [response({"output": {"message": said}, "stopReason": stop, "usage": usage})]
        parts = [message("messageStart", {"role": "assistant"})]
        for index, block in enumerate(blocks):
            if "toolUse" in block:
                start = {"toolUse": {key: block["toolUse"][key] for key in ("toolUseId", "name")}}
                parts.append(message("contentBlockStart", {"start": start, "contentBlockIndex": index}))
            for delta in self.deltas(block):
                parts.append(message("contentBlockDelta", {"delta": delta, "contentBlockIndex": index}))
            parts.append(message("contentBlockStop", {"contentBlockIndex": index}))
        parts += [message("messageStop", {"stopReason": stop}), message("metadata", {"usage": usage})]
        return chunked(parts, "application/vnd.amazon.eventstream")

    def deltas(self, block: Message) -> list[Message]:
        if "toolUse" in block:
            return [{"toolUse": {"input": json.dumps(block["toolUse"]["input"])}}]
        if "text" in block:
            return [{"text": piece} for piece in block["text"]]
        inner = block["reasoningContent"]
        if "redactedContent" in inner:
            return [{"reasoningContent": inner}]
        told = inner["reasoningText"]
        deltas = [{"text": piece} for piece in told["text"]]
        deltas += [{"signature": told["signature"]}] if "signature" in told else []
        return [{"reasoningContent": one} for one in deltas]


class Nova(Claude):
    """On Bedrock: its reasoning bears no signature, and it refuses what it said itself."""

    blocks = ({"reasoningContent": {"reasoningText": {"text": THOUGHT}}}, *(Claude.blocks[3::2]))

    def wanted(self) -> list[Message]:
        return list(self.blocks[1:])


CEREBRAS: Final = Chat(
    field("reasoning_content", THOUGHT, [THOUGHT]).said,
    [{"reasoning_content": THOUGHT}, {"tool_calls": [call(0)]}, {"tool_calls": [call(1)]}],
    lambda turn: "property 'messages.1.assistant.reasoning_content' is unsupported" if len(turn) > 3 else "",
)
"""Refuses what it says itself."""

THINKERS: Final[Mapping[str, Any]] = {
    "deepseek": field("reasoning_content", THOUGHT, list(THOUGHT)),
    "deepseek that thought nothing": field("reasoning_content", "", [""]),
    "groq": field("reasoning", THOUGHT, [THOUGHT[:4], THOUGHT[4:]]),
    "openrouter": field("reasoning_details", DETAILS, DETAILS_IN_PIECES),
    "litellm": field("thinking_blocks", BLOCKS, BLOCKS_IN_PIECES),
    "gemini": gemini(),
    "gemini behind litellm": gemini("provider_specific_fields"),
    "gemini by ids": long_ids(),
    "ollama": Ollama(),
    "claude": Claude(),
    "nova": Nova(),
}
