"""Writes what quickstart.yml found out as Markdown."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def cell(value: Any) -> str:
    """A value as the text of a table's cell: names of files and people may hold anything."""
    text = str(value).replace("|", "\\|").replace("`", "'")
    return "".join(c if c.isprintable() else "?" for c in text)


def table(head: list[str], rows: list[list[Any]]) -> list[str]:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return lines + ["| " + " | ".join(cell(value) for value in row) + " |" for row in rows]


def size(count: int) -> str:
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"


def write(root: str, path: str, found: dict[str, Any]) -> dict[str, Any]:
    """Write the report below the root; gives its path and one sentence that sums it up."""
    files, history = found["files"], found["history"]
    faults = [fault for fault in found["check"] if fault["severity"] == "error"]
    lines = [
        "# The project at a glance",
        "",
        f"{files['count']} files, {files['lines']} lines, {size(files['bytes'])}.",
    ]
    lines += ["", "## Languages", ""]
    lines += table(
        ["language", "files", "lines", "size"],
        [[k["language"], k["files"], k["lines"], size(k["bytes"])] for k in files["languages"]],
    )
    lines += ["", "## Largest files", ""]
    lines += table(["file", "size"], [[f["name"], size(f["bytes"])] for f in files["largest"]])
    lines += ["", "## History", ""]
    if history is None:
        lines += ["There is no git history here."]
    else:
        lines += [f"{history['commits']} commits from {history['first']} to {history['last']}.", ""]
        lines += table(
            ["changed in so many of the last commits", "file"], [row.split(None, 1) for row in found["busy"]]
        )
    lines += ["", "## Notes left in the code", "", f"{found['notes']} lines hold a note of something to do."]
    lines += ["", "## Pipeline files", ""]
    lines += [
        f"{found['pipelines']} pipeline files, {len(faults)} errors, {len(found['check']) - len(faults)} warnings."
    ]
    for fault in found["check"]:
        lines += [f"- {cell(fault['file'])}:{fault['line']}: {fault['code']} {cell(fault['message'])}"]
    target = Path(root, path)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("\n".join(lines) + "\n", encoding="utf-8")
    commits = f", {history['commits']} commits" if history else ""
    sentence = f"{files['count']} files, {files['lines']} lines{commits}, {len(faults)} errors in pipeline files"
    return {"path": path, "sentence": sentence}
