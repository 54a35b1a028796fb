"""The one place where a run is put together; the command, a server and tests all start runs through it.

Importing it is cheap: the event loop and what runs on it are imported when a run is performed.
"""

from __future__ import annotations

from pipe_runner.engine.active import ActiveRun
from pipe_runner.engine.opening import open_resume, open_run
from pipe_runner.engine.requests import request_of
from pipe_runner.engine.settings import RunSettings

__all__ = ["ActiveRun", "RunSettings", "open_resume", "open_run", "request_of"]
