"""Prefixes that have subcommands: a command stands behind some (`uv run ls`), and none behind others (`uv add x`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pipe_runner.expressions.shell_model import Word

_MANAGERS: Final = frozenset(
    {"pipenv", "poetry", "pdm", "hatch", "rye", "bundle", "mise", "asdf", "uv", "conda", "micromamba", "pipx"}
    | {"direnv", "aws-vault", "op", "doppler", "dotenv", "perf"}
)
_MANAGING: Final = frozenset(
    {"activate", "add", "annotate", "archive", "bench", "build", "cache", "check", "clean", "config", "create"}
    | {"current", "deactivate", "diff", "evlist", "export", "fmt", "get", "global", "graph", "info", "init", "inject"}
    | {"install", "list", "local", "lock", "login", "ls", "new", "pip", "plugin", "publish", "read", "remove"}
    | {"report", "requirements", "script", "search", "self", "set", "show", "status", "sync", "test", "tree"}
    | {"uninstall", "update", "upgrade", "use", "venv", "version", "where", "which"}
)
"""Subcommands behind which no command stands."""
_NESTED: Final = (
    ["tool", "run"],
    ["env", "run"],
    *([name, "record"] for name in ("mem", "lock", "c2c", "sched", "kmem")),
)


def managing(words: Sequence[Word], index: int, operands: list[int]) -> list[int] | None:
    """The operands of the prefix at `index` from its subcommand on; None: no command stands behind that."""
    if words[index].text.rsplit("/", 1)[-1] not in _MANAGERS:
        return operands
    if [words[at].text for at in operands[:2]] in _NESTED:
        operands = operands[1:]
    return None if operands and words[operands[0]].text in _MANAGING else operands
