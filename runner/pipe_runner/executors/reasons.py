"""Says why a command could not be started."""

from __future__ import annotations

import errno
import os
import sys
from typing import Final

from pipe_runner.executors.protocol import IN_FOLDER, IN_PIPES, IN_SEARCH
from pipe_runner.ports import Command

COMMANDS: Final = sys.platform != "win32"
"""Whether commands can be started on this system at all."""

_PASSING = (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ETXTBSY)

WATCHES: Final = "fs.epoll.max_user_watches says how many files and sockets may be waited for"


def why_not_started(command: Command, number: int, stage: int) -> tuple[str, bool]:
    """A sentence, and whether another try could go otherwise; `number` is the system's error, 0 for a text that no
    program can be given."""
    program = command.argv[0]
    if stage == IN_PIPES:
        return no_pipe(number), True
    if stage == IN_FOLDER:
        return _folder(command.cwd, number), False
    if number in _PASSING:
        return f"the system could not start {program}: {os.strerror(number)}{_limit(number)}", True
    if number == 0:
        return _unfit(command), False
    if number == errno.E2BIG:
        size = sum(len(part) + 1 for part in command.argv) + sum(len(k) + len(v) + 2 for k, v in command.env.items())
        return f"arguments and environment, {size} characters, are more than this system gives to a program", False
    if number == errno.ENOEXEC:
        return (
            f"{program} is not a program: it is executable, but neither a binary for this system nor has a #! line",
            False,
        )
    if number == errno.EACCES:
        what = "is a directory" if os.path.isdir(os.path.join(command.cwd, program)) else "is not executable"
        return f"{program} can't be run: it {what}", False
    if number == errno.ENOENT and stage == IN_SEARCH:
        return f"{program} was not found{'' if '/' in program else ' on the PATH'}", False
    if number == errno.ENOENT:
        return f"{program} can't be run: what its #! line names is not there", False
    return f"{program} can't be run: {os.strerror(number)}", False


def no_pipe(number: int, what: str = "the command's output") -> str:
    return f"no pipe for {what} could be opened: {os.strerror(number)}{_limit(number)}"


def _limit(number: int) -> str:
    return " (raise the limit: `ulimit -n`)" if number == errno.EMFILE else ""


def unwatched(number: int) -> str:
    hint = f" ({WATCHES})" if number == errno.ENOSPC else ""
    return f"the system could not wait for the command's output: {os.strerror(number)}{hint}"


def _unfit(command: Command) -> str:
    """Which text no program can be given, and why."""
    texts = [(f"the argument {at}", text) for at, text in enumerate(command.argv)]
    for name, text in command.env.items():
        if not name or "=" in name:
            return f"{name!r} can't be the name of a variable of the environment"
        texts += [(f"the name of the variable {name!r}", name), (f"the variable {name}", text)]
    for what, text in (*texts, ("the working directory", command.cwd)):
        if "\0" in text:
            return f"{what} holds a NUL character, which no program can be given"
        try:
            text.encode("utf-8", "surrogateescape")  # as the warden does
        except UnicodeEncodeError as error:
            code = ord(text[error.start])
            return f"{what} holds half a character (the surrogate U+{code:04X}), which no program can be given"
    return "an argument or a variable of the environment is something that no program can be given"


def _folder(cwd: str, number: int) -> str:
    if number == errno.ENOENT:
        return f"the working directory {cwd} is not there"
    return f"the working directory {cwd} can't be used: {os.strerror(number)}"
