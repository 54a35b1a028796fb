"""Has the task go on at once that waits for a command."""

from __future__ import annotations

import asyncio
from typing import Any


def wake(future: asyncio.Future[Any], result: object) -> None:
    """Set the result, and run the waiting task until it waits again. From a callback of the loop, in no task.

    The loop would do so in its next turn, and a turn takes 16 µs. Where its futures don't show who waits, it does.
    """
    waiting = getattr(future, "_callbacks", None)
    if waiting and len(waiting) == 1 and future.remove_done_callback(waiting[0][0]) == 1:
        go_on, context = waiting[0]
        future.set_result(result)
        context.run(go_on, future)
    else:
        future.set_result(result)
