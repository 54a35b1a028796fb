"""What is wrong with the rendered options of an attempt, in words: what is expected, and what was given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_MOST: Final = 5


def misfits(faults: Sequence[ErrorDetails], options: Mapping[str, Any]) -> str:
    """One sentence for each place. No text is repeated, since it may be a secret."""
    places: dict[tuple[int | str, ...], list[ErrorDetails]] = {}
    for fault in faults:
        places.setdefault(_place(fault["loc"], options), []).append(fault)
    told = [_sentence(place, found) for place, found in list(places.items())[:_MOST]]
    return "; ".join(told)


def _place(location: Sequence[int | str], options: Mapping[str, Any]) -> tuple[int | str, ...]:
    """The place in the options; what else pydantic has in a location are branches of unions."""
    value: Any = options
    found: list[int | str] = []
    for step in location:
        inside = isinstance(value, Mapping) and step in value
        if inside or (isinstance(value, list | tuple) and isinstance(step, int) and step < len(value)):
            value = value[step]
            found.append(step)
    return tuple(found) or tuple(location)


def _sentence(place: tuple[int | str, ...], faults: Sequence[ErrorDetails]) -> str:
    from pipe_runner.compiler.sentences import WHAT, expected, is_type_error

    name = "with." + ".".join(map(str, place))
    first = next((fault for fault in faults if not is_type_error(fault["type"])), faults[0])
    if is_type_error(first["type"]):
        what = expected([fault["type"] for fault in faults])
    elif first["type"] == "shape":
        what = WHAT.get(str(place[-1]), "a value of another type")
    else:
        return f"{name}: {first['msg']}"
    given = first["input"]
    mend = ""
    if what == "text" and isinstance(given, int | float):
        mend = " (`{{ … | string }}` makes text of it)"
    elif what == "text" and isinstance(given, Mapping | list | tuple):
        mend = " (`{{ … | tojson }}` makes text of it)"
    return f"{name} is {what}, not {_given(given)}{mend}"


def _given(value: Any) -> str:
    from pipe_runner.compiler.sentences import kind

    if isinstance(value, str):
        return "a text" if value else "an empty text"
    return kind(value)
