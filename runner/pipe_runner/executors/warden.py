"""Watches over the processes of a run: a program of its own, started as the run's first deed.

It is the parent of every command, reaps everything, and ends every descendant when the runner's end shows as the end of
its socket, even after kill -9. One thread, no user code, and few imports: it must be there before the first command is.
The runner imports it for its words only.

Frames go over a stream socket, each a length of 4 bytes (little endian) and a marshalled value.
From the runner: `(SPAWN, id, argv, env, cwd, fds)` with the descriptors stdout, stderr and, if `fds` is 3, stdin beside
it; `(END, id, grace)`. To the runner: a list of `(EXITED, id, wait status, 1 if something is left of the attempt)`,
`(FAILED, id, errno, stage)`, `(GONE, id, 0, 0)`: nothing is left any more, and `(BROKEN, 0, 0, traceback)`.

What is left after a command has exited belongs to its attempt, and is ended when the runner says so. What has
lost its parent comes here, as to init (a subreaper inherits those), and belongs to the attempt of its process group, or
of PIPE_NODE and PIPE_ATTEMPT in its environment; one that hides both is ended with the last of the attempts that ran
when it was found. Linux only: elsewhere, what has left its process group is not found.
"""

from __future__ import annotations

import marshal
import os
import select
import struct
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import signal
    import socket
else:  # the parts in C alone: starting takes half the time
    import _signal as signal
    import _socket as socket

SPAWN, END = 0, 1
EXITED, FAILED, GONE, BROKEN = 0, 1, 2, 3
IN_FOLDER, IN_SEARCH, IN_EXEC = 0, 1, 2
"""Stages of a start: changing to the working directory, looking for the program, executing it."""

LAST_GRACE = 2.0
"""Seconds between TERM and KILL when the runner is dead; all is over within five (X2)."""
PATIENCE = 60.0
"""Seconds for processes that the system doesn't end although they were killed."""
AGAIN = 0.02
"""Seconds between two looks at what doesn't end at once."""

_IGNORED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGPIPE, signal.SIGTSTP)
_RESET = (*_IGNORED, signal.SIGXFSZ, signal.SIGTTIN, signal.SIGTTOU, signal.SIGUSR1, signal.SIGUSR2)
_CLOEXEC = getattr(socket, "MSG_CMSG_CLOEXEC", 0)
_SUBREAPER = 36
_SEARCH_PATH = "/usr/local/bin:/usr/bin:/bin"


class Attempt:
    """A command that was started, until nothing is left of it. `kill_at` is None until it is to be ended."""

    __slots__ = ("env", "exited", "id", "kill_at", "pid")

    def __init__(self, number: int, pid: int, env: dict[str, str]) -> None:
        self.id, self.pid, self.env = number, pid, env
        self.exited = False
        self.kill_at: float | None = None

    def started(self, environment: set[bytes]) -> bool:
        """Whether a process with this environment comes from the command."""
        return all(
            os.fsencode(f"{name}={self.env[name]}") in environment
            for name in ("PIPE_RUN_ID", "PIPE_NODE", "PIPE_ATTEMPT")
        )


class Orphan:
    """A process that came here when its parent ended; `owners`: the ids of the attempts that it may belong to."""

    __slots__ = ("owners", "pid")

    def __init__(self, pid: int, owners: set[int]) -> None:
        self.pid, self.owners = pid, owners


class Warden:
    def __init__(self, fd: int) -> None:
        self.socket = socket.socket(fileno=fd)
        self.attempts: dict[int, Attempt] = {}
        self.commands: dict[int, Attempt] = {}
        """By pid, those that have not exited."""
        self.orphans: dict[int, Orphan] = {}
        self.unsettled: dict[int, Attempt] = {}
        """Those that are to be ended, and those whose command has exited and left something."""
        self.run = ""
        self.reports: list[tuple[int, int, int, int | str]] = []
        self.unsent = b""
        self.received = b""
        self.fds: list[int] = []
        self.null = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
        self.woken, wake = os.pipe()
        os.set_blocking(self.woken, False)
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        try:
            self.children = os.open(f"/proc/self/task/{os.getpid()}/children", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            self.children = -1

    # ------------------------------------------------------------ the loop

    def watch(self) -> None:
        """Serve the runner until its end of the socket is closed."""
        of_socket, of_signals = self.socket.fileno(), self.woken
        poll = select.poll()
        poll.register(of_signals, select.POLLIN)
        poll.register(of_socket, select.POLLIN)
        waits = False
        while True:
            events = poll.poll(self.wait() if self.unsettled else None)
            has_come = False
            for fd, event in events:
                if fd == of_signals:
                    os.read(of_signals, 4096)
                    self.reap()
                elif event & ~select.POLLOUT:
                    has_come = True
            if self.unsettled:
                self.proceed()
            if self.reports or self.unsent:
                self.report()
                if waits != bool(self.unsent):
                    waits = not waits
                    poll.modify(of_socket, select.POLLIN | (select.POLLOUT if waits else 0))
            if has_come and not self.receive():
                return

    def wait(self) -> float | None:
        """Milliseconds until there is something to be done that nobody tells."""
        times = [attempt.kill_at for attempt in self.unsettled.values() if attempt.kill_at is not None]
        return max(AGAIN, min(times) - time.monotonic()) * 1000 if times else None

    def receive(self) -> bool:
        """Take what the runner sent; False when it has closed its end."""
        try:
            data, ancillary, _, _ = self.socket.recvmsg(16384, 64, _CLOEXEC)
        except OSError:
            return False
        if not data:
            return False
        for _, _, raw in ancillary:
            fds = struct.unpack(f"{len(raw) // 4}i", raw)
            self.fds += fds
            if not _CLOEXEC:
                for fd in fds:
                    os.set_inheritable(fd, False)
        if self.received:
            data = self.received + data
        at = 0
        while len(data) >= at + 4:
            end = at + 4 + int.from_bytes(data[at : at + 4], "little")
            if len(data) < end:
                break
            message = marshal.loads(data[at + 4 : end])
            if message[0] == SPAWN:
                self.spawn(*message[1:])
            else:
                self.end(message[1], message[2])
            at = end
        self.received = data[at:]
        return True

    def report(self) -> None:
        if self.reports:
            body = marshal.dumps(self.reports)
            self.unsent += len(body).to_bytes(4, "little") + body
            self.reports.clear()
        try:
            self.unsent = self.unsent[self.socket.send(self.unsent) :]
        except BlockingIOError:
            pass
        except OSError:  # the runner is gone, which the next look at the socket tells
            self.unsent = b""

    # ------------------------------------------------------------ starting

    def spawn(self, number: int, argv: list[str], env: dict[str, str], cwd: str, count: int) -> None:
        fds, self.fds = self.fds[:count], self.fds[count:]
        stage = IN_FOLDER
        try:
            os.chdir(cwd)
            stage = IN_SEARCH
            program = argv[0]
            if program[:1] != "/":
                program = _find(program, env)
            stage = IN_EXEC
            pid = os.posix_spawn(
                program,
                argv,
                env,
                file_actions=(
                    (os.POSIX_SPAWN_DUP2, fds[2] if count == 3 else self.null, 0),
                    (os.POSIX_SPAWN_DUP2, fds[0], 1),
                    (os.POSIX_SPAWN_DUP2, fds[1], 2),
                ),
                setpgroup=0,
                setsigmask=(),
                setsigdef=_RESET,
            )
        except OSError as error:
            if stage == IN_EXEC and error.errno == 2 and not os.path.lexists(program):
                stage = IN_SEARCH
            self.failed(number, error.errno or 0, stage)
        except ValueError:  # a NUL, a name with "=" in it, half of a surrogate pair
            self.failed(number, 0, stage)
        else:
            self.run = env["PIPE_RUN_ID"]
            self.attempts[number] = self.commands[pid] = Attempt(number, pid, env)
        for fd in fds:
            os.close(fd)

    def failed(self, number: int, error: int, stage: int) -> None:
        self.reports.append((FAILED, number, error, stage))
        self.report()

    # ------------------------------------------------------------ ending

    def reap(self) -> bool:
        """Take every exit that there is, and tell those of commands; False when no child is left."""
        exited = []
        some = True
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                some = False
                break
            if pid == 0:
                break
            attempt = self.commands.pop(pid, None)
            if attempt is None:
                self.orphans.pop(pid, None)
            else:
                attempt.exited = True
                exited.append((attempt, status))
        if exited:
            self.adopt()
            for attempt, status in exited:
                left = self.left_of(attempt)
                self.reports.append((EXITED, attempt.id, status, 1 if left else 0))
                if left:
                    self.unsettled[attempt.id] = attempt
                else:
                    self.forget(attempt)
        return some

    def adopt(self) -> None:
        """Look which processes have come here, and whose they are."""
        if self.children < 0:
            return
        pids = os.pread(self.children, 65536, 0).split()
        if len(pids) == len(self.commands) + len(self.orphans):
            return  # the ones that are known
        for pid in map(int, pids):
            if pid in self.commands or pid in self.orphans:
                continue
            owners = self.owners_of(pid)
            self.orphans[pid] = Orphan(pid, owners)
            if not owners:
                _signal(pid, signal.SIGKILL)

    def owners_of(self, pid: int) -> set[int]:
        """The attempts that a process may belong to; none if it belongs to one that is over."""
        try:
            group = os.getpgid(pid)
            with open(f"/proc/{pid}/environ", "rb") as file:
                found = set(file.read(4 << 20).split(b"\0"))
        except OSError:  # it is about to end, or runs as somebody else
            group, found = 0, set()
        attempts = self.attempts.values()
        owners = {attempt.id for attempt in attempts if attempt.pid == group or attempt.started(found)}
        if not owners and os.fsencode(f"PIPE_RUN_ID={self.run}") not in found:
            return set(self.attempts)
        return owners

    def left_of(self, attempt: Attempt) -> bool:
        """Whether a process of the attempt is there beside its command; zombies that wait for us don't count."""
        if self.children >= 0:  # the first of what is left has come here, with its command dead
            return bool(self.orphans) and any(orphan.owners == {attempt.id} for orphan in self.orphans.values())
        try:
            os.killpg(attempt.pid, 0)
        except OSError:
            return False
        return True

    def end(self, number: int, grace: float) -> None:
        """TERM now, KILL after `grace` seconds, of all that there is of an attempt; and again until nothing is."""
        attempt = self.attempts.get(number)
        if attempt is None:
            return
        kill_at = time.monotonic() + grace
        if attempt.kill_at is None:
            self.adopt()
            if grace > 0:
                self.signal(attempt, signal.SIGTERM)
                self.signal(attempt, signal.SIGCONT)
            attempt.kill_at = kill_at
        attempt.kill_at = min(kill_at, attempt.kill_at)
        self.unsettled[number] = attempt
        if grace <= 0:
            self.signal(attempt, signal.SIGKILL)

    def proceed(self) -> None:
        """Tell of which attempts nothing is left, and go on ending what is to end."""
        self.adopt()
        now = time.monotonic()
        for attempt in list(self.unsettled.values()):
            if attempt.exited and not self.left_of(attempt):
                self.reports.append((GONE, attempt.id, 0, 0))
                self.forget(attempt)
            elif attempt.kill_at is not None and attempt.kill_at <= now:
                self.signal(attempt, signal.SIGKILL)

    def signal(self, attempt: Attempt, number: int) -> None:
        _signal_group(attempt.pid, number)
        for orphan in self.orphans.values():
            if orphan.owners == {attempt.id}:
                _signal(orphan.pid, number)

    def forget(self, attempt: Attempt) -> None:
        self.attempts.pop(attempt.id, None)
        self.unsettled.pop(attempt.id, None)
        for orphan in self.orphans.values():
            orphan.owners.discard(attempt.id)
            if not orphan.owners:
                _signal(orphan.pid, signal.SIGKILL)

    def end_all(self) -> None:
        """Leave no descendant behind: the runner is gone, or has no more use for this program."""
        self.socket.close()
        began = time.monotonic()
        polite = {attempt.id for attempt in self.attempts.values() if attempt.kill_at is None}
        for attempt in self.attempts.values():
            if attempt.kill_at is None:
                self.signal(attempt, signal.SIGTERM)
                self.signal(attempt, signal.SIGCONT)
        while self.reap():
            self.proceed()
            passed = time.monotonic() - began
            if passed >= LAST_GRACE or polite.isdisjoint(self.attempts):
                pids = _descendants(os.getpid()) if self.children >= 0 else list(self.commands)
                killable = [pid for pid in pids if _signal(pid, signal.SIGKILL)]
                for attempt in self.attempts.values():
                    _signal_group(attempt.pid, signal.SIGKILL)
                if passed >= LAST_GRACE + 2 and (not killable or passed >= PATIENCE):
                    return
            select.select([self.woken], [], [], AGAIN)


def _find(program: str, env: dict[str, str]) -> str:
    """The file to execute; raises FileNotFoundError, or PermissionError when there are only ones that can't be."""
    if "/" in program:
        return program
    forbidden = False
    for folder in env.get("PATH", _SEARCH_PATH).split(":"):
        path = os.path.join(folder or ".", program)
        if os.access(path, os.X_OK) and not os.path.isdir(path):
            return path
        forbidden = forbidden or os.path.isfile(path)
    raise PermissionError(13, "") if forbidden else FileNotFoundError(2, "")


def _signal_group(pid: int, number: int) -> None:
    try:
        os.killpg(pid, number)
    except OSError:
        pass


def _signal(pid: int, number: int) -> bool:
    """Signal a child of ours, with its group where it leads one; False when that is not allowed."""
    try:
        if os.getpgid(pid) == pid:
            os.killpg(pid, number)
        else:
            os.kill(pid, number)
    except PermissionError:
        return False
    except OSError:
        pass
    return True


def _descendants(pid: int) -> list[int]:
    found: list[int] = []
    pending = [pid]
    while pending:
        parent = pending.pop()
        try:
            threads = os.listdir(f"/proc/{parent}/task")
        except OSError:
            continue
        for thread in threads:
            try:
                with open(f"/proc/{parent}/task/{thread}/children", "rb") as file:
                    children = [int(word) for word in file.read().split()]
            except OSError:
                continue
            found += children
            pending += children
    return found


def _become_subreaper() -> None:
    """Let descendants whose parent ends become ours, where the system can do that (Linux)."""
    if not sys.platform.startswith("linux"):
        return
    import _ctypes  # `ctypes` around it takes longer to import than all of the rest

    try:
        address = _ctypes.dlsym(_ctypes.dlopen(None, 0), "prctl")  # type: ignore[arg-type]
        _ctypes.call_function(address, (_SUBREAPER, 1, 0, 0, 0))
    except (AttributeError, OSError):
        import ctypes

        ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)


def main(fd: int, lock: int) -> None:
    """Serve over the socket `fd`; `lock` is held, by being open, until nothing is left."""
    for ignored in _IGNORED:
        signal.signal(ignored, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for number in (fd, lock):
        os.set_inheritable(number, False)
    _become_subreaper()
    warden = Warden(fd)
    try:
        warden.watch()
    except Exception:
        import traceback

        warden.reports = [(BROKEN, 0, 0, traceback.format_exc())]
        warden.report()
    finally:
        warden.end_all()
        os._exit(0)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
