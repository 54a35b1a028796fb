"""Templates, conditions and shell text. Values are never code: they stand in for themselves and nothing else.

Names are loaded when they are first asked for; evaluating a literal or a plain reference never imports jinja2, and
neither does evaluating anything that was compiled before (a cached plan).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipe_runner import handing_on
from pipe_runner.errors import ExpressionFault
from pipe_runner.expressions.compiled import Compiled, Fault, Reference, ShellText

if TYPE_CHECKING:
    from pipe_runner.expressions.compile import compile_condition, compile_value
    from pipe_runner.expressions.evaluation import evaluate, evaluate_condition
    from pipe_runner.expressions.shelltext import compile_argv, compile_python_text, compile_shell, weighed_shell
    from pipe_runner.expressions.values import value_to_integer, value_to_text

__all__ = [
    "Compiled",
    "ExpressionFault",
    "Fault",
    "Reference",
    "ShellText",
    "compile_argv",
    "compile_condition",
    "compile_python_text",
    "compile_shell",
    "compile_value",
    "evaluate",
    "evaluate_condition",
    "value_to_integer",
    "value_to_text",
    "weighed_shell",
]

__getattr__ = handing_on(
    __name__,
    {
        "compile_value": "compile",
        "compile_condition": "compile",
        "compile_shell": "shelltext",
        "weighed_shell": "shelltext",
        "compile_argv": "shelltext",
        "compile_python_text": "shelltext",
        "evaluate": "evaluation",
        "evaluate_condition": "evaluation",
        "value_to_text": "values",
        "value_to_integer": "values",
    },
)
