"""How spans and metrics go to a collector: nothing that it answers is waited for, or kept, without a bound."""

from __future__ import annotations

from typing import Any, Final

import requests

_MOST_READ: Final = 64 * 2**10
"""Bytes of an answer; nothing of it is used but a few words of an error."""


class BoundedSession(requests.Session):
    """One whose answers are read up to a bound, and which follows nobody to another address."""

    def send(self, request: requests.PreparedRequest, **settings: Any) -> requests.Response:
        settings["stream"] = True
        settings["allow_redirects"] = False
        answer: Any = super().send(request, **settings)
        try:
            answer._content = answer.raw.read(_MOST_READ, decode_content=True)
        except Exception:  # a body that is no gzip, or breaks off: its status has come
            answer._content = b""
        answer._content_consumed = True
        answer.close()
        if answer.is_redirect:
            answer.status_code, answer.reason = 400, "it sends to another address, and is not followed"
        return answer  # type: ignore[no-any-return]
