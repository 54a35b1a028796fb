"""A runner to be killed: starts the commands in `scripts`, one attempt each, and waits for them.

Arguments: a folder, a run id, and the shell texts.
"""

from __future__ import annotations

import asyncio
import os
import sys

from pipe_runner.executors.processes import Processes
from pipe_runner.masking import NoMasking
from pipe_runner.ports import Attempt, Command


async def main(folder: str, run: str, *scripts: str) -> None:
    processes = Processes(run, os.path.join(folder, "warden.lock"))
    env = {"PATH": os.environ["PATH"]}

    async def one(number: int, script: str) -> None:
        attempt = Attempt(run, f"n{number}", 1, "shell", {}, {}, folder, "k")
        command = Command(("/bin/sh", "-e", "-c", script), env, folder)
        await processes.run(command, attempt, lambda *_: None, NoMasking())

    await asyncio.gather(*(one(number, script) for number, script in enumerate(scripts)))
    await processes.close()


asyncio.run(main(*sys.argv[1:]))
