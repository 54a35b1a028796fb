"""Loads Python files of the project as modules, without sys.path and without writing bytecode beside them."""

from __future__ import annotations

import errno
import importlib.machinery
import importlib.util
import itertools
import os
import stat
import sys
import threading
from collections.abc import Sequence
from types import ModuleType
from typing import Final, Never

from pipe_runner.errors import NodeFault
from pipe_runner.types import ErrorKind

PREFIX: Final = "_pipe_files_"
_LIMIT: Final = 16 * 2**20
_SERIAL: Final = itertools.count(1)


class Sources:
    """Modules made from files below one root.

    Each folder is a package of its own under a name that nothing else has, so that a file can import its neighbours
    with `from . import neighbour`. Links are resolved first, and what lies outside of the root is not opened.
    """

    def __init__(self, root: str) -> None:
        self._root = os.path.realpath(root)
        self._prefix = f"{PREFIX}{next(_SERIAL)}_"
        self._folders: dict[str, str] = {}
        self._files: dict[str, str] = {}
        self._packages: dict[str, str] = {}
        self._modules: dict[str, ModuleType] = {}
        self._lock = threading.Lock()

    def load(self, path: str) -> ModuleType:
        """The module of a file below the root, loaded once. Raises NodeFault, or what the file's code raises."""
        real = self._inside(path)
        module = self._modules.get(real)
        if module is not None:
            return module
        read_regular(self._root, real, path)  # so that what is wrong with the file is said before it is imported
        with self._lock:
            package = self._package(os.path.dirname(real))
            if self not in sys.meta_path:
                sys.meta_path.append(self)
            name = f"{package}.{os.path.basename(real).removesuffix('.py').replace('.', '_')}"
            self._files[name] = real
        module = self._modules[real] = importlib.import_module(name)
        return module

    def close(self) -> None:
        """Forget the modules, so that another run loads them anew."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)
        for name in [name for name in sys.modules if name.startswith(self._prefix)]:
            sys.modules.pop(name, None)
        self._modules.clear()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if not fullname.startswith(self._prefix):
            return None
        package, _, name = fullname.rpartition(".")
        if not package:
            return self._folder_spec(fullname, self._folders[fullname])
        parent = self._folders.get(package)
        if parent is None:
            return None
        folder = os.path.join(parent, name)
        file = self._files.get(fullname, folder + ".py")
        locations: list[str] | None = None
        if fullname not in self._files:
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

    def _package(self, folder: str) -> str:
        package = self._packages.get(folder)
        if package is None:
            package = self._packages[folder] = f"{self._prefix}{len(self._packages)}"
            self._folders[package] = folder
        return package

    def _inside(self, path: str) -> str:
        if "\0" in path:
            raise NodeFault(ErrorKind.NOT_FOUND, "the file's name holds a NUL character")
        real = os.path.realpath(os.path.join(self._root, path))
        if os.path.commonpath([self._root, real]) != self._root:
            raise NodeFault(ErrorKind.REFUSED, f"{path} is outside of the project's root, links resolved")
        return real


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
