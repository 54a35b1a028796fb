"""Files that the user asked for: written whole, or not at all where the system gives the means."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable

from pipe_runner import flags
from pipe_runner.errors import StorageError, UsageError


def write_new(path: str, text: str) -> None:
    """Write a file that isn't there yet; raises UsageError where it is, StorageError where it can't be written."""
    if os.path.lexists(path) or not path:
        raise UsageError(f"{path} is there already" if path else "a file's name is empty", hint="name another one")
    if not os.path.isdir(os.path.dirname(os.path.abspath(path))):
        raise UsageError(f"there is no directory {os.path.dirname(os.path.abspath(path))}")
    write_whole(path, [text.encode()])


def check_can_be_written(path: str) -> None:
    """Raises UsageError where `--junit` names what can't be a file, before anything runs."""
    folder = os.path.dirname(os.path.abspath(path))
    if os.path.isdir(path) or not path:
        raise UsageError(f"--junit: {path!r} is not a file's name")
    if path == "-":
        raise UsageError("--junit writes a file: stdout gets the results", hint="`--junit junit.xml`")
    if not os.path.isdir(folder):
        raise UsageError(f"--junit: there is no directory {folder}")


def write_whole(path: str, pieces: Iterable[bytes]) -> None:
    """Write beside, then put it in the place of what was there; raises StorageError and leaves what was there.

    Until it is whole it has no name, where the system gives the means: who is killed meanwhile leaves nothing behind.
    A link at `path` is replaced, not followed. A pipe or a device at `path` gets the pieces as they come.
    """
    part = None
    folder = os.path.dirname(path)
    name = os.path.join(folder, f".{os.getpid()}.{os.urandom(4).hex()}.part")
    nameless = None
    try:
        if os.path.exists(path) and not os.path.isfile(path):
            file = open(path, "wb")
        else:
            nameless = _nameless(folder)
            if nameless is None:
                fd, part = os.open(name, flags.NEW, 0o666), name
            file = open(fd if nameless is None else nameless, "wb")
        with file:
            for piece in pieces:
                file.write(piece)
            if nameless is not None:
                file.flush()
                # Only with a descriptor, which an absolute path has no use for, Python has a link of /proc followed.
                os.link(f"/proc/self/fd/{nameless}", name, src_dir_fd=nameless)
                part = name
        if part is not None:
            os.replace(part, path)
            part = None
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}") from error
    finally:
        if part is not None:
            with contextlib.suppress(OSError):
                os.unlink(part)


def _nameless(folder: str) -> int | None:
    """A new file in a folder that has no name yet; None where the system has no such files, or can't name one."""
    if not hasattr(os, "O_TMPFILE") or not os.path.isdir("/proc/self/fd"):
        return None
    with contextlib.suppress(OSError):
        return os.open(folder or ".", os.O_WRONLY | os.O_TMPFILE | os.O_CLOEXEC, 0o666)
    return None
