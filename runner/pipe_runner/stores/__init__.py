"""Which runs there are: derived from their logs, indexed so that a thousand of them are listed at once."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipe_runner.ports import RunStore


def open_store(state_dir: str | os.PathLike[str]) -> RunStore:
    """The runs below a state directory, which need not exist; opens nothing yet.

    With an index (`index.db`) where Python has sqlite, without where it hasn't. Raises nothing.
    """
    from pipe_runner.stores.scan import ScanStore

    try:
        from pipe_runner.stores.indexed import IndexedStore
    except ImportError:
        return ScanStore(state_dir)
    return IndexedStore(state_dir)
