"""What `pipe doctor` says of the MCP servers of pipe.yml: whether their programs are there, and their secrets."""

from __future__ import annotations

import os
import shutil
from typing import Final

from pipe_runner.cli.machine import Finding

_SHOWN: Final = 5


def tools() -> Finding:
    """Starts nothing and connects nowhere: `pipe tools SERVER` does."""
    from pathlib import Path

    from pipe_runner.cli.settings import here
    from pipe_runner.compiler.project import load_project
    from pipe_runner.tools.settings import server_settings

    found, _ = load_project(Path(here()))
    written = found.services.get("mcp_servers", {})
    if not written:
        return Finding("tools", "ok", "no MCP servers in pipe.yml")
    lacking = []
    for name, said in written.items():
        settings = server_settings(name, said, os.environ, found.root)
        program = settings.command[0] if settings.command else None
        if program is not None and not os.path.isdir(settings.cwd):
            lacking.append(f"mcp:{name}: its `cwd` is no directory: {settings.cwd}")
        elif program is not None and not _there(program, settings.cwd, settings.env.get("PATH")):
            lacking.append(f"mcp:{name}: {program} is not installed, or not found in PATH")
        elif settings.missing:
            lacking.append(f"mcp:{name}: {settings.missing}")
    if not lacking:
        return Finding("tools", "ok", ", ".join(f"mcp:{name}" for name in written))
    more = f"; and {len(lacking) - _SHOWN} more" if len(lacking) > _SHOWN else ""
    return Finding(
        "tools",
        "warn",
        "; ".join(lacking[:_SHOWN]) + more,
        "nodes whose models use these tools fail",
        "install the programs and set what is missing; `pipe tools NAME` asks a server",
    )


def _there(program: str, cwd: str, path: str | None) -> bool:
    if os.sep in program:
        return os.access(os.path.join(cwd, program), os.X_OK)
    return shutil.which(program, path=path) is not None
