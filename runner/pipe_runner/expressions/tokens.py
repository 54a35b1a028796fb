"""Splits an expression into tokens that carry character offsets; jinja2's parser reads them as its own."""

from __future__ import annotations

import codecs
import re
from typing import Final, NamedTuple

from pipe_runner.expressions.compiled import Fault

MAX_TOKENS: Final = 5000
"""Tokens in one expression; a longer one is no expression that somebody wrote."""
MAX_DEPTH: Final = 32
"""Brackets, signs, `not`s or `if`s inside one another; jinja2's parser takes 15 Python frames for each."""
MAX_DIGITS: Final = 400
MAX_NAME: Final = 200

_TOKEN: Final = re.compile(
    r"""
    (?P<space>\s+)
  | (?P<float>(?<!\.)[0-9][0-9_]*(?:\.[0-9][0-9_]*(?:[eE][+-]?[0-9]+)?|[eE][+-]?[0-9]+))
  | (?P<integer>0[xX][0-9a-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|[0-9][0-9_]*)
  | (?P<name>[^\W\d]\w*)
  | (?P<string>'[^'\\]*(?:\\.[^'\\]*)*'|"[^"\\]*(?:\\.[^"\\]*)*")
  | (?P<operator>\*\*|//|==|!=|>=|<=|[-+/*%~\[\](){}<>=.:|,;])
    """,
    re.VERBOSE | re.DOTALL,
)
_OPERATORS: Final = {
    "**": "pow",
    "//": "floordiv",
    "==": "eq",
    "!=": "ne",
    ">=": "gteq",
    "<=": "lteq",
    "-": "sub",
    "+": "add",
    "/": "div",
    "*": "mul",
    "%": "mod",
    "~": "tilde",
    "[": "lbracket",
    "]": "rbracket",
    "(": "lparen",
    ")": "rparen",
    "{": "lbrace",
    "}": "rbrace",
    "<": "lt",
    ">": "gt",
    "=": "assign",
    ".": "dot",
    ":": "colon",
    "|": "pipe",
    ",": "comma",
    ";": "semicolon",
}
_CLOSING: Final = frozenset("}%-+")
"""What the end of an expression or a block begins with."""
_PAIRS: Final = {")": "(", "]": "[", "}": "{"}
_ESCAPE: Final = re.compile(r"\\(?:[0-7]{1,3}|x..|u.{4}|U.{8}|N\{[^}]*\}|.)", re.DOTALL)
_SIMPLE_ESCAPES: Final = {"\\n": "\n", "\\t": "\t", "\\\\": "\\", "\\'": "'", '\\"': '"'}
_FOREIGN: Final = {
    "&": ("`&&` is no operator here", "write `and`"),
    "!": ("`!` is no operator here", "write `not x`, or `x != y`"),
    "?": ("`?` is no operator here", "write `a if condition else b`"),
    "$": ("`$` means nothing in an expression", "name the value: `inputs.x`, `env.X`, `nodes.a.output`"),
    "`": ("a back-quote means nothing in an expression", "write text in quotes: 'text'"),
    "'": ("text without its closing quote", None),
    '"': ("text without its closing quote", None),
    "\\": ("a backslash means nothing outside quotes", None),
}


class Token(NamedTuple):
    """`type` is jinja2's word for it; `value` is decoded for strings and numbers."""

    offset: int
    type: str
    value: object


class Refused(Exception):
    """A template that can't be compiled; carries the fault."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


def tokenize(text: str, start: int, closing: str | None, stop: int | None = None) -> tuple[list[Token], int, bool]:
    """Tokens from `start` up to `closing` (`}}`, `%}`; None: up to `stop`).

    Gives the tokens, the offset after `closing`, and whether a `-` before it strips the space that follows.
    Raises Refused with the place of what can't be read.
    """
    end = len(text) if stop is None else stop
    tokens: list[Token] = []
    open_brackets: list[tuple[str, int]] = []
    position = start
    while True:
        if closing is not None and not open_brackets and text[position : position + 1] in _CLOSING:
            if text.startswith(closing, position):
                return tokens, position + len(closing), False
            if text.startswith("-" + closing, position):
                return tokens, position + len(closing) + 1, True
            if closing == "%}" and text.startswith("+%}", position):
                return tokens, position + 3, False
        if position >= end:
            break
        found = _TOKEN.match(text, position, end)
        if found is None:
            raise Refused(_unreadable(text, position))
        kind = found.lastgroup
        raw = found[0]
        if kind != "space":
            token = _token(kind or "", raw, position)
            if kind == "operator":
                if raw == "|" and text.startswith("||", position):
                    raise Refused(_unreadable(text, position))
                if raw in "([{":
                    open_brackets.append((raw, position))
                elif raw in _PAIRS:
                    _close(raw, position, open_brackets)
            tokens.append(token)
            if len(tokens) > MAX_TOKENS:
                raise Refused(Fault("E403", f"the expression is longer than {MAX_TOKENS} words", start))
            if len(open_brackets) > MAX_DEPTH:
                raise Refused(Fault("E403", f"brackets nested more than {MAX_DEPTH} deep", position))
        position = found.end()
    if open_brackets:
        bracket, offset = open_brackets[-1]
        raise Refused(Fault("E401", f"`{bracket}` is never closed", offset))
    if closing is not None:
        raise Refused(unclosed(start - 2, closing))
    return tokens, position, False


def unclosed(offset: int, closing: str) -> Fault:
    opening = {"}}": "{{", "%}": "{%", "#}": "{#"}[closing]
    return Fault(
        "E402",
        f"`{opening}` without its `{closing}`",
        max(offset, 0),
        2,
        "close it, or write {% raw %}" + opening + "{% endraw %} where the text itself is meant",
    )


def _token(kind: str, raw: str, offset: int) -> Token:
    if kind == "operator":
        return Token(offset, _OPERATORS[raw], raw)
    if kind == "name":
        if len(raw) > MAX_NAME:
            raise Refused(Fault("E403", f"a name of more than {MAX_NAME} letters", offset, len(raw)))
        if not raw.isidentifier():
            raise Refused(Fault("E401", f"{raw!r} is no name", offset, len(raw)))
        return Token(offset, "name", raw)
    if kind == "string":
        return Token(offset, "string", _unescape(raw, offset))
    if len(raw) > MAX_DIGITS:
        raise Refused(Fault("E403", f"a number of more than {MAX_DIGITS} digits", offset, len(raw)))
    try:
        if kind == "integer":
            return Token(offset, "integer", int(raw.replace("_", ""), 0 if raw[1:2] in "xXoObB" and raw[1:2] else 10))
        return Token(offset, "float", float(raw.replace("_", "")))
    except ValueError:
        raise Refused(Fault("E401", f"`{raw}` is no number", offset, len(raw))) from None


def _unescape(raw: str, offset: int) -> str:
    inner = raw[1:-1]
    if "\\" not in inner:
        return inner

    def decode(found: re.Match[str]) -> str:
        escape = found[0]
        if escape in _SIMPLE_ESCAPES:
            return _SIMPLE_ESCAPES[escape]
        if escape[1] in "abfnrtvxuUN01234567'\"\\\n":
            try:
                return codecs.decode(escape.encode("ascii"), "unicode_escape")
            except (UnicodeError, ValueError):
                place = offset + 1 + found.start()
                raise Refused(Fault("E401", f"`{escape}` is no escape sequence", place, len(escape))) from None
        return escape

    return _ESCAPE.sub(decode, inner)


def _close(bracket: str, offset: int, open_brackets: list[tuple[str, int]]) -> None:
    if not open_brackets:
        raise Refused(Fault("E401", f"`{bracket}` closes nothing", offset))
    opened, where = open_brackets.pop()
    if opened != _PAIRS[bracket]:
        raise Refused(
            Fault("E401", f"`{bracket}` stands where `{opened}` at character {where + 1} should be closed", offset)
        )


def _unreadable(text: str, position: int) -> Fault:
    character = text[position]
    if text.startswith("||", position):
        return Fault("E401", "`||` is no operator here", position, 2, "write `or`")
    if text.startswith("??", position):
        return Fault("E401", "`??` is no operator here", position, 2, "write `x | default('…')`")
    message, hint = _FOREIGN.get(character, (f"{character!r} means nothing in an expression", None))
    if character == "&" and not text.startswith("&&", position):
        message = "`&` is no operator here"
    return Fault("E401", message, position, 1, hint)
