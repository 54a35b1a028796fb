"""The condition that most nodes have, `nodes.a.status == "failed"`: read with one pattern, and without jinja2.

`simple_condition` gives exactly what `compile_condition` gives, or None; a test holds the two together.
"""

from __future__ import annotations

import re
from typing import Any, Final

from pipe_runner.expressions.compiled import Compiled, Reference
from pipe_runner.expressions.plain import NODE_FIELDS, RUN_FIELDS

_SIMPLE: Final = re.compile(
    r"""\ *+((?:inputs|nodes|env|run)(?:\.[A-Za-z_][A-Za-z0-9_]*){1,8})\ *+(==|!=|<=|>=|<|>)\ *+
    (?:([0-9]{1,15})|'([A-Za-z0-9_ ./:,+-]*)'|"([A-Za-z0-9_ ./:,+-]*)"|(true|false))\ *+""",
    re.VERBOSE,
)
_OPERATORS: Final = {"==": "eq", "!=": "ne", "<=": "lteq", ">=": "gteq", "<": "lt", ">": "gt"}


def simple_condition(text: str) -> Compiled | None:
    """What `compile_condition` makes of a comparison of a plain reference and a plain value; None for the rest."""
    found = _SIMPLE.fullmatch(text)
    if found is None:
        return None
    name, operator, number, single, double, word = found.groups()
    path = tuple(name.split("."))
    if (path[0] == "nodes" and len(path) > 2 and path[2] not in NODE_FIELDS) or (
        path[0] == "run" and path[1] not in RUN_FIELDS
    ):
        return None
    value: Any
    if number is not None:
        value = int(number)
    elif word is not None:
        value = word == "true"
    else:
        value = single if single is not None else double
    tree = ["cmp", ["ref", list(path)], [[_OPERATORS[operator], ["const", value]]]]
    return Compiled("jinja", text, tree, (Reference(path, found.start(1)),))
