"""Watches over the processes of a run: a program of its own, started as the run's first deed.

It is the parent of every command, reaps everything, and ends every descendant when the runner's end shows as the end of
its socket, even after kill -9. One thread, no user code, and few imports: it must be there before the first command is.
"""

from __future__ import annotations

import os
import select
import struct
import time

from pipe_runner.executors.bell import hang
from pipe_runner.executors.family import AGAIN, Attempt, Family, become_subreaper
from pipe_runner.executors.pipes import Pipes
from pipe_runner.executors.protocol import (
    EXITED,
    FAILED,
    GONE,
    GUARD,
    IN_EXEC,
    IN_FOLDER,
    IN_PIPES,
    IN_SEARCH,
    KIN,
    LATER,
    LEFT,
    MARKS,
    PAUSE,
    PIPES,
    SPAWN,
    TABLE,
    TAKE,
    Frames,
    frame,
    hang_up,
)
from pipe_runner.prctl import signal_with_parent

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    import socket

    from pipe_runner.executors.guard import Guard
    from pipe_runner.executors.overdue import Overdue
    from pipe_runner.executors.protocol import Report
    from pipe_runner.executors.relatives import Relatives
else:  # the parts in C alone: starting takes half the time
    import _signal as signal
    import _socket as socket

LAST_GRACE = 1.0
"""Seconds between TERM and KILL when the runner is dead; all is over within five, also on a machine that hangs (X2)."""
PATIENCE = 60.0
"""Seconds for processes that the system doesn't end although they were killed."""

_IGNORED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGPIPE, signal.SIGTSTP)
_RESET = tuple(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP})
"""Commands start with all signals as they are by default, whatever started the runner ignored. Also those that nobody
uses: of each that isn't named the C library asks first, 31 system calls more for each command."""
_SEARCH_PATH = "/usr/local/bin:/usr/bin:/bin"
_CLOEXEC = getattr(socket, "MSG_CMSG_CLOEXEC", 0)


class Warden:
    """The loop, and what goes over the socket."""

    def __init__(self, fd: int) -> None:
        self.runner = os.getppid()
        self.guard: Guard | None = None
        self.relatives: Relatives | None = None
        self.starts = -1
        """What tells that the runner is about to start a process by itself."""
        self.overdue: Overdue | None = None
        self.family = Family()
        self.socket = socket.socket(fileno=fd)
        self.socket.setblocking(False)
        self.pipes = Pipes()
        self.marks: dict[str, str] = {}
        self.reports: list[Report] = []
        self.unsent: list[tuple[bytes | memoryview, list[int]]] = []
        """Frames, each with the descriptors that go with it."""
        self.full = False
        """The system has no room for them, whatever there is in the socket."""
        self.frames = Frames()
        self.fds: list[int] = []
        self.null = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
        self.woken = hang()

    def watch(self) -> None:
        """Serve the runner until its end of the socket is closed."""
        family = self.family
        self.send([])  # "here I am"
        of_socket, of_signals = self.socket.fileno(), self.woken
        self.poll = poll = select.poll()
        poll.register(of_signals, select.POLLIN)
        poll.register(of_socket, select.POLLIN)
        waits = False
        while True:
            seconds = family.wait() if family.unsettled else None
            if self.guard is not None:
                seconds = _sooner(seconds, self.guard.wait())
            if self.relatives is not None:
                seconds = _sooner(seconds, self.relatives.wait())
            if self.full:
                seconds = _sooner(seconds, PAUSE)
            if waits != (bool(self.unsent) and not self.full):
                waits = not waits
                poll.modify(of_socket, select.POLLIN | (select.POLLOUT if waits else 0))
            events = poll.poll(None if seconds is None else seconds * 1000 + 1)
            has_come = False
            for fd, event in events:
                if fd == of_signals:
                    os.read(of_signals, 256)
                    self.reap()
                elif self.guard is not None and fd == self.guard.fd:
                    self.hear()
                elif fd == self.starts:
                    self.hear_start()
                elif event & ~select.POLLOUT:
                    has_come = True
            if self.guard is not None:
                self.guard.act()
            if self.relatives is not None and self.relatives.look() and self.overdue is not None:
                self.overdue.look()
            if family.unsettled:
                self.reports += [(GONE, attempt.id, 0, 0) for attempt in family.proceed()]
            if self.reports or self.unsent:
                self.report()
            if has_come and not self.receive():
                return

    def reap(self) -> bool:
        """Take every exit that there is, and tell those of commands; False when no child is left."""
        exited, some = self.family.reap()
        if exited:
            when = time.monotonic()
            if some:  # without children there are no orphans
                self.family.look()
            for attempt, status in exited:
                self.pipes.read(attempt.id, self.reports)
                self.reports.append((EXITED if self.family.settle(attempt) else LEFT, attempt.id, status, when))
        return some

    def receive(self) -> bool:
        """Take what the runner sent; False when it has closed its end."""
        try:
            data, ancillary, _, _ = self.socket.recvmsg(16384, 64, _CLOEXEC)
        except BlockingIOError:
            return True
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
        looked = False
        for message in self.frames.take(data):
            if message[0] == SPAWN:
                self.spawn(*message[1:])
            elif message[0] == GUARD:
                self.watch_signals(message[1])
            elif message[0] == KIN:
                self.watch_relatives(message[1])
            elif message[0] == TABLE:
                self.watch_limits(*message[1:])
            elif message[0] == TAKE:
                self.hand_over(message[1])
            elif message[0] == MARKS:
                self.marks = message[1]
            elif (attempt := self.family.attempts.get(message[1])) is not None:
                if not looked:  # once for all that came together
                    self.family.adopt()
                    looked = True
                self.family.end(attempt, message[2])
        return True

    def watch_signals(self, grace: float) -> None:
        """See from now on whether the runner takes notice of signals, of which the pipe tells that came with this."""
        from pipe_runner.executors.guard import Guard

        self.guard = Guard(self.fds.pop(0), grace, self.runner)
        self.poll.register(self.guard.fd, select.POLLIN)

    def watch_relatives(self, since: int) -> None:
        """Remember from now on what the runner itself has started."""
        from pipe_runner.executors.relatives import Relatives

        self.relatives = Relatives(self.runner, since)
        self.starts = self.fds.pop(0)
        os.set_blocking(self.starts, False)
        self.poll.register(self.starts, select.POLLIN)

    def watch_limits(self, folder: str, go_on: str) -> None:
        """See from now on whether the runner holds the limits of the table that came with this."""
        from pipe_runner.executors.overdue import Overdue

        self.overdue = Overdue(self.fds.pop(0), folder, self.fds.pop(0), self.runner, go_on)

    def hear(self) -> None:
        if self.guard is not None and not self.guard.read():
            self.poll.unregister(self.guard.fd)
            os.close(self.guard.fd)
            self.guard = None

    def hear_start(self) -> None:
        if not os.read(self.starts, 4096):
            self.poll.unregister(self.starts)
            os.close(self.starts)
            self.starts = -1
        elif self.relatives is not None:
            self.relatives.hurry()

    def report(self) -> None:
        """Send what there is to tell, as far as it goes without waiting."""
        if self.reports:
            reports, self.reports = self.reports, []
            self.send(reports)
        else:
            self.flush()

    def send(self, reports: list[Report], fds: list[int] | None = None) -> None:
        self.unsent.append((frame(reports), fds or []))
        self.flush()

    def flush(self) -> None:
        self.full = False
        while self.unsent:
            data, fds = self.unsent[0]
            try:
                if fds:
                    packed = struct.pack(f"{len(fds)}i", *fds)
                    beside = ((socket.SOL_SOCKET, socket.SCM_RIGHTS, packed),)
                    sent = self.socket.sendmsg((data,), beside)
                else:
                    sent = self.socket.send(data)
            except OSError as error:
                self.full = error.errno in LATER
                if self.full or isinstance(error, BlockingIOError):
                    return
                sent = len(data)  # the runner is gone, or loses us now; the next look at the socket tells
                hang_up(self.socket)
            for fd in fds:
                os.close(fd)
            if sent < len(data):
                self.unsent[0] = (memoryview(data)[sent:], [])
            else:
                del self.unsent[0]

    def hand_over(self, number: int) -> None:
        """Let the runner read what a command prints; an answer in any case, after what was told of it so far."""
        self.report()
        streams, fds = self.pipes.hand_over(number)
        self.send([(PIPES, number, streams, 0)], fds)

    def spawn(
        self, number: int, argv: list[str], env: dict[str, str], cwd: str, node: str, attempt: str, count: int
    ) -> None:
        """Start a command, which leads a process group, and has no descriptors but stdin, stdout and stderr.

        `count` descriptors have come with it: stdout and stderr, where the runner reads them itself, and stdin.
        """
        fds, self.fds = self.fds[:count], self.fds[count:]
        env.update(self.marks)
        env["PIPE_NODE"], env["PIPE_ATTEMPT"] = node, attempt
        stage = IN_PIPES
        try:
            if count < 2:
                fds = self.pipes.make(number) + fds
            stage = IN_FOLDER
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
                    (os.POSIX_SPAWN_DUP2, fds[2] if len(fds) == 3 else self.null, 0),
                    (os.POSIX_SPAWN_DUP2, fds[0], 1),
                    (os.POSIX_SPAWN_DUP2, fds[1], 2),
                ),
                setpgroup=0,
                setsigmask=(),
                setsigdef=_RESET,
            )
            self.family.add(number, pid, env)
        except OSError as error:
            if stage == IN_EXEC and error.errno == 2 and not os.path.lexists(program):
                stage = IN_SEARCH
            self.failed(number, error.errno or 0, stage)
        except ValueError:  # a NUL, a name with "=" in it, half of a surrogate pair
            self.failed(number, 0, stage)
        for fd in fds:
            os.close(fd)
        if self.reports:
            self.report()

    def failed(self, number: int, why: int, stage: int) -> None:
        self.pipes.drop(number)
        self.reports.append((FAILED, number, why, stage))

    def end_all(self) -> None:
        """Leave no descendant behind: the runner is gone, or has no more use for this program."""
        family = self.family
        began = time.monotonic()
        asked: list[Attempt] = [attempt for attempt in family.attempts.values() if attempt.kill_at is None]
        family.adopt()
        for attempt in asked:
            family.end(attempt, LAST_GRACE)
        while self.reap():
            family.proceed()
            passed = time.monotonic() - began
            if passed >= LAST_GRACE or not any(attempt.id in family.attempts for attempt in asked):
                # At once and again: one that starts another and exits is hit only by chance.
                give_up = time.monotonic() + AGAIN
                some = family.kill_all()
                while self.reap() and time.monotonic() < give_up:
                    some = family.kill_all() or some
                if passed >= LAST_GRACE + 2 and (not some or passed >= PATIENCE):
                    return
            if select.select([self.woken], [], [], AGAIN)[0]:
                os.read(self.woken, 4096)  # else the next wait would be none


def _sooner(one: float | None, other: float | None) -> float | None:
    return one if other is None else other if one is None else min(one, other)


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


def main(fd: int, lock: int, sweep: list[str]) -> None:
    """Serve over the socket `fd`; `lock` is held, by being open, until nothing is left. Doesn't return.

    `sweep`: marks by which processes are looked for at the end that the runner's own functions started.
    """
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for inherited in (fd, lock):
        os.set_inheritable(inherited, False)
    os.closerange(max(fd, lock) + 1, os.sysconf("SC_OPEN_MAX"))
    become_subreaper()
    signal_with_parent(signal.SIGCONT, fd)  # else what it watches over would stay if it is stopped then
    warden = Warden(fd)
    try:
        warden.watch()
    finally:
        if warden.overdue is not None:
            warden.overdue.let_go()
        if warden.relatives is not None:
            warden.relatives.look(now=True)
        warden.end_all()
        if warden.relatives is not None:
            warden.relatives.end()
        if sweep:
            from pipe_runner.executors.leftovers import end_marked

            end_marked(dict(mark.split("=", 1) for mark in sweep))
        os._exit(0)
