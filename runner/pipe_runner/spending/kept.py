"""Rows of the price list that were needed before, kept beside the runs: the list itself takes a quarter of a second.

A kept row counts for the version of the list that it comes from, and on the day on which it was taken. Only prices that
don't change by the hour are kept. What is wrong with the file makes it count for nothing, and is no error.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any, Final

from pipe_runner import flags
from pipe_runner.spending.listed import listed
from pipe_runner.spending.rows import Row

_MOST: Final = 200
"""Rows that are kept."""
_MOST_BYTES: Final = 2**20


class KeptRows:
    """`Rows` of the list, by way of a file in this folder."""

    def __init__(self, folder: str) -> None:
        self._path = os.path.join(folder, "prices.json")
        self._rows: dict[str, Any] | None = None
        self._stamp = ""

    def __call__(self, type_name: str, options: Mapping[str, Any], model: str) -> tuple[Row, ...]:
        names = json.dumps([type_name, str(options.get("base_url") or ""), model])
        key = sha256(names.encode()).hexdigest()  # a service may give anything for a model's name
        if self._rows is None:
            self._stamp = _stamp()
            self._rows = self._load()
        try:
            if key in self._rows:
                return tuple(_from_json(row) for row in self._rows[key])
        except (TypeError, ValueError, ArithmeticError):
            self._rows = {}
        found = listed(type_name, options, model)
        if len(found) <= 1:
            self._rows[key] = [_to_json(row) for row in found]
            self._store()
        return found

    def _load(self) -> dict[str, Any]:
        try:
            fd = os.open(self._path, flags.READ)
            with open(fd, "rb") as file:
                data = json.loads(file.read(_MOST_BYTES))
            rows = data["rows"] if data["of"] == self._stamp else {}
            return rows if isinstance(rows, dict) else {}
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            return {}

    def _store(self) -> None:
        rows = dict(list((self._rows or {}).items())[-_MOST:])
        part = flags.beside(self._path)
        with contextlib.suppress(OSError):
            os.makedirs(os.path.dirname(self._path), exist_ok=True)
            try:
                with open(part, "x", encoding="ascii") as file:
                    json.dump({"of": self._stamp, "rows": rows}, file)
                os.replace(part, self._path)
            except OSError:
                os.unlink(part)
                raise


def _stamp() -> str:
    from importlib.metadata import version

    return f"genai-prices {version('genai-prices')} {datetime.now(UTC).date()}"


def _to_json(row: Row) -> list[Any]:
    every = (*row[:5], row.audio)
    tiers = [None if one is None else [[start, str(price)] for start, price in one] for one in every]
    return [*tiers, str(row.request), row.window]


def _from_json(data: Any) -> Row:
    *tiers, request, window = data
    read, written, cached, cache_written, reasoning, audio = [
        None if one is None else tuple((int(start), Decimal(price)) for start, price in one) for one in tiers
    ]
    if not read or not written or not all(start == 0 for start, _ in (read[0], written[0])):
        raise ValueError("no row")
    row = Row(read, written, cached, cache_written, reasoning, Decimal(request), window, audio)
    prices = [row.request, *(price for one in (*row[:5], audio) for _, price in one or ())]
    if not all(price.is_finite() and price >= 0 for price in prices):
        raise ValueError("no price")
    if window is not None and type(window) is not int:
        raise ValueError("no number of tokens")
    return row
