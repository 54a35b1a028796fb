"""`multipleOf` of JSON Schema by the numbers as they are written: 19.99 is a multiple of 0.01."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any


def is_multiple(value: float, step: float) -> bool:
    """Of binary fractions it would be asked otherwise: 0.3 / 0.1 is less than 3. `step` is above 0."""
    if isinstance(value, float) and not math.isfinite(value):
        return False
    return (_written(value) / _written(step)).denominator == 1


def _written(number: float) -> Fraction:
    return Fraction(number) if isinstance(number, int) else Fraction(repr(number))


def multiple_of(validator: Any, step: Any, instance: Any, schema: Any) -> Iterator[Exception]:
    """The keyword, for validators of the library `jsonschema`."""
    from jsonschema.exceptions import ValidationError

    if validator.is_type(instance, "number") and not is_multiple(instance, step):
        yield ValidationError(f"{instance!r} is not a multiple of {step}")
