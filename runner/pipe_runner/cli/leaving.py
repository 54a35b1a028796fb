"""Ends the process of a command at once.

Python's own end frees all that there is, piece by piece: 40 ms of a run on a slow machine, where a small one takes 300.
The system takes it back as a whole in 6.
"""

from __future__ import annotations

import atexit
import os
import sys
from os import _exit  # functions of a run find another one
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from types import FrameType

_NEEDS_AN_END: Final = ("pipe_agents.functions", "multiprocessing")
"""Modules behind which there is code that could count on Python's own end."""


def leave(code: int) -> None:
    """End this process with the code of its command, after what was registered for its exit.

    Does nothing where Python's own end could be missed: somebody's code ran, a thread does, or the process is somebody
    else's, who called the command.
    """
    if not _is_ours() or sys.flags.inspect or sys.flags.dev_mode or _holds_others():
        return
    atexit._run_exitfuncs()
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
    except (OSError, ValueError):  # which Python's own end tells
        return
    _exit(code)


def _is_ours() -> bool:
    """Whether the process was started as `pipe` or `python -m pipe_runner`, and by nobody (a debugger, a measurement of
    coverage) who goes on when the command has ended."""
    program = sys.modules["__main__"]
    spec = getattr(program, "__spec__", None)
    if spec is not None and spec.name != "pipe_runner.__main__":
        return False
    if spec is None and os.path.basename(getattr(program, "__file__", "")) != "pipe":
        return False
    frame: FrameType | None = sys._getframe()
    while frame is not None and frame.f_globals is not program.__dict__:
        frame = frame.f_back
    while frame is not None and (frame.f_globals is program.__dict__ or frame.f_globals.get("__name__") == "runpy"):
        frame = frame.f_back
    return frame is None


def _holds_others() -> bool:
    threading, plugins = sys.modules.get("threading"), sys.modules.get("pipe_runner.plugins")
    return (
        any(name in sys.modules for name in _NEEDS_AN_END)
        or (threading is not None and threading.active_count() > 1)
        or (plugins is not None and bool(plugins.others))
    )
