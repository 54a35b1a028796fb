"""Writes values as JSON, many small ones one after the other."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final


def json_encoder(**said: Any) -> Callable[[object], str]:
    """As `json.JSONEncoder(**said).encode`, which sets itself up anew for each value, which takes longer than a small
    value does. What holds itself raises RecursionError."""
    whole = json.JSONEncoder(**said)
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:
        return whole.encode
    text = json.encoder.encode_basestring_ascii
    how = (whole.key_separator, whole.item_separator, whole.sort_keys, whole.skipkeys, whole.allow_nan)
    encode = make(None, whole.default, text, None, *how)
    return lambda value: text(value) if type(value) is str else "".join(encode(value, 0))


canonical_json: Final = json_encoder(sort_keys=True, separators=(",", ":"))
"""The one text that a value has as JSON: ASCII, keys in order, no blanks."""
