"""Reads shell text character by character, and knows at every `{{ … }}` how the shell would quote there.

This half knows quotes, expansions and words; shell_grammar.py knows commands. Dash and bash are read alike: what bash
alone understands is read as bash does, for `/bin/sh` is bash on many systems.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from pipe_runner.expressions.compiled import Fault
from pipe_runner.expressions.shell_brackets import Brackets
from pipe_runner.expressions.shell_dollars import dollar_quotes
from pipe_runner.expressions.shell_flows import Flows
from pipe_runner.expressions.shell_model import EXPANSION, HOLE, Facts, Part, Quote, Word
from pipe_runner.expressions.shell_source import ShellSource
from pipe_runner.expressions.shell_tables import GROUPS, MATCHED
from pipe_runner.expressions.tokens import Refused

MAX_NESTING: Final = 60
MAX_TRIED: Final = 500
"""Words that begin like `name[…]=` and turn out to be something else, each of which is read twice."""
NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ORDINARY: Final = re.compile(r"[^\s'\"\\$`{;&|<>()?*+@!\[]+")
_IN_SINGLE: Final = re.compile(r"[^'{]+")
_IN_DOUBLE: Final = re.compile(r"[^\"\\$`{]+")
_IN_DOCUMENT: Final = re.compile(r"[^\\$`{]+")
META: Final = " \t\n;&|<>()"
_SUBSCRIPT: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\[")
_ELEMENT: Final = re.compile(r"BASH_REMATCH\[1?[0-9]\]|[A-Za-z_][A-Za-z0-9_]*")
_PARAMETER: Final = re.compile(rf"{_ELEMENT.pattern}|[0-9]+|[-@*#?$!]")
_DIGITS: Final = re.compile(r"[0-9]{1,3}(?=[:}])")
_CANT: Final = "assign the value to a variable first (`x={{ … }}`), then use `$x` there"


class ShellLexer(ShellSource):
    """Words and what stands in them."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.flows = Flows()
        self._depth = 0
        self._tried = 0
        self._brackets = Brackets(self.text)
        self.function = ""
        """The function of this text that is read."""
        self.keyed: dict[tuple[str, str], bool] = {}
        """Variables of functions, and of all the text, that are certain to be associative arrays, or not to be."""

    # ------------------------------------------------------------ words

    def word(self, *, assignable: bool = False) -> Word:
        """Read one word, which begins here; assignments may have a subscript."""
        word = Word(self.position)
        pieces: list[str] = []
        if assignable:
            self._subscript(word, pieces)
        while self.position < self.limit:
            character = self.text[self.position]
            if character in META:
                if character in "<>" and self.at(character + "("):
                    self._substitution(word, pieces, 2)
                    continue
                if character == "(" and pieces and self._extended_pattern(word, pieces):
                    continue
                break
            if character == "{" and self.at_hole():
                word.holes.append(self.hole("bare"))
                pieces.append(HOLE)
            elif character == "\\":
                self._escaped(word, pieces)
            elif character == "'":
                self._single(word, pieces)
            elif character == '"':
                self.position += 1
                word.quoted = True
                self.double(word, pieces)
            elif character in "$`":
                self.expansion(word, pieces, "bare")
            else:
                found = _ORDINARY.match(self.text, self.position, self.limit)
                piece = found[0] if found else character
                pieces.append(piece)
                self.position += len(piece)
        word.text = "".join(pieces)
        word.end = self.position
        return word

    def _escaped(self, word: Word, pieces: list[str]) -> None:
        self.position += 1
        if self.at_hole():
            hole = self.hole("bare")
            hole.refuse("E422", "a backslash before a value has no meaning", "remove it; a value needs no quoting")
            word.holes.append(hole)
            pieces.append(HOLE)
        elif self.position < self.limit:
            character = self.text[self.position]
            pieces.append("" if character == "\n" else character)
            self.position += 1

    def _single(self, word: Word, pieces: list[str]) -> None:
        self.position += 1
        word.quoted = True
        while self.position < self.limit and not self.at("'"):
            if self.at_hole():
                word.holes.append(self.hole("single"))
                pieces.append(HOLE)
                continue
            found = _IN_SINGLE.match(self.text, self.position, self.limit)
            pieces.append(found[0] if found is not None else "{")
            self.position += len(pieces[-1])
        self.position += 1

    def double(self, word: Word, pieces: list[str], *, document: bool = False) -> None:
        """The inside of double quotes up to the closing one, or of a here-document up to the limit."""
        ordinary = _IN_DOCUMENT if document else _IN_DOUBLE
        while self.position < self.limit:
            found = ordinary.match(self.text, self.position, self.limit)
            if found is not None:
                pieces.append(found[0])
                self.position = found.end()
                continue
            character = self.text[self.position]
            if character == '"':
                self.position += 1
                return
            if character == "{" and self.at_hole():
                word.holes.append(self.hole("double"))
                pieces.append(HOLE)
            elif character == "\\":
                self.position += 1
                if self.at_hole():
                    hole = self.hole("double")
                    hole.before = "\\"
                    word.holes.append(hole)
                    pieces.append("\\" + HOLE)
                elif self.position < self.limit:
                    escaped = self.text[self.position]
                    kept = escaped if escaped in '$`"\\' else "" if escaped == "\n" else "\\" + escaped
                    pieces.append(kept)
                    self.position += 1
            elif character in "$`":
                self.expansion(word, pieces, "double")
            else:
                pieces.append(character)
                self.position += 1

    def document(self, word: Word, end: int) -> None:
        """The text of an unquoted here-document, from here to `end`."""
        outer, self.limit = self.limit, end
        pieces: list[str] = []
        self.double(word, pieces, document=True)
        word.text = "".join(pieces)
        self.limit, self.position = outer, end

    def _extended_pattern(self, word: Word, pieces: list[str]) -> bool:
        """bash's `@(a|b)`: brackets that belong to a word."""
        if pieces[-1][-1:] not in ("?", "*", "+", "@", "!"):
            return False
        self.position += 1
        pieces.append("(")
        while self.position < self.limit and not self.at(")"):
            if self.peek() in "|" + META.replace("(", ""):
                pieces.append(self.peek())
                self.position += 1
                continue
            before = self.position
            self._deeper(lambda: self._part(word, pieces))
            if self.position == before:
                self.position += 1
        self.position += 1
        pieces.append(")")
        return True

    def _part(self, word: Word, pieces: list[str]) -> None:
        part = self.word()
        word.take(part)
        pieces.append(part.text)

    def _subscript(self, word: Word, pieces: list[str]) -> None:
        """`name[…]=` at a word's start: the shell calculates what stands in the brackets."""
        found = _SUBSCRIPT.match(self.text, self.position, self.limit)
        if found is None or self._tried > MAX_TRIED or self.text.find("]", found.end(), found.end() + 200) < 0:
            return
        start, known = self.position, len(self.holes)
        self.position = found.end()
        self.subscript(word, found[0][:-1], "bare")
        if not (self.at("=") or self.at("+=")):
            self._tried += 1
            self.position = start
            del self.holes[known:]
            del word.holes[:]
            return
        self.flows.list_arrays([self.flows.key(found[0][:-1])])
        pieces.append(found[0] + EXPANSION + "]")

    # ------------------------------------------------------------ expansions

    def expansion(self, word: Word, pieces: list[str], quote: Quote) -> None:
        """`$…` or a back-quote, which stands here."""
        begun, named = self.position, len(word.variables)
        word.loose |= quote == "bare" and not self.at('$"') and not self.at("$'")
        if self.at("`"):
            self._back_quotes(word)
        elif self.at("$(("):
            if self._brackets.closes_twice(self.position + 3, self.limit):
                self.position += 3
                self._deeper(lambda: self.arithmetic(word, "))"))
            else:
                self._substitution(word, pieces, 2)
                return
        elif self.at("$("):
            self._substitution(word, pieces, 2)
            return
        elif self.at("${") and not self.at("${{"):
            self.position += 2
            self._deeper(lambda: self._braces(word, quote))
        elif self.at("$[") and quote == "bare":
            self.position += 2
            self._deeper(lambda: self.arithmetic(word, "]"))
        elif quote == "bare" and (self.at("$'") or self.at('$"')):
            pieces.append(dollar_quotes(self, word))
            return
        else:
            self.position += 1
            found = _PARAMETER.match(self.text, self.position, self.limit)
            if found is None:
                pieces.append("$")
                return
            self.position = found.end()
            word.several |= found[0] == "@" or (found[0] == "*" and quote == "bare")
            word.variables += [self._key(found[0]), *self.flows.joining(found[0])]
        pieces.append(EXPANSION)
        word.parts.append(Part(self.text[begun : self.position], "".join(word.variables[named : named + 1])))

    def _deeper(self, read: Callable[[], object]) -> None:
        self._depth += 1
        if self._depth > MAX_NESTING:
            raise Refused(Fault("E403", "shell text nested too deeply", self.original(self.position)))
        read()
        self._depth -= 1

    def _substitution(self, word: Word, pieces: list[str], length: int) -> None:
        self.position += length
        known = len(self.holes)
        opening = self.text[self.position - length]
        into = word.sinks if opening == ">" else word.commands
        self._deeper(lambda: into.append(self.commands_in_brackets()))
        if opening == "<":
            word.files.append(into[-1])
        word.nested += self.holes[known:]
        pieces.append(EXPANSION)
        word.parts.append(Part("", printed=into[-1]))

    def commands_in_brackets(self) -> Facts:
        """Commands up to `)`; shell_grammar.py knows how."""
        raise NotImplementedError

    def _back_quotes(self, word: Word) -> None:
        known = len(self.holes)
        self.position += 1
        begun = self.position
        while self.position < self.limit and not self.at("`"):
            if self.at_hole():
                self.hole("bare").refuse(
                    "E422", "a value can't stand in back-quotes, where the shell reads quotes twice", "write $( … )"
                )
            else:
                self.position += 2 if self.at("\\") else 1
        word.commands.append(self.script(re.sub(r"\\([$`\\])", r"\1", self.text[begun : self.position])))
        self.position += 1
        word.nested += self.holes[known:]

    def script(self, text: str, arguments: list[Word] | None = None, zero: Word | None = None) -> Facts:
        """A script that stands in this one; shell_grammar.py knows how."""
        raise NotImplementedError

    def arithmetic(self, word: Word, closing: str) -> None:
        """What the shell calculates, up to `closing`: only integers may stand there."""
        depth = 0
        scratch: list[str] = []
        opening = "[" if closing == "]" else "("
        while self.position < self.limit:
            character = self.text[self.position]
            if depth == 0 and self.at(closing):
                self.position += len(closing)
                return
            if character == "{" and self.at_hole():
                before = self.text[self.position - 1]
                hole = self.hole("double")
                hole.integer = True
                hole.before = " " if before in "+-" else ""
                word.holes.append(hole)
            elif character in "$`":
                known, named, run = len(word.holes), len(word.variables), len(word.commands)
                self.expansion(word, scratch, "double")
                self.flows.calculated.update(word.variables[named:])
                self.flows.figured += word.commands[run:]
                for hole in word.holes[known:]:
                    hole.integer = True
            elif found := _ELEMENT.match(self.text, self.position, self.limit):
                self.position = found.end()
                self.flows.calculated.add(self._key(found[0]))
            else:
                depth += (character == opening) - (character == closing[0])
                self.position += 2 if character == "\\" else 1

    def _key(self, name: str) -> str:
        """The key of a variable that is read here: of an array without brackets that of its first element."""
        return self.flows.key(GROUPS[0] if name == MATCHED and not self.at("[") else name)

    def _braces(self, word: Word, quote: Quote) -> None:
        """`${…}` behind its brace: name, subscript, operator, and what stands behind that."""
        prefix = self.peek() if self.peek() in "#!" and not self.at("#}") else ""
        self.position += len(prefix)
        found = _PARAMETER.match(self.text, self.position, self.limit)
        if found is not None:
            self.position = found.end()
            key = self._key(found[0])
            if prefix != "#":
                word.variables.append(key)
                word.several |= found[0] == "@"
            listed = self.peek() in ("*", "@") or self.peek(3) in ("[*]", "[@]")
            if prefix == "!" and not listed:
                self.flows.naming.add(key)
                word.variables += [f"{key}!", self.flows.key("@")]
            if prefix == "!" and listed:
                word.variables.append(f"{key}[keys]")
            if (prefix == "!" and not listed) or self.at("@P"):
                self.flows.coded.append((key, "", "name the variable itself"))
        if self.at("["):
            word.several |= self.at("[@]")
            if self.at("[@]}") and found is not None and not prefix:
                word.listed = key
            self.position += 1
            self.subscript(word, found[0] if found else "", quote)
        known = len(self.holes)
        if self.at(":") and self.peek(2)[1:] not in ("-", "=", "?", "+"):
            self.position += 1
            if word.several and (digits := _DIGITS.match(self.text, self.position, self.limit)) is not None:
                word.skipped = max(int(digits[0]) - (found is not None and found[0] == "@"), 0)
            self.arithmetic(word, "}")
            return
        operator = self.peek(2) if self.at(":") else self.peek()
        tolerated = found is not None and operator in ("-", ":-", "+", ":+", "?", ":?")
        tolerated |= operator in ("=", ":=") and quote == "double" and found is not None
        self.position += len(operator) if operator[:1] in ("-", "+", "?", "=", ":") else 0
        inner = Word(self.position)
        self._brace_word(inner, quote)
        if operator in ("=", ":=") and found is not None:
            written = self.text[inner.start : self.position - 1].strip("\"'")
            inner.text = written if not inner.all_holes and not set(written) & {"$", "`"} else ""
            self.flows.assign(key, inner)
        word.take(inner)
        for hole in self.holes[known:]:
            if hole in word.nested:
                continue
            if found is None:
                hole.refuse("E424", "a value can't be the name of a variable", _CANT)
            elif not tolerated:
                hole.refuse("E422", f"a value can't stand behind `{operator}` in ${{…}}, which reads patterns", _CANT)

    def subscript(self, word: Word, name: str, quote: Quote, *, keyed: bool = False) -> None:
        """What stands behind `NAME[`: calculated, but for the keys of an associative array."""
        if not keyed and not self.keyed.get((self.function, name), self.keyed.get(("", name), False)):
            self.arithmetic(word, "]")
            return
        inner = Word(self.position)
        self._brace_word(inner, quote, "]")
        self.flows.assign(f"{self.flows.key(name)}[keys]", inner)

    def _brace_word(self, word: Word, quote: Quote, closing: str = "}") -> None:
        scratch: list[str] = []
        while self.position < self.limit and not self.at(closing):
            character = self.text[self.position]
            if character == "{" and self.at_hole():
                word.holes.append(self.hole(quote))
            elif character == "\\":
                self.position += 1
                if self.at_hole():
                    self.hole(quote).refuse("E422", "a backslash before a value has no meaning", "remove it")
                else:
                    self.position += 1
            elif character == "'" and (quote == "bare" or closing == "]"):
                self._single(word, scratch)
            elif character == '"':
                self.position += 1
                known = len(self.holes)
                self.double(word, scratch)
                if quote == "double":
                    for hole in self.holes[known:]:
                        if hole not in word.nested:
                            hole.refuse("E422", "a value can't stand in quotes inside quotes inside ${…}", _CANT)
            elif character in "$`":
                self.expansion(word, scratch, quote)
            else:
                self.position += 1
        self.position += 1
