"""Starts the command many times at the price of one start: a process that has imported it all, and forks.

A request is a line of JSON on a connection of its own, with the three descriptors beside it; the answer is the process
id, and at the end its status. It ends with its own standard input. What a test says of a start itself isn't for this.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import pkgutil
import selectors
import signal
import socket
import sys
import threading
import time
from typing import Any, NoReturn

MOST = 1 << 20
THEIRS = ("aiohttp", "boto3", "drain3", "genai_prices.data", "genai_prices.data_units", "jsonschema", "mcp", "yaml")
"""What our modules import only when they use it, and takes as long as a run."""


def import_all() -> None:
    import anyio._backends._asyncio

    import pipe_agents
    import pipe_providers
    import pipe_runner
    import pipe_schemas

    assert anyio._backends._asyncio
    for package in (pipe_schemas, pipe_runner, pipe_agents, pipe_providers):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith(("__main__", ".generate")):
                importlib.import_module(module.name)
    for name in THEIRS:
        importlib.import_module(name)
    pipe_runner.registry.Registry.installed()  # reads what is installed, which is kept
    gc.collect()
    gc.freeze()


def become(request: dict[str, Any], descriptors: list[int]) -> None:
    """Be, in a child, what a new process would be."""
    signal.set_wakeup_fd(-1)
    for number, fd in enumerate(descriptors):
        os.dup2(fd, number)
        os.close(fd)
    os.environ.clear()
    os.environ.update(request["env"])
    time.tzset()
    os.chdir(request["cwd"])
    sys.argv = request["argv"]


def serve(listener: socket.socket) -> None:
    """Fork for each request; returns in the children only."""
    selector = selectors.SelectSelector()
    selector.register(0, selectors.EVENT_READ, "end")
    selector.register(listener, selectors.EVENT_READ, "request")
    while True:
        for key, _ in selector.select():
            if key.data == "end":
                os._exit(0)
            if key.data == "request":
                connection, _ = listener.accept()
                text, descriptors, _, _ = socket.recv_fds(connection, MOST, 3)
                while not text.endswith(b"\n"):
                    text += connection.recv(MOST)
                child = os.fork()
                if child == 0:
                    connection.close()
                    for one in list(selector.get_map().values()):
                        if isinstance(one.data, tuple):
                            os.close(one.fd)
                            one.data[1].close()
                    listener.close()
                    become(json.loads(text), descriptors)
                    return
                for fd in descriptors:
                    os.close(fd)
                selector.register(os.pidfd_open(child), selectors.EVENT_READ, (child, connection))
                connection.sendall(b"%d\n" % child)
            else:
                child, connection = key.data
                selector.unregister(key.fileobj)
                os.close(key.fd)
                connection.sendall(b"%d\n" % os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
                connection.close()


def leave(code: str | int | None) -> NoReturn:
    """End as an interpreter does, without taking apart what was imported: that takes as long as a short run."""
    if isinstance(code, str):
        print(code, file=sys.stderr)
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    gc.collect()  # what nobody closed says so
    status = code if isinstance(code, int) else int(code is not None)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            status = status or 120
    os._exit(status & 0xFF)


if __name__ == "__main__":
    sys.path[0] = os.path.dirname(sys.argv[2])
    import_all()
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(sys.argv[1])
        made.listen(64)
        print("ready", flush=True)
        serve(made)
    from pipe_runner.cli import main

    try:
        ended = main()
    except SystemExit as error:
        ended = error.code
    leave(ended)
