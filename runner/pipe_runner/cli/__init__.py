"""The command `pipe`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from pipe_runner.cli.exits import INTERRUPTED, IO_ERROR


def main(words: Sequence[str] | None = None) -> int:
    """Perform one command line and give its exit code; the only place where an exception becomes one."""
    try:
        try:
            from pipe_runner.cli.boundary import guarded
        except (EOFError, ValueError, TypeError) as error:
            from pipe_runner.halfcompiled import what_is_cut

            said = what_is_cut(error)
            if said is None:
                raise
            sys.stderr.write("error: {}\nhint: {}\n".format(*said))
            return IO_ERROR
        code = guarded(_perform, list(sys.argv[1:] if words is None else words))
        signals = sys.modules.get("pipe_runner.cli.signals")
        last = None if signals is None else signals.Signals.last
        if last is not None and words is None:
            last.see_out(code)
        elif last is not None:
            last.let_go_on()
        if words is None:
            from pipe_runner.cli.leaving import leave

            leave(code)
        return code
    except KeyboardInterrupt:  # before there was a boundary, or behind it
        return INTERRUPTED


def _perform(words: list[str]) -> int:
    if words and words[0] in ("run", "check"):
        from pipe_runner.cli import quick
        from pipe_runner.cli.dispatch import call
        from pipe_runner.cli.table import CHECK, RUN

        command = RUN if words[0] == "run" else CHECK
        given = quick.parse(command, words[1:])
        if given is not None:
            return call(command, given)
    from pipe_runner.cli import app

    return app.main(words)
