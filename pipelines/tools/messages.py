"""Functions that the example of messages calls."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from pipe_runner import here


def look(folder: str, limit: int) -> int:
    """Publish each line of a folder's files that is longer, then that all have been looked at."""
    kind = folder.replace("/", "-")
    files = sorted(path for path in Path(folder).iterdir() if path.is_file())
    for path in files:
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            if len(line) > limit:
                here.publish(f"long.{kind}", {"file": path.name, "line": number, "length": len(line)})
    here.publish(f"done.{kind}", len(files))
    return len(files)


def count(pattern: str) -> dict[str, int]:
    """How many messages came, by topic, once nobody is left who could publish another."""
    counted: Counter[str] = Counter()
    for message in here.subscribe(pattern):
        counted[message.topic] += 1
    return dict(sorted(counted.items()))


def last(pattern: str) -> dict[str | None, object]:
    """What each node said last of this."""
    return {message.node: message.message for message in here.history(pattern)}
