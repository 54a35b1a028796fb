"""Opens and decodes a file that a user names: regular files only, bounded, never waiting for anybody."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Final

from pipe_runner.errors import UsageError
from pipe_runner.loader.lines import Faults, Lines
from pipe_runner.types import YAML_ENDINGS

FORBIDDEN: Final = "[^\t\n\r -~\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
"""What YAML allows in no text, and the line ends (NEL, LS, PS) that some of its readers see and others don't."""

_FLAGS: Final = os.O_RDONLY | sum(getattr(os, f"O_{name}", 0) for name in ("NONBLOCK", "CLOEXEC", "NOCTTY", "BINARY"))
_SHOWN_CHARACTERS: Final = 20
_MARKS: Final = (
    (b"\xff\xfe\x00\x00", "UTF-32"),
    (b"\x00\x00\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)


def read_bytes(path: Path | str, max_bytes: int, root: Path | None = None) -> bytes:
    """The content of a regular file, at most `max_bytes + 1` bytes of it; raises `UsageError` for anything else.

    With `root`, the file that was opened must stand inside of it, links resolved.
    """
    name = os.fspath(path)
    try:
        fd = os.open(name, _FLAGS)
    except FileNotFoundError:
        whole = next((name + ending for ending in YAML_ENDINGS if os.path.isfile(name + ending)), None)
        hint = f"did you mean {whole}?" if whole else "check the path; it counts from where you are"
        raise UsageError(f"there is no file {name}", hint=hint) from None
    except IsADirectoryError:
        raise UsageError(f"{name} is a directory, not a file") from None
    except PermissionError:
        if os.path.isdir(name):
            raise UsageError(f"{name} is a directory, not a file") from None
        raise UsageError(f"{name} can't be read: permission denied") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{name!r} can't be opened: {_reason(error)}") from None
    try:
        mode = os.fstat(fd).st_mode
        if not stat.S_ISREG(mode):
            raise UsageError(f"{name} is {_kind_of(mode)}, not a file")
        if root is not None and not _is_inside(fd, name, root):
            raise UsageError(f"{name} leads out of the project", hint=f"files are read below {root} only")
        with os.fdopen(fd, "rb", closefd=False) as file:
            return file.read(max_bytes + 1)
    except OSError as error:
        raise UsageError(f"{name} can't be read: {_reason(error)}") from None
    finally:
        os.close(fd)


def _is_inside(fd: int, name: str, root: Path) -> bool:
    """Whether the open file stands in `root`; asked of the descriptor, so that no link can change in between."""
    try:
        real = os.readlink(f"/proc/self/fd/{fd}")
    except OSError:
        real = os.path.realpath(name)
        if not os.path.samestat(os.stat(real), os.fstat(fd)):
            return False
    return Path(real).is_relative_to(os.path.realpath(root))


def _reason(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error)


def _kind_of(mode: int) -> str:
    for test, name in (
        (stat.S_ISDIR, "a directory"),
        (stat.S_ISFIFO, "a named pipe"),
        (stat.S_ISSOCK, "a socket"),
        (stat.S_ISCHR, "a device"),
        (stat.S_ISBLK, "a device"),
    ):
        if test(mode):
            return name
    return "something else"


def decode(content: bytes, path: str) -> tuple[Faults, bool]:
    """The text of a file (in `faults.lines.text`), and whether it is worth reading on; an encoding error is a fault."""
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return _not_utf8(path, encoding)
    if len(content) > 3 and (content[1::2][:64].count(0) > 8 or content[:2].count(0) == 1):
        return _not_utf8(path, "UTF-16")
    if content.startswith(b"\xef\xbb\xbf"):
        content = content[3:]
    try:
        return Faults(path, Lines(content.decode())), True
    except UnicodeDecodeError as error:
        faults = Faults(path, Lines(content.decode("utf-8", "replace")))
        index = len(content[: error.start].decode("utf-8", "replace"))
        message = f"byte 0x{content[error.start]:02x} is not UTF-8"
        faults.add("E103", message, index, 1, "save the file as UTF-8")
        return faults, True


def _not_utf8(path: str, encoding: str) -> tuple[Faults, bool]:
    faults = Faults(path, Lines(""))
    faults.add("E103", f"the file is {encoding}, and pipeline files are UTF-8", 0, 1, "save the file as UTF-8")
    return faults, False


def without_forbidden(text: str, faults: Faults) -> str | None:
    """Notes the characters that YAML doesn't allow; gives the text with each replaced, or None if it is no text."""
    for number, found in enumerate(re.finditer(FORBIDDEN, text)):
        char = found.group()
        if number == _SHOWN_CHARACTERS or char == "\0":
            if char == "\0":
                faults.add("E104", "a NUL byte: this is not a text file", found.start())
            return None
        faults.add("E104", f"{_named(char)} can't stand in a file", found.start(), 1, _hint(char))
    return re.sub(FORBIDDEN, "\ufffd", text)


def _named(char: str) -> str:
    code = ord(char)
    if char in "\x85\u2028\u2029":
        return f"the line separator U+{code:04X}, which some readers of YAML take for a line's end and others don't,"
    if char == "\ufeff":
        return "a byte order mark (U+FEFF) inside the text"
    if 0xD800 <= code <= 0xDFFF:
        return f"half a character (the surrogate U+{code:04X})"
    return f"the control character U+{code:04X}"


def _hint(char: str) -> str:
    code = ord(char)
    if 0xD800 <= code <= 0xDFFF or char == "\ufeff":
        return "remove it"
    escape = f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
    return f'remove it, or write "{escape}" in double quotes'
