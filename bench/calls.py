"""The row of model calls: many at once, with everything on that a call can have, and what each client costs."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from bench.files import place
from bench.measure import Failed, clean_environment, measure, medians

if TYPE_CHECKING:
    from bench.rows import Bench, Row

SECONDS = 0.2
AT_ONCE = 100
PROVIDERS = {
    "openai": "{base_url: URL/v1, api_key: {from: env, key: BENCH_KEY}, model: gpt-4o-mini",
    "ollama": "{base_url: URL, model: llama3.2",
    "bedrock": "{endpoint_url: URL, region: eu-west-1, model: amazon.nova-lite-v1:0",
}
BARE = "aiohttp alone: the same requests, and nothing around them"
KEYS = {"BENCH_KEY": "not-a-key", "AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none"}


@contextmanager
def answering(provider: str) -> Iterator[str]:
    """A service that answers after `SECONDS`; gives its address."""
    command = [sys.executable, "-m", "bench.answering", provider, str(SECONDS)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=clean_environment()
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.stdin.close()


def pipeline(directory: Path, provider: str, url: str, count: int) -> Path:
    """Items that each ask once, within a limit and a budget."""
    limits = f", limits: {{concurrency: {AT_ONCE}}}, prices: {{'*': {{input: 0.1, output: 0.1}}}}}}"
    text = (
        f"version: 1\nconcurrency: {AT_ONCE}\nbudget: {{max_cost: 1000, max_tokens: 1000M}}\nnodes:\n"
        f"  list: {{agent: python, with: {{call: 'listing.py:numbers'}}}}\n"
        "  ask:\n    for_each: {items: '{{ nodes.list.output }}'}\n    agent: llm\n"
        f"    provider: {provider}\n    with: {{prompt: 'Say {{{{ item }}}}.', max_tokens: 16}}\n"
    )
    path = place(directory, "calls.yml", text)
    (directory / "listing.py").write_text(f"def numbers():\n    return list(range({count}))\n")
    said = PROVIDERS[provider].replace("URL", url)
    (directory / "pipe.yml").write_text(f"providers:\n  {provider}: {said}{limits}\n")
    return path


def span(directory: Path) -> float:
    """Seconds from the start of the first item to the end of the last, by the log."""
    (log,) = (directory / ".pipe" / "runs").glob("*/log.jsonl")
    times = []
    for line in log.read_bytes().splitlines():
        event = json.loads(line)
        if event["event"] in ("node.started", "node.succeeded") and str(event.get("node", "")).startswith("ask["):
            times.append(datetime.fromisoformat(event["ts"]))
    if not times:
        raise Failed("no call was made")
    return (max(times) - min(times)).total_seconds()


def _bare(url: str, count: int) -> float:
    """Seconds of the client alone."""
    command = [sys.executable, "-m", "bench.bare_calls", url, str(count), str(AT_ONCE)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=clean_environment(), check=True)
    return float(done.stdout)


def calls(bench: Bench) -> list[Row]:
    """500 calls of 200 ms, 100 at once, with log, limit, budget and spans; and the CPU that each client takes."""
    from bench.rows import Beside, Row

    count = bench.scaled(500)
    ideal = SECONDS * max(count / AT_ONCE, 1)
    walls: dict[str, float] = {}
    beside: list[Beside] = []
    for provider in PROVIDERS:
        directory = bench.directory(f"calls-{provider}")
        with answering(provider) as url:
            path = pipeline(directory, provider, url, count)
            used: list[float] = []
            env = {**KEYS, "OTEL_EXPORTER_OTLP_ENDPOINT": url}

            def once(
                path: Path = path, directory: Path = directory, used: list[float] = used, env: Mapping[str, str] = env
            ) -> float:
                bench.forget_runs(path)
                done = measure([bench.pipe, "run", "--quiet", str(path)], directory, env)
                used.append(done.cpu)
                return span(directory)

            works: dict[str, Callable[[], float]] = {provider: once}
            if provider == "openai":
                works[BARE] = lambda url=url: _bare(url, count)  # type: ignore[misc]
            found = medians(works, bench.times(5))
            walls[provider] = found[provider]
            alone = pipeline(bench.directory(f"calls-{provider}-one"), provider, url, 1)
            one = [measure([bench.pipe, "run", "--quiet", str(alone)], alone.parent, env).cpu for _ in "abc"]
        each = (sorted(used)[len(used) // 2] - sorted(one)[1]) / count
        beside.append(
            Beside(
                f"{provider}: the time, and CPU for each call",
                f"{walls[provider]:.2f} s, {each * 1000:.2f} ms",
                walls[provider] / ideal,
            )
        )
        if BARE in found:
            beside.append(Beside(BARE, f"{found[BARE]:.2f} s", walls[provider] / found[BARE]))
    worst = max(walls, key=lambda name: walls[name])
    work = f"{count} calls of models of {SECONDS * 1000:.0f} ms, {AT_ONCE} at once, with log, limits, budget and spans"
    against = f"the ideal {ideal:g} s (the slowest: {worst})"
    return [Row(work, f"{walls[worst]:.2f} s", walls[worst] / ideal, 1.25, 1.1, "×", against, beside)]
