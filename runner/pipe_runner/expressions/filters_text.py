"""Filters that work on text. Each one pays for its result before it makes it."""

from __future__ import annotations

import re
from html import escape as html_escape
from typing import Any

from pipe_runner.errors import alike
from pipe_runner.expressions.interpret import Interpreter, Markup
from pipe_runner.expressions.values import describe, to_json_text


def text_of(interpreter: Interpreter, value: Any) -> str:
    """A text to work on: any value's, by the rule for text of values."""
    text = interpreter.text(value)
    interpreter.budget.take(4 * len(text) + 64)
    return text


def replace(interpreter: Interpreter, value: Any, old: Any, new: Any, count: int = -1) -> str:
    text, old, new = interpreter.text(value), interpreter.text(old), interpreter.text(new)
    if not isinstance(count, int):
        interpreter.fault("`replace` counts with an integer")
    interpreter.budget.step(len(text) >> 8)
    found = len(text) + 1 if old == "" else text.count(old)
    if count >= 0:
        found = min(found, count)
    size = len(text) + found * (len(new) - len(old))
    interpreter.budget.grow(size, len(text))
    return text.replace(old, new, count)


def pay_for_parts(interpreter: Interpreter, text: str, separator: str | None, maxsplit: int) -> None:
    """Pay for the list that a split gives before it is made."""
    if separator is not None and not isinstance(separator, str):
        interpreter.fault(f"splits at text, not at {describe(separator)}")
    if separator == "":
        interpreter.fault("can't split at an empty text")
    if not isinstance(maxsplit, int):
        interpreter.fault("the number of splits is an integer")
    parts = text.count(separator) + 1 if separator is not None else len(text) // 2 + 1
    if maxsplit >= 0:
        parts = min(parts, maxsplit + 1)
    interpreter.budget.take(60 * parts + 4 * len(text))


def split(interpreter: Interpreter, value: Any, separator: str | None = None, maxsplit: int = -1) -> list[str]:
    text = interpreter.text(value)
    pay_for_parts(interpreter, text, separator, maxsplit)
    return text.split(separator, maxsplit)


def lines(interpreter: Interpreter, value: Any) -> list[str]:
    text = interpreter.text(value)
    interpreter.budget.take(60 * (text.count("\n") + 1) + 4 * len(text))
    parts = text.split("\n")
    if parts and parts[-1] == "":
        parts.pop()
    return parts


def upper(interpreter: Interpreter, value: Any) -> str:
    return text_of(interpreter, value).upper()


def lower(interpreter: Interpreter, value: Any) -> str:
    return text_of(interpreter, value).lower()


def capitalize(interpreter: Interpreter, value: Any) -> str:
    return text_of(interpreter, value).capitalize()


_WORD_START = re.compile(r"([-\s({\[<]+)")


def title(interpreter: Interpreter, value: Any) -> str:
    text = text_of(interpreter, value)
    interpreter.budget.take(60 * len(text))
    words = _WORD_START.split(text)
    interpreter.budget.step(len(words))
    return "".join(word[:1].upper() + word[1:].lower() for word in words)


def trim(interpreter: Interpreter, value: Any, chars: str | None = None) -> str:
    text = text_of(interpreter, value)
    if chars is not None and (not isinstance(chars, str) or len(chars) > 100):
        interpreter.fault("`trim` takes up to 100 characters")
    return text.strip(chars)


def string(interpreter: Interpreter, value: Any) -> str:
    return interpreter.text(value)


def escape(interpreter: Interpreter, value: Any) -> str:
    if isinstance(value, Markup):
        return value
    text = text_of(interpreter, value)
    specials = sum(text.count(c) for c in "&<>\"'")
    interpreter.budget.grow(len(text) + 5 * specials, 3 * len(text))
    return Markup(html_escape(text).replace("&#x27;", "&#39;").replace("&quot;", "&#34;"))


def safe(interpreter: Interpreter, value: Any) -> str:
    return Markup(text_of(interpreter, value))


def striptags(interpreter: Interpreter, value: Any) -> str:
    text = text_of(interpreter, value)
    out: list[str] = []
    position = 0
    while True:
        interpreter.budget.step()
        opened = text.find("<", position)
        closed = text.find(">", opened) if opened >= 0 else -1
        if closed < 0:
            out.append(text[position:])
            break
        out.append(text[position:opened])
        position = closed + 1
    import html

    return html.unescape(" ".join("".join(out).split()))


def center(interpreter: Interpreter, value: Any, width: int = 80) -> str:
    text = text_of(interpreter, value)
    if not isinstance(width, int):
        interpreter.fault("`center` takes a width")
    interpreter.budget.grow(max(width, len(text)), len(text))
    return text.center(width)


def indent(interpreter: Interpreter, value: Any, width: int | str = 4, first: bool = False, blank: bool = False) -> str:
    text = text_of(interpreter, value)
    if isinstance(width, int):
        interpreter.budget.grow(max(0, width))
        width = " " * width
    if not isinstance(width, str):
        interpreter.fault("`indent` takes a number or a text")
    rows = text.split("\n")
    interpreter.budget.step(len(rows) >> 2)
    interpreter.budget.grow(len(text) + len(width) * len(rows), len(text))
    out = [rows[0], *((width + row if row or blank else row) for row in rows[1:])]
    return (width if first else "") + "\n".join(out)


def truncate(
    interpreter: Interpreter,
    value: Any,
    length: int = 255,
    killwords: bool = False,
    end: str = "...",
    leeway: int = 5,
) -> str:
    text = text_of(interpreter, value)
    if not isinstance(length, int) or not isinstance(end, str) or not isinstance(leeway, int) or length < len(end):
        interpreter.fault("`truncate` takes a length that has room for its end")
    if len(text) <= length + max(0, leeway):
        return text
    cut = text[: length - len(end)]
    return (cut if killwords else cut.rsplit(" ", 1)[0]) + end


def wordcount(interpreter: Interpreter, value: Any) -> int:
    text = text_of(interpreter, value)
    interpreter.budget.take(30 * len(text))
    return len(re.findall(r"\w+", text))


def wordwrap(
    interpreter: Interpreter,
    value: Any,
    width: int = 79,
    break_long_words: bool = True,
    wrapstring: str = "\n",
    break_on_hyphens: bool = True,
) -> str:
    import textwrap

    text = text_of(interpreter, value)
    if not isinstance(width, int) or width < 1 or not isinstance(wrapstring, str):
        interpreter.fault("`wordwrap` takes a width of at least 1")
    interpreter.budget.step(len(text) // width + (len(text) >> 1))
    interpreter.budget.take(100 * (len(text) // width + text.count(" ")))
    wrapper = textwrap.TextWrapper(
        width=width,
        expand_tabs=False,
        replace_whitespace=False,
        break_long_words=bool(break_long_words),
        break_on_hyphens=bool(break_on_hyphens),
    )
    wrapped = [wrapper.wrap(row) for row in text.splitlines()]
    rows = sum(map(len, wrapped)) + len(wrapped)
    interpreter.budget.grow(len(text) + len(wrapstring) * rows, len(text))
    return wrapstring.join(wrapstring.join(row) for row in wrapped)


def urlencode(interpreter: Interpreter, value: Any) -> str:
    from urllib.parse import quote

    def part(item: Any, *, query: bool) -> str:
        text = interpreter.text(item)
        interpreter.budget.step(len(text) >> 4)
        interpreter.budget.grow(9 * len(text), 9 * len(text))
        raw = text.encode("utf-8", "surrogateescape")
        return quote(raw, safe="").replace("%20", "+") if query else quote(raw, safe="/")

    if isinstance(value, dict):
        value = [[key, member] for key, member in value.items()]
    if not isinstance(value, list):
        return part(value, query=False)
    interpreter.budget.step(len(value))
    if not all(isinstance(pair, list) and len(pair) == 2 for pair in value):
        interpreter.fault("`urlencode` takes text, an object, or a list of pairs")
    return "&".join(f"{part(key, query=True)}={part(member, query=True)}" for key, member in value)


def tojson(interpreter: Interpreter, value: Any, indent: int | None = None, sort_keys: bool = False) -> str:
    if indent is not None and (not isinstance(indent, int) or isinstance(indent, bool) or not 0 <= indent <= 16):
        interpreter.fault("`tojson` indents by 0 to 16")
    size = interpreter.budget.measure(value)
    interpreter.budget.take((2 if indent is None else 2 + indent * 2) * size)
    return to_json_text(value, indent=indent, sort_keys=bool(sort_keys))


def fromjson(interpreter: Interpreter, value: Any) -> Any:
    import json

    if not isinstance(value, str):
        interpreter.fault(f"`fromjson` reads text, not {describe(value)}")
    members = sum(value.count(c) for c in ",[{")
    interpreter.budget.take(100 * members + 4 * len(value))
    interpreter.budget.step(len(value) >> 6)

    def no_number(text: str) -> Any:
        interpreter.fault(f"`fromjson`: {text} is no JSON number")

    def integer(text: str) -> int:
        return int(text) if len(text) <= 1000 else no_number(text[:20] + "…")

    try:
        return json.loads(value, parse_constant=no_number, parse_int=integer)
    except RecursionError:
        interpreter.fault("`fromjson`: the text is nested too deeply")
    except ValueError as error:
        why = alike(error) if isinstance(error, json.JSONDecodeError) else error
        interpreter.fault(f"`fromjson`: {describe(value)} is not JSON: {why}")


def b64encode(interpreter: Interpreter, value: Any) -> str:
    import base64

    text = text_of(interpreter, value)
    return base64.b64encode(text.encode("utf-8", "surrogateescape")).decode("ascii")


def b64decode(interpreter: Interpreter, value: Any) -> str:
    import base64

    text = text_of(interpreter, value)
    try:
        return base64.b64decode(text.encode("ascii"), validate=True).decode("utf-8")
    except ValueError:
        interpreter.fault(f"`b64decode`: {describe(value)} is not the base64 of a text")


def sha256(interpreter: Interpreter, value: Any) -> str:
    import hashlib

    return hashlib.sha256(text_of(interpreter, value).encode("utf-8", "surrogateescape")).hexdigest()


def basename(interpreter: Interpreter, value: Any) -> str:
    return text_of(interpreter, value).rstrip("/").rpartition("/")[2]


def dirname(interpreter: Interpreter, value: Any) -> str:
    text = text_of(interpreter, value)
    head = text.rstrip("/").rpartition("/")[0]
    return head.rstrip("/") or ("/" if text.startswith("/") else "")
