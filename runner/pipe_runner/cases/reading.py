"""From a `*.test.yml` to a suite: read, hold against the schema and against the pipeline; every fault at its place."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipe_runner.cases.beside import pipeline_beside, pipelines_in
from pipe_runner.cases.names import Names
from pipe_runner.cases.suite import Case, Suite
from pipe_runner.collecting import uncollected
from pipe_runner.compiler import Compilation, compile_file
from pipe_runner.compiler.project import load_project
from pipe_runner.compiler.report import Report, TooManyFaults
from pipe_runner.diagnostics import Diagnostic, did_you_mean, in_order
from pipe_runner.errors import UsageError
from pipe_runner.loader import load
from pipe_runner.ports import NodeError, Outcome
from pipe_runner.project import find_root, is_inside, link_out, root_of
from pipe_runner.recordings.folder import Folder
from pipe_runner.types import ErrorKind, NodeStatus, Path_

if TYPE_CHECKING:
    from pipe_runner.registry import Registry
    from pipe_schemas.cases import CaseDefaultsSpec, CasesSpec, MockSpec


@dataclass(slots=True)
class Reading:
    """What reading a file of tests gave: a suite, or the reasons why there is none; warnings stand beside one, too."""

    suite: Suite | None
    diagnostics: list[Diagnostic]
    pipeline: list[Diagnostic] = field(default_factory=list)
    """What is wrong with the pipeline itself."""


class Reader:
    """Reads files of tests; a pipeline that several test is compiled once."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._compiled: dict[tuple[str, bool], Compilation] = {}

    def read(
        self, file: str, *, shown_as: str | None = None, root: Path | None = None, only_faults: bool = False
    ) -> Reading:
        """Read a file. What is wrong in it is told, never raised; one that can't be opened raises UsageError.

        `only_faults`: there is no suite, since nobody wants it.
        """
        with uncollected():
            return self._read(file, shown_as, root, only_faults=only_faults)

    def _read(self, file: str, shown_as: str | None, root: Path | None, *, only_faults: bool) -> Reading:
        absolute = os.path.abspath(file)
        root = Path(root_of(absolute)) if root is None else root
        limit = load_project(root)[0].file_limit
        shown = os.path.normpath(file) if shown_as is None else shown_as
        if os.path.exists(absolute) and not is_inside(absolute, root):
            return Reading(None, [link_out(shown, os.path.realpath(root))])
        document, faults = load(absolute, shown_as=shown, max_bytes=limit, root=root)
        if not isinstance(document.data, dict):
            return Reading(None, faults)
        report = Report(document, faults)
        compilation: Compilation | None = None
        suite = None
        try:
            spec, data = _shaped(report, document.data)
            compilation = self._pipeline(absolute, root, spec, report)
            if spec is not None and compilation is not None and compilation.plan is not None:
                from pipe_runner.cases.checks import check

                names = Names(compilation.plan)
                check(data, compilation.plan, names, report, self._registry)
                recordings = self._recordings(spec, absolute, root, report)
                if not only_faults:
                    cases = _cases(spec, data, names, recordings)
                    suite = Suite(shown, document, compilation.document.path, compilation.plan, cases)
        except TooManyFaults:
            pass
        of_pipeline = [] if compilation is None else compilation.diagnostics
        return Reading(None if report.failed else suite, in_order(report.found), of_pipeline)

    def _pipeline(self, test: str, root: Path, spec: CasesSpec | None, report: Report) -> Compilation | None:
        """The compiled pipeline of a file of tests; says why where there is none."""
        data: Any = report.document.data
        said = data.get("pipeline")
        if said == "" or not isinstance(said, str | None):  # told already
            return None
        place = ("pipeline",) if said is not None else ()
        home = os.path.dirname(test)
        name = said if said is not None else pipeline_beside(os.path.basename(test))
        path = os.path.normpath(os.path.join(home, name))
        if "\0" in name or not is_inside(path, root):
            report.add("E601", f"`{name[:60]!r}` leaves the project's root", place, hint="paths count from this file")
            return None
        try:
            compilation = self._compile(path, replayed=_is_replayed(spec))
        except UsageError as error:
            message, hint = error.message, error.hint
            if not os.path.lexists(path):
                near = did_you_mean(os.path.basename(path), pipelines_in(os.path.dirname(path)))
                message = f"there is no pipeline {name}"
                hint = f"did you mean `{os.path.join(os.path.dirname(name), near)}`?" if near else None
                if said is None:
                    message = f"there is no {name} beside this file, which would be the pipeline that it tests"
                    hint = "write `pipeline: FILE`" + (f", or did you mean `{near}`?" if near else "")
            report.add("E702", message, place, hint=hint)
            return None
        if compilation.plan is None:
            count = sum(one.is_error for one in compilation.diagnostics)
            what = f"{count} error{'' if count == 1 else 's'}"
            report.add("E702", f"{name} has {what}", place, hint="`pipe check` tells them")
        return compilation

    def _recordings(self, spec: CasesSpec, test: str, root: Path, report: Report) -> dict[str, str]:
        """The folders under `replay:`, as they are written, and where they are; says what is wrong with them."""
        found: dict[str, str] = {}
        said: list[tuple[Path_, str | None]] = []
        if spec.defaults is not None:
            said.append((("defaults", "replay"), spec.defaults.replay))
        said += [(("cases", name, "replay"), case.replay) for name, case in spec.cases.items()]
        for place, name in said:
            if name is None:
                continue
            path = os.path.normpath(os.path.join(os.path.dirname(test), name))
            if "\0" in name or not is_inside(path, root):
                report.add(
                    "E601", f"`{name[:60]!r}` leaves the project's root", place, hint="paths count from this file"
                )
            elif not os.path.isdir(path):
                hint = f"make them with `pipe run FILE --record {shlex.quote(os.path.relpath(path))}`"
                report.add("E706", f"there are no recordings in {name}", place, hint=hint)
            elif name not in found:
                found[name] = path
                try:
                    Folder(path, within=root).read()
                except UsageError as error:
                    message = error.message.replace(os.path.join(path, ""), os.path.join(name, ""))
                    report.add("E706", message, place, hint=error.hint)
        return found

    def _compile(self, path: str, *, replayed: bool) -> Compilation:
        """`replayed`: functions that are tools need not be there."""
        key = os.path.realpath(path), replayed
        if key not in self._compiled:
            tools = self._registry.tools
            before, tools.recorded = tools.recorded, set() if replayed else tools.recorded
            try:
                self._compiled[key] = compile_file(path, root=find_root(Path(path)), registry=self._registry)
            finally:
                tools.recorded = before
        return self._compiled[key]


def _is_replayed(spec: CasesSpec | None) -> bool:
    """Whether recordings answer some case."""
    if spec is None:
        return False
    of_all = spec.defaults is not None and spec.defaults.replay is not None
    return of_all or any(case.replay is not None for case in spec.cases.values())


def _shaped(report: Report, data: dict[str, Any]) -> tuple[CasesSpec | None, dict[str, Any]]:
    """The model of the data and the data that it was made of, both without what is wrong."""
    from pipe_runner.cases.shape import context_of, prunable
    from pipe_runner.compiler.shape import Shape
    from pipe_schemas.cases import CasesSpec, SomeCasesSpec

    if data.get("cases") == {}:
        report.add("E705", "the file has no cases", ("cases",), at="key", hint="write `cases: {it runs: {}}`")
    shape = Shape(report, context_of, prunable, entries=SomeCasesSpec, maps={"cases": "cases"})
    return shape.check(CasesSpec, data), shape.data


def _cases(spec: CasesSpec, data: Mapping[str, Any], names: Names, recordings: Mapping[str, str]) -> tuple[Case, ...]:
    found = []
    for name, case in spec.cases.items():
        path = ("cases", name)
        owners: list[CaseDefaultsSpec] = [case] if spec.defaults is None else [spec.defaults, case]
        run: Any = next((one.run for one in reversed(owners) if "run" in one.model_fields_set), "all")
        mocks: dict[str, tuple[Outcome, ...]] = {}
        for owner in owners:
            for node in owner.run if isinstance(owner.run, list) else ():
                mocks.pop(node, None)  # the case lets it run for real, whatever the defaults say
            for node, mock in owner.mock.items():
                mocks[node] = tuple(map(_outcome, mock if isinstance(mock, list) else [mock]))
        found.append(
            Case(
                name,
                path,
                {key: value for owner in owners for key, value in owner.inputs.items()},
                {key: value for owner in owners for key, value in owner.secrets.items()},
                mocks,
                None if run == "all" else frozenset(() if run == "none" else run),
                data["cases"][name].get("expect") or {},
                frozenset(case.mock),
                names,
                next((recordings.get(one.replay) for one in reversed(owners) if one.replay is not None), None),
            )
        )
    return tuple(found)


def _outcome(mock: MockSpec) -> Outcome:
    said = mock.error
    if said is None:
        return Outcome(NodeStatus.SUCCEEDED, mock.output)
    kind = ErrorKind(said.kind)
    code = said.exit_code
    if code is None and kind is ErrorKind.EXIT:
        code = 1
    message = said.message
    if message is None:
        message = f"exited with {code}" if kind is ErrorKind.EXIT else f"{kind.replace('_', ' ')}, as mocked"
    return Outcome(NodeStatus.FAILED, mock.output, NodeError(kind, message, code, said.tail), code)
