"""The row of logs: a gigabyte in five formats, made by a seeded generator, beside `grep -c` and the template miner."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from bench.files import place
from bench.measure import clean_environment, measure, medians

if TYPE_CHECKING:
    from bench.rows import Bench, Row

BEGIN = 1772323200
"""2026-03-01, UTC; one line each 30 ms on average."""
STEP = 0.03
USERS = ("root", "admin", "deploy", "alice", "bob", "oracle", "test", "postgres")
PATHS = ("/", "/api/v1/items", "/api/v1/orders/{}", "/login", "/static/app.js", "/search?q={}", "/health", "/cart/{}")
TASKS = ("sync", "import", "index", "mail", "cleanup", "billing")


def stamps(pattern: str) -> Iterator[str]:
    """Times that go on, each second formatted once."""
    at, last, text = float(BEGIN), -1, ""
    while True:
        at += STEP
        if int(at) != last:
            last = int(at)
            text = time.strftime(pattern, time.gmtime(last))
        yield text


def syslog(rng: random.Random) -> Iterator[str]:
    for when in stamps("%b %e %H:%M:%S"):
        pid, ip, port = rng.randrange(1000, 30000), f"203.0.113.{rng.randrange(256)}", rng.randrange(1024, 65536)
        user, kind = rng.choice(USERS), rng.random()
        if kind < 0.3:
            said = f"sshd[{pid}]: Failed password for {user} from {ip} port {port} ssh2"
        elif kind < 0.6:
            said = f"CRON[{pid}]: pam_unix(cron:session): session opened for user {user}(uid=0) by (uid=0)"
        elif kind < 0.9:
            said = f"systemd[1]: Started Session {pid} of user {user}."
        else:
            said = f"kernel: [{port}.{pid:06}] IN=eth0 OUT= SRC={ip} DST=10.0.0.5 LEN={pid % 1500} PROTO=TCP DPT={port}"
        yield f"{when} web1 {said}\n"


def access(rng: random.Random) -> Iterator[str]:
    for when in stamps("%d/%b/%Y:%H:%M:%S +0000"):
        status = rng.choices((200, 304, 404, 500, 502), (900, 50, 40, 8, 2))[0]
        path = rng.choice(PATHS).format(rng.randrange(100000))
        yield (
            f'198.51.100.{rng.randrange(256)} - - [{when}] "GET {path} HTTP/1.1" {status} {rng.randrange(90000)} "-" '
            f'"Mozilla/5.0 (X11; Linux x86_64; rv:{rng.randrange(90, 140)}.0) Gecko/20100101" {rng.random():.3f}\n'
        )


def lines_of_json(rng: random.Random) -> Iterator[str]:
    for when in stamps("%Y-%m-%dT%H:%M:%S.000Z"):
        level = rng.choices(("info", "debug", "warning", "error"), (80, 12, 6, 2))[0]
        yield (
            f'{{"time":"{when}","level":"{level}","msg":"job {rng.choice(TASKS)} done in {rng.randrange(5000)} ms",'
            f'"request_id":"{rng.getrandbits(64):016x}","user":{rng.randrange(10000)}}}\n'
        )


def java(rng: random.Random) -> Iterator[str]:
    for when in stamps("%Y-%m-%d %H:%M:%S,000"):
        thread, number = rng.randrange(64), rng.randrange(100000)
        if rng.random() < 0.01:
            yield f"{when} [worker-{thread}] ERROR com.example.Orders - order {number} failed\n"
            yield "java.lang.IllegalStateException: no such order\n"
            yield "\tat com.example.Orders.find(Orders.java:120)\n" * 8
        else:
            yield f"{when} [worker-{thread}] INFO com.example.Orders - order {number} stored by {rng.choice(USERS)}\n"


def traced(rng: random.Random) -> Iterator[str]:
    """Lines of which each has an id that makes it different."""
    for when in stamps("%Y-%m-%dT%H:%M:%SZ"):
        yield f"{when} INFO handler {rng.choice(TASKS)} trace={rng.getrandbits(128):032x} took={rng.randrange(900)}ms\n"


KINDS: dict[str, Callable[[random.Random], Iterator[str]]] = {
    "syslog": syslog,
    "access": access,
    "json": lines_of_json,
    "java": java,
    "traced": traced,
}


def make(directory: Path, total: int) -> list[Path]:
    """One file for each format, together of that many bytes; the same ones each time."""
    directory.mkdir(parents=True, exist_ok=True)
    made = []
    for number, (name, lines) in enumerate(KINDS.items()):
        path = directory / f"{name}.log"
        size = total // len(KINDS)
        if not path.exists() or path.stat().st_size < size:
            with open(path, "w", encoding="ascii") as file:
                written, block = 0, []
                for line in lines(random.Random(number)):
                    block.append(line)
                    written += len(line)
                    if len(block) >= 10_000 or written >= size:
                        file.writelines(block)
                        block.clear()
                    if written >= size:
                        break
        made.append(path)
    return made


MINER = """
import sys, time
from drain3.drain import Drain
drain = Drain()
lines = [line for path in sys.argv[2:] for line in open(path).readlines(int(sys.argv[1]))]
size = sum(map(len, lines))
started = time.process_time()
for line in lines:
    drain.add_log_message(line)
print((time.process_time() - started) / size)
"""


def logs(bench: Bench) -> list[Row]:
    """1 GB in five formats, whole process; by CPU time, since one thread does all the work."""
    from bench.rows import MIB, Beside, Row

    total = bench.scaled(10**9)
    directory = bench.directory("logs")
    paths = make(directory / "made", total)
    total = sum(path.stat().st_size for path in paths)
    with_ = "{paths: 'made/*.log', timezone: UTC, baseline: none}"
    path = place(directory, "logs.yml", f"version: 1\nnodes:\n  logs: {{agent: log_analysis, with: {with_}}}\n")
    peaks: list[int] = []

    def timed() -> float:
        found = bench.run(path)
        peaks.append(found.rss)
        return found.cpu

    greps = ["grep", "-c", "ERROR", *map(str, paths)]
    found = medians({"pipe": timed, "grep": lambda: measure(greps, directory).cpu}, bench.times(3), warm_up=False)
    rate = total / found["pipe"]
    part = bench.scaled(4 * 10**6)
    command = [sys.executable, "-c", MINER, str(part), *map(str, paths)]
    done = subprocess.run(command, env=clean_environment(), capture_output=True, text=True, check=True)
    mined = 1 / float(done.stdout)
    alone = []
    for one in paths:
        with_ = f"{{paths: 'made/{one.name}', timezone: UTC, baseline: none}}"
        text = f"version: 1\nnodes:\n  logs: {{agent: log_analysis, with: {with_}}}\n"
        single = place(bench.directory("logs"), f"{one.stem}.yml", text)
        seconds = measure([bench.pipe, "run", "--quiet", str(single)], directory).cpu
        alone.append(f"{one.stem} {one.stat().st_size / seconds / 1e6:.0f}")
    beside = [
        Beside(
            "`grep -c ERROR`",
            f"{total / found['grep'] / 1e6:.0f} MB for a second of CPU",
            found["pipe"] / found["grep"],
        ),
        Beside(
            f"drain3 alone, on {len(paths)} × {part / 1e6:g} MB of the same lines",
            f"{mined / 1e6:.1f} MB for a second of CPU",
            mined / rate,
        ),
        Beside("each format for itself, MB for a second of CPU", ", ".join(alone)),
    ]
    work = f"{total / 1e9:g} GB of logs in {len(paths)} formats, `agent: log_analysis`, whole process"
    memory = max(peaks) / MIB
    return [
        Row(
            work,
            f"{rate / 1e6:.0f} MB for a second of CPU",
            rate / 1e6,
            25,
            50,
            "MB/s",
            "",
            beside,
            more_is_better=True,
        ),
        Row("memory of that", f"{memory:.0f} MiB", memory, 300, None, "MiB", ""),
    ]
