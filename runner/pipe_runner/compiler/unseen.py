"""Variables that the shell text of a node reads, and that are empty there: of secrets (W601) and of a CI (W602)."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

from pipe_runner.compiler.report import Report
from pipe_runner.types import Path_

_READ: Final = re.compile(r"\$(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*))")
_OF_CI: Final = re.compile(r"(?:CI|GITHUB|GITLAB|RUNNER|CIRCLE|BUILDKITE|BITBUCKET)_[A-Z]")
_NAMED: Final = re.compile(r"(?<![\w$])(?:(?<!\$\{)[A-Za-z_]\w*|[A-Za-z_]\w*(?=:?[-+=]))")
"""A word that may be the name of a variable, and doesn't just read it: `${X:=1}` sets it, `${X:-}` lets it be empty."""
_ESCAPED: Final = re.compile(r"\\.", re.S)
_KEPT: Final = re.compile(
    r"""\\.|"(?:[^"\\]|\\.)*"|'[^']*'|(?<![^\s;&|()])\#[^\n]*"""
    r"""|<<-?[ \t]*(?:'(?P<one>\w+)'|"(?P<two>\w+)"|\\(?P<three>\w+))[^\n]*\n"""
    r"""(?:(?![ \t]*(?:(?P=one)|(?P=two)|(?P=three))$)[^\n]*(?:\n|\Z))*""",
    re.S | re.M,
)
"""What a shell leaves as it is: escapes, single quotes, comments, quoted here-documents; and double quotes, of which it
leaves the escapes."""
_SETS: Final = re.compile(
    r"""(?:^|[;&|({]|\b(?:then|else|do|if)\b)[ \t]*"""
    r"""(?:(?:\.|source|eval)[ \t]|(?:export|declare|typeset)[ \t]+["']?[$`])""",
    re.M,
)
"""Which may set any variable."""


def tell_unseen(text: str, path: Path_, report: Report, given: Collection[str], declared: Collection[str]) -> None:
    """`$TOKEN` of a secret that the file declares, and the node isn't granted; what a CI sets for jobs of its own."""
    if not _empty(text, given, declared):
        return
    named = set(_NAMED.findall(text))  # those may be set here
    text = _KEPT.sub(_blank, text)
    for name, found in () if _SETS.search(text) else _empty(text, given, declared).items():
        if name in named:
            continue
        if name in declared:
            code, message = "W601", f"`${name}` is empty: this node is not granted the secret `{name}`"
            hint = f"grant it: `secrets: [{name}]`"
        else:
            code, message = "W602", f"`${name}` is empty: a command sees few of the variables that `pipe` has"
            hint = _instead(name)
        report.add(code, message, path, offset=found.start(), length=len(found[0]), hint=hint)


def _empty(text: str, given: Collection[str], declared: Collection[str]) -> dict[str, re.Match[str]]:
    """Where the text reads variables of the two kinds that the node isn't given."""
    reads = {found[1] or found[2]: found for found in _READ.finditer(text)}
    return {
        name: found for name, found in reads.items() if name not in given and (name in declared or _OF_CI.match(name))
    }


def _blank(kept: re.Match[str]) -> str:
    """Spaces of the same length, where a shell reads no variable."""
    if kept[0][0] == '"':
        return _ESCAPED.sub("  ", kept[0])
    return " " * len(kept[0])


def _instead(name: str) -> str:
    """What there is in the place of a variable of a CI."""
    if name in ("GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_STATE"):
        return "say `output: file`, and write it to `$PIPE_OUTPUT`: others read `{{ nodes.<id>.output }}`"
    if name.endswith("_SHA"):
        return "write `{{ run.git_sha }}`"
    if name.endswith(("TOKEN", "PASSWORD", "KEY", "SECRET")):
        return f"declare it at the top, `secrets: {{{name}: {{from: env}}}}`, and grant it: `secrets: [{name}]`"
    return f'make it an input, and give it to `pipe run`: `-i {name.lower()}="${name}"`'
