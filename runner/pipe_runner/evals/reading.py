"""From a `*.eval.yml` to an evaluation: read, held against the schema and its pipeline; every fault at its place."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipe_runner.cases.beside import pipeline_beside, pipelines_in
from pipe_runner.cases.names import Names
from pipe_runner.compiler import Compilation, compile_file
from pipe_runner.compiler.budgets import budget_of
from pipe_runner.compiler.project import load_project
from pipe_runner.compiler.report import Report, TooManyFaults, short
from pipe_runner.diagnostics import Diagnostic, did_you_mean, in_order
from pipe_runner.errors import UsageError
from pipe_runner.evals.dataset import Dataset
from pipe_runner.evals.inputs import input_faults
from pipe_runner.evals.judges import Makers
from pipe_runner.evals.suite import Case, Evaluation
from pipe_runner.loader import load
from pipe_runner.plan import Plan
from pipe_runner.project import Project, is_inside, link_out, root_of
from pipe_runner.types import Path_

if TYPE_CHECKING:
    from pipe_runner.registry import Registry
    from pipe_schemas.evals import EvalSpec


@dataclass(slots=True)
class Reading:
    """What reading gave: an evaluation, or the reasons why there is none; warnings stand beside one, too."""

    evaluation: Evaluation | None
    diagnostics: list[Diagnostic]
    pipeline: list[Diagnostic] = field(default_factory=list)
    """What is wrong with the pipeline itself."""


def read_evaluation(file: str, registry: Registry, *, shown_as: str | None = None, root: Path | None = None) -> Reading:
    """Read a file. What is wrong in it is told, never raised; one that can't be opened raises UsageError."""
    absolute = os.path.abspath(file)
    root = Path(root_of(absolute)) if root is None else root
    project, _ = load_project(root, registry)
    shown = os.path.normpath(file) if shown_as is None else shown_as
    if os.path.exists(absolute) and not is_inside(absolute, root):
        return Reading(None, [link_out(shown, os.path.realpath(root))])
    document, faults = load(absolute, shown_as=shown, max_bytes=project.file_limit, root=root)
    if not isinstance(document.data, dict):
        return Reading(None, faults)
    report = Report(document, faults)
    reader = _Reader(report, absolute, root, project, registry)
    evaluation = None
    try:
        evaluation = reader.evaluation()
    except TooManyFaults:
        pass
    of_pipeline = [] if reader.compilation is None else reader.compilation.diagnostics
    return Reading(None if report.failed else evaluation, in_order(report.found), of_pipeline)


class _Reader:
    def __init__(self, report: Report, path: str, root: Path, project: Project, registry: Registry) -> None:
        self._report, self._path, self._root = report, path, root
        self._project, self._registry = project, registry
        self.compilation: Compilation | None = None

    def evaluation(self) -> Evaluation | None:
        from pipe_runner.compiler.shape import Shape
        from pipe_runner.evals.shape import context_of, prunable
        from pipe_schemas.durations import parse_duration
        from pipe_schemas.evals import EvalSpec, ThresholdSpec

        report = self._report
        data = report.data()
        if "nodes" in data and data.keys().isdisjoint(("graders", "cases")):
            stem, suffix = os.path.splitext(os.path.basename(self._path))
            hint = f"an evaluation of it is another file, `{stem}.eval{suffix}`, with `cases:` and `graders:`"
            if stem.endswith(".eval"):
                own = f"{stem.removesuffix('.eval')}{suffix}"
                hint = f"let it be `{own}`, and this file the evaluation of it, with `cases:` and `graders:`"
            hint += "; docs/eval.md has one"
            report.add("E208", "this is a pipeline, and no evaluation", ("nodes",), at="key", hint=hint)
            return None
        shape = Shape(report, context_of, prunable)
        spec = shape.check(EvalSpec, data)
        self.compilation = compilation = self._pipeline(data.get("pipeline"))
        if spec is None or compilation is None or compilation.plan is None:
            return None
        plan = compilation.plan
        self._node(spec, plan)
        cases = self._cases(spec, plan)
        makers = Makers(report, self._project, self._registry, self._root)
        graders = tuple(made for name, one in spec.graders.items() if (made := makers.make(name, one)) is not None)
        if not spec.graders and report.document.data.get("graders") == {}:  # type: ignore[union-attr]
            report.add("E204", "without a grader nothing says what is good", ("graders",), at="key")
        said = spec.threshold
        threshold = said if isinstance(said, ThresholdSpec) else ThresholdSpec(overall=said)
        limit = spec.budget.max_time if spec.budget is not None else None
        return Evaluation(
            report.document.path,
            compilation.document.path,
            plan,
            spec.node,
            cases,
            graders,
            spec.samples,
            spec.concurrency,
            threshold.overall,
            threshold.case,
            spec.confidence,
            spec.early_stop,
            budget_of(spec.budget),
            parse_duration(limit) if limit else None,
        )

    def _pipeline(self, said: Any) -> Compilation | None:
        """The compiled pipeline, as the file names it or beside; says why where there is none."""
        if said == "" or not isinstance(said, str | None):  # told already
            return None
        place: Path_ = ("pipeline",) if said is not None else ()
        name = said if said is not None else pipeline_beside(os.path.basename(self._path))
        path = self.inside(name, place)
        if path is None:
            return None
        try:
            compilation = compile_file(path, root=self._root, registry=self._registry)
        except UsageError as error:
            message, hint = error.message, error.hint
            if not os.path.lexists(path):
                near = did_you_mean(os.path.basename(path), pipelines_in(os.path.dirname(path)))
                message = f"there is no pipeline {name}"
                hint = f"did you mean `{os.path.join(os.path.dirname(name), near)}`?" if near else None
                if said is None:
                    message = f"there is no {name} beside this file, which would be the pipeline that it evaluates"
                    hint = "write `pipeline: FILE`" + (f", or did you mean `{near}`?" if near else "")
            self._report.add("E702", message, place, hint=hint)
            return None
        if compilation.plan is None:
            count = sum(one.is_error for one in compilation.diagnostics)
            what = f"{count} error{'' if count == 1 else 's'}"
            self._report.add("E702", f"{name} has {what}", place, hint="`pipe check` tells them")
        return compilation

    def inside(self, name: str, place: Path_) -> str | None:
        """The absolute path of a file that this one names; reports one that leaves the root."""
        path = os.path.normpath(os.path.join(os.path.dirname(self._path), name))
        if "\0" in name or not is_inside(path, self._root):
            message = f"`{name[:60]!r}` leaves the project's root"
            self._report.add("E601", message, place, hint="paths count from this file")
            return None
        return path

    def _node(self, spec: EvalSpec, plan: Plan) -> None:
        names = Names(plan)
        if spec.node is None or spec.node in names.nodes:
            return
        near = self._report.suggest(spec.node, names.nodes)
        hint = f"did you mean `{near}`?" if near else f"`pipe graph {plan.path}` shows them"
        self._report.add("E701", f"the pipeline has no node `{short(spec.node)}`", ("node",), hint=hint)

    # ------------------------------------------------------------ cases

    def _cases(self, spec: EvalSpec, plan: Plan) -> tuple[Case, ...]:
        report = self._report
        if spec.cases is not None and spec.file is not None:
            report.add("E212", "`cases` and `file` contradict each other", ("file",), at="key", hint="leave one out")
            return ()
        found: list[Case] = []
        if spec.file is not None:
            path = self.inside(spec.file, ("file",))
            if path is None:
                return ()
            dataset = Dataset(path, plan, self._project.file_limit)
            try:
                found = dataset.cases()
            except UsageError as error:
                report.add("E707", error.message, ("file",), hint=error.hint)
                return ()
            report.found.extend(dataset.faults)
        elif spec.cases:
            for number, one in enumerate(spec.cases, 1):
                name = one.name or f"case {number}"
                position = report.document.position(("cases", number - 1))
                self._inputs(one.inputs, ("cases", number - 1), plan)
                found.append(Case(name, one.inputs, one.expected, report.document.path, position.line))
        elif not report.failed:
            hint = "write `cases: [{inputs: {…}, expected: …}]`, or `file: cases.jsonl`"
            report.add("E705", "the evaluation has no cases", ("cases",), at="key", hint=hint)
        seen: dict[str, Case] = {}
        for number, case in enumerate(found):
            if case.name in seen and spec.file is None:
                report.add("E303", f"there is another case `{short(case.name)}`", ("cases", number, "name"))
            elif case.name in seen:
                message = f"there is another case `{short(case.name)}`, in line {seen[case.name].line}"
                report.found.append(Diagnostic(case.path, case.line, 1, "E303", message))
            seen[case.name] = case
        return tuple(found)

    def _inputs(self, given: Mapping[str, Any], path: Path_, plan: Plan) -> None:
        for name, sentence, near in input_faults(given, plan):
            where = (*path, "inputs", name) if name in given else path
            hint = f"did you mean `{near}`?" if near else None
            self._report.add("E703", sentence, where, at="key" if near else "value", hint=hint)
