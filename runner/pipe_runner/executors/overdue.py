"""Ends a runner whose functions keep it from holding their time limits; part of the warden.

The runner's event loop keeps all limits. It stands still while C code in any thread never gives the interpreter back,
or a function that is called on it never ends. So the runner keeps a table in memory that both see (`timetable.py`):
which functions are under way, and until when. Whose C code it is that holds the interpreter, nobody tells: it is the
thread that uses the processor while all others wait, or on a machine with much else to do wants to.
"""

from __future__ import annotations

import os
import time
from math import inf
from struct import Struct
from typing import Final, NamedTuple

from pipe_runner.executors.family import stat_words

HEAD: Final = Struct("ddq")
"""When Python last ran in the runner; when the run's time is up; the number of the slot whose function holds up the
event loop, from 1. Zero is none, and never."""
SLOT: Final = Struct("ddqqq216s")
"""When an attempt's time is up (0: the slot is free; inf: never), how long its limit is, its thread's native id (0 is
the loop's), its number, and its node's id after that id's length."""
SIZE: Final = SLOT.size
ROOM: Final = 216
BEAT: Final = 0.25
"""Seconds between two signs that Python runs."""
MARGIN: Final = 2.0
"""Seconds that a limit is overdue, and that no sign of life has come, when the runner is ended."""
SURE: Final = 6.0
"""Seconds that are looked at where several functions may be at fault."""
OVERRUN: Final = "overrun.json"
"""What is left for a resume, in the run's directory: `{node, attempt, kind, message, duration_s}`."""
_PAUSE: Final = 0.7
"""Seconds between two looks from which on the machine, and not the runner, has stood still."""
_SHARE: Final = 0.1
"""Of a processor: what the thread that holds the interpreter uses at least, and those that wait for it don't."""
_READY: Final = 0.9
"""Of the looks: at how many such a thread runs or is ready to, however little of a processor it gets. Those that wait
for the interpreter sleep in between."""
_LOOKS: Final = 10
"""The last ones, which count."""
_NEAR: Final = 3.0
"""How many times what it uses the one that holds the interpreter may use at most, of two that are ready so long."""
_ROOM: Final = 200
"""Characters of a node's id that are told."""


class Entry(NamedTuple):
    """A function that is under way."""

    until: float
    limit: float
    thread: int
    attempt: int
    node: str
    whole: bool
    """Its id stands there to its end."""


class Thread(NamedTuple):
    """Seconds that a thread was on a processor so far, and whether it is there, or ready for one."""

    used: float
    ready: bool


class Overdue:
    """`fd` is the table, `folder` the run's directory (empty: nobody resumes it), `stderr` where the user reads,
    `runner` the process, `go_on` the command that goes on with the run."""

    def __init__(self, fd: int, folder: str, stderr: int, runner: int, go_on: str = "") -> None:
        self._go_on = go_on
        self._fd, self._folder, self._stderr, self._runner = fd, folder, stderr, runner
        self._since: float | None = None
        """Since when something is overdue of which the runner takes no notice."""
        self._last = time.monotonic()
        self._blocked = 0
        self._ended = False
        self._ready: list[set[int]] = []
        """The threads that were ready to run, at each of the last looks since then."""
        self._used: dict[int, float] = {}
        """Processor time of the runner's threads at that moment."""

    def look(self) -> None:
        """See whether a limit has passed that the runner can't hold; end it if it has had its time."""
        now = time.monotonic()
        late, self._last = now - self._last > _PAUSE, now
        beat, until, blocked = HEAD.unpack(os.pread(self._fd, HEAD.size, 0))
        moves = now - beat < 4 * BEAT and (not blocked or blocked != self._blocked)
        self._blocked = blocked
        if not beat or moves or late or _is_stopped(self._runner):
            self._since = None
            return
        entries = self._entries()
        limits = [entry.until for entry in entries.values()]
        if until:
            limits.append(until)
        if not limits or min(limits) > now:
            self._since = None
        elif self._since is None:
            self._since, self._ready = now, []
            self._used = {thread: one.used for thread, one in _threads(self._runner).items()}
        else:
            ready = {thread for thread, one in _threads(self._runner).items() if one.ready}
            self._ready = [*self._ready[1 - _LOOKS :], ready]
            if now - self._since >= MARGIN and (blocked or now - beat >= MARGIN):
                self._decide(now, entries, until, blocked)

    def let_go(self) -> None:
        """The runner is gone: whoever reads its stderr waits for nothing of ours."""
        if self._stderr >= 0:
            os.close(self._stderr)
            self._stderr = -1

    def _decide(self, now: float, entries: dict[int, Entry], until: float, blocked: int) -> None:
        """End the runner if the limit that has passed is the one of the function at fault, or the run's."""
        assert self._since is not None
        suspects = self._suspects(now - self._since, entries, blocked)
        if len(suspects) > 1 and now - self._since < SURE:
            return
        own = bool(suspects) and all(entry.until <= now - MARGIN for entry in suspects)
        if not own and not 0.0 < until <= now - MARGIN:
            return  # other limits are held late, since this function may take as long as it does
        beat = HEAD.unpack(os.pread(self._fd, HEAD.size, 0))[0]
        if (beat > self._last - MARGIN and not blocked) or os.getppid() != self._runner:
            return  # it goes on after all
        from pipe_runner.executors.guard import end

        if not self._ended:  # it is told once, though a process that gets no processor may take seconds to end
            if self._folder and len(suspects) == 1 and suspects[0].whole:
                self._leave_word(suspects[0], now, of_run=not own)
            self._say(suspects, of_run=not own)
        self._ended = True
        end(self._runner)
        self._since = None

    def _suspects(self, seconds: float, entries: dict[int, Entry], blocked: int) -> list[Entry]:
        """Of the functions that are under way those that may be at fault; one, where that can be known."""
        if blocked in entries:
            return [entries[blocked]]
        from collections import Counter

        found = list(entries.values())
        used = {each: one.used - self._used.get(each, 0.0) for each, one in _threads(self._runner).items()}
        busy = {thread for thread, one in used.items() if one >= _SHARE * seconds}
        if not busy and self._ready:
            times = Counter(thread for ready in self._ready for thread in ready if thread != self._runner)
            least = _READY * len(self._ready)
            ready = {thread: used.get(thread, 0.0) for thread, looks in times.items() if looks >= least}
            busy = {thread for thread, one in ready.items() if one >= max(ready.values()) / _NEAR}
        named = {0 if thread == self._runner else thread for thread in busy}
        return [entry for entry in found if entry.thread in named] if named else found

    def _entries(self) -> dict[int, Entry]:
        data = os.pread(self._fd, os.fstat(self._fd).st_size, 0)
        found = {}
        for number in range(1, len(data) // SIZE):
            until, limit, thread, attempt, length, node = SLOT.unpack_from(data, number * SIZE)
            if until:
                text = node[:length].decode("utf-8", "ignore")
                found[number] = Entry(until, limit, thread, attempt, text, length <= ROOM)
        return found

    def _leave_word(self, suspect: Entry, now: float, *, of_run: bool) -> None:
        """Write down how the attempt ended: the runner can't, and what resumes the run puts it into the log."""
        import json

        word = {
            "node": suspect.node,
            "attempt": suspect.attempt,
            "kind": "run_timeout" if of_run else "timeout",
            "message": f"{self._passed([suspect], of_run=of_run)}, and the function had not given the interpreter "
            "back: the runner was ended",
        }
        if suspect.limit != inf:
            word["duration_s"] = round(now - suspect.until + suspect.limit, 6)
        path = os.path.join(self._folder, OVERRUN)
        try:
            with open(f"{path}.new", "w", encoding="ascii") as file:
                json.dump(word, file)
            os.replace(f"{path}.new", path)
        except OSError:
            pass  # it is interrupted then, as every attempt of a runner that was killed

    @staticmethod
    def _passed(suspects: list[Entry], *, of_run: bool) -> str:
        if of_run:
            return "the run's max_time has passed"
        if len(suspects) > 1:
            return "their time limits have passed"
        if suspects[0].limit == inf:
            return "the run was stopped, the grace has passed"
        return f"its limit of {suspects[0].limit:g} s has passed"

    def _say(self, suspects: list[Entry], *, of_run: bool) -> None:
        """A sentence for people, as far as it can be written at once: nobody may be reading."""
        import select

        from pipe_runner.text import ci_safe, printable

        if self._stderr < 0:
            return
        names = ", ".join(printable(entry.node[:_ROOM]) for entry in suspects[:3])
        which = f"node {names}"
        if not suspects:
            which = "a function that was left behind"
        elif len(suspects) > 1:
            which = f"one of the nodes {names}" + (f" and {len(suspects) - 3} more" if len(suspects) > 3 else "")
        text = ci_safe(
            f"error: {which}: {self._passed(suspects, of_run=of_run)}, and the function has not given the interpreter "
            "back: nothing else can go on, so the runner is ended\n"
            "hint: a function that computes in C can't be stopped: run it as a command, `argv: [python, …]`"
        )
        if self._folder and self._go_on:
            text += f"; `{self._go_on}` goes on with the run"
        if os.isatty(self._stderr):
            text = f"\x1b[?25h\n{text}"
        text += "\n"
        poll = select.poll()
        poll.register(self._stderr, select.POLLOUT)
        try:
            if poll.poll(100):
                os.write(self._stderr, text.encode()[: select.PIPE_BUF])
        except OSError:
            pass


def _threads(pid: int) -> dict[int, Thread]:
    """The threads of a process, by their native ids."""
    found: dict[int, Thread] = {}
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return found
    each = os.sysconf("SC_CLK_TCK")
    for thread in threads:
        words = stat_words(f"/proc/{pid}/task/{thread}/stat")
        if words:
            ticks = (int(words[11]) + int(words[12])) / each
            found[int(thread)] = Thread(max(ticks, _ran(f"/proc/{pid}/task/{thread}/schedstat")), words[0] == b"R")
    return found


def _ran(path: str) -> float:
    """Seconds that a thread ran, to the nanosecond where the system says it."""
    try:
        with open(path, "rb") as file:
            return int(file.read().split()[0]) / 1e9
    except (OSError, ValueError, IndexError):
        return 0.0


def _is_stopped(pid: int) -> bool:
    """Somebody has stopped the process (Ctrl-Z, a debugger): it has no time to act."""
    words = stat_words(f"/proc/{pid}/stat")
    return bool(words) and words[0] in (b"T", b"t")
