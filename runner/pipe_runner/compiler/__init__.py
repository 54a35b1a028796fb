"""From a pipeline file to a frozen plan, with every fault at its place. Light to import: the parts come when called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pipe_runner.compiler.compilation import Compilation
    from pipe_runner.compiler.compile import compile_file, compile_text
    from pipe_runner.compiler.given import check_inputs, finite, parse_input

__all__ = ["Compilation", "check_inputs", "compile_file", "compile_text", "finite", "parse_input"]

_WHERE: Final = {
    "Compilation": "compilation",
    "compile_file": "compile",
    "compile_text": "compile",
    "check_inputs": "given",
    "finite": "given",
    "parse_input": "given",
}


def __getattr__(name: str) -> Any:
    where = _WHERE.get(name)
    if where is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    found = getattr(import_module(f"{__name__}.{where}"), name)
    globals()[name] = found
    return found
