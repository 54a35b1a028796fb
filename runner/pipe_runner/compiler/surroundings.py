"""What a file says for all of its nodes: defaults, environment, secrets.

Those of an included file stand over those of the file that includes it, key by key.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from pipe_runner.compiler.environment import Environment
from pipe_runner.compiler.report import Report
from pipe_runner.compiler.values import Use, may_hold_template
from pipe_runner.types import Path_
from pipe_schemas.encoding import canonical_json

if TYPE_CHECKING:
    from pipe_runner.compiler.parts import Part
    from pipe_schemas.pipeline import DefaultsSpec


class Surroundings:
    """Of one file; `outer` are those of the file that includes it."""

    def __init__(self, part: Part, outer: Surroundings | None = None) -> None:
        spec, report = part.spec, part.report
        self._part = part
        self._depth: int = 0 if outer is None else outer._depth + 1
        self.environment: Environment = Environment(spec.env, report, outer.environment if outer else None)
        self.defaults: DefaultsSpec | None = _inherited(outer.defaults if outer else None, spec.defaults)
        if spec.defaults is not None and isinstance(spec.defaults.shell, list):
            check_shell(spec.defaults.shell, ("defaults", "shell"), report)
        own = _defaults_of(part.data.get("defaults"))
        self.default_parts: dict[str, Any] = {**outer.default_parts, **own} if outer else own
        """The defaults as they are written, for digests."""
        self.env: dict[str, Any] = {**outer.env, **spec.env} if outer else dict(spec.env)
        self._env_reads: dict[str, Any] = dict(outer._env_reads) if outer else {}
        self._env_reads.update(self._inputs_read(part.env_uses))
        self.env_text = canonical_json(self.env) if self.env else ""
        written = part.written.get("secrets")
        wrong = dict.fromkeys(written) if isinstance(written, dict) else {}
        self.secrets: dict[str, Any] = {
            **(outer.secrets if outer else {}),
            **wrong,
            **part.data.get("secrets", {}),
        }
        """Where each secret comes from, as it is written; None for one whose declaration is wrong."""
        self.secrets_unread: bool = part.unread("secrets")
        self._cwd_from = self
        if outer is not None and (spec.defaults is None or spec.defaults.cwd is None):
            self._cwd_from = outer._cwd_from

    def default_cwd(self) -> tuple[str | None, Path_, Report]:
        """The working directory of nodes that don't say, and where that stands."""
        path = ("defaults", "cwd")
        cwd, report = None if self.defaults is None else self.defaults.cwd, self._cwd_from._part.report
        if cwd is not None and self._cwd_from is not self and may_hold_template(cwd):
            message = "a working directory that included files inherit is no template: `inputs` there are their own"
            report.add("E213", message, path, hint="say `defaults: {cwd: …}` in the included file, too")
            return None, path, report
        return cwd, path, report

    def values_read(self, uses: Iterable[Use], *, env: bool = True) -> str:
        """Inputs of included files that a node reads, itself or through `env:`, for its digest: they stand in files, as
        all else of the node does. Empty where it reads none."""
        read = {**(self._env_reads if env else {}), **self._inputs_read(uses)}
        return canonical_json(read) if read else ""

    def _inputs_read(self, uses: Iterable[Use]) -> dict[str, Any]:
        if not self._part.number:
            return {}
        values: Mapping[str, Any] = self._part.values
        found: dict[str, Any] = {}
        for use in uses:
            for reference in use.compiled.references:
                if reference.path[0] == "inputs":
                    names = list(values) if len(reference.path) == 1 else [str(reference.path[1])]
                    found.update((f"{self._depth}.{name}", values.get(name)) for name in names)
        return found


def is_shell(shell: str | list[str]) -> bool:
    """Whether the text is for a shell of the Bourne family, into which values can be put."""
    if isinstance(shell, str):
        return shell != "python"
    return os.path.basename(shell[0]) in ("sh", "bash", "dash", "ash", "zsh", "ksh", "mksh", "busybox")


def check_shell(shell: list[str], path: Path_, report: Report) -> None:
    """A list for `shell` names the program that reads the text: no value chooses one."""
    for number, word in enumerate(shell):
        if "{{" in word or "{%" in word:
            hint = "give the text its values where it reads them: {{ … }} in `run:` of a shell, or `env:` on the node"
            report.add(
                "E213", "`shell` is the program that reads the text, and no template", (*path, number), hint=hint
            )


def _inherited(outer: DefaultsSpec | None, own: DefaultsSpec | None) -> DefaultsSpec | None:
    if outer is None or own is None:
        return outer or own
    return own.model_copy(update={key: getattr(outer, key) for key in outer.model_fields_set - own.model_fields_set})


def _defaults_of(raw: Any) -> dict[str, Any]:
    if not isinstance(raw, dict):
        return {}
    found = {key: value for key, value in raw.items() if not str(key).startswith("x-")}
    if type(found.get("retry")) is int:
        found["retry"] = {"max_attempts": found["retry"]}
    return found
