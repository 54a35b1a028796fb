"""The variables that mark this process while functions of runs are called in it; runs may overlap."""

from __future__ import annotations

import os
from collections.abc import Mapping
from threading import Lock

_lock = Lock()
_marked: list[Marks] = []
_before: dict[str, str | None] = {}


class Marks:
    """Sets variables of the environment until `close`; then those of the run that began before, or what was there."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = dict(variables)
        if not variables:
            return
        with _lock:
            for name in self._variables:
                _before.setdefault(name, os.environ.get(name))
            _marked.append(self)
            os.environ.update(self._variables)

    def close(self) -> None:
        """Again does nothing."""
        with _lock:
            if self not in _marked:
                return
            _marked.remove(self)
            if _marked:
                os.environ.update(_marked[-1]._variables)
                return
            for name, value in _before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value
            _before.clear()
