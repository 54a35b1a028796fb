"""Ctrl-Z while a display is drawn: the terminal is given back before the process stops, and drawn on after `fg`."""

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
        self._installed = False

    def install(self) -> None:
        """Take the signal, where there is one and nobody has it or ignores it."""
        if hasattr(signal, "SIGTSTP") and signal.getsignal(signal.SIGTSTP) is signal.SIG_DFL:
            signal.signal(signal.SIGTSTP, self._stop)
            self._installed = True

    def restore(self) -> None:
        if self._installed:
            self._installed = False
            signal.signal(signal.SIGTSTP, signal.SIG_DFL)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._display.hide()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)  # it stops here, and goes on here
        signal.signal(number, self._stop)
        self._display.show()
