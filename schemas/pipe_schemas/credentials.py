"""What in settings of services is a credential although it was written out: by its name, or in an address."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import unquote

_NAME: Final = re.compile(
    r"(?:key|token|secret|passw(?:or)?d|pwd|passphrase|auth|authorization|cookie|credentials?|signature|(?:^|[_-])(?:sig|pat))\Z",
    re.IGNORECASE,
)
_NO_SECRET: Final = frozenset({"max_tokens_key"})
_ARGUMENT: Final = re.compile(r"-*([A-Za-z][\w-]*)(?:=|:\s+)(.+)\Z", re.DOTALL)
_USER: Final = re.compile(r"://(?:([^\s/?#]+)@|([^\s/@:]*:(?!\d*(?:/|\Z))\S+)@)")
_AFTER: Final = re.compile(r"\?([^\s#]+)|#(\S+)")
_SHORTEST: Final = 4
_SHORTEST_OF_ENV: Final = 8
_STARS: Final = "***"
_LINE: Final = (
    re.compile(r"(?<=://)(?:[^\s/?#\"']+|[^\s/@:\"']*:(?!\d*/)[^\s\"']+)(?=@)"),
    re.compile(r"(?<=[?&])[^\s&\"'}\]]+"),
    re.compile(
        r"(?i)(?:(?<=key)|(?<=token)|(?<=secret)|(?<=passw.)|(?<=password)|(?<=authorization)|(?<=cookie))[\"']?\s*[:=]\s*"
        r"(?:\"[^\"]*\"?|'[^']*'?|[^\s,{}\[\]\"'][^,{}\[\]]*)"
    ),
)


def names_secret(name: str) -> bool:
    """Whether what stands under this name is most likely a credential."""
    return name not in _NO_SECRET and _NAME.search(name) is not None


def _long(key: Any, value: Any) -> Any:
    """Of an environment only what is as long as credentials are: `SORT_KEY: name` is none."""
    if key != "env" or not isinstance(value, dict):
        return value
    return {name: item for name, item in value.items() if len(str(item)) >= _SHORTEST_OF_ENV}


def credentials(value: Any, name: str = "") -> Iterator[str]:
    """The credentials that are written out in settings. Where one is to be found (`{from: env, key: …}`) is none."""
    if isinstance(value, dict):
        if "from" not in value:
            for key, item in value.items():
                yield from credentials(_long(key, item), str(key))
    elif isinstance(value, list | tuple):
        before = ""
        for item in value:
            yield from credentials(item, name if names_secret(name) else before)
            before = item.lstrip("-") if isinstance(item, str) and item.startswith("-") else ""
    elif isinstance(value, bool) or not isinstance(value, str | int | float) or value == "":
        return
    elif name and names_secret(name):
        yield str(value)
    elif isinstance(value, str):
        argument = _ARGUMENT.match(value)
        if argument is not None and names_secret(argument[1]):
            yield argument[2]
        yield from _of_address(value)


def where_written(value: Any, name: str = "", path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The places of the scalars that hold credentials."""
    if isinstance(value, dict):
        if "from" not in value:
            for key, item in value.items():
                yield from where_written(_long(key, item), str(key), (*path, key))
    elif isinstance(value, list | tuple):
        before = ""
        for number, item in enumerate(value):
            yield from where_written(item, name if names_secret(name) else before, (*path, number))
            before = item.lstrip("-") if isinstance(item, str) and item.startswith("-") else ""
    elif any(credentials(value, name)):
        yield path


def without_credentials(value: Any, name: str = "") -> Any:
    """The settings as they may be shown."""
    if isinstance(value, dict):
        return value if "from" in value else {key: without_credentials(item, str(key)) for key, item in value.items()}
    if isinstance(value, list | tuple):
        shown, before = [], ""
        for item in value:
            shown.append(without_credentials(item, name if names_secret(name) else before))
            before = item.lstrip("-") if isinstance(item, str) and item.startswith("-") else ""
        return shown
    found = sorted(credentials(value, name), key=len, reverse=True)
    if not found:
        return value
    text = str(value)
    for secret in found:
        text = text.replace(secret, _STARS)
    return text


def starred(line: str) -> str:
    """A line of a file that can't be read, with stars for all that looks like a credential; as long as it was."""
    for pattern in _LINE:
        line = pattern.sub(lambda found: "*" * len(found[0]), line)
    return line


def _of_address(text: str) -> Iterator[str]:
    if "://" not in text:
        return
    user = _USER.search(text)
    if user is not None:
        whole = user[1] or user[2]
        yield whole
        password = whole.partition(":")[2]
        if len(password) >= _SHORTEST:
            yield password
            sent = unquote(password)
            if sent != password and len(sent) >= _SHORTEST:
                yield sent
    for found in _AFTER.finditer(text, user.end() if user is not None else 0):
        for part in (found[1] or found[2]).split("&"):
            key, equals, value = part.partition("=")
            one = value if equals else key
            if one and (not equals or len(one) >= _SHORTEST or names_secret(key)):
                yield one
