"""A node on its way from the file to the plan."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from pipe_runner.compiler.values import Use
from pipe_runner.expressions import Compiled
from pipe_runner.plan import CachePolicy, FanOut, Value
from pipe_runner.types import Path_, Phase

if TYPE_CHECKING:
    from pipe_runner.compiler.agents import AgentInfo
    from pipe_runner.compiler.subpipelines import SubPipeline

NO_VALUES = Value({})
_NOBODY: Final[frozenset[int]] = frozenset()
_NONE: Final[set[int]] = set()
"""Never changed: most nodes have no edges, and empty sets of their own would be a tenth of what a node takes."""


class Draft:
    """What is known of a node so far; `index` is its place in the plan."""

    __slots__ = (
        "agent",
        "artifacts",
        "asks",
        "cache",
        "chosen",
        "digest",
        "env",
        "explicit",
        "fan_out",
        "id",
        "index",
        "inside",
        "needs",
        "options",
        "output_schema",
        "own_workspace",
        "part",
        "path",
        "phase",
        "priority",
        "reads",
        "spec",
        "title",
        "uses",
        "validate_options",
        "when",
        "written",
    )

    def __init__(self, id: str, index: int, phase: Phase, spec: Any) -> None:
        self.id = id
        self.index = index
        self.phase = phase
        self.part: Any = None
        """The `Part` that it stands in."""
        self.spec = spec
        self.asks = False
        """Whether its agent may ask a model, as far as the file says."""
        self.inside: SubPipeline | None = None
        """The sub-pipeline that it runs; it is its `agent`, too."""
        self.written: dict[str, Any] = {}
        """What the file says of it, where that is known."""
        self.path: Path_ = (phase.value, id)
        self.agent: AgentInfo | None = None
        self.options: Value = NO_VALUES
        self.env: Value = NO_VALUES
        self.uses: list[Use] = []
        """Every template of the node, its condition too."""
        self.when: Compiled | None = None
        self.explicit: frozenset[int] | set[int] = _NOBODY
        """Indexes of the nodes under `needs:`."""
        self.needs = _NONE
        self.reads = _NONE
        self.priority = 1
        self.digest = ""
        self.title = ""
        self.validate_options = False
        self.output_schema: Any = None
        self.chosen: Any = None
        """Of `agent: auto`: who was chosen for its task, and why."""
        self.fan_out: FanOut | None = None
        self.cache: CachePolicy | None = None
        self.artifacts: tuple[tuple[str, str], ...] = ()
        self.own_workspace = False

    def must_wait(self, indexes: Iterable[int]) -> None:
        """Nodes that must be final before this one."""
        self.needs = set() if self.needs is _NONE else self.needs
        self.needs.update(indexes)

    def has_read(self, index: int) -> None:
        """A node that its templates read."""
        self.reads = set() if self.reads is _NONE else self.reads
        self.reads.add(index)

    def again(self, id: str, index: int) -> Draft:
        """The draft of another node that is the same value of the same map, of which nothing but its id differs."""
        other = Draft(id, index, self.phase, self.spec)
        other.part, other.written, other.agent, other.asks = self.part, self.written, self.agent, self.asks
        other.options, other.env, other.digest, other.title = self.options, self.env, self.digest, self.title
        other.validate_options, other.own_workspace = self.validate_options, self.own_workspace
        other.uses = self.uses
        return other
