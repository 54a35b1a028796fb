"""Removes directories that attempts have worked in."""

from __future__ import annotations

import contextlib
import os


def clear(path: str) -> None:
    """Remove a directory and all in it, also where a command took the right to away, or a link that stands in its
    place; no link is followed.

    Raises nothing: what can't be removed stays.
    """
    try:
        os.rmdir(path)
        return
    except FileNotFoundError:
        return
    except OSError:
        pass
    if os.path.islink(path):
        with contextlib.suppress(OSError):
            os.unlink(path)
        return
    from shutil import rmtree  # costs more than a small run's end, and is seldom needed

    rmtree(path, ignore_errors=True)
    if os.path.lexists(path):
        _open_up(path)
        rmtree(path, ignore_errors=True)


def _open_up(path: str) -> None:
    with contextlib.suppress(OSError):
        os.chmod(path, 0o700)
    for folder, below, _ in os.walk(path):
        for name in (*below, "."):
            found = os.path.join(folder, name)
            if not os.path.islink(found):
                with contextlib.suppress(OSError):
                    os.chmod(found, 0o700)
