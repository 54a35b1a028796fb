"""Reads shell commands as far as values need it: which word is a program, which command prints into which."""

from __future__ import annotations

import re
from typing import Final

from pipe_runner.expressions.compiled import Fault
from pipe_runner.expressions.interpreters import inspect_command
from pipe_runner.expressions.shell_assignments import ARRAY, ASSIGNMENT, ShellAssignments
from pipe_runner.expressions.shell_files import open_for
from pipe_runner.expressions.shell_invoked import follow_calls
from pipe_runner.expressions.shell_leading import settle_led
from pipe_runner.expressions.shell_lexer import MAX_NESTING
from pipe_runner.expressions.shell_marks import KEYED, calculate_named
from pipe_runner.expressions.shell_model import HOLE, Facts, Word
from pipe_runner.expressions.shell_printers import FILTERS, SPEAKERS
from pipe_runner.expressions.shell_tables import MAX_KEPT
from pipe_runner.expressions.tokens import Refused

_LAST: Final = re.compile(r"\$\{?_(?!\w)")
_COUNTED: Final = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*)\s*=(?!=)\s*[0-9$]")
"""The variable of a loop that counts."""
_OWN: Final = re.compile(r"PIPE_V[0-9]+")
MAX_PIPELINE: Final = 200
MAX_SCRIPTS: Final = 4
"""Scripts in scripts that are read."""
MAX_WITHIN: Final = 2000
"""Scripts that stand in one text as words."""
_ENDS: Final = {"if": "fi", "while": "done", "until": "done", "{": "}"}
_BETWEEN: Final = frozenset({"then", "else", "elif", "do", "!", "time", "coproc"})
_LOOPS: Final = frozenset({"while", "until"})
_TIMED: Final = re.compile(r"-p\s+(?:--\s+)?")
_NAMED: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*[ \t]+(?=\{\s|\()")
"""The name of a coprocess, which only a compound command can have."""
_DESCRIPTOR: Final = re.compile(r"\{\w+\}")
_CLOSERS: Final = frozenset({"fi", "done", "esac", "}"})
_DECLARING: Final = frozenset({"declare", "typeset", "local", "readonly", "export"})


class ShellGrammar(ShellAssignments):
    """A scan that follows commands, so that it knows the role of every word."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._whole = Facts()
        self._followed: list[Facts] = []
        """What `exec < …` gives to all that follows to read."""
        self._opened: list[Word] = []
        """Files that it gives them."""
        self._repeated = _LAST.search(text) is not None
        self._within = 0
        """Scripts around this one."""

    def program(self, given: Facts | None = None) -> Facts:
        """Scan the whole text; `given` is what it reads from standard input."""
        facts = self._commands()
        for name in set(_OWN.findall(self.text)):
            self.flows.holding.setdefault(name, []).extend(self.holes)
        self._settle(facts, given)
        return facts

    def command(self, words: list[Word], given: Facts | None = None) -> None:
        """Look at a command that stands in no shell text; `given` is what it reads from standard input."""
        self._settle(inspect_command(words, self), given)

    def _settle(self, facts: Facts, given: Facts | None) -> None:
        if given is not None:
            self.flows.feed(given, facts)
        follow_calls(self)
        calculate_named(self)
        self.flows.settle(self.text)
        settle_led(self.flows, self)

    def script(self, text: str, arguments: list[Word] | None = None, zero: Word | None = None) -> Facts:
        """A script that stands in this one as a word, with the words behind it: `sh -c '… "$1" …' sh x`."""
        self.flows.scripts += 1
        if self._within == MAX_SCRIPTS or self.flows.scripts > MAX_WITHIN:
            message = f"more than {MAX_WITHIN} scripts in one text, or one in another more than {MAX_SCRIPTS} deep"
            raise Refused(Fault("E403", message, self.original(self.position)))
        inner = ShellGrammar(text)
        inner.flows, inner._within = self.flows, self._within + 1
        outer = self.flows.place
        if arguments is not None:
            self.flows.begin_script(arguments, zero)
        try:
            return inner._commands()
        except Refused as refused:
            raise Refused(refused.fault._replace(offset=self.original(self.position), length=1)) from refused
        finally:
            self.flows.place = outer

    def _commands(self) -> Facts:
        facts = self._whole
        while self.position < self.limit:
            facts.add(self._list(frozenset()))
            if self.position < self.limit:
                self.position += 1  # a closing word or bracket that closes nothing: the shell will say so
        if self._followed:
            open_for(self.flows, self._opened, facts)
            self.flows.feed(Facts(parts=self._followed), facts)
        return facts

    def commands_in_brackets(self) -> Facts:
        outer, self._documents = self._documents, []
        self.flows.branches += 1
        facts = self._list(frozenset())
        self.flows.branches -= 1
        self._documents = outer
        self.position += 1
        return facts

    # ------------------------------------------------------------ lists and pipelines

    def _list(self, ends: frozenset[str]) -> Facts:
        """Commands up to one of the words `ends`, or to what closes them, which are left standing."""
        facts = Facts()
        while True:
            self.joined = False
            self._skip(newlines=True, separators=True)
            if self.position >= self.limit or self.at(")") or self.at(";;") or self.at(";&"):
                return facts
            keyword = self._keyword()
            if keyword in ends or (keyword in _CLOSERS and ends):
                return facts
            before = self.position
            joined = self.joined
            self.flows.branches += joined
            facts.add(self._pipeline())
            self.flows.branches -= joined
            if self.position == before:
                self.position += 1

    def _pipeline(self) -> Facts:
        shifted = self.flows.shifted.get(self.flows.scope, (0, 0))
        known = len(self.flows.owned)
        first = self._command()
        self._skip()
        if not self.at("|") or self.at("||"):
            if self.at("&") and not self.at("&&"):
                self.flows.disown(known)
            return first
        before = Facts(parts=[first])
        if not FILTERS.isdisjoint(first.hands):
            self.flows.pipes += 1
            first.hands.append(f"pipe {self.flows.pipes}")
            before.variables.append(f"pipe {self.flows.pipes}<")
        facts = Facts(stages=[first])
        facts.add(first)
        while True:
            self._skip()
            if not self.at("|") or self.at("||"):
                return facts
            if len(facts.stages) == MAX_PIPELINE:
                fault = Fault("E403", f"a pipeline of more than {MAX_PIPELINE} commands", self.original(self.position))
                raise Refused(fault)
            self.flows.unshift(shifted)
            self.position += 2 if self.at("|&") else 1
            self._skip(newlines=True)
            following = self._command()
            self.flows.disown(known)
            self.flows.unshift(shifted)
            self.flows.feed(before, following)
            facts.stages.append(following)
            facts.parts = [following] if following.number else [*facts.parts, following]
            parts = [following] if following.number else [before, following]
            before = Facts(parts=parts, stages=[before, following])

    def _command(self) -> Facts:
        """One command, simple or compound, with its redirections."""
        self._depth += 1
        keyword = self._keyword()
        beside = False
        while keyword in _BETWEEN:
            self.position += len(keyword)
            self._skip(newlines=True)
            beside = beside or keyword == "coproc"
            found = (_NAMED if keyword == "coproc" else _TIMED).match(self.text, self.position, self.limit)
            if found is not None and keyword in ("coproc", "time"):
                self.position = found.end()
                self.flows.list_arrays(found[0].split()[:1])
            keyword = self._keyword()
        known = len(self.flows.owned)
        facts = self._one(keyword)
        self._depth -= 1
        if beside:
            self.flows.disown(known)
            self.flows.feed(self.flows.elsewhere, facts)
            self.flows.beyond.parts.append(facts)
            facts.reads, facts.takes, facts.hands = [], [], []
        return facts

    def _one(self, keyword: str) -> Facts:
        """What begins with a keyword, or a simple command."""
        if self._depth > MAX_NESTING:
            raise Refused(Fault("E403", "shell text nested too deeply", self.original(self.position)))
        if self.at("((") and self._brackets.closes_twice(self.position + 2, self.limit):
            self.position += 2
            self.arithmetic(Word(self.position), "))")
            facts = Facts()
        elif self.at("("):
            self.position += 1
            facts = self.commands_in_brackets()
        elif keyword in _ENDS:
            self.position += len(keyword)
            if keyword in _LOOPS:
                self.flows.enter_loop()
            self.flows.branches += keyword == "if"
            facts = self._list(frozenset({_ENDS[keyword]}))
            self.flows.branches -= keyword == "if"
            if keyword in _LOOPS:
                self.flows.leave_loop()
            self._expect(_ENDS[keyword])
        elif keyword in ("for", "select"):
            facts = self._for()
        elif keyword == "case":
            facts = self._case()
        elif keyword == "[[":
            facts = self.test()
        elif keyword == "function":
            self.position += len(keyword)
            self._skip()
            facts = self._function(self.word())
        else:
            return self._simple()
        self._redirections(facts)
        return facts

    # ------------------------------------------------------------ compound commands

    def _for(self) -> Facts:
        self.position += len(self._keyword())
        self._skip()
        facts = Facts()
        if self.at("(("):
            self.position += 2
            if (counted := _COUNTED.match(self.text, self.position, self.limit)) is not None:
                self.flows.own(counted[1])
            self.arithmetic(Word(self.position), "))")
        else:
            name = self.word()
            for hole in name.holes:
                hole.refuse("E424", "a value can't be the name of a variable", "write the name: for x in …")
            self._skip(newlines=True)
            if self._keyword() == "in":
                self.position += 2
                self._words_of_for(name)
            else:
                self.flows.copied.setdefault(self.flows.key(name.text), []).append(self.flows.key("@"))
        self._skip(newlines=True, separators=True)
        if self._keyword() in ("do", "{"):
            end = "done" if self._keyword() == "do" else "}"
            self.position += len(self._keyword())
            self.flows.enter_loop()
            facts.add(self._list(frozenset({end})))
            self.flows.leave_loop()
            self._expect(end)
        return facts

    def _words_of_for(self, name: Word) -> None:
        while True:
            self._skip()
            if self.position >= self.limit or self.peek() in ";\n&|()":
                return
            word = self.word()
            if word.end == word.start:
                return
            if not word.shifts:
                self.flows.own(name.text)
            self.flows.assign(self.flows.key(name.text), word)
            if word.text == HOLE and not word.quoted and word.holes[0].inner[0] >= 0 and not word.holes[0].raw:
                hole = word.holes[0]
                self.fault(
                    "W403",
                    "the loop runs once, with the whole value: a value is one word",
                    hole.start,
                    hole.end - hole.start,
                    "for the lines of a text: printf '%s\\n' {{ … }} | while IFS= read -r x; do …; done; "
                    "for the items of a list: {{ … | join('\\n') }}, or for_each on the node",
                )

    def _case(self) -> Facts:
        self.position += 4
        self._skip()
        self.word()
        facts = Facts()
        self._skip(newlines=True)
        self._expect("in")
        while True:
            self._skip(newlines=True, separators=True)
            if self.position >= self.limit or self._keyword() == "esac":
                self._expect("esac")
                return facts
            if self.at("("):
                self.position += 1
            while self.position < self.limit and not self.at(")"):
                self._skip(newlines=True)
                before = self.position
                self.word()
                self._skip(newlines=True)
                if self.at("|") or self.position == before:
                    self.position += not self.at(")")
            self.position += 1
            self.flows.branches += 1
            facts.add(self._list(frozenset({"esac"})))
            self.flows.branches -= 1
            while self.peek() in (";", "&") and self.position < self.limit:
                self.position += 1

    def _function(self, name: Word) -> Facts:
        """A function, behind its name: what its body does belongs to where it is called."""
        for hole in name.holes:
            hole.refuse("E424", "a value can't be the name of a function", None)
        self._skip()
        if self.at("("):
            self.position += 1
            self._skip()
            self.position += self.at(")")
        self._skip(newlines=True)
        outer, around = self.flows.place, self.function
        self.flows.place = name.text, 0, 0, 0, outer[-1]
        self.function = name.text
        body = self._command()
        self._redirections(body)
        self.flows.place, self.function = outer, around
        self.flows.bodies.setdefault(name.text, []).append(body)
        return Facts()

    # ------------------------------------------------------------ simple commands

    def _simple(self) -> Facts:
        self.flows.work += 3
        facts = Facts()
        words: list[Word] = []
        assignments: list[Word] = []
        redirected: list[str] = []
        numbered = False
        while True:
            self._skip()
            if self.position >= self.limit or self.peek() in "\n;|)":
                break
            if self.at("&") and not self.at("&>"):
                break
            begun = self.peek()
            operator = self._redirection(facts)
            if operator is not None:
                redirected.append(operator)
                numbered = numbered or begun in "023456789"
                continue
            if self.at("("):
                if len(words) == 1 and not assignments:
                    return self._function(words[0])
                break
            declaring = bool(words) and words[0].text in _DECLARING
            if (not words or declaring) and ARRAY.match(self.text, self.position, self.limit):
                word = self.array(keyed=declaring and any(KEYED.match(word.text) for word in words))
            else:
                word = self.word(assignable=not words or declaring)
            if word.end == word.start:
                break
            if not words and ASSIGNMENT.match(word.text) and self.plain_start(word):
                assignments.append(word)
            else:
                words.append(word)
        for word in (*words, *assignments):
            for inner in word.commands:
                facts.inherit(inner)
            facts.sinks += word.sinks
        for word in assignments:
            self.assign(word, facts, alone=not words)
        if words and self._repeated:
            self.flows.assign("_", words[-1])
        if words:
            found = inspect_command(words, self)
            if facts.writes and found.hands and words[0].text not in SPEAKERS:
                found.takes += facts.writes
            if any(operator.startswith("<") for operator in redirected):
                self._fed(facts, found)
            facts.add(found)
            facts.number = found.number
            facts.opened = [] if found.number and words[0].text != "exec" else facts.opened
            if words[0].text == "exec" and all(_DESCRIPTOR.fullmatch(word.text) for word in words[1:]):
                if any(operator.startswith("<") for operator in redirected):
                    self._followed.append(facts.input())
                if words[1:]:
                    self.flows.kept += facts.opened[-MAX_KEPT:]
                else:
                    self._opened += facts.opened
                following = self.flows.elsewhere if numbered or words[1:] else self._whole
                for sink in facts.sinks:
                    self.flows.feed(following, sink)
                for key in facts.writes:
                    self.flows.made[key].append(following)
                facts.sinks = []
        self._poured(facts)
        return facts
