"""From the text of a value or a condition to a Compiled; jinja2 is imported only where a text needs its grammar."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from pipe_runner.expressions.compiled import Compiled, Fault, Path, Reference
from pipe_runner.expressions.plain import DOTTED, PLAIN, ROOTS, plain_path

if TYPE_CHECKING:
    from pipe_runner.expressions.tokens import Token

MAX_TEXT: Final = 2**20
"""Characters of a text that holds templates."""
MAX_CONDITION: Final = 2**14
CACHED: Final = 4096
"""Characters of a text that is kept with what it compiled to."""
MAX_REFERENCES: Final = 10_000
"""Plain references in one text."""

_MARK: Final = re.compile(r"\{[{%#]")
_FAST: Final = re.compile(r"\{\{" + DOTTED.pattern + r"\}\}")
_HOLE: Final = re.compile(r"\{\{" + PLAIN.pattern + r"\}\}")
_CONSTANTS: Final = {"true": True, "false": False, "True": True, "False": False}


def compile_value(text: str) -> tuple[Compiled, list[Fault]]:
    """Compile a text of `env`, `with`, `outputs`, …; a text that is one whole expression keeps its value's type.

    Gives a Compiled even where there are faults, with the references that could be read. The result is shared
    between equal texts: treat the list as read-only.
    """
    if "{" not in text or _MARK.search(text) is None:
        return Compiled("literal", text, text), []
    return _cached(text) if len(text) <= CACHED else _compile(text)


@lru_cache(maxsize=32768)
def _cached(text: str) -> tuple[Compiled, list[Fault]]:
    found = _FAST.fullmatch(text)
    if found is not None:
        path = tuple(found[1].split("."))
        if path[0] in ROOTS and len(path) > 1:
            return _reference(text, path, found.start(1))
    return _compile(text)


def compile_condition(text: str) -> tuple[Compiled, list[Fault]]:
    """Compile the bare expression of `when:`; `{{ x }}` around it is a fault that shows the bare form."""
    if len(text) > MAX_CONDITION:
        too_long = Fault("E403", f"a condition of more than {MAX_CONDITION >> 10} KiB", 0, 1)
        return Compiled("literal", text, False), [too_long]
    return _condition(text)


def compile_over(text: str, roots: frozenset[str], *, condition: bool) -> tuple[Compiled, list[Fault]]:
    """As `compile_condition` or `compile_value`, for expressions that begin with other names than a pipeline's."""
    from pipe_runner.expressions.foreign import condition_fault, value_faults

    if len(text) > (MAX_CONDITION if condition else MAX_TEXT):
        return Compiled("literal", text, text), [_too_long()]
    if not condition:
        foreign = value_faults(text)
        return (Compiled("literal", text, text), foreign) if foreign else _template(text, roots)
    fault = condition_fault(text)
    if fault is not None:
        return Compiled("literal", text, False), [fault]
    return _tree_of(text, 0, text, commas=False, roots=roots)


@lru_cache(maxsize=8192)
def _condition(text: str) -> tuple[Compiled, list[Fault]]:
    from pipe_runner.expressions.foreign import condition_fault

    nothing = Compiled("literal", text, False)
    fault = condition_fault(text)
    if fault is not None:
        return nothing, [fault]
    found = PLAIN.fullmatch(text)
    if found is not None:
        if found[1] in _CONSTANTS:
            return Compiled("literal", text, _CONSTANTS[found[1]]), []
        path = plain_path(found[1])
        if path is not None and path[0] in ROOTS and path[0] != "secrets":
            return _reference(text, path, found.start(1))
    return _tree_of(text, 0, text, commas=False)


def compile_hole(text: str, start: int, end: int, tokens: Sequence[Token]) -> tuple[Compiled, list[Fault]]:
    """Compile the expression that stands in `text[start:end]`, without its braces; offsets count in the whole text."""
    source = text[start:end]
    found = PLAIN.fullmatch(text, start, end)
    if found is not None:
        path = plain_path(found[1])
        if path is not None and path[0] in ROOTS:
            return _reference(source, path, found.start(1))
    return _tree_of(text, start, source, commas=True, stop=end, tokens=tokens)


def _reference(text: str, path: Path, offset: int) -> tuple[Compiled, list[Fault]]:
    compiled = Compiled("reference", text, path, (Reference(path, offset),))
    if path[0] == "inputs" or path[0] == "env":
        return compiled, []
    from pipe_runner.expressions.checks import check_path

    fault = check_path(path, offset)
    return compiled, [fault] if fault else []


def _compile(text: str) -> tuple[Compiled, list[Fault]]:
    from pipe_runner.expressions.foreign import value_faults

    if len(text) > MAX_TEXT:
        return Compiled("literal", text, text), [_too_long()]
    foreign = value_faults(text)
    if foreign:
        return Compiled("literal", text, text), foreign
    plain = _plain_text(text)
    if plain is not None:
        return plain
    return _template(text)


def _template(text: str, roots: frozenset[str] = ROOTS) -> tuple[Compiled, list[Fault]]:
    from pipe_runner.expressions.segments import split
    from pipe_runner.expressions.tokens import Refused

    segments, faults = split(text)
    if not faults and len(segments) == 1 and segments[0].kind == "expression" and segments[0].text == text:
        return _tree_of(text, 2, text, commas=True, stop=len(text) - 2, tokens=segments[0].tokens, roots=roots)
    if not faults and all(segment.kind == "data" for segment in segments):
        return Compiled("literal", text, "".join(segment.text for segment in segments)), []
    from pipe_runner.expressions.grammar import parse_template
    from pipe_runner.expressions.tree import Lowering

    lowering = Lowering([token for segment in segments for token in segment.tokens], roots)
    body: list[Any] = []
    try:
        if not faults:
            body = lowering.body(parse_template(segments))
    except Refused as refused:
        faults = [*faults, refused.fault]
    compiled = Compiled("jinja", text, body, tuple(lowering.references), whole=False)
    return compiled, [*faults, *lowering.faults]


def _plain_text(text: str) -> tuple[Compiled, list[Fault]] | None:
    """Text with nothing but plain references in it, or one plain reference; None: it needs the grammar."""
    if "{%" in text or "{#" in text or "{{-" in text or "-}}" in text or "{{+" in text:
        return None
    from pipe_runner.expressions.checks import check_path

    parts: list[str | Path] = []
    references: list[Reference] = []
    faults: list[Fault] = []
    position = 0
    while (start := text.find("{{", position)) >= 0:
        found = _HOLE.match(text, start)
        path = plain_path(found[1]) if found else None
        if found is None or path is None or path[0] not in ROOTS:
            return None
        if start > position:
            parts.append(text[position:start])
        parts.append(path)
        if len(references) == MAX_REFERENCES:
            faults.append(Fault("E403", f"more than {MAX_REFERENCES} references in one text", start, 2))
            break
        references.append(Reference(path, found.start(1)))
        fault = check_path(path, found.start(1))
        if fault is not None:
            faults.append(fault)
        position = found.end()
    if position < len(text):
        parts.append(text[position:])
    if len(parts) == 1:
        return Compiled("reference", text, parts[0], tuple(references)), faults
    return Compiled("text", text, tuple(parts), tuple(references), whole=False), faults


def _tree_of(
    text: str,
    start: int,
    source: str,
    *,
    commas: bool,
    stop: int | None = None,
    tokens: Sequence[Token] | None = None,
    roots: frozenset[str] = ROOTS,
) -> tuple[Compiled, list[Fault]]:
    from pipe_runner.expressions.tokens import Refused, tokenize

    lowering = None
    tree: list[Any] = ["const", None]
    faults: list[Fault] = []
    try:
        if tokens is None:
            tokens, _, _ = tokenize(text, start, None, stop)
        from pipe_runner.expressions.grammar import parse_expression
        from pipe_runner.expressions.tree import Lowering

        lowering = Lowering(tokens, roots)
        end = len(text) if stop is None else stop
        tree = lowering.expression(parse_expression(tokens, end, commas=commas))
    except Refused as refused:
        faults.append(refused.fault)
    references = tuple(lowering.references) if lowering else ()
    return Compiled("jinja", source, tree, references), [*faults, *(lowering.faults if lowering else [])]


def _too_long() -> Fault:
    return Fault("E403", f"a text with expressions of more than {MAX_TEXT >> 20} MiB", 0, 2)
