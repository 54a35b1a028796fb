"""Ctrl-Z and Ctrl-\\ while a display is drawn: the terminal is given back before the process stops, and drawn on after
`fg`, or before it ends."""

from __future__ import annotations

import os
import signal
from types import FrameType
from typing import Protocol, runtime_checkable


@runtime_checkable
class Display(Protocol):
    """What draws on a terminal, and can leave off."""

    def hide(self) -> None:
        """Clear what is drawn, and show the cursor; doesn't wait long."""

    def show(self) -> None:
        """Draw again."""


class Suspending:
    """Installed from the main thread, until `restore`. Commands go on meanwhile: they are not the terminal's."""

    def __init__(self, display: Display) -> None:
        self._display = display
        self._installed: list[int] = []

    def install(self) -> None:
        """Take the signals, where there are such and nobody has them or ignores them."""
        for name in ("SIGTSTP", "SIGQUIT"):
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, self._stop)
                self._installed.append(number)

    def restore(self) -> None:
        while self._installed:
            signal.signal(self._installed.pop(), signal.SIG_DFL)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._display.hide()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)  # it ends here, or stops and goes on here
        signal.signal(number, self._stop)
        self._display.show()
