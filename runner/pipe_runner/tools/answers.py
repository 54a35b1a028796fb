"""Answers that no server gave: what the protocol's library says of a question that got none that it can read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

NO_MCP: Final = "answers something that is no MCP"
REFUSED: Final = f"the server {NO_MCP}"
"""What stands in the place of an answer that is none."""
_STATUS: Final = "Server returned an error response"
_KIND: Final = "Unexpected content type: "
_UNREADABLE: Final = (REFUSED, "Failed to parse JSON response", "Failed to parse SSE message", _KIND)
_UNANSWERED: Final = ("server answered a request with 202 Accepted", "Redirect to ", "SSE stream ")


def fault_of(error: Any, status: int, mask: Callable[[str], str]) -> str | None:
    """What is wrong with the server, after its name; None where the error is its own. `status`: of the last answer
    over HTTP that was an error; `mask` hides secrets before one can be cut in two."""
    said = str(error.message)
    if said == _STATUS:
        return f"answers with HTTP status {status}" if status else NO_MCP
    if said.startswith(_UNREADABLE):
        _, found, kind = said.partition(_KIND)
        return f"{NO_MCP}: its content type is {_line(mask(kind))}" if found else NO_MCP
    if said.startswith(_UNANSWERED):
        return f"leaves a question without an answer: {_line(mask(said))}"
    return None


def _line(text: str) -> str:
    return "".join(c if c.isprintable() else "·" for c in " ".join(text.split()))[:300] or "none"
