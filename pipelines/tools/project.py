"""Looks at a project's files; called by quickstart.yml through `agent: python`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

LANGUAGES = {
    ".py": "Python", ".md": "Markdown", ".yml": "YAML", ".yaml": "YAML", ".json": "JSON", ".toml": "TOML",
    ".sh": "Shell", ".js": "JavaScript", ".ts": "TypeScript", ".go": "Go", ".rs": "Rust", ".c": "C", ".h": "C",
    ".html": "HTML", ".css": "CSS", ".sql": "SQL", ".txt": "Text", ".svg": "SVG",
}  # fmt: skip
GENERATED = {".git", ".venv", "venv", ".pipe", "node_modules", "__pycache__", "build", "dist", "report"}


def names(root: Path) -> list[str]:
    """The project's own files, sorted: what git knows or would add, or without git all but generated folders."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=root,
            capture_output=True,
            check=True,
            timeout=30,
        )
        found = {os.fsdecode(name) for name in listed.stdout.split(b"\0") if name}
    except (OSError, subprocess.SubprocessError):
        found = set()
        for folder, below, files in os.walk(root):
            below[:] = [name for name in below if name not in GENERATED and not name.endswith(".egg-info")]
            found.update(os.path.relpath(os.path.join(folder, name), root) for name in files)
    return sorted(name for name in found if (root / name).is_file() and not (root / name).is_symlink())


def files(root: str, largest: int) -> dict[str, Any]:
    """Count and size of the files, by language, with their lines; and the largest of them."""
    top = Path(root)
    rows: list[tuple[int, str]] = []
    kinds: dict[str, dict[str, Any]] = {}
    for name in names(top):
        content = (top / name).read_bytes()
        rows.append((len(content), name))
        language = LANGUAGES.get(os.path.splitext(name)[1], "other")
        kind = kinds.setdefault(language, {"language": language, "files": 0, "bytes": 0, "lines": 0})
        kind["files"] += 1
        kind["bytes"] += len(content)
        kind["lines"] += 0 if b"\0" in content else content.count(b"\n")
    rows.sort(key=lambda row: (-row[0], row[1]))
    return {
        "count": len(rows),
        "bytes": sum(size for size, _ in rows),
        "lines": sum(kind["lines"] for kind in kinds.values()),
        "languages": sorted(kinds.values(), key=lambda kind: (-kind["lines"], kind["language"])),
        "largest": [{"name": name, "bytes": size} for size, name in rows[:largest]],
    }


def interpreter() -> str:
    """The Python that runs the pipeline, so that a command can start `pipe` again without knowing where it is."""
    return sys.executable
