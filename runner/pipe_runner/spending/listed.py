"""The price list: genai-prices, which is kept with the package and asks nobody. Imported where a price is needed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from pipe_runner.spending.rows import Row, Tiers

LISTED_AS: Final = {"bedrock": "aws"}
"""Types of providers that the list calls otherwise."""
_AHEAD: Final = 25
"""Hours within which a price that begins counts among those that a call may meet."""
_REGION: Final = re.compile(r"^[a-z][a-z-]*\.(?=[a-z0-9-]+\.)")
"""What bedrock puts before the id of a model that several regions answer for."""


def listed(type_name: str, options: Mapping[str, Any], model: str) -> tuple[Row, ...]:
    """The rows of a model: that of now first, and those of the next day where they differ; none where the list doesn't
    have it."""
    from genai_prices.data_snapshot import get_snapshot

    snapshot = get_snapshot()
    try:
        address = options.get("base_url") if type_name == "openai" else None
        if address:  # whose models these are, its address says
            provider = snapshot.find_provider(None, None, str(address))
        else:
            provider = snapshot.find_provider(None, LISTED_AS.get(type_name, type_name), None)
    except LookupError:
        return ()
    if not address and provider.id != LISTED_AS.get(type_name, type_name):
        return ()
    for spelling in _spellings(model):
        found = provider.find_model(spelling, all_providers=snapshot.providers)
        if found is not None:
            now = datetime.now(UTC)
            times = [now + timedelta(hours=hours) for hours in range(_AHEAD + 1)]
            rows = [_row(found.get_prices(when), found.context_window) for when in times]
            return tuple(row for row in dict.fromkeys(rows) if row is not None) if rows[0] is not None else ()
    return ()


def _spellings(model: str) -> Iterator[str]:
    """The ways in which the list may know a model: as it is asked, its name in an ARN, without its region."""
    yield model
    name = model.rpartition("/")[2]
    if model.startswith("arn:"):
        yield name
    if _REGION.match(name):
        yield _REGION.sub("", name)


def _row(prices: Any, window: int | None = None) -> Row | None:
    """A row of the list; None where it has no price by the token."""
    read, written = _tiers(prices.input_mtok), _tiers(prices.output_mtok)
    if read is None or written is None:
        return None
    request = getattr(prices, "requests_kcount", None)
    return Row(
        read,
        written,
        _tiers(prices.cache_read_mtok),
        _tiers(prices.cache_write_mtok),
        _tiers(getattr(prices, "output_reasoning_mtok", None)),
        max(price for _, price in _tiers(request) or ((0, Decimal(0)),)) / 1000,
        window,
        _tiers(getattr(prices, "input_audio_mtok", None)),
    )


def _tiers(price: Any) -> Tiers | None:
    if price is None:
        return None
    if isinstance(price, Decimal):
        return ((0, price),)
    return ((0, price.base), *((tier.start, tier.price) for tier in price.tiers))
