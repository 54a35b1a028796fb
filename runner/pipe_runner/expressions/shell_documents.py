"""What stands between the words of commands: blanks, comments, redirections and here-documents."""

from __future__ import annotations

import re
from typing import Final

from pipe_runner.expressions.shell_files import WRITING, open_for, reads, writes
from pipe_runner.expressions.shell_lexer import ShellLexer
from pipe_runner.expressions.shell_marks import calculate_brackets
from pipe_runner.expressions.shell_model import STANDARD_INPUT, Facts, Word
from pipe_runner.expressions.shell_spoken import interpret
from pipe_runner.expressions.shell_tables import MAX_KEPT

_KEYWORD: Final = re.compile(r"(?:[a-z]+|[{}!]|\[\[)(?=[\s;&|<>()]|\Z)")
_KEPT: Final = re.compile(r"\{([A-Za-z_]\w*\[[^\s{}]*\])\}\Z")
"""The variable that holds the number of a descriptor, before the operator: `{a[0]}>`."""
_FD: Final = re.compile(r"[0-9]+(?=[<>])")
_DESCRIPTOR: Final = re.compile(r"[0-9]+-?|-|")
_REDIRECTION: Final = re.compile(r"&>>|&>|<<<|<<-|<<|<&|<>|>>|>&|>\||<|>")
_REDIRECTING: Final = "0123456789<>&"
_SKIPPED: Final = " \t\r\n\\#;&|"
_DOCUMENT_HINT: Final = (
    "take the quotes off the delimiter, or read the value from a variable: X={{ … }} before the command"
)


class ShellDocuments(ShellLexer):
    """A scan that knows where here-documents begin and end."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._documents: list[tuple[str, bool, bool, Facts, str]] = []
        """Here-documents whose text follows the next newline: delimiter, tabs stripped, quoted, whose input, scope."""
        self.joined = False
        """Whether the command that comes next depends on the one before it."""

    def _redirections(self, facts: Facts) -> None:
        """Those behind a compound command."""
        while True:
            self._skip()
            operator = self._redirection(facts)
            if operator is None:
                return
            if operator.startswith("<"):
                self._fed(facts, facts)
            elif facts.hands:
                facts.takes += facts.writes
            self._poured(facts)

    def _fed(self, facts: Facts, reader: Facts) -> None:
        """A command whose input is redirected: it reads here-documents, and nothing from a pipe."""
        if reader.reads or reader.takes or reader.hands:
            self.flows.feed(facts.input(), reader)
            facts.input().hands += reader.hands
        open_for(self.flows, facts.opened, reader)
        if reader.runs is not None:
            given = facts.input()
            given.runs, given.printed = reader.runs, Facts()
            given.printed.parts += [self.script(text, reader.runs) for text in given.texts]
            facts.parts.append(given.printed)
        if reader.interprets:
            facts.input().interpreted = reader
            for text in facts.input().texts:
                interpret(self.flows.key, facts.input(), text)
        reader.reads, reader.takes, reader.hands = [], [], []

    def _poured(self, facts: Facts) -> None:
        """A command that prints into `>(…)`; what it passes on it may have read itself."""
        for sink in facts.sinks:
            self.flows.feed(facts, sink)
            facts.inherit(sink)
        facts.sinks = []

    def _redirection(self, facts: Facts) -> str | None:
        if self.peek() not in _REDIRECTING:
            return None
        found = _FD.match(self.text, self.position, self.limit)
        start = found.end() if found else self.position
        operator = _REDIRECTION.match(self.text, start, self.limit)
        if operator is None or self.text.startswith(("<(", ">("), start):
            return None
        if self.text.endswith("]}", 0, start) and (kept := _KEPT.search(self.text, max(0, start - 200), start)):
            calculate_brackets(self, kept[1])
        numbered = found is not None and found[0] != "0" and operator[0].startswith("<")
        given = self.flows.beyond if numbered else None
        self.position = operator.end()
        self._skip()
        begin = self.position
        word = self.word()
        if operator[0] in ("<<", "<<-"):
            for hole in word.holes:
                hole.refuse("E422", "a value can't be the delimiter of a here-document", None)
            raw = self.text[begin : word.end]
            quoted = word.quoted or "\\" in raw
            self._documents.append((word.text, operator[0] == "<<-", quoted, given or facts.input(), self.flows.scope))
        else:
            if operator[0] in (">&", "<&"):
                for hole in word.all_holes:
                    message = f"a value can't stand behind `{operator[0]}`, whose word bash expands a second time"
                    hole.refuse("E422", message, "write the number of a descriptor, or `> FILE 2>&1`")
            if operator[0] == ">&" and word.text == "2" and (found is None or found[0] == "1"):
                facts.away = facts.away or "errors"
            elif operator[0] == ">&" and word.text == "1" and found is not None and not facts.away:
                self.flows.errors = True
            if operator[0] == ">&" and word.text not in ("1", "2", "-"):
                self.flows.elsewhere.parts.append(facts)
            elif operator[0] == "<&" and word.text not in ("0", "-"):
                facts.input().parts.append(self.flows.beyond)
                facts.opened += self.flows.kept[-MAX_KEPT:]
            if operator[0] == "<<<":
                _filled(given or facts.input(), word)
                (given or facts.input()).texts += [word.text] if word.static else []
            elif word.files:
                (given or facts.input()).parts += word.files
            if operator[0] in ("<", "<>") and not numbered:
                facts.opened.append(word)
                reads(self.flows, word, facts)
            elif operator[0] in ("<", "<>"):
                self.flows.kept.append(word)
            to_file = operator[0] == ">&" and not _DESCRIPTOR.fullmatch(word.text)
            if to_file or (operator[0] in WRITING and (found is None or found[0] == "1")):
                writes(self.flows, word, facts)
                standard = word.sinks or word.text in ("/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "/dev/fd/2")
                facts.away = "" if standard or word.text == "/dev/stderr" else "file"
            elif operator[0] in WRITING and found is not None and found[0] != "2":
                writes(self.flows, word, self.flows.elsewhere)
            facts.sinks += word.sinks
        if operator[0] == "<" and not numbered and word.text in STANDARD_INPUT[1:]:
            facts.hands.append("cat")
            return "same"
        return "numbered" if numbered else operator[0]

    def _newline(self) -> None:
        """A newline: the here-documents that were announced follow."""
        self.position += 1
        documents, self._documents = self._documents, []
        outer = self.flows.scope
        for delimiter, strip, quoted, facts, self.flows.scope in documents:
            end, after = self._end_of_document(delimiter, strip, quoted)
            word = Word(self.position)
            text = self.text[self.position : end] if quoted else ""
            if quoted:
                while (opened := self.text.find("{{", self.position, end)) >= 0:
                    self.position = opened
                    if not self.at_hole():
                        self.position += 2
                        continue
                    hole = self.hole("double")
                    hole.refuse(
                        "E423",
                        f"the shell expands nothing in a here-document that is quoted (<<'{delimiter}')",
                        _DOCUMENT_HINT,
                    )
                    word.holes.append(hole)
            else:
                self.document(word, end)
            _filled(facts, word)
            interpret(self.flows.key, facts, text or word.text)
            if facts.runs is not None and facts.printed is not None and not word.holes and word.static:
                facts.printed.parts.append(self.script(text or word.text, facts.runs))
            self.position = max(after, self.position)
        self.flows.scope = outer

    def _end_of_document(self, delimiter: str, strip: bool, quoted: bool) -> tuple[int, int]:
        """Where a here-document's text ends, and where the line behind its delimiter begins."""
        position = self.position
        continued = False
        while position < self.limit:
            newline = self.text.find("\n", position, self.limit)
            line_end = self.limit if newline < 0 else newline
            line = self.text[position:line_end]
            if not continued and (line.lstrip("\t") if strip else line) == delimiter:
                return position, min(line_end + 1, self.limit)
            backslashes = len(line) - len(line.rstrip("\\"))
            continued = not quoted and backslashes % 2 == 1
            position = line_end + 1
        return self.limit, self.limit

    def _skip(self, *, newlines: bool = False, separators: bool = False) -> None:
        """Blanks and comments; also newlines, and `;` `&` `&&` `||`, where they separate commands."""
        while self.position < self.limit:
            character = self.text[self.position]
            if character not in _SKIPPED:
                return
            if character in " \t\r" or self.at("\\\n"):
                self.position += 1 if character != "\\" else 2
            elif character == "#":
                end = self.text.find("\n", self.position, self.limit)
                self.position = self.limit if end < 0 else end
            elif character == "\n" and newlines:
                self._newline()
            elif separators and ((character == "&" and not self.at("&>")) or self.at("||")):
                joined = self.at("&&") or self.at("||")
                self.joined |= joined
                self.position += 2 if joined else 1
            elif separators and character == ";" and not self.at(";;") and not self.at(";&"):
                self.position += 1
            else:
                return

    def _keyword(self) -> str:
        found = _KEYWORD.match(self.text, self.position, self.limit)
        return found[0] if found else ""

    def _expect(self, keyword: str) -> None:
        if self._keyword() == keyword:
            self.position += len(keyword)


def _filled(facts: Facts, word: Word) -> None:
    """What a command reads is the text of a word."""
    facts.emits += word.all_holes
    facts.variables += word.variables
    facts.parts += word.commands
