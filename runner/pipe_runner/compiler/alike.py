"""Nodes that are one value of the file, as aliases make them, are compiled once (R2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pipe_runner.compiler.drafts import Draft
from pipe_runner.types import Phase
from pipe_schemas.nodes import ArgvNode, RunNode

if TYPE_CHECKING:
    from pipe_runner.compiler.parts import Part


def draft_each(part: Part, phase: Phase, nodes: Mapping[str, Any], drafts: list[Draft]) -> None:
    """Add a draft of each of these nodes."""
    found, compiler = part.report.found, part.compiler
    shared = len(set(map(id, nodes.values()))) < len(nodes)
    known: dict[int, Draft] = {}
    for name, spec in nodes.items():
        if shared and (like := known.get(id(spec))) is not None:
            drafts.append(like.again(name, len(drafts)))
            continue
        told = len(found)
        draft = compiler.draft(name, len(drafts), phase, spec)
        drafts.append(draft)
        if shared and len(found) == told and _is_plain(draft):
            known[id(spec)] = draft


def _is_plain(draft: Draft) -> bool:
    """Whether all that is known of the node follows from its value alone."""
    return (
        type(draft.spec) in (RunNode, ArgvNode)
        and not draft.uses
        and draft.when is None
        and draft.fan_out is None
        and draft.cache is None
        and not draft.artifacts
        and draft.path not in draft.part.stand_ins
    )
