"""Decides for each word of a command whether a value in it would be code, by the table of interpreters."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from pipe_runner.expressions.interpreter_table import (
    CODE_VARIABLES,
    CONTAINERS,
    PROGRAMS,
    SHELLS,
    WRAPPERS,
    Interpreter,
)
from pipe_runner.expressions.shell_model import EXPANSION, HOLE, Facts, Hole, Word

if TYPE_CHECKING:
    from pipe_runner.expressions.shell_lexer import ShellLexer

_SH_HINT: Final = "give the value as an argument: sh -c '… \"$1\" …' sh {{ x }}"
_ECHOES: Final = frozenset({"echo", "printf", "print", "yes", "basename", "dirname", "realpath", "readlink", "seq"})
_NETTED: Final = frozenset({*SHELLS, "python", "python3", "perl", "ruby", "node", "php"})
_SPEAKERS: Final = frozenset(
    {*_ECHOES, "test", "[", "grep", "which", "type", "man", "apt", "apt-get", "pip", "dnf", "yum"}
)
MAX_WRAPPERS: Final = 20
"""Wrappers around a command (`sudo nice env …`) that are looked through."""
MAX_WORDS: Final = 200
"""Words that are looked through for an interpreter behind a program that isn't known."""
_ASSIGNED: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(\[[^\]]*\])?\+?=", re.DOTALL)


def inspect_command(words: list[Word], scan: ShellLexer) -> Facts:
    """Mark the holes of a simple command that would be code, and say whether it reads a program from its input."""
    command = _Command(words, scan)
    command.at(0)
    return command.facts


def inspect_assignment(scan: ShellLexer, name: str, word: Word) -> None:
    """A value in `NAME=…`: refused for the variables whose text is run."""
    if name in CODE_VARIABLES:
        mark(word, f"the text of ${name} is run, or changes what text means", f"write ${name} without values")


def mark(word: Word, message: str, hint: str) -> None:
    """A word whose text is code: no value may stand in it, nor in a `$(…)` of it."""
    for hole in word.all_holes:
        hole.code = hole.code or (message, hint)


class _Command:
    """One simple command under inspection."""

    def __init__(self, words: list[Word], scan: ShellLexer, depth: int = 0) -> None:
        self.words = words
        self.scan = scan
        self.facts = Facts()
        self.depth = depth

    def at(self, index: int) -> None:
        """Inspect the command that begins at a word; wrappers lead on to the command that they run."""
        if index >= len(self.words):
            return
        self.depth += 1
        if self.depth > MAX_WRAPPERS:
            self._all(index, "the command is wrapped too often to say what its words are", "write it in a script")
            return
        word = self.words[index]
        if word.holes:
            for hole in word.holes:
                hole.code = hole.code or (
                    "the value chooses which program runs",
                    "write the program's name, or a `case` over the names that may be; `| trust` lets the value choose",
                )
            self._net(index + 1)
            return
        name = word.text.rsplit("/", 1)[-1] if EXPANSION not in word.text else ""
        if re.fullmatch(r"python[23]?\.\d+|pypy3\.\d+", name):
            name = "python3"
        elif re.fullmatch(r"(?:perl|ruby|lua|php|tclsh)-?[\d.]+", name):
            name = name.rstrip("0123456789.-")
        if name in _ECHOES:
            self.facts.emits += [hole for other in self.words[index + 1 :] for hole in other.all_holes]
        special = _SPECIAL.get(name)
        if name in SHELLS:
            self._shell(index)
        elif special is not None:
            special(self, index)
        elif name in PROGRAMS:
            self._interpreter(index, name, PROGRAMS[name])
        elif name in WRAPPERS:
            short, long, operands = WRAPPERS[name]
            self._wrapper(index, short, long, operands, assignments=name in ("sudo", "doas"))
        elif name in CONTAINERS:
            for later in range(index + 1, min(len(self.words), index + MAX_WORDS)):
                known = self.words[later].text.rsplit("/", 1)[-1]
                if known in SHELLS or known in PROGRAMS or known in _SPECIAL or known in WRAPPERS:
                    before = self.depth
                    self.at(later)
                    self.depth = before
        elif name not in _SPEAKERS:
            self._net(index + 1)

    def _net(self, index: int) -> None:
        """Whatever wraps it: an interpreter with `-c` or `-e` behind it somewhere in the words is seen."""
        for at in range(index, min(len(self.words) - 1, index + MAX_WORDS)):
            name = self.words[at].text.rsplit("/", 1)[-1]
            if name in _NETTED and self.words[at + 1].text.startswith("-"):
                reads, self.facts.reads = self.facts.reads, []
                if name in SHELLS:
                    self._shell(at)
                else:
                    self._interpreter(at, name, PROGRAMS[name])
                self.facts.reads = reads

    # ------------------------------------------------------------ options

    def options(
        self,
        index: int,
        short: str,
        long: frozenset[str] | Sequence[str] = (),
        *,
        permute: bool = False,
        single: bool = False,
    ) -> tuple[list[tuple[str, Word | None]], list[int]]:
        """Options behind the word at `index`, each with its value, and the indexes of the operands."""
        found: list[tuple[str, Word | None]] = []
        operands: list[int] = []
        at = index + 1
        while at < len(self.words):
            word = self.words[at]
            text = word.text
            at += 1
            if text == "--":
                operands += range(at, len(self.words))
                break
            if len(text) < 2 or text[0] not in "-" or text[1] in (HOLE, EXPANSION):
                operands.append(at - 1)
                if permute:
                    continue
                operands += range(at, len(self.words))
                break
            if text.startswith("--") or single:
                name, equals, value = text.partition("=")
                if equals:
                    found.append((name, word.copy_of(value)))
                elif name in long:
                    found.append((name, self.words[at] if at < len(self.words) else None))
                    at += 1
                else:
                    found.append((name, None))
                continue
            for place, letter in enumerate(text[1:], 1):
                if letter in short:
                    if place + 1 < len(text):
                        found.append(("-" + letter, word.copy_of(text[place + 1 :])))
                    else:
                        found.append(("-" + letter, self.words[at] if at < len(self.words) else None))
                        at += 1
                    break
                found.append(("-" + letter, None))
        return found, operands

    # ------------------------------------------------------------ interpreters

    def _interpreter(self, index: int, name: str, program: Interpreter) -> None:
        message = f"the value becomes part of {program.what} code"
        options, operands = self.options(
            index, program.short, program.long, permute=program.permute, single=program.single_dash
        )
        coded = False
        for option, value in options:
            if option in program.code:
                coded = coded or option not in ("-M", "-m", "-r", "-d", "-l")
                if value is not None:
                    self._code(value, message, program.hint)
            elif option in ("-f", "--file", "--from-file") and program.first == "code":
                coded = True
                if value is not None:
                    self._chosen(value, name)
            elif option == "-m" and program.what == "Python" and value is not None:
                coded = True
                self._chosen(value, name)
            elif option in ("-v", "--assign") and program.what == "awk" and value is not None:
                self._escapes(value)
            elif option == "-s" and program.what == "Python":
                continue
        if program.what == "jq":
            operands = self._jq_operands(index, operands)
        first = operands[0] if operands else None
        if not coded and first is not None:
            if program.first == "code":
                self._code(self.words[first], message, program.hint)
            elif program.first == "script" and self.words[first].text != "-":
                self._chosen(self.words[first], name)
        if program.rest == "code":
            for operand in operands[1:]:
                self._code(self.words[operand], message, program.hint)
            coded = coded or len(operands) > 1
        scripted = program.first == "script" and first is not None and self.words[first].text not in ("-", "/dev/stdin")
        if program.stdin and not coded and not scripted:
            self.facts.reads.append((name, f"keep {program.what} code free of values; {program.hint}"))

    def _jq_operands(self, index: int, operands: list[int]) -> list[int]:
        """jq's operands without those that belong to --arg, --argjson, --slurpfile and --rawfile."""
        taken: set[int] = set()
        for at in range(index + 1, len(self.words)):
            if self.words[at].text in ("--arg", "--argjson", "--slurpfile", "--rawfile"):
                taken.update((at + 1, at + 2))
            elif self.words[at].text in ("--args", "--jsonargs"):
                rest = [o for o in operands if o not in taken]
                return rest[:1]
        return [operand for operand in operands if operand not in taken]

    def _shell(self, index: int) -> None:
        code = False
        at = index + 1
        stdin = False
        while at < len(self.words):
            text = self.words[at].text
            if text in ("-", "--"):
                at += 1
                break
            if len(text) < 2 or text[0] not in "-+" or text[1] in (HOLE, EXPANSION):
                break
            if text.startswith("--"):
                at += 2 if text in ("--rcfile", "--init-file", "--wordexp", "--init-command", "--command") else 1
                if text in ("--command", "--init-command"):
                    code = True
                    at -= 1
                    break
                continue
            letters = text[1:]
            code = code or (text[0] == "-" and "c" in letters)
            stdin = stdin or (text[0] == "-" and "s" in letters)
            at += 2 if letters[-1] in "oO" else 1
        operand = self.words[at] if at < len(self.words) else None
        if code:
            if operand is not None:
                self._code(operand, "the value becomes part of shell code", _SH_HINT)
        elif operand is not None and not stdin:
            self._chosen(operand, self.words[index].text)
        else:
            self.facts.reads.append((self.words[index].text.rsplit("/", 1)[-1], _SH_HINT))

    def _code(self, word: Word, message: str, hint: str) -> None:
        mark(word, message, hint)
        for name in word.variables:
            for hole in self.scan.tainted.get(name, ()):
                hole.code = hole.code or (f"${name} holds the value, and its text becomes code further down", hint)

    def _chosen(self, word: Word, name: str) -> None:
        for hole in word.holes:
            hole.code = hole.code or (
                f"the value chooses the program that {name} runs",
                "write the file's name, or a `case` over the names that may be; `| trust` lets the value choose",
            )

    def _escapes(self, value: Word) -> None:
        for hole in value.holes:
            self.scan.fault(
                "W405",
                "awk reads backslashes in `-v`: a value with one arrives changed",
                hole.start,
                hole.end - hole.start,
                "X={{ … }} awk '… ENVIRON[\"X\"] …' takes it as it is",
            )

    # ------------------------------------------------------------ wrappers

    def _wrapper(self, index: int, short: str, long: str, operands: int, *, assignments: bool = False) -> None:
        _, rest = self.options(index, short, frozenset(long.split()))
        if assignments:
            while rest and _ASSIGNED.match(self.words[rest[0]].text):
                rest = rest[1:]
        if len(rest) > operands:
            self.at(rest[operands])

    def _environment(self, index: int) -> None:
        options, rest = self.options(index, "uCS", frozenset({"--unset", "--chdir", "--split-string"}))
        for option, value in options:
            if option in ("-S", "--split-string") and value is not None:
                self._code(value, "the value becomes part of a command line", "write the command behind env")
        while rest:
            found = _ASSIGNED.match(self.words[rest[0]].text)
            if found is None:
                break
            inspect_assignment(self.scan, found[1], self.words[rest[0]])
            rest = rest[1:]
        if rest:
            self.at(rest[0])

    def _command(self, index: int) -> None:
        following = self.words[index + 1].text if index + 1 < len(self.words) else ""
        if not following.startswith("-") or not set(following) & set("vV"):
            self._wrapper(index, "", "", 0)

    def _xargs(self, index: int) -> None:
        options, rest = self.options(
            index,
            "InPLdDaESsRJ",
            frozenset(
                {"--max-args", "--max-procs", "--max-lines", "--delimiter", "--arg-file", "--max-chars", "--replace"}
            ),
        )
        if not rest:
            return
        replaced = next((v.text for o, v in options if o in ("-I", "-J", "--replace") and v is not None), None)
        if any(o in ("-i", "--replace") and v is None for o, v in options):
            replaced = "{}"
        # What arrives on standard input stands in the command as if it were a hole: see where it would be code.
        fed = Hole(0, 0, (0, 0))
        words = list(self.words[rest[0] :])
        if replaced:
            words = [
                Word(w.start, w.text.replace(replaced, HOLE), [*w.holes, fed], w.nested, w.variables, w.quoted, w.end)
                if replaced in w.text
                else w
                for w in words
            ]
        else:
            words.append(Word(words[-1].end, HOLE, [fed]))
        inner = _Command(words, self.scan, self.depth)
        inner.at(0)
        self.facts.emits += inner.facts.emits
        if fed.code is not None:
            hint = "xargs sh -c '… \"$1\" …' sh, so that each item is an argument"
            self.facts.reads.append(("xargs", hint))

    def _find(self, index: int) -> None:
        at = index + 1
        while at < len(self.words):
            if self.words[at].text in ("-exec", "-execdir", "-ok", "-okdir"):
                end = at + 1
                while end < len(self.words) and self.words[end].text not in (";", "+"):
                    end += 1
                inner = _Command(self.words[at + 1 : end], self.scan, self.depth)
                inner.at(0)
                at = end
            at += 1

    def _parallel(self, index: int) -> None:
        for word in self.words[index + 1 :]:
            if word.text in (":::", "::::", ":::+", "::::+"):
                break
            self._code(
                word,
                "GNU parallel hands its command to a shell",
                "give values behind `:::`: parallel cmd {} ::: {{ x }}",
            )

    # ------------------------------------------------------------ programs that pass text to a shell

    def _all(self, index: int, message: str, hint: str) -> None:
        for word in self.words[index + 1 :]:
            self._code(word, message, hint)

    def _eval(self, index: int) -> None:
        self._all(
            index, "`eval` reads its arguments as shell code", "call the command itself: its arguments may be values"
        )

    def _trap(self, index: int) -> None:
        if index + 1 < len(self.words):
            hint = "put the value in a variable: x={{ x }}, and write trap '… \"$x\" …' EXIT"
            self._code(self.words[index + 1], "`trap` keeps its first argument as shell code", hint)

    def _alias(self, index: int) -> None:
        self._all(index, "`alias` keeps its text as shell code", "write a function: its arguments may be values")

    def _source(self, index: int) -> None:
        if index + 1 < len(self.words):
            word = self.words[index + 1]
            self._code(
                word,
                "`source` runs the file that the value names",
                "write the file's name; values may be its arguments",
            )

    def _ssh(self, index: int) -> None:
        options, rest = self.options(index, "BbcDEeFIiJLlmOopQRSWw")
        for option, value in options:
            if (
                option == "-o"
                and value is not None
                and not re.match(r"(?!Proxy|Local|Remote|Known|Permit)\w+[= ]", value.text)
            ):
                self._code(value, "ssh runs what some of its options say", "write the option's name: -o Port={{ x }}")
        if len(rest) <= 1:
            self.facts.reads.append(("ssh", "send a fixed script, and values as data it reads"))
        for at in rest[1:]:
            self._code(
                self.words[at],
                "ssh joins its arguments and hands them to a shell on the other side",
                "send the value on standard input: printf '%s' {{ x }} | ssh host 'x=$(cat); … \"$x\" …'",
            )
        if len(rest) > 1:
            inner = _Command([self.words[at] for at in rest[1:]], self.scan, self.depth)
            inner.at(0)
            self.facts.reads += inner.facts.reads

    def _su(self, index: int) -> None:
        options, rest = self.options(
            index, "cgGswT", frozenset({"--command", "--session-command", "--shell", "--group"}), permute=True
        )
        coded = False
        for option, value in options:
            if option in ("-c", "--command", "--session-command") and value is not None:
                coded = True
                self._code(
                    value, "the value becomes part of shell code", "su user -c '… \"$1\" …' sh {{ x }}, or sudo -u user"
                )
        if not coded:
            self.facts.reads.append(("su", _SH_HINT))
        if any(option == "-u" for option, _ in options) and rest:
            self.at(rest[-1] if len(rest) == 1 else rest[1])

    def _watch(self, index: int) -> None:
        options, rest = self.options(index, "nq", frozenset({"--interval"}))
        if any(option in ("-x", "--exec") for option, _ in options):
            if rest:
                self.at(rest[0])
            return
        for at in rest:
            self._code(self.words[at], "watch hands its arguments to a shell", "watch -x command {{ x }}")

    def _flock(self, index: int) -> None:
        options, _ = self.options(
            index, "cwE", frozenset({"--command", "--timeout", "--conflict-exit-code"}), permute=True
        )
        coded = False
        for option, value in options:
            if option in ("-c", "--command") and value is not None:
                coded = True
                self._code(value, "the value becomes part of shell code", "flock FILE command {{ x }}")
        if not coded:
            self._wrapper(index, "wE", "--timeout --conflict-exit-code", 1)

    def _script(self, index: int) -> None:
        options, _ = self.options(index, "cEmIOoBT", frozenset({"--command"}), permute=True)
        for option, value in options:
            if option in ("-c", "--command") and value is not None:
                self._code(value, "the value becomes part of shell code", _SH_HINT)

    def _make(self, index: int) -> None:
        options, rest = self.options(index, "CfIjloWE", frozenset({"--directory", "--file", "--eval"}), permute=True)
        for option, value in options:
            if option in ("-E", "--eval") and value is not None:
                self._code(value, "the value becomes part of a makefile", "give it by the environment: X={{ x }} make")
        for at in rest:
            if _ASSIGNED.match(self.words[at].text):
                self._code(
                    self.words[at],
                    "make expands `$(shell …)` in the variables of its command line",
                    'give the value by the environment: X={{ x }} make …, with "$$X" in the recipe',
                )

    def _git(self, index: int) -> None:
        options, rest = self.options(
            index, "cC", frozenset({"--git-dir", "--work-tree", "--exec-path", "--config-env"})
        )
        for option, value in options:
            if option == "-c" and value is not None and HOLE in value.text.partition("=")[0]:
                self._code(value, "git runs what some settings say", "write the setting's name: -c user.name={{ x }}")
            elif (
                option == "-c"
                and value is not None
                and re.search(r"command|editor|pager|alias|hook|filter|helper", value.text, re.I)
            ):
                self._code(value, "git runs this setting as a command", "write the command without values")
        for at in rest:
            text = self.words[at].text
            if text.startswith(("--upload-pack", "--receive-pack", "--exec=")) or "ext::" in text:
                self._code(self.words[at], "git runs what this says as a command", "write the command without values")

    def _tar(self, index: int) -> None:
        for word in self.words[index + 1 :]:
            if re.match(
                r"--(?:to-command|checkpoint-action|use-compress-program|rsh-command|info-script|new-volume-script)",
                word.text,
            ):
                self._code(word, "tar runs what this says as a command", "write the command without values")

    def _rsync(self, index: int) -> None:
        options, _ = self.options(index, "eTBM", frozenset({"--rsh", "--rsync-path"}), permute=True)
        for option, value in options:
            if option in ("-e", "--rsh", "--rsync-path") and value is not None:
                self._code(value, "rsync runs what this says as a command", "write the command without values")

    # ------------------------------------------------------------ the shell's own words

    def _let(self, index: int) -> None:
        for word in self.words[index + 1 :]:
            self.scan.calculated.update(word.variables)
            for hole in word.holes:
                hole.integer = True

    def _declare(self, index: int) -> None:
        integer = any(
            re.match(r"-\w*i", word.text) for word in self.words[index + 1 :] if self.words[index].text != "export"
        )
        for word in self.words[index + 1 :]:
            found = _ASSIGNED.match(word.text)
            if found is None:
                self._names(word)
                if integer and word.static:
                    self.scan.calculated.add(word.text)
                continue
            inspect_assignment(self.scan, found[1], word)
            if integer:
                self.scan.calculated.add(found[1])
                for hole in word.holes:
                    hole.integer = True
            elif word.holes:
                self.scan.tainted.setdefault(found[1], []).extend(word.holes)

    def _named(self, index: int) -> None:
        """Builtins whose operands are names of variables, which bash calculates if they have a subscript."""
        taking = {
            "read": "dinNptu",
            "mapfile": "dnOsuCc",
            "readarray": "dnOsuCc",
            "getopts": "",
            "unset": "",
            "wait": "p",
        }
        options, rest = self.options(index, taking.get(self.words[index].text, ""))
        for option, value in options:
            if option == "-C" and value is not None:
                self._code(value, "the value becomes part of shell code", "write the callback without values")
            if option == "-p" and value is not None and self.words[index].text == "wait":
                self._names(value)
        for position, at in enumerate(rest):
            if self.words[index].text == "getopts" and position != 1:
                continue
            if self.words[index].text != "wait":
                self._names(self.words[at])

    def _names(self, word: Word) -> None:
        for hole in word.holes:
            hole.refuse(
                "E424",
                "a value can't be the name of a variable: the shell would calculate what it finds in its brackets",
                "write the name; values stand behind `=`",
            )

    def _printf(self, index: int) -> None:
        if index + 2 < len(self.words) and self.words[index + 1].text == "-v":
            self._names(self.words[index + 2])
        elif index + 1 < len(self.words) and self.words[index + 1].text.startswith("-v"):
            self._names(self.words[index + 1])

    def _test(self, index: int) -> None:
        for at in range(index + 1, len(self.words) - 1):
            if self.words[at].text in ("-v", "-R"):
                self._names(self.words[at + 1])

    def _completion(self, index: int) -> None:
        self._all(index, "the shell expands this text as code", "write it without values")


_SPECIAL: Final[dict[str, Callable[[_Command, int], None]]] = {
    "eval": _Command._eval,
    "trap": _Command._trap,
    "alias": _Command._alias,
    ".": _Command._source,
    "source": _Command._source,
    "env": _Command._environment,
    "command": _Command._command,
    "xargs": _Command._xargs,
    "gxargs": _Command._xargs,
    "find": _Command._find,
    "gfind": _Command._find,
    "parallel": _Command._parallel,
    "ssh": _Command._ssh,
    "autossh": _Command._ssh,
    "mosh": _Command._ssh,
    "su": _Command._su,
    "runuser": _Command._su,
    "watch": _Command._watch,
    "flock": _Command._flock,
    "script": _Command._script,
    "make": _Command._make,
    "gmake": _Command._make,
    "git": _Command._git,
    "tar": _Command._tar,
    "gtar": _Command._tar,
    "bsdtar": _Command._tar,
    "rsync": _Command._rsync,
    "let": _Command._let,
    **dict.fromkeys(("declare", "typeset", "local", "readonly", "export"), _Command._declare),
    **dict.fromkeys(("read", "mapfile", "readarray", "getopts", "unset", "wait"), _Command._named),
    "printf": _Command._printf,
    "test": _Command._test,
    "[": _Command._test,
    **dict.fromkeys(("compgen", "complete", "bind"), _Command._completion),
}
