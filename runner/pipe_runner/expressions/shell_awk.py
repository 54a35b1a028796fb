"""Programs of awk that print numbers and nothing else."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from pipe_runner.expressions.shell_model import Word

FORMAT: Final = r"(?:%[0-9]*[diu]|%\.0f)+(?:\\n)?"
"""Formats of `printf` that make a number of all they are given."""
LONGEST: Final = 2000
"""Characters of a program that is read."""
_DEEPEST: Final = 8
_BRACKETS: Final = 60
_MOST: Final = 20
"""Statements that print."""
_OTHER_OPTION: Final = re.compile(
    r"-[efiElo].*|--(?:source|file|include|exec|load).*|(?:-v|--assign=)?(?:ORS|OFMT)=.*", re.DOTALL
)
"""What brings in another program, or changes what is printed behind a number."""
_SAID: Final = re.compile(rf"print(?:f\s*\(?\s*\"{FORMAT}\"[^;}}>|\n]*(?=[;}}\n]|\Z)|\b(?P<printed>[^;}}\n]*))")
_TEXTUAL: Final = re.compile(r"sub\(|getline|\bin\b|split\(|match\(|\bN[RF]\s*[-+*/]?=(?!=)")
"""What may give a variable of awk a text."""
_TEXT: Final = re.compile(r'"(?:\\.|[^"\\\n])*"')
_PATTERN: Final = re.compile(r"(^|[;{}~(,!&|\n])(\s*)/(?:\\.|[^/\\\n])+/")
_BLOCK: Final = re.compile(r"\{[^{}]*\}")
_INNER: Final = re.compile(r"(?P<name>\$|[A-Za-z_]\w*)?(?:\((?P<within>[^()\[\]]*)\)|\[[^()\[\]]*\])")
_COMPARED: Final = re.compile(r"[^?:,=<>!~]*(?:[<>]=?|[=!]=|!?~)[^?:,=]*")
_OPERATOR: Final = re.compile(r"\s*[-+*/%^]\s*")
_OPERAND: Final = re.compile(r"\$?\w+|\d*\.\d+")
_NUMBER: Final = re.compile(r"-?\d+(?:\.\d+)?")
_COUNTERS: Final = frozenset({"NR", "NF", "length"})


def awk_prints_number(words: Sequence[Word]) -> bool:
    """`awk '{s += $1} END {print s}'`: all that it prints is counted or calculated."""
    program = next((word.text for word in words if "print" in word.text), "")
    if len(program) > LONGEST or not 0 < program.count("print") <= _MOST:
        return False
    said = [_SAID.match(program, found.start()) for found in re.finditer("print", program)]
    if None in said or "system" in program or not _all_in_braces(program):
        return False
    if any(_OTHER_OPTION.fullmatch(word.text) for word in words):
        return False
    printed = [found["printed"].strip() for found in said if found and found["printed"] is not None]
    return all(_figured(each) or _counted(each, program, words) for each in printed)


def _all_in_braces(program: str) -> bool:
    """Whether awk does something of its own accord nowhere: a pattern without braces prints its line."""
    outside = _PATTERN.sub(r"\1\2r", _TEXT.sub('""', program))
    for _ in range(_DEEPEST):
        outside = _BLOCK.sub("\0", outside)
    *patterns, end = outside.split("\0")
    return not end.strip(" \t\n;") and not any(set("{};\n") & set(each.lstrip(" \t\n;")) for each in patterns)


def _figured(text: str) -> bool:
    """Whether an expression is calculated as a whole: two operands side by side would be one text."""
    text = _TEXT.sub('"', text)
    if text.count("(") + text.count("[") > _BRACKETS:
        return False
    for _ in range(_DEEPEST):  # what stands in the innermost brackets becomes one operand
        text = _INNER.sub(_operand, text)
    parts = _OPERATOR.split(text.strip())
    return _NUMBER.fullmatch(text.strip()) is not None or (len(parts) > 1 and all(map(_OPERAND.fullmatch, parts)))


def _operand(found: re.Match[str]) -> str:
    """` 0 ` for brackets of which a number comes, ` v ` for others."""
    name, within = found["name"], found["within"]
    if within is None or name:
        return " 0 " if name in ("length", "int") and within is not None else " v "
    if "," in within:
        return " ? "
    return " 0 " if _COMPARED.fullmatch(within) or _figured(within) else " v "


def _counted(name: str, program: str, words: Sequence[Word]) -> bool:
    """Whether a variable of awk is only added to or calculated, or counts by itself."""
    if _TEXTUAL.search(program):
        return False
    if name in _COUNTERS:
        return True
    if not name.isidentifier() or any(re.match(rf"(?:-v|--assign=)?{name}=", word.text) for word in words):
        return False
    given = re.findall(rf"(?<![\w$]){name}\s*=(?!=)([^;}}\n]*)", program)
    added = re.search(rf"(?<![\w$]){name}\s*(?:\+\+|[-+*/]=)|\+\+{name}\b", program)
    return bool(given or added) and all(_figured(each) for each in given)
