"""Variables of the environment whose text programs run, or by which they find what they run."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from pipe_runner.expressions.variable_table import CODE_VARIABLES

GIT_SETTING: Final = re.compile(
    r"command|editor|pager|alias|hook|filter|helper|cmd\b|textconv|driver|fsmonitor|include(?:if)?\.|program\b|gitproxy"
    r"|uploadpack\b|receivepack\b|askpass|diff\.external|templatedir|protocol\.|browser|httpd|smtpserver"
    r"|tool\..*path|\.vcs|submodule\..*update",
    re.I,
)
"""Names of settings whose text git runs, or that lead it to what it runs."""
_OF_GIT: Final = re.compile(r"GIT_CONFIG_(KEY|VALUE)_(\d{1,9})")


_SHELL: Final = r"(?:^|[\s/;|&(\"])(?:sh|dash|ash|yash|posh|ksh\w*|mksh|pdksh|\$\{?SHELL\}?\"?)(?![\w.-])"
_SHELLS: Final = re.compile(_SHELL)
_INTERACTIVE: Final = re.compile(rf"{_SHELL}(?:[ \t]+-\w+)*[ \t]+-\w*i", re.M)


def is_run(name: str, text: str) -> bool:
    """Whether something in a shell text may run what such a variable holds.

    `ENV`, which people use for the name of an environment, is read by interactive shells alone.
    """
    return name != "ENV" or not text or _starts_shell(text)


@lru_cache(maxsize=16)
def _starts_shell(text: str) -> bool:
    """Whether a shell is interactive, or stands behind `ENV=` in a line."""
    lines = (line.partition("ENV=") for line in text.splitlines() if "ENV=" in line)
    return _INTERACTIVE.search(text) is not None or any(_SHELLS.search(behind) for _, _, behind in lines)


def holds_code(name: str, setting: str = "") -> bool:
    """Whether programs run the text of a variable, or read it as code.

    `setting` is what a `GIT_CONFIG_KEY_…` beside a `GIT_CONFIG_VALUE_…` says for certain.
    """
    found = _OF_GIT.fullmatch(name)
    if found is None:
        return name in CODE_VARIABLES
    return found[1] == "KEY" or not setting or GIT_SETTING.search(setting) is not None


def key_of(name: str) -> str:
    """The variable with the name of the setting that `GIT_CONFIG_VALUE_…` sets; nothing for other variables."""
    found = _OF_GIT.fullmatch(name)
    return f"GIT_CONFIG_KEY_{found[2]}" if found is not None and found[1] == "VALUE" else ""


def setting_in(text: str, name: str) -> str:
    """The setting that `GIT_CONFIG_VALUE_…` sets, where the shell text names it once and without any value."""
    key = key_of(name)
    return _said_once(text, key) if key else ""


@lru_cache(maxsize=16)
def _said_once(text: str, key: str) -> str:
    found = re.findall(rf"{key}(?!\d)(?:=(['\"]?)([\w.:/@*-]+)\1(?=[\s;&|)]|\Z))?", text)
    return found[0][1] if len(found) == 1 else ""
