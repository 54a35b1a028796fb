"""MCP servers of others: found where `tests/servers/install.sh` puts them."""

from __future__ import annotations

import shutil

from model_servers.standins import NotThere, folder

HINT = "`bash tests/servers/install.sh` installs it"


def of_python(name: str) -> list[str]:
    """The program of a server from PyPI."""
    program = folder() / "mcp" / "bin" / name
    if not program.exists() or not any(folder().glob("mcp-python-*.there")):
        raise NotThere(f"no {name} here: {HINT}")
    return [str(program)]


def of_node(name: str) -> list[str]:
    """The program of a server from npm."""
    node, program = shutil.which("node"), folder() / "mcp_node" / "node_modules" / ".bin" / name
    if node is None or not program.exists() or not any(folder().glob("mcp-node-*.there")):
        raise NotThere(f"no {name} here: {HINT}, with npm")
    return [node, str(program.resolve())]
