"""Messages of AWS's event streams, as bytes."""

from __future__ import annotations

import json
import struct
import zlib
from typing import Any


def message(name: str, data: dict[str, Any], *, fault: bool = False) -> bytes:
    kind = "exception" if fault else "event"
    fields = {
        ":exception-type" if fault else ":event-type": name,
        ":content-type": "application/json",
        ":message-type": kind,
    }
    headers = b"".join(
        bytes([len(key)]) + key.encode() + b"\x07" + struct.pack(">H", len(value)) + value.encode()
        for key, value in fields.items()
    )
    payload = json.dumps(data).encode()
    prelude = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    body = prelude + struct.pack(">I", zlib.crc32(prelude)) + headers + payload
    return body + struct.pack(">I", zlib.crc32(body))
