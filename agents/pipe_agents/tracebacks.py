"""Makes a node's fault of an exception that user code raised."""

from __future__ import annotations

import os
import traceback
from types import TracebackType
from typing import Final

from pipe_agents.sources import PREFIX, readable
from pipe_runner.errors import NodeFault
from pipe_runner.ports import Masker
from pipe_runner.types import ErrorKind

MESSAGE: Final = 1000
"""Characters of an error's message."""
TAIL: Final = 4096
"""Characters of an error's tail."""
_OURS: Final = os.path.dirname(os.path.abspath(__file__)) + os.sep
_FRAMES: Final = 60
_MASKED: Final = 2**20
"""Characters that are looked through for secrets before the cut: one that the cut halves would not be found."""


def fault_of(error: BaseException, masker: Masker) -> NodeFault:
    """Kind `exception`, `ValueError: …` as the message, and the traceback from the user's first frame on."""
    frames = _users(error.__traceback__)
    message = _message(error)
    if isinstance(error, TypeError) and frames is None:
        message += "; check args and kwargs"
    return NodeFault(
        ErrorKind.EXCEPTION,
        masker.mask_text(message[:_MASKED])[:MESSAGE],
        tail=masker.mask_text(_text(error, frames)[-_MASKED:])[-TAIL:],
    )


def _message(error: BaseException) -> str:
    name = type(error).__qualname__
    module = type(error).__module__
    try:
        text = str(error).strip()
    except Exception:
        text = "(its text can't be had)"
    if isinstance(error, SystemExit):
        return f"the function ended the interpreter: SystemExit({text})"
    if isinstance(error, SyntaxError) and error.filename and error.lineno:
        text = f"{error.msg} ({os.path.basename(error.filename)}, line {error.lineno})"
    full = name if module in ("builtins", "__main__") or module.startswith(PREFIX) else f"{module}.{name}"
    return f"{full}: {readable(text)}" if text else full


def _users(frames: TracebackType | None) -> TracebackType | None:
    """The traceback without our frames, and without the import system's, at its beginning."""
    while frames is not None:
        name = frames.tb_frame.f_code.co_filename
        if not (name.startswith((_OURS, "<frozen importlib")) or name.endswith(f"importlib{os.sep}__init__.py")):
            break
        frames = frames.tb_next
    return frames


def _text(error: BaseException, frames: TracebackType | None) -> str:
    try:
        shown = traceback.TracebackException(type(error), error, frames, limit=-_FRAMES, compact=True)
        return readable("".join(shown.format()).rstrip("\n"))
    except Exception:  # user code runs in __str__, __repr__ and notes
        return type(error).__qualname__
