"""What a service says of a failure, in the many shapes in which services and gateways do."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

_MESSAGES: Final = ("message", "Message", "detail", "msg", "status_msg")
_CODES: Final = ("code", "type", "status", "error_code", "error_type", "status_code")
_EVENT: Final = re.compile(rb"\s*(?:(?:event|id|retry)?:[^\r\n]*[\r\n]+)*data:([^\r\n]*)")
"""The first of a stream of events."""
_DEEPEST: Final = 4
"""Errors in one another: of a server behind a gateway behind a gateway."""


class Said(NamedTuple):
    """What a service told of a failure."""

    message: str = ""
    code: str = ""
    """`code`, `type` and the like of its error, as far as there are."""
    headers: Mapping[str, str] = {}
    """Those that it repeats within the error, by name in small letters."""


def said(body: bytes) -> Said:
    """What the body of an error says: as JSON, be it that of an event, or as text."""
    if event := _EVENT.match(body):
        body = event[1]
    try:
        data: Any = json.loads(body)
    except (ValueError, RecursionError):
        text = body.decode("utf-8", "replace")
        return Said("" if text.lstrip()[:1] == "<" else text)
    return said_in(data)


def said_in(data: Any, deep: int = 0) -> Said:
    if isinstance(data, list):  # some wrap it
        data = data[0] if data else None
    if isinstance(data, str):
        return _packed(data, deep) or Said(data)
    if not isinstance(data, dict) or deep > _DEEPEST:
        return Said()
    inner = next(
        (data[key] for key in ("error", "errors", "base_resp") if isinstance(data.get(key), str | dict | list)), None
    )
    found = said_in(inner, deep + 1) if inner else Said()
    message = next((data[key] for key in _MESSAGES if data.get(key)), "")
    text = message if isinstance(message, str) else "" if inner else json.dumps(message)
    if isinstance(inner, str) and text and text != inner:
        found = found._replace(message=f"{found.message}: {text}")
    words = [str(data[key]) for key in _CODES if isinstance(data.get(key), str | int) and data[key]]
    if isinstance(detail := data.get("innererror"), dict) and detail.get("code"):
        words.append(str(detail["code"]))
    own = Said(found.message or text, " ".join([found.code, *words]).strip(), found.headers)
    behind = data.get("metadata")
    return _routed(own, behind, deep) if isinstance(behind, dict) else own


def _routed(own: Said, behind: Mapping[str, Any], deep: int) -> Said:
    """With what the service behind a router said, which the router gives as it came."""
    if isinstance(headers := behind.get("headers"), dict):
        texts = ((name, value) for name, value in headers.items() if isinstance(value, str))
        own = own._replace(headers={str(name).lower(): value for name, value in texts})
    found = said_in(behind.get("raw"), deep + 1)
    if not found.message or found.message == own.message:
        return own
    name = f" ({behind['provider_name']})" if isinstance(behind.get("provider_name"), str) else ""
    text = f"{own.message}{name}: {found.message}" if own.message else found.message
    return Said(text, f"{own.code} {found.code}", own.headers)


def _packed(text: str, deep: int) -> Said | None:
    """What a text says that is an error of another server's, as JSON."""
    if not text.lstrip().startswith("{"):
        return None
    try:
        found = said_in(json.loads(text), deep + 1)
    except (ValueError, RecursionError):
        return None
    return found if found.message or text.strip() == "{}" else None
