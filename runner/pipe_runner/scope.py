"""What expressions may read, and how a planned node becomes an attempt."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from pipe_runner.errors import ExpressionFault
from pipe_runner.expressions import Compiled, evaluate, value_to_text
from pipe_runner.plan import Plan, PlannedNode, Value
from pipe_runner.ports import Attempt, secret_marker
from pipe_runner.run import NodeState, Run
from pipe_runner.types import Json, NodeStatus, Phase, ReadBlob, RunStatus

if TYPE_CHECKING:
    from pipe_runner.traces import Trace

_tuple: Any = tuple.__new__  # without the call that its class would make of it: one for each attempt
_of_node = itemgetter(
    *map(PlannedNode._fields.index, ("id", "agent", "options", "env", "secrets", "part", "validate_options"))
)  # at once: one by one they take twice as long


class Scope:
    """Builds the names that one node's templates may use: plain JSON, and only what the node reads."""

    def __init__(
        self,
        plan: Plan,
        run: Run,
        read_blob: ReadBlob,
        random_bits: Callable[[int], int],
        trace: Trace | None = None,
    ) -> None:
        self._plan = plan
        self.run = run
        self._read_blob, self._random_bits = read_blob, random_bits
        self._span = random_bits(63)
        self._key = ""
        self._trace = f"00-{trace.id if trace is not None else f'{random_bits(128) or 1:032x}'}-"
        self._flags = "01" if trace is None or trace.recorded else "00"
        self._around = ""
        """What attempts are told where we make no spans: that of whoever started us."""
        if trace is not None and not trace.made and trace.parent:
            self._around = f"{self._trace}{trace.parent}-{self._flags}"
        self._told = trace if not self._around else None
        """Who makes spans of attempts is told their ids."""
        self._secrets: dict[str, Json] = {s.name: secret_marker(s.name) for s in plan.secrets}
        files = 1 + len(plan.parts)
        self._env: list[dict[str, Json]] = [{} for _ in range(files)]
        self._env_text: list[dict[str, str]] = [{} for _ in range(files)]
        self._compiled: dict[int, Compiled] = {}
        self._leave = frozenset(
            [n.index for n in plan.nodes if n.artifacts or n.own_workspace or n.pipeline is not None]
        )
        """Nodes that may leave files, or need those of others."""
        self.run_status = RunStatus.RUNNING
        """What handlers read as `run.status`: how the run has gone so far."""
        self._cut = 0
        """Characters before the ids of the file in those of the log: of a sub-pipeline, the node that runs it."""
        self._inputs: Mapping[str, Json] | None = None
        """Those of a sub-pipeline."""
        self._known_failed: tuple[int, list[Json]] = (-1, [])
        """How often something had failed, and which nodes that were."""

    def inside(self, plan: Plan, owner: str, inputs: Mapping[str, Json]) -> Scope:
        """The scope of a sub-pipeline that the node `owner` runs: it shares nothing with this one but the run."""
        scope = Scope(plan, self.run, self._read_blob, self._random_bits, self._told)
        scope._trace, scope._cut, scope._inputs = self._trace, len(owner) + 1, inputs
        scope._around = self._around
        return scope

    def evaluate_pipeline_env(self) -> None:
        """Evaluate the `env:` of every file; once, before any node. Raises ExpressionFault."""
        envs = [(self._plan.env, 0), *((part.env, part.within) for part in self._plan.parts)]
        for part, (env, within) in enumerate(envs):
            values = self._of_file("env", env, self.names((), part=part), part)
            self._env[part] = {**self._env[within], **values} if part else values
            self._env_text[part] = {name: value_to_text(v) for name, v in self._env[part].items()}

    def names_of(self, node: PlannedNode) -> dict[str, Json]:
        """The scope of a node's templates."""
        return self.names(node.reads, handler=node.phase is not Phase.NODES, part=node.part)

    def names(self, reads: tuple[int, ...], *, handler: bool = False, part: int = 0) -> dict[str, Json]:
        """The scope with the state of the nodes at these indexes, for a node of that file; handlers also see how the
        run went."""
        run = self.run
        about: dict[str, Json] = {
            "id": run.id,
            "started_at": run.started_at,
            "git_sha": run.git_sha,
            "attempt": run.attempt,
        }
        if handler:
            about["status"] = str(self.run_status)
            about["failed"] = self._failed()
        nodes: dict[str, Json] = {}
        for index in reads:
            node = self._plan.nodes[index]
            nodes[node.id[self._cut :]] = self._visible(run.nodes.get(node.id) or NodeState())
        return {
            "inputs": dict(self._plan.parts[part - 1].inputs if part else self._own_inputs()),
            "env": self._env[part],
            "secrets": self._secrets,
            "run": about,
            "nodes": nodes,
        }

    def _own_inputs(self) -> Mapping[str, Json]:
        return self.run.inputs if self._inputs is None else self._inputs

    def _failed(self) -> list[Json]:
        """The nodes of the run, or of the sub-pipeline, that failed and weren't tolerated; looked for anew only when
        another one has failed."""
        if self._known_failed[0] != self.run.fails:
            found = self.run.failed if self._inputs is None else self._failed_inside()
            self._known_failed = self.run.fails, list(found)
        return self._known_failed[1]

    def _failed_inside(self) -> list[str]:
        states = ((node.id[self._cut :], self.run.nodes.get(node.id)) for node in self._plan.nodes)
        return [id for id, s in states if s is not None and s.status is NodeStatus.FAILED and not s.tolerated]

    def _visible(self, state: NodeState) -> dict[str, Json]:
        return {
            "output": self.output(state),
            "status": str(state.status),
            "error": dict(state.error) if state.error else None,
            "exit_code": state.exit_code,
            "duration": state.duration_s,
            "attempts": state.attempts,
            "usage": dict(state.usage) if state.usage else None,
        }

    def render(self, value: Value, names: Mapping[str, Json]) -> Json:
        """The value with its templates evaluated; raises ExpressionFault."""
        if value.static:
            return value.data
        return self._render(value.data, names)

    def _render(self, data: Json, names: Mapping[str, Json]) -> Json:
        if isinstance(data, dict):
            if len(data) == 1:
                ((key, inner),) = data.items()
                if key == "$":
                    return evaluate(self._template(data), names)
                if key == "$text":
                    return value_to_text(evaluate(self._template(data), names))
                if key == "$url":
                    from pipe_runner.expressions.urls import evaluate_url

                    return evaluate_url(self._template(data), names)
                if key == "$map":
                    assert isinstance(inner, list)
                    return {pair[0]: self._render(pair[1], names) for pair in inner}  # type: ignore[index, misc]
            return {key: self._render(item, names) for key, item in data.items()}
        if isinstance(data, list):
            return [self._render(item, names) for item in data]
        return data

    def _template(self, data: dict[str, Json]) -> Compiled:
        found = self._compiled.get(id(data))
        if found is None:
            found = self._compiled[id(data)] = Compiled.from_json(next(iter(data.values())))
        return found

    def _of_file(self, key: str, value: Value, names: Mapping[str, Json], part: int = 0) -> dict[str, Json]:
        """The values under a key of a file, whose fault is told of the one that has it; raises ExpressionFault."""
        assert isinstance(value.data, dict)
        found: dict[str, Json] = {}
        for name, data in value.data.items():
            try:
                found[name] = data if value.static else self._render(data, names)
            except ExpressionFault as fault:
                at = part, (key, name)
                raise ExpressionFault(f"{key}.{name}: {fault.message}", source=fault.source, at=at) from None
        return found

    def outputs(self) -> Json:
        """The pipeline's outputs; raises ExpressionFault."""
        value = self._plan.outputs
        if value.static:
            return value.data
        by_id = {node.id[self._cut :]: node.index for node in self._plan.nodes}
        reads = {by_id[name] for name in self._nodes_read(value.data) if name in by_id}
        return self._of_file("outputs", value, self.names(tuple(sorted(reads))))

    def _nodes_read(self, data: Json) -> set[str]:
        if isinstance(data, dict):
            if len(data) == 1 and next(iter(data)) in ("$", "$text", "$url"):
                paths = (reference.path for reference in self._template(data).references)
                return {str(path[1]) for path in paths if path[0] == "nodes" and len(path) > 1}
            return set().union(*(self._nodes_read(item) for item in data.values()))
        if isinstance(data, list):
            return set().union(*(self._nodes_read(item) for item in data))
        return set()

    def _make_key(self) -> str:
        """What tells this run from every other: its id may be given twice, its first instant isn't."""
        instant = "".join(c for c in self.run.started_at or "" if c.isdigit())
        self._key = f"{self.run.id}.{instant}"
        return self._key

    def condition(self, node: PlannedNode) -> Compiled:
        return Compiled.from_json(node.when)

    def output(self, state: NodeState) -> Json:
        """What a node gave, read from its blob where it is large."""
        return state.output if state.output_ref is None else self._read_blob(state.output_ref)

    def attempt(
        self, node: PlannedNode, number: int, timeout: float | None, names: Mapping[str, Json] | None = None
    ) -> Attempt:
        """The attempt as a value, all templates rendered; raises ExpressionFault.

        `names` is what an item's templates may read.
        """
        plan = self._plan
        node_id, agent, options, env, secrets, part, validate = _of_node(node)
        rendered: Any
        own: Any
        (rendered, constant), (own, fixed) = options, env
        if not (constant and fixed):
            if names is None:
                names = self.names_of(node)
            rendered, own = self.render(options, names), self.render(env, names)
        self._span += 1
        env_text = self._env_text[part]
        if own:
            env_text = {**env_text, **{name: value_to_text(value) for name, value in own.items()}}
        values = (
            self.run.id,
            node_id,
            number,
            agent,
            rendered,
            env_text,
            plan.root,
            f"{self._key or self._make_key()}.{node_id}",
            secrets,
            timeout,
            plan.output_limit,
            self._around or f"{self._trace}{self._span.to_bytes(8, 'big').hex()}-{self._flags}",
            validate,
            "",
            None,
        )
        attempt: Attempt = _tuple(Attempt, values)
        if self._told is not None:
            self._told.spans[node_id, number] = f"{self._span:016x}"
        if self._leave and (node.own_workspace or node.artifacts or not self._leave.isdisjoint(node.needs)):
            from pipe_runner.workspaces import files_of

            return attempt._replace(files=files_of(node, plan, self.run, self.output))
        return attempt


def placed(plan: Plan, fault: ExpressionFault) -> str:
    """The sentence of a fault that belongs to no node, with its place."""
    from pipe_runner.loader.pointing import place_in

    part, path = fault.at or (0, ())
    return f"{fault.message} (in {place_in(plan.root, plan.file_of(part), path)})"
