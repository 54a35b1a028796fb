"""What expressions may read, and how a planned node becomes an attempt."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pipe_runner.expressions import Compiled, evaluate, value_to_text
from pipe_runner.plan import Plan, PlannedNode, Value
from pipe_runner.ports import Attempt, secret_marker
from pipe_runner.run import NodeState, Run
from pipe_runner.types import Json, Phase, RunStatus

ReadBlob = Callable[[Mapping[str, Any]], Json]


class Scope:
    """Builds the names that one node's templates may use: plain JSON, and only what the node reads."""

    def __init__(self, plan: Plan, run: Run, read_blob: ReadBlob, random_bits: Callable[[int], int]) -> None:
        self._plan = plan
        self._run = self.run = run
        self._read_blob = read_blob
        self._span = random_bits(63)
        self._key = ""
        self._trace = f"00-{random_bits(128) or 1:032x}-"
        self._secrets: dict[str, Json] = {s.name: secret_marker(s.name) for s in plan.secrets}
        self._env: dict[str, Json] = {}
        self._env_text: dict[str, str] = {}
        self._compiled: dict[int, Compiled] = {}
        self._leave = frozenset([node.index for node in plan.nodes if node.artifacts])
        """Nodes that leave files."""
        self.run_status = RunStatus.RUNNING
        """What handlers read as `run.status`: how the run has gone so far."""

    def evaluate_pipeline_env(self) -> None:
        """Evaluate the pipeline's own `env:`; once, before any node. Raises ExpressionFault."""
        values = self.render(self._plan.env, self.names(()))
        assert isinstance(values, dict)
        self._env = values
        self._env_text = {name: value_to_text(v) for name, v in values.items()}

    def names(self, reads: tuple[int, ...], *, handler: bool = False) -> dict[str, Json]:
        """The scope with the state of the nodes at these indexes; handlers also see how the run went."""
        run = self._run
        about: dict[str, Json] = {
            "id": run.id,
            "started_at": run.started_at,
            "git_sha": run.git_sha,
            "attempt": run.attempt,
        }
        if handler:
            about["status"] = str(self.run_status)
            failed: list[Json] = list(run.failed)
            about["failed"] = failed
        nodes: dict[str, Json] = {}
        for index in reads:
            node = self._plan.nodes[index]
            nodes[node.id] = self._visible(run.nodes.get(node.id) or NodeState())
        return {
            "inputs": dict(run.inputs),
            "env": self._env,
            "secrets": self._secrets,
            "run": about,
            "nodes": nodes,
        }

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

    def outputs(self) -> Json:
        """The pipeline's outputs; raises ExpressionFault."""
        value = self._plan.outputs
        if value.static:
            return value.data
        by_id = self._plan.by_id()
        reads = {by_id[name].index for name in self._nodes_read(value.data) if name in by_id}
        return self.render(value, self.names(tuple(sorted(reads))))

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
        instant = "".join(c for c in self._run.started_at or "" if c.isdigit())
        self._key = f"{self._run.id}.{instant}"
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
        options, env = node.options, node.env
        if options.static and env.static:
            rendered, own = options.data, env.data
        else:
            if names is None:
                names = self.names(node.reads, handler=node.phase is not Phase.NODES)
            rendered, own = self.render(options, names), self.render(env, names)
        assert isinstance(rendered, dict)
        assert isinstance(own, dict)
        self._span += 1
        run_id = self._run.id
        attempt = Attempt(  # by position: by name it takes twice as long
            run_id,
            node.id,
            number,
            node.agent,
            rendered,
            {**self._env_text, **{k: value_to_text(v) for k, v in own.items()}} if own else self._env_text,
            plan.root,
            f"{self._key or self._make_key()}.{node.id}",
            node.secrets,
            timeout,
            plan.output_limit,
            f"{self._trace}{self._span:016x}-01",
            node.validate_options,
        )
        if node.own_workspace or (self._leave and (node.artifacts or not self._leave.isdisjoint(node.needs))):
            from pipe_runner.workspaces import files_of

            return attempt._replace(files=files_of(node, plan, self._run, self.output))
        return attempt
