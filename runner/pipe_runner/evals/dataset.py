"""Cases in a file of their own: one JSON object a line, as data sets usually come."""

from __future__ import annotations

import os
import stat
from typing import Any, Final

from pipe_runner.compiler.given import half_pair
from pipe_runner.compiler.report import MOST, short
from pipe_runner.diagnostics import Diagnostic
from pipe_runner.errors import UsageError, no_json, strict_json
from pipe_runner.evals.inputs import input_faults
from pipe_runner.evals.suite import Case
from pipe_runner.plan import Plan
from pipe_runner.text import shown_path

_KEYS: Final = ("name", "inputs", "expected")


class Dataset:
    """Reads the cases of a JSONL file; `faults` are at their lines."""

    def __init__(self, path: str, plan: Plan, limit: int) -> None:
        self._path, self._plan, self._limit = path, plan, limit
        self._shown = shown_path(path)
        self.faults: list[Diagnostic] = []

    def cases(self) -> list[Case]:
        """The cases that are right; raises UsageError where the file can't be read."""
        found: list[Case] = []
        for number, line in enumerate(self._text().split("\n"), 1):
            if not line.strip():
                continue
            case = self._case(line, number, len(found) + 1)
            if case is not None:
                found.append(case)
            if len(self.faults) > MOST:
                break
        if not found and not self.faults:
            self._fault(1, "the file has no cases", 'one JSON object a line: {"inputs": {…}, "expected": …}')
        return found

    def _text(self) -> str:
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            with open(descriptor, "rb") as file:
                about = os.fstat(descriptor)
                if not stat.S_ISREG(about.st_mode):
                    raise UsageError(f"{self._shown} is no file")
                if about.st_size > self._limit:
                    raise UsageError(
                        f"{self._shown} has more than {self._limit} bytes", hint="`limits.file` in pipe.yml"
                    )
                return file.read().decode("utf-8-sig")
        except OSError as error:
            raise UsageError(f"{self._shown} can't be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise UsageError(f"{self._shown} is not UTF-8, at byte {error.start}") from error

    def _case(self, line: str, number: int, count: int) -> Case | None:
        try:
            data: Any = strict_json(line)
        except (ValueError, RecursionError) as error:
            column = getattr(error, "colno", 1)
            self._fault(number, f"the line is no JSON: {no_json(error)}", column=column)
            return None
        before = len(self.faults)
        if not isinstance(data, dict):
            self._fault(number, "the line is no JSON object", 'write {"inputs": {…}, "expected": …}')
            return None
        broken = half_pair(data)
        if broken is not None:
            self._fault(number, f"the line holds {broken}, half of a surrogate pair, which stands for no character")
            return None
        for key in data:
            if key not in _KEYS and not key.startswith("x-"):
                self._fault(number, f"unknown key `{short(key)}` in a case", f"there is {', '.join(_KEYS)}")
        name, inputs = data.get("name", f"case {count}"), data.get("inputs", {})
        if not isinstance(name, str) or not name:
            self._fault(number, "`name` is text")
        if not isinstance(inputs, dict):
            self._fault(number, "`inputs` is an object")
        else:
            for _, sentence, near in input_faults(inputs, self._plan):
                self._fault(number, sentence, f"did you mean `{near}`?" if near else None, "E703")
        if len(self.faults) > before:
            return None
        return Case(name, inputs, data.get("expected"), self._shown, number)

    def _fault(self, line: int, message: str, hint: str | None = None, code: str = "E707", *, column: int = 1) -> None:
        self.faults.append(Diagnostic(self._shown, line, column, code, message, hint))
