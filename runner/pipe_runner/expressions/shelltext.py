"""From the text of `run:` and `argv:` to a program in which every value is a variable of the environment."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import accumulate
from typing import Any, Final

from pipe_runner.collecting import uncollected
from pipe_runner.expressions.compile import CACHED, compile_hole
from pipe_runner.expressions.compiled import Compiled, Fault, Mode, Reference, ShellText, raw_mark
from pipe_runner.expressions.shell_marks import mark_hole
from pipe_runner.expressions.shell_model import HOLE, Hole, Word
from pipe_runner.expressions.shell_simple import SIMPLE_COMMANDS
from pipe_runner.expressions.shell_source import ShellSource
from pipe_runner.expressions.tokens import Refused

MAX_SHELL: Final = 2**17
"""Characters of a shell text with expressions."""
_BLOCK: Final = re.compile(
    r"\{%[-+]?\s*(?:if|for|set|with|else|elif|endif|endfor|filter|include|import|macro)\b[^\n]*?%\}"
)
_TRUST: Final = "`| trust` at the end of the expression accepts the place as it is"


def compile_shell(text: str, *, first_variable: int = 1) -> tuple[ShellText, list[Fault]]:
    """Compile the text of `run:` for `/bin/sh` or bash.

    Every `{{ … }}` becomes a reference to a variable, quoted as its place wants it; equal expressions share one.
    The result is shared between equal texts: treat the list as read-only.
    """
    return weighed_shell(text, first_variable)[:2]


def weighed_shell(
    text: str, first_variable: int = 1, plain: frozenset[str] = frozenset()
) -> tuple[ShellText, list[Fault], int]:
    """As `compile_shell`, and how much there was to look at, in steps of some 10 µs.

    `plain`: expressions of which each value is one word that means itself to a shell.
    """
    if "{{" not in text and "{%" not in text:
        return ShellText(text), [], 0
    if len(text) > MAX_SHELL:
        hint = "keep it in a file of its own, and give it the values as arguments or in `env:`"
        message = f"shell text with expressions may have {MAX_SHELL >> 10} KiB, this has {len(text) >> 10}"
        return ShellText(text), [Fault("E403", message, 0, 1, hint)], 0
    if len(text) <= CACHED:
        return _cached(text, first_variable, plain)
    with uncollected():
        return _compile(text, first_variable, plain)


@lru_cache(maxsize=8192)
def _cached(text: str, first_variable: int, plain: frozenset[str]) -> tuple[ShellText, list[Fault], int]:
    return _compile(text, first_variable, plain)


def _compile(text: str, first_variable: int, plain: frozenset[str]) -> tuple[ShellText, list[Fault], int]:
    from pipe_runner.expressions.shell_grammar import ShellGrammar

    scan = ShellGrammar(text)
    scan.plain = plain
    try:
        scan.program()
    except Refused as refused:
        return ShellText(text), [*scan.faults, refused.fault], scan.flows.weight(text)
    faults = scan.faults + _blocks(scan)
    return *_assemble(scan, scan.holes, faults, first_variable), scan.flows.weight(text)


def compile_python_text(text: str) -> tuple[ShellText, list[Fault]]:
    """Compile the text of `run:` under `shell: python`, or any interpreter but a shell: it holds no expressions."""
    if "{{" not in text and "{%" not in text:
        return ShellText(text), []
    scan = ShellSource(text)
    while (at := scan.text.find("{{", scan.position)) >= 0:
        scan.position = at
        if not scan.at_hole():
            scan.position += 2
            continue
        closing = scan.text.find("}}", at)
        end = closing + 2 if closing >= 0 else at + 2
        scan.fault(
            "E426",
            "a value can't stand in the text of a program: it would be code",
            at,
            end - at,
            'give it by the environment: `env: {X: "' + scan.text[at:end].replace('"', "'") + '"}` on the node and '
            "its variable in the program (in Python os.environ['X']); {% raw %}…{% endraw %} around braces of its own",
        )
        scan.position = end
    return ShellText(scan.text), scan.faults


def compile_argv(
    items: Sequence[str], plain: frozenset[str] = frozenset()
) -> tuple[tuple[Compiled, ...], list[tuple[int, Fault]]]:
    """Compile the list of `argv:`; each item renders to one argument. Faults come with the index of their item.

    As in shell text only `{{ … }}` and `{% raw %}` are special, the program is no value, and a value can't stand in
    an argument that an interpreter reads as code.
    """
    from pipe_runner.expressions.shell_grammar import ShellGrammar

    scans: list[ShellSource] = []
    words: list[Word] = []
    pieces: list[list[str | Hole]] = []
    for item in items:
        scan, word, parts = as_word(item, len(words), plain)
        scans.append(scan)
        words.append(word)
        pieces.append(parts)
    whole = ShellGrammar("")
    whole.plain = plain
    begins = list(accumulate((len(scan.text) + 1 for scan in scans), initial=0))
    if items[0] not in SIMPLE_COMMANDS:
        _moved(scans, begins)  # so that the place of a warning tells its item
        try:
            whole.command(words)
        except Refused as refused:
            whole.faults.append(refused.fault._replace(offset=0, length=1))
        _moved(scans, [-begin for begin in begins])
    for index in whole.inserted:
        for hole in words[index].holes[:1]:
            mark_hole(
                hole, "a value that begins with `-` would be an option that holds code", "put an item `--` before it"
            )
    compiled: list[Compiled] = []
    faults: list[tuple[int, Fault]] = []
    for fault in whole.faults:
        index = bisect_right(begins, fault.offset) - 1
        faults.append((index, fault._replace(offset=scans[index].original(fault.offset - begins[index]))))
    for index, (scan, parts) in enumerate(zip(scans, pieces, strict=True)):
        found = list(scan.faults)
        trees: list[tuple[Hole, Compiled]] = []
        for hole in scan.holes:
            if hole.raw:
                hole.raw = False
                _fault(scan, found, "E425", "`| unsafe_raw` has a meaning only in `run:`", hole, "leave it out")
            one, more = _compile_one(scan, hole)
            if hole.integer and not hole.trusted:
                one = Compiled("jinja", one.source, ["integer", one.tree], one.references)
            trees.append((hole, one))
            found += more
        compiled.append(_argument(items[index], parts, {id(hole): one for hole, one in trees}))
        faults += [(index, fault) for fault in found]
    return tuple(compiled), faults


def as_word(item: str, at: int, plain: frozenset[str] = frozenset()) -> tuple[ShellSource, Word, list[str | Hole]]:
    """One item of `argv:` as a word of a command, and the parts of its text."""
    scan = ShellSource(item)
    scan.plain = plain
    parts: list[str | Hole] = []
    while (found := scan.text.find("{{", scan.position)) >= 0:
        begin = scan.position
        scan.position = found
        if scan.at_hole():
            parts += [scan.text[begin:found], scan.hole("bare")]
        else:
            scan.position = found + 2
            parts.append(scan.text[begin : found + 2])
    parts.append(scan.text[scan.position :])
    text = "".join(HOLE if isinstance(p, Hole) else p for p in parts) if len(parts) > 1 else scan.text
    word = Word(at, text, list(scan.holes))
    word.quoted = True
    return scan, word, parts


def _moved(scans: Iterable[ShellSource], by: Iterable[int]) -> None:
    for scan, distance in zip(scans, by, strict=False):
        for hole in scan.holes:
            hole.start += distance
            hole.end += distance


def _argument(source: str, parts: Sequence[str | Hole], trees: dict[int, Compiled]) -> Compiled:
    """One argument as a template that renders to text."""
    if len(parts) == 1 and isinstance(parts[0], str):
        return Compiled("literal", source, parts[0])
    kept = [part for part in parts if part != ""]
    if all(isinstance(part, str) for part in kept):
        return Compiled("literal", source, "".join(str(part) for part in kept))
    body: list[Any] = []
    plain = True
    references: list[Reference] = []
    for part in kept:
        if isinstance(part, str):
            body.append(part)
            continue
        one = trees[id(part)]
        plain = plain and one.kind == "reference"
        references += one.references
        body.append(one)
    if plain:
        steps = tuple(part if isinstance(part, str) else part.body for part in body)
        return Compiled("text", source, steps, tuple(references), whole=False)
    statements = [["data", p] if isinstance(p, str) else ["print", p.tree] for p in body]
    return Compiled("jinja", source, statements, tuple(references), whole=False)


def _assemble(
    scan: ShellSource, holes: Sequence[Hole], faults: list[Fault], first_variable: int
) -> tuple[ShellText, list[Fault]]:
    faults = list(faults)
    pieces: list[str] = []
    variables: dict[tuple[str, Mode], tuple[str, Compiled, Mode]] = {}
    position = 0
    for hole in holes:
        pieces.append(_with_inserted(scan, position, hole.start))
        position = hole.end
        compiled, more = _compile_one(scan, hole)
        faults += more
        mode: Mode = "raw" if hole.raw else "integer" if hole.integer and not hole.trusted else "text"
        if mode == "integer":
            compiled = Compiled("jinja", compiled.source, ["integer", compiled.tree], compiled.references)
        key = (compiled.source.strip(), mode)
        if key not in variables:
            variables[key] = (f"PIPE_V{first_variable + len(variables)}", compiled, mode)
        else:
            name, known, _ = variables[key]
            variables[key] = (name, known._replace(references=known.references + compiled.references), mode)
        pieces.append(hole.before + _reference(hole, variables[key][0]))
    pieces.append(_with_inserted(scan, position, len(scan.text)))
    ordered = sorted(faults, key=lambda fault: fault.offset)
    return ShellText("".join(pieces), tuple(variables.values())), ordered


def _with_inserted(scan: ShellSource, start: int, end: int) -> str:
    """The text between two holes, with what must stand before words in it."""
    text = scan.text[start:end]
    for position in sorted(scan.inserted, reverse=True):
        if start <= position <= end:
            text = text[: position - start] + scan.inserted.pop(position) + text[position - start :]
    return text


def _reference(hole: Hole, name: str) -> str:
    if hole.raw:
        return raw_mark(name)
    if hole.quote == "double":
        return f"${{{name}}}"
    if hole.quote == "single":
        return f"'\"${{{name}}}\"'"
    return f'"${{{name}}}"'


def _compile_one(scan: ShellSource, hole: Hole) -> tuple[Compiled, list[Fault]]:
    """The expression of one hole, and all that is to say of its place."""
    faults: list[Fault] = []
    if hole.inner[0] < 0:
        return Compiled("literal", scan.text[hole.start : hole.end], ""), faults
    compiled, found = compile_hole(scan.text, *hole.inner, hole.tokens)
    faults += [fault._replace(offset=scan.original(fault.offset)) for fault in found]
    if scan.shifted:
        moved = tuple(r._replace(offset=scan.original(r.offset)) for r in compiled.references)
        compiled = compiled._replace(references=moved)
    secret = next((r for r in compiled.references if r.path[0] == "secrets"), None)
    if secret is not None and not any(fault.code == "E405" for fault in faults):
        name = str(secret.path[-1])
        hint = f'list it under the node\'s `secrets:`; then "${name}" is a variable of the command'
        _fault(scan, faults, "E405", "a secret can't stand in a command's text", hole, hint)
    if hole.problem is not None:
        _fault(scan, faults, *hole.problem[:2], hole, hole.problem[2])
    elif hole.raw:
        _fault(
            scan,
            faults,
            "W402",
            "`| unsafe_raw` pastes the value as shell text: whoever sets it runs commands",
            hole,
            None,
        )
    elif hole.code is not None and hole.trusted:
        _fault(scan, faults, "W401", f"`| trust`: {hole.code[1]}", hole, None)
    elif hole.code is not None:
        code, message, hint = hole.code
        _fault(scan, faults, code, message, hole, hint if "trust" in hint else f"{hint}. {_TRUST}")
    elif hole.integer and hole.trusted:
        _fault(
            scan,
            faults,
            "W401",
            "`| trust`: the shell calculates the value's text",
            hole,
            "leave it out: integers pass",
        )
    return compiled, faults


def _fault(scan: ShellSource, faults: list[Fault], code: str, message: str, hole: Hole, hint: str | None) -> None:
    offset = scan.original(hole.start)
    faults.append(Fault(code, message, offset, scan.original(hole.end - 1) + 1 - offset, hint))


def _blocks(scan: ShellSource) -> list[Fault]:
    """Warnings for what looks like a block of Jinja, which is plain text in shell text."""
    faults: list[Fault] = []
    for found in _BLOCK.finditer(scan.text):
        if not scan.is_protected(found.start()):
            faults.append(
                Fault(
                    "W404",
                    "in shell text only `{{ … }}` is special: this stays as it is",
                    scan.original(found.start()),
                    len(found[0]),
                    "write the shell's own `if` and `for`, or build the value in `env:`",
                )
            )
    return faults
