"""The shell's own words whose arguments are code, names of variables, or calculated."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from pipe_runner.expressions.shell_files import choose_file, runs
from pipe_runner.expressions.shell_marks import (
    ARITHMETIC_TESTS,
    ARRAY_HINT,
    ARRAY_MESSAGE,
    ASSIGNED,
    KEYED,
    calculate_brackets,
    inspect_assignment,
)
from pipe_runner.expressions.shell_model import DESCRIPTOR, EXPANSION, HOLE, STANDARD_INPUT, Facts, Word
from pipe_runner.expressions.shell_tables import ALL, MAX_KEPT, split

if TYPE_CHECKING:
    from pipe_runner.expressions.interpreters import Command

_GIVEN: Final = re.compile(rf"{EXPANSION}=[\"']?\$\{{?(\w+)\}}?[\"']?")
"""What `eval` is given to assign to a variable whose name stands in another: `"$1=\\$2"`."""
NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
MAX_LISTS_BEGUN: Final = 64
"""The same where words are put before the others, of which the first may be a program."""
MAX_LISTS: Final = 16
"""Lists of arguments that are told apart; of more, each is taken for longer by what is added."""


def _command(command: Command, index: int) -> None:
    following = command.words[index + 1].text if index + 1 < len(command.words) else ""
    if not following.startswith("-") or not set(following) & set("vV"):
        command.wrapper(index, "", "", 0)


def _eval(command: Command, index: int) -> None:
    command.all_code(
        index, "`eval` reads its arguments as shell code", "call the command itself: its arguments may be values"
    )
    given = _GIVEN.fullmatch(" ".join(word.text for word in command.words[index + 1 :]))
    if given is not None and command.words[index + 1].variables:
        flows = command.scan.flows
        key = flows.named_by(command.words[index + 1])
        flows.copied.setdefault(key, []).append(flows.key(given[1]))
    if all(word.static for word in command.words[index + 1 :]):
        command.facts.add(command.scan.script(" ".join(word.text for word in command.words[index + 1 :])))


def _hash(command: Command, index: int) -> None:
    options, _ = command.options(index, "pdt")
    for option, value in options:
        if option == "-p" and value is not None:
            command.program(value)


def _trap(command: Command, index: int) -> None:
    at = _behind_dashes(command, index)
    if at < len(command.words):
        hint = "put the value in a variable: x={{ x }}, and write trap '… \"$x\" …' EXIT"
        command.code(command.words[at], "`trap` keeps its first argument as shell code", hint)
        if command.words[at].static:
            command.scan.script(command.words[at].text)


def _behind_dashes(command: Command, index: int) -> int:
    """Where the first operand stands of a builtin without options: behind a `--`, if there is one."""
    dashes = index + 1 < len(command.words) and command.words[index + 1].text == "--"
    return index + 1 + dashes


def _alias(command: Command, index: int) -> None:
    command.all_code(index, "`alias` keeps its text as shell code", "write a function: its arguments may be values")
    for word in command.words[index + 1 :]:
        if word.static and (found := ASSIGNED.match(word.text)) is not None:
            command.scan.flows.aliases[found[1]] = [Word(-1, text) for text in word.text[found.end() :].split()]


def _source(command: Command, index: int) -> None:
    at = _behind_dashes(command, index)
    if at < len(command.words):
        word = command.words[at]
        if word.text in STANDARD_INPUT:
            command.facts.reads.append((command.words[index].text, "call the command itself"))
        elif DESCRIPTOR.fullmatch(word.text):
            flows = command.scan.flows
            for kept in flows.kept[-MAX_KEPT:]:
                choose_file(flows, kept, "the shell")
            flows.coded.append(
                (flows.beyond, "the value becomes part of what the shell runs", "call the command itself")
            )
        runs(command.scan.flows, word, "the shell")
        command.code(
            word,
            "`source` runs the file that the value names",
            "write the file's name; values may be its arguments",
        )


def _let(command: Command, index: int) -> None:
    for word in command.words[index + 1 :]:
        command.scan.flows.calculated.update(word.variables, map(command.scan.flows.key, NAME.findall(word.text)))
        command.scan.flows.figured += word.commands
        for hole in word.holes:
            hole.integer = True


def _kept(command: Command, index: int, word: Word, *, keyed: bool) -> None:
    """Whether a variable that is declared is an associative array from here on."""
    scan, found = command.scan, NAME.match(word.text)
    if found is None or word.text[found.end() :][:1] not in ("", "=", "+"):
        return
    if not keyed:
        if scan.function and command.words[index].text not in ("export", "readonly"):
            scan.keyed[scan.function, found[0]] = False
        return
    everywhere = any(re.match(r"-\w*g", each.text) for each in command.words[index + 1 :])
    unset = re.search(rf"\bunset\b[^;\n]*\b{found[0]}\b(?!\[)", scan.text)
    if not scan.flows.branches and not unset and not (everywhere and scan.function):
        scan.keyed[scan.function, found[0]] = True


def _declare(command: Command, index: int) -> None:
    integer = any(
        re.match(r"-\w*i", word.text) for word in command.words[index + 1 :] if command.words[index].text != "export"
    )
    reference = any(re.match(r"-\w*n", word.text) for word in command.words[index + 1 :])
    array = any(re.match(r"-\w*[aA]", word.text) for word in command.words[index + 1 :])
    keyed = any(KEYED.match(word.text) for word in command.words[index + 1 :])
    everywhere = any(re.match(r"-\w*g", word.text) for word in command.words[index + 1 :])
    inside = command.words[index].text in ("local", "declare", "typeset") and not everywhere
    for word in command.words[index + 1 :]:
        _kept(command, index, word, keyed=keyed)
        if (named := NAME.match(word.text)) is not None:
            command.scan.flows.locals.setdefault((command.scan.flows.scope, command.scan.flows.key(named[0])), inside)
        if reference and command.words[index].text != "export":
            command.names(word)
            refers, flows = ASSIGNED.match(word.text), command.scan.flows
            if refers is not None:
                key = flows.key(refers[1])
                flows.assign(f"{key} refers", word)
                flows.copied.setdefault(key, []).append(f"{key} refers!")
                flows.pointing[key] = [f"{key} refers"]
                flows.code(word, "write the name")
            elif word.static:  # what it is given later is the name
                flows.coded.append((flows.key(word.text), "", "write the name"))
        found = ASSIGNED.match(word.text)
        if found is None:
            command.names(word)
            if integer and word.static:
                command.scan.flows.calculated.add(command.scan.flows.key(word.text))
            if array and word.static:
                command.scan.flows.list_arrays([command.scan.flows.key(word.text)])
            continue
        inspect_assignment(command.scan, found[1], word)
        calculate_brackets(command.scan, word.text.partition("=")[0])
        name = command.scan.flows.key(found[1])
        if not word.elements and word.text[found.end() :].startswith((HOLE, EXPANSION, "(")):
            declares = command.words[index].text not in ("readonly", "export")
            if array or (declares and command.scan.flows.declares(name, word, everywhere=everywhere)):
                command.code(word, ARRAY_MESSAGE, ARRAY_HINT.format(found[1]))
        if array:
            command.scan.flows.list_arrays([name])
        if integer:
            command.scan.flows.calculated.add(name)
            for hole in word.holes:
                hole.integer = True
        command.scan.flows.assign(name, word)


def _named(command: Command, index: int) -> None:
    """Builtins whose operands are names of variables, which bash calculates if they have a subscript."""
    taking = {
        "read": "dinNptu",
        "mapfile": "dnOsuCc",
        "readarray": "dnOsuCc",
        "getopts": "",
        "unset": "",
        "wait": "p",
    }
    options, rest = command.options(index, taking.get(command.words[index].text, ""))
    for option, value in options:
        if option == "-C" and value is not None:
            command.code(value, "the value becomes part of shell code", "write the callback without values")
        if option == "-p" and value is not None and command.words[index].text == "wait":
            command.names(value)
    if command.words[index].text == "getopts":
        flows = command.scan.flows
        flows.copied.setdefault("OPTARG", []).append(flows.key("@"))
    if command.words[index].text in ("read", "mapfile", "readarray"):
        flows = command.scan.flows
        own = [flows.named_by(command.words[at]) for at in rest] or ["REPLY", "MAPFILE"]
        beside = next((value for option, value in options if option == "-u" and value is not None), None)
        arrays = [flows.named_by(value) for option, value in options if option == "-a" and value is not None]
        listed = command.words[index].text != "read" or any(option == "-a" for option, _ in options)
        arrays += own if listed else []
        own += [*arrays, *map(split, arrays)]
        flows.list_arrays(arrays)
        if beside is None or beside.text == "0":
            command.facts.takes += own
        else:
            flows.taken.append((flows.kept[-MAX_KEPT:], own))
            for name in own:
                flows.read.setdefault(name, []).append(flows.beyond)
    for position, at in enumerate(rest):
        if command.words[index].text == "getopts" and position != 1:
            if position > 1:
                command.scan.flows.assign("OPTARG", command.words[at])
            continue
        if command.words[index].text != "wait":
            command.names(command.words[at])


def _printf(command: Command, index: int) -> None:
    following = command.words[index + 1 :]
    if not following or not following[0].text.startswith("-v"):
        _could_name(command, following)
        return
    name = following[0].copy_of(following[0].text[2:])
    printed = following[1:]
    if not name.text and printed:
        name, printed = printed[0], printed[1:]
    command.names(name)
    key = command.scan.flows.named_by(name)
    flows = command.scan.flows
    if not any(word.all_holes for word in printed):
        flows.made.setdefault(key, []).append(Facts(said=[[Word(-1, "printf"), *printed]]))
    for word in printed:
        command.scan.flows.assign(key, word)


def _could_name(command: Command, words: list[Word]) -> None:
    """What `printf` prints by: a value that begins with `-v` there names a variable."""
    message = "a value that begins with `-v` would be the name of a variable, which bash calculates"
    ends = (HOLE, EXPANSION)
    if words and words[0].text.startswith(ends) and words[0].text.endswith(ends) and (words[1:] or words[0].loose):
        command.code(words[0], message, "printf '%s' {{ x }}")


def _set(command: Command, index: int) -> None:
    words = command.words[index + 1 :]
    while words and words[0].text[:1] in ("-", "+"):
        last = words[0].text
        words = words[1:]
        if last in ("--", "-"):
            break
        if last[-1] == "o":
            words = words[1:]
    flows = command.scan.flows
    flows.replaced.add(flows.scope)
    flows.arguments(flows.scope, words)
    key = f"{flows.scope}:{ALL}"
    known = not flows.loops and (not flows.scope or flows.scope in flows.spaces)
    spot = next((at for at, word in enumerate(words) if _is_all(word, flows.key(ALL))), None)
    if spot is None:
        return
    if known and words[spot].variables == [key] and key not in flows.adding:
        flows.lists[key] = _added(flows.lists[key], words, spot, certain=not flows.branches)
    elif (
        spot == 0 and flows.shifted.get(flows.scope, (0, 0))[1] == 0
    ):  # as with `a+=(…)`, all that is added is taken to be there
        added = flows.adding.setdefault(key, flows.lists[key][-1])
        if added is not flows.lists[key][-1]:
            added += flows.lists[key].pop()[1:]


def _is_all(word: Word, key: str) -> bool:
    """Whether a word is `"$@"`."""
    return word.quoted and word.text == EXPANSION and word.variables == [key] and not word.skipped


def _added(lists: list[list[Word]], words: list[Word], spot: int, *, certain: bool) -> list[list[Word]]:
    """What the arguments may be after `set -- a "$@" b`, the last of the lists; it is `certain` outside of conditions.

    In a loop it does so again and again, and how a function is called isn't known so far.
    """
    before, first, behind = lists[:-1], words[:spot], words[spot + 1 :]
    if first and not certain and len(before) > MAX_LISTS_BEGUN:
        return lists
    if not first and not certain and len(before) > MAX_LISTS:
        for each in before:
            each += behind
        return before
    made = [[*first, *each, *behind] for each in before or [[]]]
    return made if certain else [*before, *made]


def _shift(command: Command, index: int) -> None:
    count = command.words[index + 1].text if index + 1 < len(command.words) else "1"
    command.scan.flows.shift(count)


def _test(command: Command, index: int) -> None:
    last = len(command.words) - (command.words[index].text == "[")
    for at in range(index + 1, last):
        if not command.words[at].loose:
            continue
        beside = {command.words[at - 1].text, command.words[min(at + 1, last - 1)].text}
        if beside.isdisjoint(ARITHMETIC_TESTS) or command.words[at].commands:
            command.split([at])
        else:
            command.scan.flows.calculated.update(command.words[at].variables)
    for at in range(index + 1, len(command.words) - 1):
        if command.words[at].text in ("-v", "-R"):
            command.names(command.words[at + 1])
        elif command.words[at].text.startswith(HOLE) and command.words[at + 1].holes:
            command.names(command.words[at])  # the first of two values could be `-v`, which calculates the second
        elif command.words[at].text == EXPANSION and command.words[at + 1].text == EXPANSION:
            command.scan.flows.code(command.words[at + 1], "write the operator between the two")


def _enable(command: Command, index: int) -> None:
    options, _ = command.options(index, "f")
    for option, value in options:
        if option == "-f" and value is not None:
            command.chosen(value, "the shell")


def _completion(command: Command, index: int) -> None:
    command.all_code(index, "the shell expands this text as code", "write it without values")


BUILTINS: Final[dict[str, Callable[[Command, int], None]]] = {
    "command": _command,
    "eval": _eval,
    "hash": _hash,
    "trap": _trap,
    "alias": _alias,
    ".": _source,
    "source": _source,
    "let": _let,
    **dict.fromkeys(("declare", "typeset", "local", "readonly", "export"), _declare),
    **dict.fromkeys(("read", "mapfile", "readarray", "getopts", "unset", "wait"), _named),
    "printf": _printf,
    "set": _set,
    "enable": _enable,
    "shift": _shift,
    "test": _test,
    "[": _test,
    **dict.fromkeys(("compgen", "complete", "bind"), _completion),
}
