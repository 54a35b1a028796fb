"""Faults that can be known before a run: names that mean nothing, and what was meant by those of other systems."""

from __future__ import annotations

from typing import Final

from pipe_runner.expressions.compiled import Fault, Path
from pipe_runner.expressions.plain import NODE_FIELDS, ROOTS, RUN_FIELDS, path_text
from pipe_runner.expressions.vocabulary import FILTERS, FUNCTIONS, METHODS, TESTS

_ROOTS_OF_OTHERS: Final = {
    "needs": "the output of a node is nodes.<id>.output",
    "steps": "the output of a node is nodes.<id>.output",
    "jobs": "the output of a node is nodes.<id>.output",
    "tasks": "the output of a node is nodes.<id>.output",
    "outputs": "the output of a node is nodes.<id>.output",
    "node": "a node is nodes.<id>",
    "input": "an input is inputs.<name>",
    "params": "an input is inputs.<name>",
    "parameters": "an input is inputs.<name>",
    "vars": "an input is inputs.<name>, an environment variable env.<NAME>",
    "var": "an input is inputs.<name>",
    "github": "what is known of the run is run.id, run.started_at, run.git_sha, run.attempt",
    "secret": "a secret is secrets.<NAME>",
    "environ": "an environment variable is env.<NAME>",
    "strategy": "a matrix value is matrix.<name>",
    "each": "the item of a for_each is item, its place is index",
    "items": "the item of a for_each is item, its place is index",
    "loop": "the item of a for_each is item, its place is index",
    "null": "write none; `x is none` asks for it",
    "nil": "write none; `x is none` asks for it",
    "manual": "a person is asked by a node with `agent: approval`, which this one needs",
    **dict.fromkeys(("always", "all_done"), "say `run_on: always` on the node"),
    **dict.fromkeys(("failure", "on_failure"), "say `run_on: failure` on the node"),
    **dict.fromkeys(("success", "on_success"), "a node runs after success by itself: leave it out"),
    **dict.fromkeys(("yes", "on"), "write true"),
    **dict.fromkeys(("no", "off", "never"), "write false"),
}
_FUNCTIONS_OF_OTHERS: Final = {
    "always": "say `run_on: always` on the node",
    "success": "a node runs after success by itself; `run_on:` changes that",
    "failure": "say `run_on: failure` on the node",
    "cancelled": "what hasn't started is cancelled with the run; `finally:` always runs",
    "len": "write `x | length`",
    "str": "write `x | string`",
    "int": "write `x | int`",
    "float": "write `x | float`",
    "bool": "write `x | bool`",
    "list": "write `x | list`",
    "sum": "write `x | sum`",
    "min": "write `x | min`",
    "max": "write `x | max`",
    "sorted": "write `x | sort`",
    "round": "write `x | round`",
    "join": "write `x | join(', ')`",
    "toJSON": "write `x | tojson`",
    "toJson": "write `x | tojson`",
    "fromJSON": "write `x | fromjson`",
    "hashFiles": "the content of files counts by `cache: {files: [src/**]}`",
    "startswith": "write `x.startswith('…')`",
    "endswith": "write `x.endswith('…')`",
    "contains": "write `'part' in x`",
    "startsWith": "write `x.startswith('…')`",
    "endsWith": "write `x.endswith('…')`",
    "format": "write `'%s' | format(x)`",
    "lookup": "values come from inputs, env and nodes alone; read a file in a node",
    "env_var": "an environment variable is env.<NAME>",
    "var": "an input is inputs.<name>",
    "namespace": "values can't be changed; build them with filters: select, map, sum",
    "uuid": "run.id is each run's own; what differs by attempt or item is in the node's environment, as PIPE_ATTEMPT",
    "random": "the same run must give the same values; draw lots in a node",
    "now": "the run's start is run.started_at; ask `date` in a node for another",
}
_FILTERS_OF_OTHERS: Final = {
    "to_json": "tojson",
    "to_nice_json": "tojson(indent=2)",
    "from_json": "fromjson",
    "toJson": "tojson",
    "length()": "length",
    "len": "length",
    "size": "length",
    "strip": "trim",
    "uppercase": "upper",
    "lowercase": "lower",
    "str": "string",
    "integer": "int",
    "base64": "b64encode",
    "splitlines": "lines",
    "sorted": "sort",
    "concat": "join",
    "coalesce": "default",
    "urlencode_plus": "urlencode",
    "pprint": "tojson(indent=2)",
    "hash": "sha256",
}
_NO_FILTER: Final = {
    "quote": "a value reaches the shell whole, as a variable; it needs no quoting",
    "shellquote": "a value reaches the shell whole, as a variable; it needs no quoting",
    "sh": "a value reaches the shell whole, as a variable; it needs no quoting",
    "ternary": "write `a if condition else b`",
    "attr": "write x.name or x['name']; only keys and indexes can be read",
    "random": "the same run must give the same values; draw lots in a node",
    "shuffle": "the same run must give the same values; draw lots in a node",
    "regex_search": "regular expressions have no bound in time; use `in`, startswith, split, or grep in a node",
    "regex_replace": "regular expressions have no bound in time; use replace, or sed in a node",
    "regex_findall": "regular expressions have no bound in time; use split, or grep in a node",
    "trust": "`| trust` has a meaning only in `run:` and `argv:`",
    "unsafe_raw": "`| unsafe_raw` has a meaning only in `run:`",
    "xmlattr": "build the text with `~` and `| e`",
    "urlize": "build the text with `~` and `| e`",
    "forceescape": "write `| e`",
}
_TESTS_OF_OTHERS: Final = {
    "succeeded": 'write `nodes.<id>.status == "succeeded"`',
    "success": 'write `nodes.<id>.status == "succeeded"`',
    "failed": 'write `nodes.<id>.status == "failed"`',
    "failure": 'write `nodes.<id>.status == "failed"`',
    "skipped": 'write `nodes.<id>.status == "skipped"`',
    "match": "regular expressions have no bound in time; use startswith",
    "search": "regular expressions have no bound in time; use `in`",
    "regex": "regular expressions have no bound in time; use `in`",
    "contains": "write `'part' in x`",
    "None": "write `is none`",
}
MEANS_OUTPUT: Final = ("outputs", "result", "results", "value", "stdout", "text", "json", "out")
"""What others call what a node gave."""
_MEANS_STATUS: Final = ("outcome", "conclusion", "state")
"""What others call how it ended; a `result` is that in some of them, the output in others."""


def check_path(path: Path, offset: int, roots: frozenset[str] = ROOTS) -> Fault | None:
    """What can be said of a reference without knowing the pipeline: its root, and the fields of nodes and run."""
    root = path[0]
    if root not in roots:
        return unknown_name(str(root), offset, roots)
    if root == "nodes":
        if len(path) == 1:
            return Fault(
                "E412",
                "`nodes` alone names no node: which one must be known before the run",
                offset,
                5,
                "write `nodes.<id>.output`",
            )
        if not isinstance(path[1], str):
            return Fault("E412", "a node is named by its id: `nodes.<id>`", offset, len(path_text(path)))
        if len(path) > 2 and path[2] not in NODE_FIELDS:
            return _unknown_field(path, 2, NODE_FIELDS, offset, f"nodes.{path[1]}")
    elif root == "run" and len(path) > 1 and path[1] not in RUN_FIELDS:
        return _unknown_field(path, 1, RUN_FIELDS, offset, "run")
    elif root == "secrets" and len(path) != 2:
        return Fault("E405", "a secret is named `secrets.<NAME>`", offset, len(path_text(path)))
    return None


def _unknown_field(path: Path, at: int, known: tuple[str, ...], offset: int, owner: str) -> Fault:
    from pipe_runner.diagnostics import did_you_mean

    field = str(path[at])
    near = did_you_mean(field, known)
    if at == 2 and field in MEANS_OUTPUT:
        near = "output"
    shown = path_text(path[: at + 1])
    hint = f"did you mean `{owner}.{near}`?" if near else f"there is {', '.join(known)}"
    if at == 2 and field in _MEANS_STATUS:
        hint = f"how it ended is `{owner}.status`"
    elif at == 2 and field == "result":
        hint += f"; how it ended is `{owner}.status`"
    elif near is None and at == 2:
        hint += f"; what the node gave stands under `{owner}.output`"
    return Fault("E413", f"{owner} has no `{field}`", offset, len(shown), hint)


def unknown_name(name: str, offset: int, roots: frozenset[str] = ROOTS) -> Fault:
    from pipe_runner.diagnostics import did_you_mean

    known = ", ".join(sorted(roots))
    near = did_you_mean(name[:100], roots)
    if name in _ROOTS_OF_OTHERS and roots is ROOTS:
        hint = _ROOTS_OF_OTHERS[name]
    elif near:
        hint = f"did you mean {near}? An expression begins with {known}"
    else:
        hint = f"an expression begins with {known}; text needs quotes: '{name}'"
    return Fault("E410", f"nothing is called `{name}` here", offset, len(name), hint)


def unknown_function(name: str, offset: int) -> Fault:
    from pipe_runner.diagnostics import did_you_mean

    near = did_you_mean(name, FUNCTIONS)
    if name in _FUNCTIONS_OF_OTHERS:
        hint = _FUNCTIONS_OF_OTHERS[name]
    elif name in FILTERS:
        hint = f"it is a filter: `x | {name}`"
    elif near:
        hint = f"did you mean {near}()?"
    else:
        hint = f"there is {', '.join(sorted(FUNCTIONS))}, and filters: `x | length`"
    return Fault("E411", f"there is no function `{name}()`", offset, len(name), hint)


def unknown_method(name: str, offset: int) -> Fault:
    from pipe_runner.diagnostics import did_you_mean

    near = did_you_mean(name, METHODS)
    if name == "format":
        hint = "write `'%s' | format(x)`, or join with `~`"
    elif name in ("append", "extend", "pop", "update", "insert", "remove", "clear", "setdefault", "sort", "reverse"):
        hint = "values can't be changed; build a new one with filters: sort, reverse, `a + b`"
    elif near:
        hint = f"did you mean .{near}()?"
    elif name in FILTERS:
        hint = f"it is a filter: `x | {name}`"
    else:
        hint = "values are data and have the methods of texts only; see docs/expressions.md"
    return Fault("E411", f"there is no method `.{name}()`", offset, len(name) + 1, hint)


def unknown_filter(name: str, offset: int, *, quoted: bool = False) -> Fault:
    from pipe_runner.diagnostics import did_you_mean

    near = _FILTERS_OF_OTHERS.get(name) or did_you_mean(name, FILTERS)
    if name in _NO_FILTER:
        hint = _NO_FILTER[name]
    else:
        hint = f"did you mean `| {near}`?" if near else "docs/expressions.md lists all of them"
    return Fault("E411", f"there is no filter `{name}`", offset, len(name) + (2 if quoted else 0), hint)


def unknown_test(name: str, offset: int, *, quoted: bool = False) -> Fault:
    from pipe_runner.diagnostics import did_you_mean

    near = did_you_mean(name, TESTS)
    if name in _TESTS_OF_OTHERS:
        hint = _TESTS_OF_OTHERS[name]
    else:
        hint = f"did you mean `is {near}`?" if near else "docs/expressions.md lists all of them"
    return Fault("E411", f"there is no test `is {name}`", offset, len(name) + (2 if quoted else 0), hint)
