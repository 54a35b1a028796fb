"""How an event carries an output: itself, or a reference to a blob when it is large."""

from __future__ import annotations

from typing import Any, Final

from pipe_runner.ports import Journal
from pipe_runner.run import INLINE_OUTPUT_LIMIT
from pipe_runner.runlog import encode_output
from pipe_runner.types import Json

_EXCERPT: Final = 1024


def output_fields(output: Json, journal: Journal) -> dict[str, Any]:
    """The fields in which an event carries an output."""
    if output is None or isinstance(output, (bool, int, float)):
        return {"output": output}
    if isinstance(output, str) and len(output) * 4 <= INLINE_OUTPUT_LIMIT:
        return {"output": output}
    raw, kind = encode_output(output)
    if len(raw) <= INLINE_OUTPUT_LIMIT:
        return {"output": output}
    excerpt = raw[:_EXCERPT].decode("utf-8", "replace")
    sha256 = journal.put_blob(raw)
    return {"output_ref": {"sha256": sha256, "bytes": len(raw), "type": kind, "excerpt": excerpt}}
