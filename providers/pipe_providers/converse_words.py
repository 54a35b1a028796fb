"""Requests and answers in the words of Bedrock's Converse, whole and streamed."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from pipe_providers import media
from pipe_providers.answers import Read, called, count, counted
from pipe_providers.blocks import Blocks, put_back
from pipe_providers.ids import ids_of
from pipe_providers.schemas import told, wanted
from pipe_runner.models import Finish, Media, Message, ModelFault, ModelRequest, Reason, ToolCall, Usage

ANSWER: Final = "answer"
"""The tool by which a model gives an answer that has a schema."""
_FINISH: Final = {
    "end_turn": Finish.STOP,
    "stop_sequence": Finish.STOP,
    "max_tokens": Finish.LENGTH,
    "tool_use": Finish.TOOL_CALLS,
}
_STOPPED: Final = {"guardrail_intervened": "its guardrail declined", "content_filtered": "its content filter declined"}
_NEVER_FORCED: Final = frozenset(
    (
        *("meta", "deepseek", "openai", "qwen", "cohere", "ai21", "writer", "google", "minimax", "moonshot"),
        *("moonshotai", "nvidia", "zai"),
    )
)
"""Whose models on Bedrock refuse `any` and `tool` as `toolChoice`."""
_id: Final = ids_of(r"[A-Za-z0-9_.:-]{1,64}", 64)
_IMAGES: Final = ("png", "jpeg", "gif", "webp")
_DOCUMENTS: Final = {
    "application/pdf": "pdf",
    "text/csv": "csv",
    "application/msword": "doc",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.ms-excel": "xls",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "text/html": "html",
    "text/markdown": "md",
}


def asked(request: ModelRequest, said: Mapping[str, Any], *, stream: bool) -> dict[str, Any]:
    """The parameters of `converse` and `converse_stream`. `said`: the provider's settings."""
    words: dict[str, Any] = {"modelId": request.model}
    system = [{"text": m.text} for m in request.messages if m.role == "system" and m.text]
    if system:
        words["system"] = system
    words["messages"] = _turns(request.messages)
    inference: dict[str, Any] = {}
    for key, name in (("max_tokens", "maxTokens"), ("temperature", "temperature"), ("top_p", "topP")):
        if getattr(request, key) is not None:
            inference[name] = getattr(request, key)
    if request.stop:
        inference["stopSequences"] = list(request.stop)
    if inference:
        words["inferenceConfig"] = inference
    tools = _tools(request, said)
    if tools is not None:
        words["toolConfig"] = tools
    if request.output_schema is not None and said.get("output_schema") == "native":
        shape = {"name": ANSWER, "schema": json.dumps(wanted(request.output_schema).schema)}
        words["outputConfig"] = {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": shape}}}
    guardrail = said.get("guardrail")
    if guardrail:
        words["guardrailConfig"] = {
            "guardrailIdentifier": guardrail.get("id", ""),
            "guardrailVersion": guardrail.get("version", "DRAFT"),
        }
        if stream:  # what it would stop is not to be shown before
            words["guardrailConfig"]["streamProcessingMode"] = "sync"
    if said.get("extra_body"):
        words["additionalModelRequestFields"] = said["extra_body"]
    return words


def answer_tool(request: ModelRequest, said: Mapping[str, Any]) -> str | None:
    """The name of the tool by which the model is to answer; none of the node's own has it."""
    if request.output_schema is None or said.get("output_schema") == "native":
        return None
    name = ANSWER
    while any(tool.name == name for tool in request.tools):
        name += "_"
    return name


def _tools(request: ModelRequest, said: Mapping[str, Any]) -> dict[str, Any] | None:
    specs = [_spec(tool.name, tool.description, dict(tool.parameters)) for tool in map(told, request.tools)]
    choice: dict[str, Any] = {"any" if request.tool_choice == "required" else "auto": {}}
    answer = answer_tool(request, said)
    if answer is not None and request.output_schema is not None:
        choice = _forced(request, said, answer)
        about = "Give the final answer. It must be called once, when everything is known."
        specs.append(_spec(answer, about, wanted(request.output_schema).schema))
    if not specs:
        # Turns with calls are refused where no tool is told of.
        names = dict.fromkeys(call.name for message in request.messages for call in message.tool_calls)
        specs = [_spec(name, "It was used before.", {"type": "object"}) for name in names]
    elif request.tool_choice == "none" and answer is None and not any(m.tool_calls for m in request.messages):
        return None
    return {"tools": specs, "toolChoice": choice} if specs else None


def _forced(request: ModelRequest, said: Mapping[str, Any], answer: str) -> dict[str, Any]:
    """The choice by which a model must call a tool; one that refuses that is only told of it."""
    extra = said.get("extra_body") or {}
    thinking = [extra.get(name) for name in ("thinking", "reasoning_config")]
    thinks = any(isinstance(one, dict) and one.get("type") != "disabled" for one in thinking)
    vendors = request.model.rpartition("/")[2].split(".")[:2]
    if thinks or said.get("output_schema") == "auto" or not _NEVER_FORCED.isdisjoint(vendors):
        return {"auto": {}}
    several = bool(request.tools) and request.tool_choice != "none"
    return {"any": {}} if several or "mistral" in vendors else {"tool": {"name": answer}}


def _spec(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = {"name": name, "inputSchema": {"json": schema}}
    if description:
        spec["description"] = description
    return {"toolSpec": spec}


def _turns(messages: tuple[Message, ...]) -> list[dict[str, Any]]:
    """Turns that alternate: tools' answers belong to the user, and what one side says in a row is one turn."""
    turns: list[dict[str, Any]] = []
    files = 0
    for message in messages:
        if message.role == "system":
            continue
        role = "assistant" if message.role == "assistant" else "user"
        content = _content(message, files)
        files += len(message.media)
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += content
        elif content:
            turns.append({"role": role, "content": content})
    return turns


def _content(message: Message, files: int) -> list[dict[str, Any]]:
    if message.role == "tool":
        result: dict[str, Any] = {"toolUseId": _id(message.tool_call_id)}
        result["content"] = [{"text": message.text}] if message.text else []
        if message.failed:
            result["status"] = "error"
        return [{"toolResult": result}]
    calls: list[dict[str, Any]] = [
        {"toolUse": {"toolUseId": _id(call.id), "name": call.name, "input": dict(call.arguments)}}
        for call in message.tool_calls
    ]
    if message.thought is not None:
        return put_back(message.thought.said, calls)
    content: list[dict[str, Any]] = [{"text": message.text}] if message.text.strip() else []
    parts = [_part(one, files + number) for number, one in enumerate(message.media)]
    if not content and any("document" in part for part in parts):
        content.append({"text": "See what is attached."})  # a document needs a text beside it
    return content + parts + calls


def _part(one: Media, number: int) -> dict[str, Any]:
    kind = one.media_type.partition(";")[0]
    if media.is_image(one):
        form = {"image/jpg": "jpeg"}.get(kind, media.extension(one))
        if form in _IMAGES:
            return {"image": {"format": form, "source": {"bytes": media.content(one)}}}
    form = _DOCUMENTS.get(kind) or ("txt" if media.is_text(one) else "")
    if not form:
        what = f"{one.name or 'a file'} is {one.media_type}; Bedrock takes images, PDF, office documents and text"
        raise ModelFault(Reason.REFUSED, what, sent=False)
    stem = re.sub(r"[^A-Za-z0-9\-()\[\]]+", " ", one.name.rpartition(".")[0] or one.name).strip()[:100]
    name = f"{stem or 'document'} {number + 1}"  # names differ within a request
    return {"document": {"format": form, "name": name, "source": {"bytes": media.content(one)}}}


# ---------------------------------------------------------------- what comes back


def whole(where: str, request: ModelRequest, said: Mapping[str, Any], answer: Mapping[str, Any]) -> Read:
    """An answer that came at once. Raises ModelFault, LookupError, TypeError, AttributeError."""
    text, calls, given = [], [], None
    tool, blocks = answer_tool(request, said), Blocks()
    for index, part in enumerate(answer["output"]["message"]["content"]):
        if "text" in part:
            text.append(part["text"])
            blocks.text(index, part["text"])
        elif "citationsContent" in part:
            cited = "".join(one["text"] for one in part["citationsContent"]["content"])
            text.append(cited)
            blocks.text(index, cited)
        elif "reasoningContent" in part:
            inner = part["reasoningContent"]
            blocks.thought(index, inner.get("reasoningText", inner))
        elif "toolUse" in part:
            use = part["toolUse"]
            if use["name"] == tool:
                given = json.dumps(use["input"], ensure_ascii=False) if given is None else given
            else:
                calls.append(called(use["toolUseId"], use["name"], use["input"]))
                blocks.call(index)
    stop, usage = answer.get("stopReason"), answer.get("usage")
    read = _read(where, request, "".join(text), given, calls, stop, usage, blocks)
    return read._replace(model=_chosen(answer.get("trace")))


def _read(
    where: str,
    request: ModelRequest,
    text: str,
    given: str | None,
    calls: list[ToolCall],
    stop: Any,
    usage: Any,
    blocks: Blocks,
) -> Read:
    used = _usage(usage)
    if stop in _STOPPED:
        raise ModelFault(Reason.REFUSED, f"{where}: {_STOPPED[stop]} to answer", usage=used)
    if stop in ("malformed_model_output", "malformed_tool_use"):
        message = f"{where}: the model wrote what the service can't read ({stop})"
        raise ModelFault(Reason.INVALID_OUTPUT, message, usage=used)
    if stop == "model_context_window_exceeded":
        message = f"{where}: question and answer are longer than the model's context"
        raise ModelFault(Reason.TOO_LONG, message, usage=used)
    finish = _FINISH.get(stop, Finish.OTHER)
    if given is not None and not calls:
        text = given
        finish = Finish.STOP if finish is Finish.TOOL_CALLS else finish
    if request.output_schema is not None:
        text = wanted(request.output_schema).unwrapped(text)
    return Read(text, finish, tuple(calls), used, thought=blocks.said())


def _chosen(trace: Any) -> str:
    """The model that a prompt router has asked."""
    router = trace.get("promptRouter") if isinstance(trace, dict) else None
    model = router.get("invokedModelId") if isinstance(router, dict) else None
    return model[:300] if isinstance(model, str) else ""


def _text(value: Any) -> str:
    """Raises TypeError for what is none."""
    if not isinstance(value, str):
        raise TypeError
    return value


def _usage(data: Any) -> Usage | None:
    if not isinstance(data, dict):
        return None
    plain, wrote = count(data.get("inputTokens")), count(data.get("outputTokens"))
    cached, written = (count(data.get(f"cache{what}InputTokens"), missing=0) for what in ("Read", "Write"))
    if plain is None or cached is None or written is None:
        return None
    return counted(plain + cached + written, wrote, cached, written)  # AWS counts them apart


class Streamed:
    """Reads one streamed answer."""

    def __init__(self, where: str, request: ModelRequest, said: Mapping[str, Any], most: int) -> None:
        self._where, self._request, self._most = where, request, most
        self._tool = answer_tool(request, said)
        self._text: list[str] = []
        self._given: list[str] | None = None
        self._calls: dict[int, tuple[str, str, list[str]]] = {}
        self._blocks = Blocks()
        self._answering: set[int] = set()
        self._size = 0
        self._stop: Any = None
        self._usage: Any = None
        self._told = False
        self._model = ""

    @property
    def whole(self) -> bool:
        """Whether nothing comes any more: what was used is told last."""
        return self.stopped and self._told

    @property
    def stopped(self) -> bool:
        """Whether the model has said all."""
        return self._stop is not None

    def take(self, event: Mapping[str, Any]) -> str:
        """The piece of text that is in it. Where the answer is one tool's, its JSON is the text."""
        if "contentBlockDelta" in event:
            inner = event["contentBlockDelta"]
            return self._delta(inner["delta"], inner.get("contentBlockIndex", 0))
        if "contentBlockStart" in event:
            inner = event["contentBlockStart"]
            use, index = inner.get("start", {}).get("toolUse"), inner.get("contentBlockIndex", 0)
            if use is not None and use["name"] == self._tool and self._given is None:
                self._given = []
                self._answering.add(index)
            elif use is not None and use["name"] != self._tool:
                self._calls[index] = (use["toolUseId"], use["name"], [])
                self._blocks.call(index)
        elif "messageStop" in event:
            self._stop = event["messageStop"]["stopReason"]
            if self._tool is not None and self._given is None and not self._calls:
                return "".join(self._text)  # it said the answer instead of giving it by the tool
        elif "metadata" in event:
            last = event["metadata"]
            self._usage, self._model, self._told = last.get("usage"), _chosen(last.get("trace")), True
        return ""

    def _delta(self, delta: Mapping[str, Any], index: int) -> str:
        if not (isinstance(delta, dict) and isinstance(index, int)):
            raise TypeError
        piece = ""
        if "text" in delta:
            text = _text(delta["text"])
            self._text.append(text)
            self._blocks.text(index, text)
            piece = "" if self._tool is not None else text
            self._size += len(text)
        elif "toolUse" in delta:
            part = _text(delta["toolUse"]["input"])
            self._size += len(part)
            if index in self._answering and self._given is not None:
                self._given.append(part)
                piece = part
            elif index in self._calls:
                self._calls[index][2].append(part)
        elif "reasoningContent" in delta:
            self._size += self._blocks.thought(index, delta["reasoningContent"])
        if self._size > self._most:
            what = f"{self._where} sends more than {self._most // 2**20} MiB, which is more than an answer may take"
            raise ModelFault(Reason.INVALID_OUTPUT, what)
        return piece

    def read(self) -> Read:
        """All of it, once it has stopped."""
        calls = [called(id, name, "".join(parts)) for id, name, parts in self._calls.values()]
        given = None if self._given is None else "".join(self._given)
        text = "".join(self._text)
        read = _read(self._where, self._request, text, given, calls, self._stop, self._usage, self._blocks)
        return read._replace(model=self._model)
