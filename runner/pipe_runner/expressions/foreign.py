"""Templates of other systems, told from ours: `${{ x }}`, `{{.Names}}`, a condition in braces."""

from __future__ import annotations

import re
from typing import Final

from pipe_runner.expressions.compiled import Fault

_GITHUB: Final = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
_GO: Final = re.compile(
    r"\{\{-?\s*(?:\.|\$\w*(?:\.|\s*:?=)|/\*|(?:range|with|if|index|json|len|print|printf|println|join|split|table|template|define|"
    r"block|html|js|upper|lower|title|pad|truncate|not|and|or|eq|ne|lt|gt|prettyjson)\s+[.$(\"]|end\s*-?\}\}|else\s*-?\}\})"
)
_WRAPPED: Final = re.compile(r"\s*\$?\{\{-?(.*?)-?\}\}\s*", re.DOTALL)
_TRANSLATED: Final = (
    (re.compile(r"\b(?:needs|steps|jobs)\.([A-Za-z_][\w-]*)\.outputs?\b"), r"nodes.\1.output"),
    (re.compile(r"\b(?:needs|steps|jobs)\.([A-Za-z_][\w-]*)\.(?:result|outcome|conclusion)\b"), r"nodes.\1.status"),
    (re.compile(r"\bgithub\.event\.inputs\."), "inputs."),
    (re.compile(r"\bgithub\.sha\b"), "run.git_sha"),
    (re.compile(r"\bgithub\.run_id\b"), "run.id"),
    (re.compile(r"\bgithub\.run_attempt\b"), "run.attempt"),
    (re.compile(r"&&"), "and"),
    (re.compile(r"\|\|"), "or"),
    (re.compile(r"!(?!=)"), "not "),
)

_TEXT: Final = re.compile(r"'[^']*'")
_SECRET: Final = re.compile(r"\s*secrets\.([A-Za-z_]\w*)\s*")
_OF_CI: Final = re.compile(r"\b(?:github|gitea|runner|job|vars)\.(?:[\w-]+\.)*([A-Za-z_][\w-]*)")


def translate(expression: str) -> str:
    """An expression of GitHub Actions in our names, as far as they match."""
    text = expression.strip()
    for pattern, ours in _TRANSLATED:
        text = pattern.sub(ours, text)
    return text


def github_fault(text: str, offset: int, *, shell: bool = False) -> Fault:
    """The fault for `${{ … }}` at an offset (of its `$`), in shell text or elsewhere."""
    found = _GITHUB.match(text, offset)
    whole = found[0] if found else "${{"
    ours = f"{{{{ {translate(found[1])} }}}}" if found else "{{ … }}"
    hint = f"write {ours}, without the dollar sign" + ("" if "\n" in ours else "; {{ '$' }} gives the sign itself")
    if shell and found and (secret := _SECRET.fullmatch(found[1])):
        hint = f'list it under the node\'s `secrets:`; then "${secret[1]}" is a variable of the command'
    elif of_ci := _OF_CI.search(_TEXT.sub("", ours)):
        name = of_ci[1].replace("-", "_")
        hint = f"what the CI knows is given as an input: `pipe run … -i {name}=…`, and here {{{{ inputs.{name} }}}}"
    return Fault("E406", "`${{ … }}` is how GitHub Actions writes an expression", offset, len(whole), hint)


def go_fault(text: str, offset: int) -> Fault | None:
    """The fault for a Go template (`{{.Names}}`) that begins at an offset, or None where it is none."""
    found = _GO.match(text, offset)
    if found is None:
        return None
    end = text.find("}}", offset)
    whole = text[offset : end + 2] if end >= 0 else text[offset : offset + 2]
    return Fault(
        "E407",
        f"`{whole}` is a Go template, not an expression of this pipeline",
        offset,
        len(whole),
        f"write {{% raw %}}{whole}{{% endraw %}} to hand it on as it is",
    )


def value_faults(text: str) -> list[Fault]:
    """All templates of other systems in a value."""
    if "${{" not in text and _GO.search(text) is None:
        return []
    from pipe_runner.expressions.segments import END_RAW, OPENING, RAW

    faults: list[Fault] = []
    position = 0
    while (found := OPENING.search(text, position)) is not None:
        start = found.start()
        position = start + 2
        if found[0] == "{%" and (raw := RAW.match(text, start)):
            ended = END_RAW.search(text, raw.end())
            position = ended.end() if ended else len(text)
        elif found[0] == "{{":
            if start > 0 and text[start - 1] == "$":
                faults.append(github_fault(text, start - 1))
            elif (fault := go_fault(text, start)) is not None:
                faults.append(fault)
            closing = text.find("}}", start)
            position = closing + 2 if closing >= 0 else len(text)
    return faults


def condition_fault(text: str) -> Fault | None:
    """The fault for a condition that isn't a bare expression."""
    if not text.strip():
        return Fault(
            "E401", "the condition is empty", 0, max(1, len(text)), 'for example: nodes.a.status == "succeeded"'
        )
    found = _WRAPPED.fullmatch(text)
    if found is not None and "{{" not in found[1]:
        bare = translate(found[1])
        if text.lstrip().startswith("$"):
            message = "`${{ … }}` is how GitHub Actions writes a condition; ours is a bare expression"
        else:
            message = "a condition is a bare expression, without `{{ }}`"
        return Fault("E408", message, 0, len(text), f"write: {bare}")
    at = text.find("{{")
    while at >= 0 and _in_quotes(text, at):
        at = text.find("{{", at + 1)
    if at >= 0:
        bare = translate(text.replace("${{", "").replace("{{", "").replace("}}", ""))
        bare = re.sub(r"\s+", " ", bare)
        return Fault("E408", "a condition is a bare expression, without `{{ }}` in it", at, 2, f"write: {bare}")
    return None


def _in_quotes(text: str, at: int) -> bool:
    return bool(text.count("'", 0, at) % 2 or text.count('"', 0, at) % 2)
