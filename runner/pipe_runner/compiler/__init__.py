"""From a pipeline file to a frozen plan, with every fault at its place. Light to import: the parts come when called."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipe_runner import handing_on

if TYPE_CHECKING:
    from pipe_runner.compiler.compilation import Compilation
    from pipe_runner.compiler.compile import compile_file, compile_text
    from pipe_runner.compiler.given import check_inputs, parse_input

__all__ = ["Compilation", "check_inputs", "compile_file", "compile_text", "parse_input"]

__getattr__ = handing_on(
    __name__,
    {
        "Compilation": "compilation",
        "compile_file": "compile",
        "compile_text": "compile",
        "check_inputs": "given",
        "parse_input": "given",
    },
)
