"""Numbers of tokens and dollars as services give them: whether they can be any, and what they mean where they
contradict."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from pipe_runner.models import Usage
from pipe_runner.spent import is_price


def counted(usage: Usage) -> bool:
    """Whether these can be numbers of tokens; what no service can have counted is told by none."""
    return set(map(type, usage)) == {int} and min(usage) >= 0 and max(usage) < 2**53


def priced(cost: Any) -> float | None:
    """US dollars that a call can have cost; None of what is no price, whoever says it."""
    number = float(cost) if isinstance(cost, Decimal) and not cost.is_nan() else cost
    return float(number) if is_price(number) else None


def fitting(usage: Usage) -> Usage:
    """The usage with parts that fit into their wholes. A service that counts more cached than read, or more reasoning
    than written, has counted them apart: then the whole is the sum, and no call counts less than in any reading."""
    read, wrote, cached, cache_written, reasoning, audio = usage
    if cached + cache_written <= read and reasoning <= wrote and audio <= read:
        return usage
    if cached + cache_written > read:
        read += cached + cache_written
    if reasoning > wrote:
        wrote += reasoning
    if audio > read:
        read += audio
    return Usage(read, wrote, cached, cache_written, reasoning, audio)


def readings(usage: Usage) -> list[Usage]:
    """What a usage can mean: itself where its parts fit; else `fitting`, and that without the part that doesn't fit,
    since the price of all the tokens may be that of plain ones."""
    whole = fitting(usage)
    found = [whole]
    if whole is usage:
        return found
    if whole.input > usage.input:
        found.append(whole._replace(cached=0, cache_written=0))
    if whole.output > usage.output:
        found += [one._replace(reasoning=0) for one in found]
    return found
