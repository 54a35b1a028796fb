"""The error boundary: every way in which a command can end becomes an exit code and words on stderr."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TextIO

from pipe_runner.cli.exits import BUG, INTERRUPTED, IO_ERROR
from pipe_runner.errors import InvalidPipeline, PipeError, StorageError, UsageError

if TYPE_CHECKING:
    from types import TracebackType

_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
_NO_MEMORY: Final = "error: out of memory\nhint: raise the limit: `ulimit -v`, or that of the container"
_HELD: Final[list[OSError]] = []
"""Until the process leaves: an event loop that the system let be made by half complains when it is let go."""
_NEVER_FAIL: Final = ("backslashreplace", "replace", "ignore", "xmlcharrefreplace", "namereplace")
"""Ways of a stream to write what its encoding doesn't have."""


def guarded(perform: Callable[[list[str]], int], words: list[str]) -> int:
    """Perform, and explain whatever goes wrong. Nothing escapes it, and no traceback but ours (S11)."""
    _open_standard_streams()
    out, err = sys.stdout, sys.stderr
    code = _explained(perform, words)
    if sys.stderr is None:  # by code that still runs
        sys.stderr = err
    unwritten = _settled(out)
    if unwritten is not None and not _nobody_reads(unwritten):
        say(f"error: cannot write to stdout: {getattr(unwritten, 'strerror', None) or unwritten}")
        code = code or IO_ERROR
    _settled(err)
    return code


def _explained(perform: Callable[[list[str]], int], words: list[str]) -> int:
    try:
        return perform(words)
    except BrokenPipeError:
        return 0  # who read us has seen enough
    except KeyboardInterrupt:
        say("interrupted")
        return INTERRUPTED
    except InvalidPipeline as error:
        _tell_faults(error)
        return error.exit_code
    except PipeError as error:
        explain(error)
        return error.exit_code
    except MemoryError:
        say(_NO_MEMORY)
        return IO_ERROR
    except Exception as error:
        if isinstance(error, OSError):
            _HELD.append(error)
            if _cannot_be_flushed(sys.stdout):
                return 0  # stdout is full, which is said when it is settled
        known = _known(error) or _no_folder(error) or _full(error) or _limited(error) or _half(error)
        if known is not None:
            explain(known)
            return known.exit_code
        if isinstance(error, OSError) and error.errno == errno.ENOMEM:
            say(_NO_MEMORY)
            return IO_ERROR
        say(crash_report(error))
        return BUG


def _known(error: BaseException) -> PipeError | None:
    """The explained fault that a group of exceptions holds."""
    if isinstance(error, PipeError):
        return error
    inner = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    return next((found for found in map(_known, inner) if found is not None), None)


def _no_folder(error: Exception) -> PipeError | None:
    """The fault that a working directory which somebody has removed causes in many places."""
    if not isinstance(error, FileNotFoundError):
        return None
    try:
        os.getcwd()
    except OSError:
        return UsageError("the working directory does not exist any more", hint="change to one that does")
    return None


def _full(error: Exception) -> PipeError | None:
    """The fault of a stream that took nothing more at once, as an unbuffered stdout on a full disk does; or of epoll,
    which has a bound of its own, and the same number for it."""
    if not isinstance(error, OSError) or error.filename is not None or error.errno not in _FULL:
        return None
    if error.errno == errno.ENOSPC and any("/selectors.py:" in place for place in _places(error.__traceback__)):
        from pipe_runner.executors.reasons import WATCHES

        return StorageError("the system watches over no other file or socket", hint=WATCHES)
    return StorageError(f"cannot write to stdout: {error.strerror}")


def _limited(error: Exception) -> PipeError | None:
    """The fault of a limit that leaves no room for one more file or thread, wherever it is met."""
    if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
        return StorageError("too many files are open", hint="raise the limit: `ulimit -n`")
    if isinstance(error, RuntimeError) and "start new thread" in str(error):
        return StorageError("the system lets no other thread start", hint="raise the limit: `ulimit -u`, pids.max")
    return None


def _half(error: Exception) -> PipeError | None:
    if not isinstance(error, EOFError | ValueError | TypeError):
        return None
    from pipe_runner.halfcompiled import cut_short

    return cut_short(error)


def say(text: str, stderr: TextIO | None = None) -> None:
    """Write to stderr; somebody who doesn't listen is no reason to fail.

    `stderr` is given by who speaks in another thread: what those print as a run has functions is taken for theirs."""
    stream = stderr or sys.stderr
    try:
        stream.write(text if text.endswith("\n") else text + "\n")
        stream.flush()
    except (OSError, ValueError):
        pass


def write_out(text: str) -> None:
    """Write to stdout, at once; a reader who has gone away changes nothing of what a command does and ends with."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        if not _nobody_reads(error):
            raise
        forget(sys.stdout)


def explain(error: PipeError) -> None:
    """`error: …` and `hint: …` on stderr."""
    from pipe_runner.text import ci_safe, printable

    text = f"error: {printable(error.message, newlines=True)}"
    if error.hint:
        text += f"\nhint: {printable(error.hint, newlines=True)}"
    say(ci_safe(text))


def crash_report(error: BaseException) -> str:
    """What a user can paste into a bug report: the versions and where it happened; no values, no arguments, no paths
    of theirs, since any of them could hold what is secret."""
    import platform
    import traceback

    from pipe_runner import __version__
    from pipe_runner.text import printable

    lines = [
        "error: a bug in pipe-runner, not in your pipeline. Please report it with these lines:",
        "",
        f"  pipe-runner {__version__}, Python {platform.python_version()}, {platform.system()} {platform.release()}",
    ]
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        lines.append(f"  {type(current).__module__}.{type(current).__qualname__}")
        lines += [f"    {place}" for place in _places(current.__traceback__)]
        current = current.__cause__ or current.__context__
    if os.environ.get("PIPE_DEBUG"):
        lines += ["", printable("".join(traceback.format_exception(error)), newlines=True, tabs=True)]
    else:
        lines += [
            "",
            "hint: with PIPE_DEBUG=1 it also shows values and messages; look for secrets before you share that",
        ]
    return "\n".join(lines)


def _places(where: TracebackType | None) -> list[str]:
    from traceback import extract_tb

    places = []
    for frame in extract_tb(where):
        parts = frame.filename.replace("\\", "/").split("/")
        places.append(f"{'/'.join(parts[-2:])}:{frame.lineno} in {frame.name}")
    return places if len(places) <= 40 else [*places[:15], f"… {len(places) - 30} more", *places[-15:]]


def _tell_faults(error: InvalidPipeline) -> None:
    from pipe_runner.reports.diagnostics import render, summary

    colour = colours(sys.stderr)
    say(render(error.diagnostics, "text", colour=colour) + summary(error.diagnostics))


def colours(stream: TextIO) -> bool:
    """True when colour may be written to this stream: a terminal that can, and nobody said no."""
    terminal = os.environ.get("TERM")
    if sys.platform == "win32":  # the old console, which has neither, shows the codes themselves
        terminal = terminal or os.environ.get("WT_SESSION")
    if os.environ.get("NO_COLOR") or terminal in (None, "", "dumb"):
        return False
    try:
        return stream.isatty()
    except (OSError, ValueError):
        return False


def _cannot_be_flushed(stream: TextIO) -> bool:
    try:
        stream.flush()
    except (OSError, ValueError):
        return True
    return False


def _settled(stream: TextIO) -> Exception | None:
    """Write what is left; where that fails, why, and let it go nowhere, so that Python doesn't complain at its end."""
    try:
        stream.flush()
    except (OSError, ValueError) as error:
        forget(stream)
        return error
    return None


def _nobody_reads(error: Exception) -> bool:
    """Whether who read us has gone away; Windows calls that an invalid argument."""
    return isinstance(error, BrokenPipeError) or (
        sys.platform == "win32" and isinstance(error, OSError) and error.errno == errno.EINVAL
    )


def forget(stream: TextIO) -> None:
    """Let what is left to write, and whatever follows, go nowhere."""
    try:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)
        stream.flush()
    except (OSError, ValueError):
        pass


def _open_standard_streams() -> None:
    """See that 0, 1 and 2 are open: else the next file that is opened, the log, would be taken for one of them."""
    for fd, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(fd)
        except OSError:
            null = os.open(os.devnull, os.O_RDWR)
            if null != fd:
                os.dup2(null, fd)
                os.close(null)
        if getattr(sys, name) is None:
            setattr(sys, name, open(fd, "w" if fd else "r", closefd=False, encoding="utf-8"))
    for stream in (sys.stdout, sys.stderr):
        if not isinstance(stream, io.TextIOWrapper):
            continue
        if sys.platform == "win32" and not os.environ.get("PYTHONIOENCODING") and not stream.isatty():
            # Results are files of the project as often as not; the encoding of this machine suits none of them.
            stream.reconfigure(encoding="utf-8", newline="\n")
        if stream.errors not in _NEVER_FAIL:
            stream.reconfigure(errors="backslashreplace")  # a terminal of another encoding is no reason to fail
