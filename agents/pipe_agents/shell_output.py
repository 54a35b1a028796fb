"""Reads what a command printed or wrote: as JSON, as lines, or as the file $PIPE_OUTPUT."""

from __future__ import annotations

import json
import os
import stat
from typing import Any, Final, NoReturn

from pipe_runner.errors import NodeFault, alike, output_of
from pipe_runner.ports import Masker
from pipe_runner.types import ErrorKind, Json

_READ: Final = os.O_RDONLY | sum(getattr(os, f"O_{name}", 0) for name in ("NOFOLLOW", "NONBLOCK", "CLOEXEC"))


def of_json(stdout: bytes, masker: Masker) -> Json:
    """The one JSON value that was printed; masked again, since escapes in it can have hidden a secret."""
    return masker.mask_json(_parsed(stdout, "stdout"))


def of_lines(text: str) -> list[Json]:
    """Lines without their ends; only `\\n` ends one."""
    if not text:
        return []
    return list(text.removesuffix("\n").split("\n"))


def of_file(path: str, limit: int, masker: Masker) -> Json:
    """The object that was written to $PIPE_OUTPUT, as JSON or as `key=value` lines; nothing written: no keys."""
    data = masker.mask_text(_text(_read(path, limit), "$PIPE_OUTPUT"))
    if data.lstrip().startswith(("{", "[", '"')):
        value = _parsed(data.encode("utf-8", "surrogatepass"), "$PIPE_OUTPUT")
        if not isinstance(value, dict):
            _invalid("$PIPE_OUTPUT must hold an object: JSON, or `key=value` lines")
        return masker.mask_json(value)
    found: dict[str, Json] = {}
    for number, line in enumerate(data.split("\n"), 1):
        if not line.strip():
            continue
        key, equals, value = line.partition("=")
        if not equals or not key.strip():
            _invalid(f"$PIPE_OUTPUT, line {number}: `key=value` is expected, not {line[:60]!r}")
        found[key.strip()] = value
    return found


def _parsed(data: bytes, what: str) -> Json:
    if not data.strip():
        _invalid(f"{what} is not JSON: it is empty")
    try:
        value: Any = json.loads(_text(data, what), parse_constant=lambda word: _invalid(f"{what} is not JSON: {word}"))
    except json.JSONDecodeError as error:
        error = alike(error)
        _invalid(f"{what} is not JSON: {error.msg.removesuffix(' at')} at line {error.lineno}, column {error.colno}")
    except RecursionError:
        _invalid(f"{what} is nested too deeply")
    except ValueError:
        _invalid(f"{what} holds an integer of more than 4,300 digits")
    return output_of(value, 4 * len(data) + 64, what)


def _text(data: bytes, what: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        _invalid(f"{what} is not UTF-8: byte {error.start + 1} is 0x{data[error.start]:02x}")


def _read(path: str, limit: int) -> bytes:
    """The file's bytes; it is the command's own, so nothing is taken for granted: no link, no pipe, no bound size."""
    try:
        fd = os.open(path, _READ)
    except FileNotFoundError:
        return b""
    except OSError as error:
        _invalid(f"$PIPE_OUTPUT can't be read: {'it is a link' if os.path.islink(path) else error.strerror}")
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        _invalid("$PIPE_OUTPUT is not a regular file")
    with open(fd, "rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise NodeFault(ErrorKind.OUTPUT_TOO_LARGE, f"$PIPE_OUTPUT has more than {limit} bytes")
    return data


def _invalid(message: str) -> NoReturn:
    raise NodeFault(ErrorKind.INVALID_OUTPUT, message)
