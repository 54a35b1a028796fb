"""Turns what a service says of a failure into one of our faults: why, what it said, what to do."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from pipe_providers.failures import Said, said, said_in
from pipe_providers.waits import retry_after
from pipe_runner.models import ModelFault, Reason

LONGEST: Final = 300
"""Characters of a service's own words in a message."""
MOST_READ: Final = 16 * 1024
"""Characters of them that are looked at."""
LONGEST_SECRET: Final = 8 * 1024
"""Of a secret, in the form that takes most."""
_TOO_LONG: Final = re.compile(
    r"context (?:length|window|size|limit)|context_length|too many (?:input )?tokens|reduce the length|max_model_len"
    r"|(?:prompt|input|request) (?:is|was) too (?:long|large)|maximum (?:number of )?(?:input )?tokens"
    r"|longer than the (?:maximum|model)|maximum (?:prompt|input|sequence) length|input tokens exceed"
    r"|model token limit|model max length exceeded|tokens in request more than|range of input length"
    r"|`inputs` tokens \+ `max_new_tokens`",
    re.I,
)
_NO_MINUTE: Final = re.compile(r"request too large for .{0,300}tokens per min", re.I | re.S)
"""Of a request that is larger than what the account may ask for in a minute: no wait makes it smaller."""
_ANSWER_S_ROOM: Final = re.compile(
    r"max_(?:completion_|new_)?tokens.{0,40}(?:too large|exceed|must be)|in the completion|output tokens", re.I | re.S
)
"""Where the answer that is allowed takes the room that the question wants."""
_FILTER: Final = re.compile(r"content.?filter|content.?policy|responsibleai|moderation|safety system|guardrail", re.I)
_KEY: Final = re.compile(
    r"invalid.?api.?key|api.?key.?(?:not.?valid|invalid)|incorrect api key|authentication|expired.?token"
    r"|unauthori[sz]ed|unrecognizedclient|invalidsignature|security token",
    re.I,
)
_CLOCK: Final = re.compile(r"signature (?:expired|not yet current)", re.I)
_QUOTA: Final = re.compile(
    r"insufficient_quota|billing|exceeded your current quota|credit balance|insufficient balance|account is in good"
    r"|budget.{0,5}exceeded|budget has been exceeded|arrearage",
    re.I,
)
_NO_MODEL: Final = re.compile(
    r"model_not_(?:found|supported)|model .{0,200}(?:not found|does not exist|is invalid)|no such model|invalid model|"
    r"not a valid model|unknown.model|model not exist|on-demand throughput",
    re.I | re.S,
)
_ITS_OWN: Final = re.compile(r"tool_use_failed|json_validate_failed", re.I)
"""What services say of an answer that they can't read themselves."""
_THOUGHT: Final = re.compile(
    r"(?:reasoning|thinking_blocks).{0,100}(?:unsupported|not supported|not permitted)", re.I | re.S
)
"""Of a server that refuses to get back what its model thought."""
_FORMAT: Final = re.compile(r"response.?format", re.I)
_UNKNOWN: Final = r"unrecogni[sz]ed|unknown|unexpected|unsupported|not supported|not permitted|not allowed"
_NEW_KEY: Final = re.compile(rf"max_tokens\b.{{0,60}}(?:{_UNKNOWN}).{{0,60}}max_completion_tokens", re.I | re.S)
_OLD_KEY: Final = re.compile(
    rf"(?:{_UNKNOWN}).{{0,60}}max_completion_tokens|max_completion_tokens.{{0,60}}(?:{_UNKNOWN})", re.I | re.S
)
"""Of a server that calls the bound of an answer otherwise."""
_FIELD: Final = re.compile(
    rf"(?:{_UNKNOWN}).{{0,60}}(stream_options|tool_choice)|(stream_options|tool_choice).{{0,60}}(?:{_UNKNOWN})",
    re.I | re.S,
)
"""Of a server that refuses a field which can be left out."""
_RATE: Final = re.compile(r"rate.?limit|too many requests|throttl|overloaded_quota", re.I)

_LATER: Final = (408, 409, 424, 425, 498, 499)
"""Statuses below 500 after which another attempt may succeed; 498 is Groq's."""
_REQUEST_IDS: Final = ("x-request-id", "request-id", "x-amzn-requestid")

Hide = Callable[[str], str]
"""Takes out of a text what is shown nowhere."""


def hiding(secrets: Iterable[str], mask: Hide = str) -> Hide:
    """A function that puts `***` where one of these stands, longest first, and where `mask` does, which may know more
    forms of them."""
    known = sorted({secret for secret in secrets if len(secret) > 2}, key=len, reverse=True)

    def hide(text: str) -> str:
        for secret in known:
            if secret in text:
                text = text.replace(secret, "***")
        return mask(text)

    return hide


def excerpt(text: str, hide: Hide) -> str:
    """A service's words on one line, cut and printable, without secrets: also not with the first part of one."""
    line = " ".join(hide(text[:MOST_READ]).split())
    if len(text) > MOST_READ:  # it may end within a secret, which nobody can tell then
        line = line[:-LONGEST_SECRET]
    line = line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"
    return line if line.isprintable() else "".join(c if c.isprintable() else "·" for c in line)


def of_status(
    where: str,
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    hide: Hide,
    *,
    model: str = "",
    code: str = "",
    option: str = "base_url",
    room: str = "",
) -> ModelFault:
    """The fault of an answer that is no success. What the service turned down at once has not been paid for, so it
    counts as not sent; after a failure inside the service nobody knows. `option`: what the address is called; `room`:
    what lets the same model read more."""
    told = said(body)
    if code:
        told = told._replace(code=f"{code} {told.code}".strip())
    reason = _reason(status, told)
    words = excerpt(told.message, hide)
    quoted = f": {words}" if words else ""
    request_id = next((headers[name] for name in _REQUEST_IDS if headers.get(name)), None)
    message = f"{where} answered {status}{quoted}{_advice(reason, status, told, headers, hide, model, option, room)}"
    wait = None
    if reason in (Reason.RATE_LIMITED, Reason.UNAVAILABLE):
        wait = retry_after(headers)
        wait = retry_after(told.headers, told.message) if wait is None else wait
    sent = (status >= 500 and status not in (503, 529)) or status in (408, 424)
    return ModelFault(reason, message, retry_after=wait, sent=sent, status=status, request_id=_short(request_id, hide))


def in_stream(
    where: str, data: Any, hide: Hide, *, request_id: str | None = None, begun: bool = False, room: str = ""
) -> ModelFault:
    """The fault of an error that the service tells in its answer. `begun`: after something of it had come, which is
    paid for; else the status that the error names is as good as that of an answer. `room`: as in `of_status`."""
    told = said_in(data)
    status = next((int(word) for word in told.code.split() if re.fullmatch(r"[45]\d\d", word)), 0)
    reason = _reason(status, told)
    words = excerpt(told.message or told.code, hide)
    advice = _advice(reason, status, told, {}, hide, "", "", room)
    message = f"{where} broke its answer off with an error: {words or 'without a word of why'}{advice}"
    wait = retry_after(told.headers, told.message) if reason is Reason.RATE_LIMITED else None
    short = _short(request_id, hide)
    if begun:
        return ModelFault(reason, message, retry_after=wait, request_id=short, begun=True)
    return ModelFault(reason, message, retry_after=wait, request_id=short, status=status or None)


def _reason(status: int, told: Said) -> Reason:
    words, code = f"{told.code} {told.message}"[:4000], told.code.lower()
    if status == 408 and "modeltimeout" in code:
        return Reason.TIMED_OUT
    if "servicequotaexceeded" in code:
        return Reason.RATE_LIMITED
    if status == 429 and "modelnotready" in code:
        return Reason.UNAVAILABLE
    if status in (413, 429) and _NO_MINUTE.search(words):
        return Reason.TOO_LONG
    if status == 429:
        used_up = _QUOTA.search(words) and ("insufficient_quota" in code or retry_after({}, told.message) is None)
        return Reason.CREDENTIALS if used_up else Reason.RATE_LIMITED
    if status in (401, 402, 403, 407):
        return Reason.REFUSED if status == 403 and _FILTER.search(words) else Reason.CREDENTIALS
    if status in (404, 405, 410) or 300 <= status < 400:
        return Reason.NOT_FOUND
    if status == 413:
        return Reason.TOO_LONG
    if status >= 500 or status in _LATER:
        return Reason.UNAVAILABLE
    for pattern, reason in (
        (_ITS_OWN, Reason.INVALID_OUTPUT),
        (_FILTER, Reason.REFUSED),
        (_QUOTA, Reason.CREDENTIALS),
        (_TOO_LONG, Reason.TOO_LONG),
        (_NO_MODEL, Reason.NOT_FOUND),
        (_KEY, Reason.CREDENTIALS),
    ):
        if pattern.search(words):
            return reason
    if status:
        return Reason.REFUSED
    return Reason.RATE_LIMITED if _RATE.search(words) else Reason.UNAVAILABLE


def _advice(
    reason: Reason,
    status: int,
    told: Said,
    headers: Mapping[str, str],
    hide: Hide,
    model: str,
    option: str,
    room: str,
) -> str:
    words = told.message[:4000]
    match reason:
        case Reason.CREDENTIALS if status in (402, 429):
            return "; the account has nothing left to spend"
        case Reason.CREDENTIALS if status not in (401, 403, 407) and _QUOTA.search(f"{told.code} {words}"):
            return "; the account has nothing left to spend"
        case Reason.CREDENTIALS if _CLOCK.search(words):
            return "; the clock of this machine is wrong: set it"
        case Reason.CREDENTIALS:
            return "; the key is wrong, expired or not allowed to do this"
        case Reason.NOT_FOUND if 300 <= status < 400:
            to = excerpt(headers.get("Location", ""), hide).partition("?")[0][:200]
            there = f", not {to}" if to else ""
            return f"; redirects are not followed: let `{option}` be the service's own address{there}"
        case Reason.NOT_FOUND:
            asked = f" {excerpt(model, hide)!r}" if model else ""
            return f"; there is no such model{asked} there, or the address is not the service's"
        case Reason.TOO_LONG if _NO_MINUTE.search(words):
            return "; it is more than the account may ask for in a minute: shorten it, or lower `max_tokens`"
        case Reason.TOO_LONG:
            how = "shorten it, lower `max_tokens`" if _ANSWER_S_ROOM.search(words) else "shorten it"
            return f"; the request is longer than the model takes: {how}, or {room or 'ask one with a larger context'}"
        case Reason.REFUSED if _FILTER.search(f"{told.code} {told.message}"):
            return "; its content filter declined"
        case Reason.REFUSED:
            return _setting(words)
        case _:
            return ""


def _setting(words: str) -> str:
    """Of a request that is refused: which option of the provider mends it."""
    if _FORMAT.search(words):
        return "; `output_schema` of the provider in pipe.yml tells it otherwise: `json_object`, `prompt`"
    if "toolChoice" in words:
        return "; set `output_schema: auto` of the provider in pipe.yml: the model can't be forced to call a tool"
    if _THOUGHT.search(words):
        return "; `return_reasoning: false` of the provider in pipe.yml leaves that out"
    for pattern, key in ((_NEW_KEY, "max_completion_tokens"), (_OLD_KEY, "max_tokens")):
        if pattern.search(words):
            return f"; set `max_tokens_key: {key}` of the provider in pipe.yml"
    if found := _FIELD.search(words):
        name = found[1] or found[2]
        return f"; `extra_body: {{{name}: null}}` of the provider in pipe.yml leaves that out"
    return ""


def _short(request_id: str | None, hide: Hide) -> str | None:
    return excerpt(request_id, hide)[:100] if request_id else None
