"""Asks MCP servers for their tools, without a run: for whoever pins what they are."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Collection, Mapping
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from pipe_runner.errors import NodeFault
from pipe_runner.executors.pool import Pool
from pipe_runner.executors.reasons import COMMANDS
from pipe_runner.masking import NoMasking, SecretMasker
from pipe_runner.plan import NOTHING
from pipe_runner.ports import Attempt, Masker
from pipe_runner.tools.pins import list_digest, tool_digest
from pipe_runner.tools.servers import Servers
from pipe_runner.tools.settings import server_settings

_NAME = "listing"


class Listed(NamedTuple):
    """What a server has now."""

    tools: tuple[Mapping[str, Any], ...]
    """`{name, description, parameters}` each, without the secrets of pipe.yml."""
    digest: str
    """Of all of them, as `mcp_servers.NAME.digest` may say it."""
    digests: Mapping[str, str]
    """Of each, by its name; `digest` may say these, too."""
    pins: Mapping[str, str] | str
    """What pipe.lock keeps: these, or `digest` where a name holds a secret, and can stand in no file."""


async def list_tools(
    written: Mapping[str, Any],
    names: Collection[str],
    environ: Mapping[str, str],
    root: str,
    policy: Mapping[str, Any] = NOTHING,
) -> dict[str, Listed | NodeFault]:
    """The tools of these servers of pipe.yml (`written` is its `mcp_servers`, `policy` its `policy`), or why they can't
    be had.

    Starts their programs, and ends them.
    """
    settings = {name: server_settings(name, written[name], environ, root, policy) for name in names}
    secrets = {f"{name} {n}": value for name, one in settings.items() for n, value in enumerate(one.secrets)}
    masker: Masker = SecretMasker(secrets) if secrets else NoMasking()
    with TemporaryDirectory(prefix="pipe-tools-") as folder:
        pool = Pool(_NAME, os.path.join(folder, "warden.lock"))
        servers = Servers(settings, pool.run if COMMANDS else None, masker)
        attempt = Attempt(_NAME, _NAME, 1, _NAME, {}, {}, root, "")

        async def ask(name: str) -> Listed | NodeFault:
            try:
                tools: Any = await servers.listed(name, attempt)
            except NodeFault as fault:
                fault.message = masker.mask_text(fault.message)
                return fault
            shown: Any = masker.mask_json(tools)
            digests = {one["name"]: tool_digest(tool) for one, tool in zip(shown, tools, strict=True)}
            whole = list_digest(tools)
            named = [one["name"] for one in shown] == [tool["name"] for tool in tools]
            return Listed(tuple(shown), whole, digests, digests if named else whole)

        try:
            found = await asyncio.gather(*(ask(name) for name in names))
        finally:
            await servers.close()
            await pool.close()
    return dict(zip(names, found, strict=True))
