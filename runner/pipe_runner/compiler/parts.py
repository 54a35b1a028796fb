"""The files that a pipeline is made of: its own, and those that `include:` adds, each with its place and its inputs."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from pipe_runner.compiler.contexts import of_pipeline
from pipe_runner.compiler.inputs import compile_inputs
from pipe_runner.compiler.matching import misfits
from pipe_runner.compiler.pruning import LEFT_OUT
from pipe_runner.compiler.report import Report, listed, short
from pipe_runner.compiler.shape import Shape
from pipe_runner.compiler.values import Use, may_hold_template
from pipe_runner.diagnostics import Note
from pipe_runner.loader.neighbours import Neighbour, Neighbours, Refused, note_of, told_from
from pipe_runner.plan import NO_VALUES, PlannedInput, PlannedPart, Value
from pipe_runner.types import Json, Path_, Phase
from pipe_schemas.pipeline import PartSpec, PipelineSpec

if TYPE_CHECKING:
    from pipe_runner.compiler.nodes import NodeCompiler
    from pipe_runner.compiler.presets import Presets
    from pipe_runner.compiler.references import References
    from pipe_runner.loader import Document

DEEPEST: Final = 10
"""Files that include one another in a chain, beside the pipeline's own."""
_OF_THE_RUN: Final = ("outputs", "concurrency", "fail_fast", "budget")
_HOLDS_NODES: Final = (*(str(phase) for phase in Phase), "include")


class Part:
    """One file of a pipeline; number 0 is the pipeline's own. What it says holds for its nodes."""

    compiler: NodeCompiler
    references: References

    def __init__(self, number: int, path: str, real: str, report: Report, shape: Shape, spec: PipelineSpec) -> None:
        self.number = number
        self.path = path
        """Absolute: what the file names counts from its folder."""
        self.real = real
        self.report = report
        self.spec = spec
        self.data = shape.data
        """Without `x-…` keys and without what is wrong."""
        self.broken = shape.broken
        """Paths of what is wrong."""
        self.stand_ins = shape.stand_ins
        self.outer: Part | None = None
        """The file that includes this one."""
        self.inputs: tuple[PlannedInput, ...] = ()
        self.values: Mapping[str, Json] = {}
        """The inputs of an included file."""
        self.env: Value = NO_VALUES
        self.env_uses: list[Use] = []

    @property
    def document(self) -> Document:
        return self.report.document

    @property
    def written(self) -> Mapping[str, Any]:
        """The file's data with all that is wrong in it."""
        data = self.document.data
        return data if isinstance(data, dict) else {}

    def unread(self, section: str) -> bool:
        """Whether a whole map, of this file or one around it, is wrong, which is told: what it declares is unknown."""
        return any(section in one.written and section not in one.data for one in self.chain())

    def chain(self) -> Iterator[Part]:
        """This file, the one that includes it, and so on to the pipeline's own."""
        part: Part | None = self
        while part is not None:
            yield part
            part = part.outer


def shaped(report: Report) -> tuple[Shape, PipelineSpec | None]:
    """The model of a pipeline file; one that includes others needs no nodes of its own."""
    data = report.document.data
    assert isinstance(data, dict)
    shape = Shape(report, of_pipeline, entries=PartSpec)
    return shape, shape.check(PartSpec if data.get("include") else PipelineSpec, data)


class Includes:
    """Reads what a pipeline includes. `complete` is False where something could not be read, so that nobody says of a
    node that there isn't one."""

    def __init__(self, main: Part, neighbours: Neighbours, presets: Presets, root: str) -> None:
        self.parts = [main]
        self.complete = True
        self._neighbours = neighbours
        self._presets = presets
        self._root = root
        self._first: dict[str, tuple[Document, Path_]] = {}

    def read(self, part: Part, depth: int = 1) -> None:
        """Add all files that `part` includes, and those that they include."""
        if "include" in part.written and "include" not in part.data:  # it is wrong, which is told
            self.complete = False
        for number, entry in enumerate(part.spec.include):
            path: Path_ = ("include", number)
            if entry.file == LEFT_OUT:
                self.complete = False
                continue
            found = self._file(part, entry.file, (*path, "file"), depth)
            added = None if found is None else self._added(part, found, (*path, "file"))
            if added is None:
                self.complete = False
                continue
            self.parts.append(added)
            added.values = self._given(part, added, entry.with_, path)
            self.read(added, depth + 1)

    def _file(self, part: Part, name: str, path: Path_, depth: int) -> Neighbour | None:
        add = part.report.add
        found = self._neighbours.read(name, part.path, part.document.path)
        if isinstance(found, Refused):
            add(found.code, found.message, path, hint=found.hint)
            return None
        for ring, one in enumerate(chain := list(part.chain())):
            if one.real == found.real:
                way = " → ".join(p.document.path for p in (*reversed(chain[: ring + 1]), one))
                message = f"these files include one another: {way}" if ring else "the file includes itself"
                add("E801", message, path, hint="take one of the steps out" if ring else None)
                return None
        if found.real in self._first:
            first = note_of(*self._first[found.real], "included first")
            hint = "include it in one place: nodes of every file can refer to its nodes"
            add("E803", f"{short(name)} is included twice", path, hint=hint, notes=(first,))
            return None
        if depth > DEEPEST:
            add("E802", f"more than {DEEPEST} files that include one another", path, hint="include it further up")
            return None
        self._first[found.real] = (part.document, path)
        return found

    def _added(self, outer: Part, found: Neighbour, path: Path_) -> Part | None:
        """The part that a file is, or None where nothing is left of it."""
        from pipe_runner.compiler.presets import with_presets

        report = outer.report.included(found.document, path)
        if found.faults:
            report.found += told_from(found.faults, report.notes)
        data = found.document.data
        if not isinstance(data, dict) or report.crowded():
            return None
        with_presets(report, self._presets)
        shape = Shape(report, of_pipeline, entries=PartSpec)
        spec = shape.check(PartSpec, report.data())
        if spec is None:
            return None
        if not any(data.get(key) for key in _HOLDS_NODES):
            report.add("E209", "the file has no nodes", (), hint="write `nodes: {hello: {run: echo hello}}`")
        for key in _OF_THE_RUN:
            if key in spec.model_fields_set:
                message = f"`{key}` counts for nothing in an included file: it is a matter of the file that is run"
                report.add("W801", message, (key,), at="key", hint=f"say it in {self._main_name()}")
        part = Part(len(self.parts), found.path, found.real, report, shape, spec)
        part.outer = outer
        part.inputs = compile_inputs(spec.inputs, report)
        return part

    def _main_name(self) -> str:
        return short(self.parts[0].document.path)

    def _given(self, outer: Part, part: Part, given: Mapping[str, Json], path: Path_) -> dict[str, Json]:
        """The values of a part's inputs: plain data, held against what it declares."""
        report = outer.report
        known = {declared.name: declared for declared in part.inputs}
        written = part.written.get("inputs")
        wrong = set(written if isinstance(written, dict) else ()) - known.keys()
        values: dict[str, Json] = {}
        for name, value in given.items():
            place = (*path, "with", name)
            if name[:2] == "x-" or name in wrong:
                continue
            declared = known.get(name)
            if declared is None:
                near = report.suggest(name, known)
                hint = f"did you mean `{near}`?" if near else f"it takes {listed(known)}" if known else "it takes none"
                message = f"{short(part.document.path)} has no input `{short(name)}`"
                report.add("E804", message, place, at="key", hint=hint)
            elif may_hold_template(value):
                hint = "write the value itself; nodes of an included file can read `nodes.…` of every file"
                report.add("E213", "`with:` of an include is plain data, no template", place, hint=hint)
            else:
                for inner, sentence in misfits(value, declared):
                    report.add("E806", sentence, (*place, *inner), notes=_declared(part, name))
                values[name] = value
        for name, declared in known.items():
            if name not in given and declared.required and not report.misspelt(name, given, known):
                message = f"{short(part.document.path)} needs the input `{name}`"
                place = (*path, "with") if given else path
                hint = f"write `with: {{{name}: …}}`"
                report.add("E805", message, place, at="key", hint=hint, notes=_declared(part, name))
            values.setdefault(name, declared.default)
        return values

    def planned(self) -> tuple[PlannedPart, ...]:
        """The included files as a plan has them."""
        return tuple(
            PlannedPart(os.path.relpath(part.real, self._root), part.values, part.env, part.outer.number)
            for part in self.parts
            if part.outer is not None
        )


def _declared(part: Part, name: str) -> tuple[Note, ...]:
    return (note_of(part.document, ("inputs", name), "declared", at="key"),)
