"""How many tokens a request can take at most, known before it goes out.

No tokenizer makes more tokens than there are bytes, so bytes of UTF-8 bound them from above, for every model; what a
service puts around messages, tools and schemas is added. Images are counted at what the dearest service asks for one.
"""

from __future__ import annotations

import json
from typing import Final

from pipe_runner.models import ModelRequest

AROUND_MESSAGE: Final = 16
"""Tokens that a service puts around a message, a call or a tool."""
AROUND_REQUEST: Final = 512
"""Tokens of what a service says itself where tools or a schema are given."""
IMAGE: Final = 6500
"""Tokens of an image at most."""
PAGE_BYTES: Final = 2
"""Bytes of a document, as sent, for which one token is counted."""


def most_tokens(request: ModelRequest) -> int:
    """Tokens in and out, at most; `max_tokens` must be set."""
    total = request.max_tokens or 0
    for message in request.messages:
        total += _bytes(message.text) + AROUND_MESSAGE
        for media in message.media:
            total += IMAGE if media.media_type.startswith("image/") else len(media.data) // PAGE_BYTES + IMAGE
        for call in message.tool_calls:
            total += _bytes(call.name) + _bytes(json.dumps(dict(call.arguments))) + AROUND_MESSAGE
    for tool in request.tools:
        total += _bytes(json.dumps(tool._asdict(), default=dict)) + AROUND_MESSAGE
    if request.output_schema is not None:
        total += _bytes(json.dumps(request.output_schema))
    if request.tools or request.output_schema is not None:
        total += AROUND_REQUEST
    return total


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
