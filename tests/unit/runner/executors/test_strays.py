"""What is printed beside a run of functions, where the system has no more room."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from pipe_runner.executors import strays

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


def test_words_that_no_thread_can_tell_are_told_at_the_end() -> None:
    done = subprocess.run([sys.executable, "-c", NO_THREAD], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("closed\n", "functions: stray\n")


def test_a_stream_that_takes_nothing_now_is_an_error_for_who_prints() -> None:
    fd, write = os.pipe()
    os.set_blocking(write, False)
    try:
        with pytest.raises(BlockingIOError):
            strays._Whole(write, "w", closefd=False).write(b"x" * 2_000_000)
    finally:
        os.close(fd)
        os.close(write)
