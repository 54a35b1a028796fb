"""Whom certificates are held against: the system's authorities, or those of a file."""

from __future__ import annotations

import os
from dataclasses import replace

from pipe_agents.network.settings import Settings
from pipe_agents.network.targets import refused
from pipe_agents.network.texts import bounded
from pipe_runner.errors import NodeFault
from pipe_runner.types import ErrorKind

MOST: int = 16 << 20


def authorities(settings: Settings, root: str) -> Settings:
    """The settings with the text of `ca_file`, which stays in the root, in place of its name. May block."""
    if settings.ca_file is None:
        return settings
    top = os.path.realpath(root)
    path = os.path.realpath(os.path.join(top, settings.ca_file))
    shown = bounded(settings.ca_file, 200)
    if os.path.commonpath((top, path)) != top:
        raise refused(f"ca_file {shown} leads out of the project's root")
    try:
        if not os.path.isfile(path):
            raise NodeFault(ErrorKind.NOT_FOUND, f"ca_file {shown} is no file in the project's root")
        with open(path, encoding="utf-8", errors="replace") as file:
            text = file.read(MOST)
    except OSError as error:
        raise NodeFault(ErrorKind.NOT_FOUND, f"ca_file {shown} can't be read: {error.strerror}") from None
    if "-----BEGIN CERTIFICATE-----" not in text and "-----BEGIN TRUSTED CERTIFICATE-----" not in text:
        raise refused(f"ca_file {shown} holds no certificate in PEM form")
    return replace(settings, ca_file=text)
