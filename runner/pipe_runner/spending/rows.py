"""The prices of one model, and what a call costs by them. US dollars per million tokens."""

from __future__ import annotations

from decimal import Decimal
from typing import Final, NamedTuple

from pipe_runner.calls.counts import readings
from pipe_runner.models import Usage

_MILLION: Final = Decimal(1_000_000)
_FREE: Final = Decimal(0)

Tiers = tuple[tuple[int, Decimal], ...]
"""A price and from how many tokens of input on it holds, for all tokens of the call; the first one from 0."""


class Row(NamedTuple):
    """The prices of a model. None: as the more general one."""

    input: Tiers
    output: Tiers
    cached: Tiers | None = None
    cache_written: Tiers | None = None
    reasoning: Tiers | None = None
    request: Decimal = Decimal(0)
    """US dollars of each call."""
    window: int | None = None
    """Tokens that the model can read in one call at most."""
    audio: Tiers | None = None
    """Of what is heard, of which there are fewer tokens than the bound of a call counts."""

    def cost(self, usage: Usage) -> Decimal:
        """US dollars of a call. Where a service contradicts itself (more cached than read, more reasoning than written)
        the dearest of what it can mean counts: those parts are added to their wholes, at their own price or at that of
        plain tokens, so that it never costs less than the larger count says."""
        found = readings(usage)
        return self._cost(usage) if len(found) == 1 else max(map(self._cost, found))

    def _cost(self, usage: Usage) -> Decimal:
        read, wrote, cached, cache_written, reasoning, audio = usage
        total = (read - cached - cache_written) * _at(self.input, read) + (wrote - reasoning) * _at(self.output, read)
        for tokens, own, general in (
            (cached, self.cached, self.input),
            (cache_written, self.cache_written, self.input),
            (reasoning, self.reasoning, self.output),
        ):
            if tokens:
                total += tokens * _at(general if own is None else own, read)
        if audio and self.audio is not None:  # some of it may have been cached: it counts as none
            total += audio * max(_at(self.audio, read) - _at(self.input, read), _FREE)
        return total / _MILLION + self.request

    def most(self, tokens_in: int, tokens_out: int) -> Decimal:
        """US dollars of a call that reads and writes so much at most, however the service counts what it read."""
        dearest_in = _dearest((self.input, self.cached, self.cache_written), tokens_in)
        dearest_out = _dearest((self.output, self.reasoning), tokens_in)
        return (tokens_in * dearest_in + tokens_out * dearest_out) / _MILLION + self.request


def _at(tiers: Tiers, size: int) -> Decimal:
    """The price of a call that reads `size` tokens."""
    for start, price in reversed(tiers):
        if size > start or start == 0:
            return price
    raise ValueError("a price begins at 0")


def _dearest(prices: tuple[Tiers | None, ...], size: int) -> Decimal:
    """The highest price that a call which reads up to `size` tokens can meet."""
    dearest = _FREE
    for tiers in prices:
        for start, price in tiers or ():
            if price > dearest and (start == 0 or start < size):
                dearest = price
    return dearest
