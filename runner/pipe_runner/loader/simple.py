"""The YAML that most files are written in: lines of keys with plain values, read with two patterns.

`simple_document` gives exactly what `reader` makes of a text without faults, or None; a test holds the two together. A
parser of all of YAML makes an object for every key and every value, which takes several times as long.
"""

from __future__ import annotations

import re
from typing import Any, Final

from pipe_runner.loader.events import most_events
from pipe_runner.loader.scalars import STARTS, NotJson, resolve
from pipe_runner.loader.source import FORBIDDEN

_UNUSUAL: Final = re.compile("[\0-\t\v-\x1f\x7f]")
"""Tabs, other line ends than `\\n`, and what YAML allows in no text; beyond ASCII there is more of that."""
_KEY: Final = r"[A-Za-z_][A-Za-z0-9_.-]{0,200}+"
_FIRST: Final = r"[^\n !\"#%&'*,\-:>?@\[\]`{|}]"
_PLAIN: Final = (
    rf"(?:{_FIRST}|-(?=[^ \n]))[^\n:#]*+(?:(?::(?![ \n]|\Z)|(?<! )#)[^\n:#]*+)*+"  # up to a comment, without `: `
)
_PLAIN_IN_FLOW: Final = rf"(?:{_FIRST}|-(?=[A-Za-z0-9_]))[^\n,\[\]{{}}:#?]*+"
_QUOTED: Final = r"'((?:[^'\n]|'')*+)'|\"([^\"\\\n]*+)\""
_LINE: Final = re.compile(
    rf"( *+)(- ++)?+(?:({_KEY}):(?: ++|(?=\n|\Z)))?+"
    r"(?:\|(-?)\n((?:\1 ++[^\n]*+\n|\n)++)(?! ++(?:#[^\n]*+)?+\Z)"
    rf"|(?:({_PLAIN})|{_QUOTED}|([{{\[][^\n]*+)|) *+(?:(?<![^ \n])#[^\n]*+)?+(?:\n++|\Z))|([^\n])"
)
"""A line, with the lines of a literal behind it; or the first character of one that is none of these."""
_ITEM: Final = re.compile(
    rf" *+(?:({_KEY}): ++)?+"
    rf"(?:(?:(\{{ *+\}}|\[ *+\])|({_PLAIN_IN_FLOW})|{_QUOTED})((?: *+,?+ *+[\]}}])*+) *+(,|\Z)|([{{\[]))|([\s\S])"
)
"""An entry of a map or list in brackets, with the brackets that end behind it; or one character that begins none."""
_EMPTY: Final = 1000
"""Lines of comments that a text may have, and four more for each other line."""
_SHARED: Final = 100
"""Characters of a map or list in brackets that is looked up among those before it."""
_DEEPEST: Final = 40
"""Maps and lists inside one another, in brackets or in lines."""


class _Odd(Exception):
    """The text says something that isn't read here."""


def simple_document(text: str) -> dict[str, Any] | None:
    """The data of a text that is simple, and has no faults; None for every other text."""
    if _UNUSUAL.search(text) is not None or (not text.isascii() and re.search(FORBIDDEN, text) is not None):
        return None
    try:
        return _Simple(text).read()
    except (_Odd, NotJson):
        return None


class _Simple:
    """Reads one text; raises `_Odd` at the first thing that isn't simple."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._names: dict[str, str] = {}  # so that a key that stands in many maps is one text
        self._values: dict[str, Any] = {}
        self._events = 0  # as many as a parser would give
        self._most = most_events(text)

    def read(self) -> dict[str, Any]:
        names, plain_value = self._names, self._plain_value
        root: dict[str, Any] = {}
        current: Any = root
        level = 0  # at which its keys, or its dashes, stand
        around: list[tuple[Any, int]] = []
        pending: str | None = None  # a key whose value may stand on the lines behind it
        lines = empty = 0
        most = self._most // 2
        flows: dict[str, tuple[Any, int]] = {}  # what is written alike is one value, as an anchor's is
        value: Any
        for found in _LINE.finditer(self._text):
            spaces, dash, key, chomped, literal, plain, single, double, flow, odd = found.groups()
            if plain is not None:
                if plain[-1] == " ":
                    plain = plain.rstrip(" ")
                value = plain_value(plain) if plain[0] in STARTS else plain
            elif key is None and dash is None and single is None and double is None and flow is None and odd is None:
                empty += 1
                if literal is not None or empty > _EMPTY + 4 * lines:
                    raise _Odd
                continue
            elif single is not None:
                value = single.replace("''", "'")
            elif double is not None:
                value = double
            elif flow is not None:
                known = flows.get(flow)
                if known is None:
                    events = self._events
                    known = self._flow(flow), self._events - events
                    if len(flow) < _SHARED:
                        flows[flow] = known
                else:
                    self._events += known[1]
                value = known[0]
            elif literal is not None:
                if dash is not None:
                    raise _Odd
                value = _literal(literal, chomped)
            elif odd is not None or key is None:
                raise _Odd
            else:
                value = None
            lines += 1
            if lines > most:
                raise _Odd
            if lines == 1 and key is None and dash is None and value.__class__ is dict:
                root, level = value, -1  # a file in brackets, behind which nothing follows
                continue
            column = len(spaces)
            if pending is not None:
                if column > level or (dash is not None and column == level):
                    if len(around) > _DEEPEST:
                        raise _Odd
                    inner: Any = {} if dash is None else []
                    current[pending] = inner
                    around.append((current, level))
                    current, level = inner, column
                    self._events += 1
                pending = None
            while column < level:
                current, level = around.pop()
            if column != level:
                raise _Odd
            if dash is not None:
                if current.__class__ is not list:
                    raise _Odd
                if key is None:
                    current.append(value)
                    self._events -= 1
                    continue
                inner = {}
                current.append(inner)
                around.append((current, level))
                current, level = inner, column + len(dash)
                self._events += 2
            elif current.__class__ is list:
                current, level = around.pop()  # a list whose dashes stand below its key
                if level != column or current.__class__ is list:
                    raise _Odd
            if key is None:
                raise _Odd
            name = names.get(key)
            if name is None:
                name = self._name(key)
            if name in current:
                raise _Odd
            current[name] = value
            if value is None and plain is None:
                pending = name
        if not lines or self._events + 2 * lines + 6 > self._most:
            raise _Odd
        return root

    def _flow(self, text: str) -> Any:
        """What stands in brackets on one line."""
        if self._events + text.count(",") > self._most:
            raise _Odd
        names, plain_value = self._names, self._plain_value
        top: list[Any] = []
        current: Any = top
        around: list[Any] = []
        value: Any
        for found in _ITEM.finditer(text):
            key, empty, plain, single, double, closing, comma, opened, _ = found.groups()
            self._events += 1 if key is None else 2
            if plain is not None:
                if plain[-1] == " ":
                    plain = plain.rstrip(" ")
                value = plain_value(plain) if plain[0] in STARTS else plain
            elif single is not None:
                value = single.replace("''", "'")
            elif double is not None:
                value = double
            elif opened is not None:
                value = {} if opened == "{" else []
                self._events += 1
            elif empty is not None:
                value = {} if empty[0] == "{" else []
                self._events += 1
            else:
                raise _Odd
            if key is None:
                if current.__class__ is not list:
                    raise _Odd
                current.append(value)
            else:
                name = names.get(key)
                if name is None:
                    name = self._name(key)
                if current.__class__ is not dict or name in current:
                    raise _Odd
                current[name] = value
            if opened is not None:
                around.append(current)
                if len(around) > _DEEPEST:
                    raise _Odd
                current = value
                continue
            if closing:
                for bracket in closing:
                    if bracket not in " ,":
                        if current is top or (bracket == "}") is not (current.__class__ is dict):
                            raise _Odd
                        current = around.pop()
            if (comma == ",") is (current is top):
                raise _Odd
            if current is top:
                break
        if len(top) != 1 or current is not top or found.end() != len(text):
            raise _Odd
        return top[0]

    def _name(self, key: str) -> str:
        if resolve(key).__class__ is not str:
            raise _Odd
        self._names[key] = key
        return key

    def _plain_value(self, text: str) -> Any:
        values = self._values
        if text in values:
            return values[text]
        value = resolve(text)
        if len(text) < 64:
            values[text] = value
        return value


def _literal(text: str, chomped: str) -> str:
    """The value of `|` or `|-`, of which these are the lines."""
    lines = text.split("\n")
    first = next((line for line in lines if line), "")
    indent = len(first) - len(first.lstrip(" "))
    margin = " " * indent
    found = []
    for line in lines:
        if line and (not line.startswith(margin) or line.isspace()):
            raise _Odd
        found.append(line[indent:])
    whole = "\n".join(found).rstrip("\n")
    if not whole:
        raise _Odd
    return whole if chomped else whole + "\n"
