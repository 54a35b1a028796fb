"""What stands for a status and for data in a page: a sign beside every colour, and text that no browser obeys."""

from __future__ import annotations

from html import escape
from typing import Final

from pipe_runner.text import printable
from pipe_runner.types import NodeStatus

MARKS: Final[dict[str, str]] = {
    NodeStatus.SUCCEEDED: "✓",
    NodeStatus.CACHED: "≡",
    NodeStatus.FAILED: "✗",
    NodeStatus.BLOCKED: "⊘",
    NodeStatus.SKIPPED: "–",
    NodeStatus.CANCELLED: "■",
    NodeStatus.UNKNOWN: "?",
    NodeStatus.WAITING: "‖",
    NodeStatus.RUNNING: "▸",
    NodeStatus.QUEUED: "…",
    NodeStatus.PENDING: "·",
}
"""One sign for each status of a node, so that a picture can be read without its colours."""


def shown(text: str) -> str:
    """Data as text of a page, or of an attribute in double quotes: what acts on a reader is shown escaped (S7).

    Also what a CI would take for a command, since the page may go to stdout.
    """
    safe = escape(printable(text, newlines=True, tabs=True), quote=True)
    return safe.replace("::", "&#58;:").replace("##", "&#35;#")


def one(text: str, room: int = 200) -> str:
    """The first line of some data, cut, as `shown` shows it."""
    line, _, more = text.strip().partition("\n")
    cut = len(line) > room or bool(more.strip())
    return shown(line[:room] + (" …" if cut else ""))
