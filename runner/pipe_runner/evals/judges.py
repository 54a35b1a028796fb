"""Makes graders of what a file says: conditions over an answer, schemas, models that judge."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pipe_runner.compiler import compile_text
from pipe_runner.compiler.infer import schema_of
from pipe_runner.compiler.kinds import ANY, types_of, words
from pipe_runner.compiler.models import Models
from pipe_runner.compiler.report import Report, short
from pipe_runner.evals.suite import Grader, Judge
from pipe_runner.expressions.compile import compile_over
from pipe_runner.expressions.compiled import Compiled
from pipe_runner.plan import Plan
from pipe_runner.project import Project
from pipe_runner.types import Path_
from pipe_schemas.answers import KEYWORDS, faults, patterns

if TYPE_CHECKING:
    from pipe_runner.registry import Registry
    from pipe_schemas.evals import GraderSpec, ModelGraderSpec

NAMES: Final = frozenset({"output", "expected", "inputs", "case", "duration", "tokens", "cost"})
"""What an expression of a grader may begin with."""
ASKED: Final = frozenset({"output", "expected", "inputs", "case"})
"""What a model that judges is told by templates: nothing that differs from run to run, so that it can be replayed."""
JUDGED: Final = ASKED | {"answer"}
KNOWN: Final[dict[str, dict[str, Any]]] = {
    "duration": {"type": "number"},
    "tokens": {"type": ["integer", "null"]},
    "cost": {"type": ["number", "null"]},
    "inputs": {"type": "object"},
}
"""What is known of them before there is an answer."""
NODE: Final = "grade"


class Makers:
    """Makes the graders of one file."""

    def __init__(self, report: Report, project: Project, registry: Registry, root: Path) -> None:
        self._report, self._registry, self._root = report, registry, root
        self._models = Models(project, registry)

    def make(self, name: str, spec: GraderSpec) -> Grader | None:
        """The grader, or None where it is wrong, which is reported."""
        path: Path_ = ("graders", name)
        said = [key for key in ("expression", "schema_", "model") if key in spec.model_fields_set]
        if len(said) != 1:
            message = "a grader has exactly one of `expression`, `schema` and `model`"
            hint = "make two graders of it: both must then pass" if said else "write `expression: output == expected`"
            self._report.add("E212", message, path, at="key", hint=hint)
            return None
        if spec.expression is not None:
            found = self._compiled(spec.expression, (*path, "expression"), NAMES, condition=True)
            if found is None:
                return None
            self._verdict(found, (*path, "expression"))
            return Grader(name, expression=found)
        if spec.schema_ is not None:
            fine = self._schema(spec.schema_, (*path, "schema"))
            return Grader(name, schema=spec.schema_) if fine else None
        if spec.model is None:
            return None
        judge = self._judge(spec.model, (*path, "model"))
        return None if judge is None else Grader(name, judge=judge)

    def _compiled(self, text: str, path: Path_, names: frozenset[str], *, condition: bool = False) -> Compiled | None:
        compiled, found = compile_over(text, names, condition=condition)
        for fault in found:
            self._report.add(fault.code, fault.message, path, offset=fault.offset, length=fault.length, hint=fault.hint)
        return None if found else compiled

    def _verdict(self, condition: Compiled, path: Path_) -> None:
        """Warn of a condition that can't give true or false: it grades nothing."""
        schema = schema_of(condition, lambda path: KNOWN.get(".".join(map(str, path)), ANY))
        types = types_of(schema)
        if "boolean" not in types:
            message = f"a condition gives true or false, and this one gives {words(types)}, which grades nothing"
            self._report.add("W502", message, path, hint="compare it: `… == expected`, `… > 0`, `… | length > 0`")

    def _schema(self, schema: dict[str, Any], path: Path_) -> bool:
        fine = True
        for fault in faults(schema):
            hint = fault.hint
            if fault.keyword is not None:
                near = self._report.suggest(fault.keyword, KEYWORDS)
                hint = f"did you mean `{near}`?" if near else "what is yours begins with `x-`"
            place = (*path, *fault.path)
            self._report.add("E514", fault.message, place, at="key" if fault.at_key else "value", hint=hint)
            fine = False
        for inner, pattern in patterns(schema) if fine else ():
            why = self._models.pattern_fault(pattern)
            if why is not None:
                self._report.add("E216", f"this pattern can't be used: {short(why, 200)}", (*path, *inner))
                fine = False
        return fine

    def _judge(self, spec: ModelGraderSpec, path: Path_) -> Judge | None:
        before = len(self._report.found)
        passes = self._compiled(spec.pass_, (*path, "pass"), JUDGED, condition=True)
        texts = {"prompt": spec.prompt, **({"system": spec.system} if spec.system is not None else {})}
        templates = {key: self._compiled(text, (*path, key), ASKED) for key, text in texts.items()}
        providers = self._models.providers(spec.provider, (*path, "provider"), self._report)
        if spec.output_schema is not None:
            self._schema(spec.output_schema, (*path, "output_schema"))
        if len(self._report.found) > before or passes is None:
            return None
        plan = self._plan(spec, texts, providers, path)
        if plan is None:
            return None
        self._verdict(passes, (*path, "pass"))
        return Judge(plan, {key: one for key, one in templates.items() if one is not None}, passes)

    def _plan(self, spec: ModelGraderSpec, texts: dict[str, str], providers: list[str], path: Path_) -> Plan | None:
        """A pipeline of one node that asks the model; what it is told are inputs, so that a sample stays data."""
        given: dict[str, Any] = {key: f"{{{{ inputs.{key} }}}}" for key in texts}
        given["temperature"] = 0 if spec.temperature is None else spec.temperature
        for key in ("model", "output_schema", "max_tokens"):
            if getattr(spec, key) is not None:
                given[key] = getattr(spec, key)
        data = {
            "version": 1,
            "name": str(path[1]),
            "inputs": {key: {"type": "string"} for key in texts},
            "nodes": {NODE: {"agent": "llm", "provider": providers, "with": given}},
        }
        where = os.path.join(self._root, f"grader-{path[1]}.yml")
        compilation = compile_text(json.dumps(data), path=where, root=self._root, registry=self._registry)
        for fault in compilation.diagnostics:
            if fault.is_error:
                self._report.add("E505", fault.message, path, at="key", hint=fault.hint)
        return compilation.plan
