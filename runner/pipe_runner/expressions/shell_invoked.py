"""Commands that stand in variables: `cmd=(sh -c); "${cmd[@]}" x`, `run() { "$@"; }; run sh -c x`, `c=eval; "$c" x`.

Each is put together from the words that the text gives it, and looked at like one that is written out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from pipe_runner.expressions.compiled import Fault
from pipe_runner.expressions.interpreter_table import CONTAINERS, PROGRAMS, SHELLS, WRAPPERS
from pipe_runner.expressions.shell_constants import braced, constants, is_composed
from pipe_runner.expressions.shell_marks import ASSIGNED
from pipe_runner.expressions.shell_model import EXPANSION, Facts, Word
from pipe_runner.expressions.shell_tables import EVERY, MAX_SHIFT
from pipe_runner.expressions.tokens import Refused

if TYPE_CHECKING:
    from pipe_runner.expressions.interpreters import Command
    from pipe_runner.expressions.shell_flows import Flows
    from pipe_runner.expressions.shell_lexer import ShellLexer

MAX_TOGETHER: Final = 100_000
"""Words of commands that are put together and looked at."""
MAX_MADE: Final = 500_000
"""Words of all that are put together, the same ones too."""
MAX_DEPTH: Final = 6
_SHIFTED: Final = re.compile(r"\+([0-9]+)-([0-9]+)~")


def is_variable(word: Word) -> bool:
    """Whether a word is a variable and nothing else."""
    return word.text == EXPANSION and len(word.variables) == 1 and not word.holes and not word.commands


def is_made(word: Word) -> bool:
    """Whether a word is a variable, or put together of variables and texts of the file."""
    return is_variable(word) or is_composed(word)


def spreads(word: Word) -> bool:
    """Whether a word becomes any number of words where it stands."""
    return word.several and ASSIGNED.match(word.text) is None


def note(command: Command, index: int, name: str) -> None:
    """Keep a command in mind whose program or arguments stand in variables."""
    words, flows = command.words[index:], command.scan.flows
    several = name != "set" and _is_known(flows, name) and any(map(spreads, words))
    for first in (*braced(words[0]), *_emptied(flows, words[0])) if not command.together else ():
        command.facts.inherit(_inspect(command.scan, [first, *words[1:]]))
    if name in flows.aliases and not command.together:
        command.facts.inherit(_inspect(command.scan, [*flows.aliases[name], *words[1:]]))
    if not command.together and (several or words[0].several or is_made(words[0])):
        flows.invoked.append((words, flows.scope))
        for each in _counted(command.scan, words):
            flows.work += 10
            command.facts.inherit(_inspect(command.scan, each))


@lru_cache(maxsize=1)
def _programs() -> frozenset[str]:
    """The programs behind which words are looked at one by one."""
    from pipe_runner.expressions.interpreters import Command

    return frozenset({*SHELLS, *PROGRAMS, *WRAPPERS, *CONTAINERS, *Command.special})


def _emptied(flows: Flows, word: Word) -> list[Word]:
    """The word where what the shell puts into it comes to nothing, if that names what is known: `${x}eval`."""
    text = word.text.replace(EXPANSION, "")
    known = len(text) < len(word.text) and not word.holes and _is_known(flows, text.rsplit("/", 1)[-1])
    return [word.copy_of(text)] if known else []


def _is_known(flows: Flows, name: str) -> bool:
    return name in _programs() or name in flows.bodies


def follow_calls(scan: ShellLexer) -> None:
    """Calls of functions, and commands that are put together from their arguments, until nothing new is called."""
    flows = scan.flows
    done = 0
    while True:
        calls, done = flows.calls[done:], len(flows.calls)
        for name, words in calls:
            if name in flows.bodies:
                flows.arguments(name, words)
        for words, scope in flows.invoked:
            for each in _counted(scan, words):
                facts = _inspect(scan, each)
                if facts.reads:
                    program, hint = facts.reads[0]
                    message = f"the value becomes part of what {program} reads as its program"
                    flows.coded.append((f"{scope}<", message, hint))
        if done == len(flows.calls):
            return


def _unseen(scan: ShellLexer, words: list[Word]) -> Iterator[list[Word]]:
    """The commands that these words may be, but for those that were looked at already."""
    flows = scan.flows
    _bound(scan, flows.made_up, MAX_MADE)
    place = _place(words)
    for each in _put_together(flows, words, place, 0) if place is not None else ():
        flows.made_up += len(each)
        _bound(scan, flows.made_up, MAX_MADE)
        key = tuple([word.text if word.start < 0 else id(word) for word in each])
        if key not in flows.seen:
            flows.seen.add(key)
            yield each


def _counted(scan: ShellLexer, words: list[Word]) -> list[list[Word]]:
    """The same, all at once: if they are too many, that is known before the first of them is looked at."""
    found: list[list[Word]] = []
    count = scan.flows.together
    for each in _unseen(scan, words):
        found.append(each)
        count += len(each)
        _bound(scan, count, MAX_TOGETHER)
    return found


def _bound(scan: ShellLexer, words: int, most: int) -> None:
    if words > most:
        message = f"commands in variables come to more than {most:,} words"
        hint = 'put arguments together in an array of bash, args+=(…), not with many `set -- … "$@"`'
        raise Refused(Fault("E403", message, scan.original(scan.position), hint=hint))


def _inspect(scan: ShellLexer, words: list[Word]) -> Facts:
    from pipe_runner.expressions.interpreters import Command

    scan.flows.together += len(words)
    _bound(scan, scan.flows.together, MAX_TOGETHER)
    command = Command(words, scan, together=True)
    command.at(0)
    return command.facts


def _place(words: list[Word]) -> int | None:
    """Where the first word stands that may be others."""
    for at, word in enumerate(words):
        if (word.several and spreads(word)) or (not at and is_made(word)):
            return at
    return None


def _put_together(flows: Flows, words: list[Word], place: int, depth: int) -> Iterator[list[Word]]:
    """The commands that these words may be, of which the one at `place` may be others; nothing where it isn't known."""
    known = False
    for each in _ways(flows, words[place]):
        known = True
        whole = [*words[:place], *each, *words[place + 1 :]]
        if not whole:
            continue
        further = False
        following = _place(whole) if depth < MAX_DEPTH else None
        if following is not None:
            for more in _put_together(flows, whole, following, depth + 1):
                further = True
                yield more
        if not further:
            yield whole
    if not known and depth < MAX_DEPTH:
        rest = words[place + 1 :]
        following = _place(rest)
        if following is not None:
            for more in _put_together(flows, rest, following, depth + 1):
                yield [*words[: place + 1], *more]


def _ways(flows: Flows, word: Word) -> list[list[Word]]:
    """The words that one of a command may stand for."""
    if not word.several:
        texts = dict.fromkeys(constants(flows, word) if word.parts else flows.literals(word.variables[0]))
        flows.made_up += len(texts)
        made = [one.split() if word.loose else [one] for one in texts if one.strip()]
        return [[Word(-1, text) for text in each] for each in made if _is_known(flows, each[0].rpartition("/")[2])]
    if not word.variables or word.variables[1:] not in ([], ["IFS"]):
        return []
    every = EVERY.search(word.variables[0])
    if every is None:
        return [words[word.skipped :] for words in flows.lists.get(word.variables[0], []) if words[word.skipped :]]
    scope = word.variables[0][: every.start()]
    found = _SHIFTED.match(every[1])
    least, most = (0, 0) if found is None else (int(found[1]), min(int(found[2]), MAX_SHIFT))
    least, most = least + word.skipped, most + word.skipped
    lists = flows.lists.get(f"{scope}:@", [])
    if scope in flows.replaced:
        least = word.skipped
    return [words[by:] for words in lists for by in range(least, most + 1) if by < len(words) or not by]
