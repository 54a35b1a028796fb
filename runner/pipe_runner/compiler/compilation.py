"""What compiling a file gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pipe_runner.diagnostics import Diagnostic
from pipe_runner.loader import Document
from pipe_runner.plan import Plan


@dataclass(frozen=True, slots=True)
class Compilation:
    """A plan, or the reasons why there is none; warnings stand beside a plan too."""

    plan: Plan | None
    diagnostics: list[Diagnostic]
    """In the order of the file."""
    document: Document
    targets: Mapping[str, str] = field(default_factory=dict)
    """`module:attribute` of each agent that the plan uses, for `Registry.from_targets`."""
    watched: tuple[str, ...] = ()
    """Files beside the pipeline's own whose change makes the plan stale: pipe.yml, sources of agents."""
    files: tuple[tuple[str, str, str], ...] = ()
    """The other files that the pipeline is made of: path, path with links resolved, digest of the content."""
    content: bytes = b""
    """What was compiled, as the plan cache wants it."""
