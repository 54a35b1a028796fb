"""Makes the plan of one file whose text is data already."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast

from pipe_runner.compiler.agents import Agents
from pipe_runner.compiler.checks import check_types
from pipe_runner.compiler.contexts import of_pipeline
from pipe_runner.compiler.drafts import NO_VALUES, Draft
from pipe_runner.compiler.graph import order
from pipe_runner.compiler.inputs import compile_inputs
from pipe_runner.compiler.kinds import ANY, Schema
from pipe_runner.compiler.nodes import NodeCompiler, check_names
from pipe_runner.compiler.places import positions
from pipe_runner.compiler.references import Declared, References, output_of
from pipe_runner.compiler.report import Report, TooManyFaults, listed, short
from pipe_runner.compiler.shape import Shape
from pipe_runner.compiler.values import Use, Values
from pipe_runner.diagnostics import Diagnostic
from pipe_runner.loader import Document
from pipe_runner.plan import NO_RETRY, Plan, PlannedInput, PlannedNode, RetryPolicy, SecretSource, Value
from pipe_runner.types import Effect, Phase, RunOn
from pipe_schemas.durations import parse_duration
from pipe_schemas.pipeline import ConcurrencySpec, PipelineSpec

if TYPE_CHECKING:
    from pipe_runner.project import Project
    from pipe_runner.registry import Registry
    from pipe_schemas.nodes import RetrySpec


class Build:
    """One compilation; `report` has its faults, `agents` the agents that it met."""

    def __init__(
        self, document: Document, faults: Iterable[Diagnostic], root: str, registry: Registry, project: Project
    ) -> None:
        self.report = Report(document, faults)
        self.agents = Agents(registry, self.report)
        self._document = document
        self._root = root
        self._project = project
        self._retries: dict[Any, RetryPolicy] = {}

    def plan(self, path: str, digest: str) -> Plan | None:
        """The plan, or None where anything is wrong."""
        data = self._document.data
        assert isinstance(data, dict)
        try:
            return self._plan(data, path, digest)
        except TooManyFaults:
            return None

    def watched(self) -> tuple[str, ...]:
        """Files beside the pipeline's own that the plan depends on."""
        found = {self._project.path}
        for info in self.agents.used():
            module = sys.modules.get(type(info.agent).__module__)
            file = getattr(module, "__file__", None)
            if file:
                found.add(os.path.abspath(file))
        return tuple(sorted(found))

    def _plan(self, data: dict[str, Any], path: str, digest: str) -> Plan | None:
        report = self.report
        shape = Shape(report, of_pipeline)
        spec = shape.check(PipelineSpec, data)
        if spec is None:
            return None
        self._not_yet(spec)
        inputs = compile_inputs(spec.inputs, report)
        secrets = self._secrets(spec)
        drafts = self._drafts(spec, data, shape)
        declared = self._declared(spec, data, inputs, drafts)
        references = References(declared, report)
        self._needs(drafts, declared)
        for draft in drafts:
            if draft.uses:
                references.edges(draft)
        values = Values(report)
        uses: list[Use] = []
        check_names(spec.env, ("env",), report)
        env = values.compile(spec.env, ("env",), "pipeline env", uses, text=True)
        group = self._group(spec, values, uses)
        outputs = values.compile(spec.outputs, ("outputs",), "outputs", uses)
        references.check(uses)
        order(drafts, report)
        for draft in drafts:
            if draft.uses:
                check_types(draft, references, report)
        if report.failed:
            return None
        plan = self._frozen(spec, path, digest, drafts, inputs, secrets, env, outputs)
        if group is None:
            return plan
        return plan._replace(group=group, cancel_in_progress=cast(ConcurrencySpec, spec.concurrency).cancel_in_progress)

    # ------------------------------------------------------------ the file's own keys

    def _not_yet(self, spec: PipelineSpec) -> None:
        add = self.report.add
        if spec.include:
            add("E901", "`include` is not available in this version", ("include",), at="key")
        for key in ("max_cost", "max_tokens"):
            if spec.budget is not None and key in spec.budget.model_fields_set:
                add("E901", f"`budget.{key}` is not available in this version", ("budget", key), at="key")

    def _group(self, spec: PipelineSpec, values: Values, uses: list[Use]) -> Value | None:
        """`concurrency.group`: text, from what is known before the run."""
        if not isinstance(spec.concurrency, ConcurrencySpec):
            return None
        path = ("concurrency", "group")
        if spec.concurrency.group is None:
            if spec.concurrency.cancel_in_progress:
                hint = "name the runs that it is about: `group: release`"
                place = ("concurrency", "cancel_in_progress")
                self.report.add("E212", "`cancel_in_progress` says nothing without `group`", place, at="key", hint=hint)
            return None
        if not spec.concurrency.group.strip():
            self.report.add("E204", "the group's name is empty", path)
        return values.compile(spec.concurrency.group, path, "group", uses, text=True)

    def _secrets(self, spec: PipelineSpec) -> tuple[SecretSource, ...]:
        found = []
        for name, secret in spec.secrets.items():
            path = ("secrets", name)
            if secret.from_ in ("aws-secretsmanager", "aws-ssm"):
                self.report.add("E901", f"`from: {secret.from_}` is not available in this version", (*path, "from"))
            elif secret.from_ == "file" and secret.key is None:
                hint = "write `{from: file, key: PATH}`"
                self.report.add(
                    "E202", f"secret `{name}` from a file lacks `key`, the file's path", path, at="key", hint=hint
                )
            found.append(SecretSource(name, secret.from_, secret.key or name))
        return tuple(found)

    # ------------------------------------------------------------ nodes

    def _drafts(self, spec: PipelineSpec, data: Mapping[str, Any], shape: Shape) -> list[Draft]:
        compiler = NodeCompiler(spec, shape.data, self.agents, self.report, self._root, shape.stand_ins)
        drafts: list[Draft] = []
        ids: set[str] = set()
        for phase, nodes in (
            (Phase.NODES, spec.nodes),
            (Phase.ON_FAILURE, spec.on_failure),
            (Phase.FINALLY, spec.finally_),
        ):
            twice = ids.intersection(_keys(data, phase.value)) if ids else ids
            for id in sorted(twice):
                earlier = next(p for p in Phase if id in _keys(data, p.value))
                message = f"`{short(id)}` stands under `{earlier}` too, and ids are unique in the file"
                self.report.add("E214", message, (phase.value, id), at="key")
            for id, node in nodes.items():
                if id not in twice:
                    drafts.append(compiler.draft(id, len(drafts), phase, node))
            ids |= set(_keys(data, phase.value))
        return drafts

    def _declared(
        self, spec: PipelineSpec, data: Mapping[str, Any], inputs: tuple[PlannedInput, ...], drafts: list[Draft]
    ) -> Declared:
        schemas: dict[str, Schema] = dict.fromkeys(_keys(data, "inputs"), ANY)
        schemas.update((item.name, item.schema) for item in inputs)
        nodes = {draft.id: draft for draft in drafts}
        broken = frozenset(id for phase in Phase for id in _keys(data, phase.value) if id not in nodes)
        return Declared(
            schemas,
            frozenset(_keys(data, "env")),
            frozenset(_keys(data, "secrets")),
            nodes,
            broken,
        )

    def _needs(self, drafts: list[Draft], declared: Declared) -> None:
        """The edges of `needs:`."""
        nodes = declared.nodes
        for draft in drafts:
            needs = draft.spec.needs
            if not needs:
                continue
            listed_ = type(needs) is list
            explicit = set()
            for number, name in enumerate(needs if listed_ else [needs]):
                target = nodes.get(name)
                if target is None or target is draft or target.phase is not draft.phase or target.index in explicit:
                    if name not in declared.broken:
                        path = (*draft.path, "needs", number) if listed_ else (*draft.path, "needs")
                        self._bad_need(draft, name, target, path, declared)
                    continue
                explicit.add(target.index)
            draft.explicit = explicit
            draft.needs.update(explicit)

    def _bad_need(
        self, draft: Draft, name: str, target: Draft | None, path: tuple[str | int, ...], declared: Declared
    ) -> None:
        add = self.report.add
        if target is None:
            near = self.report.suggest(name, declared.nodes)
            hint = f"did you mean `{near}`?" if near else f"there is {listed(declared.nodes, 8)}"
            if "{{" in name:
                hint = "`needs` takes ids, no templates: which nodes they are must be known before the run"
            add("E301", f"there is no node `{short(name)}`", path, hint=hint)
        elif target is draft:
            add("E302", f"`{short(name)}` needs itself", path)
        elif target.phase is draft.phase:
            add("E303", f"`{short(name)}` stands here twice", path)
        else:
            message = f"`{short(name)}` stands under `{target.phase}`, and `needs` orders nodes of one map"
            hint = "handlers run after all nodes; read one with `nodes." + short(name) + ".status`"
            if draft.phase is Phase.NODES:
                hint = "nodes run first, then `on_failure`, then `finally`"
            add("E312", message, path, hint=hint)

    # ------------------------------------------------------------ the plan

    def _frozen(
        self,
        spec: PipelineSpec,
        path: str,
        digest: str,
        drafts: list[Draft],
        inputs: tuple[PlannedInput, ...],
        secrets: tuple[SecretSource, ...],
        env: Value,
        outputs: Value,
    ) -> Plan:
        project = self._project
        places: list[tuple[int, int]] = []
        for phase in Phase:
            places += positions(self._document, phase.value, [d.id for d in drafts if d.phase is phase])
        if isinstance(spec.concurrency, ConcurrencySpec):
            concurrency = spec.concurrency.max_parallel
        elif "concurrency" in spec.model_fields_set:
            concurrency = spec.concurrency
        else:
            concurrency = project.concurrency or spec.concurrency
        max_time = parse_duration(spec.budget.max_time) if spec.budget and spec.budget.max_time else None
        limits = [limit for limit in (max_time, project.max_time) if limit is not None]
        return Plan(
            name=spec.name or os.path.basename(path).removesuffix(".yml").removesuffix(".yaml"),
            path=path,
            root=self._root,
            digest=digest,
            nodes=tuple(
                [self._node(draft, place, spec) for draft, place in zip(drafts, places, strict=True)],
            ),
            inputs=inputs,
            outputs=outputs,
            env=env,
            secrets=secrets,
            concurrency=min(concurrency, project.concurrency_limit or concurrency),
            fail_fast=spec.fail_fast,
            max_time=min(limits) if limits else None,
            output_limit=project.output_limit,
            cache_limit=project.cache_limit,
            description=spec.description or "",
            policy=project.policy,
            settings=project.settings,
            agent_versions={info.name: info.agent.version for info in self.agents.used()},
            warnings=tuple(_as_json(d) for d in self.report.found),
        )

    def _node(self, draft: Draft, place: tuple[int, int], spec: PipelineSpec) -> PlannedNode:
        node = draft.spec
        defaults = spec.defaults
        timeout, max_time, retry = node.timeout, node.max_time, node.retry
        if defaults is not None:
            timeout = timeout or defaults.timeout
            max_time = max_time or defaults.max_time
            if retry is None and node.effect != "once":
                retry = defaults.retry
        agent = draft.agent
        known: Any = None
        if agent is not None and agent.name != "shell":
            known = output_of(draft) or None
        return PlannedNode(
            draft.id,
            draft.index,
            draft.phase,
            agent.name if agent is not None else "",
            draft.options,
            tuple(sorted(draft.needs)) if draft.needs else (),
            tuple(sorted(draft.reads)) if draft.reads else (),
            draft.digest,
            place[0],
            place[1],
            draft.priority,
            draft.env if node.env else NO_VALUES,
            tuple(node.secrets),
            draft.when.to_json() if draft.when is not None else None,
            None if draft.when is None else draft.when.source,
            RunOn.SUCCESS if node.run_on == "success" else RunOn(node.run_on),
            node.continue_on_error,
            NO_RETRY if retry is None else self._retry(retry),
            self._project.timeout if timeout is None else parse_duration(timeout),
            None if max_time is None else parse_duration(max_time),
            Effect.IDEMPOTENT if node.effect == "idempotent" else Effect(node.effect),
            draft.validate_options,
            known,
            draft.title,
            draft.fan_out,
            draft.cache,
            draft.artifacts,
            draft.own_workspace,
        )

    def _retry(self, retry: int | RetrySpec) -> RetryPolicy:
        if isinstance(retry, int):
            found = self._retries.get(retry)
            if found is None:
                found = self._retries[retry] = RetryPolicy(max_attempts=retry)
            return found
        return RetryPolicy(
            max_attempts=retry.max_attempts,
            delay=parse_duration(retry.delay, zero=True),
            backoff=retry.backoff,
            max_delay=None if retry.max_delay is None else parse_duration(retry.max_delay),
            jitter=retry.jitter,
            on=tuple(retry.on),
        )


def _keys(data: Mapping[str, Any], key: str) -> list[str]:
    found = data.get(key)
    return list(found) if isinstance(found, dict) else []


def _as_json(diagnostic: Diagnostic) -> dict[str, Any]:
    """As `--format json` has it, with what the caret needs."""
    return {
        "file": diagnostic.path,
        "line": diagnostic.line,
        "column": diagnostic.column,
        "code": diagnostic.code,
        "severity": str(diagnostic.severity),
        "message": diagnostic.message,
        "hint": diagnostic.hint,
        "length": diagnostic.length,
        "source": diagnostic.source,
    }
