"""Sub-pipelines: the files that nodes run, each compiled once, with its faults at its own places."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, cast

from pipe_runner.compiler.budgets import asks_models
from pipe_runner.compiler.contexts import keys_of
from pipe_runner.compiler.drafts import Draft
from pipe_runner.compiler.fanout import uses_without_list, without_list
from pipe_runner.compiler.kinds import ANY, Lookup, Schema
from pipe_runner.compiler.matching import misfits
from pipe_runner.compiler.pruning import at
from pipe_runner.compiler.report import Report, listed, short
from pipe_runner.compiler.values import Values, may_hold_template
from pipe_runner.diagnostics import Diagnostic, Note
from pipe_runner.loader.neighbours import Neighbour, Neighbours, Refused, note_of, told_from
from pipe_runner.plan import Plan, PlannedInput, SecretSource
from pipe_runner.types import Json, Path_
from pipe_schemas.encoding import canonical_json
from pipe_schemas.nodes import PipelineNode

if TYPE_CHECKING:
    from pipe_runner.compiler.build import Build
    from pipe_runner.compiler.parts import Part
    from pipe_runner.project import Project
    from pipe_runner.registry import Registry

DEEPEST: Final = 10
"""Files that run one another in a chain, beside the pipeline's own."""
MOST_NODES: Final = 10_000
"""Nodes of a pipeline with those of all that it runs, as often as it runs them."""
_NOT_BESIDE: Final = {
    "env": "its nodes have the `env:` of its own file: give it values by `with:`",
    "secrets": "declare them in the file itself, and grant them to its nodes",
    "cache": "say it of the nodes in the file, each of which has its own",
    "artifacts": "say it of the nodes in the file that make them",
}


class SubPipeline:
    """A file that was compiled to be run by nodes; to the compiler what an agent is, its inputs the options."""

    name: Final = "pipeline"
    unfit: Final = ("E806", "input")

    def __init__(self, shown: str, build: Build, plan: Plan | None, size: int) -> None:
        self.shown, self.plan, self.size = shown, plan, size
        self.document = build.report.document
        self.inputs: tuple[PlannedInput, ...] | None = build.inputs
        """None where the file is so wrong that they aren't known."""
        self.asks = any(asks_models(draft) for draft in build.drafts)
        """Whether something in it asks models."""
        self.wants = any(one.required for one in self.inputs or ())
        """Whether it can't be run without any input."""
        self._outputs: Schema = build.outputs if plan is not None else ANY
        given = {one.name: one.schema for one in self.inputs or ()}
        self.options = Lookup({"type": "object", "properties": given, **({} if given else {"not": {}})})

    def option(self, path: Path_) -> Schema:
        """The schema of an input, or of a part of one; anything where nothing is known."""
        return self.options.at(path)

    def output(self, options: Mapping[str, Any]) -> Schema:
        return self._outputs

    def takes_secret(self, path: Path_) -> bool:
        return False

    @cached_property
    def digest(self) -> str:
        """Of what the node that runs it depends on, `outputs` apart: these change nothing of what is done inside."""
        inputs = [[one.name, one.schema, one.required, one.default] for one in self.inputs or ()]
        return f"{_digest(inputs)}+{_digest(list(self.plan.outputs) if self.plan else None)}"


class Family:
    """All files of one compilation that run one another; `faults` are those of the files beside the first one."""

    def __init__(self, neighbours: Neighbours, root: str, registry: Registry, project: Project) -> None:
        self.neighbours = neighbours
        self._root, self._registry, self._project = root, registry, project
        self._known: dict[str, SubPipeline] = {}
        self._way: list[tuple[str, list[str]]] = []
        """Files that are being compiled, each of which runs the next: with links resolved, and as they are shown,
        behind each those that it includes on the way to what runs the next."""
        self._notes: Callable[[], tuple[Note, ...]] = tuple
        """The places that lead to the file that is being compiled; they are looked up when there is a fault."""
        self._secrets: dict[str, tuple[SecretSource, Report]] = {}
        self.faults: list[Diagnostic] = []
        self.plans: dict[str, Plan] = {}
        self.warnings: list[dict[str, Any]] = []
        self.targets: dict[str, str] = {}
        self.watched: set[str] = set()

    @property
    def failed(self) -> bool:
        return any(fault.is_error for fault in self.faults)

    @property
    def inside(self) -> bool:
        """Whether the file that is being compiled is run by another one."""
        return bool(self._way)

    def compile(self, build: Build, main: Part, secrets: Sequence[SecretSource]) -> None:
        """Compile what the nodes of a file run, and hold what they give it against what it takes."""
        self._same_secrets(secrets, build.report)
        drafts = build.drafts
        own = [draft for draft in drafts if type(draft.spec) is PipelineNode]
        if not own:
            return
        again: dict[tuple[int, str], SubPipeline] = {}
        self._way.append((main.real, []))
        try:
            for draft in own:
                self._node(draft, draft.spec, draft.part, again)
        finally:
            self._way.pop()
        inside = [(draft.inside.size, draft) for draft in own if draft.inside is not None]
        if inside and len(drafts) + sum(size for size, _ in inside) > MOST_NODES:
            _, largest = max(inside, key=lambda one: one[0])
            message = f"more than {MOST_NODES} nodes, with those of sub-pipelines, as often as they run"
            largest.part.report.add("E802", message, (*largest.path, "pipeline"))

    def _node(self, draft: Draft, spec: PipelineNode, part: Part, again: dict[tuple[int, str], SubPipeline]) -> None:
        """`again`: what the nodes before it run, by the number of their file and the name that they use."""
        report = part.report
        path = (*draft.path, "pipeline")
        place = (*draft.path, "with")
        if spec.with_:
            draft.options = Values(report).compile(spec.with_, place, "with", draft.uses)
        said = spec.model_fields_set
        for key, hint in _NOT_BESIDE.items():
            if key in said:
                message = f"`{key}` says nothing of a node that runs a sub-pipeline"
                report.add("E212", message, (*draft.path, key), at="key", hint=hint)
        if spec.effect == "once":
            hint = "say it of the node in the file that acts"
            report.add("E212", "`effect: once` says nothing of a sub-pipeline", (*draft.path, "effect"), hint=hint)
        found = again.get((part.number, spec.pipeline)) or self._find(spec.pipeline, path, part)
        if found is None:
            return
        again[part.number, spec.pipeline] = found
        draft.inside, draft.agent = found, cast(Any, found)
        if found.inputs is not None and (spec.with_ or found.wants):
            phase, id = report.written(draft.path)
            wrong = not spec.with_ and part.written[str(phase)][id].get("with", {}) != {}  # and told already
            if not wrong:
                _check_inputs(spec.with_, place, found, found.inputs, report)
        if part.compiler.planned:
            draft.digest = self._digest(draft, spec, part, found)

    def _digest(self, draft: Draft, spec: PipelineNode, part: Part, found: SubPipeline) -> str:
        content = {key: value for key, value in draft.written.items() if key not in ("description", "budget")}
        if isinstance(spec.needs, list) and len(spec.needs) > 1:
            content["needs"] = sorted(spec.needs)
        if isinstance(spec.retry, int):
            content["retry"] = {"max_attempts": spec.retry}
        own, _, outputs = found.digest.partition("+")
        whole = [] if draft.fan_out is None or found.plan is None else [self._whole(found.plan)]
        around = part.compiler.around
        read = around.values_read(draft.uses, env=False)
        if draft.fan_out is not None:
            apart = around.values_read(uses_without_list(draft), env=False)
            rest = _digest([without_list(content), own, *whole, apart, outputs])
            draft.fan_out = draft.fan_out._replace(rest=rest)
        return f"{_digest([content, own, *whole, *([read] if read else [])])}+{outputs}"

    def _whole(self, plan: Plan) -> list[Json]:
        """All that its instances run: where it is repeated, nobody compares their nodes one by one."""
        return [[node.digest, self._whole(self.plans[node.pipeline]) if node.pipeline else None] for node in plan.nodes]

    # ------------------------------------------------------------ files

    def _find(self, name: str, path: Path_, part: Part) -> SubPipeline | None:
        report = part.report
        found = self.neighbours.read(name, part.path, part.document.path)
        if isinstance(found, Refused):
            report.add(found.code, found.message, path, hint=found.hint)
            return None
        self._way[-1] = (self._way[-1][0], [one.document.path for one in part.chain()][::-1])
        at = next((number for number, (real, _) in enumerate(self._way) if real == found.real), None)
        if at is not None:
            steps = [step for _, chain in self._way[at:] for step in chain]
            way = " → ".join(short(step, 100) for step in (*steps, steps[0]))
            report.add("E801", f"the file runs itself: {way}", path, hint="a pipeline is finite: take one step out")
            return None
        if found.real in self._known:
            return self._known[found.real]
        if len(self._way) > DEEPEST:
            report.add("E802", f"more than {DEEPEST} files that run one another in a chain", path)
            return None
        further = self._notes

        def notes() -> tuple[Note, ...]:
            return (note_of(report.document, path, "run as a sub-pipeline"), *report.notes, *further())

        sub = self._known[found.real] = self._compiled(found, report, notes)
        return sub

    def _compiled(self, found: Neighbour, outer: Report, notes: Callable[[], tuple[Note, ...]]) -> SubPipeline:
        from pipe_runner.compiler.build import Build

        key = os.path.relpath(found.real, self._root)
        build = Build(outer.beside(found.document, found.faults), self._root, self._registry, self._project, self)
        before, self._notes = self._notes, notes
        plan = None
        try:
            if isinstance(found.document.data, dict) and not build.report.crowded():
                plan = build.plan(found.path, key, found.content)
        finally:
            self._notes = before
        if build.report.found:
            self.faults += told_from(build.report.found, notes())
        self.targets.update(build.agents.targets())
        self.watched.update(build.watched())
        size = sum(1 if draft.inside is None else 1 + draft.inside.size for draft in build.drafts)
        if plan is not None:
            self.warnings += [{"from": key, **one} for one in plan.warnings]
            slots, time = build.own
            plan = plan._replace(concurrency=slots, max_time=time, warnings=(), policy={}, settings={})
            self.plans[key] = plan
        return SubPipeline(found.shown, build, plan, size)

    def _same_secrets(self, secrets: Sequence[SecretSource], report: Report) -> None:
        """One name of a secret means the same in all files: the run reads it once."""
        for source in secrets:
            known, first = self._secrets.setdefault(source.name, (source, report))
            if known != source:
                path = ("secrets", source.name)
                notes = (note_of(first.document, path, "declared first", at="key"),)
                message = f"`{source.name}` comes from elsewhere in {short(first.document.path)}"
                report.add("E212", message, path, at="key", hint="one of the two needs another name", notes=notes)


def _check_inputs(
    given: Mapping[str, Any], place: Path_, sub: SubPipeline, inputs: Sequence[PlannedInput], report: Report
) -> None:
    known = {one.name: one for one in inputs}
    node = at(report.document.data, report.written(place[:-1]))
    unsaid = report.misspelt("with", node if isinstance(node, dict) else (), keys_of(PipelineNode))
    broken = _keys(sub.document.data, "inputs")
    for name, value in given.items():
        path = (*place, name)
        if name[:2] == "x-" or (name in broken and name not in known):
            continue
        if name not in known:
            near = report.suggest(name, known)
            hint = f"did you mean `{near}`?" if near else f"there is {listed(known)}" if known else "it takes none"
            if name in ("inputs", "with") and isinstance(value, dict):
                hint = "values of its inputs stand directly under `with:`"
            report.add("E804", f"{short(sub.shown, 100)} has no input `{short(name)}`", path, at="key", hint=hint)
        elif not may_hold_template(value):
            for inner, sentence in misfits(value, known[name]):
                report.add("E806", sentence, (*path, *inner), notes=_declared(sub, name))
    for name, one in known.items():
        if one.required and name not in given and not unsaid and not report.misspelt(name, given, known):
            what = f": {one.description}" if one.description else ""
            where = place if report.wrote(place[:-1], "with") else (*place[:-1], "pipeline")
            message = f"{short(sub.shown, 100)} needs the input `{name}`{short(what, 200)}"
            hint = f"write `with: {{{name}: …}}`"
            report.add("E805", message, where, at="key", hint=hint, notes=_declared(sub, name))


def _declared(sub: SubPipeline, name: str) -> tuple[Note, ...]:
    return (note_of(sub.document, ("inputs", name), "declared", at="key"),)


def _keys(data: Any, key: str) -> Mapping[str, Any]:
    found = data.get(key) if isinstance(data, dict) else None
    return found if isinstance(found, dict) else {}


def _digest(value: Any) -> str:
    return sha256(canonical_json(value).encode()).hexdigest()[:16]
