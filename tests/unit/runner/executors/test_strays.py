"""What is printed beside a run of functions, where the system has no more room."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from pipe_runner.executors.own import Whole

NO_THREAD = """
import asyncio, os, threading
from pipe_runner.executors.strays import Strays
from pipe_runner.masking import NoMasking

def refuse(self):
    raise RuntimeError("can't start new thread")

async def main():
    strays = Strays(NoMasking())
    strays.take()
    threading.Thread.start = refuse
    os.write(1, b"stray\\n")
    await asyncio.sleep(0.05)
    strays.close()
    print("closed")

asyncio.run(main())
"""


FULL = """
import asyncio, os, resource
from pipe_runner.errors import NodeFault
from pipe_runner.executors.strays import Strays
from pipe_runner.masking import NoMasking

async def main():
    strays = Strays(NoMasking())
    resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))
    held = []
    try:
        while True:
            held.append(os.open("/dev/null", os.O_RDONLY))
    except OSError:
        os.close(held.pop())
    try:
        strays.take()
    except NodeFault as fault:
        print(fault.kind, fault.message)

asyncio.run(main())
"""
MUCH = """
import asyncio, os
from pipe_runner.executors.strays import Strays
from pipe_runner.masking import SecretMasker

async def main():
    strays = Strays(SecretMasker({"S": "hunter2-secret"}))
    strays.take()
    said = []
    for name in ("one", "two"):
        strays.running[name] = lambda kind, data: said.append(data["text"])
        for number in (1, 2):
            os.write(number, b"a line with hunter2-secret\\n" * 200_000)
        strays.leave(name, 1.0)
    await asyncio.sleep(0.3)
    strays.close()
    text = "".join(said)
    print(len(text), set(text.splitlines()[:-1]))

asyncio.run(main())
"""

SMALL = """
import fcntl
change = fcntl.fcntl
def refuse(fd, what, *more):
    if what == 1031:
        raise PermissionError
    return change(fd, what, *more)
fcntl.fcntl = refuse
import os
pipe = os.pipe
def small():
    fds = pipe()
    change(fds[1], 1031, 4096)
    return fds
os.pipe = small
"""
ENDLESS = """
import asyncio, os
from pipe_runner.executors.strays import Strays, _Pipe
from pipe_runner.masking import NoMasking

async def main():
    strays = Strays(NoMasking())
    strays.take()
    _Pipe._take = lambda self: b"y" * 65_536  # whoever writes is as quick as whoever reads
    os.write(1, b"y" * 600_000)
    await asyncio.sleep(0.3)
    strays.close()
    print("closed")

asyncio.run(main())
"""


def test_words_that_no_thread_can_tell_are_told_at_the_end() -> None:
    done = subprocess.run([sys.executable, "-c", NO_THREAD], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("closed\n", "functions: stray\n")


def test_a_stream_that_takes_nothing_now_is_an_error_for_who_prints() -> None:
    fd, write = os.pipe()
    os.set_blocking(write, False)
    try:
        with pytest.raises(BlockingIOError):
            Whole(write, "w", closefd=False).write(b"x" * 2_000_000)
    finally:
        os.close(fd)
        os.close(write)


def test_who_holds_the_loop_may_write_more_than_a_pipe_holds() -> None:
    done = subprocess.run([sys.executable, "-c", MUCH], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("131072 {'a line with ***'}\n", "")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="sets the size of pipes")
def test_so_may_who_gets_small_pipes_since_they_have_many() -> None:
    code = SMALL + MUCH.replace("200_000", "1_000")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)
    assert done.stdout == "64000 {'a line with ***'}\n"


def test_who_writes_without_end_holds_up_neither_the_loop_nor_the_end() -> None:
    done = subprocess.run([sys.executable, "-c", ENDLESS], capture_output=True, text=True, timeout=20, check=False)
    assert done.stdout == "closed\n"


def test_too_many_open_files_are_told_with_the_limit_to_raise() -> None:
    done = subprocess.run([sys.executable, "-c", FULL], capture_output=True, text=True, timeout=60, check=False)
    told = "no pipe for what functions print could be opened: Too many open files (raise the limit: `ulimit -n`)"
    assert (done.stdout, done.stderr) == (f"unavailable {told}\n", "")
