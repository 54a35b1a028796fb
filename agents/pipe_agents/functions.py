"""Finds the function that `call:` names."""

from __future__ import annotations

import importlib
import inspect
import os
import re
import sys
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from opcode import opmap
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

from pipe_runner.errors import NodeFault
from pipe_runner.types import ErrorKind

if TYPE_CHECKING:
    from pipe_agents.sources import Sources

_ATTRIBUTE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*\Z")
_MODULE: Final = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*\Z")
_SEND: Final = opmap["SEND"]
"""The instruction that every `await`, `async for` and `async with` has."""


@dataclass(slots=True)
class Target:
    """A function, found."""

    function: Callable[..., Any]
    is_async: bool
    waits: bool
    """It can be suspended: there is an `await` in it, or we can't see that there is none."""
    quick: int = 0
    """How many calls in a row were over at once."""


class Functions:
    """Functions of installed modules and of the project's files; each file is loaded once."""

    def __init__(self) -> None:
        self._sources: dict[str, Sources] = {}
        self._lock = threading.Lock()

    def find(self, root: str, call: str) -> Target:
        """The function; imports its module. Raises NodeFault (`not_found`, `refused`), or what the module raises."""
        place, _, attribute = call.rpartition(":")
        if not place or not _ATTRIBUTE.match(attribute):
            raise NodeFault(
                ErrorKind.NOT_FOUND,
                f"{_shown(call)} names no function: write package.module:function, or tools/file.py:function",
            )
        if place.endswith(".py") or "/" in place:
            module = self._file(root, place)
        else:
            module = self._module(root, place, attribute)
        function = _attribute(module, attribute, place)
        if not callable(function):
            raise NodeFault(ErrorKind.NOT_FOUND, f"{_shown(call)} is {type(function).__name__}, not a function")
        is_async = inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
            getattr(type(function), "__call__", None)  # noqa: B004
        )
        return Target(function, is_async, _waits(function))

    def close(self) -> None:
        """Forget the modules that were made from files."""
        for sources in self._sources.values():
            sources.close()
        self._sources.clear()

    def _file(self, root: str, path: str) -> ModuleType:
        from pipe_agents.sources import Sources

        with self._lock:
            sources = self._sources.get(root)
            if sources is None:
                sources = self._sources[root] = Sources(root)
        try:
            return sources.load(path)
        except ModuleNotFoundError as error:
            if error.name and sources.neighbour(path, error.name.partition(".")[0]):
                raise NodeFault(
                    ErrorKind.NOT_FOUND,
                    f"{path} imports {error.name}, which lies beside it: a file's folder is not searched for modules; "
                    f"write `from . import {error.name}`",
                ) from None
            if error.name and sources.neighbour("", error.name.partition(".")[0]):
                raise NodeFault(
                    ErrorKind.NOT_FOUND,
                    f"{path} imports {error.name}: the project's root is not searched for modules. What lies in "
                    "the file's own folder is imported as `from . import name`; what lies elsewhere once it is "
                    "installed (`pip install -e`), or PYTHONPATH names its folder",
                ) from None
            raise

    def _module(self, root: str, name: str, attribute: str) -> ModuleType:
        if not _MODULE.match(name):
            raise NodeFault(ErrorKind.NOT_FOUND, f"{_shown(name)} is no module's name")
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name is None or not (name == error.name or name.startswith(error.name + ".")):
                raise
            file = name.replace(".", "/") + ".py"
            if os.path.isfile(os.path.join(root, file)):
                near = f"; did you mean {file}:{attribute}?"
            else:
                near = _near(error.name, _modules_beside(error.name))
            raise NodeFault(
                ErrorKind.NOT_FOUND,
                f"there is no module {error.name} where this Python looks; a file of the project is called by its "
                f"path, tools/file.py:function{near}",
            ) from None


def _waits(function: Callable[..., Any]) -> bool:
    code = getattr(function, "__code__", None)
    return code is None or _SEND in code.co_code[::2]


def _attribute(module: ModuleType, attribute: str, place: str) -> Any:
    found: Any = module
    for part in attribute.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            near = _near(part, [name for name in dir(found) if not name.startswith("_")])
            raise NodeFault(ErrorKind.NOT_FOUND, f"{place} has no function {attribute}{near}") from None
    return found


def _modules_beside(name: str) -> Iterable[str]:
    """Full names of the modules in the package that should hold `name`."""
    import pkgutil

    package, _, _ = name.rpartition(".")
    if not package:
        return [*sys.stdlib_module_names, *(module.name for module in pkgutil.iter_modules())]
    folders = getattr(sys.modules.get(package), "__path__", [])
    return [f"{package}.{module.name}" for module in pkgutil.iter_modules(folders)]


def _near(word: str, known: Iterable[str]) -> str:
    from difflib import get_close_matches

    found = get_close_matches(word, list(known), n=1)
    return f"; did you mean {found[0]}?" if found else ""


def _shown(text: str) -> str:
    return repr(text[:200])
