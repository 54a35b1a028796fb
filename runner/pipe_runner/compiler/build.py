"""Makes the plan of one file whose text is data already."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, cast

from pipe_runner.compiler.agents import Agents
from pipe_runner.compiler.alike import draft_each
from pipe_runner.compiler.budgets import bounds_cost, budget_of, tell_of_budgets, time_of
from pipe_runner.compiler.checks import check_all
from pipe_runner.compiler.doubts import look_over
from pipe_runner.compiler.drafts import NO_VALUES, Draft
from pipe_runner.compiler.gives import output_of
from pipe_runner.compiler.graph import order
from pipe_runner.compiler.inputs import compile_inputs
from pipe_runner.compiler.kinds import ANY, Schema
from pipe_runner.compiler.nodes import NodeCompiler, check_names
from pipe_runner.compiler.outputs import schema_of_outputs
from pipe_runner.compiler.parts import Includes, Part, shaped
from pipe_runner.compiler.places import positions
from pipe_runner.compiler.presets import NO_PRESETS, with_presets
from pipe_runner.compiler.pruning import at
from pipe_runner.compiler.references import Broken, Declared, References
from pipe_runner.compiler.report import Report, TooManyFaults, headline, listed, several, short
from pipe_runner.compiler.retries import Retries
from pipe_runner.compiler.subpipelines import Family
from pipe_runner.compiler.values import Use, Values
from pipe_runner.diagnostics import Diagnostic
from pipe_runner.loader.neighbours import Neighbours, digest_of, note_of
from pipe_runner.plan import Plan, PlannedInput, PlannedNode, SecretSource, Value
from pipe_runner.types import Effect, Phase, RunOn
from pipe_schemas.durations import parse_duration
from pipe_schemas.pipeline import ConcurrencySpec, PipelineSpec

if TYPE_CHECKING:
    from pipe_runner.project import Project
    from pipe_runner.registry import Registry

_FIELDS: Final = {Phase.NODES: "nodes", Phase.ON_FAILURE: "on_failure", Phase.FINALLY: "finally_"}


class Build:
    """One compilation; `report` has its faults, `agents` the agents that it met, `neighbours` the other files."""

    def __init__(
        self, report: Report, root: str, registry: Registry, project: Project, family: Family | None = None
    ) -> None:
        """`family`: of a file that another one runs."""
        self.report = report
        self.neighbours = Neighbours(root, project.file_limit) if family is None else family.neighbours
        self.family = family or Family(self.neighbours, root, registry, project)
        self.drafts: list[Draft] = []
        self.inputs: tuple[PlannedInput, ...] | None = None
        self.outputs: Schema = ANY
        """What `outputs:` gives, for those that run it as a sub-pipeline."""
        self.own: tuple[int, float | None] = (0, None)
        """The concurrency that its file says itself, if it does, and its `budget.max_time`."""
        self._root = root
        self._project = project
        self._presets = project.presets or NO_PRESETS
        self.agents = Agents(registry, report, project)
        self._retries = Retries()
        self._complete = True

    def plan(self, absolute: str, path: str, content: bytes, *, only_faults: bool = False) -> Plan | None:
        """The plan, or None where anything is wrong or nobody wants it. `path` is `absolute` as the plan shows it."""
        self._wanted = not only_faults
        try:
            return self._plan(absolute, path, content)
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

    def _plan(self, absolute: str, path: str, content: bytes) -> Plan | None:
        report = self.report
        with_presets(report, self._presets)
        shape, spec = shaped(report)
        if spec is None:
            return None
        main = Part(0, absolute, os.path.realpath(absolute), report, shape, spec)
        main.inputs = self.inputs = compile_inputs(spec.inputs, report)
        includes = Includes(main, self.neighbours, self._presets, self._root)
        includes.read(main)
        parts, self._complete = includes.parts, includes.complete
        secrets = self._secrets(parts)
        for part in parts:
            self._environment(part)
        drafts = self.drafts = self._drafts(parts)
        self.family.compile(self, main, secrets)
        self._declare(parts, drafts)
        self._needs(drafts)
        for draft in drafts:
            if draft.uses:
                draft.part.references.edges(draft)
        values = Values(report)
        uses: list[Use] = []
        group = self._group(spec, values, uses)
        outputs = values.compile(spec.outputs, ("outputs",), "outputs", uses)
        main.references.check(uses)
        for part in parts:
            part.references.check(part.env_uses)
        order(drafts, report)
        tell_of_budgets(drafts, spec.budget, report)
        check_all(parts, drafts, uses)
        look_over(parts, drafts, uses, None if self.family.inside else self._root, self._project.policy)
        if self._complete and not report.failed and not any(draft.phase is Phase.NODES for draft in drafts):
            report.add("E209", "the file has no nodes, nor have those that it includes", ("include",), at="key")
        wanted = self._wanted or bounds_cost(drafts, spec.budget, self.family.plans)
        if not wanted or report.failed or self.family.failed:
            return None
        self.outputs = schema_of_outputs(spec.outputs, uses, main.references)
        plan = self._frozen(main, path, digest_of(content, self.neighbours.states()), drafts, secrets, outputs, parts)
        if includes.parts[1:]:
            plan = plan._replace(parts=includes.planned())
        if group is None:
            return plan
        return plan._replace(group=group, cancel_in_progress=cast(ConcurrencySpec, spec.concurrency).cancel_in_progress)

    # ------------------------------------------------------------ the file's own keys

    def _group(self, spec: PipelineSpec, values: Values, uses: list[Use]) -> Value | None:
        """`concurrency.group`: text, from what is known before the run."""
        if not isinstance(spec.concurrency, ConcurrencySpec):
            return None
        path = ("concurrency", "group")
        if spec.concurrency.group is None:
            if spec.concurrency.cancel_in_progress and not self.report.wrote(("concurrency",), "group"):
                hint = "name the runs that it is about: `group: release`"
                place = ("concurrency", "cancel_in_progress")
                self.report.add("E212", "`cancel_in_progress` says nothing without `group`", place, at="key", hint=hint)
            return None
        if self.family.inside:
            message = "a sub-pipeline is part of another run, so its `concurrency.group` counts for nothing"
            self.report.add("W802", message, path, hint="it counts when the file is run by itself")
            return None
        if not spec.concurrency.group.strip():
            self.report.add("E204", "the group's name is empty", path)
        return values.compile(spec.concurrency.group, path, "group", uses, text=True)

    def _secrets(self, parts: list[Part]) -> tuple[SecretSource, ...]:
        """Those of all files; one name is one secret."""
        found: dict[str, SecretSource] = {}
        first: dict[str, Part] = {}
        for part in parts:
            for name, secret in part.spec.secrets.items():
                path = ("secrets", name)
                add = part.report.add
                if secret.from_ in ("aws-secretsmanager", "aws-ssm"):
                    add("E901", f"`from: {secret.from_}` is not available in this version", (*path, "from"))
                elif secret.from_ == "file" and secret.key is None:
                    hint = "write `{from: file, key: PATH}`"
                    add("E202", f"secret `{name}` from a file lacks `key`, the file's path", path, at="key", hint=hint)
                source = SecretSource(name, secret.from_, secret.key or name)
                if found.setdefault(name, source) != source:
                    note = note_of(first[name].document, path, "declared first", at="key")
                    message = f"`{name}` comes from elsewhere in {short(first[name].document.path)}"
                    add("E212", message, path, at="key", hint="one of the two needs another name", notes=(note,))
                first.setdefault(name, part)
        return tuple(found.values())

    def _environment(self, part: Part) -> None:
        """A file's own `env:`."""
        check_names(part.spec.env, ("env",), part.report)
        values = Values(part.report)
        part.env = values.compile(part.spec.env, ("env",), "pipeline env", part.env_uses)

    # ------------------------------------------------------------ nodes

    def _drafts(self, parts: list[Part]) -> list[Draft]:
        for part in parts:
            outer = part.outer.compiler if part.outer is not None else None
            agents = self.agents.told_in(part.report)
            part.compiler = NodeCompiler(part, agents, self._root, outer, planned=self._wanted)
        drafts, first = list[Draft](), dict[str, tuple[Part, Phase]]()
        for phase in Phase:
            for part in parts:
                nodes: Mapping[str, Any] = getattr(part.spec, _FIELDS[phase])
                ids = _keys(part.written, phase.value)
                twice = first.keys() & ids
                for id in sorted(twice):
                    self._twice(part, phase, id, *first[id])
                one = {id: node for id, node in nodes.items() if id not in twice} if twice else nodes
                draft_each(part, phase, one, drafts)
                first.update(dict.fromkeys((id for id in ids if id not in twice) if twice else ids, (part, phase)))
        return drafts

    def _twice(self, part: Part, phase: Phase, id: str, first: Part, earlier: Phase) -> None:
        """An id that stands in two maps, of one file or of two."""
        if part is first:
            message = f"`{short(id)}` stands under `{earlier}` too, and ids are unique in the file"
            part.report.add("E214", message, (phase.value, id), at="key")
            return
        message = f"`{short(id)}` stands in {short(first.document.path)} too, and ids are unique over all files"
        note = note_of(first.document, (earlier.value, id), "first", at="key")
        part.report.add("E214", message, (phase.value, id), at="key", notes=(note,))

    def _declare(self, parts: list[Part], drafts: list[Draft]) -> None:
        """What references of each file can find: nodes of every file, inputs of its own."""
        nodes = {draft.id: draft for draft in drafts}
        written = set().union(*(_keys(part.written, phase.value) for part in parts for phase in Phase))
        broken = Broken(written.difference(nodes), everything=not self._complete)
        for part in parts:
            schemas: dict[str, Schema] = dict.fromkeys(_keys(part.written, "inputs"), ANY)
            schemas.update((item.name, item.schema) for item in part.inputs)
            chain = list(part.chain())
            env = frozenset(name for one in chain for name in _keys(one.written, "env"))
            secrets = frozenset(name for one in chain for name in _keys(one.written, "secrets"))
            unread = frozenset(filter(part.unread, ("inputs", "env", "secrets")))
            part.references = References(Declared(schemas, env, secrets, nodes, broken, unread), part.report)

    def _needs(self, drafts: list[Draft]) -> None:
        """The edges of `needs:`."""
        for draft in drafts:
            needs = draft.spec.needs or _misshapen_needs(draft)
            if not needs:
                continue
            declared = draft.part.references.declared
            nodes = declared.nodes
            listed_ = type(needs) is list
            explicit = set()
            for number, name in enumerate(needs if listed_ else [needs]):
                if type(name) is not str:  # told already
                    continue
                target = nodes.get(name)
                if target is None or target is draft or target.phase is not draft.phase or target.index in explicit:
                    if target is not None or name not in declared.broken:
                        path = (*draft.path, "needs", number) if listed_ else (*draft.path, "needs")
                        self._bad_need(draft, name, target, path, declared)
                    continue
                explicit.add(target.index)
            draft.explicit = explicit
            draft.must_wait(explicit)

    def _bad_need(
        self, draft: Draft, name: str, target: Draft | None, path: tuple[str | int, ...], declared: Declared
    ) -> None:
        add = draft.part.report.add
        if target is None:
            near = self.report.suggest(name, declared.nodes)
            there = listed(declared.nodes, 8, but=draft.id)
            there = f"there is {there}" if there else "there is no other node than this one"
            hint = several(name) or (f"did you mean `{near}`?" if near and near != draft.id else there)
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
        main: Part,
        path: str,
        digest: str,
        drafts: list[Draft],
        secrets: tuple[SecretSource, ...],
        outputs: Value,
        parts: list[Part],
    ) -> Plan:
        project, spec = self._project, main.spec
        places: list[tuple[int, int]] = []
        for phase in Phase:
            for part in parts:
                ids = [d.id for d in drafts if d.phase is phase and d.part is part]
                places += positions(part.document, phase.value, ids)
        if isinstance(spec.concurrency, ConcurrencySpec):
            concurrency = spec.concurrency.max_parallel
        elif "concurrency" in spec.model_fields_set:
            concurrency = spec.concurrency
        else:
            concurrency = project.concurrency or spec.concurrency
        max_time = parse_duration(spec.budget.max_time) if spec.budget and spec.budget.max_time else None
        self.own = (concurrency if "concurrency" in spec.model_fields_set else 0, max_time)
        limits = [limit for limit in (max_time, project.max_time) if limit is not None]
        return Plan(
            name=spec.name or os.path.basename(path).removesuffix(".yml").removesuffix(".yaml"),
            path=path,
            root=self._root,
            digest=digest,
            nodes=tuple([self._node(draft, place) for draft, place in zip(drafts, places, strict=True)]),
            inputs=main.inputs,
            outputs=outputs,
            env=main.env,
            secrets=secrets,
            concurrency=min(concurrency, project.concurrency_limit or concurrency),
            fail_fast=spec.fail_fast,
            max_time=min(limits) if limits else None,
            budget=budget_of(spec.budget),
            output_limit=project.output_limit,
            cache_limit=project.cache_limit,
            description=spec.description or "",
            policy=project.policy,
            settings=project.settings,
            services=project.services,
            agent_versions={info.name: info.agent.version for info in self.agents.used()},
            warnings=tuple(self._as_json(d, parts) for d in self.report.found),
        )

    def _node(self, draft: Draft, place: tuple[int, int]) -> PlannedNode:
        node = draft.spec
        inside = draft.inside
        defaults = draft.part.compiler.around.defaults
        timeout, max_time, retry = node.timeout, node.max_time, node.retry
        if defaults is not None and inside is None:  # they are for nodes that do something themselves
            timeout = timeout or defaults.timeout
            max_time = max_time or defaults.max_time
            if retry is None and node.effect != "once":
                retry = defaults.retry
        agent = draft.agent
        known: Any = (output_of(draft) or None) if agent is not None and agent.name != "shell" else None
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
            self._retries.policy(retry),
            (None if inside else self._project.timeout) if timeout is None else parse_duration(timeout),
            time_of(max_time, node.budget),
            Effect.IDEMPOTENT if node.effect == "idempotent" else Effect(node.effect),
            draft.validate_options,
            known,
            headline(node.description) if node.description else draft.title,
            draft.fan_out,
            draft.cache,
            draft.artifacts,
            draft.own_workspace,
            draft.part.number,
            inside.plan.path if inside is not None and inside.plan is not None else None,
            budget_of(node.budget),
            draft.chosen,
        )

    def _as_json(self, diagnostic: Diagnostic, parts: list[Part]) -> dict[str, Any]:
        """As `--format json` has it, with what the caret needs; `from` is the file from the root, if it isn't the
        pipeline's own."""
        files = {part.document.path: os.path.relpath(part.real, self._root) for part in parts[1:]}
        if self._presets.document is not None:
            files.setdefault(self._presets.document.path, os.path.basename(self._project.path))
        other = files.get(diagnostic.path) if diagnostic.path != self.report.document.path else None
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
            **({"from": other} if other is not None else {}),
        }


def _misshapen_needs(draft: Draft) -> list[Any]:
    """The `needs:` of a node in which something is no text, which is told: the others are looked at all the same."""
    part, path = draft.part, draft.part.report.written((*draft.path, "needs"))
    found = at(part.written, path) if path in part.broken else None
    return found if isinstance(found, list) else []


def _keys(data: Mapping[str, Any], key: str) -> list[str]:
    found = data.get(key)
    return list(found) if isinstance(found, dict) else []
