"""Knows which process belongs to which attempt, and ends those that are to end; part of the warden's program.

The warden is the parent of every command and, on Linux, a subreaper: a process that has lost its parent becomes its
child (here: an orphan). So what is left of a command that has exited is below an orphan, and nowhere else. An orphan
belongs to the attempt of its process group, or of PIPE_NODE and PIPE_ATTEMPT in its environment. One that shows neither
is ended with the last of the attempts that ran when it was found. Where there is no /proc (macOS), there are no
orphans, and process groups are ended; what has left its group is looked for at the warden's end (`leftovers.py`).
"""

from __future__ import annotations

import os
import time

from pipe_runner.prctl import prctl

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
else:  # the part in C alone: starting the warden takes half the time
    import _signal as signal

_COMPANIONS = (
    b"from pipe_runner.executors.warden import main",
    b"from pipe_runner.runlog.syncer import main",
)
"""One of these stands in the command line of each, and of no program that has to do with such a file."""
AGAIN = 0.02
"""Seconds between two looks at what doesn't end at once."""
RARELY = 1.0
"""Seconds between two tries to kill what doesn't end in spite of it."""
_SUBREAPER = 36
_MUCH = 1 << 20
_PAGE = 4000
"""Bytes from which there may be more of a list in /proc: one read gives a page of it, whatever it is asked for."""


class Attempt:
    """A command that was started, until nothing is left of it."""

    __slots__ = ("env", "exited", "id", "kill_at", "marks", "pause", "pid")

    def __init__(self, number: int, pid: int, env: dict[str, str]) -> None:
        self.id, self.pid, self.env = number, pid, env
        self.exited = False
        """And its exit status was taken: `pid` may be another's."""
        self.kill_at: float | None = None
        """When it is killed next; None: it isn't to be ended."""
        self.pause = AGAIN
        self.marks: frozenset[bytes] = frozenset()
        """What the environment of its processes has, once that was asked."""

    def started(self, environment: set[bytes]) -> bool:
        """Whether a process with this environment comes from the command."""
        if not self.marks:
            names = ("PIPE_RUN_ID", "PIPE_NODE", "PIPE_ATTEMPT")
            self.marks = frozenset([os.fsencode(f"{name}={self.env[name]}") for name in names])
        return self.marks <= environment


class Family:
    """The processes of a run."""

    def __init__(self) -> None:
        self.attempts: dict[int, Attempt] = {}
        self.commands: dict[int, Attempt] = {}
        """By pid, those that have not exited."""
        self.orphans: dict[int, set[int]] = {}
        """By pid: the ids of the attempts that it may belong to; none when it is not worth waiting for."""
        self.unsettled: dict[int, Attempt] = {}
        """Those that are to be ended, and those whose command has exited and left something."""
        self.run = ""
        self._list = _open_list(os.getpid())
        self._sees_orphans = self._list >= 0 or shows_us()

    def add(self, number: int, pid: int, env: dict[str, str]) -> None:
        self.run = env["PIPE_RUN_ID"]
        self.attempts[number] = self.commands[pid] = Attempt(number, pid, env)

    def reap(self) -> tuple[list[tuple[Attempt, int]], bool]:
        """Take every exit that there is: those of commands, with their wait status; and whether a child is left, or,
        where orphans don't become children, a group whose leader has exited."""
        exited: list[tuple[Attempt, int]] = []
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return exited, not self._sees_orphans and any(each.exited for each in self.unsettled.values())
            if pid == 0:
                break
            attempt = self.commands.pop(pid, None)
            if attempt is None:
                self.orphans.pop(pid, None)
            else:
                attempt.exited = True
                exited.append((attempt, status))
        return exited, True

    def look(self) -> None:
        """Look which processes have become orphans, and whose they all are: before those that have exited are settled,
        once for all of them."""
        self.adopt()
        self._look_again()

    def adopt(self) -> None:
        """Look which processes have become orphans, and whose they are."""
        pids = self.children()
        if len(pids) == len(self.commands) + len(self.orphans):
            return  # the ones that are known
        for pid in map(int, pids):
            if pid in self.commands or pid in self.orphans:
                continue
            owners = self._owners(pid)
            self.orphans[pid] = owners
            if not owners:
                send(pid, signal.SIGKILL)
            elif len(owners) == 1 and self.attempts[min(owners)].kill_at is not None:
                send(pid, signal.SIGTERM)

    def settle(self, attempt: Attempt) -> bool:
        """Forget an attempt whose command has exited if nothing is left of it; otherwise keep an eye on it."""
        if self._left(attempt):
            self.unsettled[attempt.id] = attempt
            return False
        self.attempts.pop(attempt.id, None)
        self.unsettled.pop(attempt.id, None)
        for pid, owners in self.orphans.items():
            if attempt.id in owners:
                owners.discard(attempt.id)
                if not owners:
                    send(pid, signal.SIGKILL)
        return True

    def end(self, attempt: Attempt, grace: float) -> None:
        """TERM now, KILL after `grace` seconds, of all that there is of an attempt; KILL again until nothing is. Whose
        orphans are is what the last `adopt` has found."""
        now = time.monotonic()
        if attempt.kill_at is None:
            attempt.kill_at = now + grace
            self.unsettled[attempt.id] = attempt
            if grace > 0:
                self._send(attempt, signal.SIGTERM)
                self._send(attempt, signal.SIGCONT)
        attempt.kill_at = min(now + grace, attempt.kill_at)

    def proceed(self) -> list[Attempt]:
        """Go on ending what is to end; gives the attempts of which nothing is left any more."""
        self.look()
        now = time.monotonic()
        gone = []
        for attempt in list(self.unsettled.values()):
            if attempt.exited and self.settle(attempt):
                gone.append(attempt)
            elif attempt.kill_at is not None and attempt.kill_at <= now:
                self._send(attempt, signal.SIGKILL)
                attempt.kill_at = now + attempt.pause
                attempt.pause = min(attempt.pause * 1.5, RARELY)
        return gone

    def wait(self) -> float | None:
        """Seconds until there is something to do that no signal tells."""
        times = [attempt.kill_at for attempt in self.unsettled.values() if attempt.kill_at is not None]
        return max(0.0, min(times) - time.monotonic()) if times else None

    def kill_all(self) -> bool:
        """Kill every descendant that can be found; False when there is none that we may kill."""
        some = False
        for pid in map(int, self.children()):
            some = send(pid, signal.SIGKILL) or some
        for pid in below(os.getpid()):
            some = send(pid, signal.SIGKILL) or some
        if not self._sees_orphans:
            for attempt in self.attempts.values():
                some = self._left(attempt) or some
                send_group(attempt.pid, signal.SIGKILL)
        return some

    def children(self) -> list[bytes]:
        """The pids of our children, zombies too; only what the system tells."""
        if self._list >= 0:
            found = text = os.pread(self._list, _MUCH, 0)
            while len(text) >= _PAGE:
                text = os.pread(self._list, _MUCH, len(found))
                found += text
            return found.split()
        if not self._sees_orphans:
            return [b"%d" % pid for pid in self.commands]
        us = b"%d" % os.getpid()
        names = [name for name in os.listdir("/proc") if name.isdigit()]
        return [name.encode() for name in names if stat_words(f"/proc/{name}/stat")[1:2] == [us]]

    def _owners(self, pid: int) -> set[int]:
        """The attempts that an orphan may belong to; none if it belongs to one that is over."""
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

    def _look_again(self) -> None:
        """An orphan that was just becoming another program showed no environment: it may show whose it is now."""
        for pid, owners in self.orphans.items():
            if len(owners) > 1:
                owners &= self._owners(pid)
                if not owners:
                    send(pid, signal.SIGKILL)

    def _left(self, attempt: Attempt) -> bool:
        if self._sees_orphans:
            return bool(self.orphans) and {attempt.id} in self.orphans.values()
        try:
            os.killpg(attempt.pid, 0)
        except OSError:
            return False
        return True

    def _send(self, attempt: Attempt, number: int) -> None:
        if not attempt.exited or not self._sees_orphans:
            send_group(attempt.pid, number)
        for pid, owners in self.orphans.items():
            if owners == {attempt.id} and not send(pid, number, attempt.pid):
                owners.clear()


def send(pid: int, number: int, group: int = 0) -> bool:
    """Signal a child of ours; with its group where it leads one, or is in `group`. False when that is not allowed."""
    try:
        of_child = os.getpgid(pid)
        if of_child in (pid, group):
            os.killpg(of_child, number)
        else:
            os.kill(pid, number)
    except PermissionError:
        return False
    except OSError:
        pass
    return True


def send_group(group: int, number: int) -> None:
    try:
        os.killpg(group, number)
    except OSError:
        pass


def is_companion(command: bytes) -> bool:
    """Whether this is the command line of a process of ours (`companions`), which ends by itself when its runner does,
    with all that it has started."""
    return any(one in command for one in _COMPANIONS)


def become_subreaper() -> None:
    """Let descendants whose parent ends become our children, where the system can do that."""
    prctl(_SUBREAPER, 1)


def shows_us() -> bool:
    """Whether /proc is there and calls this process what it calls itself. One that was mounted in another namespace of
    processes (`unshare -p`, a container that sees its host's) has other processes under the numbers that we know."""
    try:
        return os.readlink("/proc/self") == str(os.getpid())
    except OSError:
        return False


def _open_list(pid: int) -> int:
    if not shows_us():
        return -1
    try:
        return os.open(f"/proc/{pid}/task/{pid}/children", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return -1


def stat_words(path: str) -> list[bytes]:
    """What a `stat` file of /proc says behind the name of the program, the state first; nothing when it has ended."""
    if not shows_us():
        return []
    try:
        with open(path, "rb") as file:
            return file.read().rpartition(b")")[2].split()
    except OSError:
        return []


def children_of(pid: int) -> list[int]:
    """The children of all threads of a process, zombies too; none where the system doesn't tell."""
    found: list[int] = []
    if not shows_us():
        return found
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return found
    for thread in threads:
        try:
            with open(f"/proc/{pid}/task/{thread}/children", "rb") as file:
                found += map(int, file.read().split())
        except OSError:
            continue
    return found


def below(pid: int) -> list[int]:
    """All descendants of a process that the system tells."""
    found: list[int] = []
    pending = [pid]
    while pending:
        children = children_of(pending.pop())
        found += children
        pending += children
    return found
