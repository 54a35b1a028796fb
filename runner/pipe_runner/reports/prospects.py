"""What the cache of results holds for a run that has not begun: for each node with `cache:`, whether it would be taken.

Nodes are looked at in their order. What is found gives its output to those after it, so that their keys are known,
too; what depends on a node that would run is open. Nothing runs, and nothing is written.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Final, NamedTuple

from pipe_runner.compiler.given import check_handed_on
from pipe_runner.errors import ExpressionFault, UsageError
from pipe_runner.expressions import Compiled, evaluate_condition
from pipe_runner.fanout import Item, make_items
from pipe_runner.plan import CachePolicy, Plan, PlannedNode
from pipe_runner.reports.fates import Fate, Verdict
from pipe_runner.reports.planned import paths_in
from pipe_runner.resultcache.entries import Entries, Entry
from pipe_runner.resultcache.files import NotRead, digests
from pipe_runner.resultcache.key import Parts, make_parts
from pipe_runner.resultcache.misses import Misses, counts
from pipe_runner.run import NodeState, Run
from pipe_runner.scope import Scope
from pipe_runner.subplans import chosen, instance, leaves_files, secrets_of
from pipe_runner.types import Json, NodeStatus, Phase
from pipe_runner.workspaces import counted_for

_OF_ONE_RUN: Final = frozenset({"id", "started_at", "attempt", "status", "failed"})
_MEASURED: Final = frozenset({"duration", "usage"})
_MOST_ITEMS: Final = 10_000


class Found(StrEnum):
    HIT = "hit"
    MISS = "miss"
    OPEN = "open"
    """Only the run can tell."""


class Prospect(NamedTuple):
    """What the cache holds for a node, and why not; of a repeated node how many of how many items."""

    found: Found
    why: str = ""
    run: str | None = None
    """The run that made the result."""
    hits: int | None = None
    items: int | None = None

    def to_json(self) -> dict[str, Json]:
        data: dict[str, Json] = {"found": str(self.found), "why": self.why, "from": self.run}
        if self.items is not None:
            data["items"] = {"hit": self.hits, "of": self.items}
        return data


class _Open(Exception):
    """Why a key is not known before the run."""


def prospects(
    plan: Plan,
    nodes: Sequence[PlannedNode],
    inputs: Mapping[str, Json],
    fates: Mapping[str, Fate],
    *,
    only: Sequence[str] = (),
    state_dir: str,
    domain: str,
    git_sha: str | None,
    environ: Mapping[str, str],
) -> dict[str, Prospect]:
    """Of each node with `cache:` that may run, by its id, those of sub-pipelines included. Where the cache can't be
    read there is nothing in it. What a repeated sub-pipeline runs is not looked at: there is a run for that."""
    plans = (plan, *plan.subplans.values())
    if not any(node.cache is not None for one in plans for node in one.nodes):
        return {}
    run = Run(inputs=dict(inputs), git_sha=git_sha)
    shared = _Shared(run, plan, fates, only, os.path.realpath(state_dir), domain, environ)
    _Look(shared, plan, Scope(plan, run, lambda ref: None, lambda bits: 1)).at(nodes)
    return shared.found


class _Shared:
    """What is one for all files of a run."""

    def __init__(
        self,
        run: Run,
        plan: Plan,
        fates: Mapping[str, Fate],
        only: Sequence[str],
        state_dir: str,
        domain: str,
        environ: Mapping[str, str],
    ) -> None:
        self.run, self.subplans, self.fates, self.only = run, plan.subplans, fates, only
        self.state_dir, self.domain, self.environ = state_dir, domain, environ
        self.entries = Entries(state_dir)
        self.misses = Misses(self.entries, domain)
        self.files: dict[tuple[str, ...], dict[str, str]] = {}
        self.sources = {source.name: source for source in secrets_of(plan)}
        self.found: dict[str, Prospect] = {}


class _Look:
    """One file's nodes, or those of one sub-pipeline; `cut` is where the ids begin that the file has."""

    def __init__(self, shared: _Shared, plan: Plan, scope: Scope, cut: int = 0) -> None:
        self._shared, self._plan, self._scope, self._run = shared, plan, scope, shared.run
        self._by_id = {node.id[cut:]: node for node in plan.nodes}
        self._known: set[int] = set()
        """Nodes whose end and output are known before the run."""

    def at(self, nodes: Sequence[PlannedNode], unknown: str = "") -> bool:
        """Look at these nodes; gives whether the ends of all are known that run unless something fails. `unknown` says
        why no key can be made."""
        phases = list(Phase)
        no_env = unknown or self._no_env()
        for node in sorted(nodes, key=lambda one: (phases.index(one.phase), -one.priority, one.index)):
            fate = self._shared.fates.get(node.id)
            if fate is None:
                continue
            if fate.verdict is Verdict.SKIPPED:
                self._run.nodes[node.id] = NodeState(NodeStatus.SKIPPED)
                self._known.add(node.index)
            if not fate.may_run:
                continue
            if node.pipeline is not None and node.fan_out is None:
                self._inside(node, node.pipeline, no_env)
            elif node.cache is not None:
                self._shared.found[node.id] = self._node(node, no_env)
        return all(node.index in self._known for node in nodes if node.phase is not Phase.ON_FAILURE)

    def _node(self, node: PlannedNode, no_env: str) -> Prospect:
        try:
            if no_env:
                raise _Open(no_env)
            return self._items(node) if node.fan_out is not None else self._one(node)
        except _Open as open_:
            return Prospect(Found.OPEN, str(open_))
        except ExpressionFault as fault:
            return Prospect(Found.OPEN, f"its values can't be had before the run: {fault.message}")
        except (NotRead, OSError) as error:
            return Prospect(Found.MISS, f"it can't be cached: {error}")

    def _inside(self, node: PlannedNode, pipeline: str, no_env: str) -> None:
        """What a sub-pipeline runs; it gives its outputs where all of it is known."""
        plan = instance(self._shared.subplans[pipeline], node.id, node.priority)
        plan = plan._replace(subplans=self._shared.subplans)
        inputs: dict[str, Json] = {}
        try:
            if no_env:
                raise _Open(no_env)
            self._check_paths(paths_in(node.options.data), "")
            given = self._scope.render(node.options, self._scope.names_of(node))
            assert isinstance(given, dict)
            inputs = check_handed_on(plan, given)
        except _Open as open_:
            no_env = no_env or f"the inputs of {node.id}: {open_}"
        except (ExpressionFault, UsageError) as fault:
            no_env = f"the inputs of {node.id} can't be had before the run: {fault.message}"
        scope = self._scope.inside(plan, node.id, inputs)
        look = _Look(self._shared, plan, scope, len(node.id) + 1)
        if not look.at(chosen(plan, node.id, self._shared.only), no_env):
            return
        try:
            self._run.nodes[node.id] = NodeState(NodeStatus.SUCCEEDED, output=scope.outputs())
            self._known.add(node.index)
        except ExpressionFault:  # which the run will tell
            pass

    def _no_env(self) -> str:
        """Why the environment of a file is not known before the run; empty where it is."""
        try:
            for env in (self._plan.env, *(part.env for part in self._plan.parts)):
                self._check_paths(paths_in(env.data), "env: ")
            self._scope.evaluate_pipeline_env()
        except _Open as open_:
            return str(open_)
        except ExpressionFault as fault:
            return f"env: {fault.message}"
        return ""

    # ------------------------------------------------------------ nodes

    def _one(self, node: PlannedNode) -> Prospect:
        self._check(node)
        names = self._scope.names_of(node)
        parts = self._parts(node, names)
        entry, why = self._look(node, node.id, parts)
        if entry is None:
            return Prospect(Found.MISS, why)
        self._run.nodes[node.id] = _state(entry)
        self._known.add(node.index)
        return Prospect(Found.HIT, run=entry.run)

    def _items(self, node: PlannedNode) -> Prospect:
        assert node.fan_out is not None
        self._check(node)
        names = self._scope.names_of(node)
        items = make_items(node.fan_out, names, self._scope.render)
        if len(items) > _MOST_ITEMS:
            raise _Open(f"it has {len(items)} items")
        hits, asked, first, run = 0, 0, "", None
        results: list[Json] = []
        states: dict[str, NodeState] = {}
        for item in items:
            own = {**names, **item.names}
            if node.fan_out.when_of_item and not evaluate_condition(Compiled.from_json(node.when), own)[0]:
                states[item.key] = NodeState(NodeStatus.SKIPPED)
                results.append({"key": item.key, "status": "skipped", "output": None, "error": None})
                continue
            asked += 1
            entry, why = self._item(node, item, own)
            if entry is None:
                first = first or why
                continue
            hits, run = hits + 1, entry.run
            states[item.key] = _state(entry)
            results.append({"key": item.key, "status": "cached", "output": entry.output, "error": None})
        if hits < asked:
            return Prospect(Found.MISS, first, None, hits, asked)
        self._run.nodes[node.id] = NodeState(NodeStatus.SUCCEEDED, output=results)
        self._run.items[node.id] = states
        self._known.add(node.index)
        return Prospect(Found.HIT, "", run, hits, asked)

    def _item(self, node: PlannedNode, item: Item, names: Mapping[str, Json]) -> tuple[Entry | None, str]:
        unit = node._replace(id=f"{node.id}[{item.key}]")
        entry, why = self._look(unit, unit.id, self._parts(unit, names))
        return entry, why if entry is not None else f"item {item.key}: {why}"

    # ------------------------------------------------------------ keys

    def _check(self, node: PlannedNode) -> None:
        """Raises _Open where something that the key depends on is only known in the run."""
        assert node.cache is not None
        parts: list[Json] = [node.options.data, node.env.data, node.cache.key.data]
        if node.fan_out is not None:
            parts += [node.fan_out.items.data, node.fan_out.key.data]
            if node.fan_out.when_of_item:
                parts.append({"$": node.when})
        self._check_paths(paths_in(*parts), "")
        for index in (*node.needs, *(node.reads if node.own_workspace else ())):
            need = self._plan.nodes[index]
            inside = need.pipeline is not None and leaves_files(self._plan)
            counts = inside or (need.artifacts and (node.own_workspace or need.own_workspace))
            if counts and index not in self._known:
                raise _Open(f"it takes files of {need.id}, which runs")

    def _check_paths(self, paths: Sequence[tuple[str | int, ...]], where: str) -> None:
        for path in paths:
            if path[0] == "run" and (len(path) < 2 or path[1] in _OF_ONE_RUN):
                raise _Open(f"{where}it reads {'.'.join(map(str, path[:2]))}, which is of one run")
            if path[:2] == ("run", "git_sha") and self._run.git_sha is None:
                raise _Open(f"{where}it reads run.git_sha")
            if path[0] == "nodes":
                need = self._by_id.get(str(path[1])) if len(path) > 1 else None
                if need is None or need.index not in self._known:
                    raise _Open(f"{where}it reads {path[1] if len(path) > 1 else 'nodes'}, which runs")
                if len(path) < 3 or path[2] in _MEASURED:
                    raise _Open(f"{where}it reads {'.'.join(map(str, path[:3]))}")

    def _parts(self, node: PlannedNode, names: Mapping[str, Json]) -> Parts:
        policy = node.cache
        assert policy is not None
        attempt = self._scope.attempt(node, 1, None, names)
        secrets, salt = self._secrets(node)
        return make_parts(
            attempt,
            domain=self._shared.domain,
            node=policy.digest,
            agent=self._plan.agent_of(node),
            key=str(self._scope.render(policy.key, names)),
            files=self._digests(policy),
            secrets=secrets,
            salt=salt,
            artifacts=counted_for(node, self._plan, self._run, lambda state: state.output),
        )

    def _digests(self, policy: CachePolicy) -> dict[str, str]:
        if policy.files not in self._shared.files:
            self._shared.files[policy.files] = (
                digests(self._plan.root, policy.files, self._shared.state_dir) if policy.files else {}
            )
        return self._shared.files[policy.files]

    def _secrets(self, node: PlannedNode) -> tuple[dict[str, str], bytes]:
        """Those of a node's that are in the environment: no file is read for a plan. Raises _Open for others."""
        found: dict[str, str] = {}
        for name in node.secrets:
            source = self._shared.sources[name]
            value = self._shared.environ.get(source.key) if source.source == "env" else None
            if not value:
                raise _Open(f"its key counts the secret {name}, which is not read for a plan")
            found[name] = value
        salt = self._shared.entries.known_salt() if found else b""
        if salt is None:
            raise _Open("no key with a secret was ever made here")
        return found, salt

    def _look(self, node: PlannedNode, name: str, parts: Parts) -> tuple[Entry | None, str]:
        assert node.cache is not None
        entry, now = self._shared.entries.read(parts.digest()), time.time()
        if entry is None or not counts(entry, node.cache, now):
            return None, self._shared.misses.why(self._plan.path, name, parts, entry, now)
        if not all(os.path.exists(self._shared.entries.file(str(item["sha256"]))) for item in entry.artifacts):
            return None, "its cached result is damaged"
        return entry, ""


def _state(entry: Entry) -> NodeState:
    fields: dict[str, Any] = {"output": entry.output, "artifacts": tuple(entry.artifacts)}
    return NodeState(NodeStatus.CACHED, exit_code=entry.exit_code, **fields)
