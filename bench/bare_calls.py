"""The floor of the row of calls: the same requests by the same HTTP client, a hundred at once, and nothing around them.

It knows no log, limit, budget or span, and reads no answer. `python -m bench.bare_calls URL COUNT AT_ONCE` prints
seconds. It says how quick this machine is at that: the figures of two machines compare by it.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

import aiohttp


async def run(url: str, count: int, at_once: int) -> float:
    """Seconds for all calls."""
    left = list(range(count))
    body = {"model": "gpt-4o-mini", "stream": True, "stream_options": {"include_usage": True}, "max_tokens": 16}

    async def work(client: aiohttp.ClientSession) -> None:
        while left:
            asked = {**body, "messages": [{"role": "user", "content": f"Say {left.pop()}."}]}
            async with client.post(f"{url}/v1/chat/completions", data=json.dumps(asked)) as answer:
                await answer.read()

    connector = aiohttp.TCPConnector(limit=at_once)
    headers = {"Authorization": "Bearer none", "Content-Type": "application/json"}
    async with aiohttp.ClientSession(connector=connector, headers=headers) as client:
        began = time.perf_counter()
        await asyncio.gather(*(work(client) for _ in range(at_once)))
        return time.perf_counter() - began


if __name__ == "__main__":
    print(asyncio.run(run(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))))
