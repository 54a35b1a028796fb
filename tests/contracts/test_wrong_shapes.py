"""Answers in which a value is of another type than its service says give a fault of ours, and no exception else."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from model_servers import DIALECTS, Said, Service, chunked, response
from model_servers.eventstream import message

from pipe_runner.models import Message, ModelFault, ModelRequest, ToolSpec

CALLS = Said(pieces=("a",), calls=(("c1", "clock", {"zone": "UTC"}),), finish="tool_calls")
CLOCK = ToolSpec("clock", "the time", {"type": "object"})
REQUEST = ModelRequest(model="m", messages=(Message("user", "x"),), tools=(CLOCK,))
WRONG: tuple[Any, ...] = (None, True, -1, 1.5, "x", [], {}, [None], {"x": 1}, 10**25)


@pytest.fixture
def bench(name: str, service: Service, provider_bench: Any) -> Any:
    return provider_bench(DIALECTS[name], service)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Of all values within a value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield (*path, key)
        yield from places(item, (*path, key))


def spoiled(value: Any) -> Iterator[Any]:
    """The value with each wrong one at each place."""
    for *above, last in places(value):
        for wrong in WRONG:
            found = copy.deepcopy(value)
            inner = found
            for step in above:
                inner = inner[step]
            inner[last] = wrong
            yield found


def asked(bench: Any, replies: list[Any], *, streamed: bool) -> None:
    """Ask once for each reply: what comes is a fault, or an answer that a log takes."""

    async def all_of_them(provider: Any) -> None:
        for reply in replies:
            bench.service.answers(reply)
            try:
                answer = await provider.generate_with_metadata(REQUEST, (lambda piece: None) if streamed else None)
            except ModelFault as fault:
                assert fault.__context__ is None
                continue
            json.dumps([answer.text, answer.model, answer.request_id], ensure_ascii=False).encode()
            assert all(type(call.name) is type(call.id) is str for call in answer.tool_calls), reply

    bench.use(all_of_them)


@pytest.mark.parametrize("name", sorted(DIALECTS))
def test_s11_a_value_of_another_type_in_a_whole_answer_is_told(name: str, bench: Any) -> None:
    asked(bench, [response(data) for data in spoiled(bench.dialect.whole(CALLS))], streamed=False)


def apart(part: bytes) -> tuple[bytes, Any, bytes]:
    """What stands before the JSON of a part, its value, and what stands behind."""
    begin = part.index(b'{"')
    data, size = json.JSONDecoder().raw_decode(part[begin:].decode("latin-1"))
    return part[:begin], data, part[begin + size :]


@pytest.mark.parametrize("name", sorted(DIALECTS))
def test_s11_a_value_of_another_type_in_a_streamed_answer_is_told(name: str, bench: Any) -> None:
    parts, replies = bench.dialect.parts(CALLS), []
    for number, part in enumerate(parts):
        if b'{"' not in part:
            continue
        before, data, behind = apart(part)
        for other in spoiled(data):
            made = before + json.dumps(other).encode() + behind
            if name == "bedrock":
                event = re.search(rb":event-type\x07..(\w+?)\r:content", before, re.S)
                assert event is not None
                made = message(event[1].decode(), other)
            replies.append(chunked([*parts[:number], made, *parts[number + 1 :]], bench.dialect.streams))
    asked(bench, replies, streamed=True)
