"""Checks what every template reads, and makes edges of it."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from pipe_runner.compiler.advice import PRINTED, instead_of, of_node, of_root
from pipe_runner.compiler.agents import AgentInfo
from pipe_runner.compiler.drafts import Draft
from pipe_runner.compiler.fanout import finished, names_of
from pipe_runner.compiler.gives import asks_models, may_noop, output_of
from pipe_runner.compiler.kinds import ANY, NODE, RUN, TEXT, USAGE, Lookup, Nothing, Schema
from pipe_runner.compiler.repeated import read_by
from pipe_runner.compiler.report import Report, listed, no_name, short
from pipe_runner.compiler.values import Use
from pipe_runner.expressions import Reference
from pipe_runner.expressions.plain import NODE_FIELDS, path_text
from pipe_runner.types import IDENTIFIER, Phase

_ORDER: Final = {phase: rank for rank, phase in enumerate(Phase)}
_ONLY_HANDLERS: Final = frozenset({"status", "failed"})


class Broken:
    """Ids of which nothing is known; every id, where a file of the pipeline could not be read."""

    def __init__(self, ids: Iterable[str], *, everything: bool) -> None:
        self._ids, self._everything = frozenset(ids), everything

    def __contains__(self, id: object) -> bool:
        return self._everything or id in self._ids


@dataclass(slots=True)
class Declared:
    """What the file declares, for references to find."""

    inputs: Mapping[str, Schema]
    """The schema of each input; anything for one whose declaration is wrong."""
    env: frozenset[str]
    secrets: frozenset[str]
    nodes: dict[str, Draft] = field(default_factory=dict)
    broken: Container[str] = frozenset()
    """Ids of nodes that are so wrong that nothing is known of them."""
    unread: Container[str] = frozenset()
    """Those of `inputs`, `env` and `secrets` that are so wrong that nobody knows what they declare."""


class References:
    """Knows the declarations; checks one template at a time."""

    def __init__(self, declared: Declared, report: Report) -> None:
        self.declared = declared
        self._report = report
        self._inputs = Lookup({})
        self._usable: list[str] | None = None
        self._read_by: tuple[Draft, Schema, Lookup] | None = None
        """The last repeated node whose templates were looked at, and what its item or combination is."""

    def edges(self, draft: Draft) -> None:
        """Check all that the node's templates read; its `needs` and `reads` grow."""
        for use in draft.uses:
            for reference in use.compiled.references:
                self._check(reference, use, draft)
        if draft.fan_out is not None:
            draft.fan_out = finished(draft, self.declared.nodes)

    def check(self, uses: Iterable[Use]) -> None:
        """Check templates that stand in no node."""
        for use in uses:
            for reference in use.compiled.references:
                self._check(reference, use, None)

    def schema(self, path: tuple[str | int, ...], reader: Draft | None = None) -> Schema:
        """What a path reads in a template of that node, where that is known; never reports."""
        found, lookup, rest = self._start(path, reader)
        return lookup.at(rest, found)

    def lookup(self, path: tuple[str | int, ...], reader: Draft | None = None) -> Lookup:
        """The document that `$ref`s in the schema of a path count from."""
        return self._start(path, reader)[1]

    def _start(
        self, path: tuple[str | int, ...], reader: Draft | None = None
    ) -> tuple[Schema, Lookup, tuple[str | int, ...]]:
        root = path[0]
        if root == "nodes" and len(path) == 2:
            return {"type": "object"}, self._inputs, ()
        if root == "nodes" and len(path) > 2:
            if path[2] == "usage" and asks_models(self.declared.nodes.get(str(path[1]))):
                return USAGE, self._inputs, path[3:]
            if path[2] != "output":
                return NODE.get(str(path[2]), ANY), self._inputs, path[3:]
            schema = output_of(self.declared.nodes.get(str(path[1])))
            return schema, Lookup(schema), path[3:]
        if root == "inputs" and len(path) > 1:
            schema = self.declared.inputs.get(str(path[1]), ANY)
            return schema, Lookup(schema), path[2:]
        if root == "run" and len(path) > 1:
            return RUN.get(str(path[1]), ANY), self._inputs, path[2:]
        if root == "secrets":
            return TEXT, self._inputs, ()
        if root == "index":
            return {"type": "integer"}, self._inputs, path[1:]
        if root in ("item", "matrix") and reader is not None:
            if self._read_by is None or self._read_by[0] is not reader:
                self._read_by = (reader, *read_by(reader, root, self.schema, self.lookup))
            return (*self._read_by[1:], path[1:])
        return ANY, self._inputs, ()

    def _check(self, reference: Reference, use: Use, draft: Draft | None) -> None:
        path = reference.path
        root = path[0]
        if root in self.declared.unread:
            return
        if root == "nodes":
            if len(path) > 1:
                self._node(reference, use, draft)
        elif root == "inputs":
            self._declared_name(reference, use, "E308", "input", self.declared.inputs)
        elif root == "env":
            self._env(reference, use, draft)
        elif root == "secrets":
            self._secret(reference, use, draft)
        elif root == "run":
            if len(path) > 1 and path[1] in _ONLY_HANDLERS and (draft is None or draft.phase is Phase.NODES):
                hint = "nodes read one another: `nodes.<id>.status`"
                name = path_text(path[:2])
                self._add(
                    "E311", f"`{name}` is known only in `on_failure` and `finally`", reference, use, hint=hint, upto=2
                )
            elif len(path) > 2 and not reference.guarded:
                self._steps(reference, use, draft)
        elif root in ("item", "index", "matrix"):
            self._item(reference, use, draft)
        elif (better := of_root(str(root), self.declared.nodes, self.declared.inputs)) is not None:
            self._report.hint("E410", use.path, reference.offset, better)

    def _add(
        self, code: str, message: str, reference: Reference, use: Use, *, hint: str | None = None, upto: int = 99
    ) -> None:
        length = len(path_text(reference.path[:upto]))
        self._report.add(code, message, use.path, offset=reference.offset, length=length, hint=hint)

    def _item(self, reference: Reference, use: Use, draft: Draft | None) -> None:
        """`item`, `index` and `matrix`, which only the templates of a repeated node know."""
        path = reference.path
        root = path[0]
        spec = draft.spec if draft is not None else None
        if spec is None or (spec.for_each is None and spec.matrix is None):
            own = "matrix" if root == "matrix" else "for_each"
            if draft is not None and self._report.wrote(draft.path, "for_each", "matrix"):
                return  # it is wrong, which is told
            self._add("E311", f"`{root}` is known only in a node with `{own}:`", reference, use, upto=1)
        elif use.place == "items":
            self._add("E311", f"`{root}` isn't known where the items are made", reference, use, upto=1)
        elif root == "item" and spec.matrix is not None:
            hint = "a combination is read as `matrix.<name>`"
            self._add("E311", "`item` is known only in a node with `for_each:`", reference, use, hint=hint, upto=1)
        elif root == "matrix" and spec.for_each is not None:
            hint = "its items are read as `item`"
            self._add("E311", "`matrix` is known only in a node with `matrix:`", reference, use, hint=hint, upto=1)
        elif root == "matrix" and len(path) > 1 and not reference.guarded:
            names = names_of(spec.matrix)
            if path[1] not in names:
                near = self._report.suggest(str(path[1]), names)
                hint = f"did you mean `matrix.{near}`?" if near else f"there is {listed(names)}"
                self._add("E310", f"the matrix has no `{short(str(path[1]))}`", reference, use, hint=hint, upto=2)
            else:
                self._steps(reference, use, draft)
        elif root != "matrix" and len(path) > 1 and not reference.guarded:
            self._steps(reference, use, draft)

    # ------------------------------------------------------------ nodes

    def _node(self, reference: Reference, use: Use, draft: Draft | None) -> None:
        path = reference.path
        name = path[1]
        target = self.declared.nodes.get(name)  # type: ignore[arg-type]
        if target is None:
            if isinstance(name, str) and name not in self.declared.broken:
                self._unknown_node(name, reference, use)
            return
        if draft is not None:
            if target is draft:
                hint = "what it gives is known only when it is done"
                self._add("E307", f"`{short(draft.id)}` refers to itself", reference, use, hint=hint, upto=2)
                return
            if target.phase is draft.phase:
                draft.must_wait((target.index,))
            elif _ORDER[target.phase] > _ORDER[draft.phase]:
                self._later(target, draft, reference, use)
                return
            draft.has_read(target.index)
        elif use.place == "pipeline env":
            message = "the pipeline's `env` is set before any node runs, so it can't read one"
            self._add("E311", message, reference, use, hint="give it to the nodes that want it, in their own `env`")
            return
        elif use.place == "group":
            message = "`concurrency.group` is known before any node runs, so it can't read one"
            self._add("E311", message, reference, use, hint="make it from `inputs`")
            return
        if len(path) > 2 and path[2] not in NODE_FIELDS:
            better = instead_of(target, str(path[2]), self._report.suggest)
            if better is not None:
                self._report.hint("E413", use.path, reference.offset, better)
        elif len(path) > 3 and not reference.guarded:
            self._fields(reference, use, target, draft)

    def _unknown_node(self, name: str, reference: Reference, use: Use) -> None:
        near = self._report.suggest(name, self.declared.nodes)
        hint = f"did you mean `nodes.{near}`?" if near else f"there is {listed(self.declared.nodes, 8)}"
        hint = no_name(name, "a node id") or hint
        self._add("E305", f"there is no node `{short(name)}`", reference, use, hint=hint, upto=2)

    def _later(self, target: Draft, draft: Draft, reference: Reference, use: Use) -> None:
        message = (
            f"`{short(draft.id)}` reads `{short(target.id)}`, which is under `{target.phase}` and can't have run yet"
        )
        hint = "nodes run first, then `on_failure`, then `finally`"
        self._add("E306", message, reference, use, hint=hint, upto=2)

    def _fields(self, reference: Reference, use: Use, target: Draft, draft: Draft | None) -> None:
        """Every step under `nodes.x.output`, `.error`, … leads somewhere."""
        path = reference.path
        if not self._steps(reference, use, draft, target):
            return
        if path[2] == "error" and draft is not None:
            self._of_no_error(reference, use, target, draft)
        if path[2] == "output":
            self._of_a_noop(reference, use, target, draft)

    def _steps(self, reference: Reference, use: Use, draft: Draft | None, target: Draft | None = None) -> bool:
        """Tell of the first step that leads nowhere; whether there is none."""
        path = reference.path
        found, lookup, rest = self._start(path, draft)
        for at, step in enumerate(rest, len(path) - len(rest)):
            inner = lookup.step(found, step)
            if isinstance(inner, Nothing):
                self._nothing(inner, reference, use, at, target)
                return False
            found = inner
        return True

    def _of_no_error(self, reference: Reference, use: Use, target: Draft, draft: Draft) -> None:
        """A field of the error of a node that has none where its reader runs."""
        handles = draft.phase is not Phase.NODES or draft.spec.run_on != "success" or target.spec.continue_on_error
        error = reference.path[:3]
        if handles or any(one.path == error for one in use.compiled.references):
            return
        message = f"`{path_text(error)}` is null here, which has no fields: a node runs where its needs have succeeded"
        hint = "say so: `run_on: failure`, or `run_on: always`"
        self._add("W506", message, reference, use, hint=hint, upto=len(reference.path))

    def _of_a_noop(self, reference: Reference, use: Use, target: Draft, draft: Draft | None) -> None:
        """A field of an answer that may be a noop instead is asked for, or `noop` is looked at first."""
        if not may_noop(target):
            return
        noop = ("nodes", target.id, "output", "noop")
        when = draft.when.references if draft is not None and draft.when is not None else ()
        if any(one.path[:4] == noop for one in (*use.compiled.references, *when) if one is not reference):
            return
        name = path_text(reference.path[:4])
        if reference.path[:4] == noop:
            message = (
                f"`{name}` is there only where the model says that there is nothing to do; else it fails the reader"
            )
            hint = f"`when: {name} is defined`, or `{name} | default(…)`"
        else:
            message = f"`{name}` isn't there where the model says that there is nothing to do, which fails the reader"
            hint = f"`when: {path_text(noop)} is not defined`, or `{name} | default(…)`"
        self._add("W503", message, reference, use, hint=hint, upto=4)

    def _nothing(self, nothing: Nothing, reference: Reference, use: Use, at: int, target: Draft | None) -> None:
        path = reference.path
        owner, step = path_text(path[:at]), path[at]
        hint = None
        if nothing.keys:
            near = self._report.suggest(str(step), nothing.keys)
            message = f"`{owner}` has no `{short(str(step))}`"
            hint = f"did you mean `{near}`?" if near else f"there is {listed(nothing.keys)}"
        elif nothing.found:
            message = f"`{owner}` is {nothing.found}: it has no `{short(str(step))}`"
            if at == 3 and path[2] == "output" and target is not None:
                hint = of_node(target)
                if hint == PRINTED:
                    hint = f"say `output: json` on node `{short(target.id)}` if it prints JSON"
            if step in ("length", "size") and nothing.found in ("text", "a list"):
                hint = f"write `{owner} | length`"
        else:
            message = f"`{owner}` has no `{short(str(step))}`"
        self._add("E310", message, reference, use, hint=hint, upto=at + 1)

    # ------------------------------------------------------------ what the file declares

    def _declared_name(self, reference: Reference, use: Use, code: str, what: str, known: Mapping[str, Schema]) -> None:
        path = reference.path
        if len(path) < 2:
            return
        name = str(path[1])
        if name not in known:
            near = self._report.suggest(name, self._identifiers(known))
            hint = (
                f"did you mean `inputs.{near}`?"
                if near
                else no_name(name, "an input's name") or f"declare it: `inputs: {{{short(name)}: {{type: string}}}}`"
            )
            if not (reference.guarded and IDENTIFIER.match(name)):
                self._add(code, f"there is no {what} `{short(name)}`", reference, use, hint=hint, upto=2)
            return
        if len(path) > 2 and not reference.guarded:
            self._steps(reference, use, None)

    def _identifiers(self, known: Mapping[str, Schema]) -> list[str]:
        """Those of the names that can be meant; one list for one file, so that it is sorted by letters once."""
        if self._usable is None:
            self._usable = list(filter(str.isidentifier, known))
        return self._usable

    def _env(self, reference: Reference, use: Use, draft: Draft | None) -> None:
        path = reference.path
        if use.place == "pipeline env":
            self._add("E311", "`env` can't be read where it is made", reference, use, hint="repeat the value")
            return
        if use.place == "group":
            self._add("E311", "`concurrency.group` can't read `env`", reference, use, hint="make it from `inputs`")
            return
        if len(path) < 2 or path[1] in self.declared.env or reference.guarded:
            return
        name = str(path[1])
        own = draft.spec.env if draft is not None else {}
        if name in own:
            hint = f"the node's own variables are set after its templates: in `run:` write ${name}"
            self._add("E309", f"`env.{name}` is set by this node itself", reference, use, hint=hint, upto=2)
            return
        near = self._report.suggest(name, self.declared.env)
        hint = (
            f"did you mean `env.{near}`?"
            if near
            else (
                no_name(name, "a variable's name")
                or f"`env` has what the file's own `env:` says, nothing of the environment around it: "
                f"declare `{short(name)}` there, or take it as an input"
            )
        )
        self._add("E309", f"there is no variable `{short(name)}` in `env:`", reference, use, hint=hint, upto=2)

    def _secret(self, reference: Reference, use: Use, draft: Draft | None) -> None:
        path = reference.path
        if len(path) != 2:
            return
        name = str(path[1])
        if name not in self.declared.secrets:
            near = self._report.suggest(name, self.declared.secrets)
            hint = (
                f"did you mean `secrets.{near}`?"
                if near
                else no_name(name, "a secret's name") or f"declare it: `secrets: {{{short(name)}: {{from: env}}}}`"
            )
            self._add("E603", f"there is no secret `{short(name)}`", reference, use, hint=hint)
            return
        if use.place in ("run", "argv", "when"):  # told by the expressions already
            return
        if draft is None:
            what = "the pipeline's `env` is for every node" if use.place == "pipeline env" else f"{_shown(use)} shown"
            hint = "grant it to a node: `secrets: [" + name + "]`"
            self._add("E405", f"a secret can't stand here: {what}", reference, use, hint=hint)
            return
        if draft.agent is not None and draft.agent.name == "pipeline":
            hint = "declare it in the file of the sub-pipeline, and grant it to its nodes"
            self._add("E405", "a secret can't be given to a sub-pipeline", reference, use, hint=hint)
        elif not may_hold_secret(use, draft.agent):
            hint = "a secret may stand in `env:`, and in the options that an agent declares for it"
            self._add("E405", f"a secret can't stand in {_where(use)}", reference, use, hint=hint)
        elif name not in draft.spec.secrets:
            hint = f"grant it: `secrets: [{name}]` on node `{short(draft.id)}`"
            self._add("E604", f"node `{short(draft.id)}` is not granted the secret `{name}`", reference, use, hint=hint)


def _shown(use: Use) -> str:
    return "a group's name is" if use.place == "group" else "outputs are"


def may_hold_secret(use: Use, agent: AgentInfo | None) -> bool:
    """Whether the place is one of those that the language gives to secrets."""
    if use.place == "env" or agent is None:
        return True
    if use.place == "stdin":
        return agent.takes_secret(("stdin",))
    return use.place == "with" and agent.takes_secret(use.path[3:])


def _where(use: Use) -> str:
    if use.place == "with":
        return f"the option `{'.'.join(str(step) for step in use.path[3:])}`"
    return f"`{use.place}`"
