"""What a file of tests says, held against its pipeline: nodes, inputs, secrets and outputs that there are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from pipe_runner.cases.matching import is_matcher
from pipe_runner.cases.names import Names
from pipe_runner.cases.shadows import Shadows
from pipe_runner.cases.suite import OTHERS
from pipe_runner.compiler.matching import misplaced
from pipe_runner.compiler.report import Report, listed, short
from pipe_runner.errors import PipeError
from pipe_runner.plan import Plan, PlannedNode
from pipe_runner.plugins import outputs_of
from pipe_runner.subplans import secrets_of
from pipe_runner.types import Path_
from pipe_schemas.patterns import matches

if TYPE_CHECKING:
    from pipe_runner.registry import Registry

OF_COMMANDS: Final = ("command", "script", "argv", "env", "stdin", "cwd")
"""Expectations that only a node with a command can meet."""


def check(data: Mapping[str, Any], plan: Plan, names: Names, report: Report, registry: Registry) -> None:
    """Report every fault. `data` is the file's, without what has been told already."""
    checks = _Checks(plan, names, report, registry)
    defaults = data.get("defaults") or {}
    checks.setting(("defaults",), defaults)
    shadows = Shadows(names, defaults)
    for name, case in data["cases"].items():
        path: Path_ = ("cases", name)
        if case:
            checks.setting(path, case)
        shadows.see(path, case)
        if checks.required:
            checks.missing(path, {**(defaults.get("inputs") or {}), **(case.get("inputs") or {})})
        expect = case.get("expect")
        if expect:
            checks.expectations((*path, "expect"), expect)
    shadows.tell(report)


class _Checks:
    def __init__(self, plan: Plan, names: Names, report: Report, registry: Registry) -> None:
        self._plan, self._names, self._report, self._registry = plan, names, report, registry
        self._nodes = names.nodes
        self._inside: dict[str, str] = {}
        """The first node that a node runs."""
        for id in self._nodes:
            self._inside.setdefault(id.rpartition(".")[0], id)
        self._inputs = {one.name: one for one in plan.inputs}
        self.required = [name for name, one in self._inputs.items() if one.required]
        """Inputs that have no default."""
        self._secrets = [one.name for one in secrets_of(plan)]
        self._schemas: dict[str, Mapping[str, Any]] = {}

    # ------------------------------------------------------------ what is given

    def setting(self, path: Path_, given: Mapping[str, Any]) -> None:
        """`inputs`, `secrets`, `mock` and `run` of a case or of the defaults."""
        for name, value in (given.get("inputs") or {}).items():
            place = (*path, "inputs", name)
            if name not in self._inputs:
                self._unknown("E703", f"the pipeline has no input `{short(name)}`", place, name, self._inputs)
                continue
            for inner, sentence in misplaced(value, self._inputs[name].schema, f"input `{name}`"):
                self._report.add("E703", sentence, (*place, *inner))
        for name in given.get("secrets") or {}:
            if name not in self._secrets:
                message = f"the pipeline has no secret `{short(name)}`"
                self._unknown("E603", message, (*path, "secrets", name), name, self._secrets)
        mocked = given.get("mock") or {}
        for name, mock in mocked.items():
            place = (*path, "mock", name)
            if name == OTHERS:
                continue
            node = self._known(name, place, at_key=True)
            if node is None:
                continue
            self._mocked(node, mock, place)
            if name != node.id:  # of one instance, so it must be clear of which
                self._of_which(name, place)
        run = given.get("run")
        for number, name in enumerate(run if isinstance(run, list) else ()):
            place = (*path, "run", number)
            node = self._known(name, place, at_key=False)
            if node is not None and name != node.id:
                message = f"`{short(name)}` is of an item, and `run:` lists nodes"
                self._report.add("E701", message, place, hint=f"write `{node.id}`, and mock what is not to run")
            elif node is not None and name in mocked:
                message = f"`{name}` is mocked, so it can't run for real"
                self._report.add("E212", message, place, hint="leave out one of the two")

    def missing(self, path: Path_, given: Mapping[str, Any]) -> None:
        """Inputs that have no default and that nothing is said of."""
        lacking = [name for name in self.required if name not in given]
        if lacking:
            what = "input" if len(lacking) == 1 else "inputs"
            message = f"the case doesn't give the {what} {listed(lacking)}, which the pipeline has no default for"
            self._report.add("E703", message, path, at="key", hint=f"write `inputs: {{{lacking[0]}: …}}`")

    def _mocked(self, node: PlannedNode, mock: Any, path: Path_) -> None:
        """A mocked output is one that the agent may give."""
        schema = self._schemas.get(node.id)
        if schema is None:
            schema = self._schemas[node.id] = self._output_schema(node)
        for number, one in enumerate(mock if isinstance(mock, list) else [mock]):
            if one.get("error") is not None:
                continue
            place = (*path, number) if isinstance(mock, list) else path
            for inner, sentence in misplaced(one.get("output"), schema, "output"):
                hint = "leave it as it is if the pipeline is to meet what its agent never gives"
                if node.fan_out is not None and not inner and isinstance(one.get("output"), list):
                    hint = f"this stands in for each item of `{node.id}`: say what one gives, not the list of results"
                self._report.add("W701", sentence, (*place, "output", *inner), hint=hint)

    def _output_schema(self, node: PlannedNode) -> Mapping[str, Any]:
        if isinstance(node.output_schema, dict):
            whole: Any = node.output_schema
            if node.fan_out is None:
                return whole  # type: ignore[no-any-return]
            of_item, _null_where_it_failed = whole["items"]["properties"]["output"]["anyOf"]
            return {"$defs": whole.get("$defs", {}), **of_item}
        options = node.options.data if isinstance(node.options.data, dict) else {}
        known = {name: value for name, value in options.items() if not _is_template(value)}
        try:
            return outputs_of(self._registry.get(node.agent), known, node.agent)
        except PipeError:  # a plugin's own fault: what it gives is not known
            return {}

    # ------------------------------------------------------------ what is expected

    def expectations(self, path: Path_, expect: Mapping[str, Any]) -> None:
        """Each expectation is of something that there is, and can be met."""
        outputs = expect.get("outputs")
        declared = self._plan.outputs.data if isinstance(self._plan.outputs.data, dict) else {}
        if isinstance(outputs, dict) and not is_matcher(outputs):
            for name in outputs:
                if name not in declared:
                    message = f"the pipeline has no output `{short(name)}`"
                    self._unknown("E704", message, (*path, "outputs", name), name, declared)
        for name, wanted in (expect.get("nodes") or {}).items():
            place = (*path, "nodes", name)
            node = self._known(name, place, at_key=True)
            if node is None:
                continue
            if self._of_which(name, place) and isinstance(wanted, dict):
                self._of_node(node, wanted, place)
        for place, pattern in _patterns(expect, path):
            self._pattern(place, pattern)

    def _of_node(self, node: PlannedNode, wanted: Mapping[str, Any], path: Path_) -> None:
        for key in OF_COMMANDS:
            if key in wanted and node.agent != "shell":
                message = f"`{node.id}` runs no command, so nothing is known of its `{key}`"
                self._report.add("E704", message, (*path, key), at="key", hint="`options:` is what its agent is given")
        options = node.options.data
        if "script" in wanted and isinstance(options, dict) and "argv" in options:
            message = f"`{node.id}` has `argv`, so no shell text"
            self._report.add("E704", message, (*path, "script"), at="key", hint="write `argv:` or `command:`")

    def _pattern(self, path: Path_, pattern: Any) -> None:
        if not isinstance(pattern, str):
            self._report.add("E203", "`matches` is a regular expression, as text", path)
            return
        try:
            matches(pattern, "")
        except ValueError as error:
            hint = "look-around and back-references are not available, so that no pattern can run away"
            self._report.add("E216", f"`matches` can't be used: {short(str(error), 200)}", path, hint=hint)

    # ------------------------------------------------------------ names

    def _known(self, name: str, path: Path_, *, at_key: bool) -> PlannedNode | None:
        """The node that a name is of; says where there is none."""
        id = self._names.node_of(name)
        if id is not None:
            return self._nodes[id]
        message = f"the pipeline has no node `{short(name)}`"
        owner = self._nodes.get(name.partition("[")[0])
        if "[" in name and owner is not None and owner.fan_out is not None:
            inside = self._inside.get(owner.id)
            what = f"`{owner.id}[KEY]`" + (
                f", a node in it `{owner.id}[KEY]{inside[len(owner.id) :]}`" if inside else ""
            )
            self._report.add("E701", message, path, at="key" if at_key else "value", hint=f"an item is {what}")
        else:
            self._unknown("E701", message, path, name, self._nodes, at_key=at_key)
        return None

    def _of_which(self, name: str, path: Path_) -> bool:
        """Whether it is clear in which items a node is; says where it isn't."""
        owner = self._names.half_named(name)
        if owner is not None:
            hint = f"say of which: `{short(f'{owner}[KEY]{name[len(owner) :]}')}`"
            self._report.add("E701", f"`{short(owner)}` is repeated", path, at="key", hint=hint)
        return owner is None

    def _unknown(self, code: str, message: str, path: Path_, name: str, known: Any, *, at_key: bool = True) -> None:
        near = self._report.suggest(name, known)
        hint = f"did you mean `{near}`?" if near else f"there is {listed(known)}" if known else "it has none"
        self._report.add(code, message, path, at="key" if at_key else "value", hint=hint)


def _patterns(value: Any, path: Path_) -> Iterator[tuple[Path_, Any]]:
    """Every `matches:` of an expectation, with its place."""
    if isinstance(value, dict):
        matcher = is_matcher(value)
        for key, inner in value.items():
            if matcher and key == "matches":
                yield (*path, key), inner
            elif not (matcher and key == "exactly"):
                yield from _patterns(inner, (*path, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _patterns(inner, (*path, number))


def _is_template(value: Any) -> bool:
    """Whether a value of a plan holds a template somewhere."""
    if isinstance(value, dict):
        if len(value) == 1 and next(iter(value)).startswith("$"):
            return True
        return any(map(_is_template, value.values()))
    return isinstance(value, list) and any(map(_is_template, value))
