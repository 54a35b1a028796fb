"""Loads Python files of the project as modules, without sys.path and without writing bytecode beside them."""

from __future__ import annotations

import errno
import importlib.machinery
import importlib.util
import itertools
import os
import re
import stat
import sys
import threading
from collections.abc import Sequence
from types import ModuleType
from typing import Final, Never

from pipe_runner.errors import NodeFault
from pipe_runner.types import ErrorKind

PREFIX: Final = "pipe_agents.loaded."
"""Before the names of all modules that are made here."""
_LIMIT: Final = 16 * 2**20
_SERIAL: Final = itertools.count(1)
_DOT: Final = "\u2024"
"""Stands in a module's name for the dots of its file's, which would part it."""
_OPEN: Final[dict[str, Sources | None]] = {}
"""By the beginning of their modules' names; None once they are closed."""
_LOCK: Final = threading.Lock()


class Sources:
    """Modules made from files below one root.

    Each folder is a package of its own under a name that nothing else has, so that a file can import its neighbours
    with `from . import neighbour`. Links are resolved first, and what lies outside of the root is not opened.

    The name says where the folder lies. So what is no copy of this process can import the module by it, too: one that
    functions start by `multiprocessing`, which unpickles their functions there, or another interpreter.
    """

    def __init__(self, root: str, prefix: str | None = None) -> None:
        self._root = os.path.realpath(root)
        self._prefix = prefix or f"{PREFIX}{next(_SERIAL)}_{_coded(self._root)}_"
        self._folders: dict[str, str] = {}
        self._modules: dict[str, ModuleType] = {}
        _OPEN[self._prefix] = self

    def load(self, path: str) -> ModuleType:
        """The module of a file below the root, loaded once. Raises NodeFault, or what the file's code raises."""
        real = self._inside(path)
        module = self._modules.get(real)
        if module is not None:
            return module
        read_regular(self._root, real, path)  # so that what is wrong with the file is said before it is imported
        find_by_name()
        package = self._prefix + _coded(os.path.relpath(os.path.dirname(real), self._root))
        module = self._modules[real] = importlib.import_module(f"{package}.{_module(real)}")
        return module

    def close(self) -> None:
        """Forget the modules, so that another run loads them anew."""
        with _LOCK:
            _OPEN[self._prefix] = None
            if _BY_NAME in sys.meta_path and not any(_OPEN.values()):
                sys.meta_path.remove(_BY_NAME)
        above = vars(sys.modules.get(PREFIX[:-1], self))
        for name in [name for name in sys.modules if name.startswith(self._prefix)]:
            sys.modules.pop(name, None)
            above.pop(name.removeprefix(PREFIX), None)
        self._modules.clear()

    def find_spec(self, fullname: str) -> importlib.machinery.ModuleSpec | None:
        package, _, name = fullname.rpartition(".")
        if package == PREFIX[:-1]:
            folder = os.path.join(self._root, _decoded(fullname.removeprefix(self._prefix)))
            return self._folder_spec(fullname, os.path.normpath(folder))
        parent = self._folders.get(package)
        if parent is None:
            return None
        folder = os.path.join(parent, name)
        file = os.path.join(parent, _file(name))
        locations: list[str] | None = None
        if os.path.isfile(os.path.join(folder, "__init__.py")):
            file, locations = os.path.join(folder, "__init__.py"), []
            self._folders[fullname] = folder
        elif not os.path.lexists(file):
            return self._folder_spec(fullname, folder) if os.path.isdir(folder) else None
        return importlib.util.spec_from_file_location(
            fullname, file, loader=_Source(fullname, file, self._root), submodule_search_locations=locations
        )

    def _folder_spec(self, fullname: str, folder: str) -> importlib.machinery.ModuleSpec:
        """A package without code. Its path is empty, so that no other finder looks into the folder."""
        self._folders[fullname] = folder
        spec = importlib.machinery.ModuleSpec(fullname, None, is_package=True)
        spec.submodule_search_locations = []
        return spec

    def neighbour(self, path: str, name: str) -> bool:
        """Whether a module of that name lies beside a file: for the hint that `from . import name` finds it."""
        folder = os.path.join(self._root, os.path.dirname(path))
        return os.path.isfile(os.path.join(folder, f"{name}.py")) or os.path.isdir(os.path.join(folder, name))

    def _inside(self, path: str) -> str:
        if "\0" in path:
            raise NodeFault(ErrorKind.NOT_FOUND, "the file's name holds a NUL character")
        real = os.path.realpath(os.path.join(self._root, path))
        if os.path.commonpath([self._root, real]) != self._root:
            raise NodeFault(ErrorKind.REFUSED, f"{path} is outside of the project's root, links resolved")
        return real


class _ByName:
    """Finds the modules of all roots; of one that nobody has opened here, as another process has named them."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if not fullname.startswith(PREFIX):
            return None
        found = _NAME.match(fullname)
        if found is None:
            raise ImportError("attempted relative import beyond top-level package")
        key = found["prefix"]
        if key not in _OPEN:
            Sources(_decoded(found["root"]), key)
        sources = _OPEN[key]
        return None if sources is None else sources.find_spec(fullname)


_BY_NAME: Final = _ByName()


def find_by_name() -> None:
    """Have Python find these modules by their names from here on."""
    with _LOCK:
        if _BY_NAME not in sys.meta_path:
            sys.meta_path.append(_BY_NAME)


def readable(text: str) -> str:
    """A text of Python's in which the names of these modules stand, with what people know of them: `tools.clean`."""
    return _NAME.sub(lambda found: _shown(_decoded(found["folder"]), found["dot"]), text)


_NAME: Final = re.compile(
    rf"(?P<prefix>{re.escape(PREFIX)}[0-9]+_(?P<root>(?:[0-9a-f]{{2}})+)_)(?P<folder>(?:[0-9a-f]{{2}})+)(?P<dot>\.?)"
)


def _shown(folder: str, dot: str) -> str:
    return "" if folder == os.curdir and dot else folder.replace(os.sep, ".") + dot


def _coded(path: str) -> str:
    return os.fsencode(path).hex()


def _decoded(code: str) -> str:
    return os.fsdecode(bytes.fromhex(code))


def _module(path: str) -> str:
    """The name in its package of the module that is made of a file: that by which neighbours import it, if any."""
    folder, name = os.path.split(path)
    plain = name.removesuffix(".py")
    if plain == name or "." in plain or os.path.isfile(os.path.join(folder, plain, "__init__.py")):
        return name.replace(".", _DOT) + _DOT
    return plain


def _file(name: str) -> str:
    """The same back again."""
    return name[:-1].replace(_DOT, ".") if name.endswith(_DOT) else f"{name}.py"


class _Source(importlib.machinery.SourceFileLoader):
    """Compiles from the text each time: what has no modification time has no bytecode that is read or written."""

    def __init__(self, fullname: str, path: str, root: str) -> None:
        super().__init__(fullname, path)
        self._root = root

    def path_stats(self, path: str | bytes) -> Never:
        raise OSError("no bytecode")

    def get_data(self, path: str | bytes) -> bytes:
        if os.fsdecode(path) != self.path:
            raise OSError("only source is read")
        try:
            return read_regular(self._root, os.path.realpath(self.path), self.path)
        except NodeFault as fault:
            raise ImportError(fault.message) from None


def read_regular(root: str, real: str, shown: str, limit: int = _LIMIT) -> bytes:
    """The bytes of a regular file below `root`; both resolved. Every folder is opened from its parent without
    following links, so that one put there meanwhile leads nowhere."""
    relative = os.path.relpath(real, root)
    if relative == os.curdir or relative.startswith(os.pardir + os.sep) or relative == os.pardir:
        raise NodeFault(ErrorKind.REFUSED, f"{shown} is outside of the project's root, links resolved")
    *folders, name = relative.replace(os.sep, "/").split("/")
    try:
        fd = _open_below(root, folders, name) if os.open in os.supports_dir_fd else _open_whole(real)
    except FileNotFoundError:
        raise NodeFault(ErrorKind.NOT_FOUND, f"there is no file {shown}{_nearest(root, real)}") from None
    except OSError as error:
        raise NodeFault(ErrorKind.NOT_FOUND, f"{shown} can't be read: {error.strerror}") from None
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise NodeFault(ErrorKind.NOT_FOUND, f"{shown} is not a regular file")
        if status.st_size > limit:
            raise NodeFault(ErrorKind.NOT_FOUND, f"{shown} is larger than {limit} bytes")
        with os.fdopen(fd, "rb", closefd=False) as file:
            return file.read(limit)
    finally:
        os.close(fd)


def _open_below(root: str, folders: Sequence[str], name: str) -> int:
    folder_flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    at = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for folder in folders:
            below = os.open(folder, folder_flags, dir_fd=at)
            os.close(at)
            at = below
        return os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=at)
    finally:
        os.close(at)


def _open_whole(real: str) -> int:
    """The same where nothing is opened from a folder (Windows): what was opened must still be what the path leads to
    without a link."""
    fd = os.open(real, os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOINHERIT", 0))
    try:
        if os.path.realpath(real) != real or not os.path.samestat(os.stat(real), os.fstat(fd)):
            raise OSError(errno.ELOOP, "a link leads elsewhere")
    except OSError:
        os.close(fd)
        raise
    return fd


def _nearest(root: str, real: str) -> str:
    """`; did you mean …?` from the names in the file's folder, or nothing."""
    from difflib import get_close_matches

    try:
        names = [name for name in os.listdir(os.path.dirname(real)) if name.endswith(".py")]
    except OSError:
        return ""
    near = get_close_matches(os.path.basename(real), names, n=1)
    return f"; did you mean {os.path.relpath(os.path.join(os.path.dirname(real), near[0]), root)}?" if near else ""
