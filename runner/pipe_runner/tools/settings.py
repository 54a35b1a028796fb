"""What pipe.yml says of an MCP server, with its secrets put in."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from pipe_runner.errors import UsageError
from pipe_runner.plan import SecretSource
from pipe_runner.secrets import resolve

BASE_ENVIRONMENT: Final = ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ", "TMPDIR")
"""What a server gets of the runner's own environment, as every command does; PATH always."""
_PATH: Final = "/usr/local/bin:/usr/bin:/bin"


class ServerSettings(NamedTuple):
    """A server, ready to be opened. Secrets stand in it in plain text, so it is never logged, shown or recorded."""

    name: str
    command: tuple[str, ...] = ()
    env: Mapping[str, str] = {}
    cwd: str = ""
    url: str = ""
    headers: Mapping[str, str] = {}
    secrets: tuple[str, ...] = ()
    """Values in `env` and `headers` that are shown nowhere."""
    digest: Any = None
    """What its tools are pinned to: of all, or by name; None: they are not."""
    missing: str | None = None
    """A secret that can't be had, in a sentence."""


def server_settings(name: str, written: Mapping[str, Any], environ: Mapping[str, str], root: str) -> ServerSettings:
    """The settings of one server, as pipe.yml has it. Connects nowhere; what is missing is said in `missing`."""
    missing: list[str] = []
    secrets: list[str] = []

    def value(key: str, said: Any) -> str:
        if not isinstance(said, Mapping):
            return str(said)
        source = SecretSource(f"{key} of MCP server {name}", said["from"], said["key"])
        try:
            found = resolve([source], environ, root)[0][source.name]
        except UsageError as error:
            missing.append(error.message)
            return ""
        secrets.append(found)
        return found

    headers = {key: value(key, said) for key, said in (written.get("headers") or {}).items()}
    own = {key: value(key, said) for key, said in (written.get("env") or {}).items()}
    base = {key: environ[key] for key in BASE_ENVIRONMENT if key in environ}
    return ServerSettings(
        name,
        tuple(written.get("command") or ()),
        {"PATH": _PATH, **base, **own},
        os.path.join(root, written.get("cwd") or ""),
        written.get("url") or "",
        headers,
        tuple(secrets),
        written.get("digest"),
        missing[0] if missing else None,
    )
