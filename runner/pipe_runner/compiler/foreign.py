"""What a value of another system was meant to be, where its key is ours or its shape nearly fits. Each gives a hint."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any, Final

from pipe_runner.compiler import aliases
from pipe_runner.types import YAML_ENDINGS, Path_

_KINDS: Final = ("run", "argv", "agent", "pipeline")

_LEFT: Final = "files that it leaves are kept by `artifacts:`; `output: file` is what it writes to `$PIPE_OUTPUT`"
_OUTPUT: Final = {
    **dict.fromkeys(("files", "path", "artifact", "artifacts"), _LEFT),
    **dict.fromkeys(("stdout", "string", "str", "raw"), "write `output: text`"),
    **dict.fromkeys(("list", "array"), "write `output: lines`, or `output: json` where it prints JSON"),
    **dict.fromkeys(("object", "map", "dict"), "write `output: json` where it prints JSON"),
    **dict.fromkeys(("env", "outputs", "$PIPE_OUTPUT", "PIPE_OUTPUT"), "write `output: file`"),
}


def of_output(value: Any) -> str | None:
    """The hint for what can't stand as `output:` of a command."""
    if isinstance(value, dict) or (isinstance(value, str) and ("." in value or "/" in value)):
        return _LEFT
    return _OUTPUT.get(value) if isinstance(value, str) else None


_MATRIX: Final = {
    "matrix": "the lists stand directly under the node's `matrix:`",
    **dict.fromkeys(("fail-fast", "fail_fast"), "leave it out: after a failed combination the others go on"),
    **dict.fromkeys(
        ("max-parallel", "max_parallel"), "leave it out: `concurrency:` at the top of the file bounds what runs at once"
    ),
}


def of_matrix(path: Path_) -> str | None:
    """The hint for a key that stands beside the lists of a matrix and is none of them."""
    return _MATRIX.get(str(path[3])) if len(path) == 4 and path[2] == "matrix" else None


def is_node(value: Any) -> bool:
    """Whether a map is a node, of ours or of others."""
    return isinstance(value, dict) and any(key in aliases.NODE or key in _KINDS for key in value)


_PROGRAM: Final = re.compile(r"\w[\w./-]*(?: +(?:[\w./-]+|\{0\}))*")
"""A program with its arguments; `{0}` is the script at GitHub."""


def of_shape(key: str, value: Any) -> str | None:
    """The hint for a value that nearly has the shape which its key wants."""
    if key == "for_each" and isinstance(value, str) and "{{" in value and '"' not in value and len(value) <= 80:
        return f'write `{{items: "{value}"}}`'
    if key == "for_each" and isinstance(value, (str, list)):
        return "write the list under `items:`"
    if key == "retry" and isinstance(value, str) and value.isdecimal() and len(value) < 6:
        return f"leave the quotes out: `retry: {value}`"
    if key == "shell" and isinstance(value, str) and _PROGRAM.fullmatch(value) and len(value) <= 80:
        what = "a program with arguments" if " " in value else "another program"
        return f"{what} is a list: `[{', '.join(word for word in value.split() if word != '{0}')}]`"
    return None


def unspaced(text: str, keys: Collection[str]) -> str | None:
    """The hint for a key and its value without a space between, which YAML reads as one text."""
    key, colon, value = text.partition(":")
    if not colon or key not in keys or not value.isprintable() or len(value) > 80:
        return None
    return f"a space behind the colon makes it a key: `{key}: {value}`"


def is_other_shell(value: Any) -> bool:
    """Whether a text for `shell:` names a program that is meant, however near its name is to `sh`."""
    return value in ("ash", "csh", "dash", "fish", "ksh", "pwsh", "zsh") or (isinstance(value, str) and " " in value)


def of_uses(value: Any, hint: str) -> str:
    """The hint for `uses:`, which names a file where a whole workflow is meant."""
    name = value.partition("@")[0] if isinstance(value, str) else ""
    if not name.endswith(YAML_ENDINGS):
        return hint
    if name.startswith("./") and name == value and name.isprintable() and len(name) <= 100:
        return f"write `pipeline: {name}`, with its inputs under `with:`; the path counts from this file"
    return "write `pipeline:` with the path of another pipeline file, and its inputs under `with:`"
