"""Runs pipelines: reads, compiles, schedules, remembers, tells."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:  # the warden, too, imports this, and nothing that takes time
    from collections.abc import Callable, Mapping
    from typing import Any

__version__ = "0.1.0"


def handing_on(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """The `__getattr__` of a package that hands on names of its files, each loaded when it is first asked for; `homes`
    has the file of each name."""

    def load(name: str) -> Any:
        import sys
        from importlib import import_module

        home = homes.get(name)
        if home is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        found = getattr(import_module(f"{package}.{home}"), name)
        setattr(sys.modules[package], name, found)
        return found

    return load
