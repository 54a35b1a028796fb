"""Brings values to the shell: in the environment, or by file where they are too large for it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any, Final

from pipe_runner.errors import NodeFault, StorageError
from pipe_runner.ports import Command
from pipe_runner.types import ErrorKind

LARGEST: Final = 100 * 1024
"""Bytes of a value that travels in the environment; Linux takes 128 KiB."""
TOGETHER: Final = 512 * 1024
"""Bytes of all values in the environment: what the script starts needs room for arguments of its own."""
_KEPT: Final = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | sum(getattr(os, f"O_{n}", 0) for n in ("NOFOLLOW", "CLOEXEC"))
_SYSTEM_LARGEST: Final = 128 * 1024

_HALF: Final = re.compile("[\ud800-\udc7f\udd00-\udfff]")
"""Surrogates but for those that stand for bytes which are no UTF-8."""
_INTEGER: Final = re.compile(r"[+-]?[0-9]+")


def placed(script: str, options: Mapping[str, Any], env: dict[str, str], place: str, files: list[str]) -> str:
    """Put the variables into `env`, or into files beside `place`; gives the script, with what reads those files.

    Raises NodeFault where a value can't be given as it is. `files` takes the paths that were made.
    """
    variables: dict[str, str] = dict(options["variables"])
    for name in options.get("integers", ()):
        if not _INTEGER.fullmatch(variables[name]):
            raise NodeFault(
                ErrorKind.TEMPLATE, f"in arithmetic only integers pass, and {_shown(variables[name])} is none"
            )
    for name in options.get("raw", ()):
        script = script.replace(f"\0{name}\0", variables.pop(name))
    if "\0" in script or any("\0" in value for value in variables.values()):
        raise NodeFault(
            ErrorKind.TEMPLATE, "a value holds a NUL character, which no shell can hold: give it by `stdin:`"
        )
    by_file = _too_large(variables)
    if not by_file:
        env.update(variables)
        return script
    shell = options.get("shell", "sh")
    if not isinstance(shell, str):
        raise NodeFault(
            ErrorKind.TEMPLATE, f"a value is too large for the environment of {shell[0]}: give it by `stdin:`"
        )
    prelude = []
    for name, value in variables.items():
        if name in by_file:
            path = kept(f"{place}.{name}", value, files)
            env.pop(name, None)
            prelude.append(_python_reads(name, path) if shell == "python" else _shell_reads(name, path))
        else:
            env[name] = value
    if shell == "python":  # compiled by itself: a script may begin with `from __future__`
        return f"import os;{';'.join(prelude)};exec(compile({script!r}, '<run>', 'exec'))"
    return f"{' '.join(prelude)} {script}"


def kept(path: str, text: str, files: list[str]) -> str:
    """Write a file that only this user can read; gives its path.

    Raises StorageError: the run's own directory can't be written, which is no fault of the node (D7).
    """
    files.append(path)
    data = text.encode("utf-8", "surrogatepass")
    try:
        fd = os.open(path, _KEPT, 0o600)
        with open(fd, "wb") as file:
            file.write(data)
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}") from error
    return path


def too_much(command: Command) -> str | None:
    """A sentence when the command could not be started because of what it was given."""
    texts = {**{f"the argument {at}": arg for at, arg in enumerate(command.argv)}, **command.env}
    total = 0
    for name, text in texts.items():
        size = len(text.encode("utf-8", "surrogatepass")) + 1
        total += size + len(name)
        if "\0" in text:
            return f"{name} holds a NUL character, which no program can be given"
        if (half := _HALF.search(text)) is not None:
            return f"{name} holds half a character (the surrogate U+{ord(half[0]):04X}), which no program can be given"
        if size + len(name) + 1 > _SYSTEM_LARGEST:
            return f"{name} is too large for a program to be given: {size} bytes, and the system takes 131071"
    if total > os.sysconf("SC_ARG_MAX") * 3 // 4:
        return f"arguments and environment are more than the system takes: {total} bytes"
    return None


def _too_large(variables: Mapping[str, str]) -> set[str]:
    if sum(map(len, variables.values())) * 4 <= LARGEST:
        return set()
    sizes = {name: len(value.encode("utf-8", "surrogatepass")) for name, value in variables.items()}
    total = sum(sizes.values())
    chosen = set()
    for name in sorted(sizes, key=lambda name: -sizes[name]):
        if sizes[name] > LARGEST or total > TOGETHER:
            chosen.add(name)
            total -= sizes[name]
    return chosen


def _shell_reads(name: str, path: str) -> str:
    # The x keeps final newlines, which $( ) removes; all on one line, so that the script's lines keep their numbers.
    return f"{name}=$(cat {_quoted(path)} && printf x); {name}=${{{name}%x}};"


def _python_reads(name: str, path: str) -> str:
    return f"os.environb[{os.fsencode(name)!r}] = open({path!r}, 'rb').read()"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:60]}…")
