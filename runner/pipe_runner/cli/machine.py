"""The examinations of `pipe doctor`, each a function that looks and gives what it found."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Literal

from pipe_runner.executors.family import shows_us

_PATIENCE: Final = 10
_SLOW_SYNC: Final = 0.02
_LITTLE_SPACE: Final = 200 * 2**20
_FEW_FILES: Final = 256
_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found; `why` it matters and what to `do` where it isn't ok."""

    name: str
    status: Literal["ok", "warn", "fail"]
    found: str
    why: str = ""
    do: str = ""


def python() -> Finding:
    version = ".".join(str(part) for part in sys.version_info[:3])
    return Finding("Python", "ok", f"{version} ({sys.executable})")


def system() -> Finding:
    import platform

    name = f"{platform.system()} {platform.release()} ({platform.machine()})"
    if platform.system() == "Linux":
        return Finding("system", "ok", name)
    return Finding(
        "system",
        "warn",
        name,
        "only Linux can tell for certain which processes a command has left behind",
        "have commands end what they start, or run in a Linux container",
    )


def shell() -> Finding:
    why = "every `run:` is given to /bin/sh"
    try:
        done = subprocess.run(
            ["/bin/sh", "-e", "-c", 'printf %s "${X}"'], env={"X": "ok"}, capture_output=True, timeout=_PATIENCE
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Finding("sh", "fail", f"/bin/sh does not work: {error}", why, "install a POSIX shell as /bin/sh")
    if done.stdout != b"ok":
        return Finding("sh", "fail", "/bin/sh does not work", why, "install a POSIX shell as /bin/sh")
    return Finding("sh", "ok", os.path.realpath("/bin/sh"))


def bash() -> Finding:
    return _program("bash", "nodes with `shell: bash` need it")


def git() -> Finding:
    return _program("git", "pipelines that look at the repository need it; pipe itself does not")


def _program(name: str, why: str) -> Finding:
    found = shutil.which(name)
    if found is None:
        return Finding(name, "warn", "not found in PATH", why, f"install {name} where pipelines use it")
    return Finding(name, "ok", found)


def proc() -> Finding:
    if shows_us():
        return Finding("/proc", "ok", "mounted")
    if sys.platform != "linux":
        return environments()
    return Finding(
        "/proc",
        "warn",
        "shows other processes" if os.path.lexists("/proc/self") else "not mounted",
        "processes that a killed runner left behind are found there before a run goes on",
        "mount proc (in a chroot, or with `unshare`: mount -t proc proc /proc)",
    )


def environments() -> Finding:
    """Whether `ps` shows what processes have in their environments: ours has one more in it."""
    from pipe_runner.executors.listed import listed

    name, mark = "ps", b"PIPE_DOCTOR=looks"
    with subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", "input()"], stdin=subprocess.PIPE, env={"PIPE_DOCTOR": "looks"}
    ) as other:
        found = any(each.pid == other.pid and each.shows([mark]) for each in listed())
    if found:
        return Finding(name, "ok", "shows the environments of processes")
    return Finding(
        name,
        "warn",
        "does not show the environments of processes",
        "what has left its process group is found there before a run goes on, and at its end",
        "see that `ps -axEww -o pid=,ppid=,command=` works, and shows variables",
    )


_ORPHAN: Final = """
import ctypes, os, sys, time
libc = ctypes.CDLL(None, use_errno=True)
if libc.prctl(36, 1, 0, 0, 0) != 0:  # PR_SET_CHILD_SUBREAPER
    sys.exit(3)
read, write = os.pipe()
middle = os.fork()
if middle == 0:
    middle = os.getpid()
    if os.fork() == 0:
        os.setsid()
        while os.getppid() == middle:
            time.sleep(0.005)
        os.write(write, str(os.getppid()).encode())
    os._exit(0)
os.waitpid(middle, 0)
adopted = int(os.read(read, 20)) == os.getpid()
sys.exit(0 if adopted else 4)
"""


def subreaper() -> Finding:
    """Whether orphans come to the warden: then even a process that left its group and emptied its environment can't
    outlive a run, but for what functions start just before the runner is killed."""
    name = "stray processes"
    why = (
        "a command can leave its process group and fork twice; such a process is then found only by its environment, "
        "and one that empties that as well outlives the run"
    )
    do = "have commands end what they start; on Linux, run outside of a sandbox that forbids prctl"
    if sys.platform != "linux":
        return Finding(name, "warn", "caught unless they empty their environment", why, do)
    if not shows_us():
        return Finding(name, "warn", "caught unless they leave their process group: no /proc of ours", why, do)
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", _ORPHAN], capture_output=True, timeout=_PATIENCE, check=False
    )
    if done.returncode == 0:
        found = (
            "caught, also those that leave their group and empty their environment (subreaper); of a function's, when "
            "the runner is killed, those that are older than 0.2 s or have kept their environment"
        )
        return Finding(name, "ok", found)
    return Finding(name, "warn", "caught unless they empty their environment: no subreaper here", why, do)


def writable(state: str) -> Finding:
    why = "every run keeps its log there, and can't start without"
    do = "give yourself the right to write there, or name another place with --state-dir or PIPE_STATE_DIR"
    try:
        with _trial(state):
            pass
    except OSError as error:
        return Finding("state directory", "fail", f"{state}: {error.strerror}", why, do)
    return Finding("state directory", "ok", f"{state} can be written")


def locks(state: str) -> Finding:
    import fcntl

    why = "a lock keeps two processes from working on one run"
    do = "put the state directory on a local disk: --state-dir or PIPE_STATE_DIR"
    try:
        with _trial(state) as path, open(path) as one, open(path) as two:
            fcntl.flock(one, fcntl.LOCK_EX | fcntl.LOCK_NB)
            try:
                fcntl.flock(two, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return Finding("locks", "ok", "flock works in the state directory")
    except OSError as error:
        return Finding("locks", "fail", f"flock does not work in the state directory: {error.strerror}", why, do)
    return Finding("locks", "fail", "flock locks nothing in the state directory", why, do)


def sync(state: str) -> Finding:
    from pipe_runner.sync import sync_file

    times = []
    try:
        with _trial(state) as path, open(path, "ab", buffering=0) as file:
            for _ in range(9):
                file.write(b"x" * 200)
                began = time.perf_counter()
                sync_file(file.fileno())
                times.append(time.perf_counter() - began)
    except OSError as error:
        return Finding(
            "durability",
            "fail",
            f"the disk does not take what is written: {error.strerror}",
            "a log that can't be made durable can't be resumed from",
            "put the state directory on another disk: --state-dir or PIPE_STATE_DIR",
        )
    median = sorted(times)[len(times) // 2]
    name = "fdatasync" if hasattr(os, "fdatasync") else "making a line durable"
    found = f"{name} takes {median * 1000:.2f} ms in the state directory"
    if median > _SLOW_SYNC:
        return Finding(
            "durability",
            "warn",
            found,
            "what depends on a node starts only when the node's success is durable",
            "a quicker disk for --state-dir, or --durability os, which survives the process but not a power cut",
        )
    return Finding("durability", "ok", found)


def space(state: str) -> Finding:
    free = shutil.disk_usage(_existing(state)).free
    found = f"{free / 2**30:.1f} GiB free for the state directory"
    if free < _LITTLE_SPACE:
        return Finding(
            "disk", "warn", found, "a full disk stops runs (they can be resumed)", "make room, or use another disk"
        )
    return Finding("disk", "ok", found)


def open_files() -> Finding:
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= soft < _FEW_FILES:
        return Finding(
            "open files",
            "warn",
            f"{soft} at most",
            "every command in flight takes a few; with a high concurrency they run out",
            "ulimit -n 4096",
        )
    return Finding("open files", "ok", f"{soft} at most" if soft >= 0 else "no limit")


def locale() -> Finding:
    encoding = (getattr(sys.stdout, "encoding", None) or "").lower().replace("-", "")
    name = next((os.environ[v] for v in ("LC_ALL", "LC_CTYPE", "LANG") if os.environ.get(v)), "not set")
    if encoding != "utf8":
        return Finding(
            "locale",
            "warn",
            f"{name}: stdout is {encoding or 'unknown'}",
            "characters that it doesn't have are printed escaped",
            "export LC_ALL=C.UTF-8",
        )
    return Finding("locale", "ok", f"{name}, UTF-8")


def terminal() -> Finding:
    if not sys.stderr.isatty():
        return Finding("terminal", "ok", "none: progress is told in lines")
    kind = os.environ.get("TERM", "")
    if kind in ("", "dumb"):
        return Finding(
            "terminal",
            "warn",
            f"TERM is {kind or 'not set'}",
            "progress is told in lines instead of live",
            "set TERM, if the terminal can do more",
        )
    columns, rows = os.get_terminal_size(sys.stderr.fileno())
    colour = ", no colour (NO_COLOR)" if os.environ.get("NO_COLOR") else ""
    return Finding("terminal", "ok", f"{kind}, {columns} by {rows}{colour}: progress is shown live")


def yaml_parser() -> Finding:
    from importlib.util import find_spec

    if find_spec("yaml._yaml") is None:
        return Finding(
            "YAML parser",
            "warn",
            "PyYAML without libyaml",
            "large pipeline files are read some ten times slower",
            "install a PyYAML wheel, or libyaml before building it",
        )
    return Finding("YAML parser", "ok", "PyYAML with libyaml")


def agents() -> Finding:
    from pipe_runner.registry import Registry

    registry = Registry.installed()
    faults, clashes = registry.faults(), [clash for clash in registry.clashes() if clash.used is not None]
    names = ", ".join(name for name in registry.names() if name not in faults)
    if not faults and not clashes:
        return Finding("agents", "ok", names)
    told = [fault.message for fault in faults.values()]
    told += [f"{c.name!r} comes from {' and '.join(c.distributions)}; {c.used}'s is used" for c in clashes]
    mends = [fault.hint or "reinstall it" for fault in faults.values()]
    mends += ["uninstall the others" for _ in clashes]
    why = (
        f"nodes that name them can't run (usable: {names})" if faults else "whoever expects another one's gets this one"
    )
    return Finding("agents", "warn", "; ".join(told), why, "; ".join(dict.fromkeys(mends)))


def project() -> Finding:
    """What pipe.yml says, as far as nobody would do it."""
    from pathlib import Path

    from pipe_runner.cli.settings import here
    from pipe_runner.compiler.project import load_project
    from pipe_runner.registry import Registry

    found, faults = load_project(Path(here()), Registry.installed())
    if not os.path.lexists(found.path):
        return Finding("pipe.yml", "ok", f"none; the project's root is {found.root}")
    wrong = [one for one in faults if one.is_error]
    if not wrong:
        return Finding("pipe.yml", "ok", found.path)
    told = "; ".join(f"{one.line}:{one.column}: {one.code} {one.message}" for one in wrong[:_SHOWN])
    more = f"; and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
    return Finding(
        "pipe.yml",
        "fail",
        f"{found.path}: {told}{more}",
        "no pipeline of the project runs with it",
        "mend it: `pipe check` shows each place",
    )


@contextmanager
def _trial(state: str) -> Iterator[str]:
    """A file in the state directory, or where that would be made, for as long as it is looked at."""
    fd, path = tempfile.mkstemp(prefix=".pipe-doctor-", dir=_existing(state))
    os.close(fd)
    try:
        yield path
    finally:
        os.unlink(path)


def _existing(state: str) -> str:
    """The state directory, or the nearest folder above that is there."""
    folder = state
    while not os.path.isdir(folder) and os.path.dirname(folder) != folder:
        folder = os.path.dirname(folder)
    return folder
