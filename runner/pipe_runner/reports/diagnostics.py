"""Writes diagnostics down: for people with source line and caret, and for the programs that collect them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any, Final, Literal, assert_never

from pipe_runner.codes import CODES
from pipe_runner.console.words import inked, plural, safe
from pipe_runner.diagnostics import Diagnostic, in_order
from pipe_runner.text import ci_safe, ci_safe_json, printable, width

Format = Literal["text", "json", "github", "gitlab", "sarif"]
FORMATS: Final[tuple[Format, ...]] = ("text", "json", "github", "gitlab", "sarif")

_GUTTER: Final = "    | "
_WIDEST: Final = 120
"""Columns of a source line that are shown; a longer one is cut around its caret."""
_BEFORE: Final = 50
"""Columns that are kept before the caret when a line is cut."""


def render(diagnostics: Iterable[Diagnostic], format: Format, *, colour: bool = False) -> str:
    """All diagnostics in order of place, as text that ends with a line end; `""` for no diagnostics in text and github.

    Nothing from a file reaches a terminal or a CI as anything but text, whatever the format.
    """
    found = in_order(diagnostics)
    match format:
        case "text":
            return "".join(_text(d, colour) for d in found)
        case "github":
            return "".join(_github(d) for d in found)
        case "json":
            return _json([_plain(d) for d in found])
        case "gitlab":
            return _json(_gitlab(found))
        case "sarif":
            return _json(_sarif(found))
        case _:
            assert_never(format)


def summary(diagnostics: Iterable[Diagnostic], *, files: int | None = None) -> str:
    """`3 errors, 1 warning in 2 files`; `files` is how many were examined, else those with faults are counted."""
    found = list(diagnostics)
    errors = sum(d.is_error for d in found)
    warnings = len(found) - errors
    count = len({d.path for d in found}) if files is None else files
    parts = [plural(errors, "error")] if errors else []
    if warnings:
        parts.append(plural(warnings, "warning"))
    return f"{', '.join(parts) or 'no faults'} in {plural(count, 'file')}"


def _text(found: Diagnostic, colour: bool) -> str:
    strong = "31" if found.is_error else "33"
    place = ci_safe(f"{printable(found.path)}:{found.line}:{found.column}:")
    lines = [f"{inked(place, '1', colour)} {inked(found.code, strong, colour)} {ci_safe(printable(found.message))}"]
    if found.source is not None and found.source.strip():
        shown, caret = _excerpt(found.source, found.column, found.length)
        lines.append(f"{inked(_GUTTER, '2', colour)}{ci_safe(shown)}".rstrip())
        lines.append(f"{inked(_GUTTER, '2', colour)}{caret[0]}{inked(caret[1], strong, colour)}")
    for note in found.notes:
        lines.append(ci_safe(f"    {inked('note:', '36', colour)} {printable(str(note))}"))
    if found.hint is not None:
        hint = printable(found.hint, newlines=True).split("\n")
        lines.append(ci_safe(f"    {inked('hint:', '36', colour)} {hint[0]}"))
        lines += [ci_safe(f"          {line}") for line in hint[1:]]
    return "\n".join(lines) + "\n"


def _excerpt(source: str, column: int, length: int) -> tuple[str, tuple[str, str]]:
    """The source line as it is shown, and the line beneath it: what stands before the caret, and the caret."""
    start = min(max(column - 1, 0), len(source))
    end = min(start + max(length, 1), max(len(source), start + 1))
    first, last = 0, len(source)
    if len(source) > _WIDEST:  # characters, not columns: a wide character takes two at most
        first = max(0, min(start - _BEFORE, len(source) - _WIDEST))
        last = first + _WIDEST
    before, marked, after = source[first:start], source[start : min(end, last)], source[end:last]
    head = "…" if first else ""
    tail = "…" if last < len(source) else ""
    shown = safe(before), safe(marked), safe(after)
    line = f"{head}{''.join(shown)}{tail}"
    indent = "".join("\t" if char == "\t" else " " * width(char) for char in head + shown[0])
    columns = sum(1 if char == "\t" else width(char) for char in shown[1])
    return line, (indent, "^" + "~" * (columns - 1))


def _whole(found: Diagnostic) -> str:
    """The message with its notes and its hint, a line each."""
    notes = [f"note: {note}" for note in found.notes]
    return "\n".join([found.message, *notes, *([] if found.hint is None else [f"hint: {found.hint}"])])


def _plain(found: Diagnostic) -> dict[str, Any]:
    notes = [
        {"file": note.path, "line": note.line, "column": note.column, "message": note.message} for note in found.notes
    ]
    return {
        "file": found.path,
        "line": found.line,
        "column": found.column,
        "code": found.code,
        "severity": str(found.severity),
        "message": found.message,
        "hint": found.hint,
        **({"notes": notes} if notes else {}),
    }


def _json(value: object) -> str:
    import json

    return ci_safe_json(json.dumps(value, indent=2)) + "\n"


def _github(found: Diagnostic) -> str:
    """One workflow command; `%`, CR and LF are escaped, in properties `:` and `,` as well."""
    properties = {
        "file": _slashed(found.path),
        "line": str(found.line),
        "col": str(found.column),
        "title": f"{found.code} {CODES.get(found.code, '')}".strip(),
    }
    listed = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    return f"::{found.severity} {listed}::{_data(_whole(found))}\n"


def _slashed(path: str) -> str:
    """The path as services know it, that of a checkout: Windows writes another separator."""
    return path.replace(os.sep, "/")


def _data(text: str) -> str:
    shown = ci_safe(printable(text, newlines=True))
    return shown.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    # No colon is left for `::` before the text is made harmless: what that writes would be another path.
    shown = printable(text).replace("%", "%25").replace(":", "%3A").replace(",", "%2C")
    return ci_safe(shown)


def _in_one_line(found: Diagnostic) -> str:
    asides = [str(note) for note in found.notes] + ([] if found.hint is None else [f"hint: {found.hint}"])
    return f"{found.message} ({'; '.join(asides)})" if asides else found.message


def _gitlab(found: Sequence[Diagnostic]) -> list[dict[str, Any]]:
    """GitLab's code quality report; a fingerprint stays the same when lines move."""
    from hashlib import sha256

    seen: dict[tuple[str, str, str], int] = {}
    report = []
    for one in found:
        identity = (one.path, one.code, one.message)
        nth = seen[identity] = seen.get(identity, 0) + 1
        fingerprint = sha256("\0".join((*identity, str(nth))).encode("utf-8", "backslashreplace")).hexdigest()
        report.append(
            {
                "type": "issue",
                "check_name": one.code,
                "description": _in_one_line(one),
                "categories": ["Bug Risk"],
                "severity": "major" if one.is_error else "minor",
                "fingerprint": fingerprint,
                "location": {
                    "path": _slashed(one.path).removeprefix("./"),
                    "positions": {"begin": {"line": one.line, "column": one.column}},
                    "lines": {"begin": one.line, "end": one.line},
                },
            }
        )
    return report


def _sarif(found: Sequence[Diagnostic]) -> dict[str, Any]:
    """SARIF 2.1.0, as GitHub's code scanning takes it."""
    from pipe_runner import __version__

    titles = {**CODES, **{d.code: d.message for d in found if d.code not in CODES}}
    order = {code: index for index, code in enumerate(titles)}
    rules = [
        {
            "id": code,
            "shortDescription": {"text": title},
            "defaultConfiguration": {"level": "warning" if code.startswith("W") else "error"},
        }
        for code, title in titles.items()
    ]
    driver = {"name": "pipe-runner", "version": __version__, "rules": rules}
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": driver},
                "columnKind": "unicodeCodePoints",
                "results": [_sarif_result(d, order[d.code]) for d in found],
            }
        ],
    }


def _sarif_result(found: Diagnostic, rule: int) -> dict[str, Any]:
    from urllib.parse import quote

    region = {
        "startLine": found.line,
        "startColumn": found.column,
        "endLine": found.line,
        "endColumn": found.column + max(found.length, 1),
    }

    def place(path: str, region: dict[str, int]) -> dict[str, Any]:
        uri = quote(_slashed(path).removeprefix("./"), errors="surrogatepass")
        return {"artifactLocation": {"uri": uri}, "region": region}

    related = [
        {
            "id": number,
            "physicalLocation": place(note.path, {"startLine": note.line, "startColumn": note.column}),
            "message": {"text": note.message},
        }
        for number, note in enumerate(found.notes, 1)
    ]
    return {
        "ruleId": found.code,
        "ruleIndex": rule,
        "level": str(found.severity),
        "message": {"text": _whole(found)},
        "locations": [{"physicalLocation": place(found.path, region)}],
        **({"relatedLocations": related} if related else {}),
    }
