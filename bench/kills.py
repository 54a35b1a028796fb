"""Kills the runner (SIGKILL) at random instants of a 30-node run, resumes it, and checks what was promised.

`python -m bench.kills` from the repository's top prints its figures and exits with 1 if a promise was broken. It reads
logs and processes by itself and uses nothing of the runner but its command. Linux only: it looks into /proc.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zlib
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.measure import clean_environment

WIDTH, DEPTH = 6, 5
NODES = [f"n{layer}_{place}" for layer in range(DEPTH) for place in range(WIDTH)]

# Each attempt notes that it began and that it ended. A lock that its whole process tree holds shows whether anything of
# an earlier attempt is still alive. Some nodes leave a process in a session of its own that ignores TERM.
NODE = """\
    run: |
      exec 9> "lock.$PIPE_NODE"
      flock -n 9 || echo "overlap $PIPE_NODE $PIPE_ATTEMPT" >> effects
      echo "began $PIPE_NODE $PIPE_ATTEMPT" >> effects
      {stray}sleep {seconds}
      echo "ended $PIPE_NODE $PIPE_ATTEMPT" >> effects
      printf '%s' "{given}{node}"
"""
STRAY = """setsid sh -c 'trap "" TERM; sleep 300; :' >/dev/null 2>&1 &
      """


@dataclass(slots=True)
class Figures:
    """What the campaign did and found; the last six must be zero."""

    kills: int = 0
    before_the_log: int = 0
    after_the_end: int = 0
    while_resuming: int = 0
    durable_when_killed: int = 0
    interrupted_attempts: int = 0
    longest_until_all_was_gone_s: float = 0.0
    seconds: float = 0.0
    lost: int = 0
    doubled: int = 0
    changed_outputs: int = 0
    overlapping_attempts: int = 0
    processes_left: int = 0
    failed_resumes: int = 0

    def broken(self) -> int:
        zero = (self.lost, self.doubled, self.changed_outputs, self.overlapping_attempts)
        return sum(zero) + self.processes_left + self.failed_resumes


@dataclass(frozen=True, slots=True)
class Log:
    """What a log said at one instant; read here by the rules of its description, not by the runner."""

    outputs: dict[str, Any]
    """Of the nodes whose success is durable."""
    started: Counter[str]
    finished: bool


def pipeline() -> str:
    lines = ["version: 1", "concurrency: 4", "nodes:"]
    for number, node in enumerate(NODES):
        layer, place = divmod(number, WIDTH)
        given = f"{{{{ nodes.n{layer - 1}_{place}.output }}}} " if layer else ""
        needs = f"    needs: [n{layer - 1}_{(place + 1) % WIDTH}]\n" if layer else ""
        stray = STRAY if number % 7 == 3 else ""
        seconds = (number * 7 % 5) / 100
        lines.append(f"  {node}:\n{needs}" + NODE.format(stray=stray, seconds=seconds, given=given, node=node))
    return "\n".join(lines)


def read_log(path: Path) -> Log:
    outputs: dict[str, Any] = {}
    started: Counter[str] = Counter()
    finished = False
    content = path.read_bytes() if path.exists() else b""
    for line in content.split(b"\n")[:-1]:
        found = re.fullmatch(rb'(\{.*),"crc":"([0-9a-f]{8})"\}', line)
        if found is None or f"{zlib.crc32(found[1]):08x}".encode() != found[2]:
            break
        event = json.loads(line)
        if event["event"] == "node.started":
            started[event["node"]] += 1
        elif event["event"] == "node.succeeded":
            outputs[event["node"]] = event["output"]
        finished = event["event"] == "run.finished"
    return Log(outputs, started, finished)


def processes_of(run: str) -> list[int]:
    """Every process but this one whose environment or command names the run."""
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == os.getpid():
            continue
        try:
            with open(f"/proc/{name}/environ", "rb") as environ, open(f"/proc/{name}/cmdline", "rb") as command:
                if run.encode() in environ.read() + command.read():
                    found.append(int(name))
        except OSError:
            continue
    return found


def what_is_known_of(pid: int) -> str:
    """A process that should not be there, in a line: its state, parent, session, and what it runs."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        parent = Path(f"/proc/{status[1]}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return f"left: {pid}, which has ended since"
    ours = b" ".join(word for word in environment if word.startswith(b"PIPE_")).decode(errors="replace")
    places = f"state {status[0]}, parent {status[1]} ({parent[:80]}), group {status[2]}, session {status[3]}"
    return f"left: {pid}, {places}, {ours}: {command[:200]}"


@dataclass(slots=True)
class Campaign:
    """One directory, one pipeline, many runs of it."""

    directory: Path
    chance: random.Random
    figures: Figures = field(default_factory=Figures)
    length: float = 1.0
    """Seconds that a run takes which nobody kills."""

    def command(self, *words: str) -> subprocess.Popen[bytes]:
        with open(self.directory / "stderr", "wb") as errors:
            return subprocess.Popen(
                [sys.executable, "-m", "pipe_runner", *words, "--quiet", "--output", "json"],
                cwd=self.directory,
                env=clean_environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
            )

    def log_of(self, run: str) -> Path:
        return self.directory / ".pipe" / "runs" / run / "log.jsonl"

    def effects(self) -> list[list[str]]:
        path = self.directory / "effects"
        return [line.split() for line in path.read_text().splitlines()] if path.exists() else []

    def began(self) -> Counter[str]:
        return Counter(words[1] for words in self.effects() if words[0] == "began")

    def to_go_on(self, run: str) -> tuple[str, ...]:
        """The command for what was killed: a run that has a log is resumed, before that it begins anew."""
        return ("resume", run) if self.log_of(run).exists() else ("run", "p.yml", "--run-id", run)

    def clear(self) -> None:
        (self.directory / "effects").unlink(missing_ok=True)
        for lock in self.directory.glob("lock.*"):
            lock.unlink()

    def all_gone(self, run: str, within: float) -> float | None:
        """Seconds until no process of the run was alive; None if some were after `within` seconds."""
        started = time.monotonic()
        while processes_of(run):
            if time.monotonic() - started > within:
                return None
            time.sleep(0.01)
        return time.monotonic() - started

    def one(self, run: str, kills: int) -> int:
        """One run, killed up to `kills` times, each time resumed; gives the number of kills."""
        self.clear()
        durable: dict[str, Any] = {}
        began_when_durable: dict[str, int] = {}
        done = 0
        words: tuple[str, ...] = ("run", "p.yml", "--run-id", run)
        while done < kills:
            child = self.command(*words)
            time.sleep(self.chance.uniform(0, self.length * 1.05))
            child.send_signal(signal.SIGKILL)
            killed = child.wait() == -signal.SIGKILL
            if not killed:
                self.figures.after_the_end += 1
            done += 1
            self.figures.while_resuming += words[0] == "resume"
            if self.chance.random() < 0.5:
                self.look_for_leftovers(run)
            log = read_log(self.log_of(run))
            self.figures.before_the_log += not log.started
            words = self.to_go_on(run)
            run = words[1] if words[0] == "resume" else words[3]
            began = self.began()
            for node in log.outputs.keys() - durable.keys():
                durable[node], began_when_durable[node] = log.outputs[node], began[node]
            self.figures.durable_when_killed += len(log.outputs)
            if log.finished:
                break
        self.finish(run, words, durable, began_when_durable)
        return done

    def look_for_leftovers(self, run: str) -> None:
        taken = self.all_gone(run, within=5)
        if taken is None:
            left = processes_of(run)
            self.figures.processes_left += len(left)
            print(*(what_is_known_of(pid) for pid in left), sep="\n", file=sys.stderr)
        else:
            self.figures.longest_until_all_was_gone_s = max(self.figures.longest_until_all_was_gone_s, taken)

    def finish(self, run: str, words: tuple[str, ...], durable: dict[str, Any], began_then: dict[str, int]) -> None:
        child = self.command(*words)
        code = child.wait()
        log = read_log(self.log_of(run))
        if code != 0:
            self.figures.failed_resumes += 1
            print(f"{' '.join(words)} ended with {code}: {(self.directory / 'stderr').read_text()}", file=sys.stderr)
        self.look_for_leftovers(run)
        began = self.began()
        ended = {words[1] for words in self.effects() if words[0] == "ended"}
        self.figures.lost += sum(node not in log.outputs or node not in ended for node in NODES)
        self.figures.doubled += sum(began[node] != began_then[node] for node in durable)
        self.figures.changed_outputs += sum(log.outputs.get(node) != durable[node] for node in durable)
        self.figures.changed_outputs += sum(log.outputs.get(node) != expected(node) for node in NODES)
        self.figures.overlapping_attempts += sum(words[0] == "overlap" for words in self.effects())
        self.figures.interrupted_attempts += sum(count - 1 for count in log.started.values())
        # An attempt that left an effect is in the log; one in the log may have been killed before its first effect.
        self.figures.lost += sum(began[node] > log.started[node] for node in NODES)


def expected(node: str) -> str:
    layer, place = node[1:].split("_")
    return " ".join(f"n{i}_{place}" for i in range(int(layer) + 1))


def campaign(kills: int, seed: int, directory: Path) -> Figures:
    """Runs until so many kills have been made; `directory` is used up."""
    (directory / "pipe.yml").write_text("version: 1\n")
    (directory / "p.yml").write_text(pipeline())
    work = Campaign(directory, random.Random(seed))
    started = time.monotonic()
    # A run is looked for by its id in what processes hold, so no id may be a word that others use.
    warm_up, whole = (f"{name}-{secrets.token_hex(8)}" for name in ("warm-up", "whole"))
    work.finish(warm_up, ("run", "p.yml", "--run-id", warm_up), {}, {})
    work.clear()
    began = time.monotonic()
    work.finish(whole, ("run", "p.yml", "--run-id", whole), {}, {})
    work.length = time.monotonic() - began
    number, token = 0, secrets.token_hex(4)
    while work.figures.kills < kills:
        number += 1
        wanted = min(work.chance.choice([1, 1, 2, 4]), kills - work.figures.kills)
        work.figures.kills += work.one(f"killed-{number:04}-{seed}-{token}", wanted)
    work.figures.seconds = time.monotonic() - started
    return work.figures


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.kills", description=__doc__)
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seed", type=int, default=None, help="the same instants again (default: new ones)")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    asked = parser.parse_args()
    seed = asked.seed if asked.seed is not None else random.SystemRandom().randrange(10**6)
    directory = Path(tempfile.mkdtemp(prefix="pipe-kills-"))
    try:
        figures = campaign(asked.kills, seed, directory)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    if asked.json:
        print(json.dumps({"seed": seed, **asdict(figures)}))
    else:
        print(f"seed {seed}")
        for name, value in asdict(figures).items():
            print(f"{name.replace('_', ' '):>32}  {value:g}")
    return 1 if figures.broken() else 0


if __name__ == "__main__":
    raise SystemExit(main())
