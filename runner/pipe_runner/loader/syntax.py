"""Says in plain sentences where a text is no YAML, and what was probably meant."""

from __future__ import annotations

import json
import re
from typing import Any, Final, NamedTuple

from pipe_runner.errors import CONFLICT, MEND_CONFLICT
from pipe_runner.loader.lines import Lines
from pipe_runner.loader.oddities import MAX_DEPTH, unquoted

_EXPRESSION: Final = re.compile(r"(?:^|[:\-?,\[{]|[:\-?,\[]\s+)\s*(\$?\{\{)")
_KEY_WITHOUT_SPACE: Final = re.compile(r"\s*(?:- +)*[A-Za-z_][\w-]*(:)[^\s:/]")
_WORD: Final = re.compile(r"\s*(?:- +)*[\w.-]+\s*(?:#.*)?$")
_KEY_BEFORE_SPACE: Final = re.compile(r"\s*(?:- +)*([A-Za-z_][\w-]*)\s+(\S.*)$")
_NO_SPACE_TO_YAML: Final = re.compile(r"\s*(?:- +)*[\w.-]+:([^\S \t\r\n])")
_VALUE: Final = re.compile(r"\s*(?:- +)*[^\s:#][^:]*:\s+(\S.*)$")
_VALUE_OF_LINE: Final = re.compile(r"(\s*(?:- +)*(?:[^\s:#'\"\[{&*!|>@`%-][^:]*: +|(?<=- )))([^\s|>].*?)\s*(?:\s#.*)?$")
_IN_ENTRY: Final = r"(?:[^\[\]{},:'\"]|:(?!\s))*"
_TEXT_BEFORE: Final = re.compile(rf"(?:[\[{{,]|:(?=\s))\s*((?!\s){_IN_ENTRY})$")
"""What stands before an expression in an entry of a map or list on one line."""
_WITH_EXPRESSION: Final = re.compile(rf"{_IN_ENTRY}(?:\{{\{{.*?\}}\}}{_IN_ENTRY})+")
_PAIR: Final = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}")
_QUOTE_IT: Final = "quote the whole value"


_LONG_LINE: Final = 2000
"""Characters up to which a line is searched for what was meant; the search may take their square."""


class Explained(NamedTuple):
    """A diagnostic to be: `place` is the offset that it points at."""

    code: str
    message: str
    place: int
    length: int = 1
    hint: str | None = None
    mend: tuple[int, int] | None = None
    """The value, from offset to offset, without which the text may be valid."""


class _Place:
    """The place of a syntax error, with what stands around it."""

    def __init__(self, error: Any, lines: Lines) -> None:
        self.lines = lines
        self.text = text = lines.text
        self.problem: str = (error.problem or "").lower()
        self.context: str = (error.context or "").lower()
        mark, began = error.problem_mark, error.context_mark
        self.index: int = min(mark.index, len(text)) if mark else 0
        self.began: int = min(began.index, len(text)) if began else self.index
        position = lines.position(self.index)
        self.line = position.line
        self.source = lines.line(position.line)
        self.column = position.column - 1
        self.before = self.source[: self.column]
        self.char = text[self.index : self.index + 1]
        self.began_line = lines.position(self.began).line

    @property
    def line_start(self) -> int:
        return self.index - self.column

    def value(self) -> tuple[int, int] | None:
        """The value on this line that holds the error, from offset to offset; None where that isn't clear."""
        found = _VALUE_OF_LINE.match(self.source) if len(self.source) <= _LONG_LINE else None
        start = self.line_start
        if found is None or found.start(2) > self.column or found.end(2) - found.start(2) < 2:
            return None
        if "flow" in self.context and self.began < start + found.start(2):
            return None
        return start + found.start(2), start + found.end(2)

    def previous(self) -> tuple[int, str]:
        """Number and text of the last line above that isn't blank or a comment; 0 and "" if there is none."""
        for number in range(self.line - 1, 0, -1):
            line = self.lines.line(number)[:_LONG_LINE]
            if line.strip() and not line.lstrip().startswith("#"):
                return number, line
        return 0, ""


_TOO_DEEP: Final = "exceeded maximum nesting depth"
"""What libyaml says from 0.2.6 on; it may look that far ahead before the event on which the depth is counted."""


def explain(error: Any, lines: Lines) -> Explained:
    """Translates a parser's error, which has `problem`, `problem_mark`, `context` and `context_mark`."""
    place = _Place(error, lines)
    conflict = CONFLICT.search(place.text)
    if conflict is not None:
        return Explained("E101", "git left a conflict of a merge here", conflict.start(), 7, MEND_CONFLICT)
    if place.problem == _TOO_DEEP:
        return Explained("E116", f"more than {MAX_DEPTH} maps and lists inside one another", place.index)
    for rule in _RULES_OF_LONG_LINES if len(place.source) > _LONG_LINE else _RULES:
        found = rule(place)
        if found is not None:
            return found if found.mend or found.code == "E102" else found._replace(mend=place.value())
    return Explained("E101", f"not valid YAML: {place.problem or 'unexpected text'}", place.index)


def _tab(place: _Place) -> Explained | None:
    indentation = place.source[: len(place.source) - len(place.source.lstrip())]
    at = place.index
    if place.char != "\t":
        if "tab" not in place.problem and ("\t" not in indentation or len(indentation) < place.column):
            return None
        if "\t" in indentation:
            at = place.line_start + indentation.index("\t")
    elif place.before.strip(" -?:"):
        return None
    return Explained("E102", "a tab in the indentation", at, 1, "YAML indents with spaces: replace it by spaces")


def _expression(place: _Place) -> Explained | None:
    """An unquoted `{{ … }}` that has brackets, quotes or more text, so that it isn't even a map."""
    line, start, source = place.line, place.line_start, place.source
    if "flow" in place.context and place.began_line < place.line:
        line = place.began_line
        source = place.lines.line(line)[:_LONG_LINE]
        start = place.lines.start(line)
    limit = (place.index if line == place.line else place.began) - start + 1
    expressions = list(_EXPRESSION.finditer(source[: limit + 1]))
    if not expressions:
        if "{%" in source[:limit] and place.char == "%":
            return Explained("E117", "an unquoted template block", place.index - 1, 2, _QUOTE_IT)
        return None
    found = expressions[-1]  # those before it were understood
    begin = found.start(1)
    if found[1].startswith("$"):
        message = "expressions are written {{ … }}, without a dollar, in quotes"
        return Explained("E117", message, start + begin, 3, 'for example: "{{ inputs.name }}"')
    value = source[begin:].rstrip()
    sign = source[:begin].strip()[-1:]
    closed = value.find("}}")
    if closed >= 0 and (
        sign in ("[", ",", "{") or (not sign and value[closed + 2 : closed + 3] in ("", ",", "]", "}"))
    ):
        value = value[: closed + 2]  # among the entries of a list or map on one line
        mend = (start + begin, start + begin + len(value))
        return Explained("E117", *unquoted(value, start + begin), mend)
    return Explained("E117", *unquoted(_uncommented(value), start + begin))


def _uncommented(value: str) -> str:
    """Without the comment behind an expression."""
    return re.sub(r"(}}[^#'\"]*?)\s+#.*$", r"\1", value)


def _start_of_value(place: _Place) -> Explained | None:
    char = place.char
    if "cannot start any token" in place.problem:
        if char in "@`":
            return Explained("E101", f"a value can't begin with {char}, which YAML reserves", place.index, 1, _QUOTE_IT)
        if char == "%":
            return Explained("E101", "a value can't begin with %", place.index, 1, _QUOTE_IT)
        return Explained("E101", "a value can't begin like this", place.index, 1, _QUOTE_IT)
    if "scanning an alias" in place.context or "scanning an anchor" in place.context:
        sign = "*" if "alias" in place.context else "&"
        what = "an alias" if sign == "*" else "an anchor"
        hint = f"quote the whole value: YAML takes text that begins with {sign} for {what}"
        return Explained("E101", f"{sign} is followed by no name", place.began, 1, hint)
    if "tag" in place.context or "tag handle" in place.problem:
        hint = "text that begins with ! needs quotes"
        return Explained("E110", "tags are not supported, and this one is incomplete", place.began, 1, hint)
    if "directive" in place.context or "incompatible yaml document" in place.problem or "directive" in place.problem:
        message = "a line that begins with % is a directive, and this one is not known"
        return Explained("E120", message, place.began, 1, "remove it; files are read as YAML 1.2")
    return None


def _quote(place: _Place) -> Explained | None:
    if "quoted scalar" not in place.context and "block scalar" not in place.context:
        return None
    if "end of stream" in place.problem or "document indicator" in place.problem or "separator" in place.problem:
        quote = place.text[place.began : place.began + 1]
        where = "" if "stream" in place.problem else f" before line {place.line}"
        return Explained(
            "E101", f"this {quote} is never closed{where}", place.began, 1, f"close it with another {quote}"
        )
    if "unknown escape" in place.problem:
        at = place.text.rfind("\\", 0, place.index + 1)
        char = place.text[at + 1 : at + 2]
        hint = f"write \\\\{char} for a backslash, or put the value in single quotes"
        return Explained("E101", f"\\{char} is no escape in double quotes", at, 2, hint)
    if "escape" in place.problem or "hex" in place.problem:
        at = max(place.text.rfind("\\", 0, place.index + 1), 0)
        if pair := _PAIR.match(place.text, at):
            char = json.loads(f'"{pair[0]}"')
            hint = f"write {char} itself (in Python: `json.dumps(…, ensure_ascii=False)`), or \\U{ord(char):08X}"
            return Explained("E101", "JSON's pair of escapes for one character, which YAML doesn't have", at, 12, hint)
        hint = "write the character itself, or \\xNN, \\uNNNN, \\UNNNNNNNN with hexadecimal digits"
        return Explained("E101", "an escape that stands for no character", at, place.index - at, hint)
    if "block scalar" in place.context and "tab" not in place.problem:
        hint = "text begins on the next line; behind | or > there may only be -, + and a digit from 1 to 9"
        return Explained("E101", "text behind the | or > of a block", place.index, 1, hint)
    return None


def _mapping_value(place: _Place) -> Explained | None:
    """A `:` where no key can end."""
    if "mapping values are not allowed" not in place.problem:
        return None
    earlier = _VALUE.match(place.before + ":")
    if earlier is None:
        earlier = _VALUE.match(place.before)
    if ": " in place.before.lstrip() or (earlier is not None and earlier.start(1) < place.column):
        return Explained(
            "E101",
            "a second `: ` on one line",
            place.index,
            1,
            f"{_QUOTE_IT} if it is text, or write it below as a block with |",
        )
    number, line = place.previous()
    if not number:
        return Explained("E101", "a `:` where no key can end", place.index, 1, _QUOTE_IT)
    start = place.lines.start(number)
    spaced = _KEY_WITHOUT_SPACE.match(line)
    if spaced is not None:
        return _no_space(start + spaced.start(1))
    if _WORD.match(line) and ":" not in line:
        end = start + len(line.rstrip())
        return Explained(
            "E101",
            "a key without `:`",
            start + len(line) - len(line.lstrip()),
            len(line.strip()),
            (f"write {line.strip()}:" if end - start < 60 else None),
        )
    if strange := _NO_SPACE_TO_YAML.match(line):
        message = f"behind the `:` stands U+{ord(strange[1]):04X}, which looks like a space and is none in YAML"
        return Explained("E101", message, start + strange.start(1), 1, "write a space in its place")
    own, above = _indent(place.source), _indent(line)
    keyed = _KEY_BEFORE_SPACE.match(line) if own == above and ":" not in line else None
    if keyed is not None:
        hint = f"write {keyed[1]}: {keyed[2].rstrip()}" if len(keyed[2]) < 60 else None
        return Explained("E101", "a key without `:`", start + keyed.start(1), len(keyed[1]), hint)
    if own > above:
        key = place.before.strip()
        message = f"indented deeper than line {number}, which has a value already"
        hint = f"indent it by {_spaces(above)}, like the line above" if above != own else None
        return Explained("E101", message, place.line_start + own, max(len(key), 1), hint)
    return Explained("E101", "a `:` where no key can end", place.index, 1, _QUOTE_IT)


def _no_space(at: int) -> Explained:
    return Explained("E101", "no space after the `:`", at, 1, "a key is followed by a colon and a space")


def _lost_line(place: _Place) -> Explained | None:
    """A line that is neither an entry of a map nor of a list."""
    if "could not find expected ':'" not in place.problem:
        return None
    line = place.lines.line(place.began_line)[:_LONG_LINE]
    start = place.lines.start(place.began_line)
    found = _KEY_WITHOUT_SPACE.match(line)
    if found:
        return _no_space(start + found.start(1))
    text = line.strip()
    if text.startswith("-") and text[1:2].strip():
        return Explained(
            "E101", "no space after the `-`", place.began, 1, "a list item is a dash, a space and the value"
        )
    hint = "lines of a text that goes on are indented deeper than its key; a key ends with a colon and a space"
    return Explained("E101", "neither `key: value` nor an item of a list", place.began, max(len(text), 1), hint)


def _flow(place: _Place) -> Explained | None:
    """Inside `[…]` or `{…}`."""
    if "flow sequence" not in place.context and "flow mapping" not in place.context:
        if "node content" not in place.problem:
            return None
        if place.char and place.char in "]},":
            message = f"a value can't begin with {place.char}"
            return Explained("E101", message, place.index, 1, "remove it, or quote the value")
        return Explained("E101", "a value is missing", place.index, 1, None)
    opening, closing = ("[", "]") if "sequence" in place.context else ("{", "}")
    if place.began_line < place.line or place.index >= len(place.text):
        hint = f"close it with {closing}, or put a comma between its entries"
        where = "never closed" if place.index >= len(place.text) else f"not closed before line {place.line}"
        return Explained("E101", f"this {opening} is {where}", place.began, 1, hint)
    if place.text.startswith("{{", place.index) and len(place.source) <= _LONG_LINE:
        found = _TEXT_BEFORE.search(place.before)
        value = _WITH_EXPRESSION.match(place.source, found.start(1)) if found is not None else None
        if found is not None and value is not None:
            begin = place.line_start + found.start(1)
            mend = (begin, begin + len(value[0].rstrip()))
            return Explained("E117", *unquoted(value[0].rstrip(), begin), mend)
    hint = "entries are separated by commas; text with brackets, braces or colons needs quotes"
    return Explained("E101", f"a comma or {closing} is missing before this", place.index, 1, hint)


def _key(place: _Place) -> Explained | None:
    """In a block of `key: value` or `- item` lines, something that begins neither."""
    list_item = "did not find expected '-'" in place.problem or "block collection" in place.context
    if not list_item and "expected key" not in place.problem and "<block end>" not in place.problem:
        return None
    if place.before.strip():
        last = place.before.rstrip()[-1]
        if place.char in "]}":
            return Explained(
                "E101", f"a {place.char} that closes nothing", place.index, 1, "remove it, or quote the value"
            )
        if last in "'\"":
            hint = "quote the whole value"
            if last == "'":
                hint += "; an apostrophe inside single quotes is written twice: ''"
            return Explained("E101", "text behind the closing quote", place.index, 1, hint)
        return Explained("E101", "text behind the value", place.index, 1, _QUOTE_IT)
    began = place.lines.position(place.began)
    where = f"the block that begins at line {began.line} is indented by {_spaces(began.column - 1)}"
    if place.column != began.column - 1:
        message = f"indented by {_spaces(place.column)}, which fits no line above"
        return Explained("E101", message, place.index, 1, where)
    if place.char == "-" and not list_item:
        return Explained(
            "E101", "a list item among the keys of a map", place.index, 1, "a list stands under a key of its own"
        )
    if list_item:
        return Explained(
            "E101", "a key among the items of a list", place.index, 1, "indent it, if it belongs to the item above"
        )
    return Explained("E101", "this is no key", place.index, 1, where)


def _small(place: _Place) -> Explained | None:
    if "sequence entries are not allowed" in place.problem:
        hint = "begin the list on the next line, or quote the value if it is text"
        return Explained("E101", "a list can't begin behind its key", place.index, 1, hint)
    if "mapping keys are not allowed" in place.problem:
        return Explained("E101", "a value can't begin with `? `", place.index, 1, _QUOTE_IT)
    if "<document start>" in place.problem:
        message = "text behind the end of the document"
        return Explained("E101", message, place.index, 1, "a file holds one map of keys to values")
    return None


_RULES: Final = (_tab, _expression, _start_of_value, _quote, _mapping_value, _lost_line, _flow, _key, _small)
_RULES_OF_LONG_LINES: Final = (_tab, _start_of_value, _quote, _mapping_value, _lost_line, _flow, _key, _small)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _spaces(number: int) -> str:
    return "no spaces" if number == 0 else f"{number} space{'' if number == 1 else 's'}"
