"""The floor of the row of functions: a loop, a heap, workers and a plain log, and nothing of what a runner is for.

`python -m bench.bare DIRECTORY COUNT` prints seconds for each node. It says how quick this machine's Python is: the
figures of two machines compare by it.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from heapq import heapify, heappop
from zlib import crc32


async def noop() -> None:
    return None


async def run(path: str, count: int) -> float:
    """Seconds for each of `count` nodes; two lines are written for each, and made durable at the end."""
    ready = [(-1, index) for index in range(count)]
    heapify(ready)
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_TRUNC)
    seq = 0

    def write(event: str, node: int, fields: dict[str, object]) -> None:
        nonlocal seq
        seq += 1
        raw = json.dumps({"v": 1, "seq": seq, "ts": time.time(), "event": event, "node": f"n{node:06}", **fields})
        os.write(fd, f'{raw[:-1]},"crc":"{crc32(raw.encode()):08x}"}}\n'.encode())

    async def work() -> None:
        while ready:
            _, index = heappop(ready)
            write("node.started", index, {})
            began = time.monotonic()
            result = await noop()
            write("node.succeeded", index, {"duration_s": time.monotonic() - began, "output": result})

    began = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(16)))
    os.fdatasync(fd)
    os.close(fd)
    return (time.perf_counter() - began) / count


if __name__ == "__main__":
    print(asyncio.run(run(os.path.join(sys.argv[1], "bare.jsonl"), int(sys.argv[2]))))
