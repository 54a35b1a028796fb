"""Values of the file in which texts may be templates: finds, compiles and writes them as a plan keeps them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from pipe_runner.compiler.bare import tell_bare
from pipe_runner.compiler.report import Report, short
from pipe_runner.compiler.room import more_hint
from pipe_runner.compiler.trees import all_in, own_path
from pipe_runner.expressions import Compiled, Fault
from pipe_runner.expressions.compile import compile_value
from pipe_runner.expressions.compiled import BACKSLASHES, IN_CODE, OPTION
from pipe_runner.expressions.plain import path_text
from pipe_runner.plan import Value
from pipe_runner.types import Json, Path_

Place: TypeAlias = Literal[
    "env", "with", "run", "argv", "stdin", "cwd", "when", "outputs", "pipeline env", "group", "url", "items", "key"
]


_LATER: Final = 1_000
"""Values in code of one file that are held against what it lists; further ones are told at once."""


@dataclass(frozen=True, slots=True)
class Use:
    """A template, and where in the file it stands."""

    compiled: Compiled
    path: Path_
    place: Place
    sound: bool = True
    """False: it could not be read, which is told; what it gives is not known."""

    def spot(self, tree: Any) -> tuple[int | None, int | None]:
        """Offset and length of what a part of its tree reads first; None in a text of one line that is not shell text:
        the whole is the place."""
        if self.place == "run" or "\n" in self.compiled.source:
            known = {reference.path: reference.offset for reference in reversed(self.compiled.references)}
            for path in (tuple(one[1]) for one in all_in(tree) if one[0] == "ref"):
                if path in known:
                    return known[path], len(path_text(path))
            own = next(filter(None, map(own_path, all_in(tree))), None)
            found = re.search(rf"\b{re.escape(path_text(own))}\b", self.compiled.source) if own else None
            if found is not None:
                return found.start(), len(found[0])
        return None, None


def sound(faults: list[Fault]) -> bool:
    """Whether a text with these faults could be read; warnings don't count."""
    return not any(fault.code[:1] == "E" for fault in faults)


def may_hold_template(value: Any) -> bool:
    """Whether any text in the value has the mark of a template."""
    if isinstance(value, str):
        return "{" in value and ("{{" in value or "{%" in value or "{#" in value)
    if isinstance(value, dict):
        for key, item in value.items():
            if may_hold_template(item) or "{{" in key:
                return True
    elif isinstance(value, list):
        for item in value:
            if may_hold_template(item):
                return True
    return False


class Values:
    """Compiles values; every template goes to `uses`, every fault to the report."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._leaves: list[Use] = []

    def compile(self, value: Any, path: Path_, place: Place, uses: list[Use], *, text: bool = False) -> Value:
        """The value as a plan keeps it; `text`: what its templates give must become text."""
        tell_bare(value, path, self._report)
        if not may_hold_template(value):
            return Value(value)
        before = len(uses)
        data = self._encode(value, path, place, uses, "$text" if text else "$", escape=True)
        if len(uses) == before:  # nothing but {% raw %}
            return Value(self._encode(value, path, place, uses, "$", escape=False, quiet=True))
        return Value(data, static=False)

    def leaf(self, text: str, path: Path_, place: Place, uses: list[Use], *, mark: str = "$text") -> tuple[Json, bool]:
        """One text as a plan keeps it, and whether it is plain data."""
        if "{" not in text:
            tell_bare(text, path, self._report)
            return text, True
        compiled, faults = compile_value(text)
        self.tell(faults, path)
        if compiled.kind == "literal":
            return compiled.body, True
        uses.append(Use(compiled, path, place, sound(faults)))
        return {mark: compiled.to_json()}, False

    def words(self, words: list[str], path: Path_, uses: list[Use]) -> tuple[list[Any], bool]:
        """The items of `argv:` as a plan keeps them, and whether they are plain data."""
        tell_bare(words, path, self._report)
        items: list[Any] = list(words)
        together = " ".join(words)
        if "{{" not in together and "{%" not in together:
            return items, True
        from pipe_runner.expressions import compile_argv

        static = True
        compiled, faults = compile_argv(words)
        for number, fault in faults:
            self.tell([fault], (*path, number))
        for number, one in enumerate(compiled):
            if one.kind == "literal":
                items[number] = one.body
            else:
                static = False
                items[number] = {"$text": one.to_json()}
                uses.append(Use(one, (*path, number), "argv"))
        return items, static

    def tell(self, faults: list[Fault], path: Path_) -> None:
        """Report the faults of the text at `path`."""
        for fault in faults:
            if fault.code in (OPTION, BACKSLASHES) or (fault.code in IN_CODE and len(self._report.options) < _LATER):
                self._report.options.append((fault, path))
                continue
            hint = more_hint(fault) if fault.code in IN_CODE else fault.hint
            self._report.add(fault.code, fault.message, path, offset=fault.offset, length=fault.length, hint=hint)

    def _encode(
        self, value: Any, path: Path_, place: Place, uses: list[Use], mark: str, *, escape: bool, quiet: bool = False
    ) -> Any:
        if isinstance(value, str):
            if "{" not in value:
                return value
            compiled, faults = compile_value(value)
            if faults and not quiet:
                self.tell(faults, path)
            if compiled.kind == "literal":
                return compiled.body
            uses.append(Use(compiled, path, place, sound(faults)))
            return {mark: compiled.to_json()}
        if isinstance(value, dict):
            out = {}
            special = False
            for key, item in value.items():
                if "{{" in key and not quiet:
                    message = f"`{short(key)}` is a key, and a key can't be a template"
                    self._report.add("E213", message, (*path, key), at="key")
                special = special or key[:1] == "$"
                out[key] = self._encode(item, (*path, key), place, uses, mark, escape=escape, quiet=quiet)
            return {"$map": [[key, item] for key, item in out.items()]} if special and escape else out
        if isinstance(value, list):
            return [
                self._encode(item, (*path, index), place, uses, mark, escape=escape, quiet=quiet)
                for index, item in enumerate(value)
            ]
        return value
