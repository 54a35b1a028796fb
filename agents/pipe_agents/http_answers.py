"""What an answer, or the lack of one, means for the node."""

from __future__ import annotations

import errno
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, TypeVar

import httpcore2

from pipe_agents.http_body import body_value, start_of
from pipe_agents.http_request import Request
from pipe_agents.threads import Threads
from pipe_runner.errors import NodeFault
from pipe_runner.ports import Attempt, Clock, Context, NodeError, Outcome
from pipe_runner.types import ErrorKind, Json, NodeStatus

_E = TypeVar("_E", bound=OSError)

LONGEST_WAIT: Final = 3600.0
"""Seconds; a server that asks for more is asked again after this."""
_TAIL: Final = 4096
_WAITS: Final = (ssl.SSLWantReadError, ssl.SSLWantWriteError)
_LOOKED_AT: Final = 64 * 1024
_LARGE: Final = 256 * 1024
"""Bytes of a body from which on it is parsed in a thread."""


@dataclass(slots=True)
class Answer:
    """What a server sent, decompressed."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""
    cut: bool = False
    """`body` is only its beginning."""


async def outcome_of(
    answer: Answer, request: Request, expected: frozenset[int], attempt: Attempt, context: Context, threads: Threads
) -> Outcome:
    """Success with `{status, headers, body}`; or a failure that has the same output, and says what was expected."""
    content_type = answer.headers.get("content-type", "")
    value: Json
    if answer.cut:
        value = None
    elif len(answer.body) < _LARGE:
        value = body_value(answer.body, content_type)
    else:
        call = threads.start(lambda: body_value(answer.body, content_type))
        await call.future
        if call.error is not None:
            raise call.error
        value = call.result
    if isinstance(value, dict) and "base64" in value and len(str(value["base64"])) > attempt.output_limit:
        raise NodeFault(
            ErrorKind.OUTPUT_TOO_LARGE,
            f"the binary body of {request.shown} has more than {attempt.output_limit} bytes as base64",
        )
    output = context.masker.mask_json({"status": answer.status, "headers": dict(answer.headers), "body": value})
    if answer.status in expected:
        return Outcome(NodeStatus.SUCCEEDED, output)
    kind = {429: ErrorKind.RATE_LIMITED, 503: ErrorKind.UNAVAILABLE}.get(answer.status, ErrorKind.HTTP)
    message = f"{request.method} {request.shown} answered {_status(answer.status)}; expected {_ranges(expected)}"
    if answer.status in (301, 302, 303, 307, 308) and "location" in answer.headers:
        message += "; the redirect was not followed"
    error = NodeError(
        kind,
        context.masker.mask_text(message),
        tail=_start(answer, content_type, context),
    )
    retry_after = wait_of(answer.headers, context.clock)
    return Outcome(NodeStatus.FAILED, output, error, retry_after=retry_after)


def _start(answer: Answer, content_type: str, context: Context) -> str:
    """The first 4 KiB of a body, without the start of a secret that the cut would halve."""
    text = start_of(answer.body, content_type, _LOOKED_AT)
    if len(answer.body) < _LOOKED_AT and not answer.cut:
        return context.masker.mask_text(text)[:_TAIL]
    whole = context.masker.stream().feed(text.encode("utf-8", "replace")).decode("utf-8", "ignore")
    return context.masker.mask_text(whole)[:_TAIL]


def wait_of(headers: Mapping[str, str], clock: Clock) -> float | None:
    """Seconds that `Retry-After` asks for, as a number or a date; between 0 and an hour. None where it says nothing."""
    text = headers.get("retry-after", "").strip()
    if not text:
        return None
    try:
        seconds = float(text) if text.replace(".", "", 1).isdecimal() and text.isascii() else None
        if seconds is None:
            until = _date(text)
            # The server's own idea of now: clocks differ.
            since = _date(headers["date"]) if "date" in headers else clock.now_ns() / 1e9
            seconds = until - since
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(seconds, 0.0), LONGEST_WAIT)


def _date(text: str) -> float:
    from datetime import UTC
    from email.utils import parsedate_to_datetime

    found = parsedate_to_datetime(text[:64])
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def fault_of(error: Exception, request: Request) -> NodeFault:
    """Why there was no answer, or only a part of one."""
    where = f"{request.method} {request.shown}"
    tls = _first(error, ssl.SSLError)
    if tls is not None:
        reason = (
            getattr(tls, "verify_message", None) or (tls.reason or "the handshake failed").replace("_", " ").lower()
        )
        return NodeFault(ErrorKind.HTTP, f"{where}: no secure connection: {reason}")
    if isinstance(error, httpcore2.ConnectTimeout):
        return NodeFault(ErrorKind.UNAVAILABLE, f"{where}: no connection in time")
    if isinstance(error, httpcore2.TimeoutException):
        return NodeFault(
            ErrorKind.TIMEOUT, f"{where}: the server was silent for too long; it may have acted all the same"
        )
    system = _first(error, OSError)
    if isinstance(error, httpcore2.ConnectError):
        why = os.strerror(system.errno).lower() if system is not None and system.errno else "the connection failed"
        hint = " (raise the limit: `ulimit -n`)" if system is not None and system.errno == errno.EMFILE else ""
        return NodeFault(ErrorKind.UNAVAILABLE, f"{where}: {why}{hint}")
    if isinstance(error, httpcore2.NetworkError):
        return NodeFault(
            ErrorKind.UNAVAILABLE, f"{where}: the connection broke off; the server may have acted all the same"
        )
    if isinstance(error, httpcore2.ProxyError):
        return NodeFault(ErrorKind.UNAVAILABLE, f"{where}: the proxy refused: {str(error)[:200]}")
    if "disconnected" in str(error):
        return NodeFault(ErrorKind.UNAVAILABLE, f"{where}: the server closed the connection without an answer")
    if "closed connection" in str(error):
        return NodeFault(
            ErrorKind.UNAVAILABLE, f"{where}: the server closed the connection before the end of its answer"
        )
    return NodeFault(ErrorKind.HTTP, f"{where}: the answer is not valid HTTP: {str(error)[:200]}")


def _first(error: BaseException | None, kind: type[_E]) -> _E | None:
    seen = 0
    while error is not None and seen < 20:
        # Libraries put an OSError without a number around another; and that TLS waits for the other side is no error.
        if isinstance(error, kind) and error.errno and not isinstance(error, _WAITS):
            return error
        error, seen = error.__cause__ or error.__context__, seen + 1
    return None


def _status(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def _ranges(expected: frozenset[int]) -> str:
    parts: list[str] = []
    for hundred in range(1, 6):
        numbers = sorted(number for number in expected if number // 100 == hundred)
        parts += [f"{hundred}xx"] if len(numbers) == 100 else [str(number) for number in numbers]
    return ", ".join(parts[:20]) or "nothing"
