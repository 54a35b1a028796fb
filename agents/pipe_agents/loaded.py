"""Above the modules that are made of files of projects (`sources.py`): who imports one by its name imports this first,
in processes that functions start, too."""

from __future__ import annotations

from pipe_agents.sources import find_by_name

__path__: list[str] = []
find_by_name()
