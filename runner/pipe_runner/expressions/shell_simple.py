"""The shell text that most nodes have: a plain command with plain arguments, read with one pattern.

`simple_shell` gives exactly what `compile_shell` gives, or None; a test holds the two together. Reading text as a shell
does takes fifty times as long, which counts in files of thousands of nodes. `suspicious` says which texts a shell may
stumble over, so that no other is read for that.
"""

from __future__ import annotations

import re
from typing import Final

from pipe_runner.expressions.compiled import Compiled, Reference, ShellText
from pipe_runner.expressions.plain import NODE_FIELDS, RUN_FIELDS

SIMPLE_COMMANDS: Final = ("echo", "cat", "cp", "mv", "mkdir", "touch", "rm", "ls", "wc", "head", "tail")
"""Commands whose arguments are never code, nor interpreted in any other way."""
_COMMANDS: Final = "|".join(SIMPLE_COMMANDS) + "|printf +(?:'%s'|'%s\\\\n'|\"%s\")"
_PLAIN: Final = r"[A-Za-z0-9_./:,=@%+-]"
_HOLE: Final = r"\{\{ *(?:inputs|nodes|env|run)(?:\.[A-Za-z_][A-Za-z0-9_]*){1,8} *\}\}"
_ARGUMENT: Final = rf"(?:{_PLAIN}++|{_HOLE}|\"(?:{_PLAIN}|[ ;'()#]|{_HOLE})*+\")"
_SIMPLE: Final = re.compile(rf"(?:(?:{_COMMANDS})(?: ++{_ARGUMENT}++)*+ *+(?:\n|\Z))++")
_QUOTE_OR_HOLE: Final = re.compile(r"\"|\{\{[^}]*\}\}")
_LONGEST: Final = 2000
_BASH: Final = re.compile(
    r"\[\[\s|=\(|<<<|[<>]\(|&>|\bfor[ \t]*\(\(|pipefail"
    r"|\b(?:source|function|shopt|pushd|popd|declare|typeset|mapfile|readarray|let)\s"
    r"|(?<![${%@])\{[\w./*-]*(?:,|\.\.)"
    r"|\$\{(?:!|\w+[\[/^,:])|(?:\[|\btest)[ \t][^\n\]&|;]{1,80}? == "
)
"""What a text has where it says something that only bash knows, and others have, too."""
_OPENED: Final = tuple(
    (word, re.compile(rf"\b{closed}\b")) for word, closed in (("if", "fi"), ("do", "done"), ("case", "esac"))
)


def simple_shell(text: str) -> ShellText | None:
    """What `compile_shell` makes of a text that is simple, and has no faults; None for every other text."""
    if len(text) > _LONGEST or _SIMPLE.fullmatch(text) is None:
        return None
    pieces: list[str] = []
    variables: dict[str, tuple[str, Compiled]] = {}
    quoted = False
    position = 0
    for found in _QUOTE_OR_HOLE.finditer(text):
        start, end = found.span()
        if end - start == 1:
            quoted = not quoted
            continue
        source = text[start + 2 : end - 2]
        key = source.strip()
        path = tuple(key.split("."))
        if (path[0] == "nodes" and len(path) > 2 and path[2] not in NODE_FIELDS) or (
            path[0] == "run" and path[1] not in RUN_FIELDS
        ):
            return None
        references = (Reference(path, start + 2 + source.index(key)),)
        known = variables.get(key)
        if known is None:
            name = f"PIPE_V{len(variables) + 1}"
            variables[key] = (name, Compiled("reference", source, path, references))
        else:
            name = known[0]
            variables[key] = (name, known[1]._replace(references=known[1].references + references))
        pieces.append(text[position:start])
        pieces.append(f"${{{name}}}" if quoted else f'"${{{name}}}"')
        position = end
    pieces.append(text[position:])
    return ShellText("".join(pieces), tuple((name, compiled, "text") for name, compiled in variables.values()))


def suspicious(text: str, shell: str) -> bool:
    """Whether a text may open what it doesn't close, or say what no other shell than bash knows."""
    if text.count("'") % 2 or text.count('"') % 2 or (shell == "sh" and _BASH.search(text) is not None):
        return True
    opened = [closed for word, closed in _OPENED if word in text]
    return bool(opened) and any(closed.search(text) is None for closed in opened)
