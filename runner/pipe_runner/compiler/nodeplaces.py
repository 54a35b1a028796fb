"""Where nodes of a plan stand in their files, for what is found out once there is a plan."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pipe_runner.diagnostics import Diagnostic
from pipe_runner.errors import UsageError
from pipe_runner.loader import load
from pipe_runner.plan import NOTHING
from pipe_runner.text import shown_path
from pipe_runner.types import Path_

if TYPE_CHECKING:
    from pipe_runner.loader import Document
    from pipe_runner.plan import Plan, PlannedNode

_MOST = 64 * 2**20


class NodePlaces:
    """Makes diagnostics; a file is read when something of it is told, and only then."""

    def __init__(self, read: Mapping[str, Document] = NOTHING) -> None:
        """`read`: files that have been read already, by their paths from the root."""
        self._documents: dict[str, Document | None] = dict(read)

    def of_node(self, plan: Plan, node: PlannedNode, place: Path_, code: str, message: str, hint: str) -> Diagnostic:
        """A diagnostic at `place` in the node, else at what is above it, at the node's agent, or at the node."""
        file = plan.file_of(node.part)
        document = self._document(plan, file)
        base = (str(node.phase), node.id)
        if document is None:
            shown = shown_path(os.path.join(plan.root, file))
            return Diagnostic(shown, node.line, node.column, code, message, hint)
        for path in (place, place[:-1], ("agent",)):
            if path and _is_there(document.data, (*base, *path)):
                return document.diagnostic(code, message, (*base, *path), at=_at(path), hint=hint)
        return document.diagnostic(code, message, base, at="key", hint=hint)

    def at(self, plan: Plan, file: str, path: Path_, code: str, message: str, hint: str) -> Diagnostic:
        """A diagnostic at a key of a file; `file` counts from the root."""
        document = self._document(plan, file)
        if document is None:
            return Diagnostic(shown_path(os.path.join(plan.root, file)), 1, 1, code, message, hint)
        return document.diagnostic(code, message, path, at="key", hint=hint)

    def _document(self, plan: Plan, file: str) -> Document | None:
        if file not in self._documents:
            path = os.path.join(plan.root, file)
            try:
                document, _ = load(path, shown_as=shown_path(path), max_bytes=_MOST)
            except UsageError:
                self._documents[file] = None
            else:
                self._documents[file] = document if isinstance(document.data, dict) else None
        return self._documents[file]


def _at(path: Path_) -> Any:
    return "key" if path[:1] == ("with",) else "value"


def _is_there(value: Any, path: Path_) -> bool:
    for step in path:
        there = step in value if isinstance(value, dict) else isinstance(value, list) and step in range(len(value))
        if not there:
            return False
        value = value[step]
    return True
