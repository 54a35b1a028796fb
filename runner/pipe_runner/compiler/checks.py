"""Checks of types: what a template gives against what is asked for where it stands."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from pipe_runner.compiler.advice import PRINTED, of_use
from pipe_runner.compiler.attributes import LACKS
from pipe_runner.compiler.drafts import Draft
from pipe_runner.compiler.failing import doubts
from pipe_runner.compiler.infer import SchemaOf, schema_of
from pipe_runner.compiler.kinds import Lookup, clash, surely_fits, words
from pipe_runner.compiler.references import References
from pipe_runner.compiler.report import Report
from pipe_runner.compiler.room import WORK, Room
from pipe_runner.compiler.trees import all_in
from pipe_runner.compiler.values import Use
from pipe_runner.expressions.compiled import IN_CODE
from pipe_runner.types import Path_

if TYPE_CHECKING:
    from pipe_runner.compiler.parts import Part


def check_all(parts: Collection[Part], drafts: list[Draft], others: Collection[Use]) -> None:
    """All that needs the types of what is read. `others`: templates of the pipeline's own file in no node."""
    main = next(iter(parts))
    for part, uses in ((main, others), *((part, part.env_uses) for part in parts)):
        for use in uses:
            if use.sound:
                _tell(use, part.references.schema, part.references.declared.nodes, part.report, "the run")
    for draft in drafts:
        if draft.uses:
            check_types(draft, draft.part.references, draft.part.report)
    room = Room(WORK // 10)
    for part in parts:
        if part.report.options:
            _tell_options(part, drafts, room)


def _tell_options(part: Part, drafts: list[Draft], room: Room) -> None:
    """Tell of values that may be options, or would be code."""
    from pipe_runner.compiler.leading import in_env, is_no_option
    from pipe_runner.compiler.listed import Found, not_written_out

    by_path = {draft.path: draft for draft in drafts}
    in_code: dict[Path_, Found] = {}
    told: Found = []
    for fault, path in part.report.options:
        if fault.code in IN_CODE:
            in_code.setdefault(path[:3], []).append((fault, path))
            continue
        draft = by_path.get(path[:2])
        spec = part.spec if draft is None else draft.spec
        if not is_no_option(spec, path, fault, partial(part.references.schema, reader=draft)):
            told.append((fault, path))
    for path, found in in_code.items():
        draft = by_path.get(path[:2])
        spec = part.spec if draft is None else draft.spec
        told += not_written_out(spec, found, partial(part.references.schema, reader=draft), room)
    for fault, path in told:
        offset, length = (None, None) if in_env(path) or path[2] == "stdin" else (fault.offset, fault.length)
        part.report.add(fault.code, fault.message, path, offset=offset, length=length, hint=fault.hint)


def check_types(draft: Draft, references: References, report: Report) -> None:
    """Every template of a node whose type is known fits its place; sets `validate_options` where only the run tells."""
    of_path, nodes = partial(references.schema, reader=draft), references.declared.nodes
    for use in draft.uses:
        if not use.sound:
            continue
        if use.place == "when":
            _condition(draft, use, references, report)
        elif use.place == "items":
            _items(use, references, report)
        elif use.place == "with":
            _option(draft, use, references, report)
        _tell(use, of_path, nodes, report)


def _tell(use: Use, of_path: SchemaOf, nodes: Mapping[str, Draft], report: Report, fails: str = "the node") -> None:
    """What fails wherever the template is evaluated, and comparisons that come out in one way only."""
    for code, sentence, tree in doubts(use.compiled, of_path):
        offset, length = use.spot(tree)
        hint = of_use(use, nodes) if _of_output(code, sentence, tree) else None
        report.add(code, sentence.replace("the node", fails), use.path, offset=offset, length=length, hint=hint)


def _of_output(code: str, sentence: str, tree: list[Any]) -> bool:
    """Whether it may help to say what the output of a node is."""
    if code == "W501":
        return sentence.startswith("comparing")
    return not sentence.startswith(LACKS) and tree[0] != "get" and any(one[0] == "ref" for one in all_in(tree))


def _condition(draft: Draft, use: Use, references: References, report: Report) -> None:
    compiled = use.compiled
    if compiled.kind == "literal":
        return
    schema = schema_of(compiled, partial(references.schema, reader=draft))
    types = _lookup(use, schema, references, draft).types(schema)
    if "boolean" not in types:
        message = f"a condition gives true or false, and this one gives {words(types)}, which fails the node"
        report.add("W502", message, use.path, hint="compare it: `… == 'ok'`, `… > 0`, `… | length > 0`")


def _items(use: Use, references: References, report: Report) -> None:
    if len(use.path) > 4:  # inside a list that the file has
        return
    schema = schema_of(use.compiled, references.schema)
    types = _lookup(use, schema, references).types(schema)
    if "array" not in types:
        message = f"`items` is a list, and this gives {words(types)}, which fails the node"
        hint = of_use(use, references.declared.nodes)
        if hint == PRINTED:
            hint = "`output: json` or `output: lines` on a command gives a list"
        elif types == {"object"}:
            hint = "; ".join(filter(None, (hint, "`| list` makes a list of an object's keys")))
        report.add("E508", message, use.path, hint=hint)


def _option(draft: Draft, use: Use, references: References, report: Report) -> None:
    agent = draft.agent
    if agent is None:
        return
    source = schema_of(use.compiled, partial(references.schema, reader=draft))
    lookup = _lookup(use, source, references, draft)
    target = agent.option(use.path[3:])
    why = clash(source, lookup, target, agent.options)
    if why is not None:
        name = ".".join(str(step) for step in use.path[3:])
        hint = None
        if not use.compiled.whole and "text" in why:
            hint = "text around an expression makes text of it: only `{{ … }}` alone keeps the value's type"
        code, what = agent.unfit
        report.add(code, f"this value doesn't fit the {what} `{name}`: {why}", use.path, hint=hint)
    elif not surely_fits(source, lookup, target, agent.options):
        draft.validate_options = True


def _lookup(use: Use, schema: object, references: References, draft: Draft | None = None) -> Lookup:
    """The document that the schema's `$ref`s count from."""
    if use.compiled.kind == "reference":
        return references.lookup(use.compiled.body, draft)
    return Lookup(schema if isinstance(schema, dict) else {})
