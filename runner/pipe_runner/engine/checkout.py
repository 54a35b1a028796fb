"""Which commit the project stands at, read from git's files: starting git would cost more than a small run."""

from __future__ import annotations

import os
import re

_SHA = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?\Z")


def git_sha(root: str) -> str | None:
    """The commit that HEAD names in the repository around `root`, or None."""
    directory = root
    while True:
        dot_git = os.path.join(directory, ".git")
        if os.path.lexists(dot_git):
            return _head(dot_git)
        parent = os.path.dirname(directory)
        if parent == directory:
            return None
        directory = parent


def _head(dot_git: str) -> str | None:
    if os.path.isfile(dot_git):  # a worktree or submodule: a file that names the directory
        text = _read(dot_git)
        if not text.startswith("gitdir:"):
            return None
        dot_git = os.path.join(os.path.dirname(dot_git), text.removeprefix("gitdir:").strip())
    head = _read(os.path.join(dot_git, "HEAD")).strip()
    if not head.startswith("ref:"):
        return head if _SHA.match(head) else None
    name = head.removeprefix("ref:").strip()
    if ".." in name or name.startswith("/"):
        return None
    common = os.path.join(dot_git, _read(os.path.join(dot_git, "commondir")).strip() or ".")
    for home in (dot_git, common):
        sha = _read(os.path.join(home, name)).strip()
        if _SHA.match(sha):
            return sha
    for line in _read(os.path.join(common, "packed-refs")).splitlines():
        sha, _, ref = line.partition(" ")
        if ref == name and _SHA.match(sha):
            return sha
    return None


def _read(path: str) -> str:
    try:
        if not os.path.isfile(path):
            return ""
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(1 << 22)
    except OSError:
        return ""
