"""Reads the values of a pipeline's secrets when a run starts, and puts them in; says all that is missing at once, and
never a value."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Final, assert_never

from pipe_runner.errors import NodeFault, UsageError
from pipe_runner.plan import SecretSource
from pipe_runner.types import ErrorKind, Json

if TYPE_CHECKING:
    from pipe_runner.ports import Attempt

LARGEST_FILE: Final = 64 * 1024
SHORTEST_MASKED: Final = 6
_MARKER: Final = re.compile("\x00pipe-secret:([A-Za-z_][A-Za-z0-9_]*)\x00")
_SHORT: Final = f"is shorter than {SHORTEST_MASKED} characters and is not masked in outputs"


class _Missing(Exception):
    """Why a secret has no value, without the value."""


def made_up(name: str) -> str:
    """What stands in for a secret where nothing is done with it."""
    return f"made-up-value-of-{name}"


def resolve(
    sources: Iterable[SecretSource], environ: Mapping[str, str], root: str, unused: Collection[str] = ()
) -> tuple[dict[str, str], list[str]]:
    """Values by name, and warnings; raises UsageError that lists every secret which can't be had. For one that is
    `unused` something made up stands in then.

    A file loses one final newline. A relative path stays in the project's root, links resolved; an absolute one is
    taken as it stands, since that is where systems mount secrets (`/run/secrets/…`).
    """
    values: dict[str, str] = {}
    warnings: list[str] = []
    missing: list[str] = []
    for source in sources:
        try:
            value = _value(source, environ, root)
        except _Missing as reason:
            if source.name in unused:
                values[source.name] = made_up(source.name)
            else:
                missing.append(f"{source.name}: {reason}")
            continue
        values[source.name] = value
        if len(value) < SHORTEST_MASKED:
            warnings.append(f"secret {source.name} {_SHORT}")
    if missing:
        raise UsageError("secrets can't be had: " + "; ".join(missing), hint="nothing was run")
    return values, warnings


def unmasked(secrets: Mapping[str, str]) -> list[str]:
    """A warning for each service some of whose secrets are too short to be masked; `secrets` has them by
    `provider NAME NUMBER`, or `MCP server NAME NUMBER`."""
    services = dict.fromkeys(name.rpartition(" ")[0] for name, value in secrets.items() if len(value) < SHORTEST_MASKED)
    return [f"a secret of {service} {_SHORT}" for service in services]


def _value(source: SecretSource, environ: Mapping[str, str], root: str) -> str:
    match source.source:
        case "env":
            value = environ.get(source.key)
            if value is None:
                raise _Missing(f"the environment variable {source.key} is not set")
            if not value:
                raise _Missing(f"the environment variable {source.key} is empty")
            return value
        case "file":
            return _read(source.key, root)
        case "aws-secretsmanager" | "aws-ssm":
            raise _Missing(f"`from: {source.source}` is not available in this version; `env` and `file` are")
        case _:
            assert_never(source.source)


def _read(key: str, root: str) -> str:
    path = os.path.join(root, key)
    if not os.path.isabs(key):
        inside = os.path.realpath(root)
        path = os.path.realpath(path)
        if os.path.commonpath((inside, path)) != inside:
            raise _Missing(f"the file {key} lies outside the project; an absolute path may name it")
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with open(fd, "rb") as file:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise _Missing(f"{key} is no regular file")
            data = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise _Missing(f"the file {key} can't be read: {error.strerror}") from None
    if len(data) > LARGEST_FILE:
        raise _Missing(f"the file {key} is larger than {LARGEST_FILE // 1024} KiB")
    if b"\0" in data:
        raise _Missing(f"the file {key} holds zero bytes, which no environment variable can carry")
    ending = b"\r\n" if data.endswith(b"\r\n") else b"\n"
    value = data.removesuffix(ending).decode("utf-8", "surrogateescape")
    if not value:
        raise _Missing(f"the file {key} is empty")
    return value


def with_secrets(attempt: Attempt, secrets: Mapping[str, str]) -> Attempt:
    """The attempt with values where `ports.secret_marker` stands for them; raises NodeFault for a secret that
    was not granted."""

    def put(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in secrets:
            raise NodeFault(ErrorKind.REFUSED, f"secret {name} was not granted to this node")
        return secrets[name]

    def walk(value: Json) -> Json:
        if isinstance(value, str):
            return _MARKER.sub(put, value) if "\x00" in value else value
        if isinstance(value, dict):
            return {key: walk(item) for key, item in value.items()}
        if isinstance(value, list):
            return [walk(item) for item in value]
        return value

    options = {key: walk(value) for key, value in attempt.options.items()}
    env = {key: _MARKER.sub(put, value) if "\x00" in value else value for key, value in attempt.env.items()}
    return attempt._replace(options=options, env=env)
