"""Hints for who reads what a node gives as something that it isn't."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from pipe_runner.compiler.drafts import Draft
from pipe_runner.compiler.gives import output_of
from pipe_runner.compiler.report import listed, short
from pipe_runner.compiler.values import Use
from pipe_runner.expressions.checks import MEANS_OUTPUT
from pipe_runner.expressions.plain import NODE_FIELDS

PRINTED = "a command's output is text unless the node says `output: json`"


def of_node(draft: Draft | None) -> str | None:
    """What the output of a node is as a whole, and how its parts are read."""
    if draft is None or draft.agent is None:
        return None
    whole = f"nodes.{short(draft.id)}.output"
    if draft.spec.for_each is not None or draft.spec.matrix is not None:
        return f"it is a list of results: read one, `{whole}[0].output`, or all, `{whole} | map(attribute='output')`"
    if draft.inside is not None:
        given: Any = draft.inside.output({}).get("properties")
        if given is None:
            return None
        names = listed([f"{whole}.{name}" for name in given], 4) if given else "there is none"
        return f"a sub-pipeline gives an object of its `outputs:`: {names}"
    return _OF_COMMANDS.get(kind_of(draft))


def instead_of(draft: Draft, field: str, suggest: Callable[[str, Collection[str]], str | None]) -> str | None:
    """What was meant by a field that no node has, where the node's output has one of about this name; what a
    sub-pipeline gives, where nothing else is like it. `suggest` finds a word among others."""
    schema: Any = output_of(draft)
    given = schema.get("properties") or {}
    near = field if field in given else None
    if near is None:
        if field in MEANS_OUTPUT or suggest(field, NODE_FIELDS) is not None:
            return None
        near = suggest(field, given)
    if near is not None:
        return f"did you mean `nodes.{short(draft.id)}.output.{short(near)}`?"
    return None if draft.inside is None else of_node(draft)


def of_root(name: str, nodes: Collection[str], inputs: Collection[str]) -> str | None:
    """What was meant by a name with which no expression begins, where a node or an input is called so."""
    node = f"`{name}` is a node: it gave `nodes.{name}.output` and ended as `nodes.{name}.status`"
    hints = [node] if name in nodes else []
    hints += [f"`{name}` is an input: `inputs.{name}`"] if name in inputs else []
    return "; ".join([*hints, f"text needs quotes: '{name}'"]) if hints else None


def kind_of(draft: Draft | None) -> str:
    """What `output:` says of a command's node; empty for any other, and where it isn't known."""
    if draft is None or draft.agent is None or draft.agent.name != "shell" or not isinstance(draft.options.data, dict):
        return ""
    return str(draft.options.data.get("output", "text"))


def of_use(use: Use, nodes: Mapping[str, Draft]) -> str | None:
    """The same of the first node whose output a template reads as a whole, and of which there is something to say."""
    for reference in use.compiled.references:
        path = reference.path
        if len(path) == 3 and path[0] == "nodes" and path[2] == "output":
            found = of_node(nodes.get(str(path[1])))
            if found is not None:
                return found
    return None


_OF_COMMANDS = {
    "text": PRINTED,
    "lines": "`output: lines` gives a list of lines; text is `output: text`, and printed JSON `output: json`",
    "file": "`output: file` gives the object that is written to `$PIPE_OUTPUT`, whose keys are read one by one; what "
    "is printed is `output: text`",
}
