"""How many tokens a request can take at most, known before it goes out.

Why bytes bound them, for every model: a tokenizer cuts text into pieces and gives each one token. It drops none of the
text and makes none up, and no piece is smaller than a byte, so there are at most as many tokens as bytes. What may come
on top:

- Some normalise text first, by NFKC at most, which can make it longer; so the longer of the two counts.
- Services put marks around messages, calls and tools, and words of their own where tools or a schema are given; those
  are added.
- Tools and schemas are shown to the model in a form of the service's own. It says the same, and one token for a byte is
  two to four times what JSON takes, which leaves room for indentation and other names.
- Images are counted by their size in pixels, in tiles or patches, up to a limit of each service's; the dearest that we
  know counts.

Documents are the exception: what a service makes of their pages isn't known before. What stands here for them is an
estimate that is high for documents of text; a short file with many pages may take more.
"""

from __future__ import annotations

import json
from typing import Final

from pipe_runner.models import ModelRequest

AROUND_MESSAGE: Final = 16
"""Tokens that a service puts around a message, a call or a tool."""
AROUND_REQUEST: Final = 512
"""Tokens of what a service says itself where tools or a schema are given."""
IMAGE: Final = 16_400
"""Tokens of an image at most: what models with patches of 28 pixels take of the largest one."""
IMAGE_OF: Final = {"gpt-4o-mini": 48_200}
"""Models that count an image as more: 2833 and 5667 for each of 8 tiles."""
PAGE_BYTES: Final = 2
"""Bytes of a document, as sent, for which one token is counted."""


def most_tokens(request: ModelRequest) -> int:
    """Tokens in and out, at most; `max_tokens` must be set."""
    total = request.max_tokens or 0
    for message in request.messages:
        total += _bytes(message.text) + AROUND_MESSAGE
        if message.media:
            image = next((most for name, most in IMAGE_OF.items() if name in request.model), IMAGE)
            documents = [len(media.data) for media in message.media if not media.media_type.startswith("image/")]
            total += image * len(message.media) + sum(size // PAGE_BYTES for size in documents)
        if message.thought is not None:
            total += _bytes(json.dumps(message.thought.said))
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
    size = len(text.encode("utf-8", "surrogatepass"))
    if size == len(text):  # ASCII is normal
        return size
    from unicodedata import normalize

    return max(size, len(normalize("NFKC", text).encode("utf-8", "surrogatepass")))
