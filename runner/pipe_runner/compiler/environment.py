"""Values in `env:` and `stdin:` that programs or the shell text of a node would read as code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pipe_runner.compiler.report import Report
from pipe_runner.expressions import Compiled, Fault
from pipe_runner.expressions.compile import compile_value
from pipe_runner.expressions.compiled import IN_CODE, OPTION, Reference
from pipe_runner.types import Path_


class _Given(NamedTuple):
    """A variable that isn't a text of the file."""

    path: Path_
    value: Compiled
    report: Report


class Environment:
    """The values that templates set in the `env:` of a file and of its nodes."""

    def __init__(self, env: Mapping[str, Any], report: Report, outer: Environment | None = None) -> None:
        """`outer` is that of the file that includes this one."""
        self._report = report
        self._told: set[Path_] = set()
        self._whole: dict[str, _Given] = {}
        self._texts = {name for name, text in env.items() if not (isinstance(text, str) and "{" in text)}
        """Variables of the file's own that are texts of it."""
        self._whole = self._given(env, ("env",))
        if outer is not None:
            inherited = {name: found for name, found in outer._whole.items() if name not in env}
            for name, found in inherited.items():  # what it reads are inputs of the other file
                value = compile_value(f"{{{{ env.{name} }}}}")[0]
                self._whole[name] = found._replace(value=value)

    def __bool__(self) -> bool:
        """Whether the file's own has any such value."""
        return bool(self._whole)

    def check(
        self,
        env: Mapping[str, Any],
        path: Path_,
        commands: Sequence[str | Sequence[str]],
        options: dict[str, Any],
        where: str = "run",
    ) -> bool:
        """Check those of a node that runs `commands`; gives whether it added options that aren't static."""
        own = self._given(env, path) if env else {}
        given = {name: found for name, found in self._whole.items() if name not in env} | own
        if not commands or not given:
            return False
        from pipe_runner.expressions.shell_environment import follow_environment

        calculated: dict[str, None] = {}
        for command in commands:
            faults, integers = follow_environment(command, given, where)
            for name, fault in faults.items():
                self._tell(given[name].path, fault, given[name].report)
            calculated.update(dict.fromkeys(integers))
        for name in calculated:
            value = given[name].value
            if any(reference.path[0] == "secrets" for reference in value.references):
                message = f"in `{where}:`, ${name} is calculated, and holds a secret beside the value"
                fault = Fault("E420", message, 0, 1, "put the two in variables of their own")
                self._tell(given[name].path, fault, given[name].report)
                continue
            if value.whole:
                value = Compiled("jinja", value.source, ["integer", value.tree], value.references)
            options.setdefault("variables", {})[name] = {"$text": value.to_json()}
            options.setdefault("integers", []).append(name)
        return "integers" in options

    def check_input(self, stdin: str | None, path: Path_, commands: Sequence[str | Sequence[str]]) -> None:
        """Check the text that a node gives to its command."""
        if stdin is None or "{" not in stdin:
            return
        value, _ = compile_value(stdin)
        if any(reference.path[0] != "secrets" for reference in value.references):
            from pipe_runner.expressions.shell_environment import follow_input

            for command in commands:
                self._tell(path, follow_input(command), self._report)

    def _given(self, env: Mapping[str, Any], path: Path_) -> dict[str, _Given]:
        """Where each value that isn't a text of the file stands; secrets are the user's own."""
        found: dict[str, _Given] = {}
        for name, text in env.items():
            if not isinstance(text, str) or "{" not in text:
                continue
            value, _ = compile_value(text)
            if any(self._is_value(reference) for reference in value.references):
                from pipe_runner.expressions.shell_environment import code_variable
                from pipe_runner.expressions.shell_variables import key_of

                found[name] = _Given((*path, name), value, self._report)
                key = env.get(key_of(name))
                setting = key if isinstance(key, str) and "{" not in key else ""
                self._tell((*path, name), code_variable(name, setting), self._report)
        return found

    def _is_value(self, reference: Reference) -> bool:
        """Whether what it reads isn't the user's own secret, nor a text of the file itself."""
        if reference.path[0] == "env" and len(reference.path) > 1:
            return reference.path[1] in self._whole or reference.path[1] not in self._texts
        return reference.path[0] != "secrets"

    def _tell(self, path: Path_, fault: Fault | None, report: Report) -> None:
        if fault is not None and path not in self._told:
            self._told.add(path)
            if fault.code == OPTION or fault.code in IN_CODE:
                report.options.append((fault, path))
                return
            report.add(fault.code, fault.message, path, hint=fault.hint)


def commands_of(shell: str | Sequence[str], text: str, *, shelled: bool) -> list[str | Sequence[str]]:
    """What runs for `run:`: its text, of a shell that reads it, and a list with it or its file."""
    if isinstance(shell, str):
        return [text] if shelled else []
    last = shell[-1]
    if last[:1] == "-" and last[1:].isalpha() and last[-1:] == "c":
        return [text] if shelled and len(shell) == 2 else [*([text] if shelled else []), [*shell, text]]
    whole = [word.replace("{0}", "script") for word in shell] if any("{0}" in word for word in shell) else None
    return [*([text] if shelled else []), whole or [*shell, "script"]]
