"""What a model thought, gathered from the parts of a stream."""

from __future__ import annotations

from typing import Any

import pytest

from pipe_providers.thoughts import Thoughts


def gathered(pieces: list[dict[str, Any]]) -> Any:
    thoughts = Thoughts()
    for piece in pieces:
        thoughts.take({"thinking_blocks": [piece]})
    return thoughts.said([])


@pytest.mark.timeout(30)
def test_a_long_thought_whose_pieces_all_bear_an_empty_signature_is_gathered_in_time_that_is_linear() -> None:
    piece = {"type": "thinking", "thinking": "word ", "signature": ""}
    signed = {"type": "thinking", "thinking": "", "signature": "signed"}
    said = gathered([*[piece] * 50_000, signed])
    assert said["fields"] == {
        "thinking_blocks": [{"type": "thinking", "thinking": "word " * 50_000, "signature": "signed"}]
    }


def test_a_signature_that_stays_empty_goes_back_so() -> None:
    piece = {"type": "thinking", "thinking": "word ", "signature": ""}
    assert gathered([piece, piece])["fields"] == {
        "thinking_blocks": [{"type": "thinking", "thinking": "word word ", "signature": ""}]
    }
